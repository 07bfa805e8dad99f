#include "wait.h"

#include "os.h"
#include "private_ring.h"
#include "support.h"

#include <criterion/criterion.h>
#include <pthread.h>

PRIVATE_RING(2, 2);
static slip__a32 state;
static const struct slip__watch watch = {.ring = &ring, .state = &state, .after = 0};

static void *publish(void *unused)
{
	(void)unused;
	/* Only once somebody sleeps, so that the wake is what is tested. */
	while (!(a32_load_acquire(&fw) & 1))
		pause_ms(1);
	a64_store_relaxed(slip__pins(&ring, 0), SLIP__PIN_WRITING);
	if (slip__slot_publish(&ring, 0, 1, false, 1))
		slip__os_futex_wake_all(&fw);
	return NULL;
}

Test(wait, a_publish_wakes_a_sleeper)
{
	pthread_t thread;
	pthread_create(&thread, NULL, publish, NULL);
	cr_assert_eq(slip__wait(&watch, 1, 0, INT64_MAX, INT64_MAX), SLIP__WOKEN_READY);
	pthread_join(thread, NULL);
}

Test(wait, what_is_there_already_needs_no_sleep)
{
	a64_store_relaxed(slip__pins(&ring, 0), SLIP__PIN_WRITING);
	slip__slot_publish(&ring, 0, 1, false, 1);
	cr_assert_eq(slip__wait(&watch, 1, 0, INT64_MAX, INT64_MAX), SLIP__WOKEN_READY);
	cr_assert_eq(a32_load_relaxed(&fw) & 1, 0);
}

Test(wait, a_state_ends_it)
{
	a32_store_release(&state, 1);
	cr_assert_eq(slip__wait(&watch, 1, 0, INT64_MAX, INT64_MAX), SLIP__WOKEN_READY);
}

/* Linked with --wrap=slip__os_futex_wait: a peer that changes fw, or wakes, each time before anybody has slept. */
int __real_slip__os_futex_wait(slip__a32 *word, uint32_t expected, int64_t deadline);
int __wrap_slip__os_futex_wait(slip__a32 *word, uint32_t expected, int64_t deadline);
static bool disturbed;

int __wrap_slip__os_futex_wait(slip__a32 *word, uint32_t expected, int64_t deadline)
{
	return disturbed ? 0 : __real_slip__os_futex_wait(word, expected, deadline);
}

Test(wait, who_is_woken_all_the_time_still_looks_up)
{
	disturbed = true;
	int64_t now = slip__os_now();
	cr_assert_eq(slip__wait(&watch, 1, 0, now + 1000000, INT64_MAX), SLIP__WOKEN_LOOK);
	cr_assert_eq(slip__wait(&watch, 1, 0, INT64_MAX, now + 2000000), SLIP__WOKEN_FAILED);
	cr_assert_eq(errno, ETIMEDOUT);
	disturbed = false;
}

Test(wait, deadline_and_look_are_told_apart)
{
	int64_t now = slip__os_now();
	cr_assert_eq(slip__wait(&watch, 1, 0, now + 1000000, now + 1000000000), SLIP__WOKEN_LOOK);
	cr_assert_eq(slip__wait(&watch, 1, 0, now + 1000000000, slip__os_now() + 1000000), SLIP__WOKEN_FAILED);
	cr_assert_eq(errno, ETIMEDOUT);
	cr_assert_eq(slip__wait(NULL, 0, 0, slip__os_now() + 1000000, INT64_MAX), SLIP__WOKEN_LOOK);
}

Test(wait, several_words_at_once)
{
	pthread_t thread;
	static slip__a32 other_fw;
	static slip__a64 other_head;
	struct slip__ring quiet = ring;
	quiet.head = &other_head;
	quiet.fw = &other_fw;
	struct slip__watch watches[2] = {{.ring = &quiet, .state = &state}, watch};
	pthread_create(&thread, NULL, publish, NULL);
	cr_assert_eq(slip__wait(watches, 2, 0, INT64_MAX, INT64_MAX), SLIP__WOKEN_READY);
	pthread_join(thread, NULL);
}

Test(wait, an_observer_polls_and_marks_nothing)
{
	struct slip__watch silent = watch;
	silent.silent = true;
	cr_assert_eq(slip__wait(&silent, 1, 0, INT64_MAX, slip__os_now() + 3000000), SLIP__WOKEN_FAILED);
	cr_assert_eq(a32_load_relaxed(&fw), 0);
}

Test(wait, spinning_gives_up_in_time)
{
	int64_t now = slip__os_now();
	cr_assert_eq(slip__wait(&watch, 1, now + 2000000, INT64_MAX, now + 4000000), SLIP__WOKEN_FAILED);
	cr_assert_eq(slip__wait_deadline(now, -1), INT64_MAX);
	cr_assert_eq(slip__wait_deadline(now, INT64_MAX), INT64_MAX);
	cr_assert_eq(slip__wait_deadline(now, 5), now + 5);
}

static slip__a32 alarm_word;

static void *set_off(void *unused)
{
	(void)unused;
	while (!(a32_load_acquire(&fw) & 1))
		pause_ms(1); /* the channel beside it is slept on */
	slip__wait_alarm(&alarm_word);
	return NULL;
}

Test(wait, an_alarm_ends_a_sleep_on_channels)
{
	struct slip__watch both[2] = {watch, {.alarm = &alarm_word}};
	pthread_t thread;
	cr_assert_not(slip__wait_ready(&both[1]));
	pthread_create(&thread, NULL, set_off, NULL);
	cr_assert_eq(slip__wait(both, 2, 0, INT64_MAX, INT64_MAX), SLIP__WOKEN_READY);
	pthread_join(thread, NULL);
	cr_assert(slip__wait_ready(&both[1]));
	cr_assert_not(slip__wait_ready(&both[0]));
}

Test(wait, a_ring_whose_head_leads_nowhere_ends_the_wait)
{
	a64_store_relaxed(&head, UINT64_C(9) << 16 | ring.slot_count);
	cr_assert(slip__wait_ready(&watch));
}

Test(wait, more_rings_than_can_be_slept_on_are_looked_at_instead)
{
	enum { MANY = SLIP__FUTEX_MANY + 1 };
	struct slip__watch watches[MANY];
	for (size_t i = 0; i < MANY; i++)
		watches[i] = watch;
	int64_t soon = slip__os_now() + 1000000;
	cr_assert_eq(slip__wait(watches, MANY, 0, soon, soon), SLIP__WOKEN_FAILED);
	cr_assert_eq(errno, ETIMEDOUT);
	cr_assert_eq(a32_load_relaxed(&fw), 0, "nobody marked it as slept on");
}
