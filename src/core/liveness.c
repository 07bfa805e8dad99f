/* SPDX-License-Identifier: Apache-2.0 */
#include "liveness.h"

#include "error.h"

#include <errno.h>

enum { TAKE_ROUNDS = 8, ROUND_NS = 200000 };

void *slip__liveness_take_writer(const struct slip__segment *segment, enum slip__object_kind kind)
{
	char object[SLIP_OBJECT_MAX];
	slip__object_name(&segment->name, kind, segment->geometry.id, object);
	return slip__os_anchor(object, segment->identity, SLIP__BYTE_WRITER);
}

bool slip__liveness_writer_alive(const struct slip__segment *segment)
{
	return slip__os_is_locked(segment->fd, SLIP__BYTE_WRITER) != 0;
}

static void *take_byte(const struct slip__segment *segment, uint32_t reader)
{
	char object[SLIP_OBJECT_MAX];
	slip__object_name(&segment->name, SLIP__OBJECT_CONTROL, 0, object);
	return slip__os_anchor(object, segment->identity, SLIP__BYTE_READER + reader);
}

static void clear_entry(const struct slip__segment *segment, uint32_t reader)
{
	struct slip__reader_entry *entry = slip__segment_reader(segment, reader);
	a64_and_relaxed(&segment->header->in_order, ~(UINT64_C(1) << reader));
	a64_and_relaxed(&segment->header->attached, ~(UINT64_C(1) << reader));
	a32_store_relaxed(&entry->pid, 0);
	a32_store_relaxed(&entry->flags, 0);
}

static void fill_entry(const struct slip__segment *segment, uint32_t reader)
{
	struct slip__reader_entry *entry = slip__segment_reader(segment, reader);
	clear_entry(segment, reader);
	a64_store_relaxed(&entry->got, 0);
	a64_store_relaxed(&entry->missed, 0);
	a64_store_relaxed(&entry->last_seq, 0);
	a64_store_relaxed(&entry->attached_ns, (uint64_t)slip__os_now());
	for (int i = 0; i < SLIP_AGE_BUCKETS; i++)
		a64_store_relaxed(&entry->ages[i], 0);
	a32_store_relaxed(&entry->pid, slip__os_pid());
}

void slip__liveness_show_reader(const struct slip__segment *segment, uint32_t reader)
{
	a64_or_release(&segment->header->attached, UINT64_C(1) << reader); /* @ATTACHED: where it begins, and that it reads in order */
}

static void *take_any(const struct slip__segment *segment, uint32_t *reader)
{
	for (uint32_t i = 0; i < segment->geometry.max_readers; i++) {
		/* Asking is cheaper than an anchor, and does not get in the way of others that try. */
		if (slip__os_is_locked(segment->fd, SLIP__BYTE_READER + i) != 0)
			continue;
		void *anchor = take_byte(segment, i);
		if (anchor != NULL) {
			*reader = i;
			return anchor;
		}
		if (errno != EAGAIN)
			return NULL;
	}
	errno = EUSERS;
	return NULL;
}

void *slip__liveness_take_reader(const struct slip__segment *segment, uint32_t *reader)
{
	void *anchor = take_any(segment, reader);
	/* Whoever clears up after a dead reader holds its byte for a moment; that is not a full table. */
	for (int round = 0; anchor == NULL && errno == EUSERS && round < TAKE_ROUNDS; round++) {
		(void)slip__os_sleep(ROUND_NS);
		anchor = take_any(segment, reader);
	}
	if (anchor == NULL) {
		if (errno != EUSERS)
			return NULL;
		char object[SLIP_OBJECT_MAX];
		slip__object_name(&segment->name, SLIP__OBJECT_CONTROL, 0, object);
		if (slip__os_leads_to(object, segment->identity) == 0) {
			errno = ENOENT;
			return NULL;
		}
		return slip__fail_null(EUSERS,
				       "%s/%s has its %u readers attached; open the writer with a larger max_readers, "
				       "or observe",
				       segment->name.base, segment->name.channel, segment->geometry.max_readers);
	}
	slip__slot_clear_own(&segment->ring, UINT64_C(1) << *reader);
	fill_entry(segment, *reader);
	/* A crowd of readers that was killed would otherwise keep its slots until the writer runs short of them. */
	(void)slip__liveness_reclaim(segment, slip__liveness_marked(segment) & ~(UINT64_C(1) << *reader));
	return anchor;
}

void slip__liveness_drop_reader(const struct slip__segment *segment, uint32_t reader, void *anchor)
{
	clear_entry(segment, reader);
	slip__os_anchor_drop(anchor);
}

uint64_t slip__liveness_reclaim(const struct slip__segment *segment, uint64_t bits)
{
	uint64_t alive = 0;
	/* Beyond the table there is no reader: whoever set such bits holds nothing by them, and nobody would ever clear them. */
	uint64_t beyond = bits & (SLIP__PIN_OWN - 1) & ~(UINT64_MAX >> (64 - segment->geometry.max_readers));
	if (__builtin_expect(beyond != 0, 0))
		slip__slot_clear_dead(&segment->ring, beyond);
	for (uint32_t i = 0; i < segment->geometry.max_readers; i++) {
		uint64_t bit = UINT64_C(1) << i;
		if (!(bits & bit))
			continue;
		/* Only while holding its byte: a newcomer could take the byte, and pin, between a look and the clearing. */
		void *anchor = slip__os_is_locked(segment->fd, SLIP__BYTE_READER + i) != 0 ? NULL : take_byte(segment, i);
		if (anchor == NULL) {
			alive |= bit;
			continue;
		}
		slip__slot_clear_dead(&segment->ring, bit);
		slip__liveness_drop_reader(segment, i, anchor);
	}
	return alive;
}

uint64_t slip__liveness_attached(const struct slip__segment *segment)
{
	/* Not from in_order, which a reader sets before it is settled where it begins. @ATTACHED: what is published from now on is kept for it */
	uint64_t attached = a64_load_acquire(&segment->header->attached);
	return slip__liveness_reclaim(segment, slip__liveness_marked(segment)) & attached;
}

uint64_t slip__liveness_marked(const struct slip__segment *segment)
{
	uint64_t bits = a64_load_relaxed(&segment->header->attached);
	bits |= a64_load_relaxed(&segment->header->in_order);
	for (uint32_t s = 0; s < segment->geometry.slots; s++)
		bits |= a64_load_relaxed(slip__pins(&segment->ring, s));
	return bits & ~(SLIP__PIN_OWN | SLIP__PIN_WRITING);
}
