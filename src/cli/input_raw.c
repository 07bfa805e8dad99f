/* input_raw.c - bytes whose shape and dtype the user says. SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

static enum more next(struct input *input)
{
	if (input->bytes == 0)
		return input->frame == 0 ? MORE_FRAME : MORE_END;
	int byte = input_byte(input);
	if (byte == EOF)
		return MORE_END;
	ungetc(byte, input->file);
	input->array.encoding = input->encoding;
	return MORE_FRAME;
}

static bool read_frame(struct input *input, void *to)
{
	return input_read_exactly(input, to, input->bytes);
}

const struct input_format INPUT_RAW = {"raw", next, read_frame};
