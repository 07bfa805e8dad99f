/*
 * The slot protocol over one mapping, so that ThreadSanitizer sees every access: a writer with plain stores, readers with plain loads. A
 * missing order is a data race here.
 */
#include "atomic.h"
#include "private_ring.h"
#include "support.h"

#include <pthread.h>

enum { READERS = 4, GUESSER = READERS - 1, SLOTS = READERS + 4, CELLS = 8, FRAMES = 40000, KEEP = 8, LAST_KEPT = SLOTS + 1 };

PRIVATE_RING(SLOTS, 8);
static uint64_t payload[SLOTS][CELLS];
static slip__a64 verified;

static void check_payload(const struct slip__place *place)
{
	for (int i = 0; i < CELLS; i++)
		CHECK(payload[place->slot][i] == place->seq);
	atomic_fetch_add_explicit(&verified, 1, memory_order_relaxed);
}

static void *read_ring(void *number)
{
	uint64_t bit = UINT64_C(1) << (uintptr_t)number;
	bool in_order = (uintptr_t)number % 2 == 0;
	uint64_t last = 0;
	while (last < FRAMES) {
		struct slip__place place;
		if (slip__slot_latest(&ring, &place) != SLIP__FOUND)
			continue;
		if (in_order && last > 0 && place.seq > last) {
			enum slip__found found = slip__slot_find(&ring, last + 1, &place);
			CHECK(found != SLIP__NONE); /* head is past it */
			if (found != SLIP__FOUND) {
				last++;
				continue;
			}
		}
		if (place.seq <= last || !slip__slot_pin(&ring, &place, bit)) {
			last += in_order && place.seq == last + 1;
			continue;
		}
		check_payload(&place);
		CHECK(place.seq > last);
		last = place.seq;
		slip__slot_release(&ring, place.slot, bit);
	}
	return NULL;
}

/*
 * Knows of a frame by nothing but its slot's seq, a relaxed load: neither head nor ring lends it their order, so that the pin's own, with the clearing of
 * WRITING, is all that makes the payload visible.
 */
static void *guess(void *number)
{
	uint64_t bit = UINT64_C(1) << (uintptr_t)number;
	struct slip__place place = {.seq = 0, .slot = 0};
	while (place.seq < FRAMES) {
		place.slot = (place.slot + 1) % SLOTS;
		place.seq = a64_load_relaxed(slip__seq(&ring, place.slot));
		if (place.seq == 0 || !slip__slot_pin(&ring, &place, bit))
			continue;
		check_payload(&place);
		slip__slot_release(&ring, place.slot, bit);
	}
	return NULL;
}

/* The slot that the writer kept, plus 1; 0: none. Another of its threads looks at the frame and ends the lease: the way back is the slot's pins alone. */
static slip__a32 kept;

static void *read_kept(void *context)
{
	uint32_t slot;
	while ((slot = a32_load_acquire(&kept)) != LAST_KEPT) {
		if (slot == 0)
			continue;
		for (int i = 1; i < CELLS; i++)
			CHECK(payload[slot - 1][i] == payload[slot - 1][0]);
		a32_store_relaxed(&kept, 0);
		slip__slot_drop_own(&ring, slot - 1);
	}
	return context;
}

int main(void)
{
	pthread_t keeper;
	pthread_t threads[READERS];
	uint16_t order[SLOTS];
	for (uint16_t i = 0; i < SLOTS; i++)
		order[i] = i;
	for (uintptr_t i = 0; i < READERS; i++)
		pthread_create(&threads[i], NULL, i == GUESSER ? guess : read_ring, (void *)i);
	pthread_create(&keeper, NULL, read_kept, NULL);
	for (uint64_t q = 1; q <= FRAMES; q++) {
		const bool keep = q % KEEP == 0 && a32_load_relaxed(&kept) == 0;
		const struct slip__claim claim = {
			.order = order, .count = SLOTS, .head = q > 1, .history = (uint32_t)(q % 3) + 1, .passes = READERS + 1};
		int32_t slot = slip__slot_claim(&ring, &claim);
		CHECK(slot != SLIP__NO_SLOT); /* N = L + W + 1; W: the loan, one kept, and one that the keeper is about to end */
		for (int i = 0; i < CELLS; i++)
			payload[slot][i] = q;
		slip__slot_publish(&ring, (uint32_t)slot, q, keep, (uint32_t)q);
		if (keep)
			a32_store_release(&kept, (uint32_t)slot + 1);
		uint32_t at = 0;
		while (order[at] != slot)
			at++;
		memmove(&order[1], &order[0], at * sizeof(order[0]));
		order[0] = (uint16_t)slot;
	}
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	while (a32_load_relaxed(&kept) != 0)
		;
	a32_store_release(&kept, LAST_KEPT);
	pthread_join(keeper, NULL);
	printf("%d frames, %llu verified by %d readers, a slot always found\n", FRAMES, (unsigned long long)a64_load_relaxed(&verified),
	       READERS);
	return 0;
}
