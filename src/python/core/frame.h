/*
 * frame.h - the Frame of Python: a lease, and who holds it. One count holds all who do: the object itself, and each export of its memory; who
 * takes it to zero gives the lease back. So memory that somebody looks at is always there, whatever was released or closed meanwhile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_FRAME_H
#define SLIP_PYTHON_FRAME_H

#include "layout.h"

/*
 * Takes the lease over, also where it fails. reader is kept alive: in a forked child, where leases cannot be given back, its memory is theirs.
 */
PyObject *frame_make(struct state *state, PyObject *reader, slip_frame *lease, unsigned forks);

/* What is common to the views of a frame's fields. */
PyObject *frame_array(PyObject *self);

#endif
