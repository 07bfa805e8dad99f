/*
 * generation.h - a writer's side of one generation: making the first, taking over a dead writer's, growing to the next, ending.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_GENERATION_H
#define SLIP_CORE_GENERATION_H

#include "segment.h"

#include <slipring/writer.h>

/*
 * A generation in use keeps its lock: it is freed when its users are gone. They are the channel (as long as it is the present one, or loans in
 * it are out) and every frame kept in it. What the writer decides from is here, in private memory.
 */
struct slip__generation {
	struct slip__segment segment;
	void *anchor;
	slip__a32 users;
	uint32_t fw;	   /* what the futex word was last set to, halved */
	uint64_t next_seq; /* of the next frame */
	uint32_t loans;	   /* out in it; the writing thread's */
	uint32_t history;  /* newest frames that the last claim left for readers in order */
	bool has_head;	   /* order[0] is the newest frame's slot */
	uint16_t order[];  /* all slots, the newest frame's first */
};

/*
 * The generation to write to, under the writer's lock: what a dead writer left, grown if it does not fit the options and capacity, or a new
 * epoch. NULL with EBUSY while another writer lives, ENOSPC, EPERM, ...
 */
struct slip__generation *slip__generation_open(const slip_channel_name *name, const slip_writer_options *options, uint64_t capacity);

/* The next generation of the same epoch, in the place of `old`, which is retired and keeps the caller's use. */
struct slip__generation *slip__generation_grow(struct slip__generation *old, const slip_writer_options *options, uint64_t capacity);

/* Fails with EOVERFLOW: no number is left for another frame. */
int slip__generation_used_up(void);

/* Ends the epoch: marks it closed, wakes everybody, unlinks. */
void slip__generation_end(struct slip__generation *generation);

void slip__generation_keep(struct slip__generation *generation);
/* Frees it with the last user. Any thread. */
void slip__generation_drop(struct slip__generation *generation);

/* In a forked child: frees memory and mappings. The lock's mapping was not inherited, and whatever is at its address is not ours. */
void slip__generation_abandon(struct slip__generation *generation);

#endif
