/*
 * array.h - what an array looks like in memory: the checked, private form of slip_array.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_ARRAY_H
#define SLIP_CORE_ARRAY_H

#include <slipring/types.h>
#include <stdbool.h>

/* All fields were checked against each other: products fit, strides match the shape. */
struct slip__array {
	const void *data;
	slip_dtype dtype;
	int32_t ndim;
	int64_t shape[SLIP_MAX_DIMS];
	int64_t source_strides[SLIP_MAX_DIMS]; /* of data */
	int64_t strides[SLIP_MAX_DIMS];	       /* of the frame */
	uint64_t item_bytes;
	uint64_t bytes; /* of the frame, row padding included */
	bool source_contiguous;
	bool contiguous; /* the frame */
	char encoding[SLIP_ENCODING_MAX];
	char frame_id[SLIP_FRAME_ID_MAX];
	const void *metadata;
	size_t metadata_size;
	int64_t capture_ns;
	int64_t capture_realtime_ns;
};

enum slip__array_use {
	SLIP__ARRAY_COPIED, /* strides describe data, the frame is C-contiguous */
	SLIP__ARRAY_LOANED  /* strides describe the frame; data is ignored */
};

/* 0, or -1 with EINVAL, EOVERFLOW, EMSGSIZE and a sentence. */
int slip__array_check(const slip_array *given, enum slip__array_use use, struct slip__array *array);

/* C-contiguous strides; returns the bytes of the whole, or UINT64_MAX where they pass INT64_MAX. */
uint64_t slip__array_strides(uint64_t item_bytes, int32_t ndim, const int64_t *shape, int64_t *strides);

/*
 * Whether shape and strides as read from shared memory stay within `bytes`, ascending and without overlap. True for an
 * empty array of any strides.
 */
bool slip__array_fits(uint64_t item_bytes, int32_t ndim, const int64_t *shape, const int64_t *strides, uint64_t bytes);

#endif
