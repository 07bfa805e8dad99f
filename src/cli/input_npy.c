/*
 * input_npy.c - numpy's .npy, versions 1 to 3, one or several in a row (numpy.lib.format describes them).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "input.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 1 << 16 };

/* The text after 'key': in the header, or NULL. */
static const char *value_of(const char *header, const char *key)
{
	char quoted[32];
	(void)snprintf(quoted, sizeof(quoted), "'%s'", key);
	const char *at = strstr(header, quoted);
	if (at == NULL)
		return NULL;
	at += strlen(quoted);
	at += strspn(at, " :");
	return at;
}

/* "<f4", "|u1", ">i2" */
static bool use_descr(struct input *input, const char *descr)
{
	static const struct {
		char kind;
		uint8_t code;
	} KINDS[] = {{'u', SLIP_UINT}, {'i', SLIP_INT}, {'f', SLIP_FLOAT}, {'c', SLIP_COMPLEX}, {'b', SLIP_BOOL}};
	char order = 0;
	char kind = 0;
	unsigned bytes = 0;
	if (descr == NULL || sscanf(descr, "'%c%c%2u'", &order, &kind, &bytes) != 3)
		return input_fail(input, "its dtype is %.40s; plain numbers such as '<f4' can be sent, objects and structures cannot",
				  descr != NULL ? descr : "missing");
	slip_dtype dtype = {.lanes = 1, .bits = (uint8_t)(bytes * 8), .code = 255};
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
		if (KINDS[i].kind == kind)
			dtype.code = KINDS[i].code;
	if (bytes > 16 || slip_dtype_size(dtype) == 0)
		return input_fail(input,
				  "its dtype is '%c%c%u'; slipring has int and uint of 1, 2, 4, 8 bytes, float of 2, 4, 8, complex of 8, "
				  "16, and bool",
				  order, kind, bytes);
	input->array.dtype = dtype;
	input->swap_bytes = kind == 'c' ? bytes / 2 : bytes;
	input->swap = order == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<');
	return true;
}

static bool use_shape(struct input *input, const char *shape)
{
	slip_array *a = &input->array;
	a->ndim = 0;
	if (shape == NULL || *shape != '(')
		return input_fail(input, "its header has no shape");
	for (const char *at = shape + 1; *at != ')';) {
		char *end;
		long long extent = strtoll(at, &end, 10);
		if (end == at || extent < 0 || a->ndim == SLIP_MAX_DIMS)
			return input_fail(input, "its shape is %.60s; up to %d dimensions can be sent", shape, SLIP_MAX_DIMS);
		a->shape[a->ndim++] = extent;
		at = end + strspn(end, ", ");
		if (*at == '\0')
			return input_fail(input, "its shape %.60s does not end", shape);
	}
	return true;
}

static bool use_header(struct input *input, const char *header)
{
	const char *fortran = value_of(header, "fortran_order");
	if (!use_descr(input, value_of(header, "descr")) || !use_shape(input, value_of(header, "shape")))
		return false;
	input->fortran = fortran != NULL && strncmp(fortran, "True", 4) == 0 && input->array.ndim > 1;
	if (!input->split)
		return input_measure(input);
	if (input->array.ndim == 0 || input->fortran)
		return input_fail(input, "--split needs an array of 1 dimension or more in C order");
	input->split_left = (uint64_t)input->array.shape[0];
	input->array.ndim--;
	memmove(&input->array.shape[0], &input->array.shape[1], sizeof(input->array.shape[0]) * (SLIP_MAX_DIMS - 1));
	return input_measure(input);
}

static bool read_header(struct input *input)
{
	unsigned char magic[8];
	unsigned char length[4] = {0};
	if (!input_read_exactly(input, magic, sizeof(magic)))
		return false;
	if (memcmp(magic, "\x93NUMPY", 6) != 0 || magic[6] < 1 || magic[6] > 3)
		return input_fail(input, "it is no .npy of version 1 to 3");
	if (!input_read_exactly(input, length, magic[6] == 1 ? 2 : 4))
		return false;
	size_t bytes = (size_t)length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16 | (size_t)length[3] << 24;
	if (bytes > MAX_HEADER)
		return input_fail(input, "its header has %zu bytes; at most %d are read", bytes, MAX_HEADER);
	char *header = calloc(1, bytes + 1);
	if (header == NULL)
		return input_fail(input, "no memory for its header");
	bool done = input_read_exactly(input, header, bytes) && use_header(input, header);
	free(header);
	return done;
}

static enum more next(struct input *input)
{
	input->array.encoding = input->encoding;
	while (input->split_left == 0) {
		int byte = input_byte(input);
		if (byte == EOF)
			return MORE_END;
		ungetc(byte, input->file);
		if (!read_header(input))
			return MORE_FAILED;
		if (!input->split)
			return MORE_FRAME;
	}
	input->split_left--;
	return MORE_FRAME;
}

/* From first-dimension-fastest to C order. */
static bool read_fortran(struct input *input, char *to)
{
	const slip_array *a = &input->array;
	size_t item = slip_dtype_size(a->dtype);
	char *columns = malloc(input->bytes > 0 ? input->bytes : 1);
	if (columns == NULL)
		return input_fail(input, "no memory for %zu bytes in Fortran order", input->bytes);
	bool done = input_read_exactly(input, columns, input->bytes);
	size_t strides[SLIP_MAX_DIMS];
	size_t stride = item;
	for (int32_t i = 0; i < a->ndim; i++) {
		strides[i] = stride;
		stride *= (size_t)a->shape[i];
	}
	int64_t index[SLIP_MAX_DIMS] = {0};
	for (size_t at = 0; done && at < input->bytes; at += item) {
		size_t from = 0;
		for (int32_t i = 0; i < a->ndim; i++)
			from += (size_t)index[i] * strides[i];
		memcpy(to + at, columns + from, item);
		for (int32_t i = a->ndim; i-- > 0 && ++index[i] == a->shape[i];)
			index[i] = 0;
	}
	free(columns);
	return done;
}

static bool read_frame(struct input *input, void *to)
{
	if (input->fortran ? !read_fortran(input, to) : !input_read_exactly(input, to, input->bytes))
		return false;
	if (input->swap && input->swap_bytes > 1)
		swap_samples(to, input->bytes, input->swap_bytes);
	return true;
}

const struct input_format INPUT_NPY = {".npy", next, read_frame};
