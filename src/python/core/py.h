/*
 * py.h - Python's headers, and what differs between its versions. Included first everywhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_PY_H
#define SLIP_PYTHON_PY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <slipring/slipring.h>

#include <stdbool.h>

/*
 * Around what an object caches, where threads may run at once. With a GIL that is enough by itself; and the limited API has no critical
 * sections, but no build without a GIL either.
 */
#ifdef Py_GIL_DISABLED
#define SECTION_BEGIN(object) Py_BEGIN_CRITICAL_SECTION(object)
#define SECTION_END Py_END_CRITICAL_SECTION()
#else
#define SECTION_BEGIN(object) {
#define SECTION_END }
#endif

/* Of a heap type whose objects can be referred to weakly. */
#define WEAKREF_MEMBER(type)                                                                                                               \
	{                                                                                                                                  \
		"__weaklistoffset__", T_PYSSIZET, offsetof(type, weakrefs), READONLY, NULL                                                 \
	}

/* The fast calling convention: a method's parameters, and its place in a PyMethodDef. */
#define FAST_ARGS PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames
#define FAST(name, function, doc)                                                                                                          \
	{                                                                                                                                  \
		name, (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS, doc                                          \
	}

#endif
