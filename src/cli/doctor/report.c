/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include "../text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	TEXT_BYTES = 1024,
	CHECK_BYTES = 224,
	VALUES = 24,
	KEY_BYTES = 24,
	VALUE_BYTES = 320,
	LEAST_WIDTH = 72,
	LEAST_CHECK = 12,
	MOST_CHECK = 26
};

enum kind { KIND_NUMBER, KIND_FLAG, KIND_TEXT };

struct value {
	char key[KEY_BYTES];
	enum kind kind;
	uint64_t number;
	char text[VALUE_BYTES];
};

struct finding {
	const char *section;
	char check[CHECK_BYTES];
	enum status status;
	char found[TEXT_BYTES];
	char advice[TEXT_BYTES];
	struct value values[VALUES];
	size_t value_count;
};

void report_section(struct report *report, const char *section)
{
	report->section = section;
}

static void append(char *to, const char *separator, const char *format, va_list arguments)
{
	size_t at = strlen(to);
	if (at > 0)
		at += (size_t)snprintf(to + at, TEXT_BYTES - at, "%s", separator);
	if (at < TEXT_BYTES)
		(void)vsnprintf(to + at, TEXT_BYTES - at, format, arguments);
}

static struct finding *last(struct report *report)
{
	return &report->findings[report->count - 1];
}

void report_add(struct report *report, const char *check, enum status status, const char *found, ...)
{
	if (report->count == report->room) {
		size_t room = report->room > 0 ? report->room * 2 : 32;
		struct finding *findings = realloc(report->findings, room * sizeof(*findings));
		if (findings == NULL)
			exit(say_error("no memory for %zu findings", room));
		report->findings = findings;
		report->room = room;
	}
	struct finding *f = &report->findings[report->count++];
	memset(f, 0, sizeof(*f));
	f->section = report->section;
	f->status = status;
	(void)snprintf(f->check, sizeof(f->check), "%s", check);
	va_list arguments;
	va_start(arguments, found);
	append(f->found, "", found, arguments);
	va_end(arguments);
}

void report_more(struct report *report, const char *found, ...)
{
	va_list arguments;
	va_start(arguments, found);
	append(last(report)->found, "; ", found, arguments);
	va_end(arguments);
}

void report_advise(struct report *report, enum status at_least, const char *advice, ...)
{
	va_list arguments;
	va_start(arguments, advice);
	append(last(report)->advice, ". ", advice, arguments);
	va_end(arguments);
	if (last(report)->status < at_least)
		last(report)->status = at_least;
}

static struct value *add_value(struct report *report, const char *key, enum kind kind)
{
	struct finding *f = last(report);
	/* A full list would be a mistake of this program's, which its test sees. */
	struct value *value = &f->values[f->value_count < VALUES ? f->value_count++ : VALUES - 1];
	(void)snprintf(value->key, sizeof(value->key), "%s", key);
	value->kind = kind;
	return value;
}

void report_number(struct report *report, const char *key, uint64_t number)
{
	add_value(report, key, KIND_NUMBER)->number = number;
}

void report_flag(struct report *report, const char *key, bool flag)
{
	add_value(report, key, KIND_FLAG)->number = flag;
}

void report_text(struct report *report, const char *key, const char *text)
{
	(void)snprintf(add_value(report, key, KIND_TEXT)->text, VALUE_BYTES, "%s", text);
}

size_t report_count(const struct report *report, enum status status)
{
	size_t count = 0;
	for (size_t i = 0; i < report->count; i++)
		count += report->findings[i].status == status;
	return count;
}

void report_free(struct report *report)
{
	free(report->findings);
}

/* ---- for people ---- */

static int width(void)
{
	struct winsize size;
	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 110;
	return size.ws_col < LEAST_WIDTH ? LEAST_WIDTH : size.ws_col < 120 ? size.ws_col : 120;
}

/* Fills lines up to the width, all but the first one indented. What another user named is printed without its control bytes. */
static void print_wrapped(const char *text, int indent, int columns)
{
	int at = indent;
	for (const char *word = text; *word != '\0';) {
		int length = (int)strcspn(word, " ");
		if (at > indent && at + 1 + length > columns) {
			printf("\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			putchar(' ');
			at++;
		}
		for (int i = 0; i < length; i++)
			putchar((unsigned char)word[i] < ' ' || word[i] == 0x7f ? '?' : word[i]);
		at += length;
		word += length + (word[length] == ' ');
	}
	putchar('\n');
}

static const char *status_name(enum status status)
{
	static const char *const NAMES[] = {"ok", "note", "problem"};
	return NAMES[status];
}

/* The column of the checks' names; longer ones have a line of their own. */
static int check_width(const struct report *report)
{
	int most = LEAST_CHECK;
	for (size_t i = 0; i < report->count; i++) {
		int length = (int)strlen(report->findings[i].check);
		if (length > most && length <= MOST_CHECK)
			most = length;
	}
	return most;
}

static void print_finding(const struct finding *f, int check, int columns)
{
	int indent = 2 + 8 + check + 2;
	const char *colour = f->status == STATUS_PROBLEM ? alarm_colour(stdout) : f->status == STATUS_NOTE ? bold(stdout) : faint(stdout);
	printf("  %s%-8s%s%-*s  ", colour, status_name(f->status), plain(stdout), check, f->check);
	if ((int)strlen(f->check) > check)
		printf("\n%*s", indent, "");
	print_wrapped(f->found, indent, columns);
	if (f->advice[0] == '\0')
		return;
	printf("%*s%s> %s", indent, "", bold(stdout), plain(stdout));
	print_wrapped(f->advice, indent + 2, columns);
}

void report_print(const struct report *report)
{
	const char *section = NULL;
	int columns = width();
	int check = check_width(report);
	printf("%sslipring doctor%s  slipring %s, layout %u\n", bold(stdout), plain(stdout), slip_version(), slip_layout_version());
	for (size_t i = 0; i < report->count; i++) {
		const struct finding *f = &report->findings[i];
		if (section == NULL || strcmp(section, f->section) != 0)
			printf("\n%s%s%s\n", bold(stdout), f->section, plain(stdout));
		section = f->section;
		print_finding(f, check, columns);
	}
	size_t problems = report_count(report, STATUS_PROBLEM);
	size_t notes = report_count(report, STATUS_NOTE);
	printf("\n%zu checks: ", report->count);
	if (problems == 0 && notes == 0)
		printf("all is well.\n");
	else
		printf("%s%zu problem%s%s, %zu note%s.\n", problems > 0 ? alarm_colour(stdout) : "", problems, problems == 1 ? "" : "s",
		       plain(stdout), notes, notes == 1 ? "" : "s");
}

/* ---- for programs ---- */

static void print_values(const struct finding *f)
{
	for (size_t i = 0; i < f->value_count; i++) {
		const struct value *v = &f->values[i];
		printf("%s\"%s\":", i > 0 ? "," : "", v->key);
		if (v->kind == KIND_NUMBER)
			printf("%" PRIu64, v->number);
		else if (v->kind == KIND_FLAG)
			printf("%s", v->number ? "true" : "false");
		else
			json_string(stdout, v->text);
	}
}

void report_print_json(const struct report *report)
{
	printf("{\"version\":\"%s\",\"layout_version\":%u,\"problems\":%zu,\"notes\":%zu,\"findings\":[", slip_version(),
	       slip_layout_version(), report_count(report, STATUS_PROBLEM), report_count(report, STATUS_NOTE));
	for (size_t i = 0; i < report->count; i++) {
		const struct finding *f = &report->findings[i];
		printf("%s\n  {\"section\":\"%s\",\"check\":", i > 0 ? "," : "", f->section);
		json_string(stdout, f->check);
		printf(",\"status\":\"%s\",\"found\":", status_name(f->status));
		json_string(stdout, f->found);
		printf(",\"advice\":");
		json_string(stdout, f->advice);
		printf(",\"values\":{");
		print_values(f);
		printf("}}");
	}
	printf("\n]}\n");
}
