/*
 * semaphore.c - a program of its own that speaks the wire format of PosixIPC Image Transport: one place for the newest frame, under a
 * named semaphore. SPDX-License-Identifier: Apache-2.0
 *
 * Names, bytes and habits are those of the programs in the field: /<base>_<channel>_shm and _sem; 64 bytes of header, then the frame; the
 * writer waits for the lock, a reader tries it and looks again later; a frame is new when its time stamp is. It is written from the
 * format's description, and faster than those programs where the format leaves a choice: a look that finds nothing new copies nothing.
 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <math.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct header {
	uint32_t magic, dtype, ndim, dims[5];
	double timestamp; /* seconds since the epoch; 0 before the first frame */
	char zero[24];
};
_Static_assert(sizeof(struct header) == 64 && offsetof(struct header, timestamp) == 32, "the format's header");

enum { MAGIC = 0x12345678, DTYPE_U8 = 0, PATIENCE_S = 5 };
static const int64_t PAUSE_NS = 10000000; /* time.sleep(0.01), the pause in the reader of its documentation */

struct channel {
	const struct transport_setup *setup;
	char shm[64], sem[64]; /* names */
	/* Each process has its own of these. */
	sem_t *lock;
	struct header *header;
	unsigned char *frame; /* a reader's copy */
	double newest;	      /* time stamp of the newest frame that this process wrote or read */
};

static size_t mapped_size(const struct channel *c)
{
	return sizeof(struct header) + c->setup->size;
}

static void *make(const struct transport_setup *setup)
{
	struct channel *c = calloc(1, sizeof *c);
	if (c == NULL) {
		complain("calloc");
		return NULL;
	}
	c->setup = setup;
	snprintf(c->shm, sizeof c->shm, "/%s_image_shm", setup->name);
	snprintf(c->sem, sizeof c->sem, "/%s_image_sem", setup->name);
	return c;
}

static void destroy(void *self)
{
	struct channel *c = self;
	sem_unlink(c->sem); /* ENOENT where the writer ended well */
	shm_unlink(c->shm);
	free(c);
}

static int map(struct channel *c, int fd, int protection)
{
	void *mapping = mmap(NULL, mapped_size(c), protection, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (mapping == MAP_FAILED)
		return complain("mmap of %zu bytes", mapped_size(c));
	c->header = mapping;
	return 0;
}

static int open_writer(void *self)
{
	struct channel *c = self;
	sem_unlink(c->sem);
	shm_unlink(c->shm);
	c->lock = sem_open(c->sem, O_CREAT | O_EXCL, 0600, 1);
	if (c->lock == SEM_FAILED)
		return complain("sem_open %s", c->sem);
	int fd = shm_open(c->shm, O_CREAT | O_EXCL | O_RDWR, 0600);
	if (fd < 0)
		return complain("shm_open %s", c->shm);
	int result = ftruncate(fd, (off_t)mapped_size(c)) == 0 ? map(c, fd, PROT_READ | PROT_WRITE) : complain("ftruncate");
	close(fd);
	if (result == 0)
		*c->header = (struct header){.magic = MAGIC, .dtype = DTYPE_U8, .ndim = 1, .dims = {(uint32_t)c->setup->size}};
	return result;
}

/* Now, but later than the frame before: two within a double's quarter of a microsecond would look like one. */
static double next_timestamp(const struct channel *c)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	double now = (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
	return now > c->newest ? now : nextafter(c->newest, INFINITY);
}

static int send_frame(void *self, const void *frame)
{
	struct channel *c = self;
	if (sem_trywait(c->lock) != 0) { /* once without the clock */
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += PATIENCE_S;
		while (sem_timedwait(c->lock, &until) != 0)
			if (errno != EINTR)
				return complain("%s", c->sem);
	}
	c->header->timestamp = c->newest = next_timestamp(c);
	memcpy(c->header + 1, frame, c->setup->size);
	return sem_post(c->lock) == 0 ? 0 : complain("sem_post");
}

static void close_ends(struct channel *c)
{
	if (c->header != NULL)
		munmap(c->header, mapped_size(c));
	if (c->lock != NULL && c->lock != SEM_FAILED)
		sem_close(c->lock);
	c->header = NULL;
	c->lock = NULL;
}

static void close_writer(void *self)
{
	struct channel *c = self;
	close_ends(c);
	sem_unlink(c->sem);
	shm_unlink(c->shm);
}

static int open_reader(void *self, int reader)
{
	(void)reader;
	struct channel *c = self;
	c->lock = sem_open(c->sem, 0);
	if (c->lock == SEM_FAILED)
		return complain("sem_open %s", c->sem);
	int fd = shm_open(c->shm, O_RDONLY, 0);
	if (fd < 0)
		return complain("shm_open %s", c->shm);
	struct stat status;
	int result = fstat(fd, &status) != 0		       ? complain("fstat")
		     : (size_t)status.st_size < mapped_size(c) ? (errno = 0, complain("%s is too small", c->shm))
							       : map(c, fd, PROT_READ);
	close(fd);
	if (result != 0)
		return -1;
	const struct header header = *c->header;
	errno = 0;
	if (header.magic != MAGIC || header.dtype != DTYPE_U8 || header.ndim != 1 || header.dims[0] != c->setup->size)
		return complain("%s: not the frames that were agreed on", c->shm);
	c->frame = malloc(c->setup->size);
	if (c->frame == NULL)
		return complain("malloc");
	memset(c->frame, 0, c->setup->size); /* its pages are there before the first frame */
	return 0;
}

/* One look. A lock that someone else has is as good as nothing new. */
static const void *look(struct channel *c)
{
	if (sem_trywait(c->lock) != 0) {
		if (errno != EAGAIN && errno != EINTR)
			complain("sem_trywait");
		return NULL;
	}
	bool is_new = c->header->timestamp != c->newest;
	if (is_new) {
		c->newest = c->header->timestamp;
		memcpy(c->frame, c->header + 1, c->setup->size);
	}
	if (sem_post(c->lock) != 0)
		complain("sem_post");
	return is_new && !failed() ? c->frame : NULL;
}

static const void *receive(void *self, int64_t limit_ns)
{
	struct channel *c = self;
	int64_t deadline = now_ns() + limit_ns;
	for (;;) {
		const void *frame = look(c);
		if (frame != NULL || failed())
			return frame;
		if (c->setup->waiting == WAIT_SPIN) {
			if (!spin_on(deadline))
				return NULL;
			continue;
		}
		int64_t left = deadline - now_ns();
		if (left <= 0)
			return NULL;
		nanosleep(&(struct timespec){.tv_nsec = left < PAUSE_NS ? left : PAUSE_NS}, NULL);
	}
}

static void release(void *self, const void *frame)
{
	(void)self, (void)frame;
}

static void close_reader(void *self)
{
	struct channel *c = self;
	close_ends(c);
	free(c->frame);
}

static const char *version(void)
{
	static char text[32];
	snprintf(text, sizeof text, "glibc %s", gnu_get_libc_version());
	return text;
}

static const struct transport semaphore = {
	.name = "semaphore",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_FANOUT,
	.largest = UINT32_MAX, /* dims are u32 */
	.how = "PosixIPC Image Transport's format in C: one place, copied in and out under the lock, overwritten; readers try it, asleep "
	       "every 10 ms",
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

const struct transport *const PEERS[] = {&semaphore, NULL};
