/* transport.c - what every transport uses: the clock, looking again, and saying what failed. SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool has_failed;

int complain(const char *format, ...)
{
	int error = errno;
	va_list arguments;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "%s%s\n", error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
	has_failed = true;
	return -1;
}

bool failed(void)
{
	return has_failed;
}

int64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

bool spin_on(int64_t until_ns)
{
	/* A clock read takes as long as several looks: every 64th is enough for a limit of milliseconds. */
	static unsigned looks;
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
	return ++looks % 64 != 0 || now_ns() < until_ns;
}
