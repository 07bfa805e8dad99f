/*
 * input.h - where frames come from: a file, a pipe or a pattern. Formats are in input_*.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CLI_INPUT_H
#define SLIP_CLI_INPUT_H

#include "metadata.h"

#include <slipring/slipring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum more { MORE_FRAME, MORE_END, MORE_FAILED /* said so already */ };

struct input;

struct input_format {
	const char *name;
	/* Reads up to the next frame's bytes and sets input->array and, at the first, input->video. */
	enum more (*next)(struct input *input);
	/* Reads the frame's bytes to memory of input->bytes. false after a message, or at the end of what can be read. */
	bool (*read)(struct input *input, void *to);
};

struct input {
	const struct input_format *format;
	const char *name; /* for messages */
	FILE *file;	  /* NULL for a pattern */
	bool regular;	  /* can be rewound */
	bool started;	  /* the stream's header was read */
	slip_array array; /* of the next frame; data is unused */
	size_t bytes;
	struct video video;
	char encoding[SLIP_ENCODING_MAX];
	uint64_t frame; /* how many were read */
	/* A format's own */
	bool swap;	     /* 16-bit or wider samples are in the other byte order */
	unsigned swap_bytes; /* of one sample */
	bool fortran;	     /* npy: first dimension fastest */
	bool split;	     /* npy: each item along the first dimension is a frame */
	uint64_t split_left;
	int pattern; /* enum pattern */
};

enum pattern { PATTERN_NONE, PATTERN_BARS, PATTERN_NOISE, PATTERN_COUNTER };

/* Opens a file, or stdin for "-", and tells its format from its first bytes; raw where raw is not NULL (its dtype and shape). */
bool input_open(struct input *input, const char *path, const slip_array *raw, const char *encoding, bool split);
void input_open_pattern(struct input *input, enum pattern pattern, int64_t width, int64_t height);
/* Back to the start; false where that is impossible. */
bool input_rewind(struct input *input);
void input_close(struct input *input);

/* For formats. */
extern const struct input_format INPUT_Y4M;
extern const struct input_format INPUT_PNM;
extern const struct input_format INPUT_NPY;
extern const struct input_format INPUT_RAW;
extern const struct input_format INPUT_PATTERN;

/* The bytes of the frame in input->array, set in input->bytes. false after a message where they are too many. */
bool input_measure(struct input *input);
/* Reads so many bytes. false: fewer are there; says so unless the program was told to stop. */
bool input_read_exactly(struct input *input, void *to, size_t bytes);
/* One byte, EOF at the end; a signal counts as the end. */
int input_byte(struct input *input);
bool input_fail(const struct input *input, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Reverses the bytes of every sample. */
void swap_samples(void *data, size_t bytes, unsigned sample_bytes);

#endif
