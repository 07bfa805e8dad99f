/*
 * reader.c - the Reader: opening, entering, closing, and its questions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reader.h"

#include "args.h"
#include "dtype.h"
#include "errors.h"

#include <errno.h>

static struct reader *reader_of(PyObject *self)
{
	return (struct reader *)self;
}

/* ---- entering ---- */

static int fail_closed(void)
{
	PyErr_SetString(PyExc_ValueError, "the reader is closed");
	return -1;
}

int reader_enter(struct reader *reader)
{
	if (atomic_load_explicit(&reader->closed, memory_order_relaxed))
		return fail_closed();
	if (errors_check_fork(reader->forks, "reader") != 0)
		return -1;
	if (atomic_exchange_explicit(&reader->busy, true, memory_order_acquire)) {
		PyErr_SetString(PyExc_RuntimeError, "the reader is in use by another thread; open one reader per thread");
		return -1;
	}
	if (reader->handle != NULL)
		return 0;
	reader_leave(reader);
	return fail_closed();
}

void reader_leave(struct reader *reader)
{
	atomic_store_explicit(&reader->busy, false, memory_order_release);
}

bool reader_goes_on(struct reader *reader)
{
	if (PyErr_CheckSignals() == 0)
		return true;
	reader_leave(reader);
	return false;
}

/* ---- opening and closing ---- */

static PyObject *reader_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
	struct state *state = state_of_type(type);
	PyObject *self = PyType_GenericAlloc(type, 0);
	if (self == NULL)
		return NULL;
	reader_of(self)->state = state;
	reader_of(self)->forks = errors_forks();
	return self;
}

/* Once only, as the one that is in the reader. */
static int open_handle(struct reader *r, PyObject *base, const char *text, const slip_reader_options *options)
{
	bool entered = !atomic_exchange_explicit(&r->busy, true, memory_order_acquire);
	if (!entered || r->base != NULL) {
		if (entered)
			reader_leave(r);
		PyErr_SetString(PyExc_RuntimeError, "this reader was opened already");
		return -1;
	}
	Py_INCREF(base);
	r->base = base;
	r->options = *options;
	r->handle = slip_reader_open(text, options);
	if (r->handle == NULL)
		errors_raise();
	bool opened = r->handle != NULL;
	reader_leave(r);
	return opened ? 0 : -1;
}

/* Not given: 0. Without a limit: the longest. */
static int take_duration(PyObject *value, const char *what, int64_t *ns)
{
	if (value == NULL)
		return 0;
	if (args_seconds(value, what, ns) != 0)
		return -1;
	if (*ns == SLIP_FOREVER)
		*ns = INT64_MAX;
	return 0;
}

static int reader_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"base", "mode", "spin", "observer", "outwait_dead_writer", "stamps", "prefault", "lock_timeout", NULL};
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	PyObject *base, *mode = NULL, *spin = NULL, *limit = NULL;
	int observer = 0, outwait = 0, stamps = 1, prefault = 0;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOppppO:Reader", names, &base, &mode, &spin, &observer, &outwait, &stamps,
					 &prefault, &limit))
		return -1;
	const char *text = args_text(base, "base");
	if (text == NULL || args_mode(mode, &o.mode) != 0 || take_duration(spin, "spin", &o.spin_ns) != 0 ||
	    take_duration(limit, "lock_timeout", &o.lock_timeout_ns) != 0)
		return -1;
	o.observer = (uint8_t)observer;
	o.outwait_dead_writer = (uint8_t)outwait;
	o.no_stamps = !stamps;
	o.prefault = (uint8_t)prefault;
	return open_handle(reader_of(self), base, text, &o);
}

static PyObject *reader_twin(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct reader *r = reader_of(self);
	if (reader_enter(r) != 0)
		return NULL;
	reader_leave(r);
	PyTypeObject *type = r->state->reader;
	PyObject *twin = reader_new(type, NULL, NULL);
	const char *text = twin != NULL ? args_text(r->base, "base") : NULL;
	if (text != NULL && open_handle(reader_of(twin), r->base, text, &r->options) == 0)
		return twin;
	Py_XDECREF(twin);
	return NULL;
}

static PyObject *reader_close(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct reader *r = reader_of(self);
	if (r->forks != errors_forks()) {
		/* The handle's memory goes with the object, after all of its frames. */
		atomic_store(&r->closed, true);
		Py_RETURN_NONE;
	}
	if (atomic_load(&r->closed))
		Py_RETURN_NONE;
	if (reader_enter(r) != 0) {
		/* Not opened, or closed by another thread just now: that is what was wanted. */
		if (!PyErr_ExceptionMatches(PyExc_ValueError))
			return NULL;
		PyErr_Clear();
		Py_RETURN_NONE;
	}
	slip_reader *handle = r->handle;
	r->handle = NULL;
	atomic_store(&r->closed, true);
	reader_leave(r);
	Py_BEGIN_ALLOW_THREADS slip_reader_close(handle);
	Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyObject *reader_enter_block(PyObject *self, PyObject *Py_UNUSED(none))
{
	if (reader_enter(reader_of(self)) != 0)
		return NULL;
	reader_leave(reader_of(self));
	Py_INCREF(self);
	return self;
}

static PyObject *reader_exit_block(PyObject *self, PyObject *Py_UNUSED(args))
{
	return reader_close(self, NULL);
}

/* ---- fields ---- */

static PyObject *get_base(PyObject *self, void *Py_UNUSED(closure))
{
	PyObject *base = reader_of(self)->base != NULL ? reader_of(self)->base : Py_None;
	Py_INCREF(base);
	return base;
}

static bool is_closed(struct reader *r)
{
	return atomic_load(&r->closed) || r->base == NULL;
}

static PyObject *get_closed(PyObject *self, void *Py_UNUSED(closure))
{
	return PyBool_FromLong(is_closed(reader_of(self)));
}

static PyObject *reader_repr(PyObject *self)
{
	PyObject *base = get_base(self, NULL);
	PyObject *repr = PyUnicode_FromFormat("<slipring.Reader %R%s>", base, is_closed(reader_of(self)) ? " closed" : "");
	Py_DECREF(base);
	return repr;
}

static PyObject *reader_reduce(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(none))
{
	PyErr_SetString(PyExc_TypeError, "a Reader cannot be pickled or copied: open one by its base name in the process that reads");
	return NULL;
}

/* ---- the type ---- */

static int reader_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(reader_of(self)->base);
	return 0;
}

static void reader_dealloc(PyObject *self)
{
	struct reader *r = reader_of(self);
	PyObject_GC_UnTrack(self);
	if (r->weakrefs != NULL)
		PyObject_ClearWeakRefs(self);
	/* In a forked child too: it frees memory, and no frame is left that points there. */
	slip_reader_close(r->handle);
	Py_XDECREF(r->base);
	object_free(self);
}

#define GET_DOC(what)                                                                                                                      \
	"The latest " what ", or None where there is no channel or frame, the writer closed it, or its lock is taken.\n\n"                 \
	"copy=True: an array of your own. copy=False: a view of shared memory, read-only, that holds its frame as long as it or a slice "  \
	"of it\n"                                                                                                                          \
	"lives; one reader may hold leases_per_reader frames."

static PyMethodDef reader_methods[] = {
	FAST("latest", reader_latest,
	     "latest($self, /, name='image')\n--\n\n"
	     "The latest Frame, without a copy, or None where there is no channel or frame, or the writer closed it and this reader had "
	     "its last.\n\n"
	     "The same again where nothing newer is there. Never waits. OSError(EMFILE) while leases_per_reader frames are held, "
	     "OSError(EUSERS)\n"
	     "while max_readers are attached."),
	FAST("next", reader_next,
	     "next($self, /, name='image', timeout=None)\n--\n\n"
	     "The next Frame in order that this reader has not had; Frame.missed says how many were skipped because it was too slow.\n\n"
	     "Begins with the newest one at the time of the first call. Waits timeout seconds; None: without limit, 0: not at all. "
	     "TimeoutError;\n"
	     "BrokenPipeError when the writer closed the channel; OSError(EOWNERDEAD) when it died; OSError(ENOTSUP) in semaphore mode. "
	     "The reader\n"
	     "goes on after each of them."),
	FAST("get_image", reader_get_image, "get_image($self, /, copy=True)\n--\n\n" GET_DOC("image")),
	FAST("get_depth", reader_get_depth, "get_depth($self, /, copy=True)\n--\n\n" GET_DOC("depth map")),
	FAST("get_pointcloud", reader_get_pointcloud, "get_pointcloud($self, /, copy=True)\n--\n\n" GET_DOC("point cloud")),
	FAST("get_mask", reader_get_mask, "get_mask($self, /, copy=True)\n--\n\n" GET_DOC("mask")),
	FAST("get_array", reader_get_array, "get_array($self, /, name, copy=True)\n--\n\n" GET_DOC("array of a channel")),
	FAST("get_shape", reader_get_shape,
	     "get_shape($self, /, name)\n--\n\nThe shape of the latest frame, or None as for get_array. Takes no lease."),
	FAST("get_dtype", reader_get_dtype,
	     "get_dtype($self, /, name)\n--\n\nThe numpy.dtype of the latest frame, or None as for get_array. Takes no lease."),
	FAST("get_ndim", reader_get_ndim,
	     "get_ndim($self, /, name)\n--\n\nThe dimensions of the latest frame, or None as for get_array. Takes no lease."),
	FAST("wait_for_array", reader_wait_for_array,
	     "wait_for_array($self, /, name, timeout=None)\n--\n\nWait until a channel exists and has a frame: True; False after timeout "
	     "seconds."),
	FAST("wait", reader_wait,
	     "wait($self, /, name='image', timeout=None)\n--\n\n"
	     "Wait until there is a frame newer than the last one that this reader had: True; False after timeout seconds.\n\n"
	     "BrokenPipeError when the writer closed the channel, OSError(EOWNERDEAD) when it died."),
	FAST("writer_alive", reader_writer_alive,
	     "writer_alive($self, /, name)\n--\n\nWhether a live writer holds the channel. FileNotFoundError where there is none. Makes "
	     "system calls."),
	FAST("stats", reader_stats, "stats($self, /, name)\n--\n\nWhat this reader has seen on a channel, as ReaderStats."),
	{"close", reader_close, METH_NOARGS,
	 "close($self, /)\n--\n\nDetach. Frames that are held stay valid. Twice is no error; RuntimeError while another thread is in the "
	 "reader."},
	{"_twin", reader_twin, METH_NOARGS, "_twin($self, /)\n--\n\nAnother reader of the same base with the same options."},
	{"__enter__", reader_enter_block, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
	{"__exit__", reader_exit_block, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nCloses."},
	{"__reduce__", reader_reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nTypeError: readers are not pickled."},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef reader_getset[] = {
	{"base", get_base, NULL, "str: the base name.", NULL},
	{"closed", get_closed, NULL, "bool: close() was called.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef reader_members[] = {
	WEAKREF_MEMBER(struct reader),
	{NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(
	reader_doc,
	"Reader(base, *, mode=None, spin=0.0, observer=False, outwait_dead_writer=False, stamps=True, prefault=False, "
	"lock_timeout=0.0)\n--\n\n"
	"Receives the frames of a base name. No writer needs to exist yet; the reader outlives restarts and changes of shape.\n"
	"\n"
	"mode: 'lock-free', 'semaphore', or None for what is there, lock-free first. spin: seconds to busy-wait before sleeping in a "
	"wait.\n"
	"observer: map everything read-only and mark nothing; frames are private copies then, and waiting polls. outwait_dead_writer: "
	"waits go\n"
	"on when the writer has died. stamps=False: no clock is read per frame. prefault: touch every page when attaching. lock_timeout:\n"
	"seconds that a get of semaphore mode waits for the lock, 0 tries once, None is no limit.\n"
	"\n"
	"Threads: one at a time; another one that comes meanwhile gets RuntimeError. Frames belong to any thread, and stay valid after "
	"close().\n"
	"Fork: ChildProcessError in the child.");

static PyType_Slot reader_slots[] = {
	{Py_tp_doc, (void *)reader_doc},   {Py_tp_new, reader_new},
	{Py_tp_init, reader_init},	   {Py_tp_dealloc, reader_dealloc},
	{Py_tp_traverse, reader_traverse}, {Py_tp_repr, reader_repr},
	{Py_tp_methods, reader_methods},   {Py_tp_members, reader_members},
	{Py_tp_getset, reader_getset},	   {0, NULL},
};

PyType_Spec reader_spec = {
	.name = "slipring._core.Reader",
	.basicsize = sizeof(struct reader),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.slots = reader_slots,
};
