/* SPDX-License-Identifier: Apache-2.0 */
#include "slot.h"

#include "atomic.h"

#include <stdint.h>

static uint64_t pack(uint64_t seq, uint32_t slot)
{
	return seq << 16 | slot;
}

static struct slip__place unpack(uint64_t word)
{
	return (struct slip__place){.seq = word >> 16, .slot = (uint32_t)(word & 0xffff)};
}

static bool try_claim(const struct slip__ring *r, uint32_t slot)
{
	/* @RELEASE: the last holder's reads come before our writes. */
	if (!a64_cas_acquire(slip__pins(r, slot), 0, SLIP__PIN_WRITING))
		return false;
	/* A crash from here on must not leave a half-filled frame that looks valid. */
	a64_store_relaxed(slip__seq(r, slot), 0);
	fence_release(); /* @OBSERVE: whoever sees our payload sees seq 0 */
	return true;
}

int32_t slip__slot_claim(const struct slip__ring *r, const struct slip__claim *claim)
{
	uint32_t behind = claim->history > claim->head ? claim->history : claim->head;
	for (uint32_t i = behind; i < claim->count; i++)
		if (try_claim(r, claim->order[i]))
			return claim->order[i];
	for (uint32_t i = behind; i-- > claim->head;)
		if (i < claim->count && try_claim(r, claim->order[i]))
			return claim->order[i];
	/* A reader that refuses a slot marks it for a moment; each can spoil one pass, so there is one more than readers. */
	for (uint32_t pass = 0; pass < claim->passes; pass++)
		for (uint32_t i = claim->head; i < claim->count; i++)
			if (try_claim(r, claim->order[i]))
				return claim->order[i];
	return SLIP__NO_SLOT;
}

/* Makes a complete frame the newest. ring before head: a reader that sees head must find the frame in the ring. */
static void link_frame(const struct slip__ring *r, uint64_t q, uint32_t slot)
{
	a64_store_release(&r->ring[q % r->ring_length], pack(q, slot)); /* @RING */
	a64_store_release(r->head, pack(q, slot));			/* @HEAD */
}

/* One exchange, not a load and a store: a reader that says between the two that it sleeps would not be woken. */
static bool change_fw(const struct slip__ring *r, uint32_t fw)
{
	return a32_exchange_release(r->fw, fw << 1) & 1; /* @WAKE */
}

bool slip__slot_publish(const struct slip__ring *r, uint32_t slot, uint64_t q, bool keep, uint32_t fw)
{
	a64_store_relaxed(slip__seq(r, slot), q); /* ordered by the release below */
	if (keep)
		a64_or_relaxed(slip__pins(r, slot), SLIP__PIN_OWN); /* WRITING still keeps everybody out */
	a64_and_release(slip__pins(r, slot), ~SLIP__PIN_WRITING);   /* @PUBLISH: payload, description and seq */
	link_frame(r, q, slot);
	return change_fw(r, fw);
}

void slip__slot_discard(const struct slip__ring *r, uint32_t slot)
{
	a64_and_release(slip__pins(r, slot), ~SLIP__PIN_WRITING); /* @PUBLISH: of seq 0 */
}

void slip__slot_drop_own(const struct slip__ring *r, uint32_t slot)
{
	a64_and_release(slip__pins(r, slot), ~SLIP__PIN_OWN); /* @RELEASE */
}

bool slip__slot_bump(const struct slip__ring *r, uint32_t fw)
{
	return change_fw(r, fw);
}

bool slip__slot_recover(const struct slip__ring *r, uint64_t first, struct slip__place *newest)
{
	struct slip__place head = unpack(a64_load_acquire(r->head)); /* @HEAD */
	bool empty = head.seq == 0 && head.slot == 0;
	if (!empty && (head.seq < first || head.slot >= r->slot_count))
		return false;
	*newest = empty ? (struct slip__place){.seq = first - 1, .slot = 0} : head;
	for (uint32_t s = 0; s < r->slot_count; s++) {
		if (a64_load_acquire(slip__pins(r, s)) & SLIP__PIN_WRITING) { /* @PUBLISH */
			a64_store_relaxed(slip__seq(r, s), 0);
			a64_and_release(slip__pins(r, s), ~(SLIP__PIN_WRITING | SLIP__PIN_OWN)); /* @PUBLISH */
			continue;
		}
		a64_and_release(slip__pins(r, s), ~SLIP__PIN_OWN); /* @RELEASE */
		uint64_t q = a64_load_relaxed(slip__seq(r, s));
		if (q == 0)
			continue;
		if (q < first || q > SLIP__SEQ_MAX || q > (empty ? first : head.seq + 1))
			return false;
		if (q > newest->seq)
			*newest = (struct slip__place){.seq = q, .slot = s};
	}
	if (!empty && a64_load_relaxed(slip__seq(r, head.slot)) != head.seq)
		return false;
	if (newest->seq >= first && (empty || newest->seq > head.seq))
		link_frame(r, newest->seq, newest->slot);
	return true;
}

enum slip__found slip__slot_latest(const struct slip__ring *r, struct slip__place *place)
{
	uint64_t head = a64_load_acquire(r->head); /* @HEAD */
	if (head == 0)
		return SLIP__NONE;
	*place = unpack(head);
	return place->slot < r->slot_count ? SLIP__FOUND : SLIP__BROKEN;
}

enum slip__found slip__slot_find(const struct slip__ring *r, uint64_t q, struct slip__place *place)
{
	*place = unpack(a64_load_acquire(&r->ring[q % r->ring_length])); /* @RING */
	if (place->seq < q)
		return SLIP__NONE;
	if (place->seq > q)
		return SLIP__OVERRUN;
	return place->slot < r->slot_count ? SLIP__FOUND : SLIP__BROKEN;
}

bool slip__slot_pin(const struct slip__ring *r, const struct slip__place *place, uint64_t bit)
{
	slip__a64 *pins = slip__pins(r, place->slot);
	slip__a64 *seq = slip__seq(r, place->slot);
	if (a64_load_relaxed(seq) != place->seq) /* only spares marks that would be taken back at once */
		return false;
	a64_or_acq_rel(pins, bit);		  /* @PUBLISH @RELEASE */
	uint64_t marked = a64_load_acquire(pins); /* @PUBLISH: makes the payload visible */
	if (!(marked & SLIP__PIN_WRITING) && a64_load_relaxed(seq) == place->seq)
		return true;
	a64_and_relaxed(pins, ~bit); /* nothing was read under it */
	return false;
}

void slip__slot_release(const struct slip__ring *r, uint32_t slot, uint64_t bit)
{
	a64_and_release(slip__pins(r, slot), ~bit); /* @RELEASE */
}

uint32_t slip__slot_fw(const struct slip__ring *r)
{
	return a32_load_acquire(r->fw); /* @WAKE: head is at least as new */
}

bool slip__slot_may_sleep(const struct slip__ring *r, uint32_t seen, uint32_t *expected)
{
	*expected = seen | 1;
	return (a32_or_relaxed(r->fw, 1) | 1) == *expected;
}

void slip__slot_clear_dead(const struct slip__ring *r, uint64_t bits)
{
	for (uint32_t s = 0; s < r->slot_count; s++)
		if (a64_load_relaxed(slip__pins(r, s)) & bits)
			a64_and_relaxed(slip__pins(r, s), ~bits);
}

void slip__slot_clear_own(const struct slip__ring *r, uint64_t bits)
{
	for (uint32_t s = 0; s < r->slot_count; s++)
		a64_and_release(slip__pins(r, s), ~bits); /* @RELEASE */
}

bool slip__slot_observe_begin(const struct slip__ring *r, const struct slip__place *place)
{
	return a64_load_relaxed(slip__seq(r, place->slot)) == place->seq; /* only spares a copy in vain */
}

bool slip__slot_observe_end(const struct slip__ring *r, const struct slip__place *place)
{
	fence_acquire(); /* @OBSERVE */
	return a64_load_relaxed(slip__seq(r, place->slot)) == place->seq;
}
