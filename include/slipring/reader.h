/*
 * slipring/reader.h - the side that receives.
 *
 * Threads: one thread at a time per reader handle for everything but slip_release, which any thread may call at any time,
 * also after slip_reader_close. Handles are cheap: open one per thread; they share one mapping.
 * Fork: as for a writer, ECHILD in the child.
 * A handle outlives everything: a writer that is not there yet, one that restarts, a change of geometry. After any error it
 * keeps working; call again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIPRING_READER_H
#define SLIPRING_READER_H

#include <slipring/types.h>
#include <slipring/writer.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct slip_reader slip_reader;

/* Options of a reader. Set struct_size (SLIP_READER_OPTIONS_INIT does); zero in a field means its default. */
typedef struct slip_reader_options {
	size_t struct_size;
	/* Default: what is there, lock-free first. */
	slip_mode mode;
	/* Busy-wait this long before sleeping in a wait; default 0. Burns a core, saves the wake-up (tens of microseconds). */
	int64_t spin_ns;
	/*
	 * 1: observe. Everything is mapped read-only, nothing is marked, the writer does not see this reader; frames are private
	 * copies, and waiting polls.
	 */
	uint8_t observer;
	/* 1: waits go on when the writer has died, until a new one comes, instead of failing with EOWNERDEAD. */
	uint8_t outwait_dead_writer;
	/* 1: don't read the clock per frame: this reader's age histogram stays empty. */
	uint8_t no_stamps;
	/* 1: touch every page when attaching, so that no frame meets a page fault. */
	uint8_t prefault;
	/* Semaphore mode: how long a get waits for the lock before it fails with EAGAIN; 0 tries once. */
	int64_t lock_timeout_ns;
} slip_reader_options;

#ifdef __cplusplus
#define SLIP_READER_OPTIONS_INIT slip_sized<slip_reader_options>()
#else
#define SLIP_READER_OPTIONS_INIT                                                                                                           \
	{                                                                                                                                  \
		.struct_size = sizeof(slip_reader_options)                                                                                 \
	}
#endif

/*
 * Opens a reader for a base name (see slip_writer_open). No writer needs to exist. Channels are attached at their first use.
 * Fails with EINVAL, ENAMETOOLONG, ENOMEM; ENOTSUP for an option that the mode does not have.
 */
SLIP_API slip_reader *slip_reader_open(const char *base, const slip_reader_options *options);

/* Detaches. Frames still held stay valid until slip_release. NULL is allowed. */
SLIP_API void slip_reader_close(slip_reader *reader);

/*
 * The latest frame, without a copy, held until slip_release; the same one again if nothing newer is there (missed is then 0, or, while
 * it is still held from before, what it was).
 * Never waits. Fails with
 *   ENOENT       no such channel, or no frame in it, yet
 *   EPIPE        the writer closed the channel, and this handle had its last frame
 *   EMFILE       this handle holds leases_per_reader frames already: release one
 *   EUSERS       max_readers are attached
 *   EACCES EPERM ELOOP EBADMSG EPROTONOSUPPORT   what stands under the name cannot be used
 *   EAGAIN       semaphore mode alone: the lock is taken (lock_timeout_ns gives it a limit), or did not exclude
 *   ECHILD       the handle was made before a fork
 */
SLIP_API slip_frame *slip_get_image(slip_reader *reader);
SLIP_API slip_frame *slip_get_depth(slip_reader *reader);
SLIP_API slip_frame *slip_get_pointcloud(slip_reader *reader);
SLIP_API slip_frame *slip_get_mask(slip_reader *reader);
SLIP_API slip_frame *slip_get_array(slip_reader *reader, const char *channel);

/*
 * The next frame in order that this handle has not had: every frame while the reader keeps up; else the oldest one still there,
 * with the number skipped in missed. A handle begins with the frame that is newest when it attaches to the channel, at its
 * first call that names it. Waits up to timeout_ns.
 * Fails as slip_get_array does, and with ETIMEDOUT (nothing new in time; also with a limit of 0), EINTR (a signal handler ran),
 * EOWNERDEAD (the writer died; found within a second of waiting); ENOTSUP in semaphore mode, whose frames have no numbers.
 */
SLIP_API slip_frame *slip_next(slip_reader *reader, const char *channel, int64_t timeout_ns);

/* Gives a frame back. Any thread. EINVAL where it was given back already or is a loan. */
SLIP_API int slip_release(slip_frame *frame);

/*
 * Copies a frame's elements, C-contiguous, to memory of the caller's. Returns the bytes copied, or -1 with EMSGSIZE where size
 * is too small (nothing is copied).
 */
SLIP_API int64_t slip_copy(const slip_frame *frame, void *to, size_t size);

/* Waits until the channel exists and has a frame. 0, or -1 with ETIMEDOUT, EINTR, or as slip_get_array. */
SLIP_API int slip_wait_for_array(slip_reader *reader, const char *channel, int64_t timeout_ns);

/* Waits until there is a frame newer than the last one that this handle had. Fails as slip_next does; semaphore mode polls. */
SLIP_API int slip_wait(slip_reader *reader, const char *channel, int64_t timeout_ns);

/*
 * Ends waits from outside: slip_waker_wake makes one slip_wait_any that has the waker among its items return, now or, if none is on
 * its way, at its next call. Within one process; slip_waker_wake may be called by any thread, at any time until slip_waker_close.
 */
typedef struct slip_waker slip_waker;
SLIP_API slip_waker *slip_waker_open(void); /* NULL: ENOMEM */
SLIP_API void slip_waker_wake(slip_waker *waker);
SLIP_API void slip_waker_close(slip_waker *waker);

/* One of several things to wait for: a reader's channel, or a waker (reader and channel are then NULL). */
typedef struct slip_wait_item {
	slip_reader *reader;
	const char *channel;
	/* Out: 1 where slip_wait would return 0 at once, or where the waker was woken. */
	int ready;
	slip_waker *waker;
} slip_wait_item;

/*
 * Waits until at least one of count (1 to 128) channels has a newer frame. Returns how many are ready, or -1 with ETIMEDOUT, EINTR,
 * EINVAL. One system call where the kernel has futex_waitv (5.16 or later); polled every millisecond where not. A channel whose writer
 * died or which does not exist yet is just not ready.
 */
SLIP_API int slip_wait_any(slip_wait_item *items, size_t count, int64_t timeout_ns);

/* Of the latest frame: dimensions, their number, element type. ndim, or 0 for dtype; -1 fails as slip_get_array. Takes no lease. */
SLIP_API int slip_get_shape(slip_reader *reader, const char *channel, int64_t shape[SLIP_MAX_DIMS]);
SLIP_API int slip_get_ndim(slip_reader *reader, const char *channel);
SLIP_API int slip_get_dtype(slip_reader *reader, const char *channel, slip_dtype *dtype);

/* 1 where a live writer holds the channel, 0 where none does, -1 as slip_get_array. A few system calls. */
SLIP_API int slip_writer_alive(slip_reader *reader, const char *channel);

/* What a reader handle has seen on a channel. */
typedef struct slip_reader_stats {
	size_t struct_size;
	uint64_t got;	      /* different frames got */
	uint64_t missed;      /* frames published between them */
	uint64_t last_seq;    /* seq of the last one got */
	uint64_t generations; /* rings attached to: 1, and 1 more for each growth, restart or takeover followed to a new ring */
	uint64_t epoch;
	uint32_t leases; /* held now */
	uint32_t reserved;
	uint64_t contended; /* gets that failed because the lock was taken (semaphore mode) */
} slip_reader_stats;

SLIP_API int slip_reader_get_stats(slip_reader *reader, const char *channel, slip_reader_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
