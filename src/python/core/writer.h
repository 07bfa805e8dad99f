/*
 * writer.h - the Writer of Python, as its loans see it.
 *
 * One lock per writer holds everything that is below it, in the library too. Whoever has it takes no step in Python before giving it back: so its
 * holder never waits for the GIL, and waiting for it needs no order among locks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_WRITER_H
#define SLIP_PYTHON_WRITER_H

#include "state.h"

#include <pthread.h>

struct writer {
	PyObject_HEAD struct state *state;
	PyObject *weakrefs;
	PyObject *base;
	slip_mode mode;
	unsigned forks;
	pthread_mutex_t lock;
	slip_writer *handle; /* NULL: not opened, or closed */
	bool closed;	     /* in a forked child too, where the handle stays until no loan points there */
	struct loan *viewed; /* loans that are out and whose memory is viewed: the first of a list */
};

/* What a call under the lock came to: 0, an errno of the library's, or one of these. */
enum { OUTCOME_CLOSED = -1, OUTCOME_NOT_OUT = -2 };

typedef int (*writer_call)(struct writer *writer, void *arg);

/* Runs call under the lock and returns what it returns. patient: it may take long, so that the GIL is given up for it. */
int writer_run(struct writer *writer, writer_call call, void *arg, bool patient);

/* Under the lock. */
bool writer_is_open(const struct writer *writer);

/* Raises what an outcome other than 0 says. Returns NULL. */
PyObject *writer_raise(int outcome);

/* Raises ValueError where it was closed, ChildProcessError after a fork. */
int writer_check(struct writer *writer);

/* Its methods: writer_calls.c. */
PyObject *writer_set_image(FAST_ARGS);
PyObject *writer_set_depth(FAST_ARGS);
PyObject *writer_set_pointcloud(FAST_ARGS);
PyObject *writer_set_mask(FAST_ARGS);
PyObject *writer_set_array(FAST_ARGS);
PyObject *writer_create(FAST_ARGS);
PyObject *writer_loan(FAST_ARGS);
PyObject *writer_readers_attached(FAST_ARGS);
PyObject *writer_stats(FAST_ARGS);

/* Arguments that describe what is sent: timestamp, encoding, frame_id, metadata, in this order. The metadata is held until PyBuffer_Release. */
enum { DESCRIPTION_ARGS = 4 };
int writer_describe(PyObject *const values[DESCRIPTION_ARGS], slip_array *array, Py_buffer *metadata);

#endif
