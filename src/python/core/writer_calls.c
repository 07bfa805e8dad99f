/*
 * writer_calls.c - a Writer's methods that make channels, publish copies, lend, and ask.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "args.h"
#include "dtype.h"
#include "errors.h"
#include "input.h"
#include "loan.h"
#include "writer.h"

#include <errno.h>

static struct writer *writer_of(PyObject *self)
{
	return (struct writer *)self;
}

/* ---- publishing a copy ---- */

int writer_describe(PyObject *const values[DESCRIPTION_ARGS], slip_array *array, Py_buffer *metadata)
{
	metadata->obj = NULL;
	if (args_timestamp(values[0], &array->capture_realtime_ns) != 0)
		return -1;
	if ((values[1] != NULL && (array->encoding = args_text(values[1], "encoding")) == NULL) ||
	    (values[2] != NULL && (array->frame_id = args_text(values[2], "frame_id")) == NULL))
		return -1;
	if (values[3] == NULL)
		return 0;
	if (PyObject_GetBuffer(values[3], metadata, PyBUF_SIMPLE) != 0) {
		metadata->obj = NULL;
		return -1;
	}
	array->metadata = metadata->buf;
	array->metadata_size = (size_t)metadata->len;
	return 0;
}

struct sending {
	int (*set)(slip_writer *writer, const slip_array *array); /* of the channels with a meaning of their own */
	const char *channel;					  /* of the others */
	const slip_array *array;
};

static int call_set(struct writer *writer, void *arg)
{
	const struct sending *s = arg;
	if (!writer_is_open(writer))
		return OUTCOME_CLOSED;
	int result = s->set != NULL ? s->set(writer->handle, s->array) : slip_set_array(writer->handle, s->channel, s->array);
	return result == 0 ? 0 : errno;
}

/* values: the array, then what describes it. */
static PyObject *send(struct writer *w, struct sending sending, PyObject *const *values)
{
	slip_array array = SLIP_ARRAY_INIT;
	struct input input;
	Py_buffer metadata = {.obj = NULL};
	int outcome = 0;
	bool sent = false;
	sending.array = &array;
	if (input_take(values[0], &input, &array) == 0 && writer_describe(values + 1, &array, &metadata) == 0) {
		/* A signal's handler runs, then the lock is tried for once more. */
		do
			outcome = writer_run(w, call_set, &sending, true);
		while (outcome == EINTR && PyErr_CheckSignals() == 0);
		sent = outcome == 0;
		if (!sent && !PyErr_Occurred())
			writer_raise(outcome);
	}
	PyBuffer_Release(&metadata);
	input_drop(&input);
	if (!sent)
		return NULL;
	Py_RETURN_NONE;
}

#define DESCRIPTION_NAMES "timestamp", "encoding", "frame_id", "metadata"

static PyObject *set_kind(FAST_ARGS, const struct signature *signature, int (*set)(slip_writer *, const slip_array *))
{
	struct sending sending = {.set = set};
	PyObject *values[1 + DESCRIPTION_ARGS];
	if (writer_check(writer_of(self)) != 0 || args_take(signature, args, count, kwnames, values) != 0)
		return NULL;
	return send(writer_of(self), sending, values);
}

#define DEFINE_SET(kind)                                                                                                                   \
	PyObject *writer_set_##kind(FAST_ARGS)                                                                                             \
	{                                                                                                                                  \
		static const char *const names[] = {#kind, DESCRIPTION_NAMES, NULL};                                                       \
		static const struct signature signature = {"set_" #kind, 1, 2, names};                                                     \
		return set_kind(self, args, count, kwnames, &signature, slip_set_##kind);                                                  \
	}

DEFINE_SET(image)
DEFINE_SET(depth)
DEFINE_SET(pointcloud)
DEFINE_SET(mask)

PyObject *writer_set_array(FAST_ARGS)
{
	static const char *const names[] = {"name", "array", DESCRIPTION_NAMES, NULL};
	static const struct signature signature = {"set_array", 2, 3, names};
	struct sending sending = {.set = NULL};
	PyObject *values[2 + DESCRIPTION_ARGS];
	if (writer_check(writer_of(self)) != 0 || args_take(&signature, args, count, kwnames, values) != 0)
		return NULL;
	sending.channel = args_text(values[0], "name");
	return sending.channel != NULL ? send(writer_of(self), sending, values + 1) : NULL;
}

/* ---- the rest ---- */

static int call_create(struct writer *writer, void *arg)
{
	const struct sending *s = arg;
	if (!writer_is_open(writer))
		return OUTCOME_CLOSED;
	return slip_channel_create(writer->handle, s->channel, s->array) == 0 ? 0 : errno;
}

PyObject *writer_create(FAST_ARGS)
{
	static const char *const names[] = {"name", "shape", "dtype", NULL};
	static const struct signature signature = {"create", 3, 3, names};
	struct writer *w = writer_of(self);
	slip_array array = SLIP_ARRAY_INIT;
	struct sending sending = {.array = &array};
	PyObject *values[3];
	if (writer_check(w) != 0 || args_take(&signature, args, count, kwnames, values) != 0 ||
	    (sending.channel = args_text(values[0], "name")) == NULL || args_dims(values[1], "shape", array.shape, &array.ndim) != 0 ||
	    dtype_from_object(w->state, values[2], &array.dtype) != 0)
		return NULL;
	int outcome = writer_run(w, call_create, &sending, true);
	if (outcome != 0)
		return writer_raise(outcome);
	Py_RETURN_NONE;
}

PyObject *writer_loan(FAST_ARGS)
{
	static const char *const names[] = {"name", "shape", "dtype", DESCRIPTION_NAMES, "strides", NULL};
	static const struct signature signature = {"loan", 3, 4, names};
	struct writer *w = writer_of(self);
	slip_array array = SLIP_ARRAY_INIT;
	PyObject *values[4 + DESCRIPTION_ARGS];
	if (writer_check(w) != 0 || args_take(&signature, args, count, kwnames, values) != 0 ||
	    args_dims(values[1], "shape", array.shape, &array.ndim) != 0 || dtype_from_object(w->state, values[2], &array.dtype) != 0)
		return NULL;
	if (values[7] != NULL && values[7] != Py_None) {
		int32_t strides;
		if (args_dims(values[7], "strides", array.strides, &strides) != 0)
			return NULL;
		if (strides != array.ndim)
			return PyErr_Format(PyExc_ValueError, "%d strides for %d dimensions", strides, array.ndim);
	}
	return loan_make(w, values[0], &array, values + 3);
}

struct question {
	const char *channel;
	int readers;
	slip_writer_stats stats;
};

static int call_readers(struct writer *writer, void *arg)
{
	struct question *q = arg;
	if (!writer_is_open(writer))
		return OUTCOME_CLOSED;
	q->readers = slip_readers_attached(writer->handle, q->channel);
	return q->readers >= 0 ? 0 : errno;
}

static int call_stats(struct writer *writer, void *arg)
{
	struct question *q = arg;
	if (!writer_is_open(writer))
		return OUTCOME_CLOSED;
	q->stats.struct_size = sizeof(q->stats);
	return slip_writer_get_stats(writer->handle, q->channel, &q->stats) == 0 ? 0 : errno;
}

static int ask(const char *function, FAST_ARGS, writer_call call, struct question *question)
{
	struct writer *w = writer_of(self);
	PyObject *name = args_take_name(function, args, count, kwnames, NULL);
	if (name == NULL || writer_check(w) != 0 || (question->channel = args_text(name, "name")) == NULL)
		return -1;
	int outcome = writer_run(w, call, question, true);
	if (outcome == 0)
		return 0;
	writer_raise(outcome);
	return -1;
}

PyObject *writer_readers_attached(FAST_ARGS)
{
	struct question question;
	return ask("readers_attached", self, args, count, kwnames, call_readers, &question) == 0 ? PyLong_FromLong(question.readers) : NULL;
}

PyObject *writer_stats(FAST_ARGS)
{
	struct question question;
	if (ask("stats", self, args, count, kwnames, call_stats, &question) != 0)
		return NULL;
	const slip_writer_stats *s = &question.stats;
	PyObject *type = state_import("slipring._types", "WriterStats");
	PyObject *stats = type != NULL
				  ? PyObject_CallFunction(type, "KKKKKK", (unsigned long long)s->published, (unsigned long long)s->refused,
							  (unsigned long long)s->wakes, (unsigned long long)s->grown,
							  (unsigned long long)s->last_seq, (unsigned long long)s->epoch)
				  : NULL;
	Py_XDECREF(type);
	return stats;
}
