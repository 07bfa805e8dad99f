/*
 * api_writer.c - the public functions of slipring/writer.h that take a writer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dtype.h"
#include "error.h"
#include "frame.h"
#include "handle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SLOTS = 8, DEFAULT_LEASES = 2, DEFAULT_LOANS = 4, DEFAULT_PERMISSIONS = 0600, DEFAULT_LOCK_NS = 1000000000 };

/* 0 becomes the default; anything else must lie between least and most. */
static int settle(const char *what, uint32_t *value, uint32_t otherwise, uint32_t least, uint32_t most)
{
	if (*value == 0)
		*value = otherwise;
	if (*value < least || *value > most)
		return slip__fail(EINVAL, "slip_writer_options.%s is %u; %u to %u are possible", what, *value, least, most);
	return 0;
}

static int settle_permissions(slip_writer_options *o)
{
	if (o->permissions == 0)
		o->permissions = DEFAULT_PERMISSIONS;
	if ((o->permissions & (mode_t)~0666) != 0 || (o->permissions & 0600) != 0600)
		return slip__fail(EINVAL, "slip_writer_options.permissions is 0%o; expected read and write bits, the owner's among them",
				  o->permissions);
	if ((o->observers & (mode_t)~0044) != 0 || (o->observers & ~o->permissions) != 0)
		return slip__fail(EINVAL, "slip_writer_options.observers is 0%o; expected 040 or 04 or both, and set in permissions (0%o)",
				  o->observers, o->permissions);
	if ((o->observers >> 1 & o->permissions) != 0)
		return slip__fail(EINVAL,
				  "slip_writer_options.observers is 0%o, but permissions is 0%o: who may write does not only observe",
				  o->observers, o->permissions);
	return 0;
}

/* What only a ring has. */
static int refuse_ring_options(const slip_writer_options *o)
{
	const struct {
		const char *name;
		uint64_t value;
	} ring[] = {{"slots", o->slots},     {"max_readers", o->max_readers}, {"leases_per_reader", o->leases_per_reader},
		    {"history", o->history}, {"capacity", o->capacity},	      {"observers", o->observers}};
	for (size_t i = 0; i < sizeof(ring) / sizeof(ring[0]); i++)
		if (ring[i].value != 0)
			return slip__fail(
				ENOTSUP,
				"slip_writer_options.%s is %llu; a semaphore channel has one place and no table of readers: leave it at "
				"0, or use SLIP_MODE_LOCK_FREE",
				ring[i].name, (unsigned long long)ring[i].value);
	return 0;
}

static int settle_options(slip_writer_options *o)
{
	if (o->mode == SLIP_MODE_DEFAULT)
		o->mode = SLIP_MODE_LOCK_FREE;
	if (o->mode != SLIP_MODE_LOCK_FREE && o->mode != SLIP_MODE_SEMAPHORE)
		return slip__fail(EINVAL, "slip_writer_options.mode is %d; expected one of enum slip_mode", (int)o->mode);
	if (o->mode == SLIP_MODE_SEMAPHORE && refuse_ring_options(o) != 0)
		return -1;
	if (o->lock_timeout_ns == 0)
		o->lock_timeout_ns = DEFAULT_LOCK_NS;
	if (settle("slots", &o->slots, DEFAULT_SLOTS, 2, SLIP_MAX_SLOTS) != 0 ||
	    settle("max_readers", &o->max_readers, SLIP_MAX_READERS, 1, SLIP_MAX_READERS) != 0 ||
	    settle("leases_per_reader", &o->leases_per_reader, DEFAULT_LEASES, 1, SLIP_MAX_LEASES) != 0 ||
	    settle("max_loans", &o->max_loans, DEFAULT_LOANS, 1, SLIP_MAX_LOANS) != 0)
		return -1;
	if (o->history >= o->slots)
		return slip__fail(EINVAL, "slip_writer_options.history is %u; at most slots - 1, %u, can be kept", o->history,
				  o->slots - 1);
	return settle_permissions(o);
}

slip_writer *slip_writer_open(const char *base, const slip_writer_options *options)
{
	slip_writer_options settled;
	memset(&settled, 0, sizeof(settled));
	if (slip__name_check("base", base) != 0 || slip__options_copy("slip_writer_options", &settled, sizeof(settled), options) != 0 ||
	    settle_options(&settled) != 0)
		return NULL;
	slip_writer *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return slip__fail_null(ENOMEM, "no memory for a writer of %s", base);
	w->process = slip__os_process_token();
	w->options = settled;
	memcpy(w->base, base, strlen(base));
	pthread_mutex_init(&w->making, NULL);
	return w;
}

void slip_writer_close(slip_writer *writer)
{
	if (writer == NULL)
		return;
	bool ours = writer->process == slip__os_process_token();
	struct slip__writer_channel *channel = aptr_load_relaxed(&writer->channels);
	while (channel != NULL) {
		struct slip__writer_channel *next = aptr_load_relaxed(&channel->next);
		if (ours)
			channel->ops->close(channel);
		else
			channel->ops->abandon(channel);
		channel = next;
	}
	pthread_mutex_destroy(&writer->making);
	free(writer);
}

static struct slip__writer_channel *find(const slip_writer *writer, const char *channel)
{
	struct slip__writer_channel *c = aptr_load_acquire(&writer->channels); /* @CHANNELS */
	while (c != NULL && strcmp(c->name.channel, channel) != 0)
		c = aptr_load_relaxed(&c->next);
	return c;
}

static struct slip__writer_channel *make(slip_writer *writer, const char *channel, const struct slip__array *first)
{
	slip_channel_name name;
	const struct slip__writer_ops *ops =
		writer->options.mode == SLIP_MODE_SEMAPHORE ? &slip__semaphore_writer : &slip__lock_free_writer;
	if (slip__name_make(writer->base, channel, &name) != 0)
		return NULL;
	name.mode = writer->options.mode;
	pthread_mutex_lock(&writer->making);
	struct slip__writer_channel *c = find(writer, channel); /* another thread may have been faster */
	if (c == NULL) {
		c = ops->open(&name, &writer->options, first);
		if (c != NULL) {
			aptr_store_relaxed(&c->next, aptr_load_relaxed(&writer->channels));
			aptr_store_release(&writer->channels, c); /* @CHANNELS */
		}
	}
	pthread_mutex_unlock(&writer->making);
	return c;
}

/* The channel of a handle, made or taken over at its first use. */
static struct slip__writer_channel *use(slip_writer *writer, const char *channel, const struct slip__array *first)
{
	if (writer == NULL || channel == NULL)
		return slip__fail_null(EINVAL, "the %s is NULL", writer == NULL ? "writer" : "channel name");
	if (slip__handle_check(writer->process) != 0)
		return NULL;
	struct slip__writer_channel *c = find(writer, channel);
	return c != NULL ? c : make(writer, channel, first);
}

int slip_channel_create(slip_writer *writer, const char *channel, const slip_array *what)
{
	struct slip__array array;
	if (slip__array_check(what, SLIP__ARRAY_LOANED, &array) != 0)
		return -1;
	struct slip__writer_channel *c = use(writer, channel, &array);
	return c != NULL ? c->ops->reserve(c, &array) : -1;
}

slip_frame *slip_loan(slip_writer *writer, const char *channel, const slip_array *what)
{
	struct slip__array array;
	if (slip__array_check(what, SLIP__ARRAY_LOANED, &array) != 0)
		return NULL;
	struct slip__writer_channel *c = use(writer, channel, &array);
	struct slip__frame *frame = c != NULL ? c->ops->loan(c, &array) : NULL;
	return frame != NULL ? &frame->view : NULL;
}

/* ---- copies in ---- */

/* What the channels with a meaning of their own take. */
struct kind {
	const char *channel;
	const char *expected;
	bool (*takes)(const struct slip__array *array);
	bool has_encoding;
};

static bool takes_image(const struct slip__array *a)
{
	return a->ndim == 2 || a->ndim == 3;
}

static bool takes_depth(const struct slip__array *a)
{
	return a->ndim == 2 || (a->ndim == 3 && a->shape[2] == 1);
}

static bool takes_pointcloud(const struct slip__array *a)
{
	return (a->ndim == 2 || a->ndim == 3) && a->shape[a->ndim - 1] >= 3;
}

static const struct kind IMAGE = {"image", "{height, width} or {height, width, channels}", takes_image, true};
static const struct kind DEPTH = {"depth", "{height, width} or {height, width, 1}", takes_depth, true};
static const struct kind MASK = {"mask", "{height, width} or {height, width, channels}", takes_image, true};
static const struct kind POINTCLOUD = {"pointcloud", "{points, fields} or {rows, columns, fields} with at least 3 fields", takes_pointcloud,
				       false};

static int set_kind(slip_writer *writer, const struct kind *kind, const slip_array *given)
{
	struct slip__array array;
	if (slip__array_check(given, SLIP__ARRAY_COPIED, &array) != 0)
		return -1;
	if (!kind->takes(&array))
		return slip__fail(EINVAL, "a %s is %s; this array has %d dimensions, the last of %lld", kind->channel, kind->expected,
				  array.ndim, array.ndim > 0 ? (long long)array.shape[array.ndim - 1] : 0LL);
	/* The semaphore wire format carries none; a reader derives the same. */
	bool carried = writer != NULL && writer->options.mode == SLIP_MODE_LOCK_FREE;
	if (kind->has_encoding && carried && array.encoding[0] == '\0')
		slip__dtype_encoding(array.dtype, array.ndim == 3 ? array.shape[2] : 1, array.encoding);
	struct slip__writer_channel *c = use(writer, kind->channel, &array);
	return c != NULL ? c->ops->set(c, &array) : -1;
}

int slip_set_image(slip_writer *writer, const slip_array *image)
{
	return set_kind(writer, &IMAGE, image);
}

int slip_set_depth(slip_writer *writer, const slip_array *depth)
{
	return set_kind(writer, &DEPTH, depth);
}

int slip_set_pointcloud(slip_writer *writer, const slip_array *pointcloud)
{
	return set_kind(writer, &POINTCLOUD, pointcloud);
}

int slip_set_mask(slip_writer *writer, const slip_array *mask)
{
	return set_kind(writer, &MASK, mask);
}

int slip_set_array(slip_writer *writer, const char *channel, const slip_array *given)
{
	struct slip__array array;
	if (slip__array_check(given, SLIP__ARRAY_COPIED, &array) != 0)
		return -1;
	struct slip__writer_channel *c = use(writer, channel, &array);
	return c != NULL ? c->ops->set(c, &array) : -1;
}

/* ---- questions ---- */

/* A channel that is made already; NULL without a failure where it is not. */
static int ask(slip_writer *writer, const char *channel, struct slip__writer_channel **found)
{
	if (writer == NULL)
		return slip__fail(EINVAL, "the writer is NULL");
	if (slip__handle_check(writer->process) != 0 || slip__name_check("channel", channel) != 0)
		return -1;
	*found = find(writer, channel);
	return 0;
}

int slip_readers_attached(slip_writer *writer, const char *channel)
{
	struct slip__writer_channel *c = NULL;
	if (ask(writer, channel, &c) != 0)
		return -1;
	return c != NULL ? c->ops->readers(c) : 0;
}

int slip_writer_get_stats(slip_writer *writer, const char *channel, slip_writer_stats *stats)
{
	struct slip__writer_channel *c = NULL;
	if (ask(writer, channel, &c) != 0)
		return -1;
	if (stats == NULL || stats->struct_size != sizeof(*stats))
		return slip__fail(EINVAL, "slip_writer_stats.struct_size must be sizeof(slip_writer_stats), %zu", sizeof(*stats));
	if (c == NULL)
		return slip__fail(ENOENT, "this writer has not made the channel %s yet", channel);
	c->ops->stats(c, stats);
	return 0;
}
