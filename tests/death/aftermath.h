/*
 * aftermath.h - who is there beside a dying writer (dying_writer.h), and what must hold afterwards: the next writer goes on, in the same epoch, with the next
 * number; who read along loses nothing; no slot is lost, nothing is left over. The cases are put together here.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_AFTERMATH_H
#define SLIP_TESTS_AFTERMATH_H

#include "dying_writer.h"

#include <sys/syscall.h>

/* ---- the parent: readers beside the dying writer ---- */

static inline slip_reader *open_reader(void)
{
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.outwait_dead_writer = 1;
	o.mode = SLIP_MODE_LOCK_FREE;
	slip_reader *reader = slip_reader_open(BASE, &o);
	CHECK(reader != NULL);
	return reader;
}

/* A frame in its place: after the last one of its epoch, or the first of the next. */
static inline void follow_up(const slip_frame *f, uint64_t *last, uint64_t *epoch)
{
	uint64_t expected = (*epoch == f->epoch ? *last : 0) + 1 + f->missed;
	death_count(&death_sum->repeated, f->seq < expected, "repeated");
	death_count(&death_sum->lost, f->seq > expected, "lost");
	*last = f->seq;
	*epoch = f->epoch;
}

static inline void *sleep_and_read(void *context)
{
	struct scene *s = context;
	uint64_t last = 0;
	uint64_t epoch = 0;
	for (;;) {
		slip_frame *f = slip_next(s->sleepers, "a", 20 * SECOND);
		if (f == NULL) {
			CHECK(errno == EPIPE); /* closed; another one comes */
			pause_ms(1);
			continue;
		}
		death_verify(f);
		if (epoch != 0)
			follow_up(f, &last, &epoch);
		last = f->seq;
		epoch = f->epoch;
		CHECK(slip_release(f) == 0);
		if (last == a64_load_relaxed(&s->awaited_seq) && epoch == a64_load_acquire(&s->awaited_epoch))
			return NULL;
	}
}

static inline void fall_asleep(struct scene *s)
{
	slip_channel_name name;
	struct slip__segment segment;
	s->sleepers = open_reader();
	s->sleeps = true;
	a64_store_relaxed(&s->awaited_epoch, 0);
	CHECK(pthread_create(&s->sleeper, NULL, sleep_and_read, s) == 0);
	CHECK(slip__name_make(BASE, "a", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_CONTROL, &segment) == 0);
	while ((a32_load_relaxed(segment.ring.fw) & 1) == 0) {
		struct timespec t = {.tv_nsec = 20000};
		(void)nanosleep(&t, NULL);
	}
	slip__segment_close(&segment);
}

/* Seconds that slipring's clock goes ahead here, instead of waiting for them. */
static time_t clock_ahead;

/* Stands in for the C library's. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *now)
{
	int done = (int)syscall(SYS_clock_gettime, id, now);
	now->tv_sec += clock_ahead;
	return done;
}

/* The bystander's next frame, whole and in its place; NULL where there is nothing new. */
static inline slip_frame *next_of(struct scene *s, int64_t limit)
{
	slip_frame *f = slip_next(s->bystander, "a", limit);
	if (f == NULL) {
		CHECK(errno == ETIMEDOUT || errno == EPIPE || errno == ENOENT);
		return NULL;
	}
	death_verify(f);
	if (s->epoch != 0)
		follow_up(f, &s->last, &s->epoch);
	death_count(&death_sum->lost, s->drained && f->missed > 0, "missed");
	s->last = f->seq;
	s->epoch = f->epoch;
	return f;
}

static inline void come(struct scene *s)
{
	s->bystander = open_reader();
	s->held_count = 0;
	s->last = 0;
	s->epoch = 0;
	s->drained = false;
	s->sleeps = false;
	CHECK(slip_next(s->bystander, "a", 0) == NULL);
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	s->origin = slip_reader_get_stats(s->bystander, "a", &stats) == 0 ? stats.epoch : 0;
	if (s->state == LEASED_BY_THE_DEAD) {
		s->dying = traced_start(dead_readers_life, s);
		CHECK(traced_to_mark(s->dying));
	}
}

static inline void take_leases(struct scene *s)
{
	int frames = 0;
	switch (s->state) {
	case ALL_BUT_ONE_LEASED: frames = SLOTS - 1; break;
	case ALL_LEASED: frames = SLOTS; break;
	case RETIRED:
	case SHARED: frames = 1; break;
	case ASLEEP: fall_asleep(s); break;
	case LEASED_BY_THE_DEAD:
		CHECK(traced_to_mark(s->dying));
		traced_kill(s->dying);
		break;
	default: break;
	}
	/* The newest ones, so that the slot that is left is not head's. */
	for (slip_frame *f; frames > 0 && (f = next_of(s, 0)) != NULL;) {
		s->held[s->held_count++] = f;
		if (s->held_count > frames) {
			CHECK(slip_release(s->held[0]) == 0);
			memmove(&s->held[0], &s->held[1], (size_t)--s->held_count * sizeof(s->held[0]));
		}
	}
	CHECK(s->held_count == frames);
	if (s->state == SHARED) {
		slip_frame *again = slip_get_array(s->bystander, "a");
		CHECK(again != NULL && again->seq == s->held[0]->seq);
		s->held[s->held_count++] = again;
	}
}

static inline void prepare(void *context, int stage)
{
	if (stage <= 0)
		come(context);
	else
		take_leases(context);
}

/* ---- the parent: what is left ---- */

/* How many slots a writer can fill at once: all but head's. */
static inline int free_slots(slip_writer *writer)
{
	slip_frame *loans[SLOTS + 1];
	slip_array a = words_array(WORDS);
	int count = 0;
	while (count < SLOTS && (loans[count] = slip_loan(writer, "a", &a)) != NULL)
		count++;
	CHECK(count == SLOTS || errno == EAGAIN);
	for (int i = 0; i < count; i++)
		CHECK(slip_discard(loans[i]) == 0);
	return count;
}

static inline slip_writer *open_heir(slip_writer_stats *stats)
{
	slip_writer *heir = open_writer(SLOTS);
	slip_array a = words_array(WORDS);
	int tries = 0;
	while (slip_channel_create(heir, "a", &a) != 0) {
		CHECK(errno == EBUSY && ++tries < 5000); /* the kernel has yet to drop the dead one's lock */
		pause_ms(1);
	}
	CHECK(slip_writer_get_stats(heir, "a", stats) == 0);
	return heir;
}

static inline void end_leases(struct scene *s)
{
	for (int i = 0; i < s->held_count; i++) {
		death_verify(s->held[i]);
		CHECK(slip_release(s->held[i]) == 0);
	}
}

enum ending { NOT_THERE, THERE, ENDED };

static inline int judge(void *context)
{
	struct scene *s = context;
	end_leases(s);
	/* What the dead one left whole can be read before anybody takes over. */
	slip_frame *f;
	while ((f = next_of(s, 0)) != NULL)
		CHECK(slip_release(f) == 0);
	/* A reader that does not look while the ring grows twice goes straight to the last one, and says what it missed. */
	const bool regrows = grows(s->call) || s->first == TAKE_OVER_AND_GROW;
	s->drained = s->epoch != 0 && (s->state == RETIRED) + grows(s->first) + regrows < 2;
	const uint64_t seen = s->last;
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	slip_writer *heir = open_heir(&stats);
	/* None repeated: what the calls published, if they did, counts. None lost: no number is left out. */
	const bool made = s->first == CREATE || (s->first == NONE && s->call == CREATE);
	const uint64_t before = made ? 0 : frames_before(s->state, s->first != NONE ? s->first : s->call);
	const uint64_t most = before + publishes(s->first) + publishes(s->call);
	const bool ended = s->origin != 0 && stats.epoch != s->origin;
	if (ended) {
		/* A gc takes a dead writer's ring for left over when its readers have not come to it yet. */
		const bool collected = s->call == COLLECT && (s->state == RETIRED || grows(s->first) || s->first == PUBLISH_AFTER_GROWTH);
		death_count(&death_sum->lost, !closes(s->first) && !closes(s->call) && !collected, "an epoch that nobody closed");
		death_count(&death_sum->lost, stats.last_seq > publishes(s->call), "numbers left out of a new epoch");
	} else {
		death_count(&death_sum->repeated, stats.last_seq < before || stats.last_seq < seen, "numbers given twice");
		death_count(&death_sum->lost, stats.last_seq > most, "numbers left out");
	}
	/* The frame that it had finished is there, for one who comes only now, too. */
	slip_reader *newcomer = open_reader();
	f = slip_get_array(newcomer, "a");
	/* A ring that has just grown is empty until the first frame in it; those who read along have the last one of the old. */
	const bool grown_empty = (grows(s->first) || grows(s->call)) && stats.last_seq == before;
	/* The heir of one that had other options grows the ring too. */
	const bool regrown_empty = s->first == TAKE_OVER_AND_GROW || s->call == TAKE_OVER_AND_GROW;
	death_count(&death_sum->lost, (f != NULL) != (stats.last_seq > 0) && !grown_empty && !regrown_empty, "the newest frame is gone");
	const bool some = f != NULL;
	if (f != NULL) {
		death_verify(f);
		death_count(&death_sum->lost, f->seq != stats.last_seq, "another frame than the newest");
		CHECK(slip_release(f) == 0);
	}
	int claimed = free_slots(heir);
	/* The other reader may just hold the frame before the newest. */
	for (int tries = 0; s->sleeps && claimed < SLOTS - some && tries < 1000; tries++) {
		pause_ms(1);
		claimed = free_slots(heir);
	}
	add(&death_sum->claimed, (uint64_t)claimed);
	death_count(&death_sum->slots_lost, claimed != SLOTS - some, "slots that cannot be filled");
	CHECK(publish_numbered(heir, "a", WORDS) == 0);
	for (int tries = 0; s->last != stats.last_seq + 1 || s->epoch != stats.epoch; tries++) {
		/* A ring whose writer died between putting its successor in its place and saying so is left at the next look up: within a second. */
		CHECK(tries < 10);
		clock_ahead = tries * 2;
		f = next_of(s, 0);
		clock_ahead = 0;
		if (f != NULL)
			CHECK(slip_release(f) == 0);
	}
	f = slip_next(newcomer, "a", 0);
	CHECK(f != NULL);
	death_verify(f);
	death_count(&death_sum->lost, f->seq != stats.last_seq + 1, "a newcomer's next frame");
	CHECK(slip_release(f) == 0);
	if (s->sleeps) {
		/* Asleep or not, it comes to this frame. */
		a64_store_relaxed(&s->awaited_seq, stats.last_seq + 2);
		a64_store_release(&s->awaited_epoch, stats.epoch);
		CHECK(publish_numbered(heir, "a", WORDS) == 0);
		CHECK(pthread_join(s->sleeper, NULL) == 0);
		slip_reader_close(s->sleepers);
	}
	death_check_ring(BASE, "a", 2);
	slip_reader_close(newcomer);
	slip_reader_close(s->bystander);
	slip_writer_close(heir);
	death_check_directory();
	return ended ? ENDED : stats.last_seq > before ? THERE : NOT_THERE;
}

/* ---- the cases ---- */

static inline bool makes_sense(enum call call, enum state state)
{
	switch (call) {
	case CREATE: return state == EMPTY;
	case PUBLISH_ONE_OF_TWO:
	case CLOSE_WITH_LOANS: return state != ALL_LEASED && state != ALL_BUT_ONE_LEASED;
	case PUBLISH_AFTER_GROWTH: return state != ALL_LEASED;
	default: return true;
	}
}

enum { MOST_CASES = 256 };

static struct death_case cases[MOST_CASES];
static struct death_case firsts[MOST_CASES];
static struct death_case origins[MOST_CASES];
static struct scene scenes[MOST_CASES];
static char names[MOST_CASES][160];
static size_t case_count;

static inline int origins_life(void *context)
{
	return life(((const struct scene *)context)->state, NONE);
}

/* How a call is led up to; one that takes over finds everything set up. */
static inline struct death_case steps_to(enum call call, int (*body)(void *), struct scene *scene)
{
	return (struct death_case){.body = body,
				   .prepare = prepare,
				   .stages = call == CREATE || comes_after(call) ? 0 : 2,
				   .before = call == CREATE,
				   .context = scene};
}

static inline void add_case(enum state state, enum call first, enum call call)
{
	if (!makes_sense(call, state) || !makes_sense(first, state))
		return;
	CHECK(case_count < MOST_CASES);
	const size_t i = case_count++;
	scenes[i] = (struct scene){.state = state, .first = first, .call = call};
	if (comes_after(call) && first != NONE)
		(void)snprintf(names[i], sizeof(names[i]), "%s: %s; then %s", CALL_NAMES[first], STATE_NAMES[state], CALL_NAMES[call]);
	else
		(void)snprintf(names[i], sizeof(names[i]), "%s: %s", CALL_NAMES[call], STATE_NAMES[state]);
	cases[i] = steps_to(call, writers_life, &scenes[i]);
	cases[i].what = names[i];
	cases[i].judge = judge;
	/* What the C library copies and asks the kernel for there is slipring's doing too. */
	cases[i].everywhere = call == SET;
	cases[i].endings[NOT_THERE] = "without its frame";
	cases[i].endings[THERE] = "with it";
	cases[i].endings[ENDED] = "in a new epoch";
	if (!comes_after(call))
		return;
	firsts[i] = steps_to(first, first == NONE ? origins_life : first_life, &scenes[i]);
	cases[i].first = &firsts[i];
	if (comes_after(first)) {
		origins[i] = steps_to(NONE, origins_life, &scenes[i]);
		firsts[i].first = &origins[i];
	}
}

#endif
