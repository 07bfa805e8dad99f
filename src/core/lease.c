/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

#include "error.h"
#include "liveness.h"
#include "observe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of lease.state: how often the lease is shared, or this while its last release is on its way. */
#define RELEASING UINT32_C(0x80000000)

/* Of seat.users: more than leases will ever be released. */
#define HANDLE (UINT64_C(1) << 62)

struct lease {
	struct slip__frame frame; /* first */
	struct slip__frame_kind kind;
	struct slip__seat *seat;
	slip__a32 state;
};

struct slip__seat {
	struct slip__attachment *attachment;
	const struct slip__segment *segment;
	void *anchor; /* NULL: an observer's seat */
	uint64_t bit;
	uint32_t reader;
	uint32_t lease_limit;
	uint64_t process;
	/* Leases given; the getting thread's. A count that it shared with those who release would cost it a locked instruction a frame. */
	uint64_t given;
	/* HANDLE less the leases released; when the handle goes, HANDLE - given comes off, and who makes it 0 is the last. */
	slip__a64 users;
	struct lease leases[]; /* one a slot: a slot is leased once, and shared */
};

static const struct slip__frame_ops lease_ops;

struct slip__seat *slip__seat_take(const slip_channel_name *name, bool observer, bool prefault)
{
	struct slip__attachment *attachment = slip__registry_attach(name, observer ? SLIP__VIEW_OBSERVER : SLIP__VIEW_READER);
	if (attachment == NULL)
		return NULL;
	const struct slip__segment *segment = slip__registry_segment(attachment);
	uint32_t slots = observer ? 0 : segment->geometry.slots;
	struct slip__seat *seat = calloc(1, sizeof(*seat) + slots * sizeof(seat->leases[0]));
	if (seat == NULL) {
		slip__registry_detach(attachment);
		return slip__fail_null(ENOMEM, "no memory for a reader of %s/%s", name->base, name->channel);
	}
	seat->attachment = attachment;
	seat->segment = segment;
	seat->lease_limit = segment->geometry.leases_per_reader;
	seat->process = slip__os_process_token();
	a64_store_relaxed(&seat->users, HANDLE);
	for (uint32_t i = 0; i < slots; i++) {
		seat->leases[i].frame.ops = &lease_ops;
		seat->leases[i].frame.process = seat->process;
		seat->leases[i].seat = seat;
	}
	if (!observer) {
		seat->anchor = slip__liveness_take_reader(segment, &seat->reader);
		seat->bit = UINT64_C(1) << seat->reader;
		if (seat->anchor == NULL) {
			int err = errno;
			slip__registry_detach(attachment);
			free(seat);
			errno = err;
			return NULL;
		}
	}
	if (prefault)
		slip__segment_prefault(segment, false);
	return seat;
}

static void drop(struct slip__seat *seat, uint64_t users)
{
	if (a64_sub_acq_rel(&seat->users, users) != users) /* @SEAT @SEAT */
		return;
	if (seat->anchor != NULL)
		slip__liveness_drop_reader(seat->segment, seat->reader, seat->anchor);
	slip__registry_detach(seat->attachment);
	free(seat);
}

void slip__seat_leave(struct slip__seat *seat)
{
	if (seat != NULL)
		drop(seat, HANDLE - seat->given);
}

void slip__seat_abandon(struct slip__seat *seat)
{
	if (seat == NULL)
		return;
	/* The child's lease frames point into the seat, but no call takes them; its copy of the anchor's mapping does not exist. */
	slip__registry_detach(seat->attachment);
	free(seat);
}

const struct slip__segment *slip__seat_segment(const struct slip__seat *seat)
{
	return seat->segment;
}

struct slip__reader_entry *slip__seat_entry(const struct slip__seat *seat)
{
	return seat->anchor != NULL ? slip__segment_reader(seat->segment, seat->reader) : NULL;
}

void slip__seat_reads_in_order(const struct slip__seat *seat)
{
	if (seat->anchor == NULL)
		return;
	a32_store_relaxed(&slip__seat_entry(seat)->flags, SLIP__READER_IN_ORDER);
	a64_or_relaxed(&seat->segment->header->in_order, seat->bit);
}

void slip__seat_show(const struct slip__seat *seat)
{
	if (seat->anchor != NULL)
		slip__liveness_show_reader(seat->segment, seat->reader);
}

uint32_t slip__seat_leases(const struct slip__seat *seat)
{
	return (uint32_t)(seat->given - (HANDLE - a64_load_relaxed(&seat->users)));
}

/* What is at a place that this handle holds already. */
static enum slip__taken share(struct lease *lease, const struct slip__place *place, struct slip__frame **frame)
{
	uint32_t state = a32_load_acquire(&lease->state); /* @SHARE */
	for (;;) {
		if (state == 0)
			return SLIP__REFUSED;
		if (state == RELEASING) {
			/* Another thread is between its last release and letting the slot go: a few instructions. */
			cpu_relax();
			(void)slip__os_sleep(0);
			state = a32_load_acquire(&lease->state); /* @SHARE */
			continue;
		}
		if (lease->frame.view.seq != place->seq) {
			slip__fail(EBADMSG, "the ring says that slot %u has seq %llu while this reader holds seq %llu in it", place->slot,
				   (unsigned long long)place->seq, (unsigned long long)lease->frame.view.seq);
			return SLIP__TAKE_FAILED;
		}
		if (a32_cas_acq_rel(&lease->state, &state, state + 1)) { /* @SHARE @SHARE */
			*frame = &lease->frame;
			return SLIP__TAKEN;
		}
	}
}

/* Reads what is under our pin. */
static int look(const struct slip__seat *seat, const struct slip__place *place, struct lease *lease)
{
	slip_frame *view = &lease->frame.view;
	const struct slip__slot *slot = slip__segment_slot(seat->segment, place->slot);
	if (slip__frame_read_again(slot, seat->segment->geometry.capacity, &lease->kind, view) != 0)
		return -1;
	view->data = slip__segment_bytes(seat->segment, place->slot);
	view->epoch = seat->segment->geometry.epoch;
	view->seq = place->seq;
	view->missed = 0;
	return 0;
}

static enum slip__taken pin(struct slip__seat *seat, const struct slip__place *place, struct slip__frame **frame)
{
	struct lease *lease = &seat->leases[place->slot];
	/* Before pinning: the writer counts on there never being more. */
	if (slip__seat_leases(seat) >= seat->lease_limit) {
		slip__fail(EMFILE, "this reader holds %u frames of %s/%s, as many as the writer's leases_per_reader allows: release one",
			   seat->lease_limit, seat->segment->name.base, seat->segment->name.channel);
		return SLIP__TAKE_FAILED;
	}
	if (!slip__slot_pin(&seat->segment->ring, place, seat->bit))
		return SLIP__REFUSED;
	if (look(seat, place, lease) != 0) {
		slip__slot_release(&seat->segment->ring, place->slot, seat->bit);
		return SLIP__TAKE_FAILED;
	}
	seat->given++;
	a32_store_release(&lease->state, 1); /* @SHARE */
	*frame = &lease->frame;
	return SLIP__TAKEN;
}

static enum slip__taken observed(int result)
{
	return result > 0 ? SLIP__TAKEN : result == 0 ? SLIP__REFUSED : SLIP__TAKE_FAILED;
}

enum slip__taken slip__seat_lease(struct slip__seat *seat, const struct slip__place *place, struct slip__frame **frame)
{
	if (seat->anchor == NULL)
		return observed(slip__observe_copy(seat->segment, place, frame));
	struct lease *lease = &seat->leases[place->slot];
	if (a32_load_acquire(&lease->state) != 0) { /* @SHARE */
		enum slip__taken shared = share(lease, place, frame);
		if (shared != SLIP__REFUSED)
			return shared;
	}
	return pin(seat, place, frame);
}

enum slip__taken slip__seat_peek(struct slip__seat *seat, const struct slip__place *place, slip_frame *view)
{
	/* A description fits the observer's way for everybody: it takes no lease, so that the lease limit plays no part. */
	return observed(slip__observe_describe(seat->segment, place, view));
}

static int release(struct slip__frame *frame)
{
	struct lease *lease = (struct lease *)(void *)frame;
	struct slip__seat *seat = lease->seat;
	uint32_t state = a32_load_relaxed(&lease->state);
	for (;;) {
		if (state == 0 || state == RELEASING)
			return slip__frame_not_held();
		uint32_t next = state == 1 ? RELEASING : state - 1;
		if (a32_cas_acq_rel(&lease->state, &state, next)) { /* @SHARE @SHARE */
			if (next != RELEASING)
				return 0;
			break;
		}
	}
	uint32_t slot = (uint32_t)(lease - seat->leases);
	slip__slot_release(&seat->segment->ring, slot, seat->bit);
	/* Only now may the getting thread pin the slot again: our bit would otherwise be wiped under it. */
	a32_store_release(&lease->state, 0); /* @SHARE */
	drop(seat, 1);
	return 0;
}

static const struct slip__frame_ops lease_ops = {.release = release};
