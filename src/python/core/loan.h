/*
 * loan.h - the Loan of Python: a slot that is filled in place. It is out until it is published or discarded. Views of its memory may live longer:
 * what was published is then kept as the writer's own lease, what was discarded stays claimed, until the last of them goes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_LOAN_H
#define SLIP_PYTHON_LOAN_H

#include "writer.h"

/* what has its dtype, shape and strides; description is as writer_describe takes it. */
PyObject *loan_make(struct writer *writer, PyObject *name, slip_array *what, PyObject *const *description);

#endif
