#include "os.h"
#include "support.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

/* A semaphore as a hostile peer may have left it; what the C library does with these bytes is shown in the last test. */
static union {
	sem_t posix;
	uint32_t words[SLIP__SEMAPHORE_BYTES / 4];
} memory;

static void make(uint32_t value)
{
	memset(&memory, 0, sizeof(memory));
	cr_assert_eq(slip__os_semaphore_init(&memory, value), 0);
}

static int take_within_ms(int ms)
{
	return slip__os_semaphore_take(&memory, ms > 0 ? slip__os_now() + ms * INT64_C(1000000) : 0);
}

/* As glibc counts them too. */
static bool somebody_sleeps(void)
{
	return a32_load_relaxed((slip__a32 *)&memory.words[1]) != 0;
}

static void *give_once_somebody_sleeps(void *unused)
{
	while (!somebody_sleeps())
		pause_ms(1);
	slip__os_semaphore_give(&memory);
	return unused;
}

static void *post_once_somebody_sleeps(void *unused)
{
	while (!somebody_sleeps())
		pause_ms(1);
	(void)sem_post(&memory.posix);
	return unused;
}

static void expect_woken_by(void *(*waker)(void *))
{
	pthread_t thread;
	make(0);
	cr_assert_eq(pthread_create(&thread, NULL, waker, NULL), 0);
	cr_assert_eq(slip__os_semaphore_take(&memory, INT64_MAX), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(memory.words[0], 0);
	cr_assert_eq(memory.words[1], 0, "nobody sleeps any more");
}

Test(os_linux_wait, a_semaphore_is_taken_as_often_as_it_was_given)
{
	make(1);
	cr_assert_eq(take_within_ms(0), 0);
	cr_assert_eq(take_within_ms(0), -1);
	cr_assert_eq(errno, EAGAIN);
	cr_assert_eq(take_within_ms(2), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	slip__os_semaphore_give(&memory);
	slip__os_semaphore_give(&memory);
	cr_assert_eq(slip__os_semaphore_value(&memory), 2);
	cr_assert_eq(take_within_ms(2), 0);
	cr_assert_eq(take_within_ms(0), 0);
	cr_assert_eq(slip__os_semaphore_value(&memory), 0);
}

Test(os_linux_wait, a_semaphore_is_one_of_the_C_librarys)
{
	make(1);
	cr_assert_eq(sem_trywait(&memory.posix), 0);
	cr_assert_eq(take_within_ms(0), -1);
	cr_assert_eq(sem_post(&memory.posix), 0);
	cr_assert_eq(take_within_ms(0), 0);
	cr_assert_eq(sem_trywait(&memory.posix), -1);
	slip__os_semaphore_give(&memory);
	int value;
	cr_assert(sem_getvalue(&memory.posix, &value) == 0 && value == 1);
	expect_woken_by(give_once_somebody_sleeps);
	expect_woken_by(post_once_somebody_sleeps);
}

static void *wait_for_post(void *unused)
{
	(void)sem_wait(&memory.posix);
	return unused;
}

Test(os_linux_wait, giving_wakes_one_that_sleeps_in_the_C_library)
{
	pthread_t thread;
	make(0);
	cr_assert_eq(pthread_create(&thread, NULL, wait_for_post, NULL), 0);
	while (!somebody_sleeps())
		pause_ms(1);
	slip__os_semaphore_give(&memory);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

static void on_signal(int number)
{
	(void)number;
}

static void *interrupt(void *waiting)
{
	const pthread_t *thread = waiting;
	while (!somebody_sleeps())
		pause_ms(1);
	pause_ms(1);
	while (somebody_sleeps()) {
		(void)pthread_kill(*thread, SIGUSR1);
		pause_ms(1);
	}
	return NULL;
}

Test(os_linux_wait, a_signal_ends_a_wait_for_a_semaphore)
{
	struct sigaction action = {.sa_handler = on_signal};
	pthread_t thread;
	pthread_t self = pthread_self();
	make(0);
	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	cr_assert_eq(pthread_create(&thread, NULL, interrupt, &self), 0);
	cr_assert_eq(slip__os_semaphore_take(&memory, INT64_MAX), -1);
	cr_assert_eq(errno, EINTR);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

/* The third word has the flags that the C library puts into its futex calls: these make it abort, or sleep past its time limit. */
Test(os_linux_wait, no_bytes_of_a_semaphore_end_the_process_or_a_time_limit)
{
	static const uint32_t FLAGS[] = {0, 1, 2, 5, 6, 7, 13, 64, 128, 256, 1024, 2048, 0x7fffffff, UINT32_MAX};
	static const uint32_t SLEEPERS[] = {0, 1, UINT32_MAX};
	for (size_t i = 0; i < sizeof(FLAGS) / sizeof(FLAGS[0]); i++)
		for (size_t j = 0; j < sizeof(SLEEPERS) / sizeof(SLEEPERS[0]); j++) {
			make(0);
			memory.words[1] = SLEEPERS[j];
			memory.words[2] = FLAGS[i];
			cr_assert_eq(take_within_ms(1), -1);
			cr_assert_eq(errno, ETIMEDOUT);
			slip__os_semaphore_give(&memory);
			cr_assert_eq(take_within_ms(1), 0);
		}
	make(0);
	memory.words[0] = UINT32_MAX;
	cr_assert_eq(slip__os_semaphore_value(&memory), INT32_MAX, "more than one, not fewer than none");
	cr_assert_eq(take_within_ms(0), 0);
	slip__os_semaphore_give(&memory);
	slip__os_semaphore_give(&memory);
	cr_assert_eq(memory.words[2], 128, "what sem_init puts there stays");
}

Test(os_linux_wait, a_semaphore_of_a_value_that_it_cannot_have_is_refused)
{
	sem_t semaphore;
	cr_assert_eq(slip__os_semaphore_init(&semaphore, UINT32_MAX), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_not_null(strstr(slip_error_detail(), "cannot make a semaphore"));
}
