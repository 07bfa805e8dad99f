/* SPDX-License-Identifier: Apache-2.0 */
#include "transport_plain.h"

#include "streaming.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BUFFERS = 2, PAGE = 4096 };

/* What the processes share, ahead of the buffers. */
struct shared {
	alignas(64) _Atomic uint64_t newest; /* frames passed on; release, pairs with the acquire in receive */
	alignas(64) _Atomic uint32_t futex;  /* the same, for those asleep */
};

struct plain {
	const struct transport_setup *setup;
	struct shared *shared;
	size_t pitch; /* from one buffer to the next */
	size_t mapped;
	void (*copy)(void *to, const void *from, size_t size);
	uint64_t sent, got; /* each process has its own */
};

static const char *no_version(void)
{
	return "";
}

static void copy_plainly(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
}

static struct plain *make_with(const struct transport_setup *setup, void (*copy)(void *, const void *, size_t))
{
	struct plain *self = calloc(1, sizeof(*self));
	if (self == NULL) {
		complain("no memory");
		return NULL;
	}
	self->setup = setup;
	self->copy = copy;
	self->pitch = (setup->size + PAGE - 1) / PAGE * PAGE;
	self->mapped = PAGE + BUFFERS * self->pitch;
	self->shared = mmap(NULL, self->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (self->shared == MAP_FAILED) {
		complain("cannot map %zu bytes", self->mapped);
		free(self);
		return NULL;
	}
	return self;
}

static void *make_plain(const struct transport_setup *setup)
{
	return make_with(setup, copy_plainly);
}

#if defined(__x86_64__)
static void *make_streaming(const struct transport_setup *setup)
{
	return make_with(setup, copy_streaming);
}
#endif

static void destroy(void *data)
{
	struct plain *self = data;
	munmap(self->shared, self->mapped);
	free(self);
}

static char *buffer_of(const struct plain *self, uint64_t frame)
{
	return (char *)self->shared + PAGE + frame % BUFFERS * self->pitch;
}

/* Every page once, so that no frame meets a page fault. */
static int touch(void *data)
{
	struct plain *self = data;
	for (size_t at = 0; at < self->mapped; at += PAGE)
		(void)*(const volatile char *)((const char *)self->shared + at);
	return 0;
}

static int open_reader(void *data, int reader)
{
	(void)reader;
	return touch(data);
}

static void *loan(void *data)
{
	struct plain *self = data;
	return buffer_of(self, self->sent + 1);
}

static int publish(void *data, void *frame)
{
	(void)frame;
	struct plain *self = data;
	struct shared *shared = self->shared;
	self->sent++;
	/* Release: the frame's bytes come before it. */
	atomic_store_explicit(&shared->newest, self->sent, memory_order_release);
	if (self->setup->waiting == WAIT_SLEEP) {
		atomic_store_explicit(&shared->futex, (uint32_t)self->sent, memory_order_seq_cst);
		syscall(SYS_futex, &shared->futex, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	}
	return 0;
}

static int send_copy(void *data, const void *frame)
{
	struct plain *self = data;
	self->copy(loan(self), frame, self->setup->size);
	return publish(self, NULL);
}

static const void *receive(void *data, int64_t limit_ns)
{
	struct plain *self = data;
	struct shared *shared = self->shared;
	int64_t until = now_ns() + limit_ns;
	for (;;) {
		uint32_t seen = atomic_load_explicit(&shared->futex, memory_order_seq_cst);
		uint64_t newest = atomic_load_explicit(&shared->newest, memory_order_acquire);
		if (newest != self->got) {
			self->got = newest;
			return buffer_of(self, newest);
		}
		if (self->setup->waiting == WAIT_SPIN) {
			if (!spin_on(until))
				return NULL;
			continue;
		}
		int64_t left = until - now_ns();
		if (left <= 0)
			return NULL;
		struct timespec time = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
		syscall(SYS_futex, &shared->futex, FUTEX_WAIT, seen, &time, NULL, 0);
	}
}

static void release(void *data, const void *frame)
{
	(void)data;
	(void)frame;
}

static void nothing(void *data)
{
	(void)data;
}

#define PLAIN(the_name, the_can, the_how, the_make)                                                                                        \
	{                                                                                                                                  \
		.name = (the_name), .can = (the_can), .how = (the_how), .version = no_version, .make = (the_make), .destroy = destroy,     \
		.open_writer = touch, .send = send_copy, .loan = loan, .publish = publish, .close_writer = nothing,                        \
		.open_reader = open_reader, .receive = receive, .release = release, .close_reader = nothing,                               \
	}

const struct transport TRANSPORT_PLAIN = PLAIN("plain", CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_LOAN | CAN_FANOUT,
					       "the limit: two buffers, a flag, memcpy, a futex; protects nothing", make_plain);

#if defined(__x86_64__)
const struct transport TRANSPORT_STREAMING = PLAIN("plain, streaming", CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_FANOUT,
						   "the limit with stores past the cache; protects nothing", make_streaming);
#else
const struct transport TRANSPORT_STREAMING = PLAIN("plain, streaming", 0, "x86-64 only", make_plain);
#endif
