/*
 * slot.h - the slot protocol: how frames pass from one writer to many readers through words in shared memory.
 *
 * This is the part that was model-checked, and nothing else: words in, words out; no system call, no time, no memory of
 * its own. docs/protocol.md argues it, tests/model checks it. Change an order or a step only together with both.
 *
 * Words (who writes them):
 *   head      writer    seq << 16 | slot of the newest frame; 0: nothing yet
 *   ring[m]   writer    the same packing, for the frame whose seq % ring_length is m
 *   pins[s]   all       bit 0-61: that reader holds slot s; 62: the writer's own lease; 63: being filled (WRITING)
 *   seq[s]    writer    the frame in slot s; 0: none that anyone may read
 *   fw        all       bit 0: somebody sleeps on it; the rest changes with every publish
 *
 * States of a slot:
 *   state      words                         event     actor   next      what dying here leaves
 *   FREE       pins 0                        claim     writer  WRITING   nothing
 *   WRITING    bit 63, seq 0                 fill      writer  WRITING   bit 63: the next writer clears it
 *   WRITING    bit 63, seq 0                 discard   writer  FREE      nothing
 *   WRITING    bit 63, seq q                 unlock    writer  FILLED    as above; no reader accepts it
 *   FILLED     seq q, bit 63 clear, q > head link      writer  CURRENT   the next writer links it (rolls forward)
 *   CURRENT    seq q, q == head              publish   writer  OLD       nothing
 *   OLD        seq q, q < head, no pins      claim     writer  WRITING   nothing
 *   any of FILLED, CURRENT, OLD              pin       reader  PINNED    the reader's bit: cleared by whoever takes its byte
 *   PINNED     some bit 0-62                 release   holder  as before nothing
 *
 * A reader's bit may also stand for a moment on a slot that it then refuses; that costs the writer at most a pass.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_SLOT_H
#define SLIP_CORE_SLOT_H

#include "atomic.h"

#include <stddef.h>
#include <stdint.h>

#define SLIP__PIN_OWN (UINT64_C(1) << 62)
#define SLIP__PIN_WRITING (UINT64_C(1) << 63)
#define SLIP__SEQ_MAX ((UINT64_C(1) << 48) - 1)

enum { SLIP__NO_SLOT = -1 };

/* Where the words of one ring are, in this process. Private memory; the numbers were checked when it was made. */
struct slip__ring {
	slip__a64 *head;
	slip__a64 *ring;
	slip__a32 *fw;
	char *slots;	     /* the first slot's pins word; its seq word follows it */
	uint64_t slot_bytes; /* from one slot's words to the next */
	uint32_t slot_count;
	uint32_t ring_length;
};

/*
 * In which order a writer tries slots; private memory. order lists all slots, the newest frame's first. The first pass goes through
 * those behind the `history` newest, then, oldest first, into these; `passes` more go newest to oldest through all. The
 * first `head` of them (0 or 1) are never tried: readers must find the newest frame.
 */
struct slip__claim {
	const uint16_t *order;
	uint32_t count;
	uint32_t head;
	uint32_t history;
	uint32_t passes;
};

/* A frame's place. */
struct slip__place {
	uint64_t seq;
	uint32_t slot;
};

enum slip__found {
	SLIP__FOUND,
	SLIP__NONE,    /* nothing yet */
	SLIP__OVERRUN, /* that frame is gone */
	SLIP__BROKEN   /* the words can't be: no such slot */
};

static inline slip__a64 *slip__pins(const struct slip__ring *r, uint32_t slot)
{
	return (slip__a64 *)(void *)(r->slots + slot * r->slot_bytes);
}

static inline slip__a64 *slip__seq(const struct slip__ring *r, uint32_t slot)
{
	return slip__pins(r, slot) + 1;
}

/* A frame that is about to be pinned: its slot's words are asked for, to be marked, and the two lines behind them. Nothing but time depends on it. */
static inline void slip__slot_expect(const struct slip__ring *r, uint32_t slot)
{
	enum { LINE = 64 };
	const char *words = r->slots + slot * r->slot_bytes;
	prefetch_to_write(words);
	prefetch_to_read(words + LINE);
	prefetch_to_read(words + 2 * (size_t)LINE);
}

/* ---- writer; one thread at a time ---- */

/* A slot that is now ours to fill, its old frame gone; or SLIP__NO_SLOT. */
int32_t slip__slot_claim(const struct slip__ring *r, const struct slip__claim *claim);

/* Publishes a filled slot as frame q, with keep as the writer's own lease. Returns true where sleepers must be woken. */
bool slip__slot_publish(const struct slip__ring *r, uint32_t slot, uint64_t q, bool keep, uint32_t fw);
void slip__slot_discard(const struct slip__ring *r, uint32_t slot);
void slip__slot_drop_own(const struct slip__ring *r, uint32_t slot);

/* Changes fw without a frame, so that every waiter looks again. Returns true where sleepers must be woken. */
bool slip__slot_bump(const struct slip__ring *r, uint32_t fw);

/*
 * After a writer's death, under its lock: frees the slots that it was filling and its own leases, and links the one frame that may
 * be complete but not linked. first is the ring's first seq. Gives the newest frame's place (seq first - 1: none yet). false where the
 * words cannot be what a writer left.
 */
bool slip__slot_recover(const struct slip__ring *r, uint64_t first, struct slip__place *newest);

/* ---- reader i; bit is 1 << i ---- */

/* The newest frame's place: FOUND, NONE or BROKEN. */
enum slip__found slip__slot_latest(const struct slip__ring *r, struct slip__place *place);

/* The place of frame q: FOUND, NONE (not yet), OVERRUN or BROKEN. */
enum slip__found slip__slot_find(const struct slip__ring *r, uint64_t q, struct slip__place *place);

/* Pins a place where this reader holds nothing. true: the frame is there, whole, and stays until slip__slot_release. */
bool slip__slot_pin(const struct slip__ring *r, const struct slip__place *place, uint64_t bit);
void slip__slot_release(const struct slip__ring *r, uint32_t slot, uint64_t bit);

/* Before sleeping: take fw, look at the channel once more, then ask. true: sleep while fw == *expected; false: look again. */
uint32_t slip__slot_fw(const struct slip__ring *r);
bool slip__slot_may_sleep(const struct slip__ring *r, uint32_t seen, uint32_t *expected);

/* Clears bits on every slot: of a dead reader by whoever holds its byte, of one's own before its first pin. */
void slip__slot_clear_dead(const struct slip__ring *r, uint64_t bits);
void slip__slot_clear_own(const struct slip__ring *r, uint64_t bits);

/* ---- observer ---- */

/* Copy between the two: begin says whether the place still holds the frame, end whether it did all the time. */
bool slip__slot_observe_begin(const struct slip__ring *r, const struct slip__place *place);
bool slip__slot_observe_end(const struct slip__ring *r, const struct slip__place *place);

#endif
