/* report.h - what slipring doctor has found, gathered first and printed once. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_CLI_REPORT_H
#define SLIP_CLI_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* note: works, but there is something to know. problem: something fails, or will. */
enum status { STATUS_OK, STATUS_NOTE, STATUS_PROBLEM };

struct finding;

struct report {
	struct finding *findings;
	size_t count;
	size_t room;
	const char *section;
};

/* Everything up to the next one belongs to it. */
void report_section(struct report *report, const char *section);

/* A new finding; the calls below add to the last one. check is its name, the same in every run: "space", or a channel's. */
void report_add(struct report *report, const char *check, enum status status, const char *found, ...) __attribute__((format(printf, 4, 5)));
/* More of what was found, behind a "; ". */
void report_more(struct report *report, const char *found, ...) __attribute__((format(printf, 2, 3)));
/* What to do; makes an ok a note. */
void report_advise(struct report *report, enum status at_least, const char *advice, ...) __attribute__((format(printf, 3, 4)));

/* Values, for JSON alone. */
void report_number(struct report *report, const char *key, uint64_t value);
void report_flag(struct report *report, const char *key, bool value);
void report_text(struct report *report, const char *key, const char *value);

size_t report_count(const struct report *report, enum status status);
void report_print(const struct report *report);
void report_print_json(const struct report *report);
void report_free(struct report *report);

#endif
