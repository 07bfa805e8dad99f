/*
 * interleave.h - a test build (SLIPRING_DELAYS): a random delay before and after each atomic operation, so that what seldom falls between two steps
 * of the protocol falls there often. Only atomic.h includes it, and only there.
 *
 * Mostly nothing; now and then the CPU is given away, or lost for some hundred ns to a few us, or for as long as a hundred publishes take. Each thread has
 * numbers of its own, from SLIPRING_SEED in the environment (a number; 1 without it) and its thread id.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_INTERLEAVE_H
#define SLIP_CORE_INTERLEAVE_H

/* errno stays. */
void slip__interleave(void);

static inline void slip__interleave_at_end(const char *unused)
{
	(void)unused;
	slip__interleave();
}

/* The first statement of a function: a delay now, and one when it returns. */
#define INTERLEAVE                                                                                                                         \
	slip__interleave();                                                                                                                \
	__attribute__((cleanup(slip__interleave_at_end), unused)) const char interleave = 0

#endif
