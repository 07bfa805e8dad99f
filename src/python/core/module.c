/*
 * module.c - slipring._core: the module, its state.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state.h"

#include "dtype.h"
#include "errors.h"
#include "inspect.h"
#include "wait.h"

#include <stdlib.h>

static struct PyModuleDef module_def;

struct state *state_of_type(PyTypeObject *type)
{
	/* A class that was derived in Python belongs to no module of C's; one of its bases does, or nobody would have come here. */
	for (PyTypeObject *t = type;; t = PyType_GetSlot(t, Py_tp_base)) {
		PyObject *module = PyType_GetModule(t);
		if (module == NULL)
			PyErr_Clear();
		else if (PyModule_GetDef(module) == &module_def)
			return PyModule_GetState(module);
	}
}

PyObject *object_refuse_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
	return PyErr_Format(PyExc_TypeError, "%R has no constructor: a Writer lends loans, a Reader gets frames", type);
}

void object_free(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
	release(self);
	Py_DECREF(type);
}

PyObject *state_import(const char *module, const char *name)
{
	PyObject *imported = PyImport_ImportModule(module);
	PyObject *found = imported != NULL ? PyObject_GetAttrString(imported, name) : NULL;
	Py_XDECREF(imported);
	return found;
}

/* ---- numpy ---- */

static void numpy_free(struct numpy *numpy)
{
	if (numpy == NULL)
		return;
	Py_XDECREF(numpy->array);
	Py_XDECREF(numpy->asarray);
	Py_XDECREF(numpy->empty);
	Py_XDECREF(numpy->dtype);
	for (int i = 0; i < DTYPE_COUNT; i++)
		Py_XDECREF(numpy->dtypes[i]);
	free(numpy);
}

static struct numpy *numpy_load(void)
{
	struct numpy *numpy = calloc(1, sizeof(*numpy));
	if (numpy == NULL) {
		PyErr_NoMemory();
		return NULL;
	}
	if ((numpy->array = state_import("numpy", "array")) == NULL || (numpy->asarray = state_import("numpy", "asarray")) == NULL ||
	    (numpy->empty = state_import("numpy", "empty")) == NULL || (numpy->dtype = state_import("numpy", "dtype")) == NULL)
		goto fail;
	for (int i = 0; i < DTYPE_COUNT; i++) {
		if (!dtype_has_format(i))
			continue;
		numpy->dtypes[i] = PyObject_CallFunction(numpy->dtype, "s", dtype_name(i));
		if (numpy->dtypes[i] == NULL)
			goto fail;
	}
	return numpy;
fail:
	numpy_free(numpy);
	return NULL;
}

struct numpy *state_numpy(struct state *state)
{
	struct numpy *numpy = atomic_load_explicit(&state->numpy, memory_order_acquire);
	if (numpy != NULL)
		return numpy;
	struct numpy *loaded = numpy_load();
	if (loaded == NULL)
		return NULL;
	/* Importing lets other threads run: the first to finish wins. */
	if (atomic_compare_exchange_strong(&state->numpy, &numpy, loaded))
		return loaded;
	numpy_free(loaded);
	return numpy;
}

/* ---- the module ---- */

static PyTypeObject *make_type(PyObject *module, PyType_Spec *spec)
{
	PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
	/* CPython 3.11 does not always say so itself. */
	if (type == NULL && !PyErr_Occurred())
		PyErr_NoMemory();
	return (PyTypeObject *)type;
}

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec, const char *name)
{
	PyObject *type = (PyObject *)make_type(module, spec);
	if (type == NULL)
		return NULL;
	Py_INCREF(type); /* the module's; the other is the state's */
	if (PyModule_AddObject(module, name, type) != 0) {
		Py_DECREF(type);
		Py_DECREF(type);
		return NULL;
	}
	return (PyTypeObject *)type;
}

static int module_exec(PyObject *module)
{
	struct state *state = PyModule_GetState(module);
	errors_count_forks();
	if ((state->writer = add_type(module, &writer_spec, "Writer")) == NULL ||
	    (state->loan = add_type(module, &loan_spec, "Loan")) == NULL ||
	    (state->reader = add_type(module, &reader_spec, "Reader")) == NULL ||
	    (state->frame = add_type(module, &frame_spec, "Frame")) == NULL ||
	    (state->waker = add_type(module, &waker_spec, "Waker")) == NULL)
		return -1;
	state->bits = make_type(module, &bits_spec);
	if (state->bits == NULL)
		return -1;
	if ((state->image = PyUnicode_InternFromString("image")) == NULL || (state->depth = PyUnicode_InternFromString("depth")) == NULL ||
	    (state->pointcloud = PyUnicode_InternFromString("pointcloud")) == NULL ||
	    (state->mask = PyUnicode_InternFromString("mask")) == NULL)
		return -1;
	if (PyModule_AddStringConstant(module, "__version__", slip_version()) != 0)
		return -1;
	return PyModule_AddIntConstant(module, "layout_version", (long)slip_layout_version());
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
	struct state *state = PyModule_GetState(module);
	Py_VISIT(state->writer);
	Py_VISIT(state->loan);
	Py_VISIT(state->reader);
	Py_VISIT(state->frame);
	Py_VISIT(state->bits);
	Py_VISIT(state->waker);
	return 0;
}

static int module_clear(PyObject *module)
{
	struct state *state = PyModule_GetState(module);
	Py_CLEAR(state->writer);
	Py_CLEAR(state->loan);
	Py_CLEAR(state->reader);
	Py_CLEAR(state->frame);
	Py_CLEAR(state->bits);
	Py_CLEAR(state->waker);
	return 0;
}

static void module_free(void *module)
{
	struct state *state = PyModule_GetState(module);
	(void)module_clear(module);
	Py_CLEAR(state->image);
	Py_CLEAR(state->depth);
	Py_CLEAR(state->pointcloud);
	Py_CLEAR(state->mask);
	numpy_free(atomic_exchange(&state->numpy, NULL));
}

static PyMethodDef module_methods[] = {
	FAST("wait_any", wait_any, wait_any_doc),
	FAST("channels", inspect_channels, inspect_channels_doc),
	FAST("inspect", inspect_channel, inspect_channel_doc),
	{NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
	{Py_mod_exec, module_exec},
#ifdef Py_GIL_DISABLED
	{Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
	{0, NULL},
};

static struct PyModuleDef module_def = {
	PyModuleDef_HEAD_INIT,		.m_name = "slipring._core",  .m_doc = "The C half of slipring: see the package.",
	.m_size = sizeof(struct state), .m_methods = module_methods, .m_slots = module_slots,
	.m_traverse = module_traverse,	.m_clear = module_clear,     .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void)
{
	return PyModuleDef_Init(&module_def);
}
