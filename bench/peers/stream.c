/* stream.c - frames over byte streams, one for each reader. SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { READ, WRITE };

struct stream *stream_make(const struct transport_setup *setup, bool sockets, int (*connect)(int ends[2], size_t buffered))
{
	struct stream *s = calloc(1, sizeof *s);
	if (s == NULL || (s->ends = calloc((size_t)setup->readers + 1, sizeof *s->ends)) == NULL) {
		complain("calloc");
		free(s);
		return NULL;
	}
	s->setup = setup;
	s->sockets = sockets;
	s->mine = -1;
	for (int i = 0; i < setup->readers; i++)
		s->ends[i][READ] = s->ends[i][WRITE] = -1;
	for (int i = 0; i < setup->readers; i++)
		if (connect(s->ends[i], setup->size * (size_t)setup->under_way) != 0) {
			stream_destroy(s);
			return NULL;
		}
	return s;
}

static void close_ends(struct stream *s, int end, int except)
{
	for (int i = 0; i < s->setup->readers; i++)
		if (i != except && s->ends[i][end] >= 0) {
			close(s->ends[i][end]);
			s->ends[i][end] = -1;
		}
}

void stream_destroy(void *self)
{
	struct stream *s = self;
	close_ends(s, READ, -1);
	close_ends(s, WRITE, -1);
	free(s->ends);
	free(s);
}

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? complain("F_SETFL") : 0;
}

int stream_open_writer(void *self)
{
	struct stream *s = self;
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return complain("SIGPIPE");
	close_ends(s, READ, -1);
	for (int i = 0; i < s->setup->readers; i++)
		if (set_nonblocking(s->ends[i][WRITE]) != 0)
			return -1;
	return 0;
}

/* Until any of the streams that are to have more has room; false when none gets it. */
static bool wait_for_room(struct stream *s, struct pollfd *waits, int64_t deadline)
{
	if (s->setup->waiting == WAIT_SPIN)
		return spin_on(deadline);
	for (;;) {
		int n = poll(waits, (nfds_t)s->setup->readers, STREAM_PATIENCE_NS / 1000000);
		if (n >= 0 || errno != EINTR)
			return n > 0;
	}
}

int stream_send(void *self, const void *frame)
{
	struct stream *s = self;
	int readers = s->setup->readers;
	size_t done[readers + 1]; /* bytes that each reader's stream has taken */
	struct pollfd waits[readers + 1];
	memset(done, 0, sizeof done);
	for (int i = 0; i < readers; i++)
		waits[i] = (struct pollfd){.fd = s->ends[i][WRITE], .events = POLLOUT};
	int64_t deadline = 0; /* set when there is something to wait for: asking the time is not free */
	for (int left = readers;;) {
		bool moved = false;
		for (int i = 0; i < readers; i++) {
			if (waits[i].fd < 0)
				continue;
			ssize_t n = write(waits[i].fd, (const char *)frame + done[i], s->setup->size - done[i]);
			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return complain("write to reader %d", i);
			if (n <= 0)
				continue;
			moved = true;
			done[i] += (size_t)n;
			if (done[i] == s->setup->size) {
				waits[i].fd = -1; /* which poll passes over */
				left--;
			}
		}
		if (left == 0)
			return 0;
		if (moved || deadline == 0)
			deadline = now_ns() + STREAM_PATIENCE_NS;
		if (!wait_for_room(s, waits, deadline)) {
			errno = 0;
			return complain("%d of %d readers have taken nothing for 5 s", left, readers);
		}
	}
}

void stream_close_writer(void *self)
{
	close_ends(self, WRITE, -1);
}

static void on_tick(int signal)
{
	(void)signal;
}

int stream_open_reader(void *self, int reader)
{
	struct stream *s = self;
	close_ends(s, WRITE, -1);
	close_ends(s, READ, reader);
	s->mine = s->ends[reader][READ];
	if (s->setup->waiting == WAIT_SPIN && set_nonblocking(s->mine) != 0)
		return -1;
	s->frame = malloc(s->setup->size);
	if (s->frame == NULL)
		return complain("malloc");
	memset(s->frame, 0, s->setup->size); /* its pages are there before the first frame */
	return 0;
}

/*
 * A read that blocks knows no limit on a pipe, and poll before each would be one call more for each frame. So a signal interrupts
 * it now and then: no more often than needed to keep limits by a quarter, or 20 times a second.
 */
static int tick(struct stream *s, int64_t limit_ns)
{
	int64_t period = limit_ns / 4 > 50000000 ? 50000000 : limit_ns / 4 < 1000000 ? 1000000 : limit_ns / 4;
	static timer_t timer;
	if (period == s->ticking_ns)
		return 0;
	if (s->ticking_ns == 0) {
		struct sigaction action = {.sa_handler = on_tick}; /* without SA_RESTART: that is the point */
		struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 5};
		if (sigaction(SIGRTMIN + 5, &action, NULL) != 0 || timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
			return complain("timer");
	}
	struct timespec every = {.tv_sec = period / 1000000000, .tv_nsec = period % 1000000000};
	if (timer_settime(timer, 0, &(struct itimerspec){.it_interval = every, .it_value = every}, NULL) != 0)
		return complain("timer_settime");
	s->ticking_ns = period;
	return 0;
}

const void *stream_receive(void *self, int64_t limit_ns)
{
	struct stream *s = self;
	bool spin = s->setup->waiting == WAIT_SPIN;
	if (!spin && tick(s, limit_ns) != 0)
		return NULL;
	int64_t deadline = now_ns() + limit_ns;
	while (s->have < s->setup->size) {
		unsigned char *to = s->frame + s->have;
		size_t left = s->setup->size - s->have;
		ssize_t n = s->sockets ? recv(s->mine, to, left, spin ? 0 : MSG_WAITALL) : read(s->mine, to, left);
		if (n > 0)
			s->have += (size_t)n;
		else if (n == 0 && s->have > 0)
			return errno = 0, complain("the writer has gone in the middle of a frame"), NULL;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return complain("read"), NULL;
		else if (n == 0 && !spin) { /* no writer any more: as if nothing came */
			struct timespec pause = {.tv_nsec = 1000000};
			nanosleep(&pause, NULL);
		}
		if (s->have < s->setup->size && (spin && n <= 0 ? !spin_on(deadline) : now_ns() >= deadline))
			return NULL;
	}
	s->have = 0;
	return s->frame;
}

void stream_release(void *self, const void *frame)
{
	(void)self, (void)frame;
}

void stream_close_reader(void *self)
{
	struct stream *s = self;
	close_ends(s, READ, -1);
	free(s->frame);
}

const char *stream_version(void)
{
	static struct utsname kernel;
	return uname(&kernel) == 0 ? kernel.release : "";
}
