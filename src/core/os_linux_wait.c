/*
 * os_linux_wait.c - os.h on Linux: clocks, futexes, semaphores.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "error.h"
#include "os.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

/* ---- time ---- */

static int64_t read_clock(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

int64_t slip__os_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t slip__os_now_coarse(void)
{
	return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t slip__os_realtime(void)
{
	return read_clock(CLOCK_REALTIME);
}

static struct timespec time_of(int64_t ns)
{
	struct timespec time = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
	return time;
}

int slip__os_sleep(int64_t ns)
{
	struct timespec time = time_of(ns);
	return nanosleep(&time, NULL);
}

/* ---- futex ---- */

/* What a futex call's failure means: a changed word and a spurious end count as woken. */
static int futex_result(long result)
{
	if (result >= 0 || errno == EAGAIN)
		return 0;
	return slip__fail_silently(errno);
}

int slip__os_futex_wait(slip__a32 *word, uint32_t expected, int64_t deadline)
{
	struct timespec time = time_of(deadline);
	/* The bitset form, because its time limit is absolute. Not FUTEX_PRIVATE: other processes wake us. */
	return futex_result(
		syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, deadline == INT64_MAX ? NULL : &time, NULL, FUTEX_BITSET_MATCH_ANY));
}

void slip__os_futex_wake_all(slip__a32 *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

int slip__os_futex_wait_many(const struct slip__futex *futexes, size_t count, int64_t deadline)
{
#ifdef SYS_futex_waitv
	struct futex_waitv waiters[SLIP__FUTEX_MANY];
	if (count > SLIP__FUTEX_MANY)
		return slip__fail_silently(EINVAL);
	for (size_t i = 0; i < count; i++)
		waiters[i] = (struct futex_waitv){.val = futexes[i].expected, .uaddr = (uintptr_t)futexes[i].word, .flags = FUTEX_32};
	struct timespec time = time_of(deadline);
	return futex_result(syscall(SYS_futex_waitv, waiters, (unsigned)count, 0U, deadline == INT64_MAX ? NULL : &time, CLOCK_MONOTONIC));
#else
	(void)futexes;
	(void)count;
	(void)deadline;
	return slip__fail_silently(ENOSYS);
#endif
}

/* ---- semaphores ---- */

/*
 * What sem_open makes, and maps: the file of a named semaphore is a sem_t. Of it the C library of 64-bit Linux (glibc since 2.21) uses one word, the value in its
 * lower half and the number of sleepers in the upper one; sleepers sleep on the value. Behind it stand flags for the futex calls, which its own
 * functions take from there: in memory that others may write to they make any futex call of these, abort, or sleep for ever. So the word is changed here
 * as those functions change it, and nothing else is believed.
 */
_Static_assert(sizeof(sem_t) == SLIP__SEMAPHORE_BYTES, "as the C libraries of 64-bit Linux have it");

#define SLEEPER (UINT64_C(1) << 32)

/* The half that sleepers sleep on. */
static slip__a32 *value_of(void *semaphore)
{
	slip__a32 *halves = semaphore;
	return &halves[__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__];
}

/* Takes one, and as many sleepers with it. */
static bool try_semaphore(slip__a64 *word, uint64_t sleepers)
{
	for (uint64_t seen = a64_load_relaxed(word); (uint32_t)seen != 0; seen = a64_load_relaxed(word))
		if (a64_cas_acquire(word, seen, seen - 1 - sleepers)) /* @SEMAPHORE */
			return true;
	return false;
}

int slip__os_semaphore_init(void *semaphore, uint32_t value)
{
	/* The C library's, for others who use it: it knows the flags. */
	if (sem_init(semaphore, 1, value) != 0)
		return slip__fail(errno, "cannot make a semaphore: %s", strerror(errno));
	return 0;
}

int slip__os_semaphore_take(void *semaphore, int64_t deadline)
{
	slip__a64 *word = semaphore;
	if (try_semaphore(word, 0))
		return 0;
	if (deadline == 0)
		return slip__fail_silently(EAGAIN);
	(void)a64_add_relaxed(word, SLEEPER);
	for (;;) {
		if (try_semaphore(word, SLEEPER))
			return 0;
		int err = slip__os_futex_wait(value_of(semaphore), 0, deadline) == 0 ? 0 : errno;
		/* Also where it is woken all the time and has nothing to take. */
		if (err == 0 && deadline != INT64_MAX && slip__os_now() >= deadline)
			err = ETIMEDOUT;
		if (err == 0)
			continue;
		(void)a64_add_relaxed(word, -SLEEPER);
		return slip__fail_silently(err);
	}
}

void slip__os_semaphore_give(void *semaphore)
{
	uint64_t before = a64_add_release(semaphore, 1); /* @SEMAPHORE: what was done under it */
	if (before >> 32 != 0)
		(void)syscall(SYS_futex, value_of(semaphore), FUTEX_WAKE, 1, NULL, NULL, 0);
}

int slip__os_semaphore_value(const void *semaphore)
{
	uint32_t value = (uint32_t)a64_load_relaxed(semaphore);
	return value < INT32_MAX ? (int)value : INT32_MAX;
}
