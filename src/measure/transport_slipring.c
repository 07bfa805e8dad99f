/* SPDX-License-Identifier: Apache-2.0 */
#include "transport_slipring.h"

#include <errno.h>
#include <slipring/slipring.h>
#include <stdlib.h>

static const char CHANNEL[] = "a";

struct ring {
	const struct transport_setup *setup;
	slip_mode mode;
	slip_writer *writer;
	slip_reader *reader;
	slip_frame *loaned;
	slip_frame *held;
};

static struct ring *make_with(const struct transport_setup *setup, slip_mode mode)
{
	struct ring *self = calloc(1, sizeof(*self));
	if (self == NULL) {
		complain("no memory");
		return NULL;
	}
	self->setup = setup;
	self->mode = mode;
	return self;
}

static void *make_lock_free(const struct transport_setup *setup)
{
	return make_with(setup, SLIP_MODE_LOCK_FREE);
}

static void *make_semaphore(const struct transport_setup *setup)
{
	return make_with(setup, SLIP_MODE_SEMAPHORE);
}

static int complain_of(const char *doing)
{
	errno = 0; /* it is in the sentence */
	return complain("slipring: %s: %s", doing, slip_error_detail());
}

static void destroy(void *data)
{
	struct ring *self = data;
	/* What a writer that was killed has left. */
	slip_leftover *leftovers = NULL;
	size_t count = 0;
	if (slip_gc_list(self->setup->name, &leftovers, &count) == 0)
		for (size_t i = 0; i < count; i++)
			(void)slip_gc_remove(&leftovers[i]);
	free(leftovers);
	free(self);
}

static slip_array frame_of(const struct ring *self, const void *bytes)
{
	slip_array what = SLIP_ARRAY_INIT;
	what.data = bytes;
	what.dtype = SLIP_U8;
	what.ndim = 1;
	what.shape[0] = (int64_t)self->setup->size;
	return what;
}

static int open_writer(void *data)
{
	struct ring *self = data;
	const struct transport_setup *setup = self->setup;
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.mode = self->mode;
	options.prefault = 1;
	if (self->mode == SLIP_MODE_LOCK_FREE) {
		/* A frame that each reader holds, those that a slow one may be behind, the loan: then a slot is always free. */
		options.slots = (uint32_t)(setup->readers + setup->under_way + 1);
		options.leases_per_reader = 1;
	}
	self->writer = slip_writer_open(setup->name, &options);
	const slip_array what = frame_of(self, NULL);
	if (self->writer == NULL || slip_channel_create(self->writer, CHANNEL, &what) != 0)
		return complain_of("cannot open a writer");
	return 0;
}

static int send_copy(void *data, const void *frame)
{
	struct ring *self = data;
	const slip_array what = frame_of(self, frame);
	return slip_set_array(self->writer, CHANNEL, &what) == 0 ? 0 : complain_of("cannot publish");
}

static void *loan(void *data)
{
	struct ring *self = data;
	const slip_array what = frame_of(self, NULL);
	self->loaned = slip_loan(self->writer, CHANNEL, &what);
	if (self->loaned == NULL) {
		complain_of("cannot loan");
		return NULL;
	}
	return self->loaned->data;
}

static int publish(void *data, void *frame)
{
	(void)frame;
	struct ring *self = data;
	return slip_publish(self->loaned) == 0 ? 0 : complain_of("cannot publish");
}

static void close_writer(void *data)
{
	struct ring *self = data;
	slip_writer_close(self->writer);
}

static int open_reader(void *data, int number)
{
	(void)number;
	struct ring *self = data;
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = self->mode;
	options.prefault = self->mode == SLIP_MODE_LOCK_FREE;
	if (self->setup->waiting == WAIT_SPIN && self->mode == SLIP_MODE_LOCK_FREE)
		options.spin_ns = INT64_C(3600) * 1000000000;
	self->reader = slip_reader_open(self->setup->name, &options);
	return self->reader != NULL ? 0 : complain_of("cannot open a reader");
}

static const void *receive_next(void *data, int64_t limit_ns)
{
	struct ring *self = data;
	self->held = slip_next(self->reader, CHANNEL, limit_ns);
	if (self->held != NULL)
		return self->held->data;
	if (errno != ETIMEDOUT && errno != ENOENT && errno != EPIPE)
		complain_of("cannot get the next frame");
	return NULL;
}

/* Frames have no numbers in this mode: the newest, once its stamp is another. */
static const void *receive_newest(void *data, int64_t limit_ns)
{
	struct ring *self = data;
	const int64_t until = now_ns() + limit_ns;
	while (slip_wait(self->reader, CHANNEL, limit_ns) == 0) {
		self->held = slip_get_array(self->reader, CHANNEL);
		if (self->held != NULL)
			return self->held->data;
		if ((errno != EAGAIN && errno != ENOENT) || !spin_on(until))
			break;
	}
	if (errno != ETIMEDOUT && errno != ENOENT && errno != EPIPE && errno != EAGAIN)
		complain_of("cannot get the newest frame");
	return NULL;
}

static void release(void *data, const void *frame)
{
	(void)frame;
	struct ring *self = data;
	if (slip_release(self->held) != 0)
		complain_of("cannot release");
}

static void close_reader(void *data)
{
	struct ring *self = data;
	slip_reader_close(self->reader);
}

const struct transport TRANSPORT_SLIPRING = {
	.name = "slipring",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_LOAN | CAN_FANOUT,
	.how = "a ring of slots; slip_set_array or slip_loan and slip_publish, slip_next",
	.version = slip_version,
	.make = make_lock_free,
	.destroy = destroy,
	.open_writer = open_writer,
	.send = send_copy,
	.loan = loan,
	.publish = publish,
	.close_writer = close_writer,
	.open_reader = open_reader,
	.receive = receive_next,
	.release = release,
	.close_reader = close_reader,
};

const struct transport TRANSPORT_SEMAPHORE = {
	.name = "slipring, semaphore mode",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_FANOUT,
	.how = "the semaphore wire format; slip_set_array, slip_wait and slip_get_array",
	.version = slip_version,
	.make = make_semaphore,
	.destroy = destroy,
	.open_writer = open_writer,
	.send = send_copy,
	.close_writer = close_writer,
	.open_reader = open_reader,
	.receive = receive_newest,
	.release = release,
	.close_reader = close_reader,
};
