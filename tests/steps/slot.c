/*
 * The slot protocol step by step (steps.h): at each step another party does all of what it does, or the one that was at it dies.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "steps.h"

#include "private_ring.h"

#include <setjmp.h>
#include <string.h>

enum { SLOTS = 4, LAST = 3, READERS = 2 };

PRIVATE_RING(SLOTS, SLOTS);

static jmp_buf death;

static void die(void)
{
	longjmp(death, 1);
}

static void nothing(void)
{
}

/* Frames 1 to LAST in slots 0 to 2; slot 3 is free. */
static void reset(void)
{
	memset(slots, 0, sizeof(slots));
	memset(places, 0, sizeof(places));
	a32_store_relaxed(&fw, 0);
	for (uint64_t q = 1; q <= LAST; q++) {
		a64_store_relaxed(slip__seq(&ring, (uint32_t)q - 1), q);
		a64_store_relaxed(&places[q % SLOTS], q << 16 | (q - 1));
	}
	a64_store_relaxed(&head, (uint64_t)LAST << 16 | (LAST - 1));
}

static uint64_t pins(uint32_t slot)
{
	return a64_load_relaxed(slip__pins(&ring, slot));
}

static int32_t claim(uint32_t passes)
{
	static const uint16_t newest_first[SLOTS] = {2, 1, 0, 3};
	const struct slip__claim all = {.order = newest_first, .count = SLOTS, .head = 1, .history = LAST, .passes = passes};
	return slip__slot_claim(&ring, &all);
}

/* A frame's content, behind the words of slot 0. */
static slip__a64 *const payload = &slots[3];

/* ---- what may happen at a step ---- */

/* A reader that comes: the newest frame is in the ring, and held when asked for; so is the one before it. */
static void read_newest(void)
{
	struct slip__place newest;
	struct slip__place again;
	HOLDS(slip__slot_latest(&ring, &newest) == SLIP__FOUND);
	HOLDS(slip__slot_find(&ring, newest.seq, &again) == SLIP__FOUND && again.slot == newest.slot);
	HOLDS(slip__slot_pin(&ring, &newest, 1));
	slip__slot_release(&ring, newest.slot, 1);
	HOLDS(slip__slot_find(&ring, newest.seq - 1, &again) == SLIP__FOUND);
	HOLDS(slip__slot_pin(&ring, &again, 1));
	slip__slot_release(&ring, again.slot, 1);
}

static uint32_t frees; /* this slot */

static void free_slot(void)
{
	slip__slot_release(&ring, frees, 1);
}

static bool pinned;
static const struct slip__place oldest = {.seq = 1, .slot = 0};

static void pin_oldest(void)
{
	pinned = slip__slot_pin(&ring, &oldest, 1);
}

static int32_t claimed;

static void claim_oldest(void)
{
	static const uint16_t slot_0[1] = {0};
	const struct slip__claim only = {.order = slot_0, .count = 1, .head = 0, .history = 0, .passes = 0};
	claimed = slip__slot_claim(&ring, &only);
}

/* A writer that has come as far as its mark: the old frame's number still stands there. */
static void begin_to_claim_oldest(void)
{
	claimed = a64_cas_acquire(slip__pins(&ring, 0), 0, SLIP__PIN_WRITING) ? 0 : SLIP__NO_SLOT;
}

/* A whole writer's work: the slot is filled with another frame. */
static void overwrite_oldest(void)
{
	claim_oldest();
	if (claimed == 0)
		(void)slip__slot_publish(&ring, 0, LAST + 1, false, 1);
}

static void overwrite_payload(void)
{
	claim_oldest();
	HOLDS(claimed == 0);
	a64_store_relaxed(payload, LAST + 1);
	(void)slip__slot_publish(&ring, 0, LAST + 1, false, 1);
}

static bool woken;

static void publish_one(void)
{
	HOLDS(claim(1) == 3);
	woken = slip__slot_publish(&ring, 3, LAST + 1, false, 1);
}

/* ---- the tests ---- */

static void a_claim_goes_through_all_slots_once_and_then_as_often_as_it_is_told(void)
{
	enum { TRIED = SLOTS - 1, STEPS = 2 };
	for (uint32_t passes = 0; passes <= 3; passes++) {
		reset();
		for (uint32_t s = 0; s < SLOTS; s++)
			a64_or_relaxed(slip__pins(&ring, s), 1);
		when = -1;
		happens = nothing;
		begin();
		HOLDS(claim(passes) == SLIP__NO_SLOT);
		HOLDS(step == STEPS * TRIED * (int)(1 + passes));
		/* What comes free before the last pass is found by it. */
		for (frees = 0; passes > 0 && frees < SLOTS; frees++) {
			if (frees == LAST - 1)
				continue; /* head's */
			for (uint32_t s = 0; s < SLOTS; s++)
				a64_store_relaxed(slip__pins(&ring, s), 1);
			when = STEPS * TRIED * (int)passes;
			happens = free_slot;
			begin();
			HOLDS(claim(passes) == (int32_t)frees);
		}
	}
}

static void the_newest_frame_is_always_there_while_another_is_published(void)
{
	for (when = 0;; when++) {
		reset();
		happens = read_newest;
		begin();
		int32_t slot = claim(READERS + 1);
		HOLDS(slot == 3);
		counted = true; /* and goes on */
		(void)slip__slot_publish(&ring, 3, LAST + 1, false, 1);
		if (ended())
			return;
		read_newest();
	}
}

/* Dies while it claims and publishes; its successor gives back what it was at, or the frame that it had made. */
static void expect_recovery(uint64_t seq)
{
	struct slip__place newest;
	struct slip__place again;
	HOLDS(slip__slot_recover(&ring, 1, &newest));
	HOLDS(newest.seq == seq);
	HOLDS(slip__slot_latest(&ring, &again) == SLIP__FOUND && again.seq == newest.seq && again.slot == newest.slot);
	for (uint32_t s = 0; s < SLOTS; s++)
		HOLDS(pins(s) == 0);
	read_newest();
}

static void who_dies_while_publishing_leaves_a_whole_frame_or_none(void)
{
	static uint64_t complete; /* since WRITING was cleared */
	for (when = 0;; when++) {
		reset();
		happens = die;
		if (setjmp(death) == 0) {
			begin();
			(void)claim(READERS + 1);
			(void)slip__slot_publish(&ring, 3, LAST + 1, true, 1);
			if (ended())
				return;
		}
		counted = false;
		complete = !(pins(3) & SLIP__PIN_WRITING) && a64_load_relaxed(slip__seq(&ring, 3)) == LAST + 1;
		expect_recovery(LAST + complete);
	}
}

static void who_dies_while_recovering_leaves_the_same_to_the_next(void)
{
	static int state;
	for (state = 0; state < 3; state++) {
		for (when = 0;; when++) {
			struct slip__place newest;
			reset();
			a64_store_relaxed(slip__seq(&ring, 3), LAST + 1);
			/* Complete; about to be; an old frame's slot that was just claimed. */
			if (state == 1)
				a64_store_relaxed(slip__pins(&ring, 3), SLIP__PIN_WRITING | SLIP__PIN_OWN);
			if (state == 2) {
				a64_store_relaxed(slip__seq(&ring, 3), 0);
				a64_store_relaxed(slip__pins(&ring, 0), SLIP__PIN_WRITING);
			}
			happens = die;
			if (setjmp(death) == 0) {
				begin();
				HOLDS(slip__slot_recover(&ring, 1, &newest));
				if (ended())
					break;
			}
			counted = false;
			if (state == 2) {
				HOLDS(slip__slot_recover(&ring, 1, &newest) && newest.seq == LAST);
				HOLDS(a64_load_relaxed(slip__seq(&ring, 0)) == 0 && pins(0) == 0);
			} else {
				expect_recovery(state == 0 ? LAST + 1 : LAST);
			}
		}
	}
}

static void readers_have_the_newest_frame_while_a_successor_recovers(void)
{
	for (when = 0;; when++) {
		struct slip__place newest;
		reset();
		a64_store_relaxed(slip__seq(&ring, 3), LAST + 1);
		happens = read_newest;
		begin();
		(void)slip__slot_recover(&ring, 1, &newest);
		if (ended())
			return;
	}
}

static void nobody_fills_a_slot_that_is_held_whoever_comes_between(void)
{
	static void (*const COMES[])(void) = {overwrite_oldest, begin_to_claim_oldest};
	for (size_t i = 0; i < sizeof(COMES) / sizeof(COMES[0]); i++)
		for (when = 0;; when++) {
			reset();
			claimed = SLIP__NO_SLOT;
			happens = COMES[i];
			begin();
			bool held = slip__slot_pin(&ring, &oldest, 1);
			if (ended())
				break;
			HOLDS(!held || claimed == SLIP__NO_SLOT);
			HOLDS((pins(0) & ~SLIP__PIN_WRITING) == (held ? 1U : 0U));
		}
	for (when = 0;; when++) {
		reset();
		pinned = false;
		happens = pin_oldest;
		begin();
		claim_oldest();
		if (ended())
			return;
		HOLDS(!pinned || claimed == SLIP__NO_SLOT);
		HOLDS(claimed != 0 || (pins(0) == SLIP__PIN_WRITING && a64_load_relaxed(slip__seq(&ring, 0)) == 0));
	}
}

/* What an observer copies is of the frame that it asked for, or it knows that it is not. */
static void an_observer_knows_when_its_frame_went(void)
{
	for (when = 0;; when++) {
		reset();
		a64_store_relaxed(payload, oldest.seq);
		happens = overwrite_payload;
		begin();
		bool there = slip__slot_observe_begin(&ring, &oldest);
		uint64_t copied = a64_load_relaxed(payload);
		there = there && slip__slot_observe_end(&ring, &oldest);
		if (ended())
			return;
		HOLDS(!there || copied == oldest.seq);
	}
}

static void a_sleeper_is_woken_or_told_to_look_again(void)
{
	for (when = 0;; when++) {
		uint32_t expected;
		struct slip__place place;
		reset();
		woken = false;
		happens = publish_one;
		begin();
		uint32_t seen = slip__slot_fw(&ring);
		bool ready = slip__slot_latest(&ring, &place) == SLIP__FOUND && place.seq > LAST;
		bool sleeps = !ready && slip__slot_may_sleep(&ring, seen, &expected);
		if (ended())
			return;
		HOLDS(!sleeps || woken || a32_load_relaxed(&fw) != expected);
	}
}

int main(void)
{
	a_claim_goes_through_all_slots_once_and_then_as_often_as_it_is_told();
	the_newest_frame_is_always_there_while_another_is_published();
	who_dies_while_publishing_leaves_a_whole_frame_or_none();
	who_dies_while_recovering_leaves_the_same_to_the_next();
	readers_have_the_newest_frame_while_a_successor_recovers();
	nobody_fills_a_slot_that_is_held_whoever_comes_between();
	an_observer_knows_when_its_frame_went();
	a_sleeper_is_woken_or_told_to_look_again();
	printf("every step of eight meetings\n");
	return 0;
}
