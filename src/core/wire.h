/*
 * wire.h - the bytes and the names of semaphore mode: the wire format of PosixIPC Image Transport 0.2.0 (docs/semaphore-mode.md).
 *
 * A channel is two files of the shared memory directory: BASE_CHANNEL_shm, a header of 64 bytes and the payload, C-contiguous; and
 * sem.BASE_CHANNEL_sem, a POSIX named semaphore (lock.h). Not ours to change, and written by programs that check nothing: all of it is
 * read from a private copy.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_WIRE_H
#define SLIP_CORE_WIRE_H

#include "array.h"
#include "atomic.h"

#include <slipring/inspect.h>

enum { SLIP__WIRE_MAGIC = 0x12345678, SLIP__WIRE_MAX_DIMS = 5, SLIP__WIRE_HEADER_BYTES = 64 };

/* All but the timestamp is written once, before the first frame. */
struct slip__wire_header {
	uint32_t magic;
	uint32_t dtype;
	uint32_t ndim;
	uint32_t dims[SLIP__WIRE_MAX_DIMS];
	slip__a64 timestamp; /* a double's bits: seconds since the epoch; 0 until the first frame. Changed under the lock */
	unsigned char zero[24];
};
_Static_assert(sizeof(struct slip__wire_header) == SLIP__WIRE_HEADER_BYTES, "the payload begins at 64");
_Static_assert(offsetof(struct slip__wire_header, dtype) == 4, "u32 at 4");
_Static_assert(offsetof(struct slip__wire_header, ndim) == 8, "u32 at 8");
_Static_assert(offsetof(struct slip__wire_header, dims) == 12, "5 u32 at 12");
_Static_assert(offsetof(struct slip__wire_header, timestamp) == 32, "double at 32");
_Static_assert(offsetof(struct slip__wire_header, zero) == 40, "24 bytes of zero at 40");

/* 0 where the format can carry an array of this type and shape with what is attached to it; ENOTSUP with what to use instead. */
int slip__wire_accepts(const struct slip__array *array);

/* The header of a channel for arrays like this one, which the format accepts. */
void slip__wire_write(struct slip__wire_header *header, const struct slip__array *array);

/*
 * What a private copy of the header of an object (its name is for the sentence) of so many bytes says: dtype, ndim, shape, strides, size. Without a failure's sentence: -1 with
 * ENOENT, the object is being made. Else EBADMSG: it cannot be.
 */
int slip__wire_read(const char *object, const struct slip__wire_header *header, uint64_t object_bytes, slip_frame *view);

/* The generic encoding of image, depth and mask, which the format does not carry. */
void slip__wire_encoding(const slip_channel_name *name, slip_frame *view);

/* The timestamp's bits for a stamp of CLOCK_REALTIME ns, and back; what no int64_t of ns can hold reads as 0. */
uint64_t slip__wire_stamp(int64_t realtime_ns);
int64_t slip__wire_stamp_ns(uint64_t bits);

void slip__wire_memory_name(const slip_channel_name *name, char object[SLIP_OBJECT_MAX]);
void slip__wire_semaphore_name(const slip_channel_name *name, char object[SLIP_OBJECT_MAX]);

/*
 * The channel that a file's name stands for. "a_b_c_shm" may be a/b_c or a_b/c: base_length says where the base ends, where that is known; 0:
 * before image, depth, pointcloud or mask if it ends in one, else at the last '_'. 0, or -1 where it is no such name; errno is left alone.
 */
int slip__wire_parse(const char *file, size_t base_length, slip_channel_name *name);
/* The same of a semaphore's file. */
int slip__wire_parse_semaphore(const char *file, size_t base_length, slip_channel_name *name);

#endif
