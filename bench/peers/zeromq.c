/*
 * zeromq.c - ZeroMQ over ipc: PUSH to PULL for one reader, as its own throughput test does, PUB to SUB for several.
 * SPDX-License-Identifier: Apache-2.0
 *
 * PUB is told not to drop (ZMQ_XPUB_NODROP): by default it throws away at full speed what is beyond the high-water mark, and little else
 * would be measured. zmq_send copies into a message of ZeroMQ's. zmq_msg_init_data could not spare that copy, as the caller fills its frame
 * anew at once; with a pool of buffers for it, or a larger ZMQ_SNDBUF, nothing got faster.
 *
 * The socket's name is an abstract one, which leaves no file. Each side makes its context in its own process: contexts start threads.
 */
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

enum { PATIENCE_MS = 5000, LINGER_MS = 1000 };

struct sockets {
	const struct transport_setup *setup;
	char address[64];
	void *context, *socket; /* each process has its own of these and of the rest */
	zmq_msg_t message;	/* a reader's; holds the frame until it is released */
	int limit_ms;		/* that the socket knows */
};

/* ZeroMQ has errors of its own; what it says about them stands in for errno's text. */
static int complain_zmq(const char *what)
{
	const char *why = zmq_strerror(zmq_errno());
	errno = 0;
	return complain("%s: %s", what, why);
}

static void *make(const struct transport_setup *setup)
{
	struct sockets *s = calloc(1, sizeof *s);
	if (s == NULL) {
		complain("calloc");
		return NULL;
	}
	s->setup = setup;
	s->limit_ms = -1;
	snprintf(s->address, sizeof s->address, "ipc://@%s", setup->name);
	return s;
}

static void destroy(void *self)
{
	free(self);
}

static int set(struct sockets *s, int option, int value)
{
	return zmq_setsockopt(s->socket, option, &value, sizeof value) == 0 ? 0 : complain_zmq("zmq_setsockopt");
}

static int open_socket(struct sockets *s, int type)
{
	s->context = zmq_ctx_new();
	if (s->context == NULL || (s->socket = zmq_socket(s->context, type)) == NULL)
		return complain_zmq("zmq_socket");
	return 0;
}

static void close_socket(void *self)
{
	struct sockets *s = self;
	zmq_close(s->socket);
	zmq_ctx_term(s->context);
}

static int open_writer(void *self)
{
	struct sockets *s = self;
	bool alone = s->setup->readers == 1;
	if (open_socket(s, alone ? ZMQ_PUSH : ZMQ_PUB) != 0 || set(s, ZMQ_SNDHWM, s->setup->under_way) != 0 ||
	    set(s, ZMQ_SNDTIMEO, PATIENCE_MS) != 0 || set(s, ZMQ_LINGER, LINGER_MS) != 0)
		return -1;
	if (!alone && set(s, ZMQ_XPUB_NODROP, 1) != 0)
		return -1;
	return zmq_bind(s->socket, s->address) == 0 ? 0 : complain_zmq(s->address);
}

static int send_frame(void *self, const void *frame)
{
	struct sockets *s = self;
	while (zmq_send(s->socket, frame, s->setup->size, 0) < 0)
		if (zmq_errno() != EINTR)
			return complain_zmq("zmq_send");
	return 0;
}

static int open_reader(void *self, int reader)
{
	(void)reader;
	struct sockets *s = self;
	bool alone = s->setup->readers == 1;
	if (open_socket(s, alone ? ZMQ_PULL : ZMQ_SUB) != 0 || set(s, ZMQ_RCVHWM, s->setup->under_way) != 0 || set(s, ZMQ_LINGER, 0) != 0)
		return -1;
	if (!alone && zmq_setsockopt(s->socket, ZMQ_SUBSCRIBE, "", 0) != 0)
		return complain_zmq("ZMQ_SUBSCRIBE");
	if (zmq_msg_init(&s->message) != 0)
		return complain_zmq("zmq_msg_init");
	return zmq_connect(s->socket, s->address) == 0 ? 0 : complain_zmq(s->address);
}

/* -1 when nothing came in time. */
static int await(struct sockets *s, int64_t limit_ns)
{
	bool spin = s->setup->waiting == WAIT_SPIN;
	int64_t deadline = now_ns() + limit_ns;
	int limit_ms = (int)((limit_ns + 999999) / 1000000);
	if (!spin && limit_ms != s->limit_ms) {
		if (set(s, ZMQ_RCVTIMEO, limit_ms) != 0)
			return -1;
		s->limit_ms = limit_ms;
	}
	int n;
	while ((n = zmq_msg_recv(&s->message, s->socket, spin ? ZMQ_DONTWAIT : 0)) < 0) {
		if (zmq_errno() != EAGAIN && zmq_errno() != EINTR)
			return complain_zmq("zmq_msg_recv");
		if (spin ? !spin_on(deadline) : now_ns() >= deadline || zmq_errno() == EAGAIN)
			return -1;
	}
	return 0;
}

static const void *receive(void *self, int64_t limit_ns)
{
	struct sockets *s = self;
	if (await(s, limit_ns) != 0)
		return NULL;
	if (zmq_msg_size(&s->message) == s->setup->size)
		return zmq_msg_data(&s->message);
	errno = 0;
	complain("a message of %zu bytes, not %zu", zmq_msg_size(&s->message), s->setup->size);
	return NULL;
}

static void release(void *self, const void *frame)
{
	(void)frame;
	struct sockets *s = self;
	zmq_msg_close(&s->message);
	zmq_msg_init(&s->message);
}

static void close_reader(void *self)
{
	struct sockets *s = self;
	zmq_msg_close(&s->message);
	close_socket(s);
}

static const char *version(void)
{
	static char text[32];
	int major, minor, patch;
	zmq_version(&major, &minor, &patch);
	snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
	return text;
}

static const struct transport zeromq = {
	.name = "ZeroMQ",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_FANOUT,
	.how = "ipc://, PUSH and PULL for one reader, PUB (ZMQ_XPUB_NODROP) and SUB for more, HWM; a full one holds the writer up"
	       "under way",
	.version = version,
	.make = make,
	.destroy = destroy,
	.open_writer = open_writer,
	.send = send_frame,
	.close_writer = close_socket,
	.open_reader = open_reader,
	.receive = receive,
	.release = release,
	.close_reader = close_reader,
};

const struct transport *const PEERS[] = {&zeromq, NULL};
