/*
 * state.h - what the module keeps: its types, and what it uses of numpy.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_STATE_H
#define SLIP_PYTHON_STATE_H

#include "py.h"

#include <stdatomic.h>

enum { DTYPE_COUNT = 15 };

/* Made when the first array is asked for: importing numpy takes longer than all else here. */
struct numpy {
	PyObject *array;
	PyObject *asarray;
	PyObject *empty;
	PyObject *dtype;
	PyObject *dtypes[DTYPE_COUNT]; /* by dtype_index(); NULL for what numpy does not have by itself */
};

struct state {
	PyTypeObject *writer;
	PyTypeObject *loan;
	PyTypeObject *reader;
	PyTypeObject *frame;
	PyTypeObject *bits;
	PyTypeObject *waker;
	/* Interned names of the channels with a meaning of their own. */
	PyObject *image;
	PyObject *depth;
	PyObject *pointcloud;
	PyObject *mask;
	_Atomic(struct numpy *) numpy;
};

/* Of a type of the module's or one derived from it. */
struct state *state_of_type(PyTypeObject *type);

/* NULL with an exception where numpy cannot be imported. */
struct numpy *state_numpy(struct state *state);

/* An attribute of one of the package's own Python modules; a new reference. */
PyObject *state_import(const char *module, const char *name);

/* The constructor of types whose objects the library makes: without it they would inherit object's. TypeError. */
PyObject *object_refuse_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);

/* What every type here needs at its end: untracks, and gives memory and type back. */
void object_free(PyObject *self);

/* The specifications of the types, each in the file of its name. */
extern PyType_Spec writer_spec, loan_spec, reader_spec, frame_spec, bits_spec, waker_spec;

#endif
