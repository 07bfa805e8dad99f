/* SPDX-License-Identifier: Apache-2.0 */
#include "errors.h"

#include <errno.h>
#include <pthread.h>

static unsigned forks; /* written in a child only while it has one thread */
static pthread_once_t counting = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
	forks++;
}

static void start_counting(void)
{
	(void)pthread_atfork(NULL, NULL, count_fork);
}

void errors_count_forks(void)
{
	(void)pthread_once(&counting, start_counting);
}

unsigned errors_forks(void)
{
	return forks;
}

int errors_check_fork(unsigned noted, const char *what)
{
	if (noted == forks)
		return 0;
	PyObject *detail = PyUnicode_FromFormat("the %s was made before a fork; open one in the process that uses it", what);
	PyObject *error = detail != NULL ? PyObject_CallFunction(PyExc_OSError, "iO", ECHILD, detail) : NULL;
	if (error != NULL)
		PyErr_SetObject((PyObject *)Py_TYPE(error), error);
	Py_XDECREF(error);
	Py_XDECREF(detail);
	return -1;
}

PyObject *errors_raise_as(int err, const char *detail)
{
	switch (err) {
	case EINVAL: PyErr_SetString(PyExc_ValueError, detail); return NULL;
	case EOVERFLOW: PyErr_SetString(PyExc_OverflowError, detail); return NULL;
	case ENOMEM: PyErr_SetString(PyExc_MemoryError, detail); return NULL;
	default: break;
	}
	/* OSError's constructor chooses the subclass. */
	PyObject *error = PyObject_CallFunction(PyExc_OSError, "is", err, detail);
	if (error != NULL)
		PyErr_SetObject((PyObject *)Py_TYPE(error), error);
	Py_XDECREF(error);
	return NULL;
}

PyObject *errors_raise(void)
{
	int err = errno;
	return errors_raise_as(err, slip_error_detail());
}
