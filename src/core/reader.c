/*
 * reader.c - the lock-free mode's reading side: latest, next in order, waiting.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "error.h"
#include "follow.h"
#include "liveness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	ABSENT_NS = 5000000,	/* how often it looks for a channel that does not exist: nothing to sleep on there */
	MAX_REFUSALS = 1 << 16, /* in a row; honest writers never get near it */
	AGE_EVERY_NS = 1000000,
	AGE_SHIFT = 8 /* the first bucket of ages ends at 2 << 8 ns */
};

static struct slip__reading *channel_of(struct slip__reader_channel *common)
{
	return (struct slip__reading *)(void *)common;
}

static struct slip__reader_channel *open_channel(const slip_channel_name *name, const slip_reader_options *options)
{
	struct slip__reading *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return slip__fail_null(ENOMEM, "no memory for a reader of %s/%s", name->base, name->channel);
	c->common.ops = &slip__lock_free_reader;
	c->common.name = *name;
	c->options = *options;
	return &c->common;
}

static void close_channel(struct slip__reader_channel *common)
{
	struct slip__reading *c = channel_of(common);
	slip__seat_leave(c->seat);
	free(c);
}

static void abandon_channel(struct slip__reader_channel *common)
{
	struct slip__reading *c = channel_of(common);
	slip__seat_abandon(c->seat);
	free(c);
}

/* ---- taking ---- */

/* A clock read per frame would be felt where frames come by the microsecond: of those that are published within AGE_EVERY_NS one counts. */
static void count_age(struct slip__reading *c, const slip_frame *view)
{
	/* Unsigned: a stamp may be anything, and goes back when the next writer lives by another clock (a container's), which counts as later. */
	uint64_t stamp = (uint64_t)view->publish_ns;
	if (c->options.no_stamps || stamp == 0 || stamp - (uint64_t)c->aged_ns < AGE_EVERY_NS)
		return;
	c->aged_ns = view->publish_ns;
	int64_t age = (int64_t)((uint64_t)slip__os_now() - stamp);
	uint64_t units = age > 0 ? (uint64_t)age >> AGE_SHIFT : 0;
	int bucket = units > 1 ? 63 - __builtin_clzll(units) : 0;
	if (bucket >= SLIP_AGE_BUCKETS)
		bucket = SLIP_AGE_BUCKETS - 1;
	c->ages[bucket]++;
	struct slip__reader_entry *entry = slip__seat_entry(c->seat);
	if (entry != NULL)
		a64_store_relaxed(&entry->ages[bucket], c->ages[bucket]);
}

static void count_new(struct slip__reading *c, slip_frame *view)
{
	view->missed = view->seq - c->last_seq - 1;
	c->found_dead = false;
	c->last_seq = view->seq;
	c->got++;
	c->missed += view->missed;
	count_age(c, view);
	slip__follow_show(c);
}

static enum slip__taken take(struct slip__reading *c, const struct slip__place *place, struct slip__frame **frame)
{
	slip__segment_expect_read(slip__seat_segment(c->seat), place->slot);
	enum slip__taken taken = slip__seat_lease(c->seat, place, frame);
	if (taken == SLIP__TAKEN && place->seq > c->last_seq)
		count_new(c, &(*frame)->view);
	return taken;
}

/* Where there is no frame in a ring that stands. */
static int empty(const struct slip__reading *c)
{
	return slip__fail(ENOENT, "%s/%s has no frame yet; wait with slip_wait_for_array", c->common.name.base, c->common.name.channel);
}

static struct slip__frame *latest(struct slip__reader_channel *common)
{
	struct slip__reading *c = channel_of(common);
	struct slip__frame *frame = NULL;
	for (int refusals = 0; refusals < MAX_REFUSALS; refusals++) {
		struct slip__place place;
		enum slip__following found = slip__follow_newest(c, SLIP__ASK_TO_TAKE, &place);
		if (found == SLIP__NEWEST_NONE)
			empty(c);
		if (found != SLIP__NEWEST_FOUND)
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
	struct slip__reading *c = channel_of(common);
	for (int refusals = 0; refusals < MAX_REFUSALS; refusals++) {
		struct slip__place place;
		enum slip__following found = slip__follow_newest(c, SLIP__ASK_ABOUT, &place);
		if (found == SLIP__NEWEST_NONE)
			return empty(c);
		if (found != SLIP__NEWEST_FOUND)
			return -1;
		enum slip__taken taken = slip__seat_peek(c->seat, &place, view);
		if (taken != SLIP__REFUSED)
			return taken == SLIP__TAKEN ? 0 : -1;
	}
	return slip__fail(EBADMSG, "head of %s/%s leads to a frame that is never there: its control was damaged", common->name.base,
			  common->name.channel);
}

/* The first frame after the last one had that is still there; head is the newest frame's place. */
static enum slip__taken take_in_order(struct slip__reading *c, const struct slip__place *head, struct slip__frame **frame)
{
	const struct slip__segment *s = slip__seat_segment(c->seat);
	uint64_t want = c->last_seq + 1;
	if (want == head->seq) {
		/* It keeps up: head says where, and the ring's line stays the writer's. */
		enum slip__taken taken = take(c, head, frame);
		if (taken != SLIP__REFUSED)
			return taken;
	}
	if (want < s->geometry.first_seq)
		want = s->geometry.first_seq;
	/* The ring no longer lists what is older. */
	if (head->seq >= s->geometry.ring_length && want < head->seq - s->geometry.ring_length + 1)
		want = head->seq - s->geometry.ring_length + 1;
	for (; want <= head->seq; want++) {
		struct slip__place place;
		enum slip__found found = slip__slot_find(&s->ring, want, &place);
		if (found == SLIP__BROKEN) {
			slip__follow_broken(c, &place);
			return SLIP__TAKE_FAILED;
		}
		enum slip__taken taken = found == SLIP__FOUND ? take(c, &place, frame) : SLIP__REFUSED;
		if (taken != SLIP__REFUSED)
			return taken;
	}
	return SLIP__REFUSED;
}

/* SLIP__NEWEST_NONE: nothing new. */
static enum slip__following try_next(struct slip__reading *c, struct slip__frame **frame)
{
	/* Counted by places looked at: a damaged ring of many slots costs no more time than one of few. */
	for (uint32_t looks = 0; looks < MAX_REFUSALS; looks += slip__reading_ring(c)->ring_length) {
		struct slip__place head;
		if (c->seat == NULL && slip__follow_attach(c) != 0)
			return SLIP__NEWEST_FAILED;
		enum slip__found found = slip__slot_latest(slip__reading_ring(c), &head);
		if (found == SLIP__BROKEN) {
			slip__follow_broken(c, &head);
			return SLIP__NEWEST_FAILED;
		}
		if (found == SLIP__FOUND && head.seq > c->last_seq) {
			/* Drain this ring, ended or not, before the next one. */
			enum slip__taken taken = take_in_order(c, &head, frame);
			if (taken != SLIP__REFUSED)
				return taken == SLIP__TAKEN ? SLIP__NEWEST_FOUND : SLIP__NEWEST_FAILED;
			continue;
		}
		/* Follows an ended ring; a frame may have come meanwhile. */
		enum slip__following news = slip__follow_newest(c, SLIP__ASK_NEWS, &head);
		if (news != SLIP__NEWEST_FOUND)
			return news;
	}
	slip__fail(EBADMSG, "head of %s/%s leads to a frame that is never there: its control was damaged", c->common.name.base,
		   c->common.name.channel);
	return SLIP__NEWEST_FAILED;
}

/* ---- waiting ---- */

static void watch_of(const struct slip__reading *c, struct slip__watch *watch)
{
	const struct slip__segment *s = slip__seat_segment(c->seat);
	*watch = (struct slip__watch){.ring = &s->ring, .state = &s->header->state, .after = c->last_seq, .silent = c->options.observer};
}

static int out_of_time(const struct slip__reading *c, int64_t timeout_ns)
{
	return slip__fail(ETIMEDOUT, "nothing new on %s/%s within %lld ns%s", c->common.name.base, c->common.name.channel,
			  (long long)timeout_ns, c->seat == NULL ? " (there is no such channel)" : "");
}

/* Whether a sleeper should give up because its writer is dead. Said once for each time that it is found. */
static bool should_give_up(struct slip__reading *c)
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

static struct pause begin_pause(const struct slip__reading *c, int64_t timeout_ns)
{
	int64_t now = slip__os_now();
	return (struct pause){.timeout_ns = timeout_ns,
			      .deadline = slip__wait_deadline(now, timeout_ns),
			      .spin_until = c->options.spin_ns > 0 ? slip__wait_deadline(now, c->options.spin_ns) : 0};
}

/* Sleeps until it is worth trying again. 0, or -1 with ETIMEDOUT, EINTR, EOWNERDEAD. */
static int pause_once(struct slip__reading *c, const struct pause *p)
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

static void in_order(struct slip__reader_channel *common)
{
	struct slip__reading *c = channel_of(common);
	if (c->in_order)
		return;
	c->in_order = true;
	if (c->seat != NULL)
		slip__seat_reads_in_order(c->seat);
}

static struct slip__frame *next(struct slip__reader_channel *common, int64_t timeout_ns)
{
	struct slip__reading *c = channel_of(common);
	struct slip__frame *frame = NULL;
	in_order(common);
	struct pause p = {0};
	bool paused = false;
	for (;;) {
		enum slip__following found = try_next(c, &frame);
		if (found == SLIP__NEWEST_FOUND)
			return frame;
		if (found == SLIP__NEWEST_FAILED && !worth_waiting())
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
	struct slip__reading *c = channel_of(common);
	struct pause p = begin_pause(c, timeout_ns);
	for (;;) {
		struct slip__place place;
		enum slip__following found = slip__follow_newest(c, any ? SLIP__ASK_ABOUT : SLIP__ASK_NEWS, &place);
		if (found == SLIP__NEWEST_FOUND)
			return 0;
		/* Waiting for a channel to exist goes on past a close. */
		if (found == SLIP__NEWEST_FAILED && !worth_waiting() && !(any && errno == EPIPE))
			return -1;
		if (timeout_ns == 0)
			return out_of_time(c, 0);
		if (pause_once(c, &p) != 0)
			return -1;
	}
}

static int watch(struct slip__reader_channel *common, struct slip__watch *out)
{
	struct slip__reading *c = channel_of(common);
	struct slip__place place;
	enum slip__following news = slip__follow_newest(c, SLIP__ASK_NEWS, &place);
	if (news == SLIP__NEWEST_FOUND)
		return 1;
	/* A head that leads nowhere would be ready all the time. */
	if (news == SLIP__NEWEST_FAILED || c->seat == NULL)
		return -1;
	watch_of(c, out);
	/* What has ended would be ready all the time. */
	return a32_load_acquire(out->state) == 0 ? 0 : -1; /* @STATE */
}

/* ---- the rest ---- */

static int exists(struct slip__reader_channel *common)
{
	struct slip__reading *c = channel_of(common);
	struct slip__place place;
	/* A ring that has frames which this handle has not had is not left for the next one. */
	if (c->seat != NULL && slip__slot_latest(slip__reading_ring(c), &place) == SLIP__FOUND && place.seq > c->last_seq)
		return 1;
	if (slip__follow_newest(c, SLIP__ASK_ABOUT, &place) != SLIP__NEWEST_FAILED)
		return 1;
	return worth_waiting() || errno == EPIPE ? 0 : -1;
}

static int alive(struct slip__reader_channel *common)
{
	struct slip__reading *c = channel_of(common);
	struct slip__place place;
	if (slip__follow_newest(c, SLIP__ASK_ABOUT, &place) == SLIP__NEWEST_FAILED && c->seat == NULL)
		return errno == EPIPE ? 0 : -1;
	return slip__follow_written(c);
}

static void stats(const struct slip__reader_channel *common, slip_reader_stats *out)
{
	const struct slip__reading *c = (const struct slip__reading *)(const void *)common;
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
	.in_order = in_order,
	.exists = exists,
	.alive = alive,
	.stats = stats,
};
