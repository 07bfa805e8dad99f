/* SPDX-License-Identifier: Apache-2.0 */
#include "content.h"

#include <stdio.h>
#include <string.h>

#define FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define INVERSE UINT64_C(0xf1de83e19937733d) /* of FACTOR modulo 2^64 */

enum { SEQ_BITS = 36, INCARNATION_BITS = 24 };

uint64_t content_number(int stream, uint32_t incarnation, uint64_t seq)
{
	return (uint64_t)(unsigned)stream << (SEQ_BITS + INCARNATION_BITS) | (uint64_t)incarnation << SEQ_BITS | seq;
}

int content_stream(uint64_t number)
{
	return (int)(number >> (SEQ_BITS + INCARNATION_BITS));
}

uint32_t content_incarnation(uint64_t number)
{
	return (uint32_t)(number >> SEQ_BITS) & ((UINT32_C(1) << INCARNATION_BITS) - 1);
}

uint64_t content_seq(uint64_t number)
{
	return number & ((UINT64_C(1) << SEQ_BITS) - 1);
}

static uint64_t mix(uint64_t number)
{
	uint64_t z = number * FACTOR;
	z = (z ^ z >> 32) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ z >> 29;
}

static slip_dtype type_of(uint64_t hash)
{
	const slip_dtype types[] = {SLIP_U8, SLIP_U16, SLIP_F32, SLIP_C64};
	return types[hash % 4];
}

void content_describe(uint64_t number, size_t bytes, bool pitched, struct content *content)
{
	const uint64_t hash = mix(number);
	memset(content, 0, sizeof(*content));
	slip_array *a = &content->array;
	a->struct_size = sizeof(*a);
	a->dtype = type_of(hash);
	const size_t item = slip_dtype_size(a->dtype);
	const int64_t items = (int64_t)(bytes / CONTENT_BLOCK * CONTENT_BLOCK / item);
	a->ndim = 1 + (int32_t)(hash >> 8 & 0xff) % 3;
	a->shape[0] = items;
	if (a->ndim == 1 && item == 1)
		a->shape[0] += (int64_t)(hash >> 16 & 7); /* no whole word at the end */
	if (a->ndim > 1) {
		a->shape[a->ndim - 1] = 8;
		a->shape[0] = items / 8;
	}
	if (a->ndim == 3) {
		a->shape[1] = 4;
		a->shape[0] = items / 32;
	}
	if (a->ndim == 2 && pitched) {
		a->strides[1] = (int64_t)item;
		a->strides[0] = 16 * (int64_t)item;
	}
	if (hash & 1 << 20) {
		(void)snprintf(content->frame_id, sizeof(content->frame_id), "stream %d, writer %u", content_stream(number),
			       content_incarnation(number));
		a->frame_id = content->frame_id;
	}
	a->metadata_size = (hash >> 24 & 0xff) % (SLIP_METADATA_MAX / 8 + 1) * 8;
	for (size_t i = 0; i < a->metadata_size / 8; i++)
		content->metadata[i] = hash + i;
	a->metadata = content->metadata;
	a->encoding = hash & 1 << 21 ? "storm" : NULL;
	if (hash & 1 << 22) {
		a->capture_ns = (int64_t)(hash >> 1 | 1);
		a->capture_realtime_ns = (int64_t)(hash >> 2 | 1);
	}
}

void content_describe_plain(uint64_t number, size_t bytes, struct content *content)
{
	const slip_dtype types[] = {SLIP_U8, SLIP_I32, SLIP_F64};
	const uint64_t hash = mix(content_incarnation(number));
	memset(content, 0, sizeof(*content));
	slip_array *a = &content->array;
	a->struct_size = sizeof(*a);
	a->dtype = types[hash % 3];
	const size_t item = slip_dtype_size(a->dtype);
	a->ndim = 1 + (int32_t)(hash >> 8 & 1);
	a->shape[0] = (int64_t)(bytes / CONTENT_BLOCK * CONTENT_BLOCK / item);
	if (a->ndim == 2) {
		a->shape[1] = 8;
		a->shape[0] /= 8;
	}
}

void content_fill(void *data, size_t size, uint64_t number)
{
	uint64_t word = number * FACTOR;
	unsigned char *to = data;
	size_t at = 0;
	for (; at + 8 <= size; at += 8, word++)
		memcpy(to + at, &word, 8);
	memcpy(to + at, &word, size - at);
}

bool content_read(const void *data, size_t size, uint64_t *number)
{
	const unsigned char *from = data;
	uint64_t word;
	uint64_t expected;
	if (size < sizeof(word))
		return false;
	memcpy(&expected, from, 8);
	*number = expected * INVERSE;
	size_t at = 0;
	for (; at + 8 <= size; at += 8, expected++) {
		memcpy(&word, from + at, 8);
		if (word != expected)
			return false;
	}
	return memcmp(from + at, &expected, size - at) == 0;
}

static bool same_shape(const slip_frame *frame, const slip_array *a)
{
	const size_t item = slip_dtype_size(frame->dtype);
	for (int32_t i = 0; i < a->ndim; i++)
		if (frame->shape[i] != a->shape[i])
			return false;
	const int64_t row = 8 * (int64_t)item;
	return frame->ndim != 2 || frame->strides[0] == row || frame->strides[0] == 2 * row;
}

const char *content_differs(const slip_frame *frame, uint64_t number, bool plain)
{
	struct content c;
	const slip_array *a = &c.array;
	const size_t item = slip_dtype_size(frame->dtype);
	size_t bytes = item;
	for (int32_t i = 0; i < frame->ndim; i++)
		bytes *= (size_t)frame->shape[i];
	if (plain)
		content_describe_plain(number, bytes, &c);
	else
		content_describe(number, bytes, false, &c);
	if (frame->dtype.code != a->dtype.code || frame->dtype.bits != a->dtype.bits || frame->dtype.lanes != 1)
		return "dtype";
	if (frame->ndim != a->ndim || !same_shape(frame, a))
		return "shape";
	if (plain)
		return NULL;
	if (strcmp(frame->frame_id, c.frame_id) != 0)
		return "frame_id";
	if (strcmp(frame->encoding, a->encoding != NULL ? a->encoding : "") != 0)
		return "encoding";
	if (frame->metadata_size != a->metadata_size ||
	    (a->metadata_size > 0 && memcmp(frame->metadata, c.metadata, a->metadata_size) != 0))
		return "metadata";
	if (a->capture_ns != 0 && (frame->capture_ns != a->capture_ns || frame->capture_realtime_ns != a->capture_realtime_ns))
		return "capture stamps";
	return NULL;
}
