/*
 * Waiting step by step (steps.h): wait.c and slot.c as they are, over an operating system that this file is. Its clock goes only when it is looked at, its sleeps
 * are told instead of slept; so that what a wait does, and how often, is exact.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "steps.h"

#include "os.h"
#include "wait.h"

#include <errno.h>
#include <string.h>

/* ---- two rings and an alarm ---- */

enum { RINGS = SLIP__FUTEX_MANY + 1, SLOT_WORDS = 8, POLL_NS = 1000000 };

static slip__a64 heads[RINGS];
static slip__a64 places[RINGS][1];
static slip__a32 fws[RINGS];
static slip__a64 slots[RINGS][SLOT_WORDS];
static struct slip__ring rings[RINGS];
static slip__a32 state;
static slip__a32 alarm_word;

static void publish_on(int ring)
{
	a64_store_relaxed(slip__pins(&rings[ring], 0), SLIP__PIN_WRITING);
	if (slip__slot_publish(&rings[ring], 0, 1, false, 1))
		slip__os_futex_wake_all(rings[ring].fw);
}

/* ---- the operating system ---- */

static int64_t clock_ns;
static int64_t tick_ns; /* what a look at the clock takes */
static int looks;
static int happens_at_look;	     /* then this happens, before the clock is read; 0: never */
static void (*happens_asleep)(void); /* NULL: nobody wakes, so that time runs out */
static int fails_with;		     /* what a sleep ends with, whatever happens meanwhile; 0: it is woken */
static int sleeps;		     /* of a time */
static int64_t slept_ns;
static int waits; /* on one word, on many */
static int waits_on_many;
static struct slip__futex words[RINGS]; /* the last ones */
static size_t word_count;
static int wakes;
static uint32_t seen_by_woken; /* the alarm, when its sleepers were woken */

int64_t slip__os_now(void)
{
	if (++looks == happens_at_look)
		happens();
	int64_t now = clock_ns;
	clock_ns += tick_ns;
	return now;
}

int slip__fail_silently(int err)
{
	errno = err;
	return -1;
}

int slip__os_sleep(int64_t ns)
{
	sleeps++;
	slept_ns += ns;
	clock_ns += ns;
	return 0;
}

void slip__os_futex_wake_all(slip__a32 *word)
{
	wakes++;
	seen_by_woken = a32_load_relaxed(word);
}

/* As the kernel: not at all if a word is not as expected; then until a wake, which must come, or the deadline. */
static int sleep_on_words(const struct slip__futex *futexes, size_t count, int64_t deadline)
{
	counted = false;
	memcpy(words, futexes, count * sizeof(futexes[0]));
	word_count = count;
	int result = 0;
	int woken = wakes;
	bool changed = false;
	for (size_t i = 0; i < count; i++)
		changed = changed || a32_load_relaxed(futexes[i].word) != futexes[i].expected;
	if (!changed && happens_asleep != NULL)
		happens_asleep();
	if (!changed && wakes == woken && fails_with == 0) {
		HOLDS(deadline < INT64_MAX); /* otherwise it sleeps for ever */
		clock_ns = deadline;
		result = slip__fail_silently(ETIMEDOUT);
	}
	counted = true;
	return fails_with != 0 ? slip__fail_silently(fails_with) : result;
}

int slip__os_futex_wait(slip__a32 *word, uint32_t expected, int64_t deadline)
{
	const struct slip__futex futex = {.word = word, .expected = expected};
	waits++;
	return sleep_on_words(&futex, 1, deadline);
}

int slip__os_futex_wait_many(const struct slip__futex *futexes, size_t count, int64_t deadline)
{
	waits_on_many++;
	return sleep_on_words(futexes, count, deadline);
}

static void nothing(void)
{
}

static struct slip__watch watches[RINGS];

static void reset(void)
{
	memset(slots, 0, sizeof(slots));
	memset(watches, 0, sizeof(watches));
	for (int i = 0; i < RINGS; i++) {
		a64_store_relaxed(&heads[i], 0);
		a32_store_relaxed(&fws[i], 0);
		rings[i] = (struct slip__ring){.head = &heads[i],
					       .ring = places[i],
					       .fw = &fws[i],
					       .slots = (char *)slots[i],
					       .slot_bytes = sizeof(slots[i]),
					       .slot_count = 1,
					       .ring_length = 1};
		watches[i] = (struct slip__watch){.ring = &rings[i], .state = &state};
	}
	a32_store_relaxed(&state, 0);
	a32_store_relaxed(&alarm_word, 0);
	memset(words, 0, sizeof(words));
	clock_ns = 1000;
	tick_ns = 0;
	looks = happens_at_look = fails_with = sleeps = waits = waits_on_many = wakes = 0;
	slept_ns = 0;
	happens_asleep = NULL;
	happens = nothing;
	when = -1;
	errno = ENOENT; /* of something long ago */
}

static void publish_first(void)
{
	publish_on(0);
}

static void publish_second(void)
{
	publish_on(1);
}

static void set_off(void)
{
	slip__wait_alarm(&alarm_word);
}

static bool slept_on(size_t i, const slip__a32 *word, uint32_t expected)
{
	return i < word_count && words[i].word == word && words[i].expected == expected;
}

/* ---- a wake is never lost ---- */

static void (*comes)(void);
static bool has_come;
static bool came_last; /* only when everybody slept */

static void come(void)
{
	has_come = true;
	comes();
}

static void come_last(void)
{
	HOLDS(!has_come); /* it sleeps on what has come */
	came_last = true;
	come();
}

static void whatever_comes_at_any_step_ends_the_wait(void)
{
	static void (*const COMING[])(void) = {publish_first, publish_second, set_off};
	for (size_t what = 0; what < sizeof(COMING) / sizeof(COMING[0]); what++) {
		came_last = false;
		for (int at = 0; !came_last; at++) {
			reset();
			watches[2] = (struct slip__watch){.alarm = &alarm_word};
			comes = COMING[what];
			has_come = false;
			happens = come;
			happens_asleep = come_last;
			when = at;
			begin();
			HOLDS(slip__wait(watches, 3, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
			HOLDS(waits == 0 && sleeps == 0 && (!came_last || waits_on_many == 1));
		}
		HOLDS(slept_on(0, &fws[0], 1) && slept_on(1, &fws[1], 1) && slept_on(2, &alarm_word, 0) && word_count == 3);
	}
}

static void an_alarm_is_set_before_its_sleepers_are_woken(void)
{
	reset();
	set_off();
	HOLDS(wakes == 1 && seen_by_woken != 0);
}

/* ---- what is slept on, and how long ---- */

static void one_word_is_slept_on_alone(void)
{
	reset();
	happens_asleep = publish_first;
	begin();
	HOLDS(slip__wait(watches, 1, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
	HOLDS(waits == 1 && waits_on_many == 0 && sleeps == 0 && slept_on(0, &fws[0], 1));
	reset();
	watches[0] = (struct slip__watch){.alarm = &alarm_word};
	happens_asleep = set_off;
	begin();
	HOLDS(slip__wait(watches, 1, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
	HOLDS(waits == 1 && waits_on_many == 0 && sleeps == 0 && slept_on(0, &alarm_word, 0));
}

static void an_alarm_does_not_keep_the_rings_behind_it_from_being_slept_on(void)
{
	reset();
	watches[0] = (struct slip__watch){.alarm = &alarm_word};
	happens_asleep = publish_second;
	begin();
	HOLDS(slip__wait(watches, 2, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
	HOLDS(waits_on_many == 1 && word_count == 2 && slept_on(0, &alarm_word, 0) && slept_on(1, &fws[1], 1));
}

static void as_many_as_the_kernel_takes_are_slept_on_and_one_more_polls(void)
{
	reset();
	happens_asleep = publish_first;
	begin();
	HOLDS(slip__wait(watches, SLIP__FUTEX_MANY, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
	HOLDS(waits_on_many == 1 && word_count == SLIP__FUTEX_MANY && sleeps == 0);
	reset();
	begin();
	HOLDS(slip__wait(watches, SLIP__FUTEX_MANY + 1, 0, INT64_MAX, clock_ns + POLL_NS * 5 / 2) == SLIP__WOKEN_FAILED &&
	      errno == ETIMEDOUT);
	HOLDS(waits_on_many == 0 && sleeps == 3 && slept_ns == POLL_NS * 5 / 2); /* two whole ones and what is left */
}

static void without_anything_to_wait_for_it_only_sleeps(void)
{
	reset();
	begin();
	HOLDS(slip__wait(NULL, 0, 0, clock_ns + 10, INT64_MAX) == SLIP__WOKEN_LOOK);
	HOLDS(waits == 0 && waits_on_many == 0 && sleeps == 1 && slept_ns == 10);
}

static void a_poll_whose_time_is_up_does_not_sleep(void)
{
	for (int64_t left = -1; left <= 1; left++) {
		reset();
		watches[0].silent = true;
		tick_ns = 10; /* between the wait's look at the clock and the poll's */
		begin();
		HOLDS(slip__wait(watches, 1, 0, INT64_MAX, clock_ns + tick_ns + left) == SLIP__WOKEN_FAILED && errno == ETIMEDOUT);
		HOLDS(left > 0 || looks == 2);
		HOLDS(sleeps == (left > 0 ? 1 : 0) && slept_ns == (left > 0 ? left : 0) && waits == 0);
	}
}

/* ---- how it ends ---- */

static void a_time_that_has_come_needs_no_sleep(void)
{
	reset();
	begin();
	HOLDS(slip__wait(watches, 1, 0, INT64_MAX, clock_ns) == SLIP__WOKEN_FAILED && errno == ETIMEDOUT);
	HOLDS(waits == 0 && sleeps == 0 && looks == 1 && a32_load_relaxed(&fws[0]) == 0);
	reset();
	begin();
	HOLDS(slip__wait(watches, 1, 0, clock_ns, INT64_MAX) == SLIP__WOKEN_LOOK);
	HOLDS(waits == 0 && sleeps == 0 && looks == 1 && a32_load_relaxed(&fws[0]) == 0);
}

static void what_is_there_already_needs_no_look_at_the_clock(void)
{
	reset();
	publish_first();
	begin();
	HOLDS(slip__wait(watches, 1, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
	HOLDS(looks == 0 && waits == 0);
}

static void what_comes_between_the_look_and_the_sleep_needs_none(void)
{
	reset();
	happens = publish_first;
	happens_at_look = 1;
	begin();
	HOLDS(slip__wait(watches, 1, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
	HOLDS(waits == 0 && sleeps == 0);
}

static void what_comes_while_the_time_runs_out_is_ready_and_not_late(void)
{
	static const int ENDS[] = {ETIMEDOUT, EINTR};
	for (size_t i = 0; i < 2; i++)
		for (size_t count = 1; count <= 2; count++) {
			reset();
			happens_asleep = publish_first;
			fails_with = ENDS[i];
			begin();
			HOLDS(slip__wait(watches, count, 0, INT64_MAX, clock_ns + 10) == SLIP__WOKEN_READY);
			HOLDS(waits + waits_on_many == 1);
		}
}

static void a_signal_ends_a_sleep_on_one_and_on_several(void)
{
	for (size_t count = 1; count <= 2; count++) {
		reset();
		fails_with = EINTR;
		begin();
		HOLDS(slip__wait(watches, count, 0, clock_ns + 10, clock_ns + 20) == SLIP__WOKEN_FAILED && errno == EINTR);
		HOLDS(waits + waits_on_many == 1 && sleeps == 0);
	}
}

static void a_kernel_that_cannot_or_may_not_is_polled_around(void)
{
	static const int REFUSES[] = {ENOSYS, EPERM};
	for (size_t i = 0; i < 2; i++) {
		reset();
		fails_with = REFUSES[i];
		begin();
		HOLDS(slip__wait(watches, 2, 0, clock_ns + 2 * POLL_NS, INT64_MAX) == SLIP__WOKEN_LOOK);
		HOLDS(waits_on_many == 2 && sleeps == 2 && slept_ns == 2 * POLL_NS);
	}
}

/* ---- spinning ---- */

static void what_comes_while_it_spins_is_seen_without_a_sleep(void)
{
	reset();
	tick_ns = 10;
	happens = publish_first;
	happens_at_look = 3;
	happens_asleep = publish_first;
	begin();
	HOLDS(slip__wait(watches, 1, clock_ns + 1000, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
	HOLDS(looks == 3 && waits == 0 && a32_load_relaxed(&fws[0]) == 2); /* never marked as slept on */
}

static void it_spins_until_its_time_and_no_longer(void)
{
	reset();
	tick_ns = 10;
	happens_asleep = publish_first;
	begin();
	HOLDS(slip__wait(watches, 1, clock_ns + 30, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
	HOLDS(looks == 4 + 1 && waits == 1); /* at 0, 10, 20 and 30; and before it sleeps */
	/* Not past the time at which it is to look up, or to end. */
	reset();
	tick_ns = 10;
	begin();
	HOLDS(slip__wait(watches, 1, clock_ns + 1000, clock_ns + 20, INT64_MAX) == SLIP__WOKEN_LOOK && looks == 3 + 1);
	reset();
	tick_ns = 10;
	begin();
	HOLDS(slip__wait(watches, 1, clock_ns + 1000, INT64_MAX, clock_ns + 20) == SLIP__WOKEN_FAILED && looks == 3 + 1);
	HOLDS(waits == 0 && sleeps == 0);
}

int main(void)
{
	whatever_comes_at_any_step_ends_the_wait();
	an_alarm_is_set_before_its_sleepers_are_woken();
	one_word_is_slept_on_alone();
	an_alarm_does_not_keep_the_rings_behind_it_from_being_slept_on();
	as_many_as_the_kernel_takes_are_slept_on_and_one_more_polls();
	without_anything_to_wait_for_it_only_sleeps();
	a_poll_whose_time_is_up_does_not_sleep();
	a_time_that_has_come_needs_no_sleep();
	what_is_there_already_needs_no_look_at_the_clock();
	what_comes_between_the_look_and_the_sleep_needs_none();
	what_comes_while_the_time_runs_out_is_ready_and_not_late();
	a_signal_ends_a_sleep_on_one_and_on_several();
	a_kernel_that_cannot_or_may_not_is_polled_around();
	what_comes_while_it_spins_is_seen_without_a_sleep();
	it_spins_until_its_time_and_no_longer();
	printf("every step of a wait, and its sleeps, looks and ends\n");
	return 0;
}
