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

/* What sem_open makes, and maps: the file of a named semaphore is a sem_t. */
_Static_assert(sizeof(sem_t) == SLIP__SEMAPHORE_BYTES, "as the C libraries of 64-bit Linux have it");

int slip__os_semaphore_init(void *semaphore, uint32_t value)
{
	if (sem_init(semaphore, 1, value) != 0)
		return slip__fail(errno, "cannot make a semaphore: %s", strerror(errno));
	return 0;
}

int slip__os_semaphore_take(void *semaphore, int64_t deadline)
{
	if (deadline == 0)
		return sem_trywait(semaphore);
	if (deadline == INT64_MAX)
		return sem_wait(semaphore);
	struct timespec time = time_of(deadline);
	return sem_clockwait(semaphore, CLOCK_MONOTONIC, &time);
}

void slip__os_semaphore_give(void *semaphore)
{
	(void)sem_post(semaphore);
}

int slip__os_semaphore_value(void *semaphore)
{
	int value = 0;
	(void)sem_getvalue(semaphore, &value);
	return value;
}
