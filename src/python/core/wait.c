/* SPDX-License-Identifier: Apache-2.0 */
#include "wait.h"

#include "args.h"
#include "errors.h"
#include "reader.h"

#include <errno.h>
#include <string.h>

enum { MOST = 128 }; /* of the library's */

/* ---- the waker ---- */

struct waker {
	PyObject_HEAD slip_waker *handle;
};

static slip_waker *waker_handle(PyObject *self)
{
	return ((struct waker *)self)->handle;
}

static PyObject *waker_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {NULL};
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Waker", names))
		return NULL;
	PyObject *self = PyType_GenericAlloc(type, 0);
	if (self == NULL)
		return NULL;
	((struct waker *)self)->handle = slip_waker_open();
	if (waker_handle(self) != NULL)
		return self;
	Py_DECREF(self);
	return errors_raise();
}

static PyObject *waker_wake(PyObject *self, PyObject *Py_UNUSED(none))
{
	slip_waker_wake(waker_handle(self));
	Py_RETURN_NONE;
}

static void waker_dealloc(PyObject *self)
{
	slip_waker_close(waker_handle(self));
	object_free(self);
}

static PyMethodDef waker_methods[] = {
	{"wake", waker_wake, METH_NOARGS,
	 "wake($self, /)\n--\n\nMake one wait_any that has the waker among its items return, now or at its next call. Any thread."},
	{NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(waker_doc, "Waker()\n--\n\nEnds a wait_any of this process from outside.");

static PyType_Slot waker_slots[] = {
	{Py_tp_doc, (void *)waker_doc}, {Py_tp_new, waker_new}, {Py_tp_dealloc, waker_dealloc}, {Py_tp_methods, waker_methods}, {0, NULL},
};

PyType_Spec waker_spec = {
	.name = "slipring._core.Waker",
	.basicsize = sizeof(struct waker),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = waker_slots,
};

/* ---- wait_any ---- */

/* The items of one call; all readers among them are entered. */
struct items {
	PyObject *list;
	Py_ssize_t count;
	slip_wait_item items[MOST];
	struct reader *readers[MOST]; /* entered by this item; NULL: a waker, or a reader that an earlier item entered */
};

static bool has_entered(const struct items *w, Py_ssize_t count, const struct reader *reader)
{
	for (Py_ssize_t i = 0; i < count; i++)
		if (w->readers[i] == reader)
			return true;
	return false;
}

static int take_item(struct items *w, Py_ssize_t i, struct state *state)
{
	PyObject *item = PyList_GetItem(w->list, i);
	w->items[i] = (slip_wait_item){.reader = NULL};
	if (Py_TYPE(item) == state->waker) {
		w->items[i].waker = waker_handle(item);
		return 0;
	}
	PyObject *reader = PyTuple_Check(item) && PyTuple_Size(item) == 2 ? PyTuple_GetItem(item, 0) : NULL;
	if (reader == NULL || !PyObject_TypeCheck(reader, state->reader)) {
		PyErr_Format(PyExc_TypeError, "wait_any() takes (Reader, channel name) pairs, not %R", item);
		return -1;
	}
	w->items[i].channel = args_text(PyTuple_GetItem(item, 1), "a channel's name");
	if (w->items[i].channel == NULL)
		return -1;
	struct reader *r = (struct reader *)reader;
	if (!has_entered(w, i, r)) {
		if (reader_enter(r) != 0)
			return -1;
		w->readers[i] = r;
	}
	w->items[i].reader = r->handle;
	return 0;
}

static void leave_all(struct items *w)
{
	for (Py_ssize_t i = 0; i < w->count; i++)
		if (w->readers[i] != NULL)
			reader_leave(w->readers[i]);
}

/* All of them, or none with an exception. */
static int enter_all(struct items *w, Py_ssize_t length, struct state *state)
{
	memset(w->readers, 0, sizeof(w->readers));
	for (w->count = 0; w->count < length; w->count++)
		if (take_item(w, w->count, state) != 0) {
			leave_all(w);
			return -1;
		}
	return 0;
}

static PyObject *ready_items(const struct items *w)
{
	PyObject *ready = PyList_New(0);
	for (Py_ssize_t i = 0; ready != NULL && i < w->count; i++)
		if (w->items[i].ready && PyList_Append(ready, PyList_GetItem(w->list, i)) != 0)
			Py_CLEAR(ready);
	return ready;
}

PyObject *wait_any(FAST_ARGS)
{
	static const char *const names[] = {"items", "timeout", NULL};
	static const struct signature signature = {"wait_any", 1, 2, names};
	struct items w = {.count = 0};
	PyObject *values[2], *result = NULL;
	int64_t timeout;
	if (args_take(&signature, args, count, kwnames, values) != 0 || args_seconds(values[1], "timeout", &timeout) != 0)
		return NULL;
	/* A list of our own, whose items stay where they are. */
	w.list = PySequence_List(values[0]);
	if (w.list == NULL)
		return NULL;
	Py_ssize_t length = PyList_Size(w.list);
	if (length < 1 || length > MOST) {
		PyErr_Format(PyExc_ValueError, "%zd channels to wait for; 1 to %d are possible", length, MOST);
		length = 0;
	}
	struct waiting waiting = {.timeout_ns = timeout};
	int ready = -1, err = 0;
	bool more = length > 0 && enter_all(&w, length, PyModule_GetState(self)) == 0;
	while (more) {
		Py_BEGIN_ALLOW_THREADS ready = slip_wait_any(w.items, (size_t)w.count, args_slice(&waiting));
		err = errno;
		more = ready < 0 && args_has_more(&waiting, err);
		if (!more)
			leave_all(&w);
		Py_END_ALLOW_THREADS if (more && PyErr_CheckSignals() != 0)
		{
			leave_all(&w);
			break;
		}
	}
	if (ready > 0)
		result = ready_items(&w);
	else if (!PyErr_Occurred())
		result = err == ETIMEDOUT ? PyList_New(0) : errors_raise_as(err, slip_error_detail());
	Py_DECREF(w.list);
	return result;
}

const char wait_any_doc[] = "wait_any($module, /, items, timeout=None)\n--\n\n"
			    "Wait until at least one of several (Reader, channel name) pairs has a newer frame; returns those that do, [] "
			    "after timeout seconds.\n\n"
			    "1 to 128 pairs. A channel that does not exist, that was closed, or whose writer died is just not ready. "
			    "RuntimeError where another thread\n"
			    "is in one of the readers.";
