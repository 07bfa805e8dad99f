/* unix_socket.c - a UNIX stream socket pair for each reader. SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"
#include "stream.h"

#include <sys/socket.h>

enum { BUFFER_MOST = 1024 * 1024 };

static int connect_pair(int ends[2], size_t buffered)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return complain("socketpair");
	/*
	 * The kernel cuts it to net.core.wmem_max, and counts what it keeps for each piece along with its bytes: hence 64 KiB more. Beyond
	 * 1 MiB nothing gets faster, frames only queue longer. SO_RCVBUF has no effect on these sockets (unix(7)).
	 */
	int size = buffered < BUFFER_MOST ? (int)buffered + 65536 : BUFFER_MOST;
	return setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0 ? 0 : complain("SO_SNDBUF");
}

static void *make(const struct transport_setup *setup)
{
	return stream_make(setup, true, connect_pair);
}

static const struct transport unix_socket = {
	.name = "UNIX socket",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_FANOUT,
	.how = "one SOCK_STREAM socketpair per reader, SO_SNDBUF up to 1 MiB, MSG_WAITALL; a full one holds the writer up",
	.version = stream_version,
	.make = make,
	.destroy = stream_destroy,
	.open_writer = stream_open_writer,
	.send = stream_send,
	.close_writer = stream_close_writer,
	.open_reader = stream_open_reader,
	.receive = stream_receive,
	.release = stream_release,
	.close_reader = stream_close_reader,
};

const struct transport *const PEERS[] = {&unix_socket, NULL};
