/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "text.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = 1;
}

void catch_signals(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal; /* without SA_RESTART: a read or a wait ends */
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

bool stopped(void)
{
	return stop_asked != 0;
}

static bool take_name(const char *from, size_t length, char to[SLIP_NAME_MAX])
{
	if (length >= SLIP_NAME_MAX)
		return false;
	memcpy(to, from, length);
	to[length] = '\0';
	return true;
}

int parse_target(const char *command, const char *text, const char *default_channel, struct target *target)
{
	const char *slash = strchr(text, '/');
	size_t base = slash != NULL ? (size_t)(slash - text) : strlen(text);
	const char *channel = slash != NULL ? slash + 1 : default_channel;
	bool fits = take_name(text, base, target->base) && take_name(channel, strlen(channel), target->channel);
	if (!fits)
		return say_usage(command, "'%s' is no BASE/CHANNEL: a name is too long", text);
	/* The library knows what a name may be: let it judge before anything else is opened. */
	slip_reader *probe = slip_reader_open(target->base, NULL);
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	bool good = probe != NULL && slip_reader_get_stats(probe, target->channel, &stats) == 0;
	bool wrong = errno == EINVAL;
	slip_reader_close(probe);
	if (good)
		return EXIT_OK;
	if (wrong)
		return say_usage(command, "'%s' is no BASE/CHANNEL: %s", text, slip_error_detail());
	return say_library_error("cannot open a reader");
}

bool parse_count(const char *command, const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < least || number > most) {
		say_usage(command, "--%s is '%s'; expected a whole number from %llu to %llu", option, text, (unsigned long long)least,
			  (unsigned long long)most);
		return false;
	}
	*value = number;
	return true;
}

bool parse_real(const char *command, const char *option, const char *text, double least, double most, double *value)
{
	char *end;
	double number = strtod(text, &end);
	if (end == text || *end != '\0' || isnan(number) || number < least || number > most) {
		say_usage(command, "--%s is '%s'; expected a number from %g to %g", option, text, least, most);
		return false;
	}
	*value = number;
	return true;
}

bool parse_size(const char *command, const char *text, int64_t *width, int64_t *height)
{
	char *end;
	long long w = strtoll(text, &end, 10);
	long long h = *end == 'x' ? strtoll(end + 1, &end, 10) : 0;
	if (*end != '\0' || w < 1 || h < 1 || w > 65535 || h > 65535) {
		say_usage(command, "--size is '%s'; expected WIDTHxHEIGHT, such as 1920x1080", text);
		return false;
	}
	*width = w;
	*height = h;
	return true;
}

bool parse_shape(const char *command, const char *text, slip_array *array)
{
	const char *at = text;
	array->ndim = 0;
	while (*at != '\0') {
		char *end;
		errno = 0;
		long long extent = strtoll(at, &end, 10);
		bool separated = *end == ',' || *end == 'x' || *end == '\0';
		if (end == at || !separated || errno != 0 || extent < 0 || array->ndim == SLIP_MAX_DIMS) {
			say_usage(command, "--shape is '%s'; expected up to %d extents, such as 480,640,3", text, SLIP_MAX_DIMS);
			return false;
		}
		array->shape[array->ndim++] = extent;
		at = *end != '\0' ? end + 1 : end;
	}
	return true;
}

bool parse_mode(const char *command, const char *text, slip_mode *mode)
{
	for (slip_mode m = SLIP_MODE_LOCK_FREE; m <= SLIP_MODE_SEMAPHORE; m++)
		if (strcmp(text, mode_name(m)) == 0) {
			*mode = m;
			return true;
		}
	say_usage(command, "--mode is '%s'; expected lock-free or semaphore", text);
	return false;
}

bool parse_permissions(const char *command, const char *option, const char *text, mode_t *mode)
{
	char *end;
	unsigned long bits = strtoul(text, &end, 8);
	if (text[0] < '0' || text[0] > '7' || *end != '\0' || bits > 0777) {
		say_usage(command, "--%s is '%s'; expected octal permissions, such as 0660", option, text);
		return false;
	}
	*mode = (mode_t)bits;
	return true;
}

int next_option(const char *command, int argc, char **argv, const struct option *options)
{
	opterr = 0;
	/* ':' first: a missing value is told from an unknown option. Short options are each long one's val. */
	char shorts[128] = ":";
	size_t at = 1;
	for (const struct option *o = options; o->name != NULL && at < sizeof(shorts) - 3; o++) {
		if (o->val >= 128)
			continue;
		shorts[at++] = (char)o->val;
		if (o->has_arg == required_argument)
			shorts[at++] = ':';
	}
	shorts[at] = '\0';
	int found = getopt_long(argc, argv, shorts, options, NULL);
	if (found == '?')
		say_usage(command, "there is no option '%s'", argv[optind - 1]);
	if (found == ':') {
		say_usage(command, "the option '%s' needs a value", argv[optind - 1]);
		return '?';
	}
	return found;
}
