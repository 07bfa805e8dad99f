/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include "dtype.h"
#include "error.h"
#include "name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_SUFFIX "_shm"
#define SEMAPHORE_PREFIX "sem."
#define SEMAPHORE_SUFFIX "_sem"

enum { NS_PER_S = 1000000000 };

/* ---- types ---- */

/* At a type's number. */
static const slip_dtype TYPES[] = {
	{SLIP_UINT, 8, 1}, {SLIP_INT, 8, 1},	{SLIP_UINT, 16, 1},  {SLIP_INT, 16, 1},
	{SLIP_INT, 32, 1}, {SLIP_FLOAT, 32, 1}, {SLIP_FLOAT, 64, 1}, {SLIP_BOOL, 8, 1},
};
enum { TYPE_COUNT = sizeof(TYPES) / sizeof(TYPES[0]) };

static uint32_t type_number(slip_dtype dtype)
{
	uint32_t number = 0;
	while (number < TYPE_COUNT && !slip__dtype_equal(TYPES[number], dtype))
		number++;
	return number;
}

static int too_much(const char *what, const char *value)
{
	return slip__fail(ENOTSUP, "the semaphore wire format has no room for %s ('%s'): leave it out, or use lock-free mode", what, value);
}

int slip__wire_accepts(const struct slip__array *array)
{
	if (type_number(array->dtype) == TYPE_COUNT) {
		char name[24] = "";
		(void)slip_dtype_name(array->dtype, name, sizeof(name));
		return slip__fail(
			ENOTSUP,
			"the semaphore wire format has no %s; it has uint8, int8, uint16, int16, int32, float32, float64 and bool: "
			"convert, or use lock-free mode",
			name);
	}
	if (array->ndim > SLIP__WIRE_MAX_DIMS)
		return slip__fail(ENOTSUP,
				  "the semaphore wire format has up to %d dimensions, and this array %d: reshape, or use lock-free mode",
				  SLIP__WIRE_MAX_DIMS, array->ndim);
	for (int32_t i = 0; i < array->ndim; i++)
		if (array->shape[i] > UINT32_MAX)
			return slip__fail(ENOTSUP, "shape[%d] is %lld; the semaphore wire format counts to 2^32 - 1: use lock-free mode", i,
					  (long long)array->shape[i]);
	if (array->encoding[0] != '\0')
		return too_much("an encoding", array->encoding);
	if (array->frame_id[0] != '\0')
		return too_much("a frame_id", array->frame_id);
	if (array->metadata_size > 0)
		return too_much("metadata", "...");
	return 0;
}

/* ---- the header ---- */

void slip__wire_write(struct slip__wire_header *header, const struct slip__array *array)
{
	memset(header, 0, sizeof(*header));
	header->magic = SLIP__WIRE_MAGIC;
	header->dtype = type_number(array->dtype);
	header->ndim = (uint32_t)array->ndim;
	for (int32_t i = 0; i < array->ndim; i++)
		header->dims[i] = (uint32_t)array->shape[i];
}

int slip__wire_read(const char *object, const struct slip__wire_header *header, uint64_t object_bytes, slip_frame *view)
{
	memset(view, 0, sizeof(*view));
	/* Existing writers name an object before they size it, and size it before they fill it. */
	if (object_bytes == 0 || (object_bytes >= sizeof(*header) && header->magic == 0))
		return slip__fail_silently(ENOENT);
	if (object_bytes < sizeof(*header))
		return slip__fail(EBADMSG, "%s has %llu bytes; its header alone has %d", object, (unsigned long long)object_bytes,
				  SLIP__WIRE_HEADER_BYTES);
	if (header->magic != SLIP__WIRE_MAGIC)
		return slip__fail(EBADMSG, "the magic of %s is 0x%08x; expected 0x%08x", object, header->magic, SLIP__WIRE_MAGIC);
	if (header->dtype >= TYPE_COUNT)
		return slip__fail(EBADMSG, "the dtype of %s is %u; expected 0 to %d", object, header->dtype, TYPE_COUNT - 1);
	if (header->ndim > SLIP__WIRE_MAX_DIMS)
		return slip__fail(EBADMSG, "%s has %u dimensions; expected 0 to %d", object, header->ndim, SLIP__WIRE_MAX_DIMS);
	view->dtype = TYPES[header->dtype];
	view->ndim = (int32_t)header->ndim;
	for (uint32_t i = 0; i < header->ndim; i++)
		view->shape[i] = header->dims[i];
	uint64_t bytes = slip__array_strides(slip__dtype_bytes(view->dtype), view->ndim, view->shape, view->strides);
	if (bytes > object_bytes - sizeof(*header))
		return slip__fail(EBADMSG, "the shape of %s needs more than the %llu bytes behind its header", object,
				  (unsigned long long)(object_bytes - sizeof(*header)));
	view->size = bytes;
	return 0;
}

void slip__wire_encoding(const slip_channel_name *name, slip_frame *view)
{
	bool has = strcmp(name->channel, "image") == 0 || strcmp(name->channel, "depth") == 0 || strcmp(name->channel, "mask") == 0;
	if (has && (view->ndim == 2 || view->ndim == 3))
		slip__dtype_encoding(view->dtype, view->ndim == 3 ? view->shape[2] : 1, view->encoding);
}

/* ---- stamps ---- */

uint64_t slip__wire_stamp(int64_t realtime_ns)
{
	/* Whole seconds and the rest apart: a double of ns has lost the last digits, and what was read must be written the same. */
	int64_t whole = realtime_ns / NS_PER_S;
	double seconds = (double)whole + (double)(realtime_ns % NS_PER_S) / NS_PER_S;
	uint64_t bits;
	memcpy(&bits, &seconds, sizeof(bits));
	return bits;
}

int64_t slip__wire_stamp_ns(uint64_t bits)
{
	double seconds;
	memcpy(&seconds, &bits, sizeof(seconds));
	if (!(seconds > -9e9 && seconds < 9e9)) /* NaN too */
		return 0;
	int64_t whole = (int64_t)seconds;
	double rest = (seconds - (double)whole) * NS_PER_S;
	return whole * NS_PER_S + (int64_t)(rest + (rest < 0 ? -0.5 : 0.5));
}

/* ---- names ---- */

void slip__wire_memory_name(const slip_channel_name *name, char object[SLIP_OBJECT_MAX])
{
	(void)snprintf(object, SLIP_OBJECT_MAX, "%s_%s" MEMORY_SUFFIX, name->base, name->channel);
}

void slip__wire_semaphore_name(const slip_channel_name *name, char object[SLIP_OBJECT_MAX])
{
	(void)snprintf(object, SLIP_OBJECT_MAX, SEMAPHORE_PREFIX "%s_%s" SEMAPHORE_SUFFIX, name->base, name->channel);
}

/* Where the base ends in "base_channel", by the names that channels usually have. 0: nowhere. */
static size_t guess_base(const char *both, size_t length)
{
	static const char *const USUAL[] = {"_image", "_depth", "_pointcloud", "_mask"};
	for (size_t i = 0; i < sizeof(USUAL) / sizeof(USUAL[0]); i++) {
		size_t end = strlen(USUAL[i]);
		if (length > end && memcmp(both + length - end, USUAL[i], end) == 0)
			return length - end;
	}
	while (length > 0 && both[length - 1] != '_')
		length--;
	return length > 0 ? length - 1 : 0;
}

static int parse(const char *file, const char *with_suffix, size_t base_length, slip_channel_name *name)
{
	size_t length = strlen(file);
	size_t suffix = strlen(with_suffix);
	if (length <= suffix || strcmp(file + length - suffix, with_suffix) != 0)
		return -1;
	length -= suffix;
	if (base_length == 0)
		base_length = guess_base(file, length);
	if (base_length == 0 || base_length + 1 >= length || file[base_length] != '_')
		return -1;
	size_t channel_length = length - base_length - 1;
	if (base_length >= sizeof(name->base) || channel_length >= sizeof(name->channel))
		return -1;
	memset(name, 0, sizeof(*name));
	memcpy(name->base, file, base_length);
	memcpy(name->channel, file + base_length + 1, channel_length);
	name->mode = SLIP_MODE_SEMAPHORE;
	return slip__name_allowed(name->base) && slip__name_allowed(name->channel) ? 0 : -1;
}

int slip__wire_parse(const char *file, size_t base_length, slip_channel_name *name)
{
	return parse(file, MEMORY_SUFFIX, base_length, name);
}

int slip__wire_parse_semaphore(const char *file, size_t base_length, slip_channel_name *name)
{
	size_t prefix = strlen(SEMAPHORE_PREFIX);
	return strncmp(file, SEMAPHORE_PREFIX, prefix) == 0 ? parse(file + prefix, SEMAPHORE_SUFFIX, base_length, name) : -1;
}
