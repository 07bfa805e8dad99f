/*
 * input.h - arrays that come in: any object that exports a buffer, or that numpy makes an array of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_INPUT_H
#define SLIP_PYTHON_INPUT_H

#include "state.h"

struct input {
	Py_buffer view; /* obj is NULL where nothing is held */
	void *copy;
};

/*
 * Sets data, dtype, ndim, shape and strides of array. The memory is held until input_drop, which is due whether this succeeds or not. TypeError
 * for a dtype that the library does not have.
 */
int input_take(PyObject *object, struct input *input, slip_array *array);
void input_drop(struct input *input);

#endif
