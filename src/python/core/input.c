/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include "args.h"
#include "dtype.h"

#include <string.h>

static void fill_array(const Py_buffer *view, slip_array *array)
{
	array->data = view->buf;
	array->ndim = view->ndim; /* more than SLIP_MAX_DIMS is for the library to refuse */
	for (int i = 0; i < view->ndim && i < SLIP_MAX_DIMS; i++) {
		array->shape[i] = view->shape[i];
		array->strides[i] = view->strides[i];
	}
}

/*
 * To the library strides that are all zero mean C-contiguous; here they mean one element many times. It is enough to have it as many times as the
 * shortest dimension is long.
 */
static int repeat_element(struct input *input, slip_array *array)
{
	size_t item = (size_t)input->view.itemsize;
	int shortest = 0;
	for (int i = 0; i < array->ndim; i++) {
		if (array->strides[i] != 0)
			return 0;
		if (array->shape[i] < array->shape[shortest])
			shortest = i;
	}
	int64_t count = array->ndim > 0 ? array->shape[shortest] : 0;
	if (count == 0)
		return 0;
	input->copy = PyMem_Malloc((size_t)count * item);
	if (input->copy == NULL) {
		PyErr_NoMemory();
		return -1;
	}
	for (int64_t i = 0; i < count; i++)
		memcpy((char *)input->copy + (size_t)i * item, input->view.buf, item);
	array->data = input->copy;
	array->strides[shortest] = (int64_t)item;
	return 0;
}

/* 1: taken. 0: not a buffer of a type that the library knows. */
static int take_buffer(PyObject *object, struct input *input, slip_array *array)
{
	if (PyObject_GetBuffer(object, &input->view, PyBUF_STRIDED_RO | PyBUF_FORMAT) != 0) {
		input->view.obj = NULL;
		if (!PyErr_ExceptionMatches(PyExc_BufferError) && !PyErr_ExceptionMatches(PyExc_ValueError))
			return -1;
		/* numpy says it better where it cannot either. */
		PyErr_Clear();
		return 0;
	}
	if (!dtype_from_format(input->view.format, input->view.itemsize, &array->dtype)) {
		PyBuffer_Release(&input->view);
		return 0;
	}
	fill_array(&input->view, array);
	if (array->ndim <= SLIP_MAX_DIMS && repeat_element(input, array) != 0)
		return -1;
	return 1;
}

/* Has slipring._input make a native array of it; the name that comes along is of the elements, where the array has only their bits. */
static int take_prepared(PyObject *object, struct input *input, slip_array *array)
{
	PyObject *prepare = state_import("slipring._input", "prepare");
	PyObject *prepared = prepare != NULL ? PyObject_CallFunctionObjArgs(prepare, object, NULL) : NULL;
	Py_XDECREF(prepare);
	if (prepared == NULL)
		return -1;
	PyObject *name = PyTuple_GetItem(prepared, 1);
	const char *text = args_text(name, "the dtype's name");
	int taken = text != NULL ? take_buffer(PyTuple_GetItem(prepared, 0), input, array) : -1;
	if (taken == 0 || (taken == 1 && slip_dtype_parse(text, &array->dtype) != 0)) {
		PyErr_Format(PyExc_TypeError, "an array of dtype %U cannot be sent", name);
		taken = -1;
	}
	Py_DECREF(prepared); /* the buffer keeps the array */
	return taken == 1 ? 0 : -1;
}

int input_take(PyObject *object, struct input *input, slip_array *array)
{
	*input = (struct input){.copy = NULL};
	/* To numpy, bytes are text of one element. */
	if (PyObject_CheckBuffer(object) && !PyBytes_Check(object)) {
		int taken = take_buffer(object, input, array);
		if (taken != 0)
			return taken == 1 ? 0 : -1;
	}
	return take_prepared(object, input, array);
}

void input_drop(struct input *input)
{
	PyBuffer_Release(&input->view);
	PyMem_Free(input->copy);
}
