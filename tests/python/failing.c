/*
 * failing.c - in the coverage build's module, what the module calls of Python's, of the C library and of slipring's own can be made to fail as it
 * does where memory is short; see test_failing.py. The linker puts the functions here between (--wrap; src/python/CMakeLists.txt reads their names off
 * the lines that begin with "WRAP").
 *
 * Calls are counted per thread, and only the thread that armed them fails.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <slipring/slipring.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARGUMENTS_MOST = 8, FORMAT_MOST = 32 };

static _Thread_local long calls, first, last, blocks;
static _Thread_local bool armed;
static _Thread_local const char *name_of_first;

/* ---- for the test ---- */

#pragma GCC visibility push(default)
/* The calls of these numbers fail, counted from 1. */
void failing_arm(long from, long to);
/* How many calls there were. */
long failing_disarm(void);
/* The name of the first one that failed. */
const char *failing_name(void);
/* Blocks of memory that were allocated and not freed, by this thread. */
long failing_blocks(void);
/* For children that end by an _exit which is not the module's. */
void failing_write_coverage(void);
#pragma GCC visibility pop

void __gcov_dump(void);

void failing_arm(long from, long to)
{
	calls = 0;
	first = from;
	last = to;
	armed = true;
	name_of_first = "";
}

long failing_disarm(void)
{
	armed = false;
	return calls;
}

const char *failing_name(void)
{
	return name_of_first;
}

long failing_blocks(void)
{
	return blocks;
}

void failing_write_coverage(void)
{
	__gcov_dump();
}

/* ---- functions of the C library and of slipring's: errno ---- */

static bool fails(const char *name)
{
	if (!armed)
		return false;
	calls++;
	if (calls < first || calls > last)
		return false;
	if (calls == first)
		name_of_first = name;
	errno = ENOMEM;
	return true;
}

static void *counted(void *block)
{
	blocks += block != NULL;
	return block;
}

/* The name expanded first: some of Python's functions are macros for others. */
#define JOINED(prefix, name) prefix##name
#define REAL(name) JOINED(__real_, name)
#define WRAPPED(name) JOINED(__wrap_, name)

#define WRAP(type, name, parameters)                                                                                                       \
	type REAL(name) parameters;                                                                                                        \
	type WRAPPED(name) parameters;                                                                                                     \
	type WRAPPED(name)                                                                                                                 \
	parameters

WRAP(void *, malloc, (size_t size))
{
	return fails("malloc") ? NULL : counted(__real_malloc(size));
}

WRAP(void *, calloc, (size_t count, size_t size))
{
	return fails("calloc") ? NULL : counted(__real_calloc(count, size));
}

WRAP(void *, realloc, (void *block, size_t size))
{
	void *made = fails("realloc") ? NULL : __real_realloc(block, size);
	return block == NULL ? counted(made) : made;
}

WRAP(void *, aligned_alloc, (size_t alignment, size_t size))
{
	return fails("aligned_alloc") ? NULL : counted(__real_aligned_alloc(alignment, size));
}

WRAP(int, posix_memalign, (void **block, size_t alignment, size_t size))
{
	int err = fails("posix_memalign") ? ENOMEM : __real_posix_memalign(block, alignment, size);
	blocks += err == 0;
	return err;
}

WRAP(void, free, (void *block))
{
	blocks -= block != NULL;
	__real_free(block);
}

/* These never fail by lack of memory; what the module would do about it is tried all the same. */
WRAP(int64_t, slip_copy, (const slip_frame *frame, void *to, size_t size))
{
	return fails("slip_copy") ? -1 : __real_slip_copy(frame, to, size);
}

WRAP(int, slip_publish, (slip_frame * frame))
{
	return fails("slip_publish") ? -1 : __real_slip_publish(frame);
}

WRAP(int, slip_dtype_name, (slip_dtype dtype, char *name, size_t size))
{
	return fails("slip_dtype_name") ? -1 : __real_slip_dtype_name(dtype, name, size);
}

/* ---- Python's: an exception ---- */

static bool raises(const char *name)
{
	if (!fails(name))
		return false;
	PyErr_NoMemory();
	return true;
}

#define WRAP_PYTHON(type, name, parameters, arguments, failed)                                                                             \
	WRAP(type, name, parameters)                                                                                                       \
	{                                                                                                                                  \
		return raises(#name) ? (failed) : REAL(name) arguments;                                                                    \
	}

WRAP_PYTHON(PyObject *, PyBytes_FromObject, (PyObject * o), (o), NULL)
WRAP_PYTHON(PyObject *, PyBytes_FromStringAndSize, (const char *s, Py_ssize_t n), (s, n), NULL)
WRAP_PYTHON(int, PyBytes_AsStringAndSize, (PyObject * o, char **s, Py_ssize_t *n), (o, s, n), -1)
WRAP_PYTHON(PyObject *, PyCapsule_New, (void *p, const char *name, PyCapsule_Destructor end), (p, name, end), NULL)
WRAP_PYTHON(PyObject *, PyDict_New, (void), (), NULL)
WRAP_PYTHON(int, PyDict_SetItemString, (PyObject * d, const char *key, PyObject *o), (d, key, o), -1)
WRAP_PYTHON(int, PyErr_CheckSignals, (void), (), -1)
WRAP_PYTHON(double, PyFloat_AsDouble, (PyObject * o), (o), -1.0)
WRAP_PYTHON(PyObject *, PyFloat_FromDouble, (double value), (value), NULL)
WRAP_PYTHON(PyObject *, PyImport_ImportModule, (const char *name), (name), NULL)
WRAP_PYTHON(int, PyList_Append, (PyObject * list, PyObject *o), (list, o), -1)
WRAP_PYTHON(PyObject *, PyList_New, (Py_ssize_t n), (n), NULL)
WRAP_PYTHON(long long, PyLong_AsLongLong, (PyObject * o), (o), -1)
WRAP_PYTHON(unsigned long long, PyLong_AsUnsignedLongLong, (PyObject * o), (o), (unsigned long long)-1)
WRAP_PYTHON(PyObject *, PyLong_FromLong, (long value), (value), NULL)
WRAP_PYTHON(PyObject *, PyLong_FromLongLong, (long long value), (value), NULL)
WRAP_PYTHON(PyObject *, PyLong_FromSsize_t, (Py_ssize_t value), (value), NULL)
WRAP_PYTHON(PyObject *, PyLong_FromUnsignedLongLong, (unsigned long long value), (value), NULL)
WRAP_PYTHON(PyObject *, PyMemoryView_FromObject, (PyObject * o), (o), NULL)
WRAP_PYTHON(int, PyModule_AddIntConstant, (PyObject * module, const char *name, long value), (module, name, value), -1)
WRAP_PYTHON(int, PyModule_AddObject, (PyObject * module, const char *name, PyObject *o), (module, name, o), -1)
WRAP_PYTHON(int, PyModule_AddStringConstant, (PyObject * module, const char *name, const char *s), (module, name, s), -1)
WRAP_PYTHON(PyObject *, PyNumber_Index, (PyObject * o), (o), NULL)
WRAP_PYTHON(PyObject *, PyObject_GetAttrString, (PyObject * o, const char *name), (o, name), NULL)
WRAP_PYTHON(int, PyObject_GetBuffer, (PyObject * o, Py_buffer *view, int flags), (o, view, flags), -1)
WRAP_PYTHON(int, PyObject_IsTrue, (PyObject * o), (o), -1)
WRAP_PYTHON(int, PyObject_SetAttrString, (PyObject * o, const char *name, PyObject *value), (o, name, value), -1)
WRAP_PYTHON(PyObject *, PySequence_List, (PyObject * o), (o), NULL)
WRAP_PYTHON(PyObject *, PyTuple_New, (Py_ssize_t n), (n), NULL)
WRAP_PYTHON(PyObject *, PyType_FromModuleAndSpec, (PyObject * module, PyType_Spec *spec, PyObject *bases), (module, spec, bases), NULL)
WRAP_PYTHON(PyObject *, PyType_GenericAlloc, (PyTypeObject * type, Py_ssize_t n), (type, n), NULL)
WRAP_PYTHON(const char *, PyUnicode_AsUTF8AndSize, (PyObject * o, Py_ssize_t *n), (o, n), NULL)
WRAP_PYTHON(PyObject *, PyUnicode_DecodeUTF8, (const char *s, Py_ssize_t n, const char *errors), (s, n, errors), NULL)
WRAP_PYTHON(PyObject *, PyUnicode_FromString, (const char *s), (s), NULL)
WRAP_PYTHON(PyObject *, PyUnicode_InternFromString, (const char *s), (s), NULL)
WRAP_PYTHON(PyObject *, PyWeakref_NewRef, (PyObject * o, PyObject *callback), (o, callback), NULL)

/* Sets no exception. */
WRAP(void *, PyMem_Malloc, (size_t size))
{
	return fails("PyMem_Malloc") ? NULL : __real_PyMem_Malloc(size);
}

/* Takes the item over in any case. */
WRAP(int, PyTuple_SetItem, (PyObject * tuple, Py_ssize_t i, PyObject *item))
{
	if (!raises("PyTuple_SetItem"))
		return __real_PyTuple_SetItem(tuple, i, item);
	Py_XDECREF(item);
	return -1;
}

/* ---- of any number of arguments: made anew, since they cannot be handed on ---- */

/* A tuple of them also where the format names one alone; what "N" gives is taken over in any case. */
static PyObject *tuple_of(const char *format, va_list *list)
{
	char all[FORMAT_MOST];
	(void)snprintf(all, sizeof(all), "(%s)", format);
	return Py_VaBuildValue(all, *list);
}

static PyObject *call(const char *name, PyObject *callable, PyObject *arguments)
{
	PyObject *result = callable != NULL && arguments != NULL && !raises(name) ? PyObject_Call(callable, arguments, NULL) : NULL;
	Py_XDECREF(arguments);
	return result;
}

WRAP(PyObject *, PyObject_CallFunction, (PyObject * callable, const char *format, ...))
{
	va_list list;
	va_start(list, format);
	PyObject *arguments = tuple_of(format, &list);
	va_end(list);
	return call("PyObject_CallFunction", callable, arguments);
}

WRAP(PyObject *, PyObject_CallMethod, (PyObject * o, const char *name, const char *format, ...))
{
	va_list list;
	va_start(list, format);
	PyObject *arguments = tuple_of(format, &list);
	va_end(list);
	PyObject *method = REAL(PyObject_GetAttrString)(o, name);
	PyObject *result = call("PyObject_CallMethod", method, arguments);
	Py_XDECREF(method);
	return result;
}

WRAP(PyObject *, PyObject_CallFunctionObjArgs, (PyObject * callable, ...))
{
	PyObject *arguments[ARGUMENTS_MOST];
	size_t count = 0;
	va_list list;
	va_start(list, callable);
	for (PyObject *o; count < ARGUMENTS_MOST && (o = va_arg(list, PyObject *)) != NULL; count++)
		arguments[count] = o;
	va_end(list);
	return raises("PyObject_CallFunctionObjArgs") ? NULL : PyObject_Vectorcall(callable, arguments, count, NULL);
}

WRAP(PyObject *, Py_BuildValue, (const char *format, ...))
{
	va_list list;
	va_start(list, format);
	PyObject *value = Py_VaBuildValue(format, list);
	va_end(list);
	if (raises("Py_BuildValue"))
		Py_CLEAR(value);
	return value;
}

WRAP(PyObject *, PyUnicode_FromFormat, (const char *format, ...))
{
	va_list list;
	va_start(list, format);
	PyObject *text = raises("PyUnicode_FromFormat") ? NULL : PyUnicode_FromFormatV(format, list);
	va_end(list);
	return text;
}

WRAP(int, PyArg_ParseTupleAndKeywords, (PyObject * args, PyObject *kwargs, const char *format, char **names, ...))
{
	va_list list;
	va_start(list, names);
	int parsed = raises("PyArg_ParseTupleAndKeywords") ? 0 : PyArg_VaParseTupleAndKeywords(args, kwargs, format, names, list);
	va_end(list);
	return parsed;
}
