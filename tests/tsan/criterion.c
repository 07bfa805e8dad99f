/*
 * criterion.c - runs the tests that criterion/criterion.h has collected.
 *
 * Arguments: --filter SUITE/TEST (patterns as the shell's), --list.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct criterion_test *tests; /* in the file's order, suites among them */
static bool failed;		     /* in a test's child */

void criterion_add(struct criterion_test *test)
{
	struct criterion_test **end = &tests;
	while (*end != NULL)
		end = &(*end)->next;
	*end = test;
}

void criterion_fail(bool end, const char *file, int line, const char *what, const char *message, ...)
{
	va_list arguments;
	va_start(arguments, message);
	fprintf(stderr, "%s:%d: %s does not hold%s", file, line, what, message[0] != '\0' ? ": " : "");
	vfprintf(stderr, message, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	failed = true;
	if (end)
		_exit(1);
}

static const struct criterion_options *suite_of(const struct criterion_test *test)
{
	for (const struct criterion_test *t = tests; t != NULL; t = t->next)
		if (t->name == NULL && strcmp(t->suite, test->suite) == 0)
			return &t->options;
	return &(test->options);
}

static void run(const struct criterion_test *test)
{
	const struct criterion_options *suite = suite_of(test);
	void (*init)(void) = test->options.init != NULL ? test->options.init : suite->init;
	void (*fini)(void) = test->options.fini != NULL ? test->options.fini : suite->fini;
	if (init != NULL)
		init();
	test->body();
	if (fini != NULL)
		fini();
}

static bool passes(const struct criterion_test *test)
{
	int status;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		run(test);
		exit(failed); /* not _exit: ThreadSanitizer looks for threads that were left */
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
		fprintf(stderr, "%s/%s failed\n", test->suite, test->name);
		return false;
	}
	return true;
}

int main(int count, char **arguments)
{
	const char *filter = count == 3 && strcmp(arguments[1], "--filter") == 0 ? arguments[2] : NULL;
	bool list = count == 2 && strcmp(arguments[1], "--list") == 0;
	if (count > 1 && filter == NULL && !list) {
		fprintf(stderr, "usage: %s [--filter SUITE/TEST | --list]\n", arguments[0]);
		return 2;
	}
	int ran = 0;
	int passed = 0;
	for (const struct criterion_test *test = tests; test != NULL; test = test->next) {
		char name[512];
		(void)snprintf(name, sizeof(name), "%s/%s", test->suite, test->name != NULL ? test->name : "");
		if (test->name == NULL || (filter != NULL && fnmatch(filter, name, 0) != 0))
			continue;
		if (list) {
			puts(name);
			continue;
		}
		ran++;
		passed += passes(test);
	}
	if (list)
		return 0;
	printf("%d tests, %d passed\n", ran, passed);
	return ran == 0 || passed < ran;
}
