/*
 * criterion.h - stands in for Criterion under ThreadSanitizer, where Criterion 2.4.1 aborts at start (its issue 274): as much of it as tests/unit
 * uses. Each test runs in a child of its own, as there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_TSAN_CRITERION_H
#define SLIP_TESTS_TSAN_CRITERION_H

#include <stdbool.h>
#include <string.h>

/* As Criterion's header: a comparison of an int with a size_t, or an argument that a format does not take, is no warning of its user's. */
#pragma GCC system_header

struct criterion_options {
	void (*init)(void);
	void (*fini)(void);
	int end; /* so that there is always one to set */
};

struct criterion_test {
	const char *suite;
	const char *name; /* NULL: the suite itself, whose options are its tests' */
	void (*body)(void);
	struct criterion_options options;
	struct criterion_test *next;
};

void criterion_add(struct criterion_test *test);

/* Says what did not hold, with the message if it is not empty; ends the test where that is asked for. */
void criterion_fail(bool end, const char *file, int line, const char *what, const char *message, ...);

#define TestSuite(...) CRITERION_SUITE(__VA_ARGS__, .end = 0)
#define CRITERION_SUITE(Suite, ...)                                                                                                        \
	__attribute__((constructor)) static void Suite##_suite(void)                                                                       \
	{                                                                                                                                  \
		static struct criterion_test suite = {.suite = #Suite, .options = {__VA_ARGS__}};                                          \
		criterion_add(&suite);                                                                                                     \
	}                                                                                                                                  \
	struct criterion_options

#define Test(...) CRITERION_TEST(__VA_ARGS__, .end = 0)
#define CRITERION_TEST(Suite, Name, ...)                                                                                                   \
	static void Suite##_##Name##_body(void);                                                                                           \
	__attribute__((constructor)) static void Suite##_##Name##_add(void)                                                                \
	{                                                                                                                                  \
		static struct criterion_test test = {                                                                                      \
			.suite = #Suite, .name = #Name, .body = Suite##_##Name##_body, .options = {__VA_ARGS__}};                          \
		criterion_add(&test);                                                                                                      \
	}                                                                                                                                  \
	static void Suite##_##Name##_body(void)

/* The last argument, "", is the message where there is none, and one that no format takes where there is. */
#define CRITERION_HOLDS(end, condition, what, ...)                                                                                         \
	do {                                                                                                                               \
		if (!(condition))                                                                                                          \
			criterion_fail(end, __FILE__, __LINE__, what, __VA_ARGS__);                                                        \
	} while (0)
#define CRITERION_ONE(a, ...) CRITERION_HOLDS(true, a, #a, __VA_ARGS__)
#define CRITERION_NOT(a, ...) CRITERION_HOLDS(true, !(a), "not " #a, __VA_ARGS__)
#define CRITERION_NULL(a, ...) CRITERION_HOLDS(true, (a) == NULL, #a " == NULL", __VA_ARGS__)
#define CRITERION_NOT_NULL(a, ...) CRITERION_HOLDS(true, (a) != NULL, #a " != NULL", __VA_ARGS__)
#define CRITERION_TWO(end, relation, a, b, ...) CRITERION_HOLDS(end, (a)relation(b), #a " " #relation " " #b, __VA_ARGS__)
#define CRITERION_TEXTS(relation, a, b, ...)                                                                                               \
	CRITERION_HOLDS(true, strcmp(a, b) relation 0, #a " " #relation " " #b ", as texts", __VA_ARGS__)
#define CRITERION_BYTES(a, b, size, ...) CRITERION_HOLDS(true, memcmp(a, b, size) == 0, #a " == " #b " in " #size " bytes", __VA_ARGS__)
#define CRITERION_NEAR(a, b, by, ...)                                                                                                      \
	CRITERION_HOLDS(true, (a) - (b) <= (by) && (b) - (a) <= (by), #a " == " #b " within " #by, __VA_ARGS__)

#define cr_assert(...) CRITERION_ONE(__VA_ARGS__, "")
#define cr_assert_not(...) CRITERION_NOT(__VA_ARGS__, "")
#define cr_assert_null(...) CRITERION_NULL(__VA_ARGS__, "")
#define cr_assert_not_null(...) CRITERION_NOT_NULL(__VA_ARGS__, "")
#define cr_assert_eq(...) CRITERION_TWO(true, ==, __VA_ARGS__, "")
#define cr_assert_neq(...) CRITERION_TWO(true, !=, __VA_ARGS__, "")
#define cr_assert_lt(...) CRITERION_TWO(true, <, __VA_ARGS__, "")
#define cr_assert_leq(...) CRITERION_TWO(true, <=, __VA_ARGS__, "")
#define cr_assert_gt(...) CRITERION_TWO(true, >, __VA_ARGS__, "")
#define cr_assert_geq(...) CRITERION_TWO(true, >=, __VA_ARGS__, "")
#define cr_expect_eq(...) CRITERION_TWO(false, ==, __VA_ARGS__, "")
#define cr_assert_str_eq(...) CRITERION_TEXTS(==, __VA_ARGS__, "")
#define cr_assert_str_neq(...) CRITERION_TEXTS(!=, __VA_ARGS__, "")
#define cr_assert_arr_eq(...) CRITERION_BYTES(__VA_ARGS__, "")
#define cr_assert_float_eq(...) CRITERION_NEAR(__VA_ARGS__, "")

/* Of a test's own function; it counts as passed here. */
#define cr_skip_test(...) return

#endif
