/* SPDX-License-Identifier: Apache-2.0 */
#include "array.h"

#include "dtype.h"
#include "error.h"

#include <errno.h>
#include <string.h>

uint64_t slip__array_strides(uint64_t item_bytes, int32_t ndim, const int64_t *shape, int64_t *strides)
{
	uint64_t bytes = item_bytes;
	bool empty = false;
	for (int32_t i = 0; i < ndim; i++)
		empty = empty || shape[i] == 0;
	for (int32_t i = ndim; i-- > 0;) {
		strides[i] = (int64_t)bytes;
		/* An empty array's strides are those of the same shape with 1 for 0, as numpy has them. */
		uint64_t extent = shape[i] > 0 ? (uint64_t)shape[i] : 1;
		if (bytes > (uint64_t)INT64_MAX / extent)
			return UINT64_MAX;
		bytes *= extent;
	}
	return empty ? 0 : bytes;
}

bool slip__array_fits(uint64_t item_bytes, int32_t ndim, const int64_t *shape, const int64_t *strides, uint64_t bytes)
{
	uint64_t inner = item_bytes;
	for (int32_t i = 0; i < ndim; i++)
		if (shape[i] == 0)
			return true;
	for (int32_t i = ndim; i-- > 0;) {
		if (shape[i] < 0 || strides[i] < 0)
			return false;
		if (shape[i] == 1)
			continue;
		uint64_t steps = (uint64_t)shape[i] - 1;
		if ((uint64_t)strides[i] < inner || (uint64_t)strides[i] > ((uint64_t)INT64_MAX - inner) / steps)
			return false;
		inner += steps * (uint64_t)strides[i];
	}
	return inner <= bytes;
}

static int copy_text(const char *what, const char *from, char *to, size_t room)
{
	to[0] = '\0';
	if (from == NULL || from[0] == '\0')
		return 0;
	size_t length = strnlen(from, room);
	if (length == room)
		return slip__fail(EINVAL, "the %s '%.20s...' has more than %zu bytes", what, from, room - 1);
	memcpy(to, from, length + 1);
	return 0;
}

static int check_shape(struct slip__array *array, const int64_t *shape)
{
	array->item_bytes = slip_dtype_size(array->dtype);
	if (array->item_bytes == 0)
		return -1;
	if (array->ndim < 0 || array->ndim > SLIP_MAX_DIMS)
		return slip__fail(EINVAL, "an array of %d dimensions; 0 to %d are possible", array->ndim, SLIP_MAX_DIMS);
	for (int32_t i = 0; i < array->ndim; i++) {
		array->shape[i] = shape[i];
		if (shape[i] < 0)
			return slip__fail(EINVAL, "shape[%d] is %lld; it must be 0 or more", i, (long long)shape[i]);
	}
	array->bytes = slip__array_strides(array->item_bytes, array->ndim, array->shape, array->strides);
	if (array->bytes == UINT64_MAX || array->bytes > SIZE_MAX / 2)
		return slip__fail(EOVERFLOW, "the product of %d dimensions and %llu bytes an element passes what memory can hold",
				  array->ndim, (unsigned long long)array->item_bytes);
	array->contiguous = true;
	return 0;
}

/* The frame gets the strides that were asked for: a row pitch, say. */
static int use_asked_strides(struct slip__array *array, const int64_t *asked)
{
	if (!slip__array_fits(array->item_bytes, array->ndim, array->shape, asked, SIZE_MAX / 2))
		return slip__fail(EINVAL,
				  "the strides of a loan must ascend towards the first dimension without overlap; "
				  "the innermost of these is %lld bytes for elements of %llu",
				  (long long)asked[array->ndim - 1], (unsigned long long)array->item_bytes);
	uint64_t end = array->item_bytes;
	for (int32_t i = 0; i < array->ndim; i++)
		end += array->shape[i] > 0 ? ((uint64_t)array->shape[i] - 1) * (uint64_t)asked[i] : 0;
	array->contiguous = memcmp(array->strides, asked, (size_t)array->ndim * sizeof(*asked)) == 0;
	memcpy(array->strides, asked, (size_t)array->ndim * sizeof(*asked));
	if (array->bytes > 0)
		array->bytes = end;
	return 0;
}

/* A dimension of one element has a stride that is never used. */
static bool same_layout(const struct slip__array *array, const int64_t *strides)
{
	for (int32_t i = 0; i < array->ndim; i++)
		if (array->shape[i] > 1 && strides[i] != array->strides[i])
			return false;
	return true;
}

int slip__array_check(const slip_array *given, enum slip__array_use use, struct slip__array *array)
{
	if (given == NULL)
		return slip__fail(EINVAL, "the array is NULL");
	if (given->struct_size != sizeof(*given))
		return slip__fail(EINVAL, "slip_array.struct_size is %zu; set it to sizeof(slip_array), %zu (SLIP_ARRAY_INIT does)",
				  given->struct_size, sizeof(*given));
	array->data = given->data;
	array->dtype = given->dtype;
	array->ndim = given->ndim;
	if (check_shape(array, given->shape) != 0)
		return -1;
	bool strided = false;
	for (int32_t i = 0; i < array->ndim; i++)
		strided = strided || given->strides[i] != 0;
	for (int32_t i = 0; i < array->ndim; i++)
		array->source_strides[i] = strided ? given->strides[i] : array->strides[i];
	if (use == SLIP__ARRAY_LOANED && strided && use_asked_strides(array, given->strides) != 0)
		return -1;
	if (use == SLIP__ARRAY_COPIED && array->data == NULL && array->bytes > 0)
		return slip__fail(EINVAL, "the array's data is NULL, but it has %llu bytes", (unsigned long long)array->bytes);
	array->source_contiguous = same_layout(array, array->source_strides);
	if (given->metadata_size > SLIP_METADATA_MAX)
		return slip__fail(EMSGSIZE, "%zu bytes of metadata; at most %d fit", given->metadata_size, SLIP_METADATA_MAX);
	if (given->metadata_size > 0 && given->metadata == NULL)
		return slip__fail(EINVAL, "metadata is NULL, but its size is %zu", given->metadata_size);
	array->metadata = given->metadata;
	array->metadata_size = given->metadata_size;
	array->capture_ns = given->capture_ns;
	array->capture_realtime_ns = given->capture_realtime_ns;
	if (copy_text("encoding", given->encoding, array->encoding, sizeof(array->encoding)) != 0 ||
	    copy_text("frame_id", given->frame_id, array->frame_id, sizeof(array->frame_id)) != 0)
		return -1;
	return 0;
}
