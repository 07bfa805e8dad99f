/*
 * dtype.h - element types: the library's, the buffer protocol's, numpy's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_DTYPE_H
#define SLIP_PYTHON_DTYPE_H

#include "state.h"

/* A number for each type, 0 to DTYPE_COUNT - 1; lanes play no part. -1 for one that this file does not know. */
int dtype_index(slip_dtype dtype);

const char *dtype_name(int index);

/* bfloat16 has no letter in the buffer protocol, and is no type of numpy's own. */
bool dtype_has_format(int index);
const char *dtype_format(int index);

/* Of a buffer's elements, where their bytes are in this machine's order. false: not one that the library takes as it is. */
bool dtype_from_format(const char *format, Py_ssize_t itemsize, slip_dtype *dtype);

/* A numpy.dtype; a new reference. TypeError for bfloat16 where ml_dtypes is not there. */
PyObject *dtype_to_numpy(struct state *state, slip_dtype dtype);

/* What numpy.dtype() takes, of either byte order, or a name such as "bfloat16". TypeError for one that the library does not have. */
int dtype_from_object(struct state *state, PyObject *object, slip_dtype *dtype);

#endif
