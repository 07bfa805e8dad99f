/*
 * frame.h - a frame in this process: the public view, what a mode does with it, and its description in a slot.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_FRAME_H
#define SLIP_CORE_FRAME_H

#include "array.h"
#include "segment.h"

#include <slipring/types.h>

struct slip__frame;

/* What a mode does with its frames. A lease has release alone; the other entries are NULL, and asking for them is EINVAL. */
struct slip__frame_ops {
	int (*publish)(struct slip__frame *frame, bool keep);
	int (*discard)(struct slip__frame *frame, bool keep);
	int (*release)(struct slip__frame *frame);
	int (*set_metadata)(struct slip__frame *frame, const void *metadata, size_t size);
	int (*set_capture)(struct slip__frame *frame, int64_t capture_ns, int64_t capture_realtime_ns);
};

/* What slip_frame points into. */
struct slip__frame {
	slip_frame view; /* first: the public pointer is this one */
	const struct slip__frame_ops *ops;
	uint64_t process; /* token of the process that made it */
};

static inline struct slip__frame *slip__frame_of(slip_frame *frame)
{
	return (struct slip__frame *)(void *)frame;
}

/* Fail with EINVAL and say what was expected. */
int slip__frame_not_a_loan(void);
int slip__frame_not_held(void);

/*
 * A frame of this process's own: view.data has room for size bytes at a cache line, view.metadata for metadata_size, view.flags says so; the
 * rest is zero. Freed by its release. NULL with ENOMEM.
 */
struct slip__frame *slip__frame_private(uint64_t size, size_t metadata_size);

/* A loan's public view, without data and metadata. */
void slip__frame_view(const struct slip__array *array, slip_frame *view);

/* Writes a loan's description into its slot, and the public view of it. data and seq are the caller's to set. */
void slip__frame_describe(const struct slip__array *array, struct slip__slot *slot, slip_frame *view);

/*
 * Reads a slot's description into a view, each word once. Everything but data, epoch, seq and missed is set. EBADMSG where it cannot be for
 * a slot of capacity bytes.
 */
int slip__frame_read(const struct slip__slot *slot, uint64_t capacity, slip_frame *view);

/* What mostly stays the same from frame to frame in one slot, once it was checked. Private memory; zeroed: nothing was. */
struct slip__frame_kind {
	uint64_t bytes;
	slip_dtype dtype;
	uint8_t ndim;
	uint8_t flags;
	uint16_t metadata_bytes;
	char encoding[SLIP_ENCODING_MAX];
};

/*
 * The same for a view that the frame before in this slot was read into, kind being what that one was: a frame of the same kind and shape
 * needs no more than its stamps.
 */
int slip__frame_read_again(const struct slip__slot *slot, uint64_t capacity, struct slip__frame_kind *kind, slip_frame *view);

#endif
