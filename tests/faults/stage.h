/*
 * stage.h - what a scenario's process has, and what is set up in it before the call. SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_FAULTS_STAGE_H
#define SLIP_TESTS_FAULTS_STAGE_H

#include "documented.h"
#include "lock.h"
#include "multi/processes.h"

#include <pthread.h>

enum { WORDS = 8, MORE_WORDS = 4096, SLOTS = 4, CONTENT = 7, WAIT_NS = 5000000 };

static const char BASE[] = "faults";

/* What a scenario's process has. */
struct stage {
	slip_mode mode;
	bool extras; /* options that make more system calls */
	uint32_t slots;
	slip_writer *writer;
	slip_reader *reader;
	slip_frame *frame; /* a lease or a loan */
	slip_waker *waker;
	pthread_t sleeper;
	bool sleeps;
	struct slip__lock lock;
	bool locks;
	enum api asked; /* the last call of the library */
};

/* Names the call that is about to be made. */
#define ASK(stage, api, call) ((stage)->asked = (api), (call))

static inline slip_array words_array(size_t words)
{
	static uint64_t data[MORE_WORDS];
	slip_array a = SLIP_ARRAY_INIT;
	a.data = data;
	a.dtype = SLIP_F64; /* any of eight bytes, in both modes */
	a.ndim = 1;
	a.shape[0] = (int64_t)words;
	fill_words(data, words, CONTENT);
	return a;
}

static inline slip_writer *writer_of(struct stage *t)
{
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.mode = t->mode;
	o.slots = t->mode == SLIP_MODE_LOCK_FREE ? t->slots : 0;
	o.leases_per_reader = t->mode == SLIP_MODE_LOCK_FREE ? SLOTS : 0;
	o.lock_timeout_ns = t->mode == SLIP_MODE_SEMAPHORE ? WAIT_NS : 0;
	o.huge_pages = o.prefault = o.lock_memory = t->extras;
	if (t->writer == NULL)
		t->writer = ASK(t, API_OPEN, slip_writer_open(BASE, &o));
	return t->writer;
}

static inline slip_reader *reader_of(struct stage *t, slip_mode mode, bool observer)
{
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.mode = mode;
	o.observer = observer;
	o.lock_timeout_ns = mode == SLIP_MODE_SEMAPHORE ? WAIT_NS : 0;
	o.prefault = t->extras;
	if (t->reader == NULL)
		t->reader = ASK(t, API_OPEN, slip_reader_open(BASE, &o));
	return t->reader;
}

static inline int set(struct stage *t, size_t words)
{
	slip_array a = words_array(words);
	return ASK(t, API_SET, slip_set_array(writer_of(t), "a", &a));
}

static inline int whole(slip_frame *f)
{
	if (f == NULL)
		return -1;
	CHECK(whole_words(f->data, f->size / 8) == CONTENT);
	return slip_release(f);
}

/* ---- what is set up ---- */

static void nothing(struct stage *t)
{
	(void)t;
}

static void channel(struct stage *t)
{
	CHECK(writer_of(t) != NULL && set(t, WORDS) == 0);
}

/* A reader that has had its frame: nothing new is there. */
static void attached(struct stage *t)
{
	channel(t);
	CHECK(reader_of(t, t->mode, false) != NULL && whole(slip_get_array(t->reader, "a")) == 0);
}

static void two_channels(struct stage *t)
{
	slip_array a = words_array(WORDS);
	attached(t);
	CHECK(slip_set_array(t->writer, "b", &a) == 0);
	CHECK(whole(slip_get_array(t->reader, "b")) == 0);
}

/* A reader whose ring has been replaced by a larger one; in semaphore mode by another writer's. */
static void replaced(struct stage *t)
{
	attached(t);
	if (t->mode == SLIP_MODE_SEMAPHORE) {
		slip_writer_close(t->writer);
		t->writer = NULL;
	}
	CHECK(writer_of(t) != NULL && set(t, MORE_WORDS) == 0);
}

static void closed(struct stage *t)
{
	attached(t);
	slip_writer_close(t->writer);
	t->writer = NULL;
}

/* A lease that has outlived its handle. */
static void holding(struct stage *t)
{
	channel(t);
	t->frame = slip_get_array(reader_of(t, t->mode, false), "a");
	CHECK(t->frame != NULL);
	slip_reader_close(t->reader);
	t->reader = NULL;
}

/* A loan that has outlived its ring. */
static void lent(struct stage *t)
{
	slip_array a = words_array(WORDS);
	channel(t);
	t->frame = slip_loan(t->writer, "a", &a);
	CHECK(t->frame != NULL);
	fill_words(t->frame->data, WORDS, CONTENT);
	CHECK(set(t, MORE_WORDS) == 0);
}

/* Ends a child that has done its part, as a crash would. */
#define CRASH(pid, part)                                                                                                                   \
	do {                                                                                                                               \
		(pid) = fork();                                                                                                            \
		CHECK((pid) >= 0);                                                                                                         \
		if ((pid) == 0) {                                                                                                          \
			part;                                                                                                              \
			(void)raise(SIGKILL);                                                                                              \
		}                                                                                                                          \
		CHECK(waitpid((pid), NULL, 0) == (pid));                                                                                   \
	} while (0)

/* A dead writer's channel. */
static void orphaned(struct stage *t)
{
	pid_t pid;
	CRASH(pid, channel(t));
}

/* The same, of as many slots as the next writer does not want. */
static void orphaned_of_other_size(struct stage *t)
{
	t->slots = SLOTS + 1;
	orphaned(t);
	t->slots = SLOTS;
}

static void hold_all(struct stage *t)
{
	*t = (struct stage){.mode = t->mode, .slots = t->slots};
	for (int i = 0; i < SLOTS; i++)
		CHECK(slip_next(reader_of(t, t->mode, false), "a", INT64_C(10000000000)) != NULL);
}

/* A channel with every slot held by a reader that is dead. */
static void held_by_the_dead(struct stage *t)
{
	pid_t pid;
	channel(t);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		hold_all(t);
		(void)raise(SIGKILL);
	}
	for (int i = 0; i < 10000 && slip_readers_attached(t->writer, "a") != 1; i++)
		pause_ms(1);
	for (int i = 0; i < SLOTS - 1; i++)
		CHECK(set(t, WORDS) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

static void *sleep_for_next(void *context)
{
	return slip_next(context, "a", INT64_C(20000000000));
}

static void asleep(struct stage *t)
{
	attached(t);
	slip_channel_name name;
	struct slip__segment g;
	CHECK(slip__name_make(BASE, "a", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_CONTROL, &g) == 0);
	CHECK(pthread_create(&t->sleeper, NULL, sleep_for_next, t->reader) == 0);
	t->sleeps = true;
	while ((a32_load_relaxed(g.ring.fw) & 1) == 0)
		pause_ms(1);
	slip__segment_close(&g);
}

/* Semaphore mode: somebody has the lock. */
static void locked(struct stage *t)
{
	slip_channel_name name;
	attached(t);
	CHECK(slip__name_make(BASE, "a", &name) == 0);
	name.mode = SLIP_MODE_SEMAPHORE;
	CHECK(slip__lock_open(&t->lock, &name) == 0 && slip__lock_take(&t->lock, 0) == 0);
	t->locks = true;
}

#endif
