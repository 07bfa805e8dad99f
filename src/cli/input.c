/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include "options.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

bool input_fail(const struct input *input, const char *format, ...)
{
	char text[400];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	say_error("%s, frame %llu: %s", input->name, (unsigned long long)input->frame + 1, text);
	return false;
}

int input_byte(struct input *input)
{
	return stopped() ? EOF : getc(input->file);
}

bool input_read_exactly(struct input *input, void *to, size_t bytes)
{
	size_t got = bytes > 0 ? fread(to, 1, bytes, input->file) : 0;
	if (got == bytes)
		return true;
	if (!stopped())
		input_fail(input, "the input ends after %zu of the frame's %zu bytes", got, bytes);
	return false;
}

bool input_measure(struct input *input)
{
	size_t bytes = slip_dtype_size(input->array.dtype);
	for (int32_t i = 0; i < input->array.ndim; i++)
		if (__builtin_mul_overflow(bytes, (size_t)input->array.shape[i], &bytes) || bytes > (size_t)1 << 40)
			return input_fail(input, "its shape is more than a terabyte");
	input->bytes = bytes;
	return true;
}

void swap_samples(void *data, size_t bytes, unsigned sample_bytes)
{
	unsigned char *at = data;
	for (unsigned char *end = at + bytes - bytes % sample_bytes; at < end; at += sample_bytes)
		for (unsigned i = 0; i < sample_bytes / 2; i++) {
			unsigned char byte = at[i];
			at[i] = at[sample_bytes - 1 - i];
			at[sample_bytes - 1 - i] = byte;
		}
}

static bool tell_format(struct input *input)
{
	int first = getc(input->file);
	if (first != EOF)
		ungetc(first, input->file);
	if (first == 'Y')
		input->format = &INPUT_Y4M;
	else if (first == 'P')
		input->format = &INPUT_PNM;
	else if (first == 0x93)
		input->format = &INPUT_NPY;
	else if (first == EOF)
		return stopped() || say_error("%s is empty; expected YUV4MPEG2, PNM (P5, P6) or .npy", input->name) == 0;
	else
		return say_error("%s begins with the byte 0x%02x: neither YUV4MPEG2, PNM (P5, P6) nor .npy; for raw bytes give --shape "
				 "and --dtype",
				 input->name, (unsigned)first) == 0;
	return true;
}

bool input_open(struct input *input, const char *path, const slip_array *raw, const char *encoding, bool split)
{
	memset(input, 0, sizeof(*input));
	input->array = (slip_array)SLIP_ARRAY_INIT;
	bool standard = strcmp(path, "-") == 0;
	input->name = standard ? "standard input" : path;
	input->file = standard ? stdin : fopen(path, "rb");
	if (input->file == NULL)
		return say_error("cannot open %s: %s", path, strerror(errno)) == 0;
	struct stat status;
	input->regular = fstat(fileno(input->file), &status) == 0 && S_ISREG(status.st_mode);
	if (encoding != NULL)
		(void)snprintf(input->encoding, sizeof(input->encoding), "%s", encoding);
	input->split = split;
	if (raw != NULL) {
		input->array.dtype = raw->dtype;
		input->array.ndim = raw->ndim;
		memcpy(input->array.shape, raw->shape, sizeof(raw->shape));
		input->format = &INPUT_RAW;
		return input_measure(input);
	}
	return tell_format(input);
}

bool input_rewind(struct input *input)
{
	if (!input->regular || fseek(input->file, 0, SEEK_SET) != 0)
		return false;
	input->started = false;
	input->split_left = 0;
	return true;
}

void input_close(struct input *input)
{
	if (input->file != NULL && input->file != stdin)
		(void)fclose(input->file);
	input->file = NULL;
}
