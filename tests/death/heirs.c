/*
 * A writer dies after any of the changes that its call makes in shared memory. Then its heir dies too, after every instruction of slipring's, or a reader that
 * came, or a gc; the next heir has what all of them left (aftermath.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "aftermath.h"

int main(int argc, char **argv)
{
	static const enum state states[] = {FULL, RETIRED, ASLEEP};
	static const enum call visited[] = {SET, GROW, PUBLISH_AFTER_GROWTH, CLOSE, TAKE_OVER_AND_GROW};
	add_case(EMPTY, CREATE, TAKE_OVER);
	for (unsigned first = SET; first <= TAKE_OVER_AND_GROW; first++)
		for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
			/* One asleep at a ring that was replaced, and not told so, looks up after a second: too long for thousands. writers.c has it once. */
			if (states[i] != ASLEEP || !grows(first))
				add_case(states[i], first, TAKE_OVER);
	for (unsigned call = READ; call <= COLLECT; call++) {
		add_case(EMPTY, CREATE, call);
		for (unsigned state = 0; state < STATES; state++)
			add_case(state, NONE, call);
		for (size_t i = 0; i < sizeof(visited) / sizeof(visited[0]); i++) {
			add_case(FULL, visited[i], call);
			add_case(RETIRED, visited[i], call);
		}
	}
	return death_main(argc, argv, cases, case_count, 29, "heirs");
}
