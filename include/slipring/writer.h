/*
 * slipring/writer.h - the side that publishes.
 *
 * Threads: one thread at a time per channel of a writer; different channels of one writer may be used by different threads
 * at once. Nothing here is async-signal-safe.
 * Fork: a handle belongs to the process that opened it; in a forked child every call with it fails with ECHILD, and the
 * child's end disturbs nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIPRING_WRITER_H
#define SLIPRING_WRITER_H

#include <slipring/types.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct slip_writer slip_writer;

/* How processes share a channel. */
typedef enum slip_mode {
	/* For a writer: lock-free. For a reader: whatever is there, lock-free first. */
	SLIP_MODE_DEFAULT = 0,
	/* The ring of slots: the writer never waits, readers hold frames without copying. */
	SLIP_MODE_LOCK_FREE = 1,
	/*
	 * The wire format and the lock of PosixIPC Image Transport (docs/semaphore-mode.md): one place per channel, copied in and out
	 * under a semaphore. The shape and dtype of a channel's first frame are its only ones; uint8, int8, uint16, int16, int32, float32,
	 * float64 and bool, up to 5 dimensions. What it cannot do fails with ENOTSUP.
	 */
	SLIP_MODE_SEMAPHORE = 2
} slip_mode;

/* Options of a writer. Set struct_size (SLIP_WRITER_OPTIONS_INIT does); zero in a field means its default. */
typedef struct slip_writer_options {
	size_t struct_size;
	slip_mode mode;
	/*
	 * Slots of each channel's ring, 2 to SLIP_MAX_SLOTS; default 8. A writer always finds a free one when
	 * slots >= leases held in all + loans out + 1; with fewer it fails at once with EAGAIN while all are held.
	 */
	uint32_t slots;
	/* Readers that may be attached to a channel at once, 1 to SLIP_MAX_READERS; default SLIP_MAX_READERS. */
	uint32_t max_readers;
	/* Frames that one reader handle may hold at once, 1 to SLIP_MAX_LEASES; default 2. */
	uint32_t leases_per_reader;
	/* Loans that may be out at once per channel, 1 to SLIP_MAX_LOANS; default 4. */
	uint32_t max_loans;
	/*
	 * Newest frames to keep for slip_next while other slots are free, 1 to slots - 1. Default: those that some reader in order
	 * has not had, as many as fit; small frames (below 256 KiB) all that fit, and 1 while nobody reads in order. That keeps
	 * the ring in the CPU's cache; for the same reason large frames are kept for no longer than they stay there while a reader
	 * has lost some all through two rings, until it keeps up again. A number here is kept to.
	 */
	uint32_t history;
	/* Bytes that a slot holds at least; default: what the channel's first frame needs. Larger frames grow the ring. */
	size_t capacity;
	/*
	 * Permissions of the payload, exact (the umask plays no part); default 0600. The control object gets the write
	 * bit beside each read bit, because readers mark there what they hold.
	 */
	mode_t permissions;
	/*
	 * Read bits of permissions (0040, 0004) whose holders may only observe: no write bit in control for them. EINVAL where permissions
	 * has their write bit.
	 */
	mode_t observers;
	/* 1: ask for transparent huge pages (madvise; where the kernel has them for shared memory). */
	uint8_t huge_pages;
	/* 1: touch every page when a ring is made, so that no publish meets a page fault. */
	uint8_t prefault;
	/* 1: lock the pages in memory (mlock; fails with ENOMEM or EPERM past the limit of RLIMIT_MEMLOCK). */
	uint8_t lock_memory;
	/* 1: don't read the clock at publish: publish_ns and unset capture stamps are 0. */
	uint8_t no_stamps;
	/* Semaphore mode: how long a slip_set_* or slip_publish waits for the lock before it fails with EAGAIN; 0 means 1 s. */
	int64_t lock_timeout_ns;
} slip_writer_options;

#ifdef __cplusplus
#define SLIP_WRITER_OPTIONS_INIT slip_sized<slip_writer_options>()
#else
#define SLIP_WRITER_OPTIONS_INIT                                                                                                           \
	{                                                                                                                                  \
		.struct_size = sizeof(slip_writer_options)                                                                                 \
	}
#endif

/*
 * Opens a writer for a base name: 1 to 100 letters, digits, '_', '-', '.', ':' or '+', not "." or "..". Nothing is made in
 * shared memory until a channel's first frame, or slip_channel_create. options may be NULL.
 * Fails with EINVAL, ENAMETOOLONG, ENOMEM; ENOTSUP for an option that the mode does not have.
 */
SLIP_API slip_writer *slip_writer_open(const char *base, const slip_writer_options *options);

/*
 * Closes every channel: readers may finish what was published, then get EPIPE until a new writer comes. Loans that are
 * still out are discarded; frames kept with slip_publish_keep stay readable until slip_release.
 * In a forked child it frees the handle's memory and leaves the parent's channels alone. NULL is allowed.
 */
SLIP_API void slip_writer_close(slip_writer *writer);

/*
 * Makes a channel ready ahead of its first frame, with slots that hold what (its data is ignored), or takes it over from
 * a dead writer. Optional: the first slip_set_* or slip_loan does it too.
 * Fails with EINVAL, EOVERFLOW, ENAMETOOLONG; EBUSY while another writer lives (tried for 10 ms, in which the kernel lets go of one that
 * was just killed); ENOSPC (nothing is left behind); EACCES, EPERM, ELOOP where something else, or another user's channel, stands under
 * the name; ENOENT, ENOTDIR, EACCES, EROFS, EOPNOTSUPP where the shared memory directory is not there or cannot be used.
 * What is advice or tidying may fail unnoticed: huge pages, prefaulting, removing what the dead or an outgrown ring left (the next writer
 * does).
 */
SLIP_API int slip_channel_create(slip_writer *writer, const char *channel, const slip_array *what);

/*
 * Copies an array into a free slot and publishes it. Never waits (semaphore mode: for the lock, up to lock_timeout_ns).
 * image and mask: {height, width} or {height, width, channels}; depth: {height, width} or {height, width, 1}; pointcloud:
 * {points, fields} or {rows, columns, fields}, at least 3 fields; array: any shape. Where encoding is empty, image, depth and
 * mask take the generic name of their type ("8UC3", "32FC1").
 * Fails with EAGAIN when every slot is held (counted, nothing is lost), and as slip_channel_create does.
 */
SLIP_API int slip_set_image(slip_writer *writer, const slip_array *image);
SLIP_API int slip_set_depth(slip_writer *writer, const slip_array *depth);
SLIP_API int slip_set_pointcloud(slip_writer *writer, const slip_array *pointcloud);
SLIP_API int slip_set_mask(slip_writer *writer, const slip_array *mask);
SLIP_API int slip_set_array(slip_writer *writer, const char *channel, const slip_array *array);

/*
 * A free slot to fill in place, described by what. End it with slip_publish or slip_discard, in any order among loans. Its
 * bytes are whatever the slot held before. The frame gets its seq at publish.
 * Fails as slip_set_array does; EMFILE when max_loans are out.
 */
SLIP_API slip_frame *slip_loan(slip_writer *writer, const char *channel, const slip_array *what);

/*
 * Publishes a loan; the frame is gone afterwards. Fails with EINVAL where frame is no loan (published twice, a lease).
 * Where the ring grew since the loan was made its bytes are copied over, which can fail with EAGAIN: the loan is then still out.
 * So it is where the epoch's 2^48 numbers are used up, which is EOVERFLOW until the writer is closed and opened again.
 */
SLIP_API int slip_publish(slip_frame *frame);

/* Publishes a loan and keeps it as a read-only lease of the writer's own (a reference picture), until slip_release. */
SLIP_API int slip_publish_keep(slip_frame *frame);

/* Gives a loan back unpublished; no seq is used. Fails with EINVAL where frame is no loan. */
SLIP_API int slip_discard(slip_frame *frame);

/*
 * Gives a loan back unpublished, but keeps its memory, and its place in the ring, until slip_release: for where somebody may still write to it. Like a
 * kept frame it outlives slip_writer_close, and any thread may release it.
 */
SLIP_API int slip_discard_keep(slip_frame *frame);

/*
 * Sets what is only known once a loan is filled. Metadata: at most SLIP_METADATA_MAX bytes (EMSGSIZE). Stamps: as in
 * slip_array, 0 for now or derived. EINVAL where frame is no loan.
 */
SLIP_API int slip_frame_set_metadata(slip_frame *loan, const void *metadata, size_t size);
SLIP_API int slip_frame_set_capture(slip_frame *loan, int64_t capture_ns, int64_t capture_realtime_ns);

/*
 * Readers attached to a channel now, the dead not counted (and cleared on this occasion); observers are not seen. Makes system
 * calls: once a second is fine, once a frame is not. 0 where the channel is not made yet. A reader that the kernel does not tell about counts
 * as attached.
 */
SLIP_API int slip_readers_attached(slip_writer *writer, const char *channel);

/* What a writer has done on a channel. */
typedef struct slip_writer_stats {
	size_t struct_size;
	uint64_t published; /* frames published by this handle */
	uint64_t refused;   /* loans and copies refused with EAGAIN, because every slot was held */
	uint64_t wakes;	    /* publishes that woke sleeping readers */
	uint64_t grown;	    /* generations made after the first */
	uint64_t last_seq;  /* seq of the newest frame, 0 before the first */
	uint64_t epoch;
} slip_writer_stats;

/* Fills stats (struct_size set by the caller). ENOENT where the channel is not made yet. */
SLIP_API int slip_writer_get_stats(slip_writer *writer, const char *channel, slip_writer_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
