/*
 * error.h - errno plus one sentence per thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_ERROR_H
#define SLIP_CORE_ERROR_H

#include <stddef.h>

/* Sets the thread's detail sentence and errno; returns -1, or NULL. err is positive. */
int slip__fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
void *slip__fail_null(int err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* For probes whose failure is an answer: sets errno alone and returns -1. */
int slip__fail_silently(int err) __attribute__((cold));

#endif
