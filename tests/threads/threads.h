/* threads.h - what programs with many threads share. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_TESTS_THREADS_H
#define SLIP_TESTS_THREADS_H

#include "atomic.h"
#include "support.h"

#include <pthread.h>
#include <sched.h>

/* Set with relaxed order: what a test says to its threads orders nothing that the library does not. */
static slip__a32 over;

static inline bool running(void)
{
	return a32_load_relaxed(&over) == 0;
}

static inline void add(slip__a64 *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline unsigned long long count_of(const slip__a64 *counter)
{
	return a64_load_relaxed(counter);
}

static inline uint64_t random_number(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 11;
}

static inline uint64_t random_state(uint64_t seed, uint64_t who)
{
	return (seed + who) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

/* Frames that are words of their seq. */
static inline void verify_and_release(slip_frame *f)
{
	CHECK(f->size % 8 == 0 && whole_words(f->data, f->size / 8) == f->seq);
	CHECK(slip_release(f) == 0);
}

static inline slip_array words_array(const uint64_t *words, size_t count)
{
	slip_array a = SLIP_ARRAY_INIT;
	a.data = words;
	a.dtype = SLIP_U64;
	a.ndim = 1;
	a.shape[0] = (int64_t)count;
	return a;
}

/* ---- frames that are released by another thread than the one that got them ---- */

enum { HANDED_OVER = 16 };

static slip__aptr handed_over[HANDED_OVER];

/* false: there is no room, and it stays the caller's. */
static inline bool hand_over(slip_frame *frame)
{
	for (int i = 0; i < HANDED_OVER; i++)
		if (aptr_load_relaxed(&handed_over[i]) == NULL && aptr_cas_acq_rel(&handed_over[i], NULL, frame) == frame)
			return true;
	return false;
}

static inline uint64_t release_handed_over(void)
{
	uint64_t count = 0;
	for (int i = 0; i < HANDED_OVER; i++) {
		slip_frame *frame = atomic_exchange_explicit(&handed_over[i], NULL, memory_order_acq_rel);
		if (frame == NULL)
			continue;
		/* 0: a loan that was given back unpublished, and kept. */
		CHECK(frame->seq == 0 || whole_words(frame->data, frame->size / 8) == frame->seq);
		CHECK(slip_release(frame) == 0);
		count++;
	}
	return count;
}

#endif
