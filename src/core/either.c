/*
 * either.c - a channel of a reader that was opened without a mode: what is there, lock-free first.
 *
 * It keeps to the mode it has found until that one's channel is absent or closed while the other's is there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "error.h"
#include "frame.h"
#include "mode.h"
#include "os.h"

#include <errno.h>
#include <stdlib.h>

enum { LOOK_NS = 5000000 };

struct either {
	struct slip__reader_channel common; /* first */
	struct slip__reader_channel *now;   /* the one that is asked first */
	struct slip__reader_channel *other;
};

static struct either *either_of(struct slip__reader_channel *common)
{
	return (struct either *)(void *)common;
}

static struct slip__reader_channel *open_channel(const slip_channel_name *name, const slip_reader_options *options)
{
	struct either *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return slip__fail_null(ENOMEM, "no memory for a reader of %s/%s", name->base, name->channel);
	e->common.ops = &slip__either_reader;
	e->common.name = *name;
	e->now = slip__lock_free_reader.open(name, options);
	e->other = slip__semaphore_reader.open(name, options);
	if (e->now != NULL && e->other != NULL)
		return &e->common;
	if (e->now != NULL)
		e->now->ops->close(e->now);
	if (e->other != NULL)
		e->other->ops->close(e->other);
	free(e);
	errno = ENOMEM;
	return NULL;
}

static void close_channel(struct slip__reader_channel *common)
{
	struct either *e = either_of(common);
	e->now->ops->close(e->now);
	e->other->ops->close(e->other);
	free(e);
}

static void abandon_channel(struct slip__reader_channel *common)
{
	struct either *e = either_of(common);
	e->now->ops->abandon(e->now);
	e->other->ops->abandon(e->other);
	free(e);
}

static bool is_absent(int err)
{
	return err == ENOENT || err == EPIPE;
}

/*
 * After the one that is asked first had nothing: whether there is something to ask now, there or at the other, which then is asked first. Otherwise errno
 * and its sentence stay.
 */
static bool ask_again(struct either *e)
{
	struct slip__reader_channel *before = e->now;
	int err = errno;
	int there = before->ops->exists(before);
	if (there < 0)
		there = before->ops->exists(before); /* for want of memory, say: that it cannot be told does not make it there */
	if (there != 0)
		return true;
	/* What stands there and cannot be used counts too: it says why when it is asked. */
	if (e->other->ops->exists(e->other) != 0) {
		e->now = e->other;
		e->other = before;
		return true;
	}
	(void)before->ops->exists(before); /* its sentence again */
	errno = err;
	return false;
}

static struct slip__frame *latest(struct slip__reader_channel *common)
{
	struct either *e = either_of(common);
	struct slip__frame *frame = e->now->ops->latest(e->now);
	if (frame != NULL || !is_absent(errno) || !ask_again(e))
		return frame;
	return e->now->ops->latest(e->now);
}

static int peek(struct slip__reader_channel *common, slip_frame *view)
{
	struct either *e = either_of(common);
	(void)ask_again(e);
	return e->now->ops->peek(e->now, view);
}

static int alive(struct slip__reader_channel *common)
{
	struct either *e = either_of(common);
	(void)ask_again(e);
	return e->now->ops->alive(e->now);
}

static int watch(struct slip__reader_channel *common, struct slip__watch *out)
{
	struct either *e = either_of(common);
	int state = e->now->ops->watch(e->now, out);
	return state != -1 || !ask_again(e) ? state : e->now->ops->watch(e->now, out);
}

/*
 * Waits until one of the two is there, which is then asked first, or is closed. *timeout_ns becomes what is left of it. -1 with EINTR; being out of
 * time is for the asked one to say.
 */
static int wait_for_one(struct either *e, int64_t *timeout_ns)
{
	int64_t now = slip__os_now();
	int64_t deadline = slip__wait_deadline(now, *timeout_ns);
	while (e->now->ops->exists(e->now) == 0 && errno == ENOENT && !ask_again(e) && now < deadline) {
		if (slip__os_sleep(deadline - now < LOOK_NS ? deadline - now : LOOK_NS) != 0 && errno == EINTR)
			return slip__fail(EINTR, "a signal ended the wait for %s/%s", e->common.name.base, e->common.name.channel);
		now = slip__os_now();
		if (deadline != INT64_MAX)
			*timeout_ns = deadline > now ? deadline - now : 0;
	}
	return 0;
}

/* Before a wait, which only one of the two can do. 0: ask it; else -1, and nothing is there to wait for. */
static int settle(struct either *e, int64_t *timeout_ns, bool past_a_close)
{
	if (e->now->ops->exists(e->now) != 0 || ask_again(e))
		return 0;
	if (errno == EPIPE && !past_a_close)
		return -1;
	return *timeout_ns != 0 ? wait_for_one(e, timeout_ns) : 0;
}

static int wait_for(struct slip__reader_channel *common, int64_t timeout_ns, bool any)
{
	struct either *e = either_of(common);
	if (settle(e, &timeout_ns, any) != 0)
		return -1;
	int done = e->now->ops->wait(e->now, timeout_ns, any);
	return done == 0 || !is_absent(errno) || !ask_again(e) ? done : e->now->ops->wait(e->now, timeout_ns, any);
}

static void in_order(struct slip__reader_channel *common)
{
	struct either *e = either_of(common);
	if (e->now->ops->in_order != NULL)
		e->now->ops->in_order(e->now);
	if (e->other->ops->in_order != NULL)
		e->other->ops->in_order(e->other);
}

static struct slip__frame *next(struct slip__reader_channel *common, int64_t timeout_ns)
{
	struct either *e = either_of(common);
	in_order(common); /* looking for the one that is there attaches */
	if (settle(e, &timeout_ns, false) != 0)
		return NULL;
	struct slip__frame *frame = e->now->ops->next(e->now, timeout_ns);
	return frame != NULL || !is_absent(errno) || !ask_again(e) ? frame : e->now->ops->next(e->now, timeout_ns);
}

static void stats(const struct slip__reader_channel *common, slip_reader_stats *out)
{
	const struct either *e = (const struct either *)(const void *)common;
	e->now->ops->stats(e->now, out);
}

const struct slip__reader_ops slip__either_reader = {
	.open = open_channel,
	.close = close_channel,
	.abandon = abandon_channel,
	.latest = latest,
	.next = next,
	.wait = wait_for,
	.watch = watch,
	.peek = peek,
	.in_order = in_order,
	.alive = alive,
	.stats = stats,
};
