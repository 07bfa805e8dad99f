/*
 * reader.c - the lock-free mode's reading side: following a channel through restarts and growth, latest and next.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "error.h"
#include "lease.h"
#include "liveness.h"
#include "mode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOOK_NS = 1000000000,	/* how often a reader without news looks whether its writer lives and its ring is still the one */
	ABSENT_NS = 5000000,	/* how often it looks for a channel that does not exist: nothing to sleep on there */
	MAX_REFUSALS = 1 << 20, /* in a row; honest writers never get near it */
	AGE_SHIFT = 8		/* the first bucket of ages ends at 2 << 8 ns */
};

struct channel {
	struct slip__reader_channel common; /* first */
	slip_reader_options options;
	struct slip__seat *seat; /* NULL while not attached */
	bool closed;		 /* the last writer closed the channel, and no other has come */
	bool in_order;
	uint64_t epoch;	   /* of what follows */
	uint64_t last_seq; /* the last one had, or the one before the first that may be had */
	uint64_t got;
	uint64_t missed;
	uint64_t generations;
	uint64_t ages[SLIP_AGE_BUCKETS];
	int64_t next_look; /* CLOCK_MONOTONIC ns, by the coarse clock */
	bool found_dead;   /* at the last look nobody held the writer's byte */
};

static struct channel *channel_of(struct slip__reader_channel *common)
{
	return (struct channel *)(void *)common;
}

static struct slip__reader_channel *open_channel(const slip_channel_name *name, const slip_reader_options *options)
{
	struct channel *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return slip__fail_null(ENOMEM, "no memory for a reader of %s/%s", name->base, name->channel);
	c->common.ops = &slip__lock_free_reader;
	c->common.name = *name;
	c->options = *options;
	return &c->common;
}

static void close_channel(struct slip__reader_channel *common)
{
	struct channel *c = channel_of(common);
	slip__seat_leave(c->seat);
	free(c);
}

static void abandon_channel(struct slip__reader_channel *common)
{
	struct channel *c = channel_of(common);
	slip__seat_abandon(c->seat);
	free(c);
}

static const struct slip__ring *ring_of(const struct channel *c)
{
	return &slip__seat_segment(c->seat)->ring;
}

/* What a tool shows of this reader; its own words, so nobody is disturbed. */
static void write_entry(const struct channel *c)
{
	struct slip__reader_entry *entry = slip__seat_entry(c->seat);
	if (entry == NULL)
		return;
	a64_store_relaxed(&entry->got, c->got);
	a64_store_relaxed(&entry->missed, c->missed);
	a64_store_relaxed(&entry->last_seq, c->got > 0 ? c->last_seq : 0);
}

/* ---- attaching and following ---- */

static void sit(struct channel *c, struct slip__seat *seat)
{
	const struct slip__geometry *geometry = &slip__seat_segment(seat)->geometry;
	slip__seat_leave(c->seat);
	c->seat = seat;
	c->closed = false;
	c->generations++;
	if (c->epoch != geometry->epoch) {
		/* A handle that goes on reads a new epoch from its first frame; a fresh one from the newest that is there when it attaches. */
		struct slip__place place;
		bool some = slip__slot_latest(&slip__seat_segment(seat)->ring, &place) == SLIP__FOUND;
		c->last_seq = c->epoch != 0 ? 0 : (some ? place.seq : geometry->first_seq) - 1;
		c->epoch = geometry->epoch;
	}
	if (c->in_order)
		slip__seat_reads_in_order(seat);
	struct slip__reader_entry *entry = slip__seat_entry(seat);
	for (int i = 0; entry != NULL && i < SLIP_AGE_BUCKETS; i++)
		a64_store_relaxed(&entry->ages[i], c->ages[i]);
	write_entry(c);
}

static int absent(const struct channel *c)
{
	const slip_channel_name *name = &c->common.name;
	if (c->closed)
		return slip__fail(EPIPE, "the writer closed %s/%s; nothing newer is there until one comes", name->base, name->channel);
	return slip__fail(ENOENT, "there is no channel %s/%s (yet); start its writer, or wait with slip_wait_for_array", name->base,
			  name->channel);
}

static int attach(struct channel *c)
{
	struct slip__seat *seat = slip__seat_take(&c->common.name, c->options.observer != 0, c->options.prefault != 0);
	if (seat == NULL)
		return errno == ENOENT ? absent(c) : -1;
	sit(c, seat);
	return 0;
}

/*
 * The present ring has ended. drained: it has nothing more for the caller. Goes over to the next one if there is one and, unless drained, it has
 * a frame. 1: moved. 0: stay here. -1: nothing will come here, and nothing is there (EPIPE), or attaching failed.
 */
static int follow(struct channel *c, bool drained)
{
	const struct slip__segment *here = slip__seat_segment(c->seat);
	struct slip__identity identity = here->identity;
	struct slip__seat *seat = slip__seat_take(&c->common.name, c->options.observer != 0, c->options.prefault != 0);
	if (seat == NULL) {
		if (!drained)
			return 0;
		if (errno != ENOENT)
			return -1;
		/* The name leads nowhere: closed, or retired by a writer whose next ring was removed since. */
		c->closed = true;
		slip__seat_leave(c->seat);
		c->seat = NULL;
		return absent(c);
	}
	const struct slip__segment *there = slip__seat_segment(seat);
	struct slip__place place;
	bool same = there->identity.device == identity.device && there->identity.inode == identity.inode;
	if (same || (!drained && slip__slot_latest(&there->ring, &place) == SLIP__NONE)) {
		slip__seat_leave(seat);
		return 0;
	}
	sit(c, seat);
	return 1;
}

/* Looks up, once a second at most, whether the writer lives; returns whether the name still leads to our ring. */
static bool look_up(struct channel *c)
{
	int64_t now = slip__os_now_coarse();
	if (now < c->next_look)
		return true;
	c->next_look = now + LOOK_NS;
	const struct slip__segment *s = slip__seat_segment(c->seat);
	char object[SLIP_OBJECT_MAX];
	slip__object_name(&c->common.name, SLIP__OBJECT_CONTROL, 0, object);
	c->found_dead = !slip__liveness_writer_alive(s);
	return slip__os_leads_to(object, s->identity);
}

/* Whether the ring that we read has ended: by its own word, or because the name leads elsewhere. */
static bool has_ended(struct channel *c)
{
	const struct slip__segment *s = slip__seat_segment(c->seat);
	return a32_load_acquire(&s->header->state) != 0 || !look_up(c); /* @STATE */
}

/* ---- taking ---- */

static void count_age(struct channel *c, const slip_frame *view)
{
	if (c->options.no_stamps || view->publish_ns == 0)
		return;
	int64_t age = slip__os_now() - view->publish_ns;
	uint64_t units = age > 0 ? (uint64_t)age >> AGE_SHIFT : 0;
	int bucket = units > 1 ? 63 - __builtin_clzll(units) : 0;
	if (bucket >= SLIP_AGE_BUCKETS)
		bucket = SLIP_AGE_BUCKETS - 1;
	c->ages[bucket]++;
	struct slip__reader_entry *entry = slip__seat_entry(c->seat);
	if (entry != NULL)
		a64_store_relaxed(&entry->ages[bucket], c->ages[bucket]);
}

static void count_new(struct channel *c, slip_frame *view)
{
	view->missed = view->seq - c->last_seq - 1;
	c->found_dead = false;
	c->last_seq = view->seq;
	c->got++;
	c->missed += view->missed;
	count_age(c, view);
	write_entry(c);
}

static enum slip__taken take(struct channel *c, const struct slip__place *place, struct slip__frame **frame)
{
	enum slip__taken taken = slip__seat_lease(c->seat, place, frame);
	if (taken == SLIP__TAKEN && place->seq > c->last_seq)
		count_new(c, &(*frame)->view);
	return taken;
}

static int broken(const struct channel *c, const struct slip__place *place)
{
	return slip__fail(EBADMSG, "%s/%s leads to slot %u of %u for seq %llu: its control was damaged", c->common.name.base,
			  c->common.name.channel, place->slot, slip__seat_segment(c->seat)->geometry.slots, (unsigned long long)place->seq);
}

/* Where there is no frame in a ring that stands. */
static int empty(const struct channel *c)
{
	return slip__fail(ENOENT, "%s/%s has no frame yet; wait with slip_wait_for_array", c->common.name.base, c->common.name.channel);
}

enum found_frame { FRAME_FOUND, FRAME_NONE, FRAME_FAILED };

/*
 * The newest frame's place, after following the channel to where it is written now. NONE: a ring stands, but has no frame. FAILED: errno. With
 * news, only a frame that this handle has not had counts.
 */
static enum found_frame newest(struct channel *c, bool news, struct slip__place *place)
{
	if (c->seat == NULL && attach(c) != 0)
		return FRAME_FAILED;
	for (;;) {
		enum slip__found found = slip__slot_latest(ring_of(c), place);
		if (found == SLIP__BROKEN) {
			broken(c, place);
			return FRAME_FAILED;
		}
		bool fresh = found == SLIP__FOUND && place->seq > c->last_seq;
		bool ended = fresh ? a32_load_acquire(&slip__seat_segment(c->seat)->header->state) != 0 : has_ended(c); /* @STATE */
		if (ended) {
			/* The state was set after the last frame: look at head once more before calling the ring drained. */
			found = slip__slot_latest(ring_of(c), place);
			fresh = found == SLIP__FOUND && place->seq > c->last_seq;
			int moved = follow(c, !fresh);
			if (moved < 0)
				return FRAME_FAILED;
			if (moved > 0)
				continue;
		}
		if (found == SLIP__FOUND && (fresh || !news))
			return FRAME_FOUND;
		return FRAME_NONE;
	}
}

static struct slip__frame *latest(struct slip__reader_channel *common)
{
	struct channel *c = channel_of(common);
	struct slip__frame *frame = NULL;
	for (int refusals = 0; refusals < MAX_REFUSALS; refusals++) {
		struct slip__place place;
		enum found_frame found = newest(c, false, &place);
		if (found == FRAME_NONE)
			empty(c);
		if (found != FRAME_FOUND)
			return NULL;
		enum slip__taken taken = take(c, &place, &frame);
		if (taken != SLIP__REFUSED)
			return taken == SLIP__TAKEN ? frame : NULL;
	}
	return slip__fail_null(EBADMSG, "head of %s/%s leads to a frame that is never there: its control was damaged", common->name.base,
			       common->name.channel);
}

static int peek(struct slip__reader_channel *common, slip_frame *view)
{
	struct channel *c = channel_of(common);
	for (int refusals = 0; refusals < MAX_REFUSALS; refusals++) {
		struct slip__place place;
		enum found_frame found = newest(c, false, &place);
		if (found == FRAME_NONE)
			return empty(c);
		if (found != FRAME_FOUND)
			return -1;
		enum slip__taken taken = slip__seat_peek(c->seat, &place, view);
		if (taken != SLIP__REFUSED)
			return taken == SLIP__TAKEN ? 0 : -1;
	}
	return slip__fail(EBADMSG, "head of %s/%s leads to a frame that is never there: its control was damaged", common->name.base,
			  common->name.channel);
}

/* The first frame after the last one had that is still there; head is the newest frame's place. */
static enum slip__taken take_in_order(struct channel *c, const struct slip__place *head, struct slip__frame **frame)
{
	const struct slip__segment *s = slip__seat_segment(c->seat);
	uint64_t want = c->last_seq + 1;
	if (want < s->geometry.first_seq)
		want = s->geometry.first_seq;
	/* The ring no longer lists what is older. */
	if (head->seq >= s->geometry.ring_length && want < head->seq - s->geometry.ring_length + 1)
		want = head->seq - s->geometry.ring_length + 1;
	for (; want <= head->seq; want++) {
		struct slip__place place;
		enum slip__found found = slip__slot_find(&s->ring, want, &place);
		if (found == SLIP__BROKEN) {
			broken(c, &place);
			return SLIP__TAKE_FAILED;
		}
		enum slip__taken taken = found == SLIP__FOUND ? take(c, &place, frame) : SLIP__REFUSED;
		if (taken != SLIP__REFUSED)
			return taken;
	}
	return SLIP__REFUSED;
}

/* FRAME_NONE: nothing new. */
static enum found_frame try_next(struct channel *c, struct slip__frame **frame)
{
	for (int refusals = 0; refusals < MAX_REFUSALS; refusals++) {
		struct slip__place head;
		if (c->seat == NULL && attach(c) != 0)
			return FRAME_FAILED;
		enum slip__found found = slip__slot_latest(ring_of(c), &head);
		if (found == SLIP__BROKEN) {
			broken(c, &head);
			return FRAME_FAILED;
		}
		if (found == SLIP__FOUND && head.seq > c->last_seq) {
			/* Drain this ring, ended or not, before the next one. */
			enum slip__taken taken = take_in_order(c, &head, frame);
			if (taken != SLIP__REFUSED)
				return taken == SLIP__TAKEN ? FRAME_FOUND : FRAME_FAILED;
			continue;
		}
		/* Follows an ended ring; a frame may have come meanwhile. */
		enum found_frame news = newest(c, true, &head);
		if (news != FRAME_FOUND)
			return news;
	}
	slip__fail(EBADMSG, "head of %s/%s leads to a frame that is never there: its control was damaged", c->common.name.base,
		   c->common.name.channel);
	return FRAME_FAILED;
}

/* ---- waiting ---- */

static void watch_of(const struct channel *c, struct slip__watch *watch)
{
	const struct slip__segment *s = slip__seat_segment(c->seat);
	*watch = (struct slip__watch){.ring = &s->ring, .state = &s->header->state, .after = c->last_seq, .silent = c->options.observer};
}

static int out_of_time(const struct channel *c, int64_t timeout_ns)
{
	return slip__fail(ETIMEDOUT, "nothing new on %s/%s within %lld ns%s", c->common.name.base, c->common.name.channel,
			  (long long)timeout_ns, c->seat == NULL ? " (there is no such channel)" : "");
}

/* Whether a sleeper should give up because its writer is dead. Said once for each time that it is found. */
static bool should_give_up(struct channel *c)
{
	if (!c->found_dead || c->seat == NULL || c->options.outwait_dead_writer)
		return false;
	c->found_dead = false;
	return !slip__liveness_writer_alive(slip__seat_segment(c->seat));
}

struct pause {
	int64_t timeout_ns;
	int64_t deadline;
	int64_t spin_until;
};

static struct pause begin_pause(const struct channel *c, int64_t timeout_ns)
{
	int64_t now = slip__os_now();
	return (struct pause){.timeout_ns = timeout_ns,
			      .deadline = slip__wait_deadline(now, timeout_ns),
			      .spin_until = c->options.spin_ns > 0 ? slip__wait_deadline(now, c->options.spin_ns) : 0};
}

/* Sleeps until it is worth trying again. 0, or -1 with ETIMEDOUT, EINTR, EOWNERDEAD. */
static int pause_once(struct channel *c, const struct pause *p)
{
	struct slip__watch watch;
	size_t count = 0;
	if (should_give_up(c))
		return slip__fail(EOWNERDEAD, "the writer of %s/%s is dead; the handle goes on when a new one comes", c->common.name.base,
				  c->common.name.channel);
	if (c->seat != NULL) {
		watch_of(c, &watch);
		/* An ended ring that has no heir yet is as absent as no ring. */
		count = a32_load_acquire(watch.state) == 0; /* @STATE */
	}
	int64_t look_at = count > 0 ? c->next_look : slip__os_now() + ABSENT_NS;
	if (slip__wait(&watch, count, p->spin_until, look_at, p->deadline) != SLIP__WOKEN_FAILED)
		return 0;
	if (errno == EINTR)
		return slip__fail(EINTR, "a signal ended the wait for %s/%s", c->common.name.base, c->common.name.channel);
	return out_of_time(c, p->timeout_ns);
}

static bool worth_waiting(void)
{
	return errno == ENOENT;
}

static struct slip__frame *next(struct slip__reader_channel *common, int64_t timeout_ns)
{
	struct channel *c = channel_of(common);
	struct slip__frame *frame = NULL;
	if (!c->in_order) {
		c->in_order = true;
		if (c->seat != NULL)
			slip__seat_reads_in_order(c->seat);
	}
	struct pause p = {0};
	bool paused = false;
	for (;;) {
		enum found_frame found = try_next(c, &frame);
		if (found == FRAME_FOUND)
			return frame;
		if (found == FRAME_FAILED && !worth_waiting())
			return NULL;
		if (timeout_ns == 0) {
			out_of_time(c, 0);
			return NULL;
		}
		if (!paused) {
			p = begin_pause(c, timeout_ns);
			paused = true;
		}
		if (pause_once(c, &p) != 0)
			return NULL;
	}
}

static int wait_for(struct slip__reader_channel *common, int64_t timeout_ns, bool any)
{
	struct channel *c = channel_of(common);
	struct pause p = begin_pause(c, timeout_ns);
	for (;;) {
		struct slip__place place;
		enum found_frame found = newest(c, !any, &place);
		if (found == FRAME_FOUND)
			return 0;
		/* Waiting for a channel to exist goes on past a close. */
		if (found == FRAME_FAILED && !worth_waiting() && !(any && errno == EPIPE))
			return -1;
		if (timeout_ns == 0)
			return out_of_time(c, 0);
		if (pause_once(c, &p) != 0)
			return -1;
	}
}

static int watch(struct slip__reader_channel *common, struct slip__watch *out)
{
	struct channel *c = channel_of(common);
	struct slip__place place;
	if (newest(c, true, &place) == FRAME_FOUND)
		return 1;
	if (c->seat == NULL)
		return -1;
	watch_of(c, out);
	/* What has ended would be ready all the time. */
	return a32_load_acquire(out->state) == 0 ? 0 : -1; /* @STATE */
}

/* ---- the rest ---- */

static int alive(struct slip__reader_channel *common)
{
	struct channel *c = channel_of(common);
	struct slip__place place;
	if (newest(c, false, &place) == FRAME_FAILED && c->seat == NULL)
		return errno == EPIPE ? 0 : -1;
	return slip__liveness_writer_alive(slip__seat_segment(c->seat));
}

static void stats(const struct slip__reader_channel *common, slip_reader_stats *out)
{
	const struct channel *c = (const struct channel *)(const void *)common;
	out->got = c->got;
	out->missed = c->missed;
	out->last_seq = c->got > 0 ? c->last_seq : 0;
	out->generations = c->generations;
	out->epoch = c->epoch;
	out->leases = c->seat != NULL ? slip__seat_leases(c->seat) : 0;
}

const struct slip__reader_ops slip__lock_free_reader = {
	.open = open_channel,
	.close = close_channel,
	.abandon = abandon_channel,
	.latest = latest,
	.next = next,
	.wait = wait_for,
	.watch = watch,
	.peek = peek,
	.alive = alive,
	.stats = stats,
};
