/*
 * errors.h - the library's failures as exceptions, and what a fork leaves of an object.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_ERRORS_H
#define SLIP_PYTHON_ERRORS_H

#include "py.h"

/*
 * Raises what errno and slip_error_detail() say: ValueError for EINVAL, OverflowError for EOVERFLOW, MemoryError for ENOMEM, else the kind of
 * OSError that Python has for it. Returns NULL.
 */
PyObject *errors_raise(void);

/* The same with a sentence of our own. */
PyObject *errors_raise_as(int err, const char *detail);

/* TimeoutError: the library's sentence tells of the last slice of a wait only. */
PyObject *errors_raise_timeout(PyObject *base, const char *channel, PyObject *seconds);

/* Counts forks from now on, in the children. */
void errors_count_forks(void);

/* How many lie between the first import and this process. An object that noted another number is of an ancestor. */
unsigned errors_forks(void);

/* Raises ChildProcessError where an object noted another number of forks than this process has. */
int errors_check_fork(unsigned noted, const char *what);

#endif
