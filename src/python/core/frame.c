/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "args.h"
#include "dlpack.h"
#include "dtype.h"
#include "errors.h"

#include <string.h>

/* Of frame.holds: the object's own, beside one for each export. */
#define OWN UINT32_C(0x80000000)

struct frame {
	PyObject_HEAD struct state *state;
	PyObject *reader;
	PyObject *weakrefs;
	PyObject *array; /* weak reference */
	slip_frame *lease;
	_Atomic(uint32_t) holds;
	unsigned forks;
	slip_frame view; /* what it said when it was got; data and metadata are valid while holds is not 0 */
	struct layout layout;
};

static struct frame *frame_of(PyObject *self)
{
	return (struct frame *)self;
}

PyObject *frame_make(struct state *state, PyObject *reader, slip_frame *lease, unsigned forks)
{
	PyObject *self = PyType_GenericAlloc(state->frame, 0);
	if (self == NULL) {
		(void)slip_release(lease);
		return NULL;
	}
	struct frame *f = frame_of(self);
	f->state = state;
	Py_INCREF(reader);
	f->reader = reader;
	f->lease = lease;
	f->forks = forks;
	f->view = *lease;
	layout_of(lease, &f->layout);
	atomic_store_explicit(&f->holds, OWN, memory_order_relaxed);
	return self;
}

/* ---- holding ---- */

static void give_back(struct frame *f)
{
	/* In a child the lease is the parent's. */
	if (f->forks == errors_forks())
		(void)slip_release(f->lease);
}

static bool is_released(struct frame *f)
{
	return atomic_load_explicit(&f->holds, memory_order_acquire) == 0;
}

/* One more who holds the lease; ends with drop(). */
static int hold(struct frame *f)
{
	if (errors_check_fork(f->forks, "frame") != 0)
		return -1;
	uint32_t holds = atomic_load_explicit(&f->holds, memory_order_relaxed);
	do
		if (holds == 0) {
			PyErr_SetString(PyExc_ValueError, "the frame was released");
			return -1;
		}
	while (!atomic_compare_exchange_weak_explicit(&f->holds, &holds, holds + 1, memory_order_acquire, memory_order_relaxed));
	return 0;
}

static void drop(struct frame *f)
{
	if (atomic_fetch_sub_explicit(&f->holds, 1, memory_order_acq_rel) == 1)
		give_back(f);
}

/* Gives up the object's own hold: the lease ends now, or with the last export. */
static void leave(struct frame *f)
{
	if (atomic_fetch_and_explicit(&f->holds, ~OWN, memory_order_acq_rel) == OWN)
		give_back(f);
}

static PyObject *frame_release(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct frame *f = frame_of(self);
	uint32_t holds = OWN;
	if (atomic_compare_exchange_strong_explicit(&f->holds, &holds, 0, memory_order_acq_rel, memory_order_acquire)) {
		give_back(f);
	} else if (holds != 0) {
		PyErr_Format(PyExc_BufferError, "%u views of the frame's memory are in use; the lease ends with the last one",
			     (unsigned)(holds & ~OWN));
		return NULL;
	}
	Py_RETURN_NONE;
}

static PyObject *frame_enter(PyObject *self, PyObject *Py_UNUSED(none))
{
	Py_INCREF(self);
	return self;
}

static PyObject *frame_exit(PyObject *self, PyObject *Py_UNUSED(args))
{
	leave(frame_of(self));
	Py_RETURN_NONE;
}

/* ---- memory ---- */

static int frame_export(PyObject *self, Py_buffer *view, int flags, bool bits)
{
	struct frame *f = frame_of(self);
	view->obj = NULL;
	if (hold(f) != 0)
		return -1;
	bool readonly = (f->view.flags & SLIP_FRAME_PRIVATE) == 0;
	if (layout_export(&f->layout, self, f->view.data, readonly, bits, view, flags) == 0)
		return 0;
	drop(f);
	return -1;
}

static int frame_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
	return frame_export(self, view, flags, false);
}

static void frame_releasebuffer(PyObject *self, Py_buffer *Py_UNUSED(view))
{
	drop(frame_of(self));
}

static struct source source_of(PyObject *self)
{
	return (struct source){.owner = self, .frame = &frame_of(self)->view, .layout = &frame_of(self)->layout, .export = frame_export};
}

PyObject *frame_array(PyObject *self)
{
	struct frame *f = frame_of(self);
	const struct source source = source_of(self);
	PyObject *array;
	SECTION_BEGIN(self);
	array = layout_cached_array(f->state, &source, &f->array);
	SECTION_END;
	return array;
}

static PyObject *get_array(PyObject *self, void *Py_UNUSED(closure))
{
	return frame_array(self);
}

static PyObject *frame_as_array(FAST_ARGS)
{
	PyObject *array = frame_array(self);
	PyObject *converted = array != NULL ? layout_convert(frame_of(self)->state, array, args, count, kwnames) : NULL;
	Py_XDECREF(array);
	return converted;
}

static PyObject *frame_dlpack(FAST_ARGS)
{
	const struct source source = source_of(self);
	return dlpack_export(&source, args, count, kwnames);
}

static PyObject *get_metadata(PyObject *self, void *Py_UNUSED(closure))
{
	struct frame *f = frame_of(self);
	if (hold(f) != 0)
		return NULL;
	PyObject *metadata = PyBytes_FromStringAndSize(f->view.metadata, (Py_ssize_t)f->view.metadata_size);
	drop(f);
	return metadata;
}

/* ---- fields ---- */

/* closure is a field's place in slip_frame. */
static const void *field(PyObject *self, void *closure)
{
	return (const char *)&frame_of(self)->view + (size_t)closure;
}

static PyObject *get_unsigned(PyObject *self, void *closure)
{
	return PyLong_FromUnsignedLongLong(*(const uint64_t *)field(self, closure));
}

static PyObject *get_signed(PyObject *self, void *closure)
{
	return PyLong_FromLongLong(*(const int64_t *)field(self, closure));
}

static PyObject *get_text(PyObject *self, void *closure)
{
	/* Another process wrote it. */
	const char *text = field(self, closure);
	return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static PyObject *get_timestamp(PyObject *self, void *Py_UNUSED(closure))
{
	return args_timestamp_from(frame_of(self)->view.capture_realtime_ns);
}

static PyObject *get_shape(PyObject *self, void *Py_UNUSED(closure))
{
	return layout_shape(&frame_of(self)->layout);
}

static PyObject *get_strides(PyObject *self, void *Py_UNUSED(closure))
{
	return layout_strides(&frame_of(self)->layout);
}

static PyObject *get_dtype(PyObject *self, void *Py_UNUSED(closure))
{
	return dtype_to_numpy(frame_of(self)->state, frame_of(self)->layout.dtype);
}

static PyObject *get_ndim(PyObject *self, void *Py_UNUSED(closure))
{
	return PyLong_FromLong(frame_of(self)->layout.ndim);
}

static PyObject *get_size(PyObject *self, void *Py_UNUSED(closure))
{
	const struct layout *layout = &frame_of(self)->layout;
	return PyLong_FromSsize_t(layout->bytes / layout->itemsize);
}

static PyObject *get_nbytes(PyObject *self, void *Py_UNUSED(closure))
{
	return PyLong_FromSsize_t(frame_of(self)->layout.bytes);
}

static PyObject *get_private(PyObject *self, void *Py_UNUSED(closure))
{
	return PyBool_FromLong((frame_of(self)->view.flags & SLIP_FRAME_PRIVATE) != 0);
}

static PyObject *get_released(PyObject *self, void *Py_UNUSED(closure))
{
	return PyBool_FromLong(is_released(frame_of(self)));
}

static Py_ssize_t frame_length(PyObject *self)
{
	const struct layout *layout = &frame_of(self)->layout;
	if (layout->ndim > 0)
		return layout->shape[0];
	PyErr_SetString(PyExc_TypeError, "a frame of no dimensions has no len()");
	return -1;
}

static PyObject *frame_repr(PyObject *self)
{
	struct frame *f = frame_of(self);
	PyObject *shape = layout_shape(&f->layout);
	if (shape == NULL)
		return NULL;
	PyObject *repr = PyUnicode_FromFormat("<slipring.Frame seq=%llu %s %R%s%s%s>", (unsigned long long)f->view.seq,
					      dtype_name(dtype_index(f->layout.dtype)), shape, f->view.encoding[0] != '\0' ? " " : "",
					      f->view.encoding, is_released(f) ? " released" : "");
	Py_DECREF(shape);
	return repr;
}

static PyObject *frame_reduce(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(none))
{
	PyErr_SetString(PyExc_TypeError, "a Frame cannot be pickled or copied, it is a hold on shared memory: "
					 "take frame.array.copy(), or open a Reader where the frame is wanted");
	return NULL;
}

/* ---- the type ---- */

static int frame_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(frame_of(self)->reader);
	return 0;
}

static void frame_dealloc(PyObject *self)
{
	struct frame *f = frame_of(self);
	PyObject_GC_UnTrack(self);
	if (f->weakrefs != NULL)
		PyObject_ClearWeakRefs(self);
	leave(f);
	Py_XDECREF(f->array);
	Py_XDECREF(f->reader);
	object_free(self);
}

#define PLACE(field) ((void *)offsetof(slip_frame, field))

static PyGetSetDef frame_getset[] = {
	{"array", get_array, NULL,
	 "numpy.ndarray: the elements, without a copy. Read-only, unless private. Holds the lease, as do its slices and views.", NULL},
	{"seq", get_unsigned, NULL, "int: the frame's number, from 1 within an epoch, without gaps.", PLACE(seq)},
	{"epoch", get_unsigned, NULL, "int: which life of the channel seq counts in.", PLACE(epoch)},
	{"missed", get_unsigned, NULL, "int: frames published between the one this reader had before and this one.", PLACE(missed)},
	{"timestamp", get_timestamp, NULL, "float: when it was captured, in seconds of CLOCK_REALTIME; 0.0 where that is not known.", NULL},
	{"capture_ns", get_signed, NULL, "int: when it was captured, in ns of CLOCK_MONOTONIC; 0 where that is not known.",
	 PLACE(capture_ns)},
	{"publish_ns", get_signed, NULL, "int: when it was published, in ns of CLOCK_MONOTONIC; 0 where the writer sets no stamps.",
	 PLACE(publish_ns)},
	{"capture_realtime_ns", get_signed, NULL, "int: when it was captured, in ns of CLOCK_REALTIME.", PLACE(capture_realtime_ns)},
	{"encoding", get_text, NULL, "str: ROS image encoding name, or ''.", PLACE(encoding)},
	{"frame_id", get_text, NULL, "str: coordinate frame or sensor, or ''.", PLACE(frame_id)},
	{"metadata", get_metadata, NULL, "bytes: what the writer sent along, at most 256 bytes.", NULL},
	{"shape", get_shape, NULL, "tuple[int, ...]: elements along each dimension.", NULL},
	{"strides", get_strides, NULL, "tuple[int, ...]: bytes from one element to the next along each dimension.", NULL},
	{"dtype", get_dtype, NULL, "numpy.dtype: the type of an element.", NULL},
	{"ndim", get_ndim, NULL, "int: dimensions.", NULL},
	{"size", get_size, NULL, "int: elements.", NULL},
	{"nbytes", get_nbytes, NULL, "int: bytes of all elements, without the padding of rows.", NULL},
	{"private", get_private, NULL, "bool: a copy of this process's own, and writable (observers and semaphore mode).", NULL},
	{"released", get_released, NULL, "bool: the lease has ended, and with it access to the memory.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef frame_methods[] = {
	{"release", frame_release, METH_NOARGS,
	 "release($self, /)\n--\n\nGive the frame back now. Twice is no error; BufferError while a view of its memory is in use. Any "
	 "thread."},
	{"__enter__", frame_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
	{"__exit__", frame_exit, METH_VARARGS,
	 "__exit__($self, /, *args)\n--\n\nGive the frame back: now, or where views of its memory are in use with the last of them."},
	FAST("__array__", frame_as_array,
	     "__array__($self, /, dtype=None, copy=None)\n--\n\nnumpy's protocol. copy=False: ValueError where dtype asks for one."),
	FAST("__dlpack__", frame_dlpack,
	     "__dlpack__($self, /, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\n"
	     "DLPack's protocol. A consumer of version 1 gets the memory itself, marked read-only unless private; an older one, which "
	     "cannot be told\n"
	     "so, a copy. BufferError for a device other than the CPU, a stream, or a copy that copy=False forbids."),
	{"__dlpack_device__", dlpack_device, METH_NOARGS, "__dlpack_device__($self, /)\n--\n\nThe CPU: (1, 0)."},
	{"__reduce__", frame_reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nTypeError: frames are not pickled."},
	{NULL, NULL, 0, NULL},
};

static PyMemberDef frame_members[] = {
	WEAKREF_MEMBER(struct frame),
	{NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(
	frame_doc,
	"A frame that a reader holds, without a copy. Its memory does not change until it is given back: by release(), at the end of a\n"
	"with block, or when the object and all views of its memory are gone. While a reader holds as many frames as the writer's\n"
	"leases_per_reader allows, the next one fails with OSError(EMFILE).\n"
	"\n"
	"np.asarray(frame), memoryview(frame) and torch.from_dlpack(frame) give the same memory as .array. Everything but memory stays\n"
	"readable after release; memory then is ValueError. Frames outlive their reader's close(). Any thread.");

static PyType_Slot frame_slots[] = {
	{Py_tp_doc, (void *)frame_doc},
	{Py_tp_new, object_refuse_new},
	{Py_tp_dealloc, frame_dealloc},
	{Py_tp_traverse, frame_traverse},
	{Py_tp_repr, frame_repr},
	{Py_tp_methods, frame_methods},
	{Py_tp_members, frame_members},
	{Py_tp_getset, frame_getset},
	{Py_sq_length, frame_length},
	{Py_bf_getbuffer, frame_getbuffer},
	{Py_bf_releasebuffer, frame_releasebuffer},
	{0, NULL},
};

PyType_Spec frame_spec = {
	.name = "slipring.Frame",
	.basicsize = sizeof(struct frame),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.slots = frame_slots,
};
