/*
 * loan.c - the Loan: its memory, its fields, its end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "loan.h"

#include "args.h"
#include "dlpack.h"
#include "dtype.h"
#include "errors.h"

#include <errno.h>

static struct loan *loan_of(PyObject *self)
{
	return (struct loan *)self;
}

/* ---- making ---- */

PyObject *loan_make(struct writer *writer, PyObject *name, slip_array *what, PyObject *const *description)
{
	struct lending lending = {.channel = args_text(name, "name"), .what = what};
	Py_buffer metadata = {.obj = NULL};
	PyObject *self = NULL;
	int outcome = 0;
	if (lending.channel == NULL || writer_describe(description, what, &metadata) != 0)
		goto done;
	outcome = writer_run(writer, loan_call_lend, &lending, true);
	if (outcome != 0) {
		writer_raise(outcome);
		goto done;
	}
	self = PyType_GenericAlloc(writer->state->loan, 0);
	PyObject *kept = self != NULL ? PyBytes_FromStringAndSize(what->metadata, (Py_ssize_t)what->metadata_size) : NULL;
	if (kept == NULL) {
		(void)writer_run(writer, loan_call_return, lending.frame, false);
		Py_CLEAR(self);
		goto done;
	}
	struct loan *l = loan_of(self);
	l->state = writer->state;
	Py_INCREF((PyObject *)writer);
	l->writer = writer;
	Py_INCREF(name);
	l->name = name;
	l->timestamp = description[0] != NULL ? description[0] : Py_None;
	Py_INCREF(l->timestamp);
	l->metadata = kept;
	l->frame = lending.frame;
	l->grown = lending.grown;
	l->view = *lending.frame;
	layout_of(lending.frame, &l->layout);
done:
	PyBuffer_Release(&metadata);
	return self;
}

/* ---- memory ---- */

static bool is_forked(const struct loan *l)
{
	return l->writer->forks != errors_forks();
}

static int loan_export(PyObject *self, Py_buffer *view, int flags, bool bits)
{
	struct loan *l = loan_of(self);
	view->obj = NULL;
	if (writer_check(l->writer) != 0)
		return -1;
	int outcome = writer_run(l->writer, loan_call_export, l, false);
	if (outcome != 0) {
		writer_raise(outcome);
		return -1;
	}
	if (layout_export(&l->layout, self, l->view.data, false, bits, view, flags) == 0)
		return 0;
	(void)writer_run(l->writer, loan_call_unexport, l, false);
	return -1;
}

static int loan_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
	return loan_export(self, view, flags, false);
}

static void loan_releasebuffer(PyObject *self, Py_buffer *Py_UNUSED(view))
{
	/* In a child loan and lock are the parent's. */
	if (!is_forked(loan_of(self)))
		(void)writer_run(loan_of(self)->writer, loan_call_unexport, self, false);
}

static struct source source_of(PyObject *self)
{
	return (struct source){.owner = self, .frame = &loan_of(self)->view, .layout = &loan_of(self)->layout, .export = loan_export};
}

static int check_out(struct loan *l)
{
	int outcome = writer_check(l->writer) != 0 ? -1 : writer_run(l->writer, loan_call_look, l, false);
	if (outcome != 0 && !PyErr_Occurred())
		writer_raise(outcome);
	return outcome == 0 ? 0 : -1;
}

static PyObject *get_array(PyObject *self, void *Py_UNUSED(closure))
{
	struct loan *l = loan_of(self);
	const struct source source = source_of(self);
	PyObject *array = NULL;
	if (check_out(l) != 0)
		return NULL;
	SECTION_BEGIN(self);
	array = layout_cached_array(l->state, &source, &l->array);
	SECTION_END;
	return array;
}

static PyObject *loan_as_array(FAST_ARGS)
{
	PyObject *array = get_array(self, NULL);
	PyObject *converted = array != NULL ? layout_convert(loan_of(self)->state, array, args, count, kwnames) : NULL;
	Py_XDECREF(array);
	return converted;
}

static PyObject *loan_dlpack(FAST_ARGS)
{
	const struct source source = source_of(self);
	return dlpack_export(&source, args, count, kwnames);
}

/* ---- ending ---- */

/* The array that the user still has is of a published frame now, which others read. */
static int make_read_only(PyObject *self)
{
	PyObject *array;
	SECTION_BEGIN(self);
	array = layout_cached(loan_of(self)->array);
	SECTION_END;
	PyObject *flags = array != NULL ? PyObject_GetAttrString(array, "flags") : NULL;
	int result = flags != NULL ? PyObject_SetAttrString(flags, "writeable", Py_False) : 0;
	Py_XDECREF(flags);
	Py_XDECREF(array);
	return result != 0 || PyErr_Occurred() ? -1 : 0;
}

static PyObject *loan_publish(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct loan *l = loan_of(self);
	struct publishing publishing = {.loan = l, .channel = args_text(l->name, "name")};
	int outcome;
	if (publishing.channel == NULL || writer_check(l->writer) != 0)
		return NULL;
	do
		outcome = writer_run(l->writer, loan_call_publish, &publishing, l->writer->mode == SLIP_MODE_SEMAPHORE);
	while (outcome == EINTR && PyErr_CheckSignals() == 0);
	if (outcome != 0)
		return PyErr_Occurred() ? NULL : writer_raise(outcome);
	return make_read_only(self) == 0 ? PyLong_FromUnsignedLongLong(l->seq) : NULL;
}

static PyObject *loan_discard(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct loan *l = loan_of(self);
	if (errors_check_fork(l->writer->forks, "loan") != 0)
		return NULL;
	int outcome = writer_run(l->writer, loan_call_discard, l, false);
	if (outcome != 0)
		return writer_raise(outcome);
	Py_RETURN_NONE;
}

static PyObject *loan_enter(PyObject *self, PyObject *Py_UNUSED(none))
{
	if (check_out(loan_of(self)) != 0)
		return NULL;
	Py_INCREF(self);
	return self;
}

static PyObject *loan_exit(PyObject *self, PyObject *args)
{
	struct loan *l = loan_of(self);
	PyObject *type = PyTuple_Size(args) > 0 ? PyTuple_GetItem(args, 0) : Py_None;
	if (is_forked(l))
		Py_RETURN_NONE;
	/* Ended already within the block. */
	if (writer_run(l->writer, loan_call_look, l, false) == OUTCOME_NOT_OUT)
		Py_RETURN_NONE;
	if (type != Py_None)
		return loan_discard(self, NULL);
	PyObject *seq = loan_publish(self, NULL);
	if (seq == NULL)
		return NULL;
	Py_DECREF(seq);
	Py_RETURN_NONE;
}

/* ---- fields ---- */

static int refuse_delete(PyObject *value)
{
	if (value != NULL)
		return 0;
	PyErr_SetString(PyExc_AttributeError, "it cannot be deleted");
	return -1;
}

static int set_field(struct loan *l, struct setting *setting, PyObject **field, PyObject *value)
{
	PyObject *old;
	setting->loan = l;
	int outcome = writer_check(l->writer) != 0 ? -1 : writer_run(l->writer, loan_call_set, setting, false);
	if (outcome != 0) {
		if (!PyErr_Occurred())
			writer_raise(outcome);
		return -1;
	}
	Py_INCREF(value);
	SECTION_BEGIN(l);
	old = *field;
	*field = value;
	SECTION_END;
	Py_DECREF(old);
	return 0;
}

static PyObject *get_field(struct loan *l, PyObject *const *field)
{
	PyObject *value;
	(void)l;
	SECTION_BEGIN(l);
	value = *field;
	Py_INCREF(value);
	SECTION_END;
	return value;
}

static PyObject *get_metadata(PyObject *self, void *Py_UNUSED(closure))
{
	return get_field(loan_of(self), &loan_of(self)->metadata);
}

static int set_metadata(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
	char *bytes;
	Py_ssize_t size;
	PyObject *kept = refuse_delete(value) == 0 ? PyBytes_FromObject(value) : NULL;
	if (kept == NULL || PyBytes_AsStringAndSize(kept, &bytes, &size) != 0) {
		Py_XDECREF(kept);
		return -1;
	}
	struct setting setting = {.metadata = bytes, .size = (size_t)size};
	int result = set_field(loan_of(self), &setting, &loan_of(self)->metadata, kept);
	Py_DECREF(kept);
	return result;
}

static PyObject *get_timestamp(PyObject *self, void *Py_UNUSED(closure))
{
	return get_field(loan_of(self), &loan_of(self)->timestamp);
}

static int set_timestamp(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
	struct setting setting = {.metadata = NULL};
	if (refuse_delete(value) != 0 || args_timestamp(value, &setting.capture_realtime_ns) != 0)
		return -1;
	return set_field(loan_of(self), &setting, &loan_of(self)->timestamp, value);
}

static PyObject *get_shape(PyObject *self, void *Py_UNUSED(closure))
{
	return layout_shape(&loan_of(self)->layout);
}

static PyObject *get_strides(PyObject *self, void *Py_UNUSED(closure))
{
	return layout_strides(&loan_of(self)->layout);
}

static PyObject *get_dtype(PyObject *self, void *Py_UNUSED(closure))
{
	return dtype_to_numpy(loan_of(self)->state, loan_of(self)->layout.dtype);
}

static PyObject *get_published(PyObject *self, void *Py_UNUSED(closure))
{
	return PyBool_FromLong(loan_of(self)->published);
}

static PyObject *get_seq(PyObject *self, void *Py_UNUSED(closure))
{
	return PyLong_FromUnsignedLongLong(loan_of(self)->seq);
}

static PyObject *loan_repr(PyObject *self)
{
	struct loan *l = loan_of(self);
	PyObject *shape = layout_shape(&l->layout);
	if (shape == NULL)
		return NULL;
	PyObject *repr = PyUnicode_FromFormat("<slipring.Loan %R %s %R%s>", l->name, dtype_name(dtype_index(l->layout.dtype)), shape,
					      l->published ? " published" : "");
	Py_DECREF(shape);
	return repr;
}

static PyObject *loan_reduce(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(none))
{
	PyErr_SetString(PyExc_TypeError,
			"a Loan cannot be pickled or copied: publish it, and let a Reader get the frame where it is wanted");
	return NULL;
}

/* ---- the type ---- */

static int loan_traverse(PyObject *self, visitproc visit, void *arg)
{
	struct loan *l = loan_of(self);
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(l->writer);
	Py_VISIT(l->name);
	Py_VISIT(l->timestamp);
	return 0;
}

static void loan_dealloc(PyObject *self)
{
	struct loan *l = loan_of(self);
	PyObject_GC_UnTrack(self);
	if (l->weakrefs != NULL)
		PyObject_ClearWeakRefs(self);
	/* Not all made: no writer yet. */
	if (l->writer != NULL && !is_forked(l))
		(void)writer_run(l->writer, loan_call_discard, l, false);
	Py_XDECREF(l->array);
	Py_XDECREF(l->metadata);
	Py_XDECREF(l->timestamp);
	Py_XDECREF(l->name);
	Py_XDECREF((PyObject *)l->writer);
	object_free(self);
}

static PyGetSetDef loan_getset[] = {
	{"array", get_array, NULL,
	 "numpy.ndarray: the elements, to be filled. Read-only once published; don't write through other views then.", NULL},
	{"metadata", get_metadata, set_metadata, "bytes: yours, to travel with the frame; at most 256. Settable until published.", NULL},
	{"timestamp", get_timestamp, set_timestamp,
	 "float or None: when it was captured, in seconds of CLOCK_REALTIME; None is when it is published. Settable until published.",
	 NULL},
	{"shape", get_shape, NULL, "tuple[int, ...]: elements along each dimension.", NULL},
	{"strides", get_strides, NULL, "tuple[int, ...]: bytes from one element to the next along each dimension.", NULL},
	{"dtype", get_dtype, NULL, "numpy.dtype: the type of an element.", NULL},
	{"published", get_published, NULL, "bool: it was published.", NULL},
	{"seq", get_seq, NULL, "int: the frame's number; 0 before it is published.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef loan_methods[] = {
	{"publish", loan_publish, METH_NOARGS,
	 "publish($self, /)\n--\n\nPublish the frame; returns its seq. Views of its memory stay valid, and are not to be written to any "
	 "more.\n\n"
	 "ValueError where it has ended already. BlockingIOError where the ring grew since it was lent and has no slot free now: it is "
	 "then still\n"
	 "out, and can be published again. So it is after OSError(EMFILE): where the ring grew and the memory is viewed, publishing takes "
	 "another loan."},
	{"discard", loan_discard, METH_NOARGS,
	 "discard($self, /)\n--\n\nGive the slot back unpublished. ValueError where it has ended already."},
	{"__enter__", loan_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
	{"__exit__", loan_exit, METH_VARARGS,
	 "__exit__($self, /, *args)\n--\n\nPublishes; discards after an exception. Nothing where it has ended within the block."},
	FAST("__array__", loan_as_array, "__array__($self, /, dtype=None, copy=None)\n--\n\nnumpy's protocol."),
	FAST("__dlpack__", loan_dlpack,
	     "__dlpack__($self, /, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\nDLPack's protocol: the memory "
	     "itself, writable."),
	{"__dlpack_device__", dlpack_device, METH_NOARGS, "__dlpack_device__($self, /)\n--\n\nThe CPU: (1, 0)."},
	{"__reduce__", loan_reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nTypeError: loans are not pickled."},
	{NULL, NULL, 0, NULL},
};

static PyMemberDef loan_members[] = {
	WEAKREF_MEMBER(struct loan),
	{NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(loan_doc,
	     "A slot of a writer's ring, to be filled in place and published without a copy: made by Writer.loan. As a context manager it\n"
	     "publishes at the end of the block and discards after an exception; dropped without either it is discarded.\n"
	     "\n"
	     "Memory that somebody still views, through .array or a slice of it, stays valid after all of these, and after the writer's "
	     "close().\n"
	     "The slot is then not used again until the views are gone. A loan keeps its writer. One thread at a time should fill it.");

static PyType_Slot loan_slots[] = {
	{Py_tp_doc, (void *)loan_doc},
	{Py_tp_new, object_refuse_new},
	{Py_tp_dealloc, loan_dealloc},
	{Py_tp_traverse, loan_traverse},
	{Py_tp_repr, loan_repr},
	{Py_tp_methods, loan_methods},
	{Py_tp_members, loan_members},
	{Py_tp_getset, loan_getset},
	{Py_bf_getbuffer, loan_getbuffer},
	{Py_bf_releasebuffer, loan_releasebuffer},
	{0, NULL},
};

PyType_Spec loan_spec = {
	.name = "slipring.Loan",
	.basicsize = sizeof(struct loan),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.slots = loan_slots,
};
