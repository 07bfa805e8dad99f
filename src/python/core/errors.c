/* SPDX-License-Identifier: Apache-2.0 */
#include "errors.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

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

/* Takes the reference to detail over. */
static PyObject *raise_os_error(int err, PyObject *detail)
{
	/* OSError's constructor chooses the subclass. */
	PyObject *error = detail != NULL ? PyObject_CallFunction(PyExc_OSError, "iN", err, detail) : NULL;
	if (error != NULL)
		PyErr_SetObject((PyObject *)Py_TYPE(error), error);
	Py_XDECREF(error);
	return NULL;
}

PyObject *errors_raise_as(int err, const char *detail)
{
	switch (err) {
	case EINVAL: PyErr_SetString(PyExc_ValueError, detail); return NULL;
	case EOVERFLOW: PyErr_SetString(PyExc_OverflowError, detail); return NULL;
	case ENOMEM: PyErr_SetString(PyExc_MemoryError, detail); return NULL;
	default: return raise_os_error(err, PyUnicode_DecodeUTF8(detail, (Py_ssize_t)strlen(detail), "replace"));
	}
}

PyObject *errors_raise(void)
{
	int err = errno;
	return errors_raise_as(err, slip_error_detail());
}

int errors_check_fork(unsigned noted, const char *what)
{
	if (noted == forks)
		return 0;
	raise_os_error(ECHILD, PyUnicode_FromFormat("the %s was made before a fork; open one in the process that uses it", what));
	return -1;
}

PyObject *errors_raise_timeout(PyObject *base, const char *channel, PyObject *seconds)
{
	return raise_os_error(ETIMEDOUT, PyUnicode_FromFormat("nothing new on %U/%s within %R s", base, channel, seconds));
}
