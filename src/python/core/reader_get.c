/*
 * reader_get.c - a Reader's methods that get frames, as leases or as arrays.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "args.h"
#include "dtype.h"
#include "errors.h"
#include "frame.h"
#include "reader.h"

#include <errno.h>
#include <string.h>

static struct reader *reader_of(PyObject *self)
{
	return (struct reader *)self;
}

bool reader_found_nothing(int err)
{
	return err == ENOENT || err == EPIPE || err == EAGAIN;
}

/* ---- leases ---- */

/* Inside; without the GIL. */
static slip_frame *noted(struct reader *r, const char *channel, slip_frame *lease)
{
	if (lease == NULL)
		return NULL;
	if (lease->flags & SLIP_FRAME_PRIVATE)
		r->quick[0] = '\0';
	else if (strcmp(r->quick, channel) != 0)
		memcpy(r->quick, channel, strlen(channel) + 1); /* it has at most SLIP_NAME_MAX bytes, or there would be no frame */
	return lease;
}

/* NULL with an exception, or with *err. */
static slip_frame *take_latest(struct reader *r, const char *channel, int *err)
{
	slip_frame *lease;
	*err = 0;
	if (reader_enter(r) != 0)
		return NULL;
	if (strcmp(r->quick, channel) == 0) {
		lease = noted(r, channel, slip_get_array(r->handle, channel));
		*err = errno;
		reader_leave(r);
		return lease;
	}
	Py_BEGIN_ALLOW_THREADS lease = noted(r, channel, slip_get_array(r->handle, channel));
	*err = errno;
	reader_leave(r);
	Py_END_ALLOW_THREADS return lease;
}

static slip_frame *take_next(struct reader *r, const char *channel, int64_t timeout, int *err)
{
	struct waiting waiting = {.timeout_ns = timeout};
	slip_frame *lease;
	*err = 0;
	if (reader_enter(r) != 0)
		return NULL;
	if (strcmp(r->quick, channel) == 0) {
		lease = noted(r, channel, slip_next(r->handle, channel, 0));
		*err = errno;
		if (lease != NULL || *err != ETIMEDOUT || timeout == 0) {
			reader_leave(r);
			return lease;
		}
	}
	bool more;
	do {
		Py_BEGIN_ALLOW_THREADS lease = noted(r, channel, slip_next(r->handle, channel, args_slice(&waiting)));
		*err = errno;
		more = lease == NULL && args_has_more(&waiting, *err);
		if (!more)
			reader_leave(r);
		Py_END_ALLOW_THREADS
	} while (more && reader_goes_on(r));
	return lease;
}

/* The exception of a get that gave nothing, where there is none yet. */
static PyObject *raise_unless(bool nothing_will_do, int err)
{
	if (PyErr_Occurred())
		return NULL;
	if (!nothing_will_do || !reader_found_nothing(err))
		return errors_raise_as(err, slip_error_detail());
	Py_RETURN_NONE;
}

/* ---- frames ---- */

PyObject *reader_latest(FAST_ARGS)
{
	struct reader *r = reader_of(self);
	PyObject *name = args_take_name("latest", args, count, kwnames, r->state->image);
	const char *channel = name != NULL ? args_text(name, "name") : NULL;
	int err;
	if (channel == NULL)
		return NULL;
	slip_frame *lease = take_latest(r, channel, &err);
	return lease != NULL ? frame_make(r->state, self, lease, r->forks) : raise_unless(true, err);
}

PyObject *reader_next(FAST_ARGS)
{
	static const char *const names[] = {"name", "timeout", NULL};
	static const struct signature signature = {"next", 0, 2, names};
	struct reader *r = reader_of(self);
	PyObject *values[2];
	int64_t timeout;
	if (args_take(&signature, args, count, kwnames, values) != 0 || args_seconds(values[1], "timeout", &timeout) != 0)
		return NULL;
	const char *channel = args_text(values[0] != NULL ? values[0] : r->state->image, "name");
	int err;
	if (channel == NULL)
		return NULL;
	slip_frame *lease = take_next(r, channel, timeout, &err);
	if (lease != NULL)
		return frame_make(r->state, self, lease, r->forks);
	if (err == ETIMEDOUT && !PyErr_Occurred())
		return errors_raise_timeout(r->base, channel, values[1]);
	return raise_unless(false, err);
}

/* ---- arrays ---- */

/* An array to copy into; *shown is what the user gets, the same or a view of it as bfloat16. */
static PyObject *make_room(struct state *state, const slip_frame *lease, PyObject **shown)
{
	struct layout layout;
	layout_of(lease, &layout);
	struct numpy *numpy = state_numpy(state);
	bool native = dtype_has_format(dtype_index(layout.dtype));
	PyObject *dtype = numpy != NULL ? dtype_to_numpy(state, layout.dtype) : NULL;
	PyObject *stored = dtype != NULL ? dtype_to_numpy(state, native ? layout.dtype : SLIP_U16) : NULL;
	PyObject *shape = stored != NULL ? layout_shape(&layout) : NULL;
	PyObject *room = shape != NULL ? PyObject_CallFunctionObjArgs(numpy->empty, shape, stored, NULL) : NULL;
	if (room != NULL && native) {
		Py_INCREF(room);
		*shown = room;
	} else if (room != NULL) {
		*shown = PyObject_CallMethod(room, "view", "O", dtype);
		if (*shown == NULL)
			Py_CLEAR(room);
	}
	Py_XDECREF(shape);
	Py_XDECREF(stored);
	Py_XDECREF(dtype);
	return room;
}

static PyObject *copy_out(struct state *state, slip_frame *lease)
{
	PyObject *shown = NULL;
	PyObject *room = make_room(state, lease, &shown);
	Py_buffer view;
	if (room == NULL || PyObject_GetBuffer(room, &view, PyBUF_WRITABLE) != 0) {
		(void)slip_release(lease);
		Py_XDECREF(room);
		Py_XDECREF(shown);
		return NULL;
	}
	int64_t copied;
	Py_BEGIN_ALLOW_THREADS copied = slip_copy(lease, view.buf, (size_t)view.len);
	(void)slip_release(lease);
	Py_END_ALLOW_THREADS PyBuffer_Release(&view);
	Py_DECREF(room);
	if (copied >= 0)
		return shown;
	Py_DECREF(shown);
	return errors_raise();
}

static PyObject *array_of(struct reader *r, PyObject *name, bool copy)
{
	const char *channel = args_text(name, "name");
	int err;
	if (channel == NULL)
		return NULL;
	slip_frame *lease = take_latest(r, channel, &err);
	if (lease == NULL)
		return raise_unless(true, err);
	/* A private frame is a copy by itself. */
	if (copy && (lease->flags & SLIP_FRAME_PRIVATE) == 0)
		return copy_out(r->state, lease);
	PyObject *frame = frame_make(r->state, (PyObject *)r, lease, r->forks);
	PyObject *array = frame != NULL ? frame_array(frame) : NULL;
	Py_XDECREF(frame);
	return array;
}

static PyObject *get_kind(PyObject *self, const char *function, PyObject *name, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
	static const char *const names[] = {"copy", NULL};
	const struct signature signature = {function, 0, 1, names};
	PyObject *values[1];
	if (args_take(&signature, args, count, kwnames, values) != 0)
		return NULL;
	int copy = values[0] != NULL ? PyObject_IsTrue(values[0]) : 1;
	return copy >= 0 ? array_of(reader_of(self), name, copy != 0) : NULL;
}

PyObject *reader_get_image(FAST_ARGS)
{
	return get_kind(self, "get_image", reader_of(self)->state->image, args, count, kwnames);
}

PyObject *reader_get_depth(FAST_ARGS)
{
	return get_kind(self, "get_depth", reader_of(self)->state->depth, args, count, kwnames);
}

PyObject *reader_get_pointcloud(FAST_ARGS)
{
	return get_kind(self, "get_pointcloud", reader_of(self)->state->pointcloud, args, count, kwnames);
}

PyObject *reader_get_mask(FAST_ARGS)
{
	return get_kind(self, "get_mask", reader_of(self)->state->mask, args, count, kwnames);
}

PyObject *reader_get_array(FAST_ARGS)
{
	static const char *const names[] = {"name", "copy", NULL};
	static const struct signature signature = {"get_array", 1, 2, names};
	PyObject *values[2];
	if (args_take(&signature, args, count, kwnames, values) != 0)
		return NULL;
	int copy = values[1] != NULL ? PyObject_IsTrue(values[1]) : 1;
	return copy >= 0 ? array_of(reader_of(self), values[0], copy != 0) : NULL;
}
