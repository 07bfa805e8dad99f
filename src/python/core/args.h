/*
 * args.h - arguments: of the fast calling convention, names, time limits, stamps, shapes, modes.
 *
 * Everything that fails has raised an exception.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_ARGS_H
#define SLIP_PYTHON_ARGS_H

#include "py.h"

struct signature {
	const char *function;
	int required;		  /* so many must be given */
	int positional;		  /* so many may be given without their names */
	const char *const *names; /* NULL-ended */
};

/* Sorts arguments by their names into values, which has a place for each and holds borrowed references; NULL where one is not given. */
int args_take(const struct signature *signature, PyObject *const *args, Py_ssize_t count, PyObject *kwnames, PyObject **values);

/* The same for the name of a channel alone; otherwise is what is meant when it is not given, or NULL. Borrowed. */
PyObject *args_take_name(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *kwnames, PyObject *otherwise);

/* UTF-8 of a str without NUL; it lives as long as the str. what names it. */
const char *args_text(PyObject *value, const char *what);

/* Seconds; None (and NULL) is SLIP_FOREVER. what names it. 0 stays 0, and nothing else becomes 0. */
int args_seconds(PyObject *value, const char *what, int64_t *ns);

/* Seconds since 1970 to a capture_realtime_ns; None (and NULL) is 0, which asks for the present. The stamp 0.0 is SLIP_TIME_ZERO. */
int args_timestamp(PyObject *value, int64_t *ns);

/* The way back; SLIP_TIME_ZERO does not occur in frames. */
PyObject *args_timestamp_from(int64_t ns);

/* A shape or strides: an int or a sequence of ints. *count may be more than SLIP_MAX_DIMS, which the library refuses; only so many are read. */
int args_dims(PyObject *value, const char *what, int64_t dims[SLIP_MAX_DIMS], int32_t *count);

/* "lock-free" or "semaphore"; None (and NULL) is the default one. */
int args_mode(PyObject *value, slip_mode *mode);
const char *args_mode_name(slip_mode mode);

/* Converters of PyArg_Parse's "O&", to uint32_t and to size_t: ValueError for what does not fit. */
int args_u32(PyObject *value, void *to);
int args_size(PyObject *value, void *to);

/* A wait in slices, so that signals are looked after: one that comes while the library does not sleep does not end its sleep afterwards. */
struct waiting {
	int64_t timeout_ns;
	int64_t end; /* 0 before the first slice */
};

int64_t args_slice(struct waiting *waiting);

/* Whether a slice that failed with err is not the last, unless PyErr_CheckSignals raises. Needs no GIL. */
bool args_has_more(const struct waiting *waiting, int err);

#endif
