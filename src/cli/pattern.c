/* pattern.c - pictures made here: colour bars, noise, a big counter. rgb8. SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <string.h>

static const unsigned char BARS[8][3] = {{235, 235, 235}, {235, 235, 16}, {16, 235, 235}, {16, 235, 16},
					 {235, 16, 235},  {235, 16, 16},  {16, 16, 235},  {16, 16, 16}};

/* Digits of 3 x 5 cells, a bit each, the top row in the highest bits. */
static const uint16_t DIGITS[10] = {0x7b6f, 0x2c97, 0x73e7, 0x73cf, 0x5bc9, 0x79cf, 0x79ef, 0x7249, 0x7bef, 0x7bcf};

void input_open_pattern(struct input *input, enum pattern pattern, int64_t width, int64_t height)
{
	memset(input, 0, sizeof(*input));
	input->array = (slip_array)SLIP_ARRAY_INIT;
	input->name = "pattern";
	input->format = &INPUT_PATTERN;
	input->pattern = (int)pattern;
	input->array.dtype = SLIP_U8;
	input->array.ndim = 3;
	input->array.shape[0] = height;
	input->array.shape[1] = width;
	input->array.shape[2] = 3;
	input->array.encoding = "rgb8";
	input->bytes = (size_t)(width * height) * 3;
	input->video.width = width;
	input->video.height = height;
}

static enum more next(struct input *input)
{
	(void)input;
	return MORE_FRAME;
}

/* Bars that move a pixel a frame, so that a torn picture would be seen. */
static void draw_bars(const struct input *input, unsigned char *to)
{
	int64_t height = input->array.shape[0];
	int64_t width = input->array.shape[1];
	for (int64_t x = 0; x < width; x++) {
		int64_t shifted = (x + (int64_t)(input->frame % (uint64_t)width)) % width;
		memcpy(to + x * 3, BARS[shifted * 8 / width], 3);
	}
	for (int64_t y = 1; y < height; y++)
		memcpy(to + y * width * 3, to, (size_t)width * 3);
}

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016), seeded by the frame's number. */
static void draw_noise(const struct input *input, unsigned char *to)
{
	uint64_t state = (input->frame + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (size_t at = 0; at < input->bytes; at += 8) {
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		uint64_t value = state * UINT64_C(2685821657736338717);
		memcpy(to + at, &value, input->bytes - at < 8 ? input->bytes - at : 8);
	}
}

static void fill_cell(const struct input *input, unsigned char *to, int64_t left, int64_t top, int64_t side)
{
	int64_t height = input->array.shape[0];
	int64_t width = input->array.shape[1];
	for (int64_t y = top; y < top + side && y < height; y++)
		for (int64_t x = left; x < left + side && x < width; x++)
			memset(to + (y * width + x) * 3, 240, 3);
}

/* The frame's number in its middle, over a slow grey ramp. */
static void draw_counter(const struct input *input, unsigned char *to)
{
	enum { PLACES = 6 };
	int64_t height = input->array.shape[0];
	int64_t width = input->array.shape[1];
	for (int64_t y = 0; y < height; y++)
		memset(to + y * width * 3, (int)(32 + y * 64 / height), (size_t)width * 3);
	int64_t cell = width / (PLACES * 4 + 3) < height / 7 ? width / (PLACES * 4 + 3) : height / 7;
	int64_t left = (width - cell * (PLACES * 4 - 1)) / 2;
	int64_t top = (height - cell * 5) / 2;
	uint64_t number = input->frame + 1;
	for (int place = PLACES; cell > 0 && place-- > 0; number /= 10)
		for (int bit = 0; bit < 15; bit++)
			if (DIGITS[number % 10] >> (14 - bit) & 1)
				fill_cell(input, to, left + (place * 4 + bit % 3) * cell, top + bit / 3 * cell, cell);
}

static bool read_frame(struct input *input, void *to)
{
	if (input->pattern == PATTERN_BARS)
		draw_bars(input, to);
	else if (input->pattern == PATTERN_NOISE)
		draw_noise(input, to);
	else
		draw_counter(input, to);
	return true;
}

const struct input_format INPUT_PATTERN = {"pattern", next, read_frame};
