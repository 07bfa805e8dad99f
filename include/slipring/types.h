/*
 * slipring/types.h - what a frame is: element type, array description, frame, errors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIPRING_TYPES_H
#define SLIPRING_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SLIP_API __attribute__((visibility("default")))
#else
#define SLIP_API
#endif

#ifdef __cplusplus
/* What the ..._INIT macros below give: all zero but the size. */
extern "C++" {
template <typename T> inline T slip_sized()
{
	T sized = T();
	sized.struct_size = sizeof(T);
	return sized;
}
}
#endif

/* Limits of the layout (version 1). All are checked; what lies outside is EINVAL. */
enum {
	SLIP_MAX_DIMS = 8,	/* dimensions of an array */
	SLIP_MAX_READERS = 62,	/* attached readers of one channel; observers are not counted */
	SLIP_MAX_SLOTS = 1024,	/* slots of a ring */
	SLIP_MAX_LOANS = 64,	/* loans of one channel that may be out at once */
	SLIP_MAX_LEASES = 64,	/* leases that one reader handle may hold on one channel */
	SLIP_ENCODING_MAX = 16, /* bytes of an encoding name, with its NUL */
	SLIP_FRAME_ID_MAX = 64, /* bytes of a frame_id, with its NUL */
	SLIP_METADATA_MAX = 256 /* bytes of user metadata of a frame */
};

/* Time limits are nanoseconds: 0 tries once, SLIP_FOREVER waits without one. */
#define SLIP_FOREVER ((int64_t)-1)

/* A capture_realtime_ns that reads 0: simulated time may begin there, while a plain 0 asks for the present. */
#define SLIP_TIME_ZERO INT64_MIN

/* Type codes of DLPack (dlpack.h, DLDataTypeCode): the numbers are that standard's. */
enum { SLIP_INT = 0, SLIP_UINT = 1, SLIP_FLOAT = 2, SLIP_BFLOAT = 4, SLIP_COMPLEX = 5, SLIP_BOOL = 6 };

/*
 * The type of one element: DLPack's {code, bits, lanes}. Accepted are int and uint of 8, 16, 32 and 64
 * bits, float of 16, 32 and 64, bfloat of 16, complex of 64 and 128 (both parts together) and bool of 8;
 * lanes from 1 to 16 (a vector element; 1 for a scalar).
 */
typedef struct slip_dtype {
	uint8_t code;
	uint8_t bits;
	uint16_t lanes;
} slip_dtype;

#ifdef __cplusplus
#define SLIP_DTYPE(code, bits) (slip_dtype{(uint8_t)(code), (uint8_t)(bits), (uint16_t)1})
#else
#define SLIP_DTYPE(code, bits) ((slip_dtype){(uint8_t)(code), (uint8_t)(bits), (uint16_t)1})
#endif
#define SLIP_U8 SLIP_DTYPE(SLIP_UINT, 8)
#define SLIP_U16 SLIP_DTYPE(SLIP_UINT, 16)
#define SLIP_U32 SLIP_DTYPE(SLIP_UINT, 32)
#define SLIP_U64 SLIP_DTYPE(SLIP_UINT, 64)
#define SLIP_I8 SLIP_DTYPE(SLIP_INT, 8)
#define SLIP_I16 SLIP_DTYPE(SLIP_INT, 16)
#define SLIP_I32 SLIP_DTYPE(SLIP_INT, 32)
#define SLIP_I64 SLIP_DTYPE(SLIP_INT, 64)
#define SLIP_F16 SLIP_DTYPE(SLIP_FLOAT, 16)
#define SLIP_F32 SLIP_DTYPE(SLIP_FLOAT, 32)
#define SLIP_F64 SLIP_DTYPE(SLIP_FLOAT, 64)
#define SLIP_BF16 SLIP_DTYPE(SLIP_BFLOAT, 16)
#define SLIP_C64 SLIP_DTYPE(SLIP_COMPLEX, 64)
#define SLIP_C128 SLIP_DTYPE(SLIP_COMPLEX, 128)
#define SLIP_BOOL8 SLIP_DTYPE(SLIP_BOOL, 8)

/* Bytes of one element, or 0 with EINVAL where the type is not one of those above. */
SLIP_API size_t slip_dtype_size(slip_dtype dtype);

/*
 * numpy's name of a type ("uint8", "float32", "bfloat16", ...; lanes appended as "x4"), written into name, which has
 * room for size bytes. Returns 0, or -1 with EINVAL (not a type; no room). slip_dtype_parse is its inverse.
 */
SLIP_API int slip_dtype_name(slip_dtype dtype, char *name, size_t size);
SLIP_API int slip_dtype_parse(const char *name, slip_dtype *dtype);

/*
 * An array that goes in: what slip_set_* copies from, and what slip_loan makes room for.
 *
 * Set struct_size to sizeof(slip_array) and leave at zero what you don't need; SLIP_ARRAY_INIT does. The library
 * keeps no pointer from it after the call returns.
 */
typedef struct slip_array {
	size_t struct_size;
	/* The first element. Ignored by slip_loan. May be NULL where the array has no elements. */
	const void *data;
	slip_dtype dtype;
	/* Dimensions in use, 0 to SLIP_MAX_DIMS. 0 is a scalar: one element. */
	int32_t ndim;
	/* Elements along each dimension, row-major: an image is {height, width, channels}. 0 makes an empty array. */
	int64_t shape[SLIP_MAX_DIMS];
	/*
	 * Bytes from one element to the next along each dimension; all zero means C-contiguous. For slip_set_* they
	 * describe data, and may be negative or overlap; the frame is C-contiguous. For slip_loan they describe the
	 * frame that is wanted: ascending towards the first dimension, without overlap (a row pitch, say).
	 */
	int64_t strides[SLIP_MAX_DIMS];
	/* ROS image encoding name ("rgb8", "mono16", "32FC1", "nv12"); NULL or "" where none applies. */
	const char *encoding;
	/* Coordinate frame or sensor name; NULL or "" for none. */
	const char *frame_id;
	/* Bytes of your own that travel with the frame, at most SLIP_METADATA_MAX. */
	const void *metadata;
	size_t metadata_size;
	/* When the data was captured: CLOCK_MONOTONIC ns; 0 means: derived from capture_realtime_ns, or now where that is 0 too. */
	int64_t capture_ns;
	/* The same by CLOCK_REALTIME; 0 means: derived from capture_ns. SLIP_TIME_ZERO is the stamp 0 itself. */
	int64_t capture_realtime_ns;
} slip_array;

#ifdef __cplusplus
#define SLIP_ARRAY_INIT slip_sized<slip_array>()
#else
#define SLIP_ARRAY_INIT                                                                                                                    \
	{                                                                                                                                  \
		.struct_size = sizeof(slip_array)                                                                                          \
	}
#endif

/* Flags of a frame. */
enum { SLIP_FRAME_PRIVATE = 1 };

/*
 * A frame: a loan that a writer fills, or a lease that a reader holds. Only the library makes and frees one; read the
 * fields, don't write them. Later versions add fields at the end.
 *
 * data is in shared memory: writable for a loan; for a lease it is mapped read-only, and a store through it ends the
 * process with SIGSEGV. It stays valid and unchanged until slip_publish, slip_discard or slip_release. Frames with
 * SLIP_FRAME_PRIVATE are this process's own copies, and writable: observers and semaphore mode give such.
 */
typedef struct slip_frame {
	void *data;
	/* Bytes from data to the end of the last element, row padding included. */
	size_t size;
	slip_dtype dtype;
	int32_t ndim;
	int64_t shape[SLIP_MAX_DIMS];
	/* In bytes, always filled in. */
	int64_t strides[SLIP_MAX_DIMS];
	/* Which frame: seq counts from 1 within an epoch, without gaps. Both are 0 in a loan. */
	uint64_t epoch;
	uint64_t seq;
	/* Frames published between the one this reader handle had before and this one: 0 where none was missed. */
	uint64_t missed;
	/* CLOCK_MONOTONIC ns; 0 where the writer turned stamps off. */
	int64_t capture_ns;
	int64_t publish_ns;
	/* CLOCK_REALTIME ns of the capture. */
	int64_t capture_realtime_ns;
	/* User metadata, in shared memory; NULL where there is none. */
	const void *metadata;
	size_t metadata_size;
	char encoding[SLIP_ENCODING_MAX];
	char frame_id[SLIP_FRAME_ID_MAX];
	/* SLIP_FRAME_PRIVATE, or 0. */
	uint32_t flags;
} slip_frame;

/*
 * What went wrong last in this thread, in a sentence that names the value and what was expected. Valid until the
 * thread's next call into the library fails. Never NULL; "" before the first failure. Calls that succeed leave it alone.
 *
 * Beside the errnos that it lists, a call that makes, opens, maps or locks objects passes on what the kernel refuses it: ENOMEM (memory,
 * mappings, locked pages), EMFILE and ENFILE (descriptors), ENOLCK, ENOSPC, EDQUOT, EFBIG, EROFS, ENOTDIR, EIO, EACCES and EPERM (permissions; a
 * filter), ENOTSUP and ENOSYS (a kernel or a filesystem without what is asked of it). The sentence says which. Nothing is left over then, and the
 * handle is as good as before.
 */
SLIP_API const char *slip_error_detail(void);

/* Version of the library in use, "major.minor.patch", and of the shared memory layout that it reads and writes. */
SLIP_API const char *slip_version(void);
SLIP_API unsigned slip_layout_version(void);

#ifdef __cplusplus
}
#endif

#endif
