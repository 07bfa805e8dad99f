#include "private_ring.h"
#include "support.h"

#include <criterion/criterion.h>
#include <pthread.h>

enum { SLOTS = 4 };

PRIVATE_RING(SLOTS, SLOTS);
static const uint16_t ORDER[SLOTS] = {0, 1, 2, 3};

static int32_t claim_from(uint32_t first, uint32_t history)
{
	const struct slip__claim claim = {.order = ORDER, .count = SLOTS, .head = first, .history = history, .passes = 3};
	return slip__slot_claim(&ring, &claim);
}

static uint64_t pins(uint32_t slot)
{
	return a64_load_relaxed(slip__pins(&ring, slot));
}

static uint64_t seq(uint32_t slot)
{
	return a64_load_relaxed(slip__seq(&ring, slot));
}

Test(slot, a_claim_marks_the_slot_and_takes_its_frame_away)
{
	a64_store_relaxed(slip__seq(&ring, 1), 5);
	cr_assert_eq(claim_from(1, 1), 1);
	cr_assert_eq(pins(1), SLIP__PIN_WRITING);
	cr_assert_eq(seq(1), 0);
}

Test(slot, claims_go_behind_the_history_first_then_into_it_from_its_oldest)
{
	cr_assert_eq(claim_from(1, 3), 3);
	cr_assert_eq(claim_from(1, 3), 2);
	cr_assert_eq(claim_from(1, 3), 1);
	cr_assert_eq(claim_from(1, 3), SLIP__NO_SLOT); /* never head's */
}

Test(slot, a_publish_sets_ring_head_and_the_futex_word)
{
	int32_t s = claim_from(0, 1);
	cr_assert_eq(s, 1);
	cr_assert_not(slip__slot_publish(&ring, 1, 1, false, 1));
	struct slip__place place;
	cr_assert_eq(slip__slot_latest(&ring, &place), SLIP__FOUND);
	cr_assert_eq(place.seq, 1);
	cr_assert_eq(place.slot, 1);
	cr_assert_eq(pins(1), 0);
	cr_assert_eq(slip__slot_find(&ring, 1, &place), SLIP__FOUND);
	cr_assert_eq(slip__slot_find(&ring, 2, &place), SLIP__NONE);
	cr_assert_eq(slip__slot_fw(&ring), 2);
}

Test(slot, a_sleeper_is_told_of_the_next_publish)
{
	uint32_t expected;
	uint32_t seen = slip__slot_fw(&ring);
	cr_assert(slip__slot_may_sleep(&ring, seen, &expected));
	cr_assert_eq(a32_load_relaxed(&fw), expected);
	claim_from(0, 0);
	cr_assert(slip__slot_publish(&ring, 0, 1, false, 1));
	cr_assert_not(slip__slot_may_sleep(&ring, seen, &expected)); /* something happened since */
}

Test(slot, a_pin_holds_only_the_very_frame)
{
	claim_from(0, 0);
	slip__slot_publish(&ring, 0, 1, false, 1);
	struct slip__place right = {.seq = 1, .slot = 0};
	struct slip__place newer = {.seq = 2, .slot = 0};
	cr_assert_not(slip__slot_pin(&ring, &newer, 1));
	cr_assert_eq(pins(0), 0);
	cr_assert(slip__slot_pin(&ring, &right, 2));
	cr_assert_eq(pins(0), 2);
	cr_assert_eq(claim_from(0, 0), 1); /* passes over it */
	slip__slot_release(&ring, 0, 2);
	cr_assert_eq(pins(0), 0);
}

Test(slot, a_pin_is_refused_while_the_slot_is_filled)
{
	claim_from(0, 0);
	a64_store_relaxed(slip__seq(&ring, 0), 1); /* the writer is about to clear WRITING */
	struct slip__place place = {.seq = 1, .slot = 0};
	cr_assert_not(slip__slot_pin(&ring, &place, 1));
	cr_assert_eq(pins(0), SLIP__PIN_WRITING);
}

Test(slot, an_overwritten_frame_is_an_overrun)
{
	for (uint64_t q = 1; q <= 5; q++) {
		uint32_t s = (uint32_t)(q % SLOTS);
		a64_store_relaxed(slip__pins(&ring, s), SLIP__PIN_WRITING);
		slip__slot_publish(&ring, s, q, false, (uint32_t)q);
	}
	struct slip__place place;
	cr_assert_eq(slip__slot_find(&ring, 1, &place), SLIP__OVERRUN);
	cr_assert_eq(slip__slot_find(&ring, 2, &place), SLIP__FOUND);
}

Test(slot, the_writers_own_lease_keeps_a_slot)
{
	claim_from(0, 0);
	slip__slot_publish(&ring, 0, 1, true, 1);
	cr_assert_eq(pins(0), SLIP__PIN_OWN);
	slip__slot_drop_own(&ring, 0);
	cr_assert_eq(pins(0), 0);
}

Test(slot, recovery_frees_what_a_dead_writer_was_filling_and_its_own_leases)
{
	claim_from(0, 0);
	slip__slot_publish(&ring, 0, 1, true, 1);
	cr_assert_eq(claim_from(1, 1), 1);
	a64_store_relaxed(slip__seq(&ring, 1), 2); /* died just before clearing WRITING */
	a64_or_relaxed(slip__pins(&ring, 0), 4);   /* a reader's lease */
	struct slip__place newest;
	cr_assert(slip__slot_recover(&ring, 1, &newest));
	cr_assert_eq(newest.seq, 1);
	cr_assert_eq(seq(1), 0);
	cr_assert_eq(pins(1), 0);
	cr_assert_eq(pins(0), 4);
}

Test(slot, recovery_links_the_frame_that_was_complete)
{
	claim_from(0, 0);
	slip__slot_publish(&ring, 0, 1, false, 1);
	claim_from(1, 1);
	a64_store_relaxed(slip__seq(&ring, 1), 2);
	a64_and_release(slip__pins(&ring, 1), ~SLIP__PIN_WRITING); /* died before ring and head */
	struct slip__place newest;
	cr_assert(slip__slot_recover(&ring, 1, &newest));
	cr_assert_eq(newest.seq, 2);
	struct slip__place place;
	cr_assert_eq(slip__slot_latest(&ring, &place), SLIP__FOUND);
	cr_assert_eq(place.seq, 2);
	cr_assert_eq(slip__slot_find(&ring, 2, &place), SLIP__FOUND);
}

Test(slot, recovery_refuses_words_that_cannot_be)
{
	struct slip__place newest;
	a64_store_relaxed(&head, UINT64_C(7) << 16 | 9); /* no such slot */
	cr_assert_not(slip__slot_recover(&ring, 1, &newest));
	a64_store_relaxed(&head, UINT64_C(7) << 16); /* the slot has another frame */
	cr_assert_not(slip__slot_recover(&ring, 1, &newest));
	a64_store_relaxed(&head, 0);
	a64_store_relaxed(slip__seq(&ring, 2), 9); /* far ahead */
	cr_assert_not(slip__slot_recover(&ring, 1, &newest));
}

Test(slot, an_index_outside_is_broken_not_followed)
{
	struct slip__place place;
	a64_store_relaxed(&head, UINT64_C(7) << 16 | 4);
	cr_assert_eq(slip__slot_latest(&ring, &place), SLIP__BROKEN);
	a64_store_relaxed(&places[7 % SLOTS], UINT64_C(7) << 16 | 0xffff);
	cr_assert_eq(slip__slot_find(&ring, 7, &place), SLIP__BROKEN);
}

Test(slot, an_observer_notices_that_the_frame_went)
{
	claim_from(0, 0);
	slip__slot_publish(&ring, 0, 1, false, 1);
	struct slip__place place = {.seq = 1, .slot = 0};
	cr_assert(slip__slot_observe_begin(&ring, &place));
	cr_assert(slip__slot_observe_end(&ring, &place));
	claim_from(0, 0);
	cr_assert_not(slip__slot_observe_end(&ring, &place));
}

Test(slot, clearing_a_reader_leaves_the_others)
{
	for (uint32_t s = 0; s < SLOTS; s++)
		a64_store_relaxed(slip__pins(&ring, s), 7);
	slip__slot_clear_dead(&ring, 2);
	slip__slot_clear_own(&ring, 4);
	for (uint32_t s = 0; s < SLOTS; s++)
		cr_assert_eq(pins(s), 1);
}

static void *free_slot_2(void *context)
{
	pause_ms(20);
	slip__slot_release(&ring, 2, 1);
	return context;
}

Test(slot, a_claim_passes_again_over_slots_that_were_marked_for_a_moment)
{
	for (uint32_t s = 0; s < SLOTS; s++)
		a64_or_relaxed(slip__pins(&ring, s), 1);
	pthread_t thread;
	cr_assert_eq(pthread_create(&thread, NULL, free_slot_2, NULL), 0);
	const struct slip__claim claim = {.order = ORDER, .count = SLOTS, .head = 1, .history = 1, .passes = UINT32_MAX};
	cr_assert_eq(slip__slot_claim(&ring, &claim), 2);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	/* As many passes as are asked for, and no more: this one ends. */
	cr_assert_eq(claim_from(1, 1), SLIP__NO_SLOT);
}

Test(slot, a_claim_tries_the_slots_that_it_is_given_and_no_others)
{
	a64_or_relaxed(slip__pins(&ring, 0), 1);
	a64_or_relaxed(slip__pins(&ring, 1), 1);
	/* The order goes on behind its count, and the history is longer than it. */
	const struct slip__claim claim = {.order = ORDER, .count = 2, .head = 0, .history = SLOTS, .passes = 2};
	cr_assert_eq(slip__slot_claim(&ring, &claim), SLIP__NO_SLOT);
	cr_assert_eq(pins(2), 0);
}

Test(slot, a_change_without_a_frame_tells_whether_somebody_sleeps)
{
	uint32_t expected;
	cr_assert_not(slip__slot_bump(&ring, 1));
	cr_assert(slip__slot_may_sleep(&ring, slip__slot_fw(&ring), &expected));
	cr_assert(slip__slot_bump(&ring, 2));
	cr_assert_eq(slip__slot_fw(&ring), 4);
	cr_assert_not(slip__slot_bump(&ring, 3));
}

/* A ring at rest: frames up to last, from seq 1 or so that all slots are taken; the newest in slot 0. */
static void fill_ring(uint64_t last)
{
	for (uint32_t s = 0; s < SLOTS && s < last; s++) {
		a64_store_relaxed(slip__seq(&ring, s), last - s);
		a64_store_relaxed(&places[(last - s) % SLOTS], (last - s) << 16 | s);
	}
	a64_store_relaxed(&head, last << 16);
}

Test(slot, recovery_goes_through_every_slot_and_stays_inside)
{
	struct slip__place newest;
	fill_ring(6);
	/* Two that were being filled, the first among them; behind them one that is complete; and a neighbour that is none of the ring's. */
	a64_store_relaxed(slip__pins(&ring, 0), 0);
	a64_store_relaxed(slip__pins(&ring, 1), SLIP__PIN_WRITING);
	a64_store_relaxed(slip__pins(&ring, 2), SLIP__PIN_WRITING | SLIP__PIN_OWN);
	a64_store_relaxed(slip__seq(&ring, 3), 7);
	a64_store_relaxed(slip__pins(&ring, SLOTS), SLIP__PIN_WRITING | SLIP__PIN_OWN | 1);
	cr_assert(slip__slot_recover(&ring, 1, &newest));
	for (uint32_t s = 0; s < SLOTS; s++)
		cr_assert_eq(pins(s), 0);
	cr_assert_eq(seq(1), 0);
	cr_assert_eq(seq(2), 0);
	cr_assert_eq(newest.seq, 7);
	cr_assert_eq(newest.slot, 3);
	cr_assert_eq(a64_load_relaxed(&head), UINT64_C(7) << 16 | 3);
	cr_assert_eq(pins(SLOTS), SLIP__PIN_WRITING | SLIP__PIN_OWN | 1);
	/* A slot that is empty is no end. */
	a64_store_relaxed(slip__seq(&ring, 2), 8);
	cr_assert(slip__slot_recover(&ring, 1, &newest));
	cr_assert_eq(newest.seq, 8);
}

Test(slot, recovery_of_an_empty_ring_leaves_it_empty)
{
	struct slip__place newest;
	cr_assert(slip__slot_recover(&ring, 9, &newest));
	cr_assert_eq(newest.seq, 8);
	cr_assert_eq(a64_load_relaxed(&head), 0);
	cr_assert_eq(a64_load_relaxed(&places[0]), 0);
}

Test(slot, recovery_links_the_first_frame_of_a_ring)
{
	struct slip__place newest;
	a64_store_relaxed(slip__seq(&ring, 2), 9); /* died before ring and head */
	cr_assert(slip__slot_recover(&ring, 9, &newest));
	cr_assert_eq(newest.seq, 9);
	cr_assert_eq(newest.slot, 2);
	cr_assert_eq(a64_load_relaxed(&head), UINT64_C(9) << 16 | 2);
	/* Words that no writer leaves, the newest number twice: head says which it is. */
	a64_store_relaxed(slip__seq(&ring, 3), 9);
	cr_assert(slip__slot_recover(&ring, 9, &newest));
	cr_assert_eq(newest.slot, 2);
}

Test(slot, recovery_takes_the_last_number_that_there_is)
{
	struct slip__place newest;
	fill_ring(SLIP__SEQ_MAX - 1);
	a64_store_relaxed(slip__seq(&ring, 3), SLIP__SEQ_MAX);
	cr_assert(slip__slot_recover(&ring, 1, &newest));
	cr_assert_eq(newest.seq, SLIP__SEQ_MAX);
}

Test(slot, recovery_refuses_numbers_just_outside)
{
	struct slip__place newest;
	fill_ring(6);
	a64_store_relaxed(slip__seq(&ring, 3), 8); /* two after head's */
	cr_assert_not(slip__slot_recover(&ring, 1, &newest));
	fill_ring(6);
	cr_assert_not(slip__slot_recover(&ring, 4, &newest)); /* slot 3 has 3, from before the ring's first */
	cr_assert(slip__slot_recover(&ring, 3, &newest));
	/* Head in the slot after the last, whose words would do. */
	a64_store_relaxed(slip__seq(&ring, SLOTS), 6);
	a64_store_relaxed(&head, UINT64_C(6) << 16 | SLOTS);
	cr_assert_not(slip__slot_recover(&ring, 1, &newest));
}

Test(slot, the_slot_after_the_last_is_none)
{
	struct slip__place place;
	a64_store_relaxed(&head, UINT64_C(1) << 16 | SLOTS);
	cr_assert_eq(slip__slot_latest(&ring, &place), SLIP__BROKEN);
	a64_store_relaxed(&places[1], UINT64_C(1) << 16 | SLOTS);
	cr_assert_eq(slip__slot_find(&ring, 1, &place), SLIP__BROKEN);
	a64_store_relaxed(slip__pins(&ring, SLOTS), 3);
	slip__slot_clear_dead(&ring, 1);
	slip__slot_clear_own(&ring, 2);
	cr_assert_eq(pins(SLOTS), 3);
}
