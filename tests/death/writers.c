/*
 * A writer killed after every instruction of slipring's in each of its calls, with the ring in each state (aftermath.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "aftermath.h"

int main(int argc, char **argv)
{
	for (unsigned call = SET; call <= TAKE_OVER_AND_GROW; call++)
		for (unsigned state = 0; state < STATES; state++)
			add_case(state, NONE, call);
	return death_main(argc, argv, cases, case_count, 29, "writers");
}
