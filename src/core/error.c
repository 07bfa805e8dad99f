/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <errno.h>
#include <slipring/types.h>
#include <stdarg.h>
#include <stdio.h>

static _Thread_local char detail[512];

static void set_detail(const char *format, va_list arguments)
{
	/* A sentence that is cut is still a sentence: nothing to do about truncation. */
	(void)vsnprintf(detail, sizeof(detail), format, arguments);
}

int slip__fail(int err, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	set_detail(format, arguments);
	va_end(arguments);
	errno = err;
	return -1;
}

void *slip__fail_null(int err, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	set_detail(format, arguments);
	va_end(arguments);
	errno = err;
	return NULL;
}

int slip__fail_silently(int err)
{
	errno = err;
	return -1;
}

const char *slip_error_detail(void)
{
	return detail;
}
