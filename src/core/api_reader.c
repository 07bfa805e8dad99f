/*
 * api_reader.c - the public functions of slipring/reader.h that take a reader.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "error.h"
#include "frame.h"
#include "handle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_NS = 1000000000, ABSENT_NS = 5000000 };

/* An observer marks nothing, so it is not one of a mode that must take a lock. */
static const struct slip__reader_ops *ops_of(const slip_reader_options *options)
{
	if (options->mode == SLIP_MODE_SEMAPHORE)
		return &slip__semaphore_reader;
	return options->mode == SLIP_MODE_LOCK_FREE || options->observer != 0 ? &slip__lock_free_reader : &slip__either_reader;
}

slip_reader *slip_reader_open(const char *base, const slip_reader_options *options)
{
	slip_reader_options settled;
	memset(&settled, 0, sizeof(settled));
	if (slip__name_check("base", base) != 0 || slip__options_copy("slip_reader_options", &settled, sizeof(settled), options) != 0)
		return NULL;
	if (settled.mode == SLIP_MODE_SEMAPHORE && settled.observer != 0)
		return slip__fail_null(ENOTSUP, "a semaphore channel has no observers: reading takes its lock; use SLIP_MODE_LOCK_FREE");
	if (settled.mode != SLIP_MODE_DEFAULT && settled.mode != SLIP_MODE_LOCK_FREE && settled.mode != SLIP_MODE_SEMAPHORE)
		return slip__fail_null(EINVAL, "slip_reader_options.mode is %d; expected one of enum slip_mode", (int)settled.mode);
	if (settled.spin_ns < 0)
		return slip__fail_null(EINVAL, "slip_reader_options.spin_ns is %lld; expected 0 or more", (long long)settled.spin_ns);
	slip_reader *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return slip__fail_null(ENOMEM, "no memory for a reader of %s", base);
	r->process = slip__os_process_token();
	r->options = settled;
	memcpy(r->base, base, strlen(base));
	return r;
}

void slip_reader_close(slip_reader *reader)
{
	if (reader == NULL)
		return;
	bool ours = reader->process == slip__os_process_token();
	struct slip__reader_channel *channel = reader->channels;
	while (channel != NULL) {
		struct slip__reader_channel *next = channel->next;
		if (ours)
			channel->ops->close(channel);
		else
			channel->ops->abandon(channel);
		channel = next;
	}
	free(reader);
}

struct slip__reader_channel *slip__reader_find(slip_reader *reader, const char *channel)
{
	slip_channel_name name;
	if (reader == NULL || channel == NULL)
		return slip__fail_null(EINVAL, "the %s is NULL", reader == NULL ? "reader" : "channel name");
	if (slip__handle_check(reader->process) != 0)
		return NULL;
	for (struct slip__reader_channel *c = reader->channels; c != NULL; c = c->next)
		if (strcmp(c->name.channel, channel) == 0)
			return c;
	if (slip__name_make(reader->base, channel, &name) != 0)
		return NULL;
	struct slip__reader_channel *c = ops_of(&reader->options)->open(&name, &reader->options);
	if (c != NULL) {
		c->next = reader->channels;
		reader->channels = c;
	}
	return c;
}

static slip_frame *view_of(struct slip__frame *frame)
{
	return frame != NULL ? &frame->view : NULL;
}

slip_frame *slip_get_array(slip_reader *reader, const char *channel)
{
	struct slip__reader_channel *c = slip__reader_find(reader, channel);
	return c != NULL ? view_of(c->ops->latest(c)) : NULL;
}

slip_frame *slip_get_image(slip_reader *reader)
{
	return slip_get_array(reader, "image");
}

slip_frame *slip_get_depth(slip_reader *reader)
{
	return slip_get_array(reader, "depth");
}

slip_frame *slip_get_pointcloud(slip_reader *reader)
{
	return slip_get_array(reader, "pointcloud");
}

slip_frame *slip_get_mask(slip_reader *reader)
{
	return slip_get_array(reader, "mask");
}

slip_frame *slip_next(slip_reader *reader, const char *channel, int64_t timeout_ns)
{
	struct slip__reader_channel *c = slip__reader_find(reader, channel);
	return c != NULL ? view_of(c->ops->next(c, timeout_ns)) : NULL;
}

int slip_wait_for_array(slip_reader *reader, const char *channel, int64_t timeout_ns)
{
	struct slip__reader_channel *c = slip__reader_find(reader, channel);
	return c != NULL ? c->ops->wait(c, timeout_ns, true) : -1;
}

int slip_wait(slip_reader *reader, const char *channel, int64_t timeout_ns)
{
	struct slip__reader_channel *c = slip__reader_find(reader, channel);
	return c != NULL ? c->ops->wait(c, timeout_ns, false) : -1;
}

/* ---- several at once ---- */

struct slip_waker {
	slip__a32 alarm;
};

slip_waker *slip_waker_open(void)
{
	slip_waker *waker = calloc(1, sizeof(*waker));
	return waker != NULL ? waker : slip__fail_null(ENOMEM, "no memory for a waker");
}

void slip_waker_wake(slip_waker *waker)
{
	slip__wait_alarm(&waker->alarm);
}

void slip_waker_close(slip_waker *waker)
{
	free(waker);
}

struct round {
	struct slip__watch watches[SLIP__FUTEX_MANY];
	size_t watched;
	int ready;
	bool some_absent;
};

/* Looks at every item once. 0, or -1 for a call that cannot be right. */
static int look_at_all(slip_wait_item *items, size_t count, struct round *round)
{
	round->watched = 0;
	round->ready = 0;
	round->some_absent = false;
	for (size_t i = 0; i < count; i++) {
		if (items[i].waker != NULL) {
			struct slip__watch alarm = {.alarm = &items[i].waker->alarm};
			items[i].ready = slip__wait_ready(&alarm);
			if (items[i].ready)
				a32_store_relaxed(alarm.alarm, 0);
			round->ready += items[i].ready;
			round->watches[round->watched++] = alarm;
			continue;
		}
		struct slip__reader_channel *c = slip__reader_find(items[i].reader, items[i].channel);
		if (c == NULL)
			return -1;
		int state = c->ops->watch(c, &round->watches[round->watched]);
		items[i].ready = state == 1;
		round->ready += state == 1;
		round->watched += state == 0;
		round->some_absent = round->some_absent || state == -1;
	}
	return 0;
}

int slip_wait_any(slip_wait_item *items, size_t count, int64_t timeout_ns)
{
	if (items == NULL || count < 1 || count > SLIP__FUTEX_MANY)
		return slip__fail(EINVAL, "%zu channels to wait for; 1 to %d are possible", items == NULL ? 0 : count, SLIP__FUTEX_MANY);
	int64_t now = slip__os_now();
	int64_t deadline = slip__wait_deadline(now, timeout_ns);
	int64_t spin_until = 0;
	for (size_t i = 0; i < count; i++) {
		int64_t spin_ns = items[i].reader != NULL ? items[i].reader->options.spin_ns : 0;
		if (spin_ns > 0 && slip__wait_deadline(now, spin_ns) > spin_until)
			spin_until = slip__wait_deadline(now, spin_ns);
	}
	for (;;) {
		struct round round;
		if (look_at_all(items, count, &round) != 0)
			return -1;
		if (round.ready > 0)
			return round.ready;
		int64_t look_at = slip__os_now() + (round.some_absent ? ABSENT_NS : LOOK_NS);
		if (slip__wait(round.watches, round.watched, spin_until, look_at, deadline) == SLIP__WOKEN_FAILED) {
			if (errno == EINTR)
				return slip__fail(EINTR, "a signal ended the wait for %zu channels", count);
			return slip__fail(ETIMEDOUT, "nothing new on %zu channels within %lld ns", count, (long long)timeout_ns);
		}
	}
}

/* ---- questions ---- */

static int peek(slip_reader *reader, const char *channel, slip_frame *view)
{
	struct slip__reader_channel *c = slip__reader_find(reader, channel);
	return c != NULL ? c->ops->peek(c, view) : -1;
}

int slip_get_shape(slip_reader *reader, const char *channel, int64_t shape[SLIP_MAX_DIMS])
{
	slip_frame view;
	if (peek(reader, channel, &view) != 0)
		return -1;
	memset(shape, 0, SLIP_MAX_DIMS * sizeof(shape[0]));
	memcpy(shape, view.shape, (size_t)view.ndim * sizeof(shape[0]));
	return view.ndim;
}

int slip_get_ndim(slip_reader *reader, const char *channel)
{
	slip_frame view;
	return peek(reader, channel, &view) == 0 ? view.ndim : -1;
}

int slip_get_dtype(slip_reader *reader, const char *channel, slip_dtype *dtype)
{
	slip_frame view;
	if (peek(reader, channel, &view) != 0)
		return -1;
	*dtype = view.dtype;
	return 0;
}

int slip_writer_alive(slip_reader *reader, const char *channel)
{
	struct slip__reader_channel *c = slip__reader_find(reader, channel);
	return c != NULL ? c->ops->alive(c) : -1;
}

int slip_reader_get_stats(slip_reader *reader, const char *channel, slip_reader_stats *stats)
{
	if (stats == NULL || stats->struct_size != sizeof(*stats))
		return slip__fail(EINVAL, "slip_reader_stats.struct_size must be sizeof(slip_reader_stats), %zu", sizeof(*stats));
	const struct slip__reader_channel *c = slip__reader_find(reader, channel);
	if (c == NULL)
		return -1;
	c->ops->stats(c, stats);
	return 0;
}
