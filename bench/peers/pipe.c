/*
 * pipe.c - a pipe for each reader, with buffers as large as anyone's may be. SPDX-License-Identifier: Apache-2.0
 *
 * write, not vmsplice: pages that are spliced into a pipe must not be changed until the reader has read them, and gifted ones never
 * again (vmsplice(2)); but the writer fills its frame anew as soon as send has returned. tee(2) would spare no copy for that reason:
 * the first pipe has to be written to all the same, and each reader copies out.
 */
#include "peer.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* What a pipe may hold without privilege. */
static size_t pipe_limit(void)
{
	size_t limit = 65536;
	FILE *file = fopen("/proc/sys/fs/pipe-max-size", "re");
	if (file == NULL)
		return limit;
	if (fscanf(file, "%zu", &limit) != 1)
		limit = 65536;
	fclose(file);
	return limit;
}

static int connect_pipe(int ends[2], size_t buffered)
{
	size_t limit = pipe_limit();
	if (pipe2(ends, O_CLOEXEC) != 0)
		return complain("pipe2");
	/* A frame takes pages of its own, so small ones need more of them than they have bytes. Whoever has many pipes may have less (EPERM). */
	for (size_t size = buffered > limit / 16 ? limit : limit / 16; size > 65536; size /= 2)
		if (fcntl(ends[1], F_SETPIPE_SZ, (int)size) >= 0)
			return 0;
		else if (errno != EPERM)
			return complain("F_SETPIPE_SZ %zu", size);
	return 0;
}

static void *make(const struct transport_setup *setup)
{
	return stream_make(setup, false, connect_pipe);
}

static const struct transport pipes = {
	.name = "pipe",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_FANOUT,
	.how = "one pipe per reader, F_SETPIPE_SZ up to pipe-max-size, write and read; a full one holds the writer up",
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

const struct transport *const PEERS[] = {&pipes, NULL};
