/*
 * input_y4m.c - YUV4MPEG2, as mjpegtools describes it (yuv4mpeg(5)) and ffmpeg writes it.
 *
 * A frame becomes an array of {rows, width}, the planes below each other: {height * 3 / 2, width} for 4:2:0. Where the planes do not
 * make whole rows (odd sizes) it is one row of bytes. The C tag goes into the metadata, so that sub can write the stream again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "input.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 1024, MAX_SIDE = 65535 };

struct colour {
	const char *prefix; /* of the C tag */
	const char *encoding;
	int64_t chroma_width; /* luma samples to one of chroma; 0: no chroma */
	int64_t chroma_height;
	bool alpha;
};

/* Longer prefixes first. */
static const struct colour COLOURS[] = {
	{"444alpha", "i444a", 1, 1, true}, {"444", "i444", 1, 1, false}, {"422", "i422", 2, 1, false}, {"420", "i420", 2, 2, false},
	{"411", "i411", 4, 1, false},	   {"440", "i440", 1, 2, false}, {"410", "i410", 4, 4, false}, {"mono", "mono", 0, 0, false},
};

static bool read_line(struct input *input, char *line, bool *end)
{
	size_t at = 0;
	*end = false;
	for (;;) {
		int byte = input_byte(input);
		if (byte == EOF) {
			*end = at == 0;
			return *end ? false : input_fail(input, "the input ends within a header line");
		}
		if (byte == '\n')
			break;
		if (at == MAX_HEADER - 1)
			return input_fail(input, "a header line has more than %d bytes", MAX_HEADER - 1);
		line[at++] = (char)byte;
	}
	line[at] = '\0';
	return true;
}

/* Bits of a sample: "420p10" has 10, "mono16" 16, anything else 8. */
static int depth_of(const char *tag, const struct colour *colour)
{
	const char *rest = tag + strlen(colour->prefix);
	if (rest[0] == 'p' && rest[1] >= '1' && rest[1] <= '9')
		return atoi(rest + 1);
	return colour->chroma_width == 0 && rest[0] >= '1' && rest[0] <= '9' ? atoi(rest) : 8;
}

static bool use_colour(struct input *input, const char *tag)
{
	const struct colour *colour = NULL;
	for (size_t i = 0; colour == NULL && i < sizeof(COLOURS) / sizeof(COLOURS[0]); i++)
		if (strncmp(tag, COLOURS[i].prefix, strlen(COLOURS[i].prefix)) == 0)
			colour = &COLOURS[i];
	int depth = colour != NULL ? depth_of(tag, colour) : 0;
	if (colour == NULL || depth < 8 || depth > 16)
		return input_fail(
			input, "its colour space is C%s; 420, 422, 444, 444alpha, 411, 440, 410 and mono of 8 to 16 bits are known", tag);
	int64_t w = input->video.width;
	int64_t h = input->video.height;
	int64_t samples = w * h * (colour->alpha ? 2 : 1);
	if (colour->chroma_width > 0)
		samples += 2 * ((w + colour->chroma_width - 1) / colour->chroma_width) *
			   ((h + colour->chroma_height - 1) / colour->chroma_height);
	slip_array *a = &input->array;
	a->dtype = depth > 8 ? SLIP_U16 : SLIP_U8;
	a->ndim = 2;
	a->shape[0] = samples % w == 0 ? samples / w : 1;
	a->shape[1] = samples % w == 0 ? w : samples;
	if (colour->chroma_width == 0)
		(void)snprintf(input->encoding, sizeof(input->encoding), depth > 8 ? "mono16" : "mono8");
	else if (depth > 8)
		(void)snprintf(input->encoding, sizeof(input->encoding), "%sp%d", colour->encoding, depth);
	else
		(void)snprintf(input->encoding, sizeof(input->encoding), "%s", colour->encoding);
	a->encoding = input->encoding;
	/* The file's samples are little-endian; so is every machine that ffmpeg writes pipes on and this runs on, but say so. */
	input->swap = depth > 8 && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	(void)snprintf(input->video.colour, sizeof(input->video.colour), "%s", tag);
	return input_measure(input);
}

/* What does not fit is left out: comments may be long. */
static void add_extra(struct video *video, const char *value)
{
	size_t at = strlen(video->extra);
	if (at + strlen(value) + 2 <= sizeof(video->extra))
		(void)snprintf(video->extra + at, sizeof(video->extra) - at, "%s%s", at > 0 ? "|" : "", value);
}

static bool read_header(struct input *input, char *line)
{
	char *save;
	const char *colour = "420jpeg"; /* what the format says for a missing C tag */
	char *word = strtok_r(line, " ", &save);
	if (word == NULL || strcmp(word, "YUV4MPEG2") != 0)
		return input_fail(input, "it begins with '%.12s'; expected YUV4MPEG2", line);
	while ((word = strtok_r(NULL, " ", &save)) != NULL) {
		const char *value = word + 1;
		if (word[0] == 'W')
			input->video.width = strtol(value, NULL, 10);
		else if (word[0] == 'H')
			input->video.height = strtol(value, NULL, 10);
		else if (word[0] == 'C')
			colour = value;
		else if (word[0] == 'I')
			input->video.interlace = value[0];
		else if (word[0] == 'A')
			(void)snprintf(input->video.aspect, sizeof(input->video.aspect), "%s", value);
		else if (word[0] == 'X')
			add_extra(&input->video, value);
		else if (word[0] == 'F' &&
			 (sscanf(value, "%u:%u", &input->video.rate, &input->video.scale) != 2 || input->video.scale == 0))
			return input_fail(input, "its frame rate is '%s'; expected something like 60:1", value);
	}
	if (input->video.width < 1 || input->video.height < 1 || input->video.width > MAX_SIDE || input->video.height > MAX_SIDE)
		return input_fail(input, "its size is %lldx%lld; expected 1 to %d each way", (long long)input->video.width,
				  (long long)input->video.height, MAX_SIDE);
	return use_colour(input, colour);
}

static enum more next(struct input *input)
{
	char line[MAX_HEADER];
	bool end;
	/* A second header in the stream begins a new one, as concatenated files have it. */
	for (;;) {
		if (!read_line(input, line, &end))
			return end && input->started ? MORE_END : MORE_FAILED;
		if (input->started && strncmp(line, "FRAME", 5) == 0)
			return MORE_FRAME;
		if (input->started && strncmp(line, "YUV4MPEG2", 9) != 0) {
			input_fail(input, "'%.12s' stands where a FRAME was expected", line);
			return MORE_FAILED;
		}
		memset(&input->video, 0, sizeof(input->video));
		if (!read_header(input, line))
			return MORE_FAILED;
		input->started = true;
	}
}

static bool read_frame(struct input *input, void *to)
{
	if (!input_read_exactly(input, to, input->bytes))
		return false;
	if (input->swap)
		swap_samples(to, input->bytes, 2);
	return true;
}

const struct input_format INPUT_Y4M = {"YUV4MPEG2", next, read_frame};
