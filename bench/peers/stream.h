/*
 * stream.h - frames over byte streams, one for each reader: what pipe.c and unix_socket.c have in common. The streams are made in the
 * parent and inherited, so they have no names and nothing of them can be left over.
 *
 * A frame goes to all readers at once: each stream takes what it has room for, then the writer waits for room in any. It gives up
 * after STREAM_PATIENCE_NS without any.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PEERS_STREAM_H
#define SLIP_PEERS_STREAM_H

#include "transport.h"

#define STREAM_PATIENCE_NS INT64_C(5000000000)

struct stream {
	const struct transport_setup *setup;
	int (*ends)[2];	      /* for each reader: where it reads, where the writer writes */
	bool sockets;	      /* or pipes */
	int mine;	      /* a reader's end; -1 in others */
	unsigned char *frame; /* a reader's */
	size_t have;	      /* bytes of that frame so far: a limit may pass in the middle of one */
	int64_t ticking_ns;   /* the period of the reader's timer; 0: none yet */
};

/* make, but for what is to become of each pair of ends: connect fills it, -1 after complain(). */
struct stream *stream_make(const struct transport_setup *setup, bool sockets, int (*connect)(int ends[2], size_t buffered));

/* The functions of struct transport with their names. */
void stream_destroy(void *self);
int stream_open_writer(void *self);
int stream_send(void *self, const void *frame);
void stream_close_writer(void *self);
int stream_open_reader(void *self, int reader);
const void *stream_receive(void *self, int64_t limit_ns);
void stream_release(void *self, const void *frame);
void stream_close_reader(void *self);
const char *stream_version(void); /* of the kernel */

#endif
