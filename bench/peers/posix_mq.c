/*
 * posix_mq.c - a POSIX message queue for each reader. SPDX-License-Identifier: Apache-2.0
 *
 * The kernel takes a message whole or not at all, so the largest frame is the largest message that this process may have. The queues are
 * made in the parent and inherited, and their names removed at once: nothing of them can be left over.
 */
#include "peer.h"

#include <errno.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>

/* Linux' own limits for those with CAP_SYS_RESOURCE (mq_overview(7)). */
enum { HARD_MESSAGE = 16 * 1024 * 1024, HARD_COUNT = 65536 };
static const int64_t PATIENCE_NS = 5000000000; /* of a writer whose queue stays full */

struct queues {
	const struct transport_setup *setup;
	mqd_t (*ends)[2]; /* for each reader: where it reads, where the writer writes */
	mqd_t mine;	  /* a reader's */
	char *frame;	  /* a reader's */
};
enum { READ, WRITE };

static struct transport posix_mq;
static long most_messages = HARD_COUNT;

static size_t limit_of(const char *path, size_t otherwise)
{
	size_t limit = otherwise;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return limit;
	if (fscanf(file, "%zu", &limit) != 1)
		limit = otherwise;
	fclose(file);
	return limit;
}

/* How much is allowed depends on who runs this. Raising a hard limit and going beyond msgsize_max take the same capability. */
__attribute__((constructor)) static void find_largest(void)
{
	posix_mq.largest = HARD_MESSAGE;
	if (setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) == 0)
		return;
	struct rlimit all = {0};
	if (getrlimit(RLIMIT_MSGQUEUE, &all) == 0 && all.rlim_cur != all.rlim_max)
		setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){all.rlim_max, all.rlim_max});
	posix_mq.largest = limit_of("/proc/sys/fs/mqueue/msgsize_max", 8192);
	most_messages = (long)limit_of("/proc/sys/fs/mqueue/msg_max", 10);
}

static void close_ends(struct queues *q, int end, int except)
{
	for (int i = 0; i < q->setup->readers; i++)
		if (i != except && q->ends[i][end] != (mqd_t)-1) {
			mq_close(q->ends[i][end]);
			q->ends[i][end] = (mqd_t)-1;
		}
}

static void destroy(void *self)
{
	struct queues *q = self;
	close_ends(q, READ, -1);
	close_ends(q, WRITE, -1);
	free(q->ends);
	free(q);
}

/* Opened twice, as both sides want flags of their own. */
static int connect_queue(const struct transport_setup *setup, int reader, mqd_t ends[2])
{
	char name[64];
	snprintf(name, sizeof name, "/%s-%d", setup->name, reader);
	struct mq_attr attributes = {.mq_maxmsg = setup->under_way < most_messages ? setup->under_way : most_messages,
				     .mq_msgsize = (long)setup->size};
	int wait = setup->waiting == WAIT_SPIN ? O_NONBLOCK : 0;
	ends[WRITE] = mq_open(name, O_CREAT | O_EXCL | O_WRONLY | wait, 0600, &attributes);
	if (ends[WRITE] == (mqd_t)-1)
		return complain("mq_open of %ld messages of %ld bytes", attributes.mq_maxmsg, attributes.mq_msgsize);
	ends[READ] = mq_open(name, O_RDONLY | wait);
	int error = errno;
	mq_unlink(name);
	errno = error;
	return ends[READ] == (mqd_t)-1 ? complain("mq_open") : 0;
}

static void *make(const struct transport_setup *setup)
{
	struct queues *q = calloc(1, sizeof *q);
	if (q == NULL || (q->ends = calloc((size_t)setup->readers + 1, sizeof *q->ends)) == NULL) {
		complain("calloc");
		free(q);
		return NULL;
	}
	q->setup = setup;
	for (int i = 0; i < setup->readers; i++)
		q->ends[i][READ] = q->ends[i][WRITE] = (mqd_t)-1;
	for (int i = 0; i < setup->readers; i++)
		if (connect_queue(setup, i, q->ends[i]) != 0) {
			destroy(q);
			return NULL;
		}
	return q;
}

static int open_writer(void *self)
{
	close_ends(self, READ, -1);
	return 0;
}

static int send_to(const struct queues *q, int reader, const void *frame)
{
	bool spin = q->setup->waiting == WAIT_SPIN;
	int64_t deadline = 0;
	for (;;) {
		struct timespec until = {0}; /* a queue with room looks at it only for sense */
		if (!spin) {
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_sec += PATIENCE_NS / 1000000000;
		}
		if (mq_timedsend(q->ends[reader][WRITE], frame, q->setup->size, 0, &until) == 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return complain("mq_timedsend to reader %d", reader);
		if (deadline == 0)
			deadline = now_ns() + PATIENCE_NS;
		if (!spin_on(deadline))
			return complain("reader %d has taken nothing for 5 s", reader);
	}
}

static int send_frame(void *self, const void *frame)
{
	struct queues *q = self;
	for (int i = 0; i < q->setup->readers; i++)
		if (send_to(q, i, frame) != 0)
			return -1;
	return 0;
}

static void close_writer(void *self)
{
	close_ends(self, WRITE, -1);
}

static int open_reader(void *self, int reader)
{
	struct queues *q = self;
	close_ends(q, WRITE, -1);
	close_ends(q, READ, reader);
	q->mine = q->ends[reader][READ];
	q->frame = malloc(q->setup->size);
	if (q->frame == NULL)
		return complain("malloc");
	memset(q->frame, 0, q->setup->size); /* its pages are there before the first frame */
	return 0;
}

static const void *receive(void *self, int64_t limit_ns)
{
	struct queues *q = self;
	bool spin = q->setup->waiting == WAIT_SPIN;
	struct timespec until = {0};
	int64_t deadline = 0;
	if (spin) {
		deadline = now_ns() + limit_ns;
	} else {
		clock_gettime(CLOCK_REALTIME, &until);
		int64_t ns = until.tv_nsec + limit_ns;
		until.tv_sec += ns / 1000000000;
		until.tv_nsec = ns % 1000000000;
	}
	for (;;) {
		ssize_t n = spin ? mq_receive(q->mine, q->frame, q->setup->size, NULL)
				 : mq_timedreceive(q->mine, q->frame, q->setup->size, NULL, &until);
		if (n == (ssize_t)q->setup->size)
			return q->frame;
		if (n >= 0) {
			errno = 0;
			complain("a message of %zd bytes, not %zu", n, q->setup->size);
			return NULL;
		}
		if (errno == ETIMEDOUT)
			return NULL;
		if (errno != EAGAIN && errno != EINTR) {
			complain("mq_receive");
			return NULL;
		}
		if (errno == EAGAIN && !spin_on(deadline))
			return NULL;
	}
}

static void release(void *self, const void *frame)
{
	(void)self, (void)frame;
}

static void close_reader(void *self)
{
	struct queues *q = self;
	close_ends(q, READ, -1);
	free(q->frame);
}

static const char *version(void)
{
	static struct utsname kernel;
	return uname(&kernel) == 0 ? kernel.release : "";
}

static struct transport posix_mq = {
	.name = "POSIX mq",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_FANOUT,
	.how = "one queue per reader, a message per frame, limits raised as far as allowed; a full one holds the writer up",
	.version = version,
	.make = make,
	.destroy = destroy,
	.open_writer = open_writer,
	.send = send_frame,
	.close_writer = close_writer,
	.open_reader = open_reader,
	.receive = receive,
	.release = release,
	.close_reader = close_reader,
};

const struct transport *const PEERS[] = {&posix_mq, NULL};
