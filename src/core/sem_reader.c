/*
 * sem_reader.c - semaphore mode's reading side: private copies, made under the lock. There is nothing to sleep on: waiting polls.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "copy.h"
#include "error.h"
#include "frame.h"
#include "lock.h"
#include "mode.h"
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	POLL_NS = 1000000,
	/* How long a channel is missing before a wait calls it closed: a writer that starts again unlinks first. */
	GONE_NS = 100000000,
	SPIN_CHECKS = 32
};

struct reading {
	struct slip__reader_channel common; /* first */
	slip_reader_options options;
	struct slip__lock lock;
	const struct slip__wire_header *memory; /* mapped: header and payload; NULL while not attached */
	uint64_t memory_bytes;
	struct slip__identity identity;
	slip_frame shape; /* of every frame: what the header said when we attached */
	int64_t gone_ns;  /* since when nothing stands under the name that we were attached to; 0: not so */
	bool had;	  /* a frame of this object; its timestamp is last_stamp */
	uint64_t last_stamp;
	uint64_t seq; /* different frames had */
	uint64_t generations;
	uint64_t contended;
};

static struct reading *channel_of(struct slip__reader_channel *common)
{
	return (struct reading *)(void *)common;
}

static struct slip__reader_channel *open_channel(const slip_channel_name *name, const slip_reader_options *options)
{
	struct reading *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return slip__fail_null(ENOMEM, "no memory for a reader of %s/%s", name->base, name->channel);
	c->common.ops = &slip__semaphore_reader;
	c->common.name = *name;
	c->common.name.mode = SLIP_MODE_SEMAPHORE;
	c->options = *options;
	c->lock.fd = -1;
	return &c->common;
}

/* ---- following the name ---- */

static void unmap(struct reading *c)
{
	slip__os_unmap((void *)c->memory, c->memory_bytes);
	c->memory = NULL;
}

static void detach(struct reading *c)
{
	unmap(c);
	slip__lock_close(&c->lock);
}

static void close_channel(struct slip__reader_channel *common)
{
	struct reading *c = channel_of(common);
	detach(c);
	free(c);
}

static void abandon_channel(struct slip__reader_channel *common)
{
	struct reading *c = channel_of(common);
	unmap(c);
	slip__lock_abandon(&c->lock);
	free(c);
}

static int absent(const struct reading *c)
{
	const slip_channel_name *name = &c->common.name;
	if (c->gone_ns != 0)
		return slip__fail(EPIPE, "the writer closed %s/%s; nothing newer is there until one comes", name->base, name->channel);
	if (!slip__os_has_directory())
		return slip__fail(ENOENT, "there is no channel %s/%s, because there is no directory %s", name->base, name->channel,
				  slip__os_directory());
	return slip__fail(ENOENT, "there is no channel %s/%s (yet); start its writer, or wait with slip_wait_for_array", name->base,
			  name->channel);
}

/* Maps the object behind fd if its header can be. */
static int map(struct reading *c, const char *object, int fd, const struct slip__file *file)
{
	struct slip__wire_header header;
	if (file->size == 0)
		return slip__fail_silently(ENOENT);
	/* A mapping of what the object really has: no header that lies, or grows later, leads outside. */
	c->memory_bytes = file->size;
	c->memory = slip__os_map(fd, c->memory_bytes, SLIP__READ_ONLY);
	if (c->memory == NULL)
		return -1;
	memset(&header, 0, sizeof(header));
	/* Its timestamp may be written meanwhile. */
	slip__copy_racing(&header, c->memory, file->size < sizeof(header) ? file->size : sizeof(header));
	if (slip__wire_read(object, &header, file->size, &c->shape) != 0)
		return -1;
	slip__wire_encoding(&c->common.name, &c->shape);
	if (c->options.prefault)
		slip__os_prefault((void *)c->memory, c->memory_bytes, false);
	c->identity = file->identity;
	return 0;
}

static int attach_once(struct reading *c)
{
	char memory[SLIP_OBJECT_MAX];
	char semaphore[SLIP_OBJECT_MAX];
	struct slip__file file;
	slip__wire_memory_name(&c->common.name, memory);
	slip__wire_semaphore_name(&c->common.name, semaphore);
	int fd = slip__os_open(memory, SLIP__READ_ONLY, &file);
	if (fd < 0)
		return -1;
	int done = map(c, memory, fd, &file) == 0 ? slip__lock_open(&c->lock, &c->common.name) : -1;
	/* Both names led here at one time, or a writer has started again meanwhile and the two do not belong together. */
	if (done == 0 && (slip__os_leads_to(semaphore, c->lock.identity) == 0 || slip__os_leads_to(memory, c->identity) == 0))
		done = slip__fail_silently(ENOENT);
	int err = errno;
	slip__os_close(fd);
	if (done != 0)
		detach(c);
	errno = err;
	return done;
}

static int attach(struct reading *c)
{
	if (attach_once(c) != 0)
		return errno == ENOENT ? absent(c) : -1;
	c->gone_ns = 0;
	c->had = false;
	c->generations++;
	return 0;
}

/* Goes over to what stands under the name now. -1 with ENOENT, EPIPE (nothing does), or what is wrong with it. */
static int follow(struct reading *c)
{
	char memory[SLIP_OBJECT_MAX];
	if (c->memory != NULL) {
		slip__wire_memory_name(&c->common.name, memory);
		if (slip__os_leads_to(memory, c->identity) != 0)
			return 0;
		detach(c);
		c->gone_ns = slip__os_now();
	}
	return attach(c);
}

/* ---- frames ---- */

/* A header is filled, and the payload zero, before the first frame comes: a timestamp of 0 with a payload of zeros is no frame. */
static bool is_frame(uint64_t stamp, const void *payload, uint64_t bytes)
{
	const unsigned char *at = payload;
	if (stamp != 0)
		return true;
	return bytes > 0 && (at[0] != 0 || memcmp(at, at + 1, bytes - 1) != 0);
}

static const void *payload_of(const struct reading *c)
{
	return (const char *)c->memory + sizeof(*c->memory);
}

/* The same without the lock, while a writer may be writing: a hint. */
static bool seems_a_frame(const struct reading *c, uint64_t stamp)
{
	enum { PIECE = 1024 };
	unsigned char piece[PIECE];
	for (uint64_t at = 0; stamp == 0 && at < c->shape.size; at += PIECE) {
		const uint64_t left = c->shape.size - at;
		const size_t size = left < PIECE ? (size_t)left : PIECE;
		slip__copy_racing(piece, (const char *)payload_of(c) + at, size);
		if (is_frame(0, piece, size))
			return true;
	}
	return stamp != 0;
}

/* Out from under the lock. -1 with EAGAIN, EINTR. */
static int copy_out(struct reading *c, void *to, uint64_t *stamp)
{
	if (slip__lock_take(&c->lock, c->options.lock_timeout_ns) != 0)
		return -1;
	bool excluded = c->lock.excluded;
	if (excluded) {
		*stamp = a64_load_relaxed(&c->memory->timestamp);
		slip__copy(to, payload_of(c), c->shape.size);
	}
	slip__lock_give(&c->lock);
	if (excluded)
		return 0;
	return slip__fail(
		EAGAIN,
		"the lock of %s/%s had been posted %llu times too often and let several in; that is repaired, but this frame may be torn: "
		"try again",
		c->common.name.base, c->common.name.channel, (unsigned long long)c->lock.extra);
}

static void describe(const struct reading *c, uint64_t stamp, slip_frame *view)
{
	int64_t realtime = slip__wire_stamp_ns(stamp);
	view->dtype = c->shape.dtype;
	view->ndim = c->shape.ndim;
	memcpy(view->shape, c->shape.shape, sizeof(view->shape));
	memcpy(view->strides, c->shape.strides, sizeof(view->strides));
	memcpy(view->encoding, c->shape.encoding, sizeof(view->encoding));
	view->epoch = c->identity.inode;
	view->seq = c->seq;
	view->capture_realtime_ns = realtime;
	/* The format has no monotonic stamp; with equal clocks it was this one. */
	int64_t capture = 0;
	if (stamp != 0 && !c->options.no_stamps && !__builtin_sub_overflow(realtime, slip__os_realtime() - slip__os_now(), &capture))
		view->capture_ns = capture;
}

static struct slip__frame *latest(struct slip__reader_channel *common)
{
	struct reading *c = channel_of(common);
	uint64_t stamp = 0;
	if (follow(c) != 0)
		return NULL;
	/* Memory before the lock, which is held no longer than the copy takes. */
	struct slip__frame *frame = slip__frame_private(c->shape.size, 0);
	if (frame == NULL)
		return NULL;
	int done = copy_out(c, frame->view.data, &stamp);
	if (done != 0)
		c->contended += errno == EAGAIN;
	else if (!is_frame(stamp, frame->view.data, c->shape.size))
		done = slip__fail(ENOENT, "%s/%s has no frame yet; wait with slip_wait_for_array", common->name.base, common->name.channel);
	if (done != 0) {
		int err = errno;
		(void)frame->ops->release(frame);
		errno = err;
		return NULL;
	}
	c->seq += !c->had || stamp != c->last_stamp;
	c->had = true;
	c->last_stamp = stamp;
	describe(c, stamp, &frame->view);
	return frame;
}

static struct slip__frame *next(struct slip__reader_channel *common, int64_t timeout_ns)
{
	(void)timeout_ns;
	return slip__fail_null(
		ENOTSUP, "%s/%s is a semaphore channel, whose frames have no numbers: use slip_wait and slip_get_array, or lock-free mode",
		common->name.base, common->name.channel);
}

static int peek(struct slip__reader_channel *common, slip_frame *view)
{
	struct reading *c = channel_of(common);
	if (follow(c) != 0)
		return -1;
	*view = c->shape;
	return 0;
}

static int exists(struct slip__reader_channel *common)
{
	if (follow(channel_of(common)) == 0)
		return 1;
	return errno == ENOENT || errno == EPIPE ? 0 : -1;
}

/* ---- waiting ---- */

/* Without the lock: whether a get is worth while. 1, 0, or -1 as follow. */
static int ready(struct reading *c, bool any)
{
	if (follow(c) != 0)
		return -1;
	uint64_t stamp = a64_load_relaxed(&c->memory->timestamp);
	if (c->had)
		return any || stamp != c->last_stamp;
	return seems_a_frame(c, stamp);
}

static int wait_for(struct slip__reader_channel *common, int64_t timeout_ns, bool any)
{
	struct reading *c = channel_of(common);
	int64_t now = slip__os_now();
	int64_t deadline = slip__wait_deadline(now, timeout_ns);
	int64_t spin_until = c->options.spin_ns > 0 ? slip__wait_deadline(now, c->options.spin_ns) : 0;
	for (uint64_t checks = 0;; checks++) {
		int state = ready(c, any);
		if (state > 0)
			return 0;
		if (state < 0 && errno != ENOENT && errno != EPIPE)
			return -1;
		if (!any && state < 0 && errno == EPIPE && (timeout_ns == 0 || slip__os_now() - c->gone_ns >= GONE_NS))
			return -1;
		if (checks % SPIN_CHECKS != 0 && now < spin_until) {
			cpu_relax();
			continue;
		}
		now = slip__os_now();
		if (now >= deadline)
			return slip__fail(ETIMEDOUT, "nothing new on %s/%s within %lld ns%s", common->name.base, common->name.channel,
					  (long long)timeout_ns, state < 0 ? " (there is no such channel)" : "");
		if (now >= spin_until && slip__os_sleep(deadline - now < POLL_NS ? deadline - now : POLL_NS) != 0 && errno == EINTR)
			return slip__fail(EINTR, "a signal ended the wait for %s/%s", common->name.base, common->name.channel);
	}
}

static int watch(struct slip__reader_channel *common, struct slip__watch *unused)
{
	(void)unused;
	/* Nothing to sleep on: who waits for several polls this one. */
	return ready(channel_of(common), false) > 0 ? 1 : -1;
}

/* ---- the rest ---- */

static int alive(struct slip__reader_channel *common)
{
	struct reading *c = channel_of(common);
	if (follow(c) != 0)
		return errno == EPIPE ? 0 : -1;
	if (slip__lock_made_for(&c->lock) > 0)
		return slip__lock_writer_alive(&c->lock);
	return slip__fail(ENOTSUP, "%s/%s was made by another program, and the semaphore wire format does not say whether it lives",
			  common->name.base, common->name.channel);
}

static void stats(const struct slip__reader_channel *common, slip_reader_stats *out)
{
	const struct reading *c = (const struct reading *)(const void *)common;
	out->got = c->seq;
	out->missed = 0;
	out->last_seq = c->seq;
	out->generations = c->generations;
	out->epoch = c->memory != NULL ? c->identity.inode : 0;
	out->leases = 0;
	out->contended = c->contended;
}

const struct slip__reader_ops slip__semaphore_reader = {
	.open = open_channel,
	.close = close_channel,
	.abandon = abandon_channel,
	.latest = latest,
	.next = next,
	.wait = wait_for,
	.watch = watch,
	.peek = peek,
	.exists = exists,
	.alive = alive,
	.stats = stats,
};
