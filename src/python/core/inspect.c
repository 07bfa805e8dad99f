/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect.h"

#include "args.h"
#include "errors.h"
#include "state.h"

#include <stdlib.h>
#include <string.h>

/* ---- channels ---- */

static PyObject *channel_list(const slip_channel_name *names, size_t count)
{
	PyObject *type = state_import("slipring._types", "Channel");
	PyObject *list = type != NULL ? PyList_New(0) : NULL;
	for (size_t i = 0; list != NULL && i < count; i++) {
		PyObject *channel = PyObject_CallFunction(type, "sss", names[i].base, names[i].channel, args_mode_name(names[i].mode));
		if (channel == NULL || PyList_Append(list, channel) != 0)
			Py_CLEAR(list);
		Py_XDECREF(channel);
	}
	Py_XDECREF(type);
	return list;
}

PyObject *inspect_channels(FAST_ARGS)
{
	static const char *const arg_names[] = {"base", NULL};
	static const struct signature signature = {"channels", 0, 1, arg_names};
	PyObject *values[1];
	const char *base = NULL;
	slip_channel_name *names = NULL;
	size_t found = 0;
	int result;
	(void)self;
	if (args_take(&signature, args, count, kwnames, values) != 0 ||
	    (values[0] != NULL && values[0] != Py_None && (base = args_text(values[0], "base")) == NULL))
		return NULL;
	Py_BEGIN_ALLOW_THREADS result = slip_list_channels(base, &names, &found);
	Py_END_ALLOW_THREADS if (result != 0) return errors_raise();
	PyObject *list = channel_list(names, found);
	free(names);
	return list;
}

const char inspect_channels_doc[] = "channels($module, /, base=None)\n--\n\nEvery channel that exists, sorted by name, as a list of "
				    "Channel; base selects one base name.";

/* ---- inspect ---- */

/* Steals value; without one there is an exception already. */
static int put(PyObject *dict, const char *key, PyObject *value)
{
	int result = value != NULL ? PyDict_SetItemString(dict, key, value) : -1;
	Py_XDECREF(value);
	return result;
}

static PyObject *number(uint64_t value)
{
	return PyLong_FromUnsignedLongLong(value);
}

static PyObject *text(const char *value)
{
	return PyUnicode_DecodeUTF8(value, (Py_ssize_t)strlen(value), "replace");
}

static const char *state_name(slip_channel_state state)
{
	return state == SLIP_CHANNEL_LIVE ? "live" : state == SLIP_CHANNEL_DEAD ? "dead" : "closed";
}

static PyObject *list_of(size_t count, PyObject *(*make)(const slip_channel_info *, size_t), const slip_channel_info *info)
{
	PyObject *list = PyList_New(0);
	for (size_t i = 0; list != NULL && i < count; i++) {
		PyObject *item = make(info, i);
		if (item == NULL || PyList_Append(list, item) != 0)
			Py_CLEAR(list);
		Py_XDECREF(item);
	}
	return list;
}

static PyObject *list_of_ages(const slip_reader_info *r)
{
	PyObject *ages = PyList_New(0);
	for (size_t b = 0; ages != NULL && b < SLIP_AGE_BUCKETS; b++) {
		PyObject *age = number(r->ages[b]);
		if (age == NULL || PyList_Append(ages, age) != 0)
			Py_CLEAR(ages);
		Py_XDECREF(age);
	}
	return ages;
}

static PyObject *make_reader(const slip_channel_info *info, size_t i)
{
	const slip_reader_info *r = &info->readers[i];
	PyObject *d = PyDict_New();
	if (d != NULL && put(d, "ages", list_of_ages(r)) == 0 && put(d, "index", number(r->index)) == 0 &&
	    put(d, "alive", PyBool_FromLong(r->alive)) == 0 && put(d, "pid", number(r->pid)) == 0 &&
	    put(d, "in_order", PyBool_FromLong(r->in_order)) == 0 && put(d, "leases", number(r->leases)) == 0 &&
	    put(d, "got", number(r->got)) == 0 && put(d, "missed", number(r->missed)) == 0 &&
	    put(d, "last_seq", number(r->last_seq)) == 0 && put(d, "attached_ns", PyLong_FromLongLong(r->attached_ns)) == 0)
		return d;
	Py_XDECREF(d);
	return NULL;
}

static PyObject *make_slot(const slip_channel_info *info, size_t i)
{
	PyObject *d = PyDict_New();
	if (d != NULL && put(d, "seq", number(info->slot_info[i].seq)) == 0 && put(d, "pins", number(info->slot_info[i].pins)) == 0)
		return d;
	Py_XDECREF(d);
	return NULL;
}

/* Of the newest frame; None where there is none. */
static int put_latest(PyObject *d, const slip_channel_info *info)
{
	char dtype[24];
	if (info->ndim < 0) {
		static const char *const keys[] = {"dtype", "ndim", "shape"};
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (PyDict_SetItemString(d, keys[i], Py_None) != 0)
				return -1;
		return 0;
	}
	if (slip_dtype_name(info->dtype, dtype, sizeof(dtype)) != 0) {
		errors_raise();
		return -1;
	}
	PyObject *shape = PyTuple_New(info->ndim);
	for (int i = 0; shape != NULL && i < info->ndim; i++) {
		PyObject *extent = PyLong_FromLongLong(info->shape[i]);
		if (extent == NULL || PyTuple_SetItem(shape, i, extent) != 0)
			Py_CLEAR(shape);
	}
	return put(d, "shape", shape) != 0 || put(d, "ndim", PyLong_FromLong(info->ndim)) != 0 ||
			       put(d, "dtype", PyUnicode_FromString(dtype)) != 0
		       ? -1
		       : 0;
}

static int fill(PyObject *d, const slip_channel_info *i)
{
	return put(d, "base", text(i->name.base)) != 0 || put(d, "channel", text(i->name.channel)) != 0 ||
	       put(d, "mode", text(args_mode_name(i->name.mode))) != 0 || put(d, "state", text(state_name(i->state))) != 0 ||
	       put(d, "layout_version", number(i->layout_version)) != 0 || put(d, "epoch", number(i->epoch)) != 0 ||
	       put(d, "generation", number(i->generation)) != 0 || put(d, "first_seq", number(i->first_seq)) != 0 ||
	       put(d, "last_seq", number(i->last_seq)) != 0 || put(d, "slots", number(i->slots)) != 0 ||
	       put(d, "max_readers", number(i->max_readers)) != 0 || put(d, "leases_per_reader", number(i->leases_per_reader)) != 0 ||
	       put(d, "max_loans", number(i->max_loans)) != 0 || put(d, "history", number(i->history)) != 0 ||
	       put(d, "writer_pid", number(i->writer_pid)) != 0 || put(d, "capacity", number(i->capacity)) != 0 ||
	       put(d, "control_bytes", number(i->control_bytes)) != 0 || put(d, "payload_bytes", number(i->payload_bytes)) != 0 ||
	       put(d, "permissions", number(i->permissions)) != 0 || put(d, "owner", number(i->owner)) != 0 ||
	       put(d, "published", number(i->published)) != 0 || put(d, "refused", number(i->refused)) != 0 ||
	       put(d, "wakes", number(i->wakes)) != 0 || put(d, "last_publish_ns", PyLong_FromLongLong(i->last_publish_ns)) != 0 ||
	       put_latest(d, i) != 0 || put(d, "encoding", text(i->encoding)) != 0 || put(d, "frame_id", text(i->frame_id)) != 0 ||
	       put(d, "readers", list_of(i->reader_count, make_reader, i)) != 0 ||
	       put(d, "slot_info", list_of(i->slot_count, make_slot, i)) != 0;
}

PyObject *inspect_channel(FAST_ARGS)
{
	static const char *const names[] = {"base", "channel", "mode", NULL};
	static const struct signature signature = {"inspect", 1, 3, names};
	PyObject *values[3];
	const char *base, *channel = "image";
	slip_mode mode;
	slip_channel_info *info;
	(void)self;
	if (args_take(&signature, args, count, kwnames, values) != 0 || (base = args_text(values[0], "base")) == NULL ||
	    (values[1] != NULL && (channel = args_text(values[1], "channel")) == NULL) || args_mode(values[2], &mode) != 0)
		return NULL;
	Py_BEGIN_ALLOW_THREADS info = slip_channel_inspect(base, channel, mode);
	Py_END_ALLOW_THREADS if (info == NULL) return errors_raise();
	PyObject *dict = PyDict_New();
	if (dict != NULL && fill(dict, info) != 0)
		Py_CLEAR(dict);
	slip_channel_info_free(info);
	return dict;
}

const char inspect_channel_doc[] =
	"inspect($module, /, base, channel='image', mode=None)\n--\n\n"
	"A snapshot of a channel, its readers and its slots, as a dict of plain values; see slipring/inspect.h for what each means.\n\n"
	"Takes no part in it: neither writer nor readers notice. FileNotFoundError, PermissionError, OSError(EBADMSG).";
