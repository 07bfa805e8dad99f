/*
 * choose.h - which slot the next frame goes into: behind the newest frames that readers in order may still want, the slot that was filled last,
 * for it may be in the cache.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_CHOOSE_H
#define SLIP_CORE_CHOOSE_H

#include "generation.h"

/* What a channel's choice remembers from claim to claim, through all its generations. All 0 at first, but for cache_bytes. */
struct slip__choice {
	size_t cache_bytes; /* of the last-level cache */
	bool overloaded;    /* by readers in order that cannot keep up; looked at each 2 * slots claims */
	uint32_t claims;    /* since */
	uint64_t missed;    /* what readers in order had missed then */
	uint32_t quiet;	    /* times in a row that they had missed nothing more */
};

/* Claims a slot; if all are held it asks whether the holders live, and tries once more. SLIP__NO_SLOT (without a detail) where none is free. */
int32_t slip__choose_slot(struct slip__choice *choice, struct slip__generation *generation);

/* A loan ended. Published: its slot has the newest frame. Emptied: it is the oldest, so that a claim does not take it for a recent frame. */
void slip__choose_published(struct slip__generation *generation, uint32_t slot);
void slip__choose_emptied(struct slip__generation *generation, uint32_t slot);

#endif
