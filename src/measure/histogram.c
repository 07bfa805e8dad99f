/* histogram.c - counts of values in HdrHistogram's log-linear cells. SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <math.h>
#include <string.h>

enum { HALF = HISTOGRAM_SUBBUCKETS / 2, HALF_BITS = 10 };
_Static_assert(HALF == 1 << HALF_BITS, "a value's top bits choose its sub-bucket");

/* log2 of how many values share a cell. The first bucket has both halves of its sub-buckets, all others only the upper one. */
static unsigned cell_shift(unsigned cell)
{
	return cell < HISTOGRAM_SUBBUCKETS ? 0 : cell / HALF - 1;
}

unsigned histogram_cell(uint64_t value)
{
	if (value > HISTOGRAM_GREATEST)
		value = HISTOGRAM_GREATEST;
	if (value < HISTOGRAM_SUBBUCKETS)
		return (unsigned)value;
	unsigned shift = 63U - (unsigned)__builtin_clzll(value) - HALF_BITS;
	return shift * HALF + (unsigned)(value >> shift);
}

uint64_t histogram_cell_least(unsigned cell)
{
	unsigned shift = cell_shift(cell);
	return (uint64_t)(cell - shift * HALF) << shift;
}

uint64_t histogram_cell_greatest(unsigned cell)
{
	return histogram_cell_least(cell) + ((UINT64_C(1) << cell_shift(cell)) - 1);
}

void histogram_clear(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->counts[histogram_cell(value)]++;
	if (h->total == 0 || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->total++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	if (from->total == 0)
		return;
	for (unsigned c = 0; c < HISTOGRAM_CELLS; c++)
		into->counts[c] += from->counts[c];
	if (into->total == 0 || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->total += from->total;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
	if (!(percent > 0)) /* not a number: likewise */
		return h->min;
	/* One step down before rounding up, as the reference has it: 99.9 % of 41000 is 40959, though it comes out greater. */
	double wanted = ceil(nextafter(percent, 0) * (double)h->total / 100);
	unsigned last = histogram_cell(h->max);
	uint64_t seen = 0;
	for (unsigned c = 0; c < last; c++) {
		seen += h->counts[c];
		if (seen > 0 && (double)seen >= wanted)
			return histogram_cell_greatest(c);
	}
	return h->max; /* in the last cell, which may also hold what is beyond HISTOGRAM_GREATEST */
}

/* Where the values of a cell are taken to be: the reference's median equivalent value. */
static double middle(unsigned cell)
{
	return (double)(histogram_cell_least(cell) + (UINT64_C(1) << cell_shift(cell) >> 1));
}

double histogram_mean(const struct histogram *h)
{
	double sum = 0;
	for (unsigned c = 0; c < HISTOGRAM_CELLS; c++)
		if (h->counts[c] != 0)
			sum += middle(c) * (double)h->counts[c];
	return h->total != 0 ? sum / (double)h->total : 0;
}

double histogram_deviation(const struct histogram *h)
{
	double mean = histogram_mean(h);
	double sum = 0;
	for (unsigned c = 0; c < HISTOGRAM_CELLS; c++)
		if (h->counts[c] != 0)
			sum += (middle(c) - mean) * (middle(c) - mean) * (double)h->counts[c];
	return h->total != 0 ? sqrt(sum / (double)h->total) : 0;
}
