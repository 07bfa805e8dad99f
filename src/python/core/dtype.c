/* SPDX-License-Identifier: Apache-2.0 */
#include "dtype.h"

#include "args.h"

#include <string.h>

static const struct known {
	uint8_t code;
	uint8_t bits;
	char format[3]; /* native sizes, as on every LP64 machine */
	char name[11];
} KNOWN[DTYPE_COUNT] = {
	{SLIP_UINT, 8, "B", "uint8"},
	{SLIP_UINT, 16, "H", "uint16"},
	{SLIP_UINT, 32, "I", "uint32"},
	{SLIP_UINT, 64, "L", "uint64"},
	{SLIP_INT, 8, "b", "int8"},
	{SLIP_INT, 16, "h", "int16"},
	{SLIP_INT, 32, "i", "int32"},
	{SLIP_INT, 64, "l", "int64"},
	{SLIP_FLOAT, 16, "e", "float16"},
	{SLIP_FLOAT, 32, "f", "float32"},
	{SLIP_FLOAT, 64, "d", "float64"},
	{SLIP_BFLOAT, 16, "", "bfloat16"},
	{SLIP_COMPLEX, 64, "Zf", "complex64"},
	{SLIP_COMPLEX, 128, "Zd", "complex128"},
	{SLIP_BOOL, 8, "?", "bool"},
};

int dtype_index(slip_dtype dtype)
{
	for (int i = 0; i < DTYPE_COUNT; i++)
		if (KNOWN[i].code == dtype.code && KNOWN[i].bits == dtype.bits)
			return i;
	return -1;
}

const char *dtype_name(int index)
{
	return KNOWN[index].name;
}

bool dtype_has_format(int index)
{
	return KNOWN[index].format[0] != '\0';
}

const char *dtype_format(int index)
{
	return KNOWN[index].format;
}

bool dtype_from_format(const char *format, Py_ssize_t itemsize, slip_dtype *dtype)
{
	static const char orders[] = {'@', '=', PY_LITTLE_ENDIAN ? '<' : '>', '\0'};
	uint8_t code;
	format = format != NULL ? format : "B";
	if (format[0] != '\0' && strchr(orders, format[0]) != NULL)
		format++;
	bool is_complex = format[0] == 'Z';
	if (is_complex)
		format++;
	if (format[0] == '\0' || format[1] != '\0')
		return false;
	/* The letter says the kind, the item's size how wide it is: "l" is 4 or 8 bytes, by the order that stands before it. */
	if (strchr("efd", format[0]) != NULL)
		code = is_complex ? SLIP_COMPLEX : SLIP_FLOAT;
	else if (is_complex)
		return false;
	else if (strchr("bhilqn", format[0]) != NULL)
		code = SLIP_INT;
	else if (strchr("BHILQN", format[0]) != NULL)
		code = SLIP_UINT;
	else if (format[0] == '?')
		code = SLIP_BOOL;
	else
		return false;
	*dtype = (slip_dtype){.code = code, .bits = itemsize <= 16 ? (uint8_t)(itemsize * 8) : 0, .lanes = 1};
	return dtype_index(*dtype) >= 0;
}

static PyObject *load_bfloat16(struct numpy *numpy)
{
	PyObject *type = state_import("ml_dtypes", "bfloat16");
	if (type == NULL) {
		if (PyErr_ExceptionMatches(PyExc_ImportError))
			PyErr_SetString(PyExc_TypeError, "numpy has no bfloat16: install ml_dtypes, or hand the frame on through DLPack "
							 "(torch.from_dlpack(frame))");
		return NULL;
	}
	PyObject *dtype = PyObject_CallFunctionObjArgs(numpy->dtype, type, NULL);
	Py_DECREF(type);
	return dtype;
}

PyObject *dtype_to_numpy(struct state *state, slip_dtype dtype)
{
	struct numpy *numpy = state_numpy(state);
	int index = dtype_index(dtype);
	if (numpy == NULL)
		return NULL;
	if (index < 0) {
		PyErr_Format(PyExc_TypeError, "numpy has no dtype of code %d and %d bits", dtype.code, dtype.bits);
		return NULL;
	}
	if (numpy->dtypes[index] == NULL)
		return load_bfloat16(numpy);
	Py_INCREF(numpy->dtypes[index]);
	return numpy->dtypes[index];
}

/* By numpy's name of it, which is the same in either byte order. */
static int from_numpy(PyObject *object, slip_dtype *dtype)
{
	PyObject *name = PyObject_GetAttrString(object, "name");
	const char *text = name != NULL ? args_text(name, "the dtype's name") : NULL;
	int result = text != NULL ? slip_dtype_parse(text, dtype) : -1;
	if (text != NULL && result != 0)
		PyErr_Format(PyExc_TypeError, "dtype %R (%U) is none that slipring carries", object, name);
	Py_XDECREF(name);
	return result;
}

int dtype_from_object(struct state *state, PyObject *object, slip_dtype *dtype)
{
	if (PyUnicode_Check(object)) {
		const char *text = args_text(object, "dtype");
		if (text == NULL)
			return -1;
		if (slip_dtype_parse(text, dtype) == 0)
			return 0;
	}
	struct numpy *numpy = state_numpy(state);
	PyObject *made = numpy != NULL ? PyObject_CallFunctionObjArgs(numpy->dtype, object, NULL) : NULL;
	if (made == NULL)
		return -1;
	int result = from_numpy(made, dtype);
	Py_DECREF(made);
	return result;
}
