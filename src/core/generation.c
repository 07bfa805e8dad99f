/* SPDX-License-Identifier: Apache-2.0 */
#include "generation.h"

#include "error.h"
#include "leftover.h"
#include "liveness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPEN_ROUNDS = 1000,
	MAKE_ROUNDS = 16,
	BUSY_ROUNDS = 10, /* the kernel lets go of a killed writer's lock a few milliseconds after its death */
	BUSY_NS = 1000000
};

static void bump(struct slip__generation *g)
{
	if (slip__slot_bump(&g->segment.ring, ++g->fw))
		slip__os_futex_wake_all(g->segment.ring.fw);
}

void slip__generation_keep(struct slip__generation *g)
{
	(void)a32_add_relaxed(&g->users, 1);
}

void slip__generation_drop(struct slip__generation *g)
{
	if (g == NULL || a32_sub_acq_rel(&g->users, 1) != 1) /* @GENERATION @GENERATION */
		return;
	slip__os_anchor_drop(g->anchor);
	slip__segment_close(&g->segment);
	free(g);
}

void slip__generation_abandon(struct slip__generation *g)
{
	slip__segment_close(&g->segment);
	free(g);
}

/* Newest first, as the shared words say; they were checked by slip__slot_recover. Slots without a frame come last. */
static void sort_slots(struct slip__generation *g)
{
	const struct slip__ring *ring = &g->segment.ring;
	for (uint32_t s = 0; s < ring->slot_count; s++) {
		uint64_t seq = a64_load_relaxed(slip__seq(ring, s));
		uint32_t at = s;
		for (; at > 0 && a64_load_relaxed(slip__seq(ring, g->order[at - 1])) < seq; at--)
			g->order[at] = g->order[at - 1];
		g->order[at] = (uint16_t)s;
	}
}

/* Takes the segment over; on failure it stays the caller's. */
static struct slip__generation *wrap(const struct slip__segment *segment, void *anchor, uint64_t next_seq)
{
	struct slip__generation *g = calloc(1, sizeof(*g) + segment->geometry.slots * sizeof(g->order[0]));
	if (g == NULL)
		return slip__fail_null(ENOMEM, "no memory for a writer of %s/%s", segment->name.base, segment->name.channel);
	g->segment = *segment;
	g->anchor = anchor;
	g->next_seq = next_seq;
	g->has_head = next_seq > segment->geometry.first_seq;
	g->fw = a32_load_relaxed(segment->ring.fw) >> 1;
	a32_store_relaxed(&g->users, 1);
	sort_slots(g);
	a32_store_relaxed(&segment->header->writer_pid, slip__os_pid());
	return g;
}

static struct slip__plan plan_of(const slip_writer_options *o, uint64_t capacity)
{
	return (struct slip__plan){
		.slots = o->slots,
		.max_readers = o->max_readers,
		.leases_per_reader = o->leases_per_reader,
		.max_loans = o->max_loans,
		.history = o->history,
		.capacity = capacity > o->capacity ? capacity : o->capacity,
		.permissions = o->permissions,
		.observers = o->observers,
	};
}

static int prepare_memory(const struct slip__segment *s, const slip_writer_options *o)
{
	if (o->huge_pages)
		slip__os_huge_pages(s->payload, s->geometry.payload_bytes);
	if (o->prefault) {
		slip__os_prefault(s->header, s->geometry.control_bytes, true);
		slip__segment_prefault(s, true);
	}
	return o->lock_memory ? slip__os_lock_memory(s->payload, s->geometry.payload_bytes) : 0;
}

static void undo_make(struct slip__segment *s)
{
	int kept = errno;
	slip__segment_unlink(s);
	slip__segment_close(s);
	errno = kept;
}

/*
 * A whole generation under its temporary name, locked. NULL with errno; EAGAIN: somebody took it for left over, or had made its random name first
 * (and so foreseen it); try again.
 */
static struct slip__generation *make_once(const slip_channel_name *name, const struct slip__plan *plan, const slip_writer_options *options)
{
	struct slip__segment segment;
	if (slip__segment_make(name, plan, &segment) != 0) {
		if (errno == EEXIST)
			errno = EAGAIN;
		return NULL;
	}
	void *anchor = slip__liveness_take_writer(&segment, SLIP__OBJECT_NEW);
	if (anchor == NULL) {
		if (errno == ENOENT)
			errno = EAGAIN;
		undo_make(&segment);
		return NULL;
	}
	struct slip__generation *g = prepare_memory(&segment, options) == 0 ? wrap(&segment, anchor, plan->first_seq) : NULL;
	if (g == NULL) {
		undo_make(&segment);
		slip__os_anchor_drop(anchor);
	}
	return g;
}

static struct slip__generation *make(const slip_channel_name *name, const struct slip__plan *plan, const slip_writer_options *options)
{
	struct slip__generation *g = make_once(name, plan, options);
	for (int round = 0; g == NULL && errno == EAGAIN && round < MAKE_ROUNDS; round++)
		g = make_once(name, plan, options);
	if (g == NULL && errno == EAGAIN)
		return slip__fail_null(EBUSY, "somebody is faster, each time, at the names that %s/%s is made under", name->base,
				       name->channel);
	return g;
}

/* Gives a made generation its name. EEXIST where there is one and it may not be replaced. */
static int name_it(const struct slip__generation *g, bool replace)
{
	char from[SLIP_OBJECT_MAX];
	char to[SLIP_OBJECT_MAX];
	slip__object_name(&g->segment.name, SLIP__OBJECT_NEW, g->segment.geometry.id, from);
	slip__object_name(&g->segment.name, SLIP__OBJECT_CONTROL, 0, to);
	return slip__os_rename(from, to, replace);
}

static void unmake(struct slip__generation *g)
{
	int kept = errno;
	slip__segment_unlink(&g->segment);
	slip__generation_drop(g);
	errno = kept;
}

/* NULL with EAGAIN: look again. */
static struct slip__generation *first_of_epoch(const slip_channel_name *name, const slip_writer_options *options, uint64_t capacity)
{
	struct slip__plan plan = plan_of(options, capacity);
	if (slip__os_random(&plan.epoch) != 0)
		return NULL;
	plan.epoch |= 1;
	plan.generation = 1;
	plan.first_seq = 1;
	struct slip__generation *g = make(name, &plan, options);
	if (g == NULL)
		return NULL;
	if (name_it(g, false) == 0)
		return g;
	unmake(g);
	if (errno == EEXIST || errno == ENOENT)
		errno = EAGAIN;
	return NULL;
}

int slip__generation_used_up(void)
{
	return slip__fail(EOVERFLOW, "this epoch's 2^48 sequence numbers are used up: close the writer and open it again");
}

struct slip__generation *slip__generation_grow(struct slip__generation *old, const slip_writer_options *options, uint64_t capacity)
{
	const struct slip__geometry *was = &old->segment.geometry;
	struct slip__plan plan = plan_of(options, capacity);
	if (old->next_seq > SLIP__SEQ_MAX) {
		(void)slip__generation_used_up();
		return NULL; /* no ring may begin with a number that there is not */
	}
	plan.epoch = was->epoch;
	plan.generation = was->generation + 1;
	plan.first_seq = old->next_seq;
	/* A cloud that gains a point a frame must not make a generation a frame: half as much again, if there is room. */
	uint64_t roomy = was->capacity + was->capacity / 2;
	uint64_t needed = plan.capacity;
	plan.capacity = needed > was->capacity && needed < roomy ? roomy : needed;
	struct slip__generation *g = make(&old->segment.name, &plan, options);
	if (g == NULL && errno == ENOSPC && plan.capacity > needed) {
		plan.capacity = needed;
		g = make(&old->segment.name, &plan, options);
	}
	if (g == NULL)
		return NULL;
	/* The old lock is still ours, so that what we replace is our own. */
	if (name_it(g, true) != 0) {
		unmake(g);
		return NULL;
	}
	a32_or_release(&old->segment.header->state, SLIP__STATE_RETIRED); /* @STATE */
	bump(old);
	slip__segment_unlink(&old->segment);
	return g;
}

void slip__generation_end(struct slip__generation *g)
{
	a32_or_release(&g->segment.header->state, SLIP__STATE_CLOSED); /* @STATE */
	bump(g);
	slip__segment_unlink(&g->segment);
}

static bool fits(const struct slip__segment *s, const slip_writer_options *o, uint64_t capacity)
{
	const struct slip__geometry *g = &s->geometry;
	return g->slots == o->slots && g->max_readers == o->max_readers && g->leases_per_reader == o->leases_per_reader &&
	       g->max_loans == o->max_loans && g->history == o->history && g->capacity >= capacity && g->capacity >= o->capacity &&
	       g->permissions == o->permissions && g->observers == o->observers;
}

/* Something unusable under our name whose owner is dead: away with it. 0: look again. */
static int remove_unusable(const slip_channel_name *name)
{
	struct slip__object object = {.channel = *name, .kind = SLIP__OBJECT_CONTROL};
	int done = slip__leftover_remove(&object);
	return done == 0 || errno == ENOENT ? 0 : -1;
}

/* Lets go of a dead writer's segment, which is removed unless another writer may do better with it. NULL. */
static void *leave_it(struct slip__segment *segment, void *anchor, bool remove)
{
	int err = errno;
	if (remove)
		slip__segment_unlink(segment);
	slip__os_anchor_drop(anchor);
	slip__segment_close(segment);
	errno = remove ? EAGAIN : err;
	return NULL;
}

/* What a dead writer left becomes ours. NULL with EAGAIN: it was of no use and is gone, look again. */
static struct slip__generation *take_over(struct slip__segment *segment, void *anchor, const slip_writer_options *options,
					  uint64_t capacity)
{
	struct slip__place newest = {0, 0};
	if (a32_load_acquire(&segment->header->state) != 0 || /* @STATE */
	    !slip__slot_recover(&segment->ring, segment->geometry.first_seq, &newest) || newest.seq >= SLIP__SEQ_MAX)
		return leave_it(segment, anchor, true);
	if (slip__segment_map_payload(segment, SLIP__READ_WRITE) != 0)
		/* Gone or another's: of no use to anybody. Anything else, such as a lack of memory, is ours alone. */
		return leave_it(segment, anchor, errno == ENOENT || errno == EBADMSG || errno == EPERM || errno == ELOOP);
	struct slip__generation *g = wrap(segment, anchor, newest.seq + 1);
	if (g == NULL)
		return leave_it(segment, anchor, false);
	(void)slip__liveness_reclaim(&g->segment, slip__liveness_marked(&g->segment));
	a64_store_relaxed(&g->segment.header->published, 0);
	a64_store_relaxed(&g->segment.header->refused, 0);
	a64_store_relaxed(&g->segment.header->wakes, 0);
	/* All, asked or not: the dead one may have taken the mark of the sleepers and not come to wake them. */
	(void)slip__slot_bump(&g->segment.ring, ++g->fw);
	slip__os_futex_wake_all(g->segment.ring.fw);
	if (fits(&g->segment, options, capacity)) {
		if (prepare_memory(&g->segment, options) == 0)
			return g;
		slip__generation_drop(g);
		return NULL;
	}
	struct slip__generation *grown = slip__generation_grow(g, options, capacity);
	slip__generation_drop(g);
	return grown;
}

static void *busy(const struct slip__segment *s)
{
	const slip_channel_name *name = &s->name;
	if (!slip__liveness_writer_alive(s) && slip__os_is_read_locked(s->fd, SLIP__BYTE_WRITER))
		return slip__fail_null(
			EBUSY,
			"the writer of %s/%s is gone, but somebody holds a read lock on its control object, as no slipring does: "
			"end that process (slipring doctor %s), or remove the object",
			name->base, name->channel, name->base);
	uint32_t pid = a32_load_relaxed(&s->header->writer_pid);
	/* A number of the writer's own PID namespace: that a process here has it too proves nothing, that none has it does. */
	return slip__fail_null(EBUSY, "%s/%s has a writer already (it noted process %u%s); one at a time is possible", name->base,
			       name->channel, pid, slip__os_has_process(pid) ? "" : ", which is none here: it runs in another container");
}

/* One look at what stands under the name. NULL with EAGAIN: the world changed meanwhile, look again. */
static struct slip__generation *look(const slip_channel_name *name, const slip_writer_options *options, uint64_t capacity)
{
	struct slip__segment segment;
	if (slip__segment_open(name, NULL, SLIP__VIEW_HEIR, &segment) != 0) {
		if (errno == ENOENT)
			return first_of_epoch(name, options, capacity);
		if ((errno == EBADMSG || errno == EPROTONOSUPPORT) && remove_unusable(name) == 0)
			errno = EAGAIN;
		return NULL;
	}
	if (!slip__os_is_ours(segment.fd, segment.owner)) {
		uid_t user = slip__os_user();
		slip__fail(EPERM, "%s/%s belongs to user %u, not to you (%u%s); a writer takes over only its own user's channels",
			   name->base, name->channel, segment.owner, user,
			   user == segment.owner ? ", as all without a number in this user namespace" : "");
		slip__segment_close(&segment);
		return NULL;
	}
	void *anchor = slip__liveness_take_writer(&segment, SLIP__OBJECT_CONTROL);
	if (anchor != NULL)
		return take_over(&segment, anchor, options, capacity);
	if (errno == EAGAIN)
		(void)busy(&segment);
	else if (errno == ENOENT)
		errno = EAGAIN;
	slip__segment_close(&segment);
	return NULL;
}

struct slip__generation *slip__generation_open(const slip_channel_name *name, const slip_writer_options *options, uint64_t capacity)
{
	struct slip__generation *g = look(name, options, capacity);
	int busy_rounds = 0;
	for (int round = 0; g == NULL && round < OPEN_ROUNDS; round++) {
		if (errno == EBUSY && busy_rounds++ < BUSY_ROUNDS)
			(void)slip__os_sleep(BUSY_NS);
		else if (errno != EAGAIN)
			return NULL;
		g = look(name, options, capacity);
	}
	if (g == NULL && errno == EAGAIN)
		return slip__fail_null(EBUSY, "%s/%s changes hands faster than it can be opened", name->base, name->channel);
	if (g != NULL)
		slip__leftover_sweep(name);
	return g;
}
