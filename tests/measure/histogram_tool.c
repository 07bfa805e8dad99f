/*
 * histogram_tool.c - what src/measure makes of numbers on stdin, for tests/measure/check.py.
 *
 *   histogram_tool cells                for each number: its cell, the least and the greatest value of that
 *   histogram_tool percentiles P...     the value at each percentile, then total, min, max, mean and standard deviation
 *   histogram_tool hgrm UNIT            a percentile distribution
 *   histogram_tool hlog START_NS UNIT   an interval log; a line "interval TAG START LENGTH" ends the numbers of an interval (TAG -: none)
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hdr_log.h"
#include "histogram.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct histogram h;

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int print_cells(void)
{
	for (uint64_t value; scanf("%" SCNu64, &value) == 1;) {
		unsigned cell = histogram_cell(value);
		printf("%u %" PRIu64 " %" PRIu64 "\n", cell, histogram_cell_least(cell), histogram_cell_greatest(cell));
	}
	return 0;
}

static int print_percentiles(int count, char **percents)
{
	for (int i = 0; i < count; i++)
		printf("%" PRIu64 "\n", histogram_percentile(&h, strtod(percents[i], NULL)));
	printf("%" PRIu64 "\n%" PRIu64 "\n%" PRIu64 "\n%.17g\n%.17g\n", h.total, h.min, h.max, histogram_mean(&h), histogram_deviation(&h));
	return 0;
}

static int write_log(int64_t start_ns, double unit)
{
	char line[200];
	if (hdr_log_begin(stdout, start_ns) != 0)
		return fail("hdr_log_begin");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		char tag[64];
		double start;
		double length;
		if (sscanf(line, "interval %63s %lf %lf", tag, &start, &length) != 3) {
			histogram_add(&h, strtoull(line, NULL, 10));
			continue;
		}
		if (hdr_log_interval(stdout, strcmp(tag, "-") != 0 ? tag : NULL, start, length, &h, unit) != 0)
			return fail("hdr_log_interval");
		histogram_clear(&h);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "cells") == 0)
		return print_cells();
	if (strcmp(what, "hlog") == 0 && argc == 4)
		return write_log(strtoll(argv[2], NULL, 10), strtod(argv[3], NULL));
	for (uint64_t value; scanf("%" SCNu64, &value) == 1;)
		histogram_add(&h, value);
	if (strcmp(what, "percentiles") == 0)
		return print_percentiles(argc - 2, argv + 2);
	if (strcmp(what, "hgrm") == 0 && argc == 3)
		return hdr_write_percentiles(stdout, &h, strtod(argv[2], NULL)) == 0 ? 0 : fail("hdr_write_percentiles");
	fprintf(stderr, "Usage: %s cells | percentiles P... | hgrm UNIT | hlog START_NS UNIT\n", argv[0]);
	return 2;
}
