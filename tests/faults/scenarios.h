/*
 * scenarios.h - the calls of the library that are made to fail, each with what is set up before it. SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_FAULTS_SCENARIOS_H
#define SLIP_TESTS_FAULTS_SCENARIOS_H

#include "stage.h"

/* ---- the calls: 0, or -1 with errno ---- */

static int do_create(struct stage *t)
{
	slip_array a = words_array(WORDS);
	return writer_of(t) == NULL ? -1 : ASK(t, API_CREATE, slip_channel_create(t->writer, "a", &a));
}

static int do_set(struct stage *t)
{
	return writer_of(t) == NULL ? -1 : set(t, WORDS);
}

static int do_loan(struct stage *t)
{
	slip_array a = words_array(WORDS);
	slip_frame *loan = writer_of(t) == NULL ? NULL : ASK(t, API_LOAN, slip_loan(t->writer, "a", &a));
	if (loan == NULL)
		return -1;
	fill_words(loan->data, WORDS, CONTENT);
	return ASK(t, API_PUBLISH, slip_publish(loan));
}

static int do_publish(struct stage *t)
{
	slip_frame *loan = t->frame;
	t->frame = NULL;
	return loan == NULL ? 0 : ASK(t, API_PUBLISH, slip_publish(loan));
}

static int do_grow(struct stage *t)
{
	return set(t, MORE_WORDS);
}

static int do_close_writer(struct stage *t)
{
	t->asked = API_NONE;
	slip_writer_close(t->writer);
	t->writer = NULL;
	return 0;
}

static int do_close_reader(struct stage *t)
{
	t->asked = API_NONE;
	slip_reader_close(t->reader);
	t->reader = NULL;
	return 0;
}

static int do_release(struct stage *t)
{
	slip_frame *f = t->frame;
	t->frame = NULL;
	return f == NULL ? 0 : ASK(t, API_RELEASE, slip_release(f));
}

static int get(struct stage *t, slip_mode mode, bool observer)
{
	return reader_of(t, mode, observer) == NULL ? -1 : whole(ASK(t, API_GET, slip_get_array(t->reader, "a")));
}

static int do_get(struct stage *t)
{
	return get(t, t->mode, false);
}

static int do_get_either(struct stage *t)
{
	return get(t, SLIP_MODE_DEFAULT, false);
}

/* What it should end with: the lock is taken. */
static int do_get_locked(struct stage *t)
{
	int done = do_get(t);
	return done != 0 && errno == EAGAIN ? 0 : done;
}

static int do_set_locked(struct stage *t)
{
	int done = do_set(t);
	return done != 0 && errno == EAGAIN ? 0 : done;
}

static int do_observe(struct stage *t)
{
	return get(t, t->mode, true);
}

/* What it should end with: the writer has closed. */
static int do_get_none(struct stage *t)
{
	int done = do_get(t);
	return done != 0 && errno == EPIPE ? 0 : done;
}

static int do_next(struct stage *t)
{
	return whole(ASK(t, API_NEXT, slip_next(t->reader, "a", 0)));
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Nothing comes: being out of time is what it should end with, and not before. */
static int in_vain(int done, int64_t since)
{
	if (done == 0 || errno != ETIMEDOUT)
		return done;
	bool whole_time = now() - since >= WAIT_NS;
	errno = ECANCELED; /* in nobody's list */
	return whole_time ? 0 : -1;
}

static int do_wait(struct stage *t)
{
	int64_t since = now();
	return in_vain(ASK(t, API_WAIT, slip_wait(t->reader, "a", WAIT_NS)), since);
}

static int do_wait_absent(struct stage *t)
{
	int64_t since = now();
	if (reader_of(t, t->mode, false) == NULL)
		return -1;
	return in_vain(ASK(t, API_WAIT, slip_wait_for_array(t->reader, "a", WAIT_NS)), since);
}

static int do_wait_any(struct stage *t)
{
	slip_wait_item items[] = {{.reader = t->reader, .channel = "a"}, {.reader = t->reader, .channel = "b"}};
	int64_t since = now();
	return in_vain(ASK(t, API_WAIT_ANY, slip_wait_any(items, 2, WAIT_NS)), since);
}

static int do_wake(struct stage *t)
{
	if (t->waker == NULL)
		t->waker = ASK(t, API_OPEN, slip_waker_open());
	if (t->waker == NULL)
		return -1;
	slip_wait_item item = {.waker = t->waker};
	slip_waker_wake(t->waker);
	return ASK(t, API_WAIT_ANY, slip_wait_any(&item, 1, 0)) == 1 ? 0 : -1;
}

static int do_readers(struct stage *t)
{
	return ASK(t, API_READERS, slip_readers_attached(t->writer, "a")) >= 1 ? 0 : -1;
}

static int do_alive(struct stage *t)
{
	return ASK(t, API_ALIVE, slip_writer_alive(t->reader, "a")) >= 0 ? 0 : -1;
}

static int do_list(struct stage *t)
{
	slip_channel_name *names;
	size_t count;
	if (ASK(t, API_LIST, slip_list_channels(BASE, &names, &count)) != 0)
		return -1;
	free(names);
	return 0;
}

static int do_inspect(struct stage *t)
{
	slip_channel_info *info = ASK(t, API_INSPECT, slip_channel_inspect(BASE, "a", t->mode));
	slip_channel_info_free(info);
	return info != NULL ? 0 : -1;
}

static int do_gc(struct stage *t)
{
	slip_leftover *leftovers;
	size_t count;
	if (ASK(t, API_GC_LIST, slip_gc_list(BASE, &leftovers, &count)) != 0)
		return -1;
	int done = 0;
	int err = 0;
	for (size_t i = 0; i < count; i++)
		if (ASK(t, API_GC_REMOVE, slip_gc_remove(&leftovers[i])) != 0) {
			done = -1;
			err = errno;
		}
	free(leftovers);
	errno = err;
	return done;
}

struct scenario {
	const char *what;
	slip_mode mode;
	void (*set_up)(struct stage *t);
	int (*call)(struct stage *t);
	bool extras;
	bool alone; /* no other reader, which would be in the way */
	int also;   /* an errno that is right here, though not in documented.h */
};

static const struct scenario SCENARIOS[] = {
	{.what = "create a channel", SLIP_MODE_LOCK_FREE, nothing, do_create},
	{.what = "create one prefaulted, locked, of huge pages", SLIP_MODE_LOCK_FREE, nothing, do_create, .extras = true},
	{.what = "open, loan and publish", SLIP_MODE_LOCK_FREE, nothing, do_loan},
	{.what = "set", SLIP_MODE_LOCK_FREE, channel, do_set},
	{.what = "set, a reader asleep", SLIP_MODE_LOCK_FREE, asleep, do_set},
	{.what = "set, every slot held by the dead", SLIP_MODE_LOCK_FREE, held_by_the_dead, do_set, .alone = true, .also = EAGAIN},
	{.what = "grow", SLIP_MODE_LOCK_FREE, attached, do_grow},
	{.what = "publish a loan of the ring before", SLIP_MODE_LOCK_FREE, lent, do_publish},
	{.what = "take over", SLIP_MODE_LOCK_FREE, orphaned, do_set},
	{.what = "take over with other options", SLIP_MODE_LOCK_FREE, orphaned_of_other_size, do_set},
	{.what = "count readers", SLIP_MODE_LOCK_FREE, attached, do_readers},
	{.what = "close a writer", SLIP_MODE_LOCK_FREE, channel, do_close_writer},
	{.what = "open a reader and get", SLIP_MODE_LOCK_FREE, channel, do_get},
	{.what = "open one that prefaults and get", SLIP_MODE_LOCK_FREE, channel, do_get, .extras = true},
	{.what = "open one without a mode and get", SLIP_MODE_LOCK_FREE, channel, do_get_either},
	{.what = "get from the next ring", SLIP_MODE_LOCK_FREE, replaced, do_get},
	{.what = "next from the next ring", SLIP_MODE_LOCK_FREE, replaced, do_next},
	{.what = "get after a close", SLIP_MODE_LOCK_FREE, closed, do_get_none},
	{.what = "observe", SLIP_MODE_LOCK_FREE, channel, do_observe},
	{.what = "wait", SLIP_MODE_LOCK_FREE, attached, do_wait},
	{.what = "wait for a channel that is not there", SLIP_MODE_LOCK_FREE, nothing, do_wait_absent},
	{.what = "wait on two channels", SLIP_MODE_LOCK_FREE, two_channels, do_wait_any},
	{.what = "wake a waker", SLIP_MODE_LOCK_FREE, nothing, do_wake},
	{.what = "ask whether the writer lives", SLIP_MODE_LOCK_FREE, attached, do_alive},
	{.what = "close a reader", SLIP_MODE_LOCK_FREE, attached, do_close_reader},
	{.what = "release the last lease of a closed reader", SLIP_MODE_LOCK_FREE, holding, do_release},
	{.what = "list channels", SLIP_MODE_LOCK_FREE, channel, do_list},
	{.what = "inspect", SLIP_MODE_LOCK_FREE, attached, do_inspect},
	{.what = "list leftovers and remove them", SLIP_MODE_LOCK_FREE, orphaned, do_gc, .alone = true},
	{.what = "semaphore mode: first set", SLIP_MODE_SEMAPHORE, nothing, do_set},
	{.what = "semaphore mode: first set, prefaulted, locked, of huge pages", SLIP_MODE_SEMAPHORE, nothing, do_set, .extras = true},
	{.what = "semaphore mode: set", SLIP_MODE_SEMAPHORE, channel, do_set},
	{.what = "semaphore mode: take over", SLIP_MODE_SEMAPHORE, orphaned, do_set},
	{.what = "semaphore mode: close a writer", SLIP_MODE_SEMAPHORE, channel, do_close_writer},
	{.what = "semaphore mode: open a reader and get", SLIP_MODE_SEMAPHORE, channel, do_get},
	{.what = "semaphore mode: open one without a mode and get", SLIP_MODE_SEMAPHORE, channel, do_get_either},
	{.what = "semaphore mode: get", SLIP_MODE_SEMAPHORE, attached, do_get},
	{.what = "semaphore mode: set while the lock is taken", SLIP_MODE_SEMAPHORE, locked, do_set_locked, .alone = true, .also = EINTR},
	{.what = "semaphore mode: get while the lock is taken", SLIP_MODE_SEMAPHORE, locked, do_get_locked, .alone = true, .also = EINTR},
	{.what = "semaphore mode: get from the next writer", SLIP_MODE_SEMAPHORE, replaced, do_get, .also = EPIPE},
	{.what = "semaphore mode: wait", SLIP_MODE_SEMAPHORE, attached, do_wait},
	{.what = "semaphore mode: close a reader", SLIP_MODE_SEMAPHORE, attached, do_close_reader},
	{.what = "semaphore mode: list channels", SLIP_MODE_SEMAPHORE, channel, do_list},
	{.what = "semaphore mode: inspect", SLIP_MODE_SEMAPHORE, attached, do_inspect},
	{.what = "semaphore mode: list leftovers and remove them", SLIP_MODE_SEMAPHORE, orphaned, do_gc, .alone = true},
};

enum { SCENARIO_COUNT = sizeof(SCENARIOS) / sizeof(SCENARIOS[0]) };

#endif
