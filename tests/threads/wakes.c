/*
 * No wake is lost, of a publish or of an alarm: sleepers that look up of themselves never would sleep for good here, and the alarm clock
 * says so.
 */
#include "os.h"
#include "private_ring.h"
#include "threads.h"
#include "wait.h"

#include <signal.h>

enum { SLEEPERS = 3, SLOTS = 4, PATIENCE_S = 120 };

PRIVATE_RING(SLOTS, SLOTS);
static slip__a32 state;
static slip__a32 alarms[SLEEPERS];
static slip__a64 had[SLEEPERS]; /* the frame that each has seen */
static slip__a64 rung[SLEEPERS];
static uint64_t rounds;

static void *sleep_for_frames(void *number)
{
	uintptr_t i = (uintptr_t)number;
	for (uint64_t q = 1; q <= rounds; q++) {
		struct slip__watch watch = {.ring = &ring, .state = &state, .after = q - 1};
		CHECK(slip__wait(&watch, 1, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
		a64_store_release(&had[i], q);
	}
	return NULL;
}

static void *sleep_for_alarms(void *number)
{
	uintptr_t i = (uintptr_t)number;
	for (uint64_t q = 1; q <= rounds; q++) {
		/* Beside a channel on which nothing comes any more. */
		struct slip__watch watches[2] = {{.ring = &ring, .state = &state, .after = rounds}, {.alarm = &alarms[i]}};
		CHECK(slip__wait(watches, 2, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
		CHECK(a32_load_acquire(&alarms[i]) == 1);
		a32_store_relaxed(&alarms[i], 0);
		a64_store_release(&rung[i], q);
	}
	return NULL;
}

static bool all_have(const slip__a64 *counters, uint64_t q)
{
	for (int i = 0; i < SLEEPERS; i++)
		if (a64_load_acquire(&counters[i]) < q)
			return false;
	return true;
}

static void publish(uint64_t q)
{
	const uint16_t order[SLOTS] = {0, 1, 2, 3};
	const struct slip__claim claim = {.order = order, .count = SLOTS, .passes = 1};
	int32_t slot = slip__slot_claim(&ring, &claim);
	CHECK(slot != SLIP__NO_SLOT);
	if (slip__slot_publish(&ring, (uint32_t)slot, q, false, (uint32_t)q))
		slip__os_futex_wake_all(&fw);
}

static void run(void *(*sleeper)(void *))
{
	pthread_t threads[SLEEPERS];
	for (uintptr_t i = 0; i < SLEEPERS; i++)
		pthread_create(&threads[i], NULL, sleeper, (void *)i);
	for (uint64_t q = 1; q <= rounds; q++) {
		if (sleeper == sleep_for_frames)
			publish(q);
		for (int i = 0; sleeper == sleep_for_alarms && i < SLEEPERS; i++)
			slip__wait_alarm(&alarms[i]);
		while (!all_have(sleeper == sleep_for_frames ? had : rung, q))
			(void)sched_yield();
	}
	for (int i = 0; i < SLEEPERS; i++)
		pthread_join(threads[i], NULL);
}

static void give_up(int signal)
{
	static const char sentence[] = "wakes: somebody sleeps on, though what it waits for has come\n";
	(void)signal;
	(void)!write(2, sentence, sizeof(sentence) - 1);
	_exit(1);
}

int main(void)
{
	rounds = SANITIZED ? 1000 : 10000;
	(void)signal(SIGALRM, give_up);
	alarm(PATIENCE_S);
	run(sleep_for_frames);
	run(sleep_for_alarms);
	printf("wakes: %d sleepers, %llu publishes and as many alarms each, none lost\n", SLEEPERS, (unsigned long long)rounds);
	return 0;
}
