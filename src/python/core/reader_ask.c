/*
 * reader_ask.c - a Reader's methods that wait, and those that ask.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "args.h"
#include "dtype.h"
#include "errors.h"
#include "layout.h"
#include "reader.h"

#include <errno.h>

static struct reader *reader_of(PyObject *self)
{
	return (struct reader *)self;
}

/* ---- waiting ---- */

static PyObject *wait_with(struct reader *r, PyObject *name, PyObject *limit, int (*wait)(slip_reader *, const char *, int64_t))
{
	int64_t timeout;
	int result;
	const char *channel = args_text(name, "name");
	int err;
	if (channel == NULL || args_seconds(limit, "timeout", &timeout) != 0)
		return NULL;
	struct waiting waiting = {.timeout_ns = timeout};
	bool more;
	if (reader_enter(r) != 0)
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS result = wait(r->handle, channel, args_slice(&waiting));
		err = errno;
		more = result != 0 && args_has_more(&waiting, err);
		if (!more)
			reader_leave(r);
		Py_END_ALLOW_THREADS
	} while (more && reader_goes_on(r));
	if (result == 0)
		Py_RETURN_TRUE;
	if (PyErr_Occurred())
		return NULL;
	if (err == ETIMEDOUT)
		Py_RETURN_FALSE;
	return errors_raise_as(err, slip_error_detail());
}

PyObject *reader_wait(FAST_ARGS)
{
	static const char *const names[] = {"name", "timeout", NULL};
	static const struct signature signature = {"wait", 0, 2, names};
	PyObject *values[2];
	if (args_take(&signature, args, count, kwnames, values) != 0)
		return NULL;
	struct reader *r = reader_of(self);
	return wait_with(r, values[0] != NULL ? values[0] : r->state->image, values[1], slip_wait);
}

PyObject *reader_wait_for_array(FAST_ARGS)
{
	static const char *const names[] = {"name", "timeout", NULL};
	static const struct signature signature = {"wait_for_array", 1, 2, names};
	PyObject *values[2];
	if (args_take(&signature, args, count, kwnames, values) != 0)
		return NULL;
	return wait_with(reader_of(self), values[0], values[1], slip_wait_for_array);
}

/* ---- asking ---- */

/* Each sets what it has to say and returns 0 or more, or -1 with errno. */
struct answer {
	slip_frame latest; /* its shape, its dtype */
	slip_reader_stats stats;
};

static int ask_shape(slip_reader *reader, const char *channel, struct answer *answer)
{
	answer->latest.ndim = slip_get_shape(reader, channel, answer->latest.shape);
	/* The dtype may be of a newer frame; of it only lanes count. */
	return answer->latest.ndim < 0 ? -1 : slip_get_dtype(reader, channel, &answer->latest.dtype);
}

static int ask_dtype(slip_reader *reader, const char *channel, struct answer *answer)
{
	return slip_get_dtype(reader, channel, &answer->latest.dtype);
}

static int ask_alive(slip_reader *reader, const char *channel, struct answer *Py_UNUSED(answer))
{
	return slip_writer_alive(reader, channel);
}

static int ask_stats(slip_reader *reader, const char *channel, struct answer *answer)
{
	answer->stats.struct_size = sizeof(answer->stats);
	return slip_reader_get_stats(reader, channel, &answer->stats);
}

typedef int (*asker)(slip_reader *reader, const char *channel, struct answer *answer);

/* What the question gave; -1 with errno; -2 with an exception. */
static int ask(const char *function, FAST_ARGS, asker question, struct answer *answer)
{
	struct reader *r = reader_of(self);
	PyObject *name = args_take_name(function, args, count, kwnames, NULL);
	const char *channel = name != NULL ? args_text(name, "name") : NULL;
	int given;
	*answer = (struct answer){.latest = {.ndim = 0}};
	if (channel == NULL || reader_enter(r) != 0)
		return -2;
	Py_BEGIN_ALLOW_THREADS given = question(r->handle, channel, answer);
	Py_END_ALLOW_THREADS int err = errno;
	reader_leave(r);
	errno = err;
	return given;
}

/* For a question without an answer. */
static PyObject *none_or_error(int given)
{
	if (given == -2)
		return NULL;
	if (!reader_found_nothing(errno))
		return errors_raise();
	Py_RETURN_NONE;
}

PyObject *reader_get_shape(FAST_ARGS)
{
	struct answer answer;
	struct layout layout;
	int given = ask("get_shape", self, args, count, kwnames, ask_shape, &answer);
	if (given < 0)
		return none_or_error(given);
	layout_of(&answer.latest, &layout);
	return layout_shape(&layout);
}

PyObject *reader_get_ndim(FAST_ARGS)
{
	struct answer answer;
	struct layout layout;
	int given = ask("get_ndim", self, args, count, kwnames, ask_shape, &answer);
	if (given < 0)
		return none_or_error(given);
	layout_of(&answer.latest, &layout);
	return PyLong_FromLong(layout.ndim);
}

PyObject *reader_get_dtype(FAST_ARGS)
{
	struct answer answer;
	int given = ask("get_dtype", self, args, count, kwnames, ask_dtype, &answer);
	if (given < 0)
		return none_or_error(given);
	return dtype_to_numpy(reader_of(self)->state, answer.latest.dtype);
}

PyObject *reader_writer_alive(FAST_ARGS)
{
	struct answer answer;
	int given = ask("writer_alive", self, args, count, kwnames, ask_alive, &answer);
	if (given < 0)
		return given == -1 ? errors_raise() : NULL;
	return PyBool_FromLong(given);
}

PyObject *reader_stats(FAST_ARGS)
{
	struct answer answer;
	int given = ask("stats", self, args, count, kwnames, ask_stats, &answer);
	if (given < 0)
		return given == -1 ? errors_raise() : NULL;
	const slip_reader_stats *s = &answer.stats;
	PyObject *type = state_import("slipring._types", "ReaderStats");
	PyObject *stats =
		type != NULL ? PyObject_CallFunction(type, "KKKKKIK", (unsigned long long)s->got, (unsigned long long)s->missed,
						     (unsigned long long)s->last_seq, (unsigned long long)s->generations,
						     (unsigned long long)s->epoch, (unsigned)s->leases, (unsigned long long)s->contended)
			     : NULL;
	Py_XDECREF(type);
	return stats;
}
