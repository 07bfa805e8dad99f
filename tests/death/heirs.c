/*
 * The heir of a writer that died after any of the changes that its call made in shared memory dies too, after every instruction of slipring's; its own heir
 * has what both left (dying_writer.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dying_writer.h"

int main(int argc, char **argv)
{
	static const enum state states[] = {FULL, RETIRED, ASLEEP};
	add_case(EMPTY, CREATE, TAKE_OVER);
	for (unsigned first = SET; first < CALLS; first++)
		for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
			add_case(states[i], first, TAKE_OVER);
	return death_main(argc, argv, cases, case_count, 29, "heirs");
}
