/*
 * reader.c - a reader's life: sessions, each a handle of some kind, with every way to get, hold, share and release. Each frame's bytes, description and
 * number are checked, what is held is checked again before it is released, and what a handle gets must follow on what it had.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reader.h"

#include "content.h"

#include <errno.h>
#include <string.h>

enum { SESSIONS_MOST = 24, OPERATIONS_MOST = 400, ABSENT_NS = NS_PER_MS / 4 };

static void witness(const struct life *life, uint64_t number)
{
	struct stream_board *board = stream_board_of(life);
	const uint32_t incarnation = content_incarnation(number);
	if (incarnation > atomic_load_explicit(&board->seen_incarnation, memory_order_relaxed)) {
		atomic_store_explicit(&board->seen_ns, now_ns(), memory_order_relaxed);
		atomic_store_explicit(&board->seen_incarnation, incarnation, memory_order_release);
	}
	atomic_fetch_add_explicit(&board->witnessed, 1, memory_order_relaxed);
}

/* Nobody else wrote a frame of this epoch and seq. */
static void check_author(const struct life *life, const slip_frame *f, uint64_t number)
{
	enum { BITS = 20, LOW = (1 << BITS) - 1 }; /* of seq and incarnation; the rest is the epoch's */
	const uint64_t epoch = f->epoch * UINT64_C(0x9e3779b97f4a7c15) >> 2 * BITS;
	const uint64_t key = epoch << 2 * BITS | (f->seq & LOW) << BITS;
	const uint64_t mine = key | (content_incarnation(number) & LOW);
	const uint64_t before = atomic_exchange_explicit(&stream_board_of(life)->seen[f->seq % SEEN], mine, memory_order_relaxed);
	if (before != 0 && before != mine && before >> BITS == key >> BITS)
		fail(life, FAILED_REPEATED, f->epoch, f->seq, "two writers, incarnations %u and %u, wrote a frame of this seq",
		     (unsigned)(before & LOW), content_incarnation(number));
}

bool verify_bytes(const struct life *life, int stream, const slip_frame *f, uint64_t *number)
{
	const bool semaphore = life->plan->streams[stream].semaphore;
	if (!content_read(f->data, f->size, number)) {
		fail(life, FAILED_TORN, f->epoch, f->seq, "%zu bytes of a frame are not of one number", f->size);
		return false;
	}
	const char *differs = content_differs(f, *number, semaphore);
	if (differs != NULL || content_stream(*number) != stream || (!semaphore && content_seq(*number) != f->seq)) {
		fail(life, FAILED_TORN, f->epoch, f->seq, "a frame's bytes are seq %llu of writer %u of stream %d; its %s differs",
		     (unsigned long long)content_seq(*number), content_incarnation(*number), content_stream(*number),
		     differs != NULL ? differs : "number");
		return false;
	}
	return true;
}

/* What a ring gives a handle: forward, and what is missed counted exactly. */
static void check_order(struct reading *r, const slip_frame *f, uint64_t number, bool in_order)
{
	const bool first = r->last == 0 && r->epoch == 0;
	const bool same_epoch = r->epoch == f->epoch;
	if (f->epoch == r->epoch_before && r->epoch_before != 0)
		fail(r->life, FAILED_REPEATED, f->epoch, f->seq, "a handle came back to an epoch that it had left");
	if (!first && same_epoch) {
		if (f->seq < r->last || (in_order && f->seq == r->last))
			fail(r->life, FAILED_REPEATED, f->epoch, f->seq, "a handle that had seq %llu got seq %llu%s",
			     (unsigned long long)r->last, (unsigned long long)f->seq, in_order ? " in order" : "");
		else if (f->seq > r->last && f->missed != f->seq - r->last - 1)
			fail(r->life, FAILED_LOST, f->epoch, f->seq, "after seq %llu it says that %llu were missed",
			     (unsigned long long)r->last, (unsigned long long)f->missed);
		else if (number < r->number)
			fail(r->life, FAILED_REPEATED, f->epoch, f->seq, "writer %u after writer %u", content_incarnation(number),
			     content_incarnation(r->number));
	} else if (!first && f->missed != f->seq - 1) {
		fail(r->life, FAILED_LOST, f->epoch, f->seq, "a handle that goes on in a new epoch says that %llu were missed",
		     (unsigned long long)f->missed);
	}
	if (!same_epoch) {
		r->epoch_before = r->epoch;
		r->epoch = f->epoch;
	}
	count(r->life, COUNT_MISSED, first || f->seq > r->last || !same_epoch ? f->missed : 0);
	r->last = f->seq;
}

/* What a semaphore channel gives: never an older frame. */
static void check_semaphore_order(struct reading *r, const slip_frame *f, uint64_t number)
{
	if (number < r->number)
		fail(r->life, FAILED_REPEATED, f->epoch, f->seq, "frame %llu of writer %u after frame %llu of writer %u",
		     (unsigned long long)content_seq(number), content_incarnation(number), (unsigned long long)content_seq(r->number),
		     content_incarnation(r->number));
	r->epoch = f->epoch;
	r->last = f->seq;
}

bool verify(struct reading *r, const slip_frame *f, bool in_order)
{
	struct life *life = r->life;
	uint64_t number;
	if (!verify_bytes(life, r->stream, f, &number))
		return false;
	if (life->plan->streams[r->stream].semaphore) {
		check_semaphore_order(r, f, number);
	} else {
		check_order(r, f, number, in_order);
		if (r->stream == life->stream)
			check_author(life, f, number);
	}
	r->number = number;
	count(life, COUNT_FRAMES, 1);
	count(life, COUNT_BYTES, f->size);
	count(life, COUNT_OBSERVED, r->observer);
	if (r->witness)
		witness(life, number);
	return true;
}

bool reading_open(struct reading *r, struct life *life, int stream, bool observer)
{
	uint64_t *random = &life->random;
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	memset(r, 0, sizeof(*r));
	r->life = life;
	r->stream = stream;
	r->channel = life->plan->streams[stream].channel;
	r->semaphore = life->plan->streams[stream].semaphore;
	r->observer = observer && !r->semaphore;
	options.observer = r->observer;
	options.outwait_dead_writer = r->outwaits = chance(random, 2);
	options.no_stamps = chance(random, 4);
	options.prefault = chance(random, 8) && !r->semaphore;
	options.spin_ns = chance(random, 4) ? (int64_t)below(random, 20000) : 0;
	options.lock_timeout_ns = r->semaphore && chance(random, 2) ? (int64_t)below(random, 20 * NS_PER_MS) : 0;
	options.mode = !r->semaphore && chance(random, 2) ? SLIP_MODE_LOCK_FREE : SLIP_MODE_DEFAULT;
	if (r->semaphore)
		options.mode = SLIP_MODE_SEMAPHORE;
	r->reader = slip_reader_open(life->plan->base, &options);
	if (r->reader == NULL)
		fail_call(life, "slip_reader_open");
	return r->reader != NULL;
}

bool may_not_come(const struct reading *r, const char *call)
{
	switch (errno) {
	case ETIMEDOUT: return true;
	case EINTR: count(r->life, COUNT_INTERRUPTED, 1); return true;
	case EPIPE: count(r->life, COUNT_CLOSES_SEEN, 1); /* fall through */
	case ENOENT: pause_ns(ABSENT_NS); return true;
	case EOWNERDEAD:
		if (r->outwaits)
			break;
		count(r->life, COUNT_OWNER_DEAD, 1);
		return true;
	case EUSERS: /* the dead hold their places until the kernel has let go of them */
		if (r->semaphore || r->observer)
			break;
		return true;
	case EAGAIN:
		if (!r->semaphore)
			break;
		count(r->life, COUNT_CONTENDED, 1);
		return true;
	default: break;
	}
	fail_call(r->life, call);
	return false;
}

static int64_t choose_timeout(struct reading *r)
{
	const int64_t limits[] = {0, NS_PER_MS, 20 * NS_PER_MS, 200 * NS_PER_MS, 1500 * (int64_t)NS_PER_MS};
	return limits[below(&r->life->random, 5)];
}

/* ---- holding ---- */

static void release_now(struct reading *r, struct held *h, enum count how)
{
	uint64_t number;
	if (chance(&r->life->random, 2) || how == COUNT_AFTER_CLOSE) {
		if (!content_read(h->frame->data, h->frame->size, &number) || number != h->number)
			fail(r->life, FAILED_TORN, r->epoch, content_seq(h->number), "a frame changed while it was held");
		count(r->life, COUNT_HELD, 1);
	}
	if (slip_release(h->frame) != 0)
		fail_call(r->life, "slip_release");
	if (how != COUNT_HELD)
		count(r->life, how, 1);
	h->frame = NULL;
}

/* One that is held is given back, by this thread or the helper. */
static void release_one(struct reading *r)
{
	if (r->held_count == 0)
		return;
	const int at = (int)below(&r->life->random, (uint64_t)r->held_count);
	struct held h = r->held[at];
	r->held[at] = r->held[--r->held_count];
	if (r->helper == NULL || !chance(&r->life->random, 3) || !helper_release(r->helper, &h))
		release_now(r, &h, COUNT_HELD);
}

static void hold(struct reading *r, slip_frame *f)
{
	while (r->held_count == HELD_MOST)
		release_one(r);
	r->held[r->held_count++] = (struct held){.frame = f, .number = r->number};
}

static void use(struct reading *r, slip_frame *f, bool in_order)
{
	uint64_t *random = &r->life->random;
	if (!verify(r, f, in_order)) {
		(void)slip_release(f);
		return;
	}
	const uint64_t number = r->number;
	hold(r, f);
	/* The same lease again. */
	if (!r->semaphore && !r->observer && !in_order && chance(random, 8)) {
		slip_frame *again = slip_get_array(r->reader, r->channel);
		if (again == NULL) {
			if (errno != EMFILE)
				(void)may_not_come(r, "slip_get_array");
		} else if (verify(r, again, false)) {
			count(r->life, COUNT_SHARED, again == f && r->number == number);
			hold(r, again);
		} else {
			(void)slip_release(again);
		}
	}
	if (chance(random, 16))
		pause_ns((int64_t)below(random, 3 * NS_PER_MS));
	while (r->held_count > 0 && chance(random, r->witness ? 1 : 2))
		release_one(r);
}

/* ---- getting ---- */

static void got_or_not(struct reading *r, slip_frame *f, bool in_order, const char *call)
{
	if (f != NULL)
		use(r, f, in_order);
	else if (errno == EMFILE && r->held_count > 0)
		release_one(r);
	else if (errno == EMFILE && r->helper != NULL)
		pause_ns(ABSENT_NS); /* those on their way through the helper count too */
	else
		(void)may_not_come(r, call);
}

static void get_latest(struct reading *r)
{
	if (chance(&r->life->random, 3) || slip_wait(r->reader, r->channel, choose_timeout(r)) == 0)
		got_or_not(r, slip_get_array(r->reader, r->channel), false, "slip_get_array");
	else
		(void)may_not_come(r, "slip_wait");
}

static void get_next(struct reading *r)
{
	got_or_not(r, slip_next(r->reader, r->channel, choose_timeout(r)), true, "slip_next");
}

static void ask(struct reading *r)
{
	int64_t shape[SLIP_MAX_DIMS];
	slip_dtype dtype;
	slip_reader_stats s = {.struct_size = sizeof(s)};
	if (slip_get_shape(r->reader, r->channel, shape) < 0)
		(void)may_not_come(r, "slip_get_shape");
	if (slip_get_dtype(r->reader, r->channel, &dtype) != 0)
		(void)may_not_come(r, "slip_get_dtype");
	if (slip_writer_alive(r->reader, r->channel) < 0)
		(void)may_not_come(r, "slip_writer_alive");
	if (slip_wait_for_array(r->reader, r->channel, NS_PER_MS) != 0)
		(void)may_not_come(r, "slip_wait_for_array");
	if (slip_reader_get_stats(r->reader, r->channel, &s) != 0)
		fail_call(r->life, "slip_reader_get_stats");
	else if (!r->semaphore && s.epoch == r->epoch && s.last_seq != r->last)
		fail(r->life, FAILED_WRONG, r->epoch, r->last, "the reader's stats say seq %llu, not the last one got",
		     (unsigned long long)s.last_seq);
}

/* Waits on its own channel, another one of the same directory, and a waker that the helper wakes. */
static void get_any(struct reading *r, struct reading *other)
{
	slip_wait_item items[3];
	memset(items, 0, sizeof(items));
	items[0].reader = r->reader;
	items[0].channel = r->channel;
	items[1].reader = other->reader;
	items[1].channel = other->channel;
	items[2].waker = helper_waker(r->helper);
	const size_t n = items[2].waker != NULL ? 3 : 2;
	if (chance(&r->life->random, 4))
		helper_wake(r->helper);
	const int ready = slip_wait_any(items, n, choose_timeout(r));
	count(r->life, COUNT_WAITS_ANY, 1);
	if (ready < 0) {
		if (errno != ETIMEDOUT && errno != EINTR)
			fail_call(r->life, "slip_wait_any");
		count(r->life, COUNT_INTERRUPTED, errno == EINTR);
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct reading *one = i == 0 ? r : other;
		if (items[i].ready)
			got_or_not(one, slip_get_array(one->reader, one->channel), false, "slip_get_array");
	}
}

static void release_all(struct reading *r, enum count how)
{
	while (r->held_count > 0)
		release_now(r, &r->held[--r->held_count], how);
}

static void reading_close(struct reading *r)
{
	if (chance(&r->life->random, 2))
		release_all(r, COUNT_HELD);
	slip_reader_close(r->reader);
	release_all(r, COUNT_AFTER_CLOSE);
}

enum kind { IN_ORDER, LATEST, MIXED, OBSERVER, ANY, KINDS };

static bool storm_goes_on(const struct life *life)
{
	return phase_of(life) == PHASE_STORM && atomic_load_explicit(&life->board->failed, memory_order_relaxed) == 0;
}

/* Another stream that lies in the same directory; or the same. */
static int neighbour(struct life *life)
{
	const int other = (int)below(&life->random, (uint64_t)life->plan->stream_count);
	return life->plan->streams[other].narrow == stream_of(life)->narrow ? other : life->stream;
}

static void session(struct life *life, struct helper *helper)
{
	uint64_t *random = &life->random;
	struct reading r;
	struct reading other;
	enum kind kind = life->witness ? IN_ORDER : (enum kind)below(random, KINDS);
	if (!reading_open(&r, life, life->stream, kind == OBSERVER))
		return;
	if (kind == ANY && !reading_open(&other, life, neighbour(life), chance(random, 4)))
		return;
	r.witness = life->witness;
	r.helper = helper;
	other.helper = NULL;
	if (r.semaphore && kind != ANY)
		kind = LATEST;
	uint64_t operations = life->witness ? UINT64_MAX : 1 + below(random, OPERATIONS_MOST);
	for (; operations > 0 && storm_goes_on(life); operations--) {
		if (kind == ANY)
			get_any(&r, &other);
		else if (kind == IN_ORDER || (kind != LATEST && chance(random, 2)))
			get_next(&r);
		else
			get_latest(&r);
		if (chance(random, 32))
			ask(&r);
		if (helper != NULL && chance(random, 64))
			helper_read(helper);
		get_on(life);
	}
	if (kind == ANY)
		reading_close(&other);
	reading_close(&r);
	count(life, COUNT_SESSIONS, 1);
}

int reader_life(struct life *life)
{
	struct helper *helper = helper_start(life);
	uint64_t sessions = life->witness ? UINT64_MAX : 1 + below(&life->random, SESSIONS_MOST);
	for (; sessions > 0 && storm_goes_on(life); sessions--)
		session(life, helper);
	/* Some go without a word, their helper in the middle of something. */
	if (phase_of(life) == PHASE_STORM && chance(&life->random, 2))
		return 0;
	helper_end(helper);
	return atomic_load(&life->board->failed) != 0 ? 3 : 0;
}
