/*
 * transport.h - a way for frames from one writer process to reader processes, as drive.c drives it: slipring, the plain one that stands
 * for what the machine can do, and the peers of bench/peers.
 *
 * A transport is told what it will carry before the processes part (make, in the parent: nothing that starts a thread), then each side
 * opens its end in its own process. Every function that can fail says on stderr what failed (complain) and returns -1 or NULL; the run
 * is then given up, and reported as failed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_MEASURE_TRANSPORT_H
#define SLIP_MEASURE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a reader waits for a frame: it asks again and again, or it sleeps in the kernel until it is woken. */
enum waiting { WAIT_SPIN, WAIT_SLEEP };

struct transport_setup {
	const char *name; /* unlike any other run's: for names of objects; letters, digits and '-', at most 40 */
	size_t size;	  /* bytes of each frame, at least sizeof(struct stamp) */
	int readers;	  /* that will open, 0 or more; processes of their own */
	enum waiting waiting;
	bool loan;     /* frames are written in place (loan, publish), not copied in (send) */
	int under_way; /* frames that a slow reader may be behind before any is lost or the writer is held up; a wish, at least 2 */
};

/* What each frame begins with; written by drive.c. */
struct stamp {
	int64_t sent_ns; /* CLOCK_MONOTONIC, when the frame was due */
	uint64_t seq;	 /* 1 and up */
};

/* What a transport can do. */
enum {
	CAN_SPIN = 1,
	CAN_SLEEP = 2,
	CAN_COPY = 4,	/* send: the frame is copied in from the caller's memory */
	CAN_LOAN = 8,	/* loan and publish: the frame is written in place, and no byte is copied on its way */
	CAN_FANOUT = 16 /* more than one reader; each gets every frame */
};

struct transport {
	const char *name;	      /* as in a table: "ZeroMQ", "pipe" */
	unsigned can;		      /* CAN_... */
	size_t largest;		      /* size of a frame, bytes; 0: no limit of its own */
	const char *how;	      /* in half a line, how it is used here: "ipc://, PUB and SUB, conflated" */
	const char *(*version)(void); /* of the library in use; "" where there is none */

	/* In the parent, before the others are there. setup outlives all. The result is handed to the rest as self. */
	void *(*make)(const struct transport_setup *setup);
	/* In the parent, after the others have ended. Leaves nothing over, in /dev/shm neither. */
	void (*destroy)(void *self);

	/* In the writer's process, before the readers open their ends. */
	int (*open_writer)(void *self);
	/* Copies a frame of setup->size bytes in and passes it on. NULL where the transport can't (CAN_COPY). */
	int (*send)(void *self, const void *frame);
	/* Memory for one frame to be written in place, and passing it on. NULL where the transport can't (CAN_LOAN). */
	void *(*loan)(void *self);
	int (*publish)(void *self, void *frame);
	/* After the readers have closed their ends: to some transports a writer that goes is an error. */
	void (*close_writer)(void *self);

	/* In a reader's process; reader counts from 0. The writer's end is open by now. */
	int (*open_reader)(void *self, int reader);
	/*
	 * The next frame, whole; waits up to limit_ns as setup->waiting says, and gives NULL where none came (or after complain(), see
	 * failed()). The frame stays readable until release, which is called before the next receive.
	 */
	const void *(*receive)(void *self, int64_t limit_ns);
	void (*release)(void *self, const void *frame);
	void (*close_reader)(void *self);
};

/* Says what failed on stderr, with errno's text where errno is set and the transport's name; failed() is true from then on. Returns -1. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool failed(void);

/* CLOCK_MONOTONIC, nanoseconds. */
int64_t now_ns(void);

/* What the writer and the readers of a spinning transport do between two looks; keeps the time: false once `until` has passed. */
bool spin_on(int64_t until_ns);

#ifdef __cplusplus
}
#endif

#endif
