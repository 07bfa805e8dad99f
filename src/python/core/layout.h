/*
 * layout.h - how a frame's elements lie in memory, as Python sees it: a type of several lanes has one dimension more. Exports it by the buffer
 * protocol, and makes numpy arrays over it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_LAYOUT_H
#define SLIP_PYTHON_LAYOUT_H

#include "state.h"

struct layout {
	slip_dtype dtype; /* of one lane */
	int ndim;
	Py_ssize_t itemsize;
	Py_ssize_t bytes; /* of all elements, without padding */
	Py_ssize_t shape[SLIP_MAX_DIMS + 1];
	Py_ssize_t strides[SLIP_MAX_DIMS + 1];
};

void layout_of(const slip_frame *frame, struct layout *layout);

PyObject *layout_shape(const struct layout *layout);
PyObject *layout_strides(const struct layout *layout);

/*
 * Fills in a Py_buffer as flags ask, with a reference to owner. The layout must live as long as owner. bits: bfloat16 elements go as uint16, which
 * holds their bits; without it a request for their format fails. BufferError for what cannot be.
 */
int layout_export(const struct layout *layout, PyObject *owner, void *data, bool readonly, bool bits, Py_buffer *view, int flags);

/* An object whose memory is exported: a frame or a loan. */
struct source {
	PyObject *owner;
	const slip_frame *frame; /* what it was when it was made; its data is there while an export is held */
	const struct layout *layout;
	/* bf_getbuffer with the choice of bits. */
	int (*export)(PyObject *owner, Py_buffer *view, int flags, bool bits);
};

/* A numpy array over the memory, which holds an export. */
PyObject *layout_array(struct state *state, const struct source *source);

/*
 * The array that *cache refers to weakly, or a new one. An array has no traverse of its own: a strong reference would make a cycle that nobody can
 * break. Inside the owner's section.
 */
PyObject *layout_cached_array(struct state *state, const struct source *source, PyObject **cache);

/* What *cache refers to; NULL without an exception where nothing does. */
PyObject *layout_cached(PyObject *cache);

/* __array__(dtype=None, copy=None), given the array. */
PyObject *layout_convert(struct state *state, PyObject *array, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

#endif
