/*
 * choose.c - which slot the next frame goes into. Policy: the protocol holds whatever is chosen.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "choose.h"

#include "liveness.h"

#include <string.h>

/*
 * Frames from here on are copied for so long (10 us and more) that a look at each reader in order, a cache line each, is nothing beside it;
 * smaller ones stay in the cache with the whole ring.
 */
enum { LARGE_FRAME = 256 << 10 };

/* What readers in order show of themselves, in the reader table. Hints, as all that stands there. */
struct progress {
	uint64_t unread; /* newest frames that some of them has not had: those before are of use to nobody */
	uint64_t missed; /* frames that they found gone, in all */
};

static struct progress progress_of(const struct slip__generation *g, uint64_t in_order)
{
	uint64_t newest = g->next_seq - 1;
	uint64_t had = newest;
	struct progress all = {0};
	for (uint64_t bits = in_order & (UINT64_MAX >> (64 - g->segment.geometry.max_readers)); bits != 0; bits &= bits - 1) {
		const struct slip__reader_entry *entry = slip__segment_reader(&g->segment, (uint32_t)__builtin_ctzll(bits));
		uint64_t last = a64_load_relaxed(&entry->last_seq);
		if (last < had)
			had = last;
		all.missed += a64_load_relaxed(&entry->missed);
	}
	all.unread = newest - had;
	return all;
}

/*
 * Readers that lose every second frame cannot keep up, and more frames to choose from only make them later: each is out of the cache by the
 * time it is read, which makes them slower still (docs/performance.md). Until they have lost none for a while the ring keeps to half of the
 * cache. One that has stopped reading finds out later what it missed, and keeps the whole ring.
 */
static uint32_t settle_overload(struct slip__choice *c, const struct slip__geometry *geometry, uint64_t missed)
{
	enum { QUIET_WINDOWS = 8 };
	if (++c->claims >= 2 * geometry->slots) {
		const uint64_t lost = missed - c->missed;
		c->quiet = lost == 0 ? c->quiet + 1 : 0;
		if (lost >= geometry->slots)
			c->overloaded = true;
		else if (c->quiet >= QUIET_WINDOWS)
			c->overloaded = false;
		c->missed = missed;
		c->claims = 0;
	}
	const uint64_t fit = c->cache_bytes / 2 / geometry->slot_stride;
	return c->overloaded && fit < geometry->slots ? (fit > 2 ? (uint32_t)fit - 1 : 1) : geometry->slots - 1;
}

/*
 * How many of the newest frames to leave for readers in order: behind them the slot that was filled last is the one that may still be in
 * the cache. Readers' hints; a wrong one costs them history or us cache, nothing else.
 */
static uint32_t history(struct slip__choice *c, const struct slip__generation *g)
{
	const struct slip__geometry *geometry = &g->segment.geometry;
	if (geometry->history != 0)
		return geometry->history;
	uint64_t in_order = a64_load_relaxed(&g->segment.header->in_order);
	if (in_order == 0)
		return 1;
	if (geometry->capacity < LARGE_FRAME)
		return geometry->slots - 1;
	const struct progress readers = progress_of(g, in_order);
	const uint32_t most = settle_overload(c, geometry, readers.missed);
	return readers.unread > most ? most : readers.unread > 1 ? (uint32_t)readers.unread : 1;
}

static int32_t claim(struct slip__choice *c, struct slip__generation *g)
{
	g->history = history(c, g);
	const struct slip__claim claim = {
		.order = g->order,
		.count = g->segment.geometry.slots,
		.head = g->has_head ? 1 : 0,
		.history = g->history,
		.passes = g->segment.geometry.max_readers + 1,
	};
	return slip__slot_claim(&g->segment.ring, &claim);
}

int32_t slip__choose_slot(struct slip__choice *c, struct slip__generation *g)
{
	int32_t slot = claim(c, g);
	if (slot != SLIP__NO_SLOT)
		return slot;
	/* Under pressure it is worth asking whether the holders still live. */
	uint64_t holders = slip__liveness_marked(&g->segment);
	return slip__liveness_reclaim(&g->segment, holders) != holders ? claim(c, g) : SLIP__NO_SLOT;
}

static uint32_t place_of(const struct slip__generation *g, uint32_t slot)
{
	uint32_t at = 0;
	while (g->order[at] != slot)
		at++;
	return at;
}

void slip__choose_emptied(struct slip__generation *g, uint32_t slot)
{
	uint32_t count = g->segment.geometry.slots;
	uint32_t at = place_of(g, slot);
	memmove(&g->order[at], &g->order[at + 1], (count - 1 - at) * sizeof(g->order[0]));
	g->order[count - 1] = (uint16_t)slot;
}

void slip__choose_published(struct slip__generation *g, uint32_t slot)
{
	memmove(&g->order[1], &g->order[0], place_of(g, slot) * sizeof(g->order[0]));
	g->order[0] = (uint16_t)slot;
	g->has_head = true;
	if (g->history < g->segment.geometry.slots)
		slip__segment_expect_fill(&g->segment, g->order[g->history]); /* the next one, most likely */
}
