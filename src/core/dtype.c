/* SPDX-License-Identifier: Apache-2.0 */
#include "dtype.h"

#include "error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LANES = 16 };

static const struct known {
	uint8_t code;
	uint8_t bits;
	char name[12];
	char encoding[4]; /* ROS prefix, where there is one */
} KNOWN[] = {
	{SLIP_UINT, 8, "uint8", "8U"},	     {SLIP_UINT, 16, "uint16", "16U"},	    {SLIP_UINT, 32, "uint32", ""},
	{SLIP_UINT, 64, "uint64", ""},	     {SLIP_INT, 8, "int8", "8S"},	    {SLIP_INT, 16, "int16", "16S"},
	{SLIP_INT, 32, "int32", "32S"},	     {SLIP_INT, 64, "int64", ""},	    {SLIP_FLOAT, 16, "float16", ""},
	{SLIP_FLOAT, 32, "float32", "32F"},  {SLIP_FLOAT, 64, "float64", "64F"},    {SLIP_BFLOAT, 16, "bfloat16", ""},
	{SLIP_COMPLEX, 64, "complex64", ""}, {SLIP_COMPLEX, 128, "complex128", ""}, {SLIP_BOOL, 8, "bool", ""},
};

static const struct known *find(slip_dtype dtype)
{
	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
		if (KNOWN[i].code == dtype.code && KNOWN[i].bits == dtype.bits)
			return dtype.lanes >= 1 && dtype.lanes <= MAX_LANES ? &KNOWN[i] : NULL;
	return NULL;
}

size_t slip__dtype_bytes(slip_dtype dtype)
{
	return find(dtype) != NULL ? (size_t)dtype.bits / 8 * dtype.lanes : 0;
}

bool slip__dtype_equal(slip_dtype a, slip_dtype b)
{
	return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}

static int unknown(slip_dtype dtype)
{
	return slip__fail(EINVAL, "dtype {code %u, bits %u, lanes %u} is none that slipring knows (see slip_dtype in slipring/types.h)",
			  dtype.code, dtype.bits, dtype.lanes);
}

size_t slip_dtype_size(slip_dtype dtype)
{
	size_t size = slip__dtype_bytes(dtype);
	if (size == 0)
		unknown(dtype);
	return size;
}

int slip_dtype_name(slip_dtype dtype, char *name, size_t size)
{
	const struct known *known = find(dtype);
	if (known == NULL)
		return unknown(dtype);
	int length = dtype.lanes == 1 ? snprintf(name, size, "%s", known->name) : snprintf(name, size, "%sx%u", known->name, dtype.lanes);
	if (length < 0 || (size_t)length >= size)
		return slip__fail(EINVAL, "a dtype name of %d bytes does not fit in %zu", length, size);
	return 0;
}

int slip_dtype_parse(const char *name, slip_dtype *dtype)
{
	for (size_t i = 0; name != NULL && i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
		size_t length = strlen(KNOWN[i].name);
		if (strncmp(name, KNOWN[i].name, length) != 0)
			continue;
		unsigned long lanes = 1;
		if (name[length] == 'x' && name[length + 1] >= '1' && name[length + 1] <= '9') {
			char *end;
			lanes = strtoul(name + length + 1, &end, 10);
			if (*end != '\0' || lanes > MAX_LANES)
				continue;
		} else if (name[length] != '\0') {
			continue;
		}
		*dtype = (slip_dtype){.code = KNOWN[i].code, .bits = KNOWN[i].bits, .lanes = (uint16_t)lanes};
		return 0;
	}
	return slip__fail(EINVAL, "'%s' is no dtype; expected one such as uint8, int16, float32, bfloat16, complex64, bool",
			  name == NULL ? "(null)" : name);
}

void slip__dtype_encoding(slip_dtype dtype, int64_t channels, char encoding[SLIP_ENCODING_MAX])
{
	const struct known *known = find(dtype);
	encoding[0] = '\0';
	if (known != NULL && known->encoding[0] != '\0' && dtype.lanes == 1 && channels >= 1 && channels <= 99)
		(void)snprintf(encoding, SLIP_ENCODING_MAX, "%sC%d", known->encoding, (int)channels);
}
