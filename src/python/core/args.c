/* SPDX-License-Identifier: Apache-2.0 */
#include "args.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000)
#define SLICE (SECOND / 4)

static int find_name(const struct signature *signature, PyObject *name)
{
	for (int i = 0; signature->names[i] != NULL; i++)
		if (PyUnicode_CompareWithASCIIString(name, signature->names[i]) == 0)
			return i;
	PyErr_Format(PyExc_TypeError, "%s() has no argument %R", signature->function, name);
	return -1;
}

static int take_named(const struct signature *signature, PyObject *const *args, PyObject *kwnames, PyObject **values)
{
	Py_ssize_t count = PyTuple_Size(kwnames);
	for (Py_ssize_t i = 0; i < count; i++) {
		int at = find_name(signature, PyTuple_GetItem(kwnames, i));
		if (at < 0)
			return -1;
		if (values[at] != NULL) {
			PyErr_Format(PyExc_TypeError, "%s() got '%s' twice", signature->function, signature->names[at]);
			return -1;
		}
		values[at] = args[i];
	}
	return 0;
}

int args_take(const struct signature *signature, PyObject *const *args, Py_ssize_t count, PyObject *kwnames, PyObject **values)
{
	if (count > signature->positional) {
		PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional arguments; %zd were given", signature->function,
			     signature->positional, count);
		return -1;
	}
	for (int i = 0; signature->names[i] != NULL; i++)
		values[i] = i < count ? args[i] : NULL;
	if (kwnames != NULL && take_named(signature, args + count, kwnames, values) != 0)
		return -1;
	for (int i = 0; i < signature->required; i++)
		if (values[i] == NULL) {
			PyErr_Format(PyExc_TypeError, "%s() needs the argument '%s'", signature->function, signature->names[i]);
			return -1;
		}
	return 0;
}

PyObject *args_take_name(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *kwnames, PyObject *otherwise)
{
	static const char *const names[] = {"name", NULL};
	const struct signature signature = {function, otherwise == NULL, 1, names};
	PyObject *values[1];
	if (args_take(&signature, args, count, kwnames, values) != 0)
		return NULL;
	return values[0] != NULL ? values[0] : otherwise;
}

const char *args_text(PyObject *value, const char *what)
{
	Py_ssize_t size;
	if (!PyUnicode_Check(value)) {
		PyErr_Format(PyExc_TypeError, "%s must be a str, not %R", what, Py_TYPE(value));
		return NULL;
	}
	const char *text = PyUnicode_AsUTF8AndSize(value, &size);
	if (text != NULL && strlen(text) != (size_t)size) {
		PyErr_Format(PyExc_ValueError, "%s has a NUL in it: %R", what, value);
		return NULL;
	}
	return text;
}

int args_seconds(PyObject *value, const char *what, int64_t *ns)
{
	*ns = SLIP_FOREVER;
	if (value == NULL || value == Py_None)
		return 0;
	double seconds = PyFloat_AsDouble(value);
	if (seconds == -1.0 && PyErr_Occurred())
		return -1;
	if (!(seconds >= 0)) {
		PyErr_Format(PyExc_ValueError, "%s is %R; expected seconds, 0 or more, or None", what, value);
		return -1;
	}
	if (seconds < (double)(INT64_MAX / SECOND))
		/* Rounded up, so that a very small limit does not become none at all. */
		*ns = (int64_t)ceil(seconds * (double)SECOND);
	return 0;
}

int args_timestamp(PyObject *value, int64_t *ns)
{
	*ns = 0;
	if (value == NULL || value == Py_None)
		return 0;
	double seconds = PyFloat_AsDouble(value);
	if (seconds == -1.0 && PyErr_Occurred())
		return -1;
	if (!(fabs(seconds) < (double)(INT64_MAX / SECOND))) {
		PyErr_Format(PyExc_ValueError, "timestamp is %R; expected seconds of CLOCK_REALTIME that fit 64 bits of nanoseconds",
			     value);
		return -1;
	}
	/* Apart from each other the whole seconds and the rest lose nothing. */
	double whole = floor(seconds);
	*ns = (int64_t)whole * SECOND + llround((seconds - whole) * (double)SECOND);
	if (*ns == 0)
		*ns = SLIP_TIME_ZERO;
	return 0;
}

PyObject *args_timestamp_from(int64_t ns)
{
	int64_t whole = ns / SECOND - (ns % SECOND < 0);
	return PyFloat_FromDouble((double)whole + (double)(ns - whole * SECOND) / (double)SECOND);
}

static int take_dim(PyObject *item, int64_t *dim)
{
	PyObject *index = PyNumber_Index(item);
	if (index == NULL)
		return -1;
	*dim = PyLong_AsLongLong(index);
	Py_DECREF(index);
	return *dim == -1 && PyErr_Occurred() ? -1 : 0;
}

int args_dims(PyObject *value, const char *what, int64_t dims[SLIP_MAX_DIMS], int32_t *count)
{
	if (PyIndex_Check(value)) {
		*count = 1;
		return take_dim(value, &dims[0]);
	}
	PyObject *list = PySequence_List(value);
	if (list == NULL) {
		if (PyErr_ExceptionMatches(PyExc_TypeError))
			PyErr_Format(PyExc_TypeError, "%s must be an int or a sequence of ints, not %R", what, Py_TYPE(value));
		return -1;
	}
	Py_ssize_t length = PyList_Size(list);
	*count = length < INT32_MAX ? (int32_t)length : INT32_MAX;
	int result = 0;
	for (Py_ssize_t i = 0; i < length && i < SLIP_MAX_DIMS && result == 0; i++)
		result = take_dim(PyList_GetItem(list, i), &dims[i]);
	Py_DECREF(list);
	return result;
}

int args_mode(PyObject *value, slip_mode *mode)
{
	*mode = SLIP_MODE_DEFAULT;
	if (value == NULL || value == Py_None)
		return 0;
	const char *text = args_text(value, "mode");
	if (text == NULL)
		return -1;
	if (strcmp(text, "lock-free") == 0) {
		*mode = SLIP_MODE_LOCK_FREE;
	} else if (strcmp(text, "semaphore") == 0) {
		*mode = SLIP_MODE_SEMAPHORE;
	} else {
		PyErr_Format(PyExc_ValueError, "mode is %R; expected 'lock-free' or 'semaphore'", value);
		return -1;
	}
	return 0;
}

const char *args_mode_name(slip_mode mode)
{
	return mode == SLIP_MODE_SEMAPHORE ? "semaphore" : "lock-free";
}

static int take_unsigned(PyObject *value, uint64_t most, uint64_t *number)
{
	PyObject *index = PyNumber_Index(value);
	if (index == NULL)
		return 0;
	*number = PyLong_AsUnsignedLongLong(index);
	Py_DECREF(index);
	if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_OverflowError))
		return 0;
	if (!PyErr_Occurred() && *number <= most)
		return 1;
	PyErr_Format(PyExc_ValueError, "%R is out of range: 0 to %llu", value, (unsigned long long)most);
	return 0;
}

int args_u32(PyObject *value, void *to)
{
	uint64_t number = 0;
	int taken = take_unsigned(value, UINT32_MAX, &number);
	*(uint32_t *)to = (uint32_t)number;
	return taken;
}

int args_size(PyObject *value, void *to)
{
	uint64_t number = 0;
	int taken = take_unsigned(value, SIZE_MAX, &number);
	*(size_t *)to = number;
	return taken;
}

static int64_t now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

int64_t args_slice(struct waiting *waiting)
{
	int64_t left = waiting->timeout_ns;
	if (left > 0 && waiting->end == 0)
		waiting->end = left > INT64_MAX - now_ns() ? INT64_MAX : now_ns() + left;
	else if (left > 0)
		left = waiting->end > now_ns() ? waiting->end - now_ns() : 0;
	return left < 0 || left > SLICE ? SLICE : left;
}

bool args_has_more(const struct waiting *waiting, int err)
{
	if (err == EINTR)
		return true;
	return err == ETIMEDOUT && (waiting->timeout_ns < 0 || (waiting->timeout_ns > 0 && waiting->end > now_ns()));
}
