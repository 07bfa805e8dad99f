/*
 * input_pnm.c - binary grey (P5) and colour (P6) Netpbm images of 8 and 16 bits, one or many in a row; as pgm(5) and ppm(5) of
 * Netpbm describe them. SPDX-License-Identifier: Apache-2.0
 */
#include "input.h"

#include <ctype.h>

enum { MAX_NUMBER = 1 << 24 };

/* The next number of a header; comments run from # to the end of the line. -1 after a message. */
static long number(struct input *input, const char *what)
{
	int byte = input_byte(input);
	while (byte == '#' || (byte != EOF && isspace(byte))) {
		while (byte == '#' || (byte != EOF && byte != '\n' && !isspace(byte)))
			do
				byte = input_byte(input);
			while (byte != '\n' && byte != EOF);
		byte = input_byte(input);
	}
	if (byte == EOF || !isdigit(byte)) {
		input_fail(input, "the header has no number for its %s", what);
		return -1;
	}
	long value = 0;
	for (; byte != EOF && isdigit(byte); byte = input_byte(input)) {
		value = value * 10 + (byte - '0');
		if (value > MAX_NUMBER) {
			input_fail(input, "its %s is more than %d", what, MAX_NUMBER);
			return -1;
		}
	}
	return value; /* the one white space after it is consumed */
}

static enum more next(struct input *input)
{
	int byte = input_byte(input);
	while (input->started && byte != EOF && isspace(byte))
		byte = input_byte(input);
	if (byte == EOF)
		return input->started ? MORE_END : MORE_FAILED;
	int kind = input_byte(input);
	if (byte != 'P' || (kind != '5' && kind != '6')) {
		input_fail(input, "it begins with '%c%c'; expected P5 or P6", isprint(byte) ? byte : '?',
			   kind != EOF && isprint(kind) ? kind : '?');
		return MORE_FAILED;
	}
	long width = number(input, "width");
	long height = width >= 0 ? number(input, "height") : -1;
	long most = height >= 0 ? number(input, "maximum") : -1;
	if (most < 0)
		return MORE_FAILED;
	if (most < 1 || most > 65535 || width < 1 || height < 1) {
		input_fail(input, "it is %ldx%ld with a maximum of %ld; expected sizes of 1 or more and a maximum of 1 to 65535", width,
			   height, most);
		return MORE_FAILED;
	}
	slip_array *a = &input->array;
	bool wide = most > 255;
	a->dtype = wide ? SLIP_U16 : SLIP_U8;
	a->ndim = kind == '6' ? 3 : 2;
	a->shape[0] = height;
	a->shape[1] = width;
	a->shape[2] = kind == '6' ? 3 : 0;
	a->encoding = kind == '6' ? (wide ? "rgb16" : "rgb8") : (wide ? "mono16" : "mono8");
	input->video.width = width;
	input->video.height = height;
	input->swap = wide && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
	input->started = true;
	return input_measure(input) ? MORE_FRAME : MORE_FAILED;
}

static bool read_frame(struct input *input, void *to)
{
	if (!input_read_exactly(input, to, input->bytes))
		return false;
	if (input->swap)
		swap_samples(to, input->bytes, 2);
	return true;
}

const struct input_format INPUT_PNM = {"PNM", next, read_frame};
