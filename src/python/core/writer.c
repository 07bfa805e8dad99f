/*
 * writer.c - the Writer: its lock, opening, closing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "writer.h"

#include "args.h"
#include "errors.h"
#include "loan.h"

static struct writer *writer_of(PyObject *self)
{
	return (struct writer *)self;
}

/* ---- under the lock ---- */

int writer_run(struct writer *writer, writer_call call, void *arg, bool patient)
{
	int outcome;
	if (!patient && pthread_mutex_trylock(&writer->lock) == 0) {
		outcome = call(writer, arg);
		pthread_mutex_unlock(&writer->lock);
		return outcome;
	}
	Py_BEGIN_ALLOW_THREADS pthread_mutex_lock(&writer->lock);
	outcome = call(writer, arg);
	pthread_mutex_unlock(&writer->lock);
	Py_END_ALLOW_THREADS return outcome;
}

bool writer_is_open(const struct writer *writer)
{
	return writer->handle != NULL && !writer->closed;
}

static int call_close(struct writer *writer, void *Py_UNUSED(arg))
{
	writer->closed = true;
	loan_give_up_viewed(writer);
	slip_writer_close(writer->handle);
	writer->handle = NULL;
	return 0;
}

static int call_is_open(struct writer *writer, void *Py_UNUSED(arg))
{
	return writer_is_open(writer) ? 0 : OUTCOME_CLOSED;
}

PyObject *writer_raise(int outcome)
{
	if (outcome == OUTCOME_CLOSED)
		PyErr_SetString(PyExc_ValueError, "the writer is closed");
	else if (outcome == OUTCOME_NOT_OUT)
		PyErr_SetString(PyExc_ValueError, "the loan has ended: it was published or discarded");
	else
		return errors_raise_as(outcome, slip_error_detail());
	return NULL;
}

int writer_check(struct writer *writer)
{
	/* After a fork the lock may be held by a thread that is not there. */
	if (writer->forks == errors_forks())
		return 0;
	if (writer->closed) {
		writer_raise(OUTCOME_CLOSED);
		return -1;
	}
	return errors_check_fork(writer->forks, "writer");
}

/* ---- opening and closing ---- */

static int take_limit(PyObject *value, int64_t *ns)
{
	if (args_seconds(value, "lock_timeout", ns) != 0)
		return -1;
	/* The library's 0 is its default; a nanosecond tries once as well. */
	if (*ns == 0)
		*ns = 1;
	return 0;
}

static PyObject *writer_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
	struct state *state = state_of_type(type);
	PyObject *self = PyType_GenericAlloc(type, 0);
	if (self == NULL)
		return NULL;
	struct writer *w = writer_of(self);
	w->state = state;
	w->forks = errors_forks();
	(void)pthread_mutex_init(&w->lock, NULL);
	return self;
}

/* The base's name is set once; it tells a writer that was opened from one that was not. */
static int set_base(struct writer *w, PyObject *base)
{
	bool first;
	SECTION_BEGIN(w);
	first = w->base == NULL;
	if (first) {
		Py_INCREF(base);
		w->base = base;
	}
	SECTION_END;
	if (!first)
		PyErr_SetString(PyExc_RuntimeError, "this writer was opened already");
	return first ? 0 : -1;
}

static int writer_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"base",	       "mode",	   "slots",	   "max_readers", "leases_per_reader", "max_loans",
				"history",     "capacity", "permissions",  "observers",	  "huge_pages",	       "prefault",
				"lock_memory", "stamps",   "lock_timeout", NULL};
	struct writer *w = writer_of(self);
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	PyObject *base, *mode = NULL, *limit = NULL;
	int huge_pages = 0, prefault = 0, lock_memory = 0, stamps = 1;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OO&O&O&O&O&O&O&O&ppppO:Writer", names, &base, &mode, args_u32, &o.slots,
					 args_u32, &o.max_readers, args_u32, &o.leases_per_reader, args_u32, &o.max_loans, args_u32,
					 &o.history, args_size, &o.capacity, args_u32, &o.permissions, args_u32, &o.observers, &huge_pages,
					 &prefault, &lock_memory, &stamps, &limit))
		return -1;
	const char *text = args_text(base, "base");
	if (text == NULL || args_mode(mode, &o.mode) != 0 || (limit != NULL && take_limit(limit, &o.lock_timeout_ns) != 0))
		return -1;
	o.huge_pages = (uint8_t)huge_pages;
	o.prefault = (uint8_t)prefault;
	o.lock_memory = (uint8_t)lock_memory;
	o.no_stamps = !stamps;
	if (set_base(w, base) != 0)
		return -1;
	w->mode = o.mode == SLIP_MODE_DEFAULT ? SLIP_MODE_LOCK_FREE : o.mode;
	w->handle = slip_writer_open(text, &o);
	if (w->handle != NULL)
		return 0;
	errors_raise();
	return -1;
}

static PyObject *writer_close(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct writer *w = writer_of(self);
	if (w->forks != errors_forks())
		w->closed = true; /* the handle's memory goes with the object, after all of its loans */
	else
		(void)writer_run(w, call_close, NULL, true);
	Py_RETURN_NONE;
}

static PyObject *writer_enter(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct writer *w = writer_of(self);
	if (writer_check(w) != 0)
		return NULL;
	int outcome = writer_run(w, call_is_open, NULL, false);
	if (outcome != 0)
		return writer_raise(outcome);
	Py_INCREF(self);
	return self;
}

static PyObject *writer_exit(PyObject *self, PyObject *Py_UNUSED(args))
{
	return writer_close(self, NULL);
}

/* ---- fields ---- */

static PyObject *get_base(PyObject *self, void *Py_UNUSED(closure))
{
	PyObject *base = writer_of(self)->base != NULL ? writer_of(self)->base : Py_None;
	Py_INCREF(base);
	return base;
}

static PyObject *get_mode(PyObject *self, void *Py_UNUSED(closure))
{
	return PyUnicode_FromString(args_mode_name(writer_of(self)->mode));
}

static PyObject *get_closed(PyObject *self, void *Py_UNUSED(closure))
{
	struct writer *w = writer_of(self);
	bool closed = w->forks != errors_forks() ? w->closed : writer_run(w, call_is_open, NULL, false) != 0;
	return PyBool_FromLong(closed);
}

static PyObject *writer_repr(PyObject *self)
{
	PyObject *base = get_base(self, NULL);
	PyObject *closed = get_closed(self, NULL);
	PyObject *repr = PyUnicode_FromFormat("<slipring.Writer %R %s%s>", base, args_mode_name(writer_of(self)->mode),
					      closed == Py_True ? " closed" : "");
	Py_DECREF(closed);
	Py_DECREF(base);
	return repr;
}

static PyObject *writer_reduce(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(none))
{
	PyErr_SetString(PyExc_TypeError, "a Writer cannot be pickled or copied: open one by its base name in the process that publishes");
	return NULL;
}

/* ---- the type ---- */

static int writer_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(writer_of(self)->base);
	return 0;
}

static void writer_dealloc(PyObject *self)
{
	struct writer *w = writer_of(self);
	PyObject_GC_UnTrack(self);
	if (w->weakrefs != NULL)
		PyObject_ClearWeakRefs(self);
	/* In a forked child too: it frees memory, and no loan is left that points there. */
	slip_writer_close(w->handle);
	if (w->forks == errors_forks())
		pthread_mutex_destroy(&w->lock);
	Py_XDECREF(w->base);
	object_free(self);
}

static PyGetSetDef writer_getset[] = {
	{"base", get_base, NULL, "str: the base name.", NULL},
	{"mode", get_mode, NULL, "str: 'lock-free' or 'semaphore'.", NULL},
	{"closed", get_closed, NULL, "bool: close() was called.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

#define DESCRIPTION_SIGNATURE "timestamp=None, *, encoding='', frame_id='', metadata=b'')\n--\n\n"
#define DESCRIPTION_DOC                                                                                                                    \
	"\n\ntimestamp: when it was captured, in seconds of CLOCK_REALTIME; None is now. encoding: ROS image encoding name, at most 15 "   \
	"bytes.\n"                                                                                                                         \
	"frame_id: at most 63 bytes. metadata: at most 256 bytes of your own. The array may be anything that exports a buffer or that "    \
	"numpy\n"                                                                                                                          \
	"makes an array of; it is not kept. Never waits for readers: BlockingIOError when every slot is held, nothing is lost then."

static PyMethodDef writer_methods[] = {
	FAST("set_image", writer_set_image,
	     "set_image($self, /, image, " DESCRIPTION_SIGNATURE
	     "Publish a copy of an image, (height, width) or (height, width, channels), on the channel 'image'." DESCRIPTION_DOC),
	FAST("set_depth", writer_set_depth,
	     "set_depth($self, /, depth, " DESCRIPTION_SIGNATURE
	     "Publish a copy of a depth map, (height, width) or (height, width, 1), on the channel 'depth'." DESCRIPTION_DOC),
	FAST("set_pointcloud", writer_set_pointcloud,
	     "set_pointcloud($self, /, pointcloud, " DESCRIPTION_SIGNATURE
	     "Publish a copy of a point cloud, (points, fields) or (rows, columns, fields) of at least 3 fields, on "
	     "'pointcloud'." DESCRIPTION_DOC),
	FAST("set_mask", writer_set_mask,
	     "set_mask($self, /, mask, " DESCRIPTION_SIGNATURE
	     "Publish a copy of a mask, (height, width) or (height, width, channels), on the channel 'mask'." DESCRIPTION_DOC),
	FAST("set_array", writer_set_array,
	     "set_array($self, /, name, array, " DESCRIPTION_SIGNATURE
	     "Publish a copy of an array of any shape, up to 8 dimensions, on the channel of that name." DESCRIPTION_DOC),
	FAST("create", writer_create,
	     "create($self, /, name, shape, dtype)\n--\n\n"
	     "Make a channel ready ahead of its first frame, with slots for such arrays, or take it over from a dead writer.\n\n"
	     "OSError(EBUSY) while another writer lives, OSError(ENOSPC) where there is no room (nothing is left behind)."),
	FAST("loan", writer_loan,
	     "loan($self, /, name, shape, dtype, timestamp=None, *, strides=None, encoding='', frame_id='', metadata=b'')\n--\n\n"
	     "Lend a free slot, to be filled in place: `with writer.loan(...) as frame: frame.array[...] = ...` publishes at the end.\n\n"
	     "Its bytes are whatever the slot held before. strides: bytes, ascending towards the first dimension (a row pitch); None is\n"
	     "C-contiguous. The rest as for set_array. OSError(EMFILE) while max_loans are out, BlockingIOError when every slot is held."),
	FAST("readers_attached", writer_readers_attached,
	     "readers_attached($self, /, name)\n--\n\nReaders attached to a channel now; 0 where it is not made yet. Makes system calls: "
	     "not for every frame."),
	FAST("stats", writer_stats,
	     "stats($self, /, name)\n--\n\nWhat this writer has done on a channel, as WriterStats. FileNotFoundError where it is not made "
	     "yet."),
	{"close", writer_close, METH_NOARGS,
	 "close($self, /)\n--\n\nEnd every channel: readers may finish what was published. Loans that are out are discarded. Twice is no "
	 "error."},
	{"__enter__", writer_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
	{"__exit__", writer_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nCloses."},
	{"__reduce__", writer_reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nTypeError: writers are not pickled."},
	{NULL, NULL, 0, NULL},
};

static PyMemberDef writer_members[] = {
	WEAKREF_MEMBER(struct writer),
	{NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(
	writer_doc,
	"Writer(base, *, mode='lock-free', slots=0, max_readers=0, leases_per_reader=0, max_loans=0, history=0, capacity=0, permissions=0, "
	"observers=0, huge_pages=False, prefault=False, lock_memory=False, stamps=True, lock_timeout=1.0)\n--\n\n"
	"Publishes frames under a base name. Channels are made at their first frame; one writer per channel.\n"
	"\n"
	"base: 1 to 100 letters, digits, '_', '-', '.', ':' or '+'. mode: 'lock-free', or 'semaphore' for the wire format of PosixIPC "
	"Image\n"
	"Transport. 0 stands for the library's default: slots 8 (2 to 1024), max_readers 62, leases_per_reader 2, max_loans 4, "
	"permissions\n"
	"0o600; history, the newest frames to keep for Reader.next, and capacity, bytes of a slot, adapt themselves. A free slot is "
	"always\n"
	"found when slots >= leases held in all + loans out + 1.\n"
	"observers: read bits of permissions whose holders may only observe. huge_pages, prefault, lock_memory: for the memory of a ring.\n"
	"stamps=False: no clock is read per frame. lock_timeout: seconds that semaphore mode waits for its lock; None: no limit.\n"
	"\n"
	"Threads: any; they take turns. Fork: ChildProcessError in the child. Errors: ValueError, OSError(EBUSY) while another writer "
	"lives,\n"
	"OSError(ENOSPC), PermissionError.");

static PyType_Slot writer_slots[] = {
	{Py_tp_doc, (void *)writer_doc},   {Py_tp_new, writer_new},
	{Py_tp_init, writer_init},	   {Py_tp_dealloc, writer_dealloc},
	{Py_tp_traverse, writer_traverse}, {Py_tp_repr, writer_repr},
	{Py_tp_methods, writer_methods},   {Py_tp_members, writer_members},
	{Py_tp_getset, writer_getset},	   {0, NULL},
};

PyType_Spec writer_spec = {
	.name = "slipring.Writer",
	.basicsize = sizeof(struct writer),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.slots = writer_slots,
};
