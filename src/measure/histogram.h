/*
 * histogram.h - counts of values from 1 to 10^11 (ns: up to 100 s) in HdrHistogram's log-linear buckets, three significant digits: a value
 * is told from its neighbours to within 0.1 %. 0 counts as 0; what is greater is counted with the greatest. A histogram is plain memory
 * without pointers: it may lie in memory that processes share.
 *
 * The scheme: G. Tene, HdrHistogram (http://hdrhistogram.org). 2048 sub-buckets; each further bucket covers twice the range with the
 * upper 1024 of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_MEASURE_HISTOGRAM_H
#define SLIP_MEASURE_HISTOGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { HISTOGRAM_SUBBUCKETS = 2048, HISTOGRAM_BUCKETS = 27, HISTOGRAM_CELLS = (HISTOGRAM_BUCKETS + 1) * (HISTOGRAM_SUBBUCKETS / 2) };
#define HISTOGRAM_GREATEST UINT64_C(100000000000)

struct histogram {
	uint64_t total;	   /* values counted */
	uint64_t min, max; /* exact; of no values: 0 */
	uint64_t counts[HISTOGRAM_CELLS];
};

/* All of these are for one thread at a time. A histogram of zero bytes is an empty one. */
void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t value);

/* Adds one to another. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/*
 * The least value that `percent` of all values are at or below, to the bucket: the greatest value of the bucket in which it lies, and in
 * the last bucket the greatest value counted. 0 % is the least value counted; of no values, all are 0. The rank is rounded up, as in
 * HdrHistogram's getValueAtPercentile today (nearest rank).
 */
uint64_t histogram_percentile(const struct histogram *h, double percent);

/* Each value is taken to be in the middle of its bucket: right to within 0.05 %, where none is beyond HISTOGRAM_GREATEST. */
double histogram_mean(const struct histogram *h);
double histogram_deviation(const struct histogram *h); /* standard deviation of the population */

/* The bucket of a value, and the ends of a bucket: the least and the greatest value that share it. */
unsigned histogram_cell(uint64_t value);
uint64_t histogram_cell_least(unsigned cell);
uint64_t histogram_cell_greatest(unsigned cell);

#ifdef __cplusplus
}
#endif

#endif
