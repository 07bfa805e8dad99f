/*
 * writer.c - the lock-free mode's writing side: loans, publishing, copies in.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "choose.h"
#include "copy.h"
#include "error.h"
#include "frame.h"
#include "liveness.h"
#include "mode.h"
#include "stamp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum loan_state { LOAN_FREE, LOAN_OUT, LOAN_KEPT, LOAN_KEPT_UNPUBLISHED, LOAN_ENDING };

struct channel;

struct loan {
	struct slip__frame frame; /* first */
	struct channel *channel;
	struct slip__generation *generation;
	uint32_t slot;
	slip__a32 state; /* enum loan_state; a kept frame is released by any thread */
};

struct channel {
	struct slip__writer_channel common; /* first */
	slip_writer_options options;
	struct slip__generation *generation;
	slip__a32 users; /* the handle, and every kept frame */
	struct slip__clocks clocks;
	uint64_t published;
	uint64_t refused;
	uint64_t wakes;
	uint64_t grown;
	struct slip__choice choice;
	uint32_t loan_count;
	struct loan loans[];
};

static const struct slip__frame_ops loan_ops;

static struct channel *channel_of(struct slip__writer_channel *common)
{
	return (struct channel *)(void *)common;
}

static struct loan *loan_of(struct slip__frame *frame)
{
	return (struct loan *)(void *)frame;
}

static struct slip__writer_channel *open_channel(const slip_channel_name *name, const slip_writer_options *options,
						 const struct slip__array *first)
{
	struct channel *c = calloc(1, sizeof(*c) + options->max_loans * sizeof(c->loans[0]));
	if (c == NULL)
		return slip__fail_null(ENOMEM, "no memory for a writer of %s/%s", name->base, name->channel);
	c->generation = slip__generation_open(name, options, first->bytes);
	if (c->generation == NULL) {
		int err = errno;
		free(c);
		errno = err;
		return NULL;
	}
	c->common.ops = &slip__lock_free_writer;
	c->common.name = *name;
	c->options = *options;
	c->loan_count = options->max_loans;
	c->choice.cache_bytes = slip__os_cache_size();
	a32_store_relaxed(&c->users, 1);
	for (uint32_t i = 0; i < c->loan_count; i++) {
		c->loans[i].frame.ops = &loan_ops;
		c->loans[i].frame.process = slip__os_process_token();
		c->loans[i].channel = c;
	}
	return &c->common;
}

static void drop_channel(struct channel *c)
{
	if (a32_sub_acq_rel(&c->users, 1) == 1) /* @CHANNEL @CHANNEL */
		free(c);
}

/* ---- lending ---- */

/* SLIP__NO_SLOT with EAGAIN where every slot is held. */
static int32_t claim(struct channel *c)
{
	struct slip__generation *g = c->generation;
	int32_t slot = slip__choose_slot(&c->choice, g);
	if (slot == SLIP__NO_SLOT) {
		c->refused++;
		a64_count_relaxed(&g->segment.header->refused, 1);
		slip__fail(EAGAIN, "all %u slots of %s/%s are held by readers or loans; nothing was published", g->segment.geometry.slots,
			   c->common.name.base, c->common.name.channel);
	}
	return slot;
}

/* Makes room for frames of so many bytes. Loans that are out stay in the generation that they were made in. */
static int ensure_capacity(struct channel *c, uint64_t bytes)
{
	if (bytes <= c->generation->segment.geometry.capacity)
		return 0;
	struct slip__generation *old = c->generation;
	struct slip__generation *grown = slip__generation_grow(old, &c->options, bytes);
	if (grown == NULL)
		return -1;
	c->generation = grown;
	if (old->loans == 0)
		slip__generation_drop(old);
	c->grown++;
	return 0;
}

static int reserve(struct slip__writer_channel *common, const struct slip__array *array)
{
	return ensure_capacity(channel_of(common), array->bytes);
}

static struct loan *free_loan(struct channel *c)
{
	for (uint32_t i = 0; i < c->loan_count; i++)
		if (a32_load_acquire(&c->loans[i].state) == LOAN_FREE) /* @LOAN */
			return &c->loans[i];
	return slip__fail_null(EMFILE, "%u loans of %s/%s are out, as many as max_loans allows: publish, discard or release one",
			       c->loan_count, c->common.name.base, c->common.name.channel);
}

static struct slip__frame *lend(struct slip__writer_channel *common, const struct slip__array *array)
{
	struct channel *c = channel_of(common);
	struct loan *loan = free_loan(c);
	if (loan == NULL || ensure_capacity(c, array->bytes) != 0)
		return NULL;
	int32_t slot = claim(c);
	if (slot == SLIP__NO_SLOT)
		return NULL;
	struct slip__generation *g = c->generation;
	g->loans++;
	loan->generation = g;
	loan->slot = (uint32_t)slot;
	slip__frame_describe(array, slip__segment_slot(&g->segment, loan->slot), &loan->frame.view);
	loan->frame.view.data = slip__segment_bytes(&g->segment, loan->slot);
	a32_store_relaxed(&loan->state, LOAN_OUT);
	return &loan->frame;
}

/* ---- ending a loan ---- */

/* A retired generation goes with its last loan. */
static void leave(struct channel *c, struct slip__generation *g)
{
	if (--g->loans == 0 && g != c->generation)
		slip__generation_drop(g);
}

static void forget(struct loan *loan)
{
	leave(loan->channel, loan->generation);
	loan->generation = NULL;
	a32_store_relaxed(&loan->state, LOAN_FREE);
}

static bool is_out(const struct loan *loan)
{
	return a32_load_relaxed(&loan->state) == LOAN_OUT;
}

/* From now on the loan's slot and memory are its holder's, whatever becomes of the channel. */
static void keep_as(struct loan *loan, enum loan_state state)
{
	slip__generation_keep(loan->generation);
	leave(loan->channel, loan->generation);
	(void)a32_add_relaxed(&loan->channel->users, 1);
	a32_store_release(&loan->state, (uint32_t)state); /* @LOAN */
}

static int discard(struct slip__frame *frame, bool keep)
{
	struct loan *loan = loan_of(frame);
	if (!is_out(loan))
		return slip__frame_not_a_loan();
	if (keep) {
		keep_as(loan, LOAN_KEPT_UNPUBLISHED);
		return 0;
	}
	slip__slot_discard(&loan->generation->segment.ring, loan->slot);
	slip__choose_emptied(loan->generation, loan->slot);
	forget(loan);
	return 0;
}

/* The ring grew while the loan was out: its frame goes on in a slot of the new one. */
static int carry_over(struct loan *loan)
{
	struct channel *c = loan->channel;
	int32_t slot = claim(c);
	if (slot == SLIP__NO_SLOT)
		return -1;
	struct slip__generation *from = loan->generation;
	struct slip__generation *to = c->generation;
	const struct slip__slot *old = slip__segment_slot(&from->segment, loan->slot);
	struct slip__slot *description = slip__segment_slot(&to->segment, (uint32_t)slot);
	/* All but the words of the protocol. */
	memcpy(&description->bytes, &old->bytes, sizeof(*old) - offsetof(struct slip__slot, bytes));
	char *bytes = slip__segment_bytes(&to->segment, (uint32_t)slot);
	slip__copy(bytes, loan->frame.view.data, loan->frame.view.size);
	loan->frame.view.data = bytes;
	loan->frame.view.metadata = loan->frame.view.metadata != NULL ? description->metadata : NULL;
	slip__slot_discard(&from->segment.ring, loan->slot);
	loan->slot = (uint32_t)slot;
	loan->generation = to;
	to->loans++;
	leave(c, from);
	return 0;
}

static void stamp(struct channel *c, struct loan *loan, struct slip__slot *slot)
{
	slip_frame *view = &loan->frame.view;
	if (c->options.no_stamps) {
		view->capture_realtime_ns = slip__stamp_plain(view->capture_realtime_ns);
	} else {
		view->publish_ns = slip__os_now();
		slip__stamp_complete(&c->clocks, view->publish_ns, &view->capture_ns, &view->capture_realtime_ns);
	}
	slot->publish_ns = view->publish_ns;
	slot->capture_ns = view->capture_ns;
	slot->capture_realtime_ns = view->capture_realtime_ns;
}

static int publish(struct slip__frame *frame, bool keep)
{
	struct loan *loan = loan_of(frame);
	if (!is_out(loan))
		return slip__frame_not_a_loan();
	struct channel *c = loan->channel;
	if (__builtin_expect(loan->generation != c->generation, 0) && carry_over(loan) != 0)
		return -1;
	struct slip__generation *g = c->generation;
	struct slip__header *header = g->segment.header;
	uint64_t seq = g->next_seq;
	if (seq > SLIP__SEQ_MAX)
		return slip__generation_used_up();
	stamp(c, loan, slip__segment_slot(&g->segment, loan->slot));
	frame->view.seq = seq;
	frame->view.epoch = g->segment.geometry.epoch;
	g->next_seq = seq + 1;
	bool wake = slip__slot_publish(&g->segment.ring, loan->slot, seq, keep, ++g->fw);
	if (wake) {
		slip__os_futex_wake_all(g->segment.ring.fw);
		a64_store_relaxed(&header->wakes, ++c->wakes);
	}
	slip__choose_published(g, loan->slot);
	a64_store_relaxed(&header->published, ++c->published);
	a64_store_relaxed(&header->last_publish_ns, (uint64_t)frame->view.publish_ns);
	if (keep)
		keep_as(loan, LOAN_KEPT);
	else
		forget(loan);
	return 0;
}

static int release_kept(struct slip__frame *frame)
{
	struct loan *loan = loan_of(frame);
	uint32_t was = LOAN_KEPT;
	/* FREE comes last, so that a new loan cannot take the entry before the slot is free. */
	if (!a32_cas_acq_rel(&loan->state, &was, LOAN_ENDING) &&				 /* @LOAN @LOAN */
	    (was != LOAN_KEPT_UNPUBLISHED || !a32_cas_acq_rel(&loan->state, &was, LOAN_ENDING))) /* @LOAN @LOAN */
		return slip__frame_not_held();
	struct channel *c = loan->channel;
	struct slip__generation *g = loan->generation;
	if (was == LOAN_KEPT)
		slip__slot_drop_own(&g->segment.ring, loan->slot);
	else
		slip__slot_discard(&g->segment.ring, loan->slot);
	slip__generation_drop(g);
	a32_store_release(&loan->state, LOAN_FREE); /* @LOAN */
	drop_channel(c);
	return 0;
}

static int set_metadata(struct slip__frame *frame, const void *metadata, size_t size)
{
	struct loan *loan = loan_of(frame);
	if (!is_out(loan))
		return slip__frame_not_a_loan();
	if (size > SLIP_METADATA_MAX)
		return slip__fail(EMSGSIZE, "%zu bytes of metadata; at most %d fit", size, SLIP_METADATA_MAX);
	if (size > 0 && metadata == NULL)
		return slip__fail(EINVAL, "metadata is NULL, but its size is %zu", size);
	struct slip__slot *slot = slip__segment_slot(&loan->generation->segment, loan->slot);
	if (size > 0)
		memcpy(slot->metadata, metadata, size);
	slot->metadata_bytes = (uint16_t)size;
	frame->view.metadata = size > 0 ? slot->metadata : NULL;
	frame->view.metadata_size = size;
	return 0;
}

static int set_capture(struct slip__frame *frame, int64_t capture_ns, int64_t capture_realtime_ns)
{
	if (!is_out(loan_of(frame)))
		return slip__frame_not_a_loan();
	frame->view.capture_ns = capture_ns;
	frame->view.capture_realtime_ns = capture_realtime_ns;
	return 0;
}

static const struct slip__frame_ops loan_ops = {
	.publish = publish,
	.discard = discard,
	.release = release_kept,
	.set_metadata = set_metadata,
	.set_capture = set_capture,
};

/* ---- copies in ---- */

static void copy_in(const struct channel *c, void *to, const struct slip__array *array)
{
	if (!array->source_contiguous)
		slip__copy_strided(to, array->data, array->item_bytes, array->ndim, array->shape, array->source_strides);
	else if (slip__copy_should_stream(array->bytes, c->generation->history + 1, c->choice.cache_bytes))
		slip__copy_streaming(to, array->data, array->bytes);
	else if (array->bytes > 0)
		slip__copy(to, array->data, array->bytes);
}

static int set(struct slip__writer_channel *common, const struct slip__array *array)
{
	struct slip__frame *frame = lend(common, array);
	if (frame == NULL)
		return -1;
	copy_in(channel_of(common), frame->view.data, array);
	if (publish(frame, false) == 0)
		return 0;
	int err = errno;
	(void)discard(frame, false);
	errno = err;
	return -1;
}

/* ---- the rest ---- */

static int readers(struct slip__writer_channel *common)
{
	return __builtin_popcountll(slip__liveness_attached(&channel_of(common)->generation->segment));
}

static void stats(const struct slip__writer_channel *common, slip_writer_stats *out)
{
	const struct channel *c = (const struct channel *)(const void *)common;
	out->published = c->published;
	out->refused = c->refused;
	out->wakes = c->wakes;
	out->grown = c->grown;
	out->last_seq = c->generation->next_seq - 1;
	out->epoch = c->generation->segment.geometry.epoch;
}

static void close_channel(struct slip__writer_channel *common)
{
	struct channel *c = channel_of(common);
	for (uint32_t i = 0; i < c->loan_count; i++)
		if (is_out(&c->loans[i]))
			(void)discard(&c->loans[i].frame, false);
	slip__generation_end(c->generation);
	slip__generation_drop(c->generation);
	c->generation = NULL;
	drop_channel(c);
}

static void abandon_channel(struct slip__writer_channel *common)
{
	struct channel *c = channel_of(common);
	slip__generation_abandon(c->generation);
	free(c);
}

const struct slip__writer_ops slip__lock_free_writer = {
	.open = open_channel,
	.close = close_channel,
	.abandon = abandon_channel,
	.reserve = reserve,
	.loan = lend,
	.set = set,
	.readers = readers,
	.stats = stats,
};
