/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "dtype.h"
#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int slip__frame_not_a_loan(void)
{
	return slip__fail(EINVAL, "the frame is no loan that is still out (published or discarded already, or a reader's)");
}

int slip__frame_not_held(void)
{
	return slip__fail(EINVAL, "the frame is not held (released already, or a loan, which is published or discarded)");
}

/* A private frame, and in the same piece of memory what its view points to: metadata, then, at a line's start, data. */
struct private
{
	struct slip__frame frame; /* first */
	char metadata[];
};

static int release_private(struct slip__frame *frame)
{
	free(frame);
	return 0;
}

static const struct slip__frame_ops private_ops = {.release = release_private};

struct slip__frame *slip__frame_private(uint64_t size, size_t metadata_size)
{
	size_t before = (sizeof(struct private) + metadata_size + SLIP__LINE - 1) / SLIP__LINE * SLIP__LINE;
	void *memory = NULL;
	if (size > SIZE_MAX - before || posix_memalign(&memory, SLIP__LINE, before + size) != 0)
		return slip__fail_null(ENOMEM, "no memory for a private copy of %llu bytes", (unsigned long long)size);
	struct private *private = memory;
	memset(private, 0, sizeof(*private));
	private->frame.ops = &private_ops;
	private->frame.process = slip__os_process_token();
	private->frame.view.data = (char *)memory + before;
	private->frame.view.size = size;
	private->frame.view.metadata = metadata_size > 0 ? private->metadata : NULL;
	private->frame.view.metadata_size = metadata_size;
	private->frame.view.flags = SLIP_FRAME_PRIVATE;
	return &private->frame;
}

/* One by one: they were just stored one by one, and a wide load would have to wait until these stores have left the CPU. */
static void copy_dims(int64_t *to, const int64_t *from, int32_t ndim)
{
	for (int32_t i = 0; i < ndim; i++)
		to[i] = from[i];
}

void slip__frame_view(const struct slip__array *array, slip_frame *view)
{
	view->size = array->bytes;
	view->dtype = array->dtype;
	view->ndim = array->ndim;
	copy_dims(view->shape, array->shape, array->ndim);
	copy_dims(view->strides, array->strides, array->ndim);
	view->epoch = 0;
	view->seq = 0;
	view->missed = 0;
	view->capture_ns = array->capture_ns;
	view->capture_realtime_ns = array->capture_realtime_ns;
	view->publish_ns = 0;
	view->metadata = NULL;
	view->metadata_size = 0;
	memcpy(view->encoding, array->encoding, sizeof(view->encoding));
	view->flags = 0;
	view->frame_id[0] = '\0';
	if (array->frame_id[0] != '\0')
		memcpy(view->frame_id, array->frame_id, sizeof(view->frame_id));
}

void slip__frame_describe(const struct slip__array *array, struct slip__slot *slot, slip_frame *view)
{
	bool has_id = array->frame_id[0] != '\0';
	slot->bytes = array->bytes;
	slot->committed = array->bytes;
	slot->dtype = array->dtype;
	slot->ndim = (uint8_t)array->ndim;
	slot->flags = (uint8_t)((array->contiguous ? SLIP__FRAME_CONTIGUOUS : 0) | (has_id ? SLIP__FRAME_HAS_ID : 0));
	slot->metadata_bytes = (uint16_t)array->metadata_size;
	memcpy(slot->encoding, array->encoding, sizeof(slot->encoding));
	copy_dims(slot->shape, array->shape, array->ndim);
	copy_dims(slot->strides, array->strides, array->ndim);
	if (has_id)
		memcpy(slot->frame_id, array->frame_id, sizeof(slot->frame_id));
	if (array->metadata_size > 0)
		memcpy(slot->metadata, array->metadata, array->metadata_size);

	slip__frame_view(array, view);
	view->metadata = array->metadata_size > 0 ? slot->metadata : NULL;
	view->metadata_size = array->metadata_size;
}

/* The line of a slot that every frame needs, copied before it is looked at: a hostile writer may change it meanwhile. */
struct hot {
	uint64_t bytes;
	slip_dtype dtype;
	uint8_t ndim;
	uint8_t flags;
	uint16_t metadata_bytes;
	int64_t capture_ns;
	int64_t publish_ns;
	int64_t capture_realtime_ns;
	uint64_t committed;
	char encoding[SLIP_ENCODING_MAX];
};
_Static_assert(sizeof(struct hot) == SLIP__LINE, "one cache line");
_Static_assert(offsetof(struct hot, capture_ns) == offsetof(struct slip__frame_kind, encoding), "a kind begins as the line does");
_Static_assert(offsetof(struct slip__slot, shape) - offsetof(struct slip__slot, bytes) == sizeof(struct hot), "the same fields");

/*
 * After a copy out of shared memory: the compiler, to which that is memory as any other, forgets where the copy came from, and cannot take to reading
 * the original a second time, after the check.
 */
static void keep_apart(void *copy)
{
	__asm__ volatile("" : : "r"(copy) : "memory");
}

static int cannot_be(const struct hot *hot, const char *what)
{
	return slip__fail(EBADMSG, "a frame's description cannot be: %s (%u dimensions, %llu bytes, dtype {%u, %u, %u})", what, hot->ndim,
			  (unsigned long long)hot->bytes, hot->dtype.code, hot->dtype.bits, hot->dtype.lanes);
}

static void read_stamps(const struct hot *hot, slip_frame *view)
{
	view->capture_ns = hot->capture_ns;
	view->publish_ns = hot->publish_ns;
	view->capture_realtime_ns = hot->capture_realtime_ns;
}

/* Checks and translates a description whose hot line was copied. */
static int read_all(const struct hot *hot, const struct slip__slot *slot, uint64_t capacity, slip_frame *view)
{
	uint64_t item_bytes = slip__dtype_bytes(hot->dtype);
	if (item_bytes == 0 || hot->ndim > SLIP_MAX_DIMS || hot->bytes > capacity || hot->metadata_bytes > SLIP_METADATA_MAX)
		return cannot_be(hot, "a value out of range");
	view->ndim = hot->ndim;
	memcpy(view->shape, slot->shape, hot->ndim * sizeof(view->shape[0]));
	keep_apart(view);
	for (uint8_t i = 0; i < hot->ndim; i++)
		if (view->shape[i] < 0)
			return cannot_be(hot, "a negative dimension");
	if (hot->flags & SLIP__FRAME_CONTIGUOUS) {
		if (slip__array_strides(item_bytes, hot->ndim, view->shape, view->strides) != hot->bytes)
			return cannot_be(hot, "its shape does not have its bytes");
	} else {
		memcpy(view->strides, slot->strides, hot->ndim * sizeof(view->strides[0]));
		keep_apart(view);
		if (!slip__array_fits(item_bytes, hot->ndim, view->shape, view->strides, hot->bytes))
			return cannot_be(hot, "its strides lead outside");
	}
	view->size = hot->bytes;
	view->dtype = hot->dtype;
	read_stamps(hot, view);
	memcpy(view->encoding, hot->encoding, sizeof(view->encoding));
	view->encoding[sizeof(view->encoding) - 1] = '\0';
	view->frame_id[0] = '\0';
	if (hot->flags & SLIP__FRAME_HAS_ID) {
		memcpy(view->frame_id, slot->frame_id, sizeof(view->frame_id));
		view->frame_id[sizeof(view->frame_id) - 1] = '\0';
	}
	view->metadata = hot->metadata_bytes > 0 ? slot->metadata : NULL;
	view->metadata_size = hot->metadata_bytes;
	view->flags = 0;
	return 0;
}

int slip__frame_read(const struct slip__slot *slot, uint64_t capacity, slip_frame *view)
{
	struct hot hot;
	memcpy(&hot, &slot->bytes, sizeof(hot));
	keep_apart(&hot);
	return read_all(&hot, slot, capacity, view);
}

static bool same_shape(const slip_frame *view, const int64_t *shape)
{
	for (int32_t i = 0; i < view->ndim; i++)
		if (view->shape[i] != shape[i])
			return false;
	return true;
}

/* Strides and a frame_id lie in lines of their own, which are better not fetched: frames that have such are read in full. */
int slip__frame_read_again(const struct slip__slot *slot, uint64_t capacity, struct slip__frame_kind *kind, slip_frame *view)
{
	struct hot hot;
	memcpy(&hot, &slot->bytes, sizeof(hot));
	keep_apart(&hot);
	if (kind->flags == SLIP__FRAME_CONTIGUOUS && memcmp(&hot, kind, offsetof(struct slip__frame_kind, encoding)) == 0 &&
	    memcmp(hot.encoding, kind->encoding, sizeof(hot.encoding)) == 0 && same_shape(view, slot->shape)) {
		read_stamps(&hot, view);
		return 0;
	}
	kind->flags = 0;
	if (read_all(&hot, slot, capacity, view) != 0)
		return -1;
	memcpy(kind, &hot, offsetof(struct slip__frame_kind, encoding));
	memcpy(kind->encoding, hot.encoding, sizeof(kind->encoding));
	return 0;
}
