/*
 * lease.h - a reader's seat at a ring, and the frames that it holds there.
 *
 * A seat is a reader's byte, its place in the table and its bit in the pins words. It lives as long as its handle or one of its leases.
 * Taking is one thread's at a time; releasing any thread's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_LEASE_H
#define SLIP_CORE_LEASE_H

#include "frame.h"
#include "registry.h"

struct slip__seat;

/*
 * Attaches to what stands under the name now. A seat for an observer has no byte and marks nothing. NULL as slip__registry_attach
 * and slip__liveness_take_reader fail; ENOENT also where the name changed hands meanwhile.
 */
struct slip__seat *slip__seat_take(const slip_channel_name *name, bool observer, bool prefault);

/* The handle's leave; what is held stays. */
void slip__seat_leave(struct slip__seat *seat);
/* In a forked child: frees memory alone. */
void slip__seat_abandon(struct slip__seat *seat);

const struct slip__segment *slip__seat_segment(const struct slip__seat *seat);
/* NULL for an observer. */
struct slip__reader_entry *slip__seat_entry(const struct slip__seat *seat);
void slip__seat_reads_in_order(const struct slip__seat *seat);
/* Once all else about it is known: slip__liveness_show_reader. */
void slip__seat_show(const struct slip__seat *seat);
uint32_t slip__seat_leases(const struct slip__seat *seat);

enum slip__taken {
	SLIP__TAKEN,
	SLIP__REFUSED,	  /* the place holds another frame by now */
	SLIP__TAKE_FAILED /* errno and detail: EMFILE, EBADMSG, ENOMEM */
};

/* The frame at a place, as a lease; view.missed is the caller's to set. */
enum slip__taken slip__seat_lease(struct slip__seat *seat, const struct slip__place *place, struct slip__frame **frame);

/* What describes the frame at a place, without a lease that lasts. */
enum slip__taken slip__seat_peek(struct slip__seat *seat, const struct slip__place *place, slip_frame *view);

#endif
