/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

#include "args.h"
#include "dtype.h"

void layout_of(const slip_frame *frame, struct layout *layout)
{
	layout->dtype = (slip_dtype){.code = frame->dtype.code, .bits = frame->dtype.bits, .lanes = 1};
	layout->itemsize = frame->dtype.bits / 8;
	layout->ndim = frame->ndim;
	for (int i = 0; i < frame->ndim; i++) {
		layout->shape[i] = (Py_ssize_t)frame->shape[i];
		layout->strides[i] = (Py_ssize_t)frame->strides[i];
	}
	if (frame->dtype.lanes > 1) {
		layout->shape[layout->ndim] = frame->dtype.lanes;
		layout->strides[layout->ndim++] = layout->itemsize;
	}
	layout->bytes = layout->itemsize;
	for (int i = 0; i < layout->ndim; i++)
		layout->bytes *= layout->shape[i];
}

static PyObject *tuple_of(const Py_ssize_t *values, int count)
{
	PyObject *tuple = PyTuple_New(count);
	for (int i = 0; tuple != NULL && i < count; i++) {
		PyObject *value = PyLong_FromSsize_t(values[i]);
		if (value == NULL || PyTuple_SetItem(tuple, i, value) != 0) {
			Py_DECREF(tuple);
			return NULL;
		}
	}
	return tuple;
}

PyObject *layout_shape(const struct layout *layout)
{
	return tuple_of(layout->shape, layout->ndim);
}

PyObject *layout_strides(const struct layout *layout)
{
	return tuple_of(layout->strides, layout->ndim);
}

/* ---- the buffer protocol ---- */

static bool wants(int flags, int request)
{
	return (flags & request) == request;
}

/* Why a request cannot be met; NULL where it can. */
static const char *refusal(const Py_buffer *view, int flags, bool formatless)
{
	if (wants(flags, PyBUF_WRITABLE) && view->readonly)
		return "the frame is read-only";
	if (formatless && wants(flags, PyBUF_FORMAT))
		return "bfloat16 has no format in the buffer protocol: use .array, or DLPack";
	if (!PyBuffer_IsContiguous(view, 'C')) {
		if (!wants(flags, PyBUF_STRIDES) || wants(flags, PyBUF_C_CONTIGUOUS))
			return "the frame's rows are padded: it is not C-contiguous";
		if (wants(flags, PyBUF_ANY_CONTIGUOUS) && !PyBuffer_IsContiguous(view, 'F'))
			return "the frame's rows are padded: it is not contiguous";
	}
	if (wants(flags, PyBUF_F_CONTIGUOUS) && !PyBuffer_IsContiguous(view, 'F'))
		return "the frame is not Fortran-contiguous";
	return NULL;
}

int layout_export(const struct layout *layout, PyObject *owner, void *data, bool readonly, bool bits, Py_buffer *view, int flags)
{
	static const char nothing[1] = "";
	int index = dtype_index(layout->dtype);
	bool formatless = !dtype_has_format(index);
	view->obj = NULL;
	view->buf = data != NULL ? data : (void *)nothing; /* of an empty frame */
	view->len = layout->bytes;
	view->itemsize = layout->itemsize;
	view->readonly = readonly;
	view->ndim = layout->ndim;
	view->shape = (Py_ssize_t *)layout->shape;
	view->strides = (Py_ssize_t *)layout->strides;
	view->suboffsets = NULL;
	view->internal = NULL;
	view->format = NULL;
	const char *reason = refusal(view, flags, formatless && !bits);
	if (reason != NULL) {
		PyErr_SetString(PyExc_BufferError, reason);
		return -1;
	}
	if (wants(flags, PyBUF_FORMAT))
		view->format = (char *)(formatless ? "H" : dtype_format(index));
	if (!wants(flags, PyBUF_STRIDES))
		view->strides = NULL;
	if (!wants(flags, PyBUF_ND)) {
		view->shape = NULL;
		view->ndim = 1;
	}
	Py_INCREF(owner);
	view->obj = owner;
	return 0;
}

/* ---- bits: another exporter of the same memory ---- */

struct bits {
	PyObject_HEAD struct source source; /* owner is held */
};

static int bits_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
	const struct source *source = &((struct bits *)self)->source;
	/* The export names the owner, so that releasing it is the owner's business alone. */
	return source->export(source->owner, view, flags, true);
}

static int bits_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(((struct bits *)self)->source.owner);
	return 0;
}

static void bits_dealloc(PyObject *self)
{
	PyObject_GC_UnTrack(self);
	Py_XDECREF(((struct bits *)self)->source.owner);
	object_free(self);
}

static PyType_Slot bits_slots[] = {
	{Py_tp_new, object_refuse_new},
	{Py_bf_getbuffer, bits_getbuffer},
	{Py_tp_traverse, bits_traverse},
	{Py_tp_dealloc, bits_dealloc},
	{0, NULL},
};

PyType_Spec bits_spec = {
	.name = "slipring._core._Bits",
	.basicsize = sizeof(struct bits),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.slots = bits_slots,
};

static PyObject *make_bits(struct state *state, const struct source *source)
{
	PyObject *self = PyType_GenericAlloc(state->bits, 0);
	if (self != NULL) {
		((struct bits *)self)->source = *source;
		Py_INCREF(source->owner);
	}
	return self;
}

/* ---- numpy arrays ---- */

static PyObject *array_of_bits(struct state *state, const struct numpy *numpy, const struct source *source)
{
	PyObject *dtype = dtype_to_numpy(state, source->layout->dtype);
	PyObject *bits = dtype != NULL ? make_bits(state, source) : NULL;
	PyObject *words = bits != NULL ? PyObject_CallFunctionObjArgs(numpy->asarray, bits, NULL) : NULL;
	PyObject *array = words != NULL ? PyObject_CallMethod(words, "view", "O", dtype) : NULL;
	Py_XDECREF(words);
	Py_XDECREF(bits);
	Py_XDECREF(dtype);
	return array;
}

PyObject *layout_array(struct state *state, const struct source *source)
{
	const struct numpy *numpy = state_numpy(state);
	if (numpy == NULL)
		return NULL;
	if (!dtype_has_format(dtype_index(source->layout->dtype)))
		return array_of_bits(state, numpy, source);
	/* Through a memoryview, whose errors numpy does not swallow. */
	PyObject *memory = PyMemoryView_FromObject(source->owner);
	PyObject *array = memory != NULL ? PyObject_CallFunctionObjArgs(numpy->asarray, memory, NULL) : NULL;
	Py_XDECREF(memory);
	return array;
}

PyObject *layout_cached(PyObject *cache)
{
	PyObject *array = cache != NULL ? PyObject_CallFunctionObjArgs(cache, NULL) : NULL;
	if (array != Py_None)
		return array;
	Py_DECREF(array);
	return NULL;
}

PyObject *layout_cached_array(struct state *state, const struct source *source, PyObject **cache)
{
	PyObject *array = layout_cached(*cache);
	if (array != NULL || PyErr_Occurred())
		return array;
	array = layout_array(state, source);
	PyObject *reference = array != NULL ? PyWeakref_NewRef(array, NULL) : NULL;
	if (reference == NULL) {
		Py_XDECREF(array);
		return NULL;
	}
	PyObject *old = *cache;
	*cache = reference;
	Py_XDECREF(old);
	return array;
}

PyObject *layout_convert(struct state *state, PyObject *array, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
	static const char *const names[] = {"dtype", "copy", NULL};
	static const struct signature signature = {"__array__", 0, 2, names};
	PyObject *values[2];
	if (args_take(&signature, args, count, kwnames, values) != 0)
		return NULL;
	struct numpy *numpy = state_numpy(state);
	PyObject *dtype = values[0] != NULL ? values[0] : Py_None;
	int copy = values[1] == NULL || values[1] == Py_None ? -1 : PyObject_IsTrue(values[1]);
	if (numpy == NULL || (copy == -1 && PyErr_Occurred()))
		return NULL;
	if (copy == 1)
		return PyObject_CallFunctionObjArgs(numpy->array, array, dtype, NULL);
	PyObject *converted = PyObject_CallFunctionObjArgs(numpy->asarray, array, dtype, NULL);
	if (converted != NULL && copy == 0 && converted != array) {
		Py_DECREF(converted);
		PyErr_Format(PyExc_ValueError, "dtype %R asks for a copy, copy=False forbids it", dtype);
		return NULL;
	}
	return converted;
}
