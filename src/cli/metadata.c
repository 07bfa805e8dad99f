/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

uint64_t frame_checksum(const slip_frame *frame)
{
	return XXH3_64bits(frame->data, frame->size);
}

bool metadata_write(slip_frame *loan, const struct video *v)
{
	char text[SLIP_METADATA_MAX];
	size_t at = (size_t)snprintf(text, sizeof(text), "xxh3=%016" PRIx64, frame_checksum(loan));
	if (v->rate != 0)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " fps=%u/%u", v->rate, v->scale);
	if (v->width != 0)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " size=%lldx%lld", (long long)v->width, (long long)v->height);
	if (v->colour[0] != '\0')
		at += (size_t)snprintf(text + at, sizeof(text) - at, " y4m=%s", v->colour);
	if (v->aspect[0] != '\0')
		at += (size_t)snprintf(text + at, sizeof(text) - at, " aspect=%s", v->aspect);
	if (v->interlace != 0)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " interlace=%c", v->interlace);
	if (v->extra[0] != '\0')
		at += (size_t)snprintf(text + at, sizeof(text) - at, " extra=%s", v->extra);
	return slip_frame_set_metadata(loan, text, at) == 0;
}

/* A private, terminated copy: the bytes are in shared memory. */
static void copy_text(const slip_frame *frame, char text[SLIP_METADATA_MAX + 1])
{
	memset(text, 0, SLIP_METADATA_MAX + 1);
	if (frame->metadata != NULL)
		memcpy(text, frame->metadata, frame->metadata_size);
}

/* The value of a key, up to the next space, or NULL. */
static const char *value_of(const char *text, const char *key)
{
	size_t length = strlen(key);
	for (const char *at = text; at != NULL && *at != '\0'; at = strchr(at, ' ')) {
		at += *at == ' ';
		if (strncmp(at, key, length) == 0 && at[length] == '=')
			return at + length + 1;
	}
	return NULL;
}

bool metadata_checksum(const slip_frame *frame, uint64_t *checksum)
{
	char text[SLIP_METADATA_MAX + 1];
	copy_text(frame, text);
	const char *value = value_of(text, "xxh3");
	return value != NULL && sscanf(value, "%16" SCNx64, checksum) == 1;
}

/* Words of printing characters alone: they go into the header of a stream, which a line's end would end. */
void metadata_video(const slip_frame *frame, struct video *v)
{
	char text[SLIP_METADATA_MAX + 1];
	copy_text(frame, text);
	memset(v, 0, sizeof(*v));
	const char *value = value_of(text, "fps");
	if (value == NULL || sscanf(value, "%" SCNu32 "/%" SCNu32, &v->rate, &v->scale) != 2 || v->scale == 0)
		v->rate = v->scale = 0;
	long long width;
	long long height;
	value = value_of(text, "size");
	if (value != NULL && sscanf(value, "%lldx%lld", &width, &height) == 2) {
		v->width = width;
		v->height = height;
	}
	value = value_of(text, "y4m");
	if (value != NULL)
		(void)sscanf(value, "%15[0-9a-zA-Z_]", v->colour);
	value = value_of(text, "aspect");
	if (value != NULL)
		(void)sscanf(value, "%15[0-9:]", v->aspect);
	value = value_of(text, "extra");
	if (value != NULL)
		(void)sscanf(value, "%95[!-~]", v->extra);
	value = value_of(text, "interlace");
	if (value != NULL && value[0] > ' ' && value[0] <= '~')
		v->interlace = value[0];
}
