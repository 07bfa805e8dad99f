/*
 * steps.h - stepping in between the atomic operations of a core file that is built so that it calls slip__interleave before and after each of them
 * (interleave.h). No threads and no chance: a test tries its step 0, 1, 2 ... until there is none.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_STEPS_H
#define SLIP_TESTS_STEPS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Where we are: the step that comes next, the one at which something happens, and what. */
static int step;
static int when;
static void (*happens)(void);
static bool counted; /* steps are: not those of what happens */

#define HOLDS(condition)                                                                                                                   \
	do {                                                                                                                               \
		const bool holds = (condition);                                                                                            \
		counted = false;                                                                                                           \
		if (!holds) {                                                                                                              \
			fprintf(stderr, "%s:%d: %s does not hold at step %d\n", __FILE__, __LINE__, #condition, when);                     \
			exit(1);                                                                                                           \
		}                                                                                                                          \
	} while (0)

void slip__interleave(void);
void slip__interleave(void)
{
	if (!counted || step++ != when)
		return;
	counted = false;
	happens();
	counted = true;
}

static inline void begin(void)
{
	step = 0;
	counted = true;
}

/* True where the step at which something was to happen was not reached: that was the last. */
static inline bool ended(void)
{
	counted = false;
	return step <= when;
}

#endif
