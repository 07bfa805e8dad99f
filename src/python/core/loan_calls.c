/*
 * loan_calls.c - what happens to a loan in the library, all of it under its writer's lock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "loan.h"

#include <errno.h>
#include <string.h>

static slip_writer_stats stats_of(const struct writer *writer, const char *channel)
{
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	(void)slip_writer_get_stats(writer->handle, channel, &stats); /* it cannot fail for a channel that lent */
	return stats;
}

int loan_call_lend(struct writer *writer, void *arg)
{
	struct lending *l = arg;
	if (!writer_is_open(writer))
		return OUTCOME_CLOSED;
	l->frame = slip_loan(writer->handle, l->channel, l->what);
	if (l->frame == NULL)
		return errno;
	l->grown = stats_of(writer, l->channel).grown;
	return 0;
}

int loan_call_return(struct writer *writer, void *arg)
{
	/* Where the writer closed meanwhile, that has discarded it. */
	if (writer->handle != NULL)
		(void)slip_discard(arg);
	return 0;
}

/* ---- views ---- */

static void enlist(struct writer *writer, struct loan *l)
{
	l->previous = NULL;
	l->next = writer->viewed;
	if (l->next != NULL)
		l->next->previous = l;
	writer->viewed = l;
}

static void unlist(struct writer *writer, struct loan *l)
{
	if (l->previous != NULL)
		l->previous->next = l->next;
	else
		writer->viewed = l->next;
	if (l->next != NULL)
		l->next->previous = l->previous;
}

int loan_call_export(struct writer *writer, void *arg)
{
	struct loan *l = arg;
	if (l->stage != OUT)
		return OUTCOME_NOT_OUT;
	if (!writer_is_open(writer))
		return OUTCOME_CLOSED;
	if (l->exports++ == 0)
		enlist(writer, l);
	return 0;
}

int loan_call_unexport(struct writer *writer, void *arg)
{
	struct loan *l = arg;
	if (--l->exports > 0)
		return 0;
	if (l->stage == OUT) {
		unlist(writer, l);
	} else {
		(void)slip_release(l->frame);
		l->stage = ENDED;
	}
	return 0;
}

/* The views have it now. */
static void keep(struct writer *writer, struct loan *l)
{
	unlist(writer, l);
	l->stage = KEPT;
}

void loan_give_up_viewed(struct writer *writer)
{
	while (writer->viewed != NULL) {
		(void)slip_discard_keep(writer->viewed->frame);
		keep(writer, writer->viewed);
	}
}

/* ---- the end ---- */

int loan_call_discard(struct writer *writer, void *arg)
{
	struct loan *l = arg;
	if (l->stage != OUT)
		return OUTCOME_NOT_OUT;
	if (l->exports > 0) {
		(void)slip_discard_keep(l->frame); /* it does not fail for a loan that is out */
		keep(writer, l);
		return 0;
	}
	/* Where the writer closed meanwhile, that has discarded it. */
	if (writer->handle != NULL)
		(void)slip_discard(l->frame);
	l->stage = ENDED;
	return 0;
}

/* Publishes what a loan holds through another one. */
static int publish_copy(const struct writer *writer, const struct loan *l, const char *channel)
{
	const slip_frame *f = l->frame;
	slip_array what = SLIP_ARRAY_INIT;
	what.dtype = f->dtype;
	what.ndim = f->ndim;
	memcpy(what.shape, f->shape, sizeof(what.shape));
	memcpy(what.strides, f->strides, sizeof(what.strides));
	what.encoding = f->encoding;
	what.frame_id = f->frame_id;
	what.metadata = f->metadata;
	what.metadata_size = f->metadata_size;
	what.capture_ns = f->capture_ns;
	what.capture_realtime_ns = f->capture_realtime_ns;
	slip_frame *copy = slip_loan(writer->handle, channel, &what);
	if (copy == NULL)
		return -1;
	if (f->size > 0)
		memcpy(copy->data, f->data, f->size);
	if (slip_publish(copy) == 0)
		return 0;
	int err = errno;
	(void)slip_discard(copy);
	errno = err;
	return -1;
}

/* The memory of views must stay where it is, which that of a ring that was outgrown does not. */
static int publish_viewed(struct writer *writer, struct loan *l, const char *channel)
{
	bool moves = stats_of(writer, channel).grown != l->grown;
	if (moves ? publish_copy(writer, l, channel) != 0 : slip_publish_keep(l->frame) != 0)
		return -1;
	if (moves)
		(void)slip_discard_keep(l->frame);
	keep(writer, l);
	return 0;
}

int loan_call_publish(struct writer *writer, void *arg)
{
	const struct publishing *p = arg;
	struct loan *l = p->loan;
	if (l->stage != OUT)
		return OUTCOME_NOT_OUT;
	if (!writer_is_open(writer))
		return OUTCOME_CLOSED;
	if (l->exports > 0) {
		if (publish_viewed(writer, l, p->channel) != 0)
			return errno;
	} else {
		if (slip_publish(l->frame) != 0)
			return errno;
		l->stage = ENDED;
	}
	l->published = true;
	l->seq = stats_of(writer, p->channel).last_seq;
	return 0;
}

int loan_call_set(struct writer *writer, void *arg)
{
	const struct setting *s = arg;
	if (s->loan->stage != OUT)
		return OUTCOME_NOT_OUT;
	if (!writer_is_open(writer))
		return OUTCOME_CLOSED;
	int result = s->metadata != NULL ? slip_frame_set_metadata(s->loan->frame, s->metadata, s->size)
					 : slip_frame_set_capture(s->loan->frame, 0, s->capture_realtime_ns);
	return result == 0 ? 0 : errno;
}

int loan_call_look(struct writer *writer, void *arg)
{
	const struct loan *l = arg;
	if (l->stage != OUT)
		return OUTCOME_NOT_OUT;
	return writer_is_open(writer) ? 0 : OUTCOME_CLOSED;
}
