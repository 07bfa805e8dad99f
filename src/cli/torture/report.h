/* report.h - what a storm says: while it goes on, and at its end. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_CLI_TORTURE_REPORT_H
#define SLIP_CLI_TORTURE_REPORT_H

#include "storm.h"

#include <stdio.h>

struct telling {
	FILE *to;
	bool terminal;
	int64_t next_ns;
	char rerun[256]; /* the command that does the same again */
};

void report_begin(const struct storm *storm, struct telling *telling);
storm_told report_progress; /* context: struct telling */
void report_summary(FILE *to, const struct storm *storm, const struct telling *telling);
void report_json(FILE *to, const struct storm *storm, const struct telling *telling);

#endif
