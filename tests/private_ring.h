/* private_ring.h - a ring in private memory, for tests of the protocol alone. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PRIVATE_RING_H
#define TESTS_PRIVATE_RING_H

#include "slot.h"

enum { SLOT_WORDS = 8 };

/* Defines ring and what it consists of; in memory it has one slot more than it knows of, which nobody may touch. */
#define PRIVATE_RING(count, length)                                                                                                        \
	static slip__a64 head;                                                                                                             \
	static slip__a64 places[length];                                                                                                   \
	static slip__a32 fw;                                                                                                               \
	static slip__a64 slots[((count) + 1) * SLOT_WORDS];                                                                                \
	static const struct slip__ring ring = {.head = &head,                                                                              \
					       .ring = places,                                                                             \
					       .fw = &fw,                                                                                  \
					       .slots = (char *)slots,                                                                     \
					       .slot_bytes = SLOT_WORDS * 8,                                                               \
					       .slot_count = (count),                                                                      \
					       .ring_length = (length)}

#endif
