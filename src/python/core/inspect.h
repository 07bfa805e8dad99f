/*
 * inspect.h - looking at channels without taking part.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_INSPECT_H
#define SLIP_PYTHON_INSPECT_H

#include "py.h"

extern const char inspect_channels_doc[], inspect_channel_doc[];
PyObject *inspect_channels(FAST_ARGS);
PyObject *inspect_channel(FAST_ARGS);

#endif
