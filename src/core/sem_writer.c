/*
 * sem_writer.c - semaphore mode's writing side: copies into the one place that a channel has, under its lock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "copy.h"
#include "error.h"
#include "frame.h"
#include "mode.h"
#include "sem_objects.h"
#include "stamp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum loan_state { LOAN_FREE, LOAN_OUT, LOAN_KEPT };

struct channel;

/* Private memory until it is published: a copy in like any other. */
struct loan {
	struct slip__frame frame; /* first */
	struct channel *channel;
	slip__a32 state; /* enum loan_state; a kept frame is released by any thread */
};

struct channel {
	struct slip__writer_channel common; /* first */
	struct slip__sem_objects objects;
	slip__a32 users; /* the handle, and every kept frame */
	struct slip__clocks clocks;
	uint64_t published;
	uint64_t refused;
	uint64_t restarts;
	struct loan loans[];
};

static const struct slip__frame_ops loan_ops;

static struct channel *channel_of(struct slip__writer_channel *common)
{
	return (struct channel *)(void *)common;
}

/* ---- opening and closing ---- */

static struct slip__writer_channel *open_channel(const slip_channel_name *name, const slip_writer_options *options,
						 const struct slip__array *first)
{
	if (slip__wire_accepts(first) != 0)
		return NULL;
	struct channel *c = calloc(1, sizeof(*c) + options->max_loans * sizeof(c->loans[0]));
	if (c == NULL)
		return slip__fail_null(ENOMEM, "no memory for a writer of %s/%s", name->base, name->channel);
	c->common.ops = &slip__semaphore_writer;
	c->common.name = *name;
	c->objects.name = *name;
	c->objects.options = *options;
	c->objects.like = *first;
	if (slip__sem_objects_make(&c->objects) != 0) {
		int err = errno;
		free(c);
		errno = err;
		return NULL;
	}
	a32_store_relaxed(&c->users, 1);
	for (uint32_t i = 0; i < options->max_loans; i++) {
		c->loans[i].frame.ops = &loan_ops;
		c->loans[i].frame.process = slip__os_process_token();
		c->loans[i].channel = c;
	}
	return &c->common;
}

static void drop_loan_bytes(struct loan *loan)
{
	free(loan->frame.view.data);
	loan->frame.view.data = NULL;
}

static void drop_channel(struct channel *c)
{
	if (a32_sub_acq_rel(&c->users, 1) != 1) /* @CHANNEL @CHANNEL */
		return;
	for (uint32_t i = 0; i < c->objects.options.max_loans; i++)
		drop_loan_bytes(&c->loans[i]);
	free(c);
}

static void close_channel(struct slip__writer_channel *common)
{
	struct channel *c = channel_of(common);
	for (uint32_t i = 0; i < c->objects.options.max_loans; i++)
		if (a32_load_relaxed(&c->loans[i].state) == LOAN_OUT)
			a32_store_relaxed(&c->loans[i].state, LOAN_FREE);
	slip__sem_objects_end(&c->objects);
	drop_channel(c);
}

static void abandon_channel(struct slip__writer_channel *common)
{
	struct channel *c = channel_of(common);
	slip__sem_objects_abandon(&c->objects);
	free(c);
}

/* ---- writing ---- */

static int check_shape(const struct channel *c, const struct slip__array *array)
{
	const struct slip__array *first = &c->objects.like;
	if (slip__wire_accepts(array) != 0)
		return -1;
	bool same = first->ndim == array->ndim;
	for (int32_t i = 0; same && i < array->ndim; i++)
		same = first->shape[i] == array->shape[i];
	if (!same)
		return slip__fail(EINVAL,
				  "the shape of %s/%s changed: %d dimensions, %llu bytes before, %d dimensions, %llu bytes now; a "
				  "semaphore channel keeps "
				  "its first shape: close the writer first, or use lock-free mode",
				  c->common.name.base, c->common.name.channel, first->ndim, (unsigned long long)first->bytes, array->ndim,
				  (unsigned long long)array->bytes);
	if (array->dtype.code == first->dtype.code && array->dtype.bits == first->dtype.bits)
		return 0;
	char before[24];
	char now[24];
	(void)slip_dtype_name(first->dtype, before, sizeof(before));
	(void)slip_dtype_name(array->dtype, now, sizeof(now));
	return slip__fail(EINVAL,
			  "the dtype of %s/%s changed from %s to %s; a semaphore channel keeps its first: convert, or use lock-free mode",
			  c->common.name.base, c->common.name.channel, before, now);
}

static int start_afresh(struct channel *c)
{
	c->restarts++;
	return slip__sem_objects_make_afresh(&c->objects);
}

/* The lock, or -1 with EAGAIN, counted, or EINTR. */
static int take_lock(struct channel *c)
{
	struct slip__lock *lock = &c->objects.lock;
	int64_t timeout_ns = c->objects.options.lock_timeout_ns;
	if (slip__lock_take(lock, timeout_ns) == 0)
		return 0;
	/* Readers of ours follow to fresh objects; others have had no frame from here for a whole time limit either. */
	if (errno == EAGAIN && slip__lock_may_be_lost(lock) && start_afresh(c) == 0 && slip__lock_take(lock, timeout_ns) == 0)
		return 0;
	c->refused += errno == EAGAIN;
	return -1;
}

static int64_t stamp(struct channel *c, const struct slip__array *array)
{
	int64_t capture = array->capture_ns;
	int64_t realtime = array->capture_realtime_ns;
	if (c->objects.options.no_stamps)
		return slip__stamp_plain(realtime);
	slip__stamp_complete(&c->clocks, slip__os_now(), &capture, &realtime);
	return realtime;
}

static int set(struct slip__writer_channel *common, const struct slip__array *array)
{
	struct channel *c = channel_of(common);
	if (check_shape(c, array) != 0)
		return -1;
	int named = slip__sem_objects_named(&c->objects);
	if (named < 0 || (named == 0 && start_afresh(c) != 0) || take_lock(c) != 0)
		return -1;
	struct slip__wire_header *memory = c->objects.memory;
	char *payload = (char *)memory + sizeof(*memory);
	a64_store_relaxed(&memory->timestamp, slip__wire_stamp(stamp(c, array)));
	if (!array->source_contiguous)
		slip__copy_strided(payload, array->data, array->item_bytes, array->ndim, array->shape, array->source_strides);
	else if (array->bytes > 0)
		slip__copy(payload, array->data, array->bytes);
	slip__lock_give(&c->objects.lock);
	c->published++;
	return 0;
}

static int reserve(struct slip__writer_channel *common, const struct slip__array *array)
{
	return check_shape(channel_of(common), array);
}

/* ---- loans ---- */

static struct loan *loan_of(struct slip__frame *frame)
{
	return (struct loan *)(void *)frame;
}

static struct slip__frame *lend(struct slip__writer_channel *common, const struct slip__array *array)
{
	struct channel *c = channel_of(common);
	struct loan *loan = NULL;
	if (check_shape(c, array) != 0)
		return NULL;
	for (uint32_t i = 0; loan == NULL && i < c->objects.options.max_loans; i++)
		if (a32_load_acquire(&c->loans[i].state) == LOAN_FREE) /* @LOAN */
			loan = &c->loans[i];
	if (loan == NULL)
		return slip__fail_null(EMFILE, "%u loans of %s/%s are out, as many as max_loans allows: publish, discard or release one",
				       c->objects.options.max_loans, c->common.name.base, c->common.name.channel);
	slip_frame *view = &loan->frame.view;
	if (view->size < array->bytes)
		drop_loan_bytes(loan); /* a row pitch may differ */
	if (view->data == NULL && posix_memalign(&view->data, SLIP__LINE, array->bytes + 1) != 0) {
		view->data = NULL;
		return slip__fail_null(ENOMEM, "no memory for a loan of %llu bytes", (unsigned long long)array->bytes);
	}
	slip__frame_view(array, view);
	view->flags = SLIP_FRAME_PRIVATE;
	a32_store_relaxed(&loan->state, LOAN_OUT);
	return &loan->frame;
}

static bool is_out(const struct loan *loan)
{
	return a32_load_relaxed(&loan->state) == LOAN_OUT;
}

/* A kept one's memory stays until its release, past the channel's close. */
static void end(struct loan *loan, bool keep)
{
	if (keep)
		(void)a32_add_relaxed(&loan->channel->users, 1);
	a32_store_release(&loan->state, keep ? LOAN_KEPT : LOAN_FREE); /* @LOAN */
}

static int publish(struct slip__frame *frame, bool keep)
{
	struct loan *loan = loan_of(frame);
	if (!is_out(loan))
		return slip__frame_not_a_loan();
	struct channel *c = loan->channel;
	slip_frame *view = &frame->view;
	struct slip__array array = {.data = view->data,
				    .dtype = view->dtype,
				    .ndim = view->ndim,
				    .item_bytes = slip_dtype_size(view->dtype),
				    .bytes = c->objects.like.bytes,
				    .capture_ns = view->capture_ns,
				    .capture_realtime_ns = view->capture_realtime_ns,
				    .source_contiguous = view->size == c->objects.like.bytes};
	memcpy(array.shape, view->shape, sizeof(array.shape));
	memcpy(array.source_strides, view->strides, sizeof(array.source_strides));
	if (set(&c->common, &array) != 0)
		return -1;
	view->seq = c->published;
	view->epoch = c->objects.identity.inode;
	end(loan, keep);
	return 0;
}

static int discard(struct slip__frame *frame, bool keep)
{
	struct loan *loan = loan_of(frame);
	if (!is_out(loan))
		return slip__frame_not_a_loan();
	end(loan, keep);
	return 0;
}

static int release_kept(struct slip__frame *frame)
{
	struct loan *loan = loan_of(frame);
	struct channel *c = loan->channel;
	uint32_t state = LOAN_KEPT;
	if (!a32_cas_acq_rel(&loan->state, &state, LOAN_FREE)) /* @LOAN @LOAN */
		return slip__frame_not_held();
	drop_channel(c);
	return 0;
}

static int set_metadata(struct slip__frame *frame, const void *metadata, size_t size)
{
	(void)metadata;
	if (!is_out(loan_of(frame)))
		return slip__frame_not_a_loan();
	if (size > 0)
		return slip__fail(ENOTSUP,
				  "the semaphore wire format has no room for metadata (%zu bytes): leave it out, or use lock-free mode",
				  size);
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

/* ---- questions ---- */

static int readers(struct slip__writer_channel *common)
{
	return slip__fail(ENOTSUP, "the semaphore wire format does not say who reads %s/%s; lock-free mode does", common->name.base,
			  common->name.channel);
}

static void stats(const struct slip__writer_channel *common, slip_writer_stats *out)
{
	const struct channel *c = (const struct channel *)(const void *)common;
	out->published = c->published;
	out->refused = c->refused;
	out->wakes = 0;
	out->grown = c->restarts;
	out->last_seq = c->published;
	out->epoch = c->objects.identity.inode;
}

const struct slip__writer_ops slip__semaphore_writer = {
	.open = open_channel,
	.close = close_channel,
	.abandon = abandon_channel,
	.reserve = reserve,
	.loan = lend,
	.set = set,
	.readers = readers,
	.stats = stats,
};
