/* SPDX-License-Identifier: Apache-2.0 */
#include "interleave.h"

#include "atomic.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Of one thread; 0: none yet. */
static _Thread_local uint64_t state;

/* A child goes on with the thread that forked, which must not delay as its parent does. */
static void forget(void)
{
	state = 0;
}

static uint64_t seed;

static void set_up(void)
{
	const char *text = getenv("SLIPRING_SEED");
	seed = text != NULL ? strtoull(text, NULL, 0) : 1;
	(void)pthread_atfork(NULL, NULL, forget);
}

/* Each bit of x into all of them: the finalizer of splitmix64. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t next_number(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	if (state == 0) {
		(void)pthread_once(&once, set_up);
		state = mix(mix(seed) + (uint64_t)gettid()) | 1;
	}
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

void slip__interleave(void)
{
	enum { SLEEP = 2048, YIELD = 16, SPIN = 16, SHORTEST_NS = 50000, LONGEST_NS = 500000, PAUSES = 128 };
	const uint64_t number = next_number();
	const uint64_t chance = number >> 32;
	const uint64_t length = number & UINT32_MAX;
	const int kept = errno;
	if (chance % SLEEP == 0) {
		const struct timespec time = {.tv_nsec = (long)(SHORTEST_NS + length % (LONGEST_NS - SHORTEST_NS))};
		(void)nanosleep(&time, NULL);
	} else if (chance % YIELD == 1) {
		(void)sched_yield();
	} else if (chance % SPIN == 2) {
		for (uint64_t pauses = length % PAUSES; pauses > 0; pauses--)
			cpu_relax();
	}
	errno = kept;
}
