/*
 * api.c - the public functions that concern any handle: checks, errors, frames.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "copy.h"
#include "error.h"
#include "frame.h"
#include "handle.h"
#include "segment.h"

#include <errno.h>
#include <string.h>

#ifndef SLIPRING_VERSION
#error "the build gives SLIPRING_VERSION"
#endif

const char *slip_version(void)
{
	return SLIPRING_VERSION;
}

unsigned slip_layout_version(void)
{
	return SLIP__LAYOUT_VERSION;
}

int slip__handle_check(uint64_t process)
{
	if (__builtin_expect(process == slip__os_process_token(), 1))
		return 0;
	return slip__fail(ECHILD, "the handle was opened before a fork; open one in the process that uses it");
}

int slip__options_copy(const char *what, void *to, size_t to_size, const void *from)
{
	size_t from_size;
	if (from == NULL)
		return 0;
	memcpy(&from_size, from, sizeof(from_size));
	if (from_size < sizeof(from_size) || from_size > to_size)
		return slip__fail(EINVAL, "%s.struct_size is %zu; this library knows sizes up to %zu: set it to sizeof(%s)", what,
				  from_size, to_size, what);
	memcpy(to, from, from_size);
	return 0;
}

/* ---- frames ---- */

static struct slip__frame *checked(slip_frame *frame)
{
	if (frame == NULL)
		return slip__fail_null(EINVAL, "the frame is NULL");
	return slip__handle_check(slip__frame_of(frame)->process) == 0 ? slip__frame_of(frame) : NULL;
}

int slip_publish(slip_frame *frame)
{
	struct slip__frame *f = checked(frame);
	if (f == NULL)
		return -1;
	return f->ops->publish != NULL ? f->ops->publish(f, false) : slip__frame_not_a_loan();
}

int slip_publish_keep(slip_frame *frame)
{
	struct slip__frame *f = checked(frame);
	if (f == NULL)
		return -1;
	return f->ops->publish != NULL ? f->ops->publish(f, true) : slip__frame_not_a_loan();
}

int slip_discard(slip_frame *frame)
{
	struct slip__frame *f = checked(frame);
	if (f == NULL)
		return -1;
	return f->ops->discard != NULL ? f->ops->discard(f, false) : slip__frame_not_a_loan();
}

int slip_discard_keep(slip_frame *frame)
{
	struct slip__frame *f = checked(frame);
	if (f == NULL)
		return -1;
	return f->ops->discard != NULL ? f->ops->discard(f, true) : slip__frame_not_a_loan();
}

int slip_release(slip_frame *frame)
{
	struct slip__frame *f = checked(frame);
	return f != NULL ? f->ops->release(f) : -1;
}

int slip_frame_set_metadata(slip_frame *loan, const void *metadata, size_t size)
{
	struct slip__frame *f = checked(loan);
	if (f == NULL)
		return -1;
	return f->ops->set_metadata != NULL ? f->ops->set_metadata(f, metadata, size) : slip__frame_not_a_loan();
}

int slip_frame_set_capture(slip_frame *loan, int64_t capture_ns, int64_t capture_realtime_ns)
{
	struct slip__frame *f = checked(loan);
	if (f == NULL)
		return -1;
	return f->ops->set_capture != NULL ? f->ops->set_capture(f, capture_ns, capture_realtime_ns) : slip__frame_not_a_loan();
}

int64_t slip_copy(const slip_frame *frame, void *to, size_t size)
{
	if (frame == NULL || (to == NULL && size > 0))
		return slip__fail(EINVAL, "%s is NULL", frame == NULL ? "the frame" : "the target");
	int64_t strides[SLIP_MAX_DIMS];
	uint64_t item_bytes = slip_dtype_size(frame->dtype);
	uint64_t bytes = slip__array_strides(item_bytes, frame->ndim, frame->shape, strides);
	if (item_bytes == 0 || bytes == UINT64_MAX)
		return slip__fail(EINVAL, "the frame is none of this library's");
	if (size < bytes)
		return slip__fail(EMSGSIZE, "the frame has %llu bytes; the target has room for %zu", (unsigned long long)bytes, size);
	if (bytes > 0)
		slip__copy_strided(to, frame->data, item_bytes, frame->ndim, frame->shape, frame->strides);
	return (int64_t)bytes;
}
