/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

/* Values below 64 have a bucket each; above, the top six bits below the leading one choose among 64. */
static unsigned bucket_of(uint64_t value)
{
	if (value < HISTOGRAM_LINEAR)
		return (unsigned)value;
	unsigned shift = 63U - (unsigned)__builtin_clzll(value) - 6U;
	return (shift + 1) * HISTOGRAM_LINEAR + (unsigned)((value >> shift) - HISTOGRAM_LINEAR);
}

static uint64_t upper_end(unsigned bucket)
{
	if (bucket < HISTOGRAM_LINEAR)
		return bucket;
	unsigned shift = bucket / HISTOGRAM_LINEAR - 1;
	uint64_t lower = (uint64_t)(HISTOGRAM_LINEAR + bucket % HISTOGRAM_LINEAR) << shift;
	return lower + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->counts[bucket_of(value)]++;
	h->total++;
	if (value > h->max)
		h->max = value;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t wanted = (uint64_t)((double)h->total * percent / 100.0 + 0.5);
	uint64_t seen = 0;
	if (wanted == 0)
		wanted = 1;
	for (unsigned b = 0; b < HISTOGRAM_BUCKETS && h->total > 0; b++) {
		seen += h->counts[b];
		if (seen >= wanted)
			return upper_end(b) < h->max ? upper_end(b) : h->max;
	}
	return h->max;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++)
		into->counts[b] += from->counts[b];
	into->total += from->total;
	if (from->max > into->max)
		into->max = from->max;
}
