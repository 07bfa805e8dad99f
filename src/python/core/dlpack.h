/*
 * dlpack.h - DLPack's protocol for frames and loans.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_DLPACK_H
#define SLIP_PYTHON_DLPACK_H

#include "layout.h"

/* __dlpack__(*, stream=None, max_version=None, dl_device=None, copy=None): a capsule that holds an export of the source's memory, or a copy. */
PyObject *dlpack_export(const struct source *source, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

/* __dlpack_device__() */
PyObject *dlpack_device(PyObject *self, PyObject *none);

#endif
