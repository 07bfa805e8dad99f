/*
 * dying_writer.h - the ring in each state, and a writer in each of its calls: what the child does that is killed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_DYING_WRITER_H
#define SLIP_TESTS_DYING_WRITER_H

#include "death.h"

#include <pthread.h>

enum { SLOTS = 4, WORDS = 8, RETIRED_WORDS = 1024, GROWN_WORDS = 2048 };

#define SECOND INT64_C(1000000000)

enum state { EMPTY, ONE, FULL, ALL_BUT_ONE_LEASED, ALL_LEASED, LEASED_BY_THE_DEAD, RETIRED, SHARED, ASLEEP, STATES };

static const char *const STATE_NAMES[STATES] = {
	"empty",
	"one frame",
	"full",
	"all slots but one leased",
	"every slot leased",
	"every slot leased by one that is dead",
	"a generation retired, a lease in it",
	"a lease shared",
	"a reader asleep",
};

enum call {
	NONE,
	SET,
	LOAN_AND_PUBLISH,
	PUBLISH_ONE_OF_TWO,
	DISCARD,
	KEEP_AND_RELEASE,
	GROW,
	PUBLISH_AFTER_GROWTH,
	CLOSE,
	CLOSE_WITH_LOANS,
	CREATE,
	TAKE_OVER,
	TAKE_OVER_AND_GROW,
	READ,	 /* not a writer's; nor is the next */
	COLLECT, /* with a reader attached: nothing to be removed */
	CALLS
};

static const char *const CALL_NAMES[CALLS] = {
	"nothing",
	"set",
	"loan and publish",
	"publish, another loan out",
	"loan and discard",
	"publish_keep and release",
	"grow",
	"publish a loan of before the growth",
	"close",
	"close, a loan out and a frame kept",
	"create",
	"take over",
	"take over with other options",
	"read",
	"gc",
};

struct scene {
	enum state state;
	enum call first; /* what one was at that died before; NONE: nothing, it had set the ring up */
	enum call call;
	slip_reader *bystander; /* the parent's; reads in order from the first frame on */
	slip_frame *held[SLOTS + 1];
	int held_count;
	uint64_t last; /* seq that the bystander had last */
	uint64_t epoch;
	uint64_t origin; /* the epoch that the bystander came to; 0: none yet */
	pid_t dying;	 /* a reader */
	bool drained;	 /* the bystander has had everything: from now on it misses nothing */
	/* Another one, asleep in its wait while the writer dies. */
	pthread_t sleeper;
	slip_reader *sleepers;
	bool sleeps;
	slip__a64 awaited_seq; /* it ends with this frame */
	slip__a64 awaited_epoch;
};

static const char BASE[] = "death";

/* Finds everything set up, by one that has died. */
static inline bool comes_after(enum call call)
{
	return call >= TAKE_OVER;
}

static inline bool closes(enum call call)
{
	return call == CLOSE || call == CLOSE_WITH_LOANS;
}

static inline bool grows(enum call call)
{
	return call == GROW || call == TAKE_OVER_AND_GROW;
}

static inline bool publishes(enum call call)
{
	return call != NONE && call != DISCARD && call < READ && !closes(call);
}

static inline int frames_in(enum state state)
{
	return state == EMPTY ? 0 : state == ONE || state == ASLEEP ? 1 : 2 * SLOTS + 1;
}

/* Frames before a call that sets up; those with a loan out or a frame kept have more. */
static inline uint64_t frames_before(enum state state, enum call call)
{
	return (uint64_t)frames_in(state) + (state == RETIRED) + (call == PUBLISH_AFTER_GROWTH || call == CLOSE_WITH_LOANS);
}

/* ---- the child ---- */

static inline slip_writer *open_writer(uint32_t slots)
{
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.slots = slots;
	o.max_readers = 4;
	o.leases_per_reader = SLOTS + 1;
	o.max_loans = SLOTS;
	slip_writer *writer = slip_writer_open(BASE, &o);
	CHECK(writer != NULL);
	return writer;
}

static inline slip_array words_array(size_t words)
{
	slip_array a = SLIP_ARRAY_INIT;
	a.dtype = SLIP_U64;
	a.ndim = 1;
	a.shape[0] = (int64_t)words;
	return a;
}

static inline slip_frame *loan_numbered(slip_writer *writer, uint64_t number)
{
	slip_array a = words_array(WORDS);
	slip_frame *loan = slip_loan(writer, "a", &a);
	if (loan != NULL)
		fill_words(loan->data, WORDS, number);
	return loan;
}

/* Brings the ring into its state, the parent's bystander reading along. Marks twice. */
static inline slip_writer *set_up(enum state state)
{
	slip_writer *writer = open_writer(SLOTS);
	slip_array a = words_array(WORDS);
	CHECK(slip_channel_create(writer, "a", &a) == 0);
	traced_mark(); /* the bystander comes */
	for (int i = 0; i < frames_in(state); i++)
		CHECK(publish_numbered(writer, "a", WORDS) == 0);
	traced_mark(); /* and takes its leases */
	if (state == RETIRED)
		CHECK(publish_numbered(writer, "a", RETIRED_WORDS) == 0);
	return writer;
}

static inline void read_on(void)
{
	slip_reader *reader = slip_reader_open(BASE, NULL);
	slip_frame *f = slip_get_array(reader, "a");
	if (f != NULL)
		(void)slip_release(f);
	(void)slip_wait(reader, "a", 0);
	f = slip_next(reader, "a", 0);
	slip_reader_close(reader);
	if (f != NULL)
		(void)slip_release(f);
}

static inline void collect(void)
{
	slip_leftover *left = NULL;
	size_t count = 0;
	if (slip_gc_list(NULL, &left, &count) == 0)
		for (size_t i = 0; i < count; i++)
			(void)slip_gc_remove(&left[i]);
	free(left);
}

/* The frame that it publishes says its number. */
static inline int life(enum state state, enum call call)
{
	static uint64_t words[GROWN_WORDS];
	slip_writer *writer = NULL;
	slip_frame *loan = NULL;
	slip_array a = words_array(call == GROW ? GROWN_WORDS : WORDS);
	a.data = words;
	const uint64_t number = call == CREATE ? 1 : frames_before(state, call) + 1;
	fill_words(words, GROWN_WORDS, number);
	if (call != CREATE && !comes_after(call))
		writer = set_up(state);
	if (call == PUBLISH_ONE_OF_TWO) {
		loan = loan_numbered(writer, number);
		(void)loan_numbered(writer, 0);
	}
	if (call == PUBLISH_AFTER_GROWTH) {
		loan = loan_numbered(writer, number);
		CHECK(loan != NULL);
		CHECK(publish_numbered(writer, "a", GROWN_WORDS) == 0);
	}
	if (call == CLOSE_WITH_LOANS) {
		loan = loan_numbered(writer, number - 1);
		CHECK(loan != NULL && slip_publish_keep(loan) == 0);
		CHECK(loan_numbered(writer, 0) != NULL);
	}
	traced_mark();
	switch (call) {
	case GROW:
	case SET: (void)slip_set_array(writer, "a", &a); break;
	case LOAN_AND_PUBLISH:
		loan = loan_numbered(writer, number);
		if (loan != NULL)
			(void)slip_publish(loan);
		break;
	case PUBLISH_ONE_OF_TWO:
	case PUBLISH_AFTER_GROWTH: (void)slip_publish(loan); break;
	case DISCARD: (void)slip_discard(slip_loan(writer, "a", &a)); break;
	case KEEP_AND_RELEASE:
		loan = loan_numbered(writer, number);
		if (loan != NULL) {
			(void)slip_publish_keep(loan);
			(void)slip_release(loan);
		}
		break;
	case CLOSE:
	case CLOSE_WITH_LOANS: slip_writer_close(writer); break;
	case CREATE:
		writer = open_writer(SLOTS);
		(void)slip_set_array(writer, "a", &a);
		break;
	case TAKE_OVER: (void)publish_numbered(open_writer(SLOTS), "a", WORDS); break;
	case READ: read_on(); break;
	case COLLECT: collect(); break;
	case TAKE_OVER_AND_GROW: (void)publish_numbered(open_writer(SLOTS + 1), "a", WORDS); break;
	default: break;
	}
	traced_mark();
	return 0;
}

static inline int first_life(void *context)
{
	const struct scene *s = context;
	return life(s->state, s->first);
}

static inline int writers_life(void *context)
{
	const struct scene *s = context;
	return life(s->state, s->call);
}

/* A reader that has leased every slot when it is killed. */
static inline int dead_readers_life(void *context)
{
	(void)context;
	slip_reader *reader = slip_reader_open(BASE, NULL);
	CHECK(slip_next(reader, "a", 0) == NULL);
	traced_mark();
	for (int i = 0; i < SLOTS; i++)
		CHECK(slip_next(reader, "a", 0) != NULL);
	traced_mark();
	return 0;
}

#endif
