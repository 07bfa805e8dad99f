/*
 * hdr_log.h - histograms as the texts that HdrHistogram's own tools read (http://hdrhistogram.org).
 *
 * Percentile distribution (.hgrm; plotFiles.html draws it): lines of "Value Percentile TotalCount 1/(1-Percentile)", five to each half of
 * the distance to 100 %, then the trailer #[Mean ..., #[Max ..., #[Buckets ....
 *
 * Interval log (.hlog, format version 1.3; HistogramLogProcessor and HistogramLogAnalyzer read it): a line for each histogram, which holds
 * all counts in the compressed V2 encoding, in Base64. That encoding asks for a zlib stream. Ours is a valid one in stored blocks, not
 * compressed: runs of zeros are short in V2 as it is, and no library is needed.
 *
 * Values in both are the ends of buckets, as the reference prints them: the maximum may be up to 0.1 % above struct histogram's, which is
 * exact; and what is beyond HISTOGRAM_GREATEST shows as being in its bucket.
 *
 * Each function flushes what it wrote, and returns -1 with errno set where that failed. Numbers have a point where LC_NUMERIC is "C".
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_MEASURE_HDR_LOG_H
#define SLIP_MEASURE_HDR_LOG_H

#include "histogram.h"

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A percentile distribution. Values are divided by unit_ns: 1000 prints microseconds of a histogram in ns. */
int hdr_write_percentiles(FILE *to, const struct histogram *h, double unit_ns);

/* The head of an interval log. Intervals' starts count from start_realtime_ns (CLOCK_REALTIME). */
int hdr_log_begin(FILE *to, int64_t start_realtime_ns);

/*
 * One interval; start and length in seconds. tag tells series apart within a log; NULL: none. EINVAL where it is empty, or holds what the
 * format can't: a comma, a space, a line break. The line's maximum is divided by max_unit (1e6, which is ms, in the reference); the counts
 * are in the histogram's own unit.
 */
int hdr_log_interval(FILE *to, const char *tag, double start_s, double length_s, const struct histogram *h, double max_unit);

#ifdef __cplusplus
}
#endif

#endif
