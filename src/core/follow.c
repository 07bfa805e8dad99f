/* SPDX-License-Identifier: Apache-2.0 */
#include "follow.h"

#include "error.h"
#include "liveness.h"

#include <errno.h>

enum {
	LOOK_NS = 1000000000, /* how often a reader without news looks whether its writer lives and its ring is still the one */
	SIT_ROUNDS = 16	      /* how often in a row a ring may be replaced while we sit down at it */
};

void slip__follow_show(const struct slip__reading *c)
{
	struct slip__reader_entry *entry = slip__seat_entry(c->seat);
	if (entry == NULL)
		return;
	a64_store_relaxed(&entry->got, c->got);
	a64_store_relaxed(&entry->missed, c->missed);
	a64_store_relaxed(&entry->last_seq, c->got > 0 ? c->last_seq : 0);
}

static void sit(struct slip__reading *c, struct slip__seat *seat)
{
	const struct slip__geometry *geometry = &slip__seat_segment(seat)->geometry;
	slip__seat_leave(c->seat);
	c->seat = seat;
	c->closed = false;
	c->generations++;
	/* Said before the newest frame is looked up: those after it are then kept. */
	if (c->in_order)
		slip__seat_reads_in_order(seat);
	if (c->epoch != geometry->epoch) {
		/* A handle that goes on reads a new epoch from its first frame; a fresh one from the newest that is there when it attaches. */
		struct slip__place place;
		bool some = slip__slot_latest(&slip__seat_segment(seat)->ring, &place) == SLIP__FOUND && place.seq >= geometry->first_seq;
		c->last_seq = c->epoch != 0 ? 0 : (some ? place.seq : geometry->first_seq) - 1;
		c->epoch = geometry->epoch;
	}
	struct slip__reader_entry *entry = slip__seat_entry(seat);
	for (int i = 0; entry != NULL && i < SLIP_AGE_BUCKETS; i++)
		a64_store_relaxed(&entry->ages[i], c->ages[i]);
	slip__follow_show(c);
	slip__seat_show(seat);
}

static int absent(const struct slip__reading *c)
{
	const slip_channel_name *name = &c->common.name;
	if (c->closed)
		return slip__fail(EPIPE, "the writer closed %s/%s; nothing newer is there until one comes", name->base, name->channel);
	if (!slip__os_has_directory())
		return slip__fail(ENOENT, "there is no channel %s/%s, because there is no directory %s", name->base, name->channel,
				  slip__os_directory());
	return slip__fail(ENOENT, "there is no channel %s/%s (yet); start its writer, or wait with slip_wait_for_array", name->base,
			  name->channel);
}

/* Whether anything stands under the channel's name. */
static bool stands(const struct slip__reading *c)
{
	char object[SLIP_OBJECT_MAX];
	struct slip__file file;
	slip__object_name(&c->common.name, SLIP__OBJECT_CONTROL, 0, object);
	int fd = slip__os_open(object, SLIP__READ_ONLY, &file);
	bool something = fd >= 0 || errno != ENOENT;
	slip__os_close(fd);
	return something;
}

/* A seat at what stands under the name now. A ring that is replaced while we sit down is no channel that was closed. */
static struct slip__seat *take_seat(const struct slip__reading *c)
{
	struct slip__seat *seat = NULL;
	for (int round = 0; seat == NULL && round < SIT_ROUNDS; round++) {
		seat = slip__seat_take(&c->common.name, c->options.observer != 0, c->options.prefault != 0);
		if (seat == NULL && (errno != ENOENT || !stands(c)))
			return NULL;
	}
	if (seat == NULL)
		errno = ENOENT;
	return seat;
}

int slip__follow_attach(struct slip__reading *c)
{
	struct slip__seat *seat = take_seat(c);
	if (seat == NULL)
		return errno == ENOENT ? absent(c) : -1;
	sit(c, seat);
	return 0;
}

/*
 * The present ring has ended. drained: it has nothing more for the caller. Goes over to the next one if there is one and, unless drained, it has
 * a frame; nor does one that asks for a frame which it may have had leave this ring for one of the same epoch that is empty.
 * 1: moved. 0: stay here. -1: nothing will come here, and nothing is there (EPIPE), or attaching failed.
 */
static int follow(struct slip__reading *c, enum slip__asking asking, bool drained)
{
	const struct slip__segment *here = slip__seat_segment(c->seat);
	struct slip__identity identity = here->identity;
	char object[SLIP_OBJECT_MAX];
	slip__object_name(&c->common.name, SLIP__OBJECT_CONTROL, 0, object);
	/* Closed or retired, but its name still leads here. A second place in the same table may not be had. */
	int leads = slip__os_leads_to(object, identity);
	if (leads != 0) {
		if (leads < 0 || !drained || slip__liveness_writer_alive(here))
			return 0; /* a moment later it will lead elsewhere, or can be looked at */
		c->closed = true; /* the writer died while it closed the channel */
		return absent(c);
	}
	struct slip__seat *seat = take_seat(c);
	if (seat == NULL) {
		if (!drained)
			return 0;
		if (errno != ENOENT)
			return -1;
		/* The name leads nowhere: closed, or retired by a writer whose next ring was removed since. */
		c->closed = true;
		slip__seat_leave(c->seat);
		c->seat = NULL;
		return absent(c);
	}
	const struct slip__segment *there = slip__seat_segment(seat);
	struct slip__place place;
	bool same = there->identity.device == identity.device && there->identity.inode == identity.inode;
	bool keeps = !drained || (asking != SLIP__ASK_NEWS && there->geometry.epoch == c->epoch &&
				  slip__slot_latest(&here->ring, &place) == SLIP__FOUND);
	if (same || (keeps && slip__slot_latest(&there->ring, &place) == SLIP__NONE)) {
		slip__seat_leave(seat);
		return 0;
	}
	sit(c, seat);
	return 1;
}

/* Looks up, once a second at most, whether the writer lives; returns whether the name still leads to our ring. */
static bool look_up(struct slip__reading *c)
{
	int64_t now = slip__os_now_coarse();
	if (now < c->next_look)
		return true;
	c->next_look = now + LOOK_NS;
	const struct slip__segment *s = slip__seat_segment(c->seat);
	char object[SLIP_OBJECT_MAX];
	slip__object_name(&c->common.name, SLIP__OBJECT_CONTROL, 0, object);
	c->found_dead = !slip__liveness_writer_alive(s);
	return slip__os_leads_to(object, s->identity) != 0;
}

/* Whether the ring that we read has ended: by its own word, or because the name leads elsewhere. */
static bool has_ended(struct slip__reading *c)
{
	const struct slip__segment *s = slip__seat_segment(c->seat);
	return a32_load_acquire(&s->header->state) != 0 || !look_up(c); /* @STATE */
}

int slip__follow_broken(const struct slip__reading *c, const struct slip__place *place)
{
	return slip__fail(EBADMSG, "%s/%s leads to slot %u of %u for seq %llu: its control was damaged", c->common.name.base,
			  c->common.name.channel, place->slot, slip__seat_segment(c->seat)->geometry.slots, (unsigned long long)place->seq);
}

bool slip__follow_written(const struct slip__reading *c)
{
	const struct slip__segment *here = slip__seat_segment(c->seat);
	struct slip__segment named;
	char object[SLIP_OBJECT_MAX];
	slip__object_name(&c->common.name, SLIP__OBJECT_CONTROL, 0, object);
	if (slip__os_leads_to(object, here->identity) != 0)
		return slip__liveness_writer_alive(here);
	if (slip__segment_open(&c->common.name, NULL, SLIP__VIEW_CONTROL, &named) != 0)
		return false;
	bool alive = slip__liveness_writer_alive(&named);
	slip__segment_close(&named);
	return alive;
}

/* With news here: the next ring does not have what slip_next has yet to give from this one. */
static bool stays(const struct slip__reading *c, enum slip__asking asking)
{
	return asking == SLIP__ASK_NEWS || (asking == SLIP__ASK_ABOUT && c->in_order);
}

enum slip__following slip__follow_newest(struct slip__reading *c, enum slip__asking asking, struct slip__place *place)
{
	if (c->seat == NULL && slip__follow_attach(c) != 0)
		return SLIP__NEWEST_FAILED;
	for (;;) {
		enum slip__found found = slip__slot_latest(slip__reading_ring(c), place);
		if (found == SLIP__BROKEN) {
			slip__follow_broken(c, place);
			return SLIP__NEWEST_FAILED;
		}
		bool fresh = found == SLIP__FOUND && place->seq > c->last_seq;
		if (fresh && stays(c, asking))
			return SLIP__NEWEST_FOUND;
		bool ended = fresh ? a32_load_acquire(&slip__seat_segment(c->seat)->header->state) != 0 : has_ended(c); /* @STATE */
		if (ended) {
			/* The state was set after the last frame: look at head once more before calling the ring drained. */
			found = slip__slot_latest(slip__reading_ring(c), place);
			fresh = found == SLIP__FOUND && place->seq > c->last_seq;
			if (fresh && stays(c, asking))
				return SLIP__NEWEST_FOUND;
			int moved = follow(c, asking, !fresh);
			if (moved < 0)
				return SLIP__NEWEST_FAILED;
			if (moved > 0)
				continue;
		}
		if (found == SLIP__FOUND && (fresh || asking != SLIP__ASK_NEWS))
			return SLIP__NEWEST_FOUND;
		return SLIP__NEWEST_NONE;
	}
}
