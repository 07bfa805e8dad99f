/*
 * wait.h - waiting for several channels at once, and what ends that from outside.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_WAIT_H
#define SLIP_PYTHON_WAIT_H

#include "state.h"

extern const char wait_any_doc[];
PyObject *wait_any(FAST_ARGS);

#endif
