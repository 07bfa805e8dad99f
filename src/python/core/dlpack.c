/* SPDX-License-Identifier: Apache-2.0 */
#include "dlpack.h"

#include "args.h"
#include "dlpack_abi.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 256 }; /* of copies, as the standard wishes */

/* What a capsule owns. */
struct parcel {
	union {
		struct dlpack_managed managed;
		struct dlpack_versioned versioned;
	} as;
	int64_t shape[SLIP_MAX_DIMS + 1];
	int64_t strides[SLIP_MAX_DIMS + 1];
	Py_buffer view; /* the export; obj is NULL where it is a copy */
	void *copy;
};

/* ---- the end: by a consumer of any thread, with the GIL or without ---- */

static void parcel_end(struct parcel *parcel)
{
	if (parcel->view.obj != NULL) {
		if (!Py_IsInitialized())
			return; /* there is nobody left to give it back to; the process is about to end */
		PyGILState_STATE gil = PyGILState_Ensure();
		PyBuffer_Release(&parcel->view);
		PyGILState_Release(gil);
	}
	free(parcel->copy);
	free(parcel);
}

static void managed_delete(struct dlpack_managed *self)
{
	parcel_end(self->context);
}

static void versioned_delete(struct dlpack_versioned *self)
{
	parcel_end(self->context);
}

/* A capsule that still has its first name was not consumed. */
static void managed_abandon(PyObject *capsule)
{
	if (PyCapsule_IsValid(capsule, "dltensor"))
		managed_delete(PyCapsule_GetPointer(capsule, "dltensor"));
}

static void versioned_abandon(PyObject *capsule)
{
	if (PyCapsule_IsValid(capsule, "dltensor_versioned"))
		versioned_delete(PyCapsule_GetPointer(capsule, "dltensor_versioned"));
}

/* ---- filling ---- */

static void fill_tensor(struct parcel *parcel, struct dlpack_tensor *tensor, const struct layout *layout, void *data)
{
	*tensor = (struct dlpack_tensor){
		.data = data,
		.device = {.type = DLPACK_CPU},
		.ndim = layout->ndim,
		.dtype = {.code = layout->dtype.code, .bits = layout->dtype.bits, .lanes = 1},
		.shape = parcel->shape,
		.strides = parcel->strides,
	};
}

static bool strides_in_elements(const struct layout *layout)
{
	for (int i = 0; i < layout->ndim; i++)
		if (layout->strides[i] % layout->itemsize != 0)
			return false;
	return true;
}

static void describe_shared(struct parcel *parcel, const struct layout *layout)
{
	for (int i = 0; i < layout->ndim; i++) {
		parcel->shape[i] = layout->shape[i];
		parcel->strides[i] = layout->strides[i] / layout->itemsize;
	}
}

static void describe_copy(struct parcel *parcel, const struct layout *layout)
{
	int64_t elements = 1;
	for (int i = layout->ndim; i-- > 0;) {
		parcel->shape[i] = layout->shape[i];
		parcel->strides[i] = elements;
		elements *= layout->shape[i] > 0 ? layout->shape[i] : 1;
	}
}

static int copy_out(struct parcel *parcel, const struct source *source)
{
	size_t size = ((size_t)source->layout->bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
	int64_t copied = 0;
	Py_BEGIN_ALLOW_THREADS parcel->copy = aligned_alloc(ALIGNMENT, size);
	if (parcel->copy != NULL)
		copied = slip_copy(source->frame, parcel->copy, size);
	Py_END_ALLOW_THREADS PyBuffer_Release(&parcel->view);
	if (parcel->copy == NULL)
		PyErr_NoMemory();
	else if (copied < 0)
		errors_raise();
	return parcel->copy != NULL && copied >= 0 ? 0 : -1;
}

/* ---- the request ---- */

struct request {
	bool versioned;
	int copy; /* -1: as it suits */
};

static int refuse(const char *what, PyObject *value, const char *expected)
{
	PyErr_Format(PyExc_BufferError, "%s is %R; a frame is in the CPU's memory: %s", what, value, expected);
	return -1;
}

/* A pair of ints; *given is false for None. */
static int take_pair(PyObject *value, const char *what, int64_t pair[2], bool *given)
{
	int64_t dims[SLIP_MAX_DIMS];
	int32_t count;
	*given = value != NULL && value != Py_None;
	if (!*given)
		return 0;
	if (!PyTuple_Check(value) || PyTuple_Size(value) != 2) {
		PyErr_Format(PyExc_TypeError, "%s is %R; expected a pair of ints or None", what, value);
		return -1;
	}
	if (args_dims(value, what, dims, &count) != 0)
		return -1;
	pair[0] = dims[0];
	pair[1] = dims[1];
	return 0;
}

static int take_request(struct request *request, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
	static const char *const names[] = {"stream", "max_version", "dl_device", "copy", NULL};
	static const struct signature signature = {"__dlpack__", 0, 0, names};
	PyObject *values[4];
	if (args_take(&signature, args, count, kwnames, values) != 0)
		return -1;
	if (values[0] != NULL && values[0] != Py_None)
		return refuse("stream", values[0], "expected None");
	int64_t device[2], version[2];
	bool has_device, has_version;
	if (take_pair(values[2], "dl_device", device, &has_device) != 0 || take_pair(values[1], "max_version", version, &has_version) != 0)
		return -1;
	if (has_device && (device[0] != DLPACK_CPU || device[1] != 0))
		return refuse("dl_device", values[2], "expected (1, 0) or None");
	request->copy = values[3] == NULL || values[3] == Py_None ? -1 : PyObject_IsTrue(values[3]);
	request->versioned = has_version && version[0] >= DLPACK_MAJOR;
	return request->copy == -1 && PyErr_Occurred() ? -1 : 0;
}

/* Whether a copy must be made. -1 with BufferError where it must and may not. */
static int must_copy(const struct request *request, const struct layout *layout, bool readonly)
{
	bool must = request->copy == 1;
	const char *reason = NULL;
	if (readonly && !request->versioned)
		reason = "a consumer that asks for no max_version of 1 cannot be told that the frame is read-only";
	else if (!strides_in_elements(layout))
		reason = "the frame's row pitch is no multiple of its element size";
	if (reason != NULL && request->copy == 0) {
		PyErr_Format(PyExc_BufferError, "%s, and copy=False forbids a copy", reason);
		return -1;
	}
	return must || reason != NULL;
}

PyObject *dlpack_export(const struct source *source, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
	struct request request;
	if (take_request(&request, args, count, kwnames) != 0)
		return NULL;
	struct parcel *parcel = calloc(1, sizeof(*parcel));
	if (parcel == NULL)
		return PyErr_NoMemory();
	PyObject *capsule = NULL;
	if (source->export(source->owner, &parcel->view, PyBUF_STRIDES, true) != 0)
		goto fail;
	void *data = parcel->view.buf;
	bool readonly = parcel->view.readonly;
	int copy = must_copy(&request, source->layout, readonly);
	if (copy < 0)
		goto fail;
	if (copy) {
		if (copy_out(parcel, source) != 0)
			goto fail;
		data = parcel->copy;
		describe_copy(parcel, source->layout);
	} else {
		describe_shared(parcel, source->layout);
	}
	if (request.versioned) {
		struct dlpack_versioned *versioned = &parcel->as.versioned;
		*versioned = (struct dlpack_versioned){
			.major = DLPACK_MAJOR, .minor = DLPACK_MINOR, .context = parcel, .deleter = versioned_delete};
		versioned->flags = copy ? DLPACK_IS_COPIED : readonly ? DLPACK_READ_ONLY : 0;
		fill_tensor(parcel, &versioned->tensor, source->layout, data);
		capsule = PyCapsule_New(versioned, "dltensor_versioned", versioned_abandon);
	} else {
		struct dlpack_managed *managed = &parcel->as.managed;
		*managed = (struct dlpack_managed){.context = parcel, .deleter = managed_delete};
		fill_tensor(parcel, &managed->tensor, source->layout, data);
		capsule = PyCapsule_New(managed, "dltensor", managed_abandon);
	}
	if (capsule != NULL)
		return capsule;
fail:
	PyBuffer_Release(&parcel->view);
	free(parcel->copy);
	free(parcel);
	return NULL;
}

PyObject *dlpack_device(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(none))
{
	return Py_BuildValue("(ii)", DLPACK_CPU, 0);
}
