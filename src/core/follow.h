/*
 * follow.h - a reader's way along a channel: attaching, and from ring to ring through restarts, growth and closes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_FOLLOW_H
#define SLIP_CORE_FOLLOW_H

#include "lease.h"
#include "mode.h"

/* What one handle knows of one channel. */
struct slip__reading {
	struct slip__reader_channel common; /* first */
	slip_reader_options options;
	struct slip__seat *seat; /* NULL while not attached */
	bool closed;		 /* the last writer closed the channel, and no other has come */
	bool in_order;
	uint64_t epoch;	   /* of what follows */
	uint64_t last_seq; /* the last one had, or the one before the first that may be had */
	uint64_t got;
	uint64_t missed;
	uint64_t generations;
	uint64_t ages[SLIP_AGE_BUCKETS];
	int64_t aged_ns;   /* publish stamp of the frame whose age was counted last */
	int64_t next_look; /* CLOCK_MONOTONIC ns, by the coarse clock */
	bool found_dead;   /* at the last look nobody held the writer's byte */
};

enum slip__following {
	SLIP__NEWEST_FOUND,
	SLIP__NEWEST_NONE,  /* a ring stands, but has no frame; or none that this handle has not had, if only such count */
	SLIP__NEWEST_FAILED /* errno and detail: ENOENT, EPIPE, EUSERS, EBADMSG, ... */
};

/* What the newest frame is asked for. */
enum slip__asking {
	SLIP__ASK_TO_TAKE, /* it, whether this handle had it or not */
	SLIP__ASK_ABOUT,   /* the same, but not to take it: a handle that reads in order stays where it has frames to read */
	SLIP__ASK_NEWS	   /* one that this handle has not had; it stays with a ring that has one */
};

/* The newest frame's place, after following the channel to where it is written now; attaches if need be. */
enum slip__following slip__follow_newest(struct slip__reading *c, enum slip__asking asking, struct slip__place *place);

/* Attaches to what stands under the name. ENOENT: there is no channel; EPIPE: its writer closed it. */
int slip__follow_attach(struct slip__reading *c);

/* Whether the writer of the channel lives, though this handle may not have followed it to its present ring. Attached. */
bool slip__follow_written(const struct slip__reading *c);

/* Shows the handle's counters in the reader table; nobody is disturbed. */
void slip__follow_show(const struct slip__reading *c);

/* Fails with EBADMSG: a place that cannot be. */
int slip__follow_broken(const struct slip__reading *c, const struct slip__place *place);

static inline const struct slip__ring *slip__reading_ring(const struct slip__reading *c)
{
	return &slip__seat_segment(c->seat)->ring;
}

#endif
