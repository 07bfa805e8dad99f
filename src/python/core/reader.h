/*
 * reader.h - the Reader of Python. The library wants one thread at a time per handle; who comes meanwhile gets RuntimeError instead of a wait, since
 * two threads that share one place in a stream are a mistake.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_READER_H
#define SLIP_PYTHON_READER_H

#include "state.h"

struct reader {
	PyObject_HEAD struct state *state;
	PyObject *weakrefs;
	PyObject *base;
	slip_reader_options options;
	unsigned forks;
	_Atomic(bool) busy;
	_Atomic(bool) closed;
	slip_reader *handle;
	/* Inside: a channel whose frames are leases, as the last one got showed; getting one is too short to give up the GIL for. */
	char quick[SLIP_NAME_MAX];
};

/*
 * Enters a reader, until reader_leave. 0, or -1 with RuntimeError where somebody is in it, ValueError where it is closed, ChildProcessError after a
 * fork. Leaving needs no GIL, and comes before waiting for it: otherwise a thread that goes from call to call would never be seen outside.
 */
int reader_enter(struct reader *reader);
void reader_leave(struct reader *reader);

/* Inside, between the slices of a wait: whether no handler of a signal raised; where one did, leaves. */
bool reader_goes_on(struct reader *reader);

/* Its methods that get frames and arrays: reader_get.c. */
PyObject *reader_latest(FAST_ARGS);
PyObject *reader_next(FAST_ARGS);
PyObject *reader_get_image(FAST_ARGS);
PyObject *reader_get_depth(FAST_ARGS);
PyObject *reader_get_pointcloud(FAST_ARGS);
PyObject *reader_get_mask(FAST_ARGS);
PyObject *reader_get_array(FAST_ARGS);

/* Its methods that wait and ask: reader_ask.c. */
PyObject *reader_wait(FAST_ARGS);
PyObject *reader_wait_for_array(FAST_ARGS);
PyObject *reader_get_shape(FAST_ARGS);
PyObject *reader_get_dtype(FAST_ARGS);
PyObject *reader_get_ndim(FAST_ARGS);
PyObject *reader_writer_alive(FAST_ARGS);
PyObject *reader_stats(FAST_ARGS);

/* Where a failure is no more than nothing to be had: no channel or frame, closed, or contended. */
bool reader_found_nothing(int err);

#endif
