/*
 * histogram.h - times, counted in log-linear buckets: 64 to each power of two, so that a value is off by less than 1.6 %.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CLI_HISTOGRAM_H
#define SLIP_CLI_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_LINEAR = 64, HISTOGRAM_BUCKETS = HISTOGRAM_LINEAR * 59 };

struct histogram {
	uint64_t total;
	uint64_t max;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);

/* The upper end of the bucket that holds the value below which `percent` of all lie; 0 where there is none. */
uint64_t histogram_percentile(const struct histogram *h, double percent);

/* Adds one to another. */
void histogram_merge(struct histogram *into, const struct histogram *from);

#endif
