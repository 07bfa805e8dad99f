/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes of the character that a text begins with, or 0 where a terminal may take it for an order: C0, DEL, C1, and what is no UTF-8. */
static size_t character(const unsigned char *at)
{
	if (at[0] < 0x80)
		return at[0] >= ' ' && at[0] != 0x7f;
	size_t length = at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
	/* The least second byte: from U+00A0 on, and nothing that a shorter one says. */
	unsigned least = at[0] == 0xc2 || at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
	for (size_t i = 1; i < length; i++)
		if (at[i] < (i == 1 ? least : 0x80) || at[i] > 0xbf)
			return 0;
	return length;
}

char *printable(char *text)
{
	for (unsigned char *at = (unsigned char *)text; *at != '\0';) {
		size_t length = character(at);
		if (length == 0)
			*at = '?';
		at += length > 0 ? length : 1;
	}
	return text;
}

static void say(const char *format, va_list arguments)
{
	char text[2 * 4096]; /* no memory that might be what is lacking; two paths fit */
	(void)vsnprintf(text, sizeof(text), format, arguments);
	fprintf(stderr, "slipring: %s\n", printable(text));
}

int say_error(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	return EXIT_FAILED;
}

int say_usage(const char *command, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	fprintf(stderr, "Try 'slipring %s%s--help'.\n", command, command[0] != '\0' ? " " : "");
	return EXIT_USAGE;
}

int say_library_error(const char *doing)
{
	return say_error("%s: %s", doing, slip_error_detail());
}

static const char *code(FILE *to, const char *sequence)
{
	return getenv("NO_COLOR") == NULL && isatty(fileno(to)) ? sequence : "";
}

const char *bold(FILE *to)
{
	return code(to, "\033[1m");
}

const char *faint(FILE *to)
{
	return code(to, "\033[2m");
}

const char *alarm_colour(FILE *to)
{
	return code(to, "\033[31m");
}

const char *plain(FILE *to)
{
	return code(to, "\033[0m");
}

const char *human_size(uint64_t bytes, char text[16])
{
	static const char *const UNITS[] = {"B", "kB", "MB", "GB", "TB"};
	double value = (double)bytes;
	int unit = 0;
	for (; value >= 1000 && unit < 4; unit++)
		value /= 1000;
	(void)snprintf(text, 16, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, UNITS[unit]);
	return text;
}

const char *shape_text(int32_t ndim, const int64_t *shape, char text[128])
{
	size_t at = 0;
	if (ndim == 0)
		(void)snprintf(text, 128, "scalar");
	for (int32_t i = 0; i < ndim && at < 100; i++)
		at += (size_t)snprintf(text + at, 128 - at, i > 0 ? "x%lld" : "%lld", (long long)shape[i]);
	return text;
}

const char *human_ns(uint64_t ns, char text[16])
{
	static const char *const UNITS[] = {"ns", "us", "ms", "s"};
	double value = (double)ns;
	int unit = 0;
	for (; value >= 1000 && unit < 3; unit++)
		value /= 1000;
	(void)snprintf(text, 16, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, UNITS[unit]);
	return text;
}

const char *mode_name(slip_mode mode)
{
	return mode == SLIP_MODE_SEMAPHORE ? "semaphore" : "lock-free";
}

const char *state_name(slip_channel_state state)
{
	static const char *const NAMES[] = {"?", "live", "dead", "closed", "unknown"};
	return NAMES[state <= SLIP_CHANNEL_UNKNOWN ? state : 0];
}
