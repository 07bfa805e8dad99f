/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <criterion/criterion.h>
#include <string.h>

static struct histogram h, other;

static void add_range(struct histogram *into, uint64_t from, uint64_t to)
{
	for (uint64_t value = from; value <= to; value++)
		histogram_add(into, value);
}

Test(histogram, cells_follow_one_another_without_gap_or_overlap)
{
	uint64_t next = 0;
	for (unsigned cell = 0; cell <= histogram_cell(HISTOGRAM_GREATEST); cell++) {
		uint64_t least = histogram_cell_least(cell);
		uint64_t greatest = histogram_cell_greatest(cell);
		cr_assert_eq(least, next, "cell %u begins at %lu, not %lu", cell, least, next);
		cr_assert_geq(greatest, least);
		cr_assert_eq(histogram_cell(least), cell);
		if (greatest <= HISTOGRAM_GREATEST)
			cr_assert_eq(histogram_cell(greatest), cell);
		next = greatest + 1;
	}
	cr_assert_gt(next, HISTOGRAM_GREATEST);
}

Test(histogram, a_cell_is_no_wider_than_a_thousandth_of_its_values)
{
	for (unsigned cell = 1; cell < HISTOGRAM_CELLS; cell++) {
		uint64_t width = histogram_cell_greatest(cell) - histogram_cell_least(cell);
		cr_assert_leq(width * 1000, histogram_cell_least(cell), "cell %u", cell);
	}
}

/* The figures of the scheme: unit steps to 2047, then steps of 2 from cell 2048 on, of 4 from cell 3072 on. */
Test(histogram, cells_are_those_of_the_scheme)
{
	static const struct {
		uint64_t value;
		unsigned cell;
		uint64_t least, greatest;
	} known[] = {
		{0, 0, 0, 0},
		{1, 1, 1, 1},
		{2047, 2047, 2047, 2047},
		{2048, 2048, 2048, 2049},
		{2049, 2048, 2048, 2049},
		{2050, 2049, 2050, 2051},
		{4095, 3071, 4094, 4095},
		{4096, 3072, 4096, 4099},
		{HISTOGRAM_GREATEST, 28114, 99992207360, 100059316223},
		{HISTOGRAM_GREATEST + 1, 28114, 99992207360, 100059316223},
		{UINT64_MAX, 28114, 99992207360, 100059316223},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		unsigned cell = histogram_cell(known[i].value);
		cr_expect_eq(cell, known[i].cell, "%lu is in cell %u", known[i].value, cell);
		cr_expect_eq(histogram_cell_least(cell), known[i].least, "of %lu: %lu", known[i].value, histogram_cell_least(cell));
		cr_expect_eq(histogram_cell_greatest(cell), known[i].greatest, "of %lu: %lu", known[i].value,
			     histogram_cell_greatest(cell));
	}
}

Test(histogram, of_nothing_all_is_zero)
{
	cr_assert_eq(histogram_percentile(&h, 0), 0);
	cr_assert_eq(histogram_percentile(&h, 50), 0);
	cr_assert_eq(histogram_percentile(&h, 100), 0);
	cr_assert_eq(histogram_mean(&h), 0);
	cr_assert_eq(histogram_deviation(&h), 0);
}

Test(histogram, extremes_are_kept_exactly)
{
	static const uint64_t extremes[] = {0, 1, 2047, 2048, HISTOGRAM_GREATEST, UINT64_MAX};
	for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++) {
		histogram_clear(&h);
		histogram_add(&h, extremes[i]);
		cr_assert_eq(h.total, 1);
		cr_assert_eq(h.min, extremes[i]);
		cr_assert_eq(h.max, extremes[i]);
		for (double percent = 0; percent <= 100; percent += 12.5)
			cr_assert_eq(histogram_percentile(&h, percent), extremes[i]);
	}
}

Test(histogram, zero_is_the_least_of_values_that_hold_it)
{
	histogram_add(&h, 5);
	histogram_add(&h, 0);
	cr_assert_eq(h.min, 0);
	histogram_add(&h, 3);
	cr_assert_eq(h.min, 0);
	cr_assert_eq(h.max, 5);
}

Test(histogram, what_is_beyond_the_range_counts_with_the_greatest)
{
	histogram_add(&h, 10);
	histogram_add(&h, UINT64_MAX);
	histogram_add(&h, HISTOGRAM_GREATEST);
	cr_assert_eq(h.counts[histogram_cell(HISTOGRAM_GREATEST)], 2);
	cr_assert_eq(histogram_percentile(&h, 30), 10);
	cr_assert_eq(histogram_percentile(&h, 60), UINT64_MAX, "nothing less bounds what is in that cell");
}

Test(histogram, a_percentile_is_of_the_nearest_rank)
{
	add_range(&h, 1, 1000);
	cr_assert_eq(histogram_percentile(&h, 0), 1);
	cr_assert_eq(histogram_percentile(&h, 0.05), 1);
	cr_assert_eq(histogram_percentile(&h, 0.1), 1);
	cr_assert_eq(histogram_percentile(&h, 0.11), 2);
	cr_assert_eq(histogram_percentile(&h, 50), 500);
	cr_assert_eq(histogram_percentile(&h, 50.01), 501);
	cr_assert_eq(histogram_percentile(&h, 99), 990);
	cr_assert_eq(histogram_percentile(&h, 99.9), 999);
	cr_assert_eq(histogram_percentile(&h, 99.91), 1000);
	cr_assert_eq(histogram_percentile(&h, 100), 1000);
	cr_assert_eq(histogram_percentile(&h, 250), 1000);
	cr_assert_eq(histogram_percentile(&h, -1), 1);
}

/* 99.9 % of 41000 is 40959, but a little more in floating point. */
Test(histogram, a_whole_rank_is_not_rounded_up_to_the_next)
{
	for (unsigned total = 1000; total <= 200000; total += 1000) {
		histogram_clear(&h);
		h.counts[1] = total * 999 / 1000;
		h.counts[2] = total / 1000;
		h.total = total;
		h.min = 1;
		h.max = 2;
		cr_assert_eq(histogram_percentile(&h, 99.9), 1, "of %u", total);
	}
}

Test(histogram, a_percentile_is_the_end_of_its_cell_but_no_more_than_the_greatest)
{
	histogram_add(&h, 1000000);
	cr_assert_eq(histogram_percentile(&h, 50), 1000000);
	histogram_add(&h, 2000000);
	cr_assert_eq(histogram_percentile(&h, 50), histogram_cell_greatest(histogram_cell(1000000)));
	cr_assert_gt(histogram_percentile(&h, 50), 1000000);
	cr_assert_eq(histogram_percentile(&h, 51), 2000000);
}

Test(histogram, percentiles_never_fall_as_the_percent_rises)
{
	uint64_t value = 1;
	for (int i = 0; i < 5000; i++) {
		value = value * UINT64_C(6364136223846793005) + 1442695040888963407;
		histogram_add(&h, value >> (24 + value % 40));
	}
	uint64_t before = 0;
	for (double percent = 0; percent <= 100; percent += 1.0 / 64) {
		uint64_t at = histogram_percentile(&h, percent);
		cr_assert_geq(at, before, "at %f", percent);
		before = at;
	}
	cr_assert_eq(before, h.max);
	cr_assert_gt(h.max, HISTOGRAM_GREATEST, "the sample reaches all cells");
}

Test(histogram, merging_is_adding_all)
{
	static struct histogram all;
	add_range(&h, 100, 3000);
	add_range(&other, 7, 150);
	histogram_add(&other, 123456789);
	add_range(&all, 7, 150);
	add_range(&all, 100, 3000);
	histogram_add(&all, 123456789);
	histogram_merge(&h, &other);
	cr_assert_eq(memcmp(&h, &all, sizeof(h)), 0);
}

Test(histogram, merging_with_nothing_changes_nothing)
{
	static struct histogram before;
	add_range(&h, 5, 9);
	before = h;
	histogram_merge(&h, &other);
	cr_assert_eq(memcmp(&h, &before, sizeof(h)), 0, "least stays 5, though an empty one's is 0");
	histogram_merge(&other, &h);
	cr_assert_eq(memcmp(&other, &before, sizeof(h)), 0);
}

Test(histogram, mean_and_deviation_are_those_of_the_values)
{
	/* Below 2048 cells are exact. 1 to 9: mean 5, variance (81 - 1) / 12. */
	add_range(&h, 1, 9);
	cr_assert_float_eq(histogram_mean(&h), 5, 1e-12);
	cr_assert_float_eq(histogram_deviation(&h) * histogram_deviation(&h), 80.0 / 12, 1e-12);
	histogram_clear(&h);
	histogram_add(&h, 4096); /* in the cell of 4096 to 4099, the middle of which is the reference's 4098 */
	cr_assert_eq(histogram_mean(&h), 4098);
	histogram_clear(&h);
	histogram_add(&h, 10000000);
	histogram_add(&h, 30000000);
	cr_assert_float_eq(histogram_mean(&h), 20000000, 20000000 * 0.0005);
	cr_assert_float_eq(histogram_deviation(&h), 10000000, 20000000 * 0.0005);
}

Test(histogram, cleared_it_is_as_new)
{
	add_range(&h, 1, 5000);
	histogram_clear(&h);
	cr_assert_eq(memcmp(&h, &other, sizeof(h)), 0);
}

Test(histogram, merged_ones_keep_the_extremes_of_both)
{
	static struct histogram low, high, none, all;
	histogram_add(&low, 10);
	histogram_add(&low, 20);
	histogram_add(&high, 1000);
	histogram_merge(&all, &high);
	histogram_merge(&all, &low);
	histogram_merge(&all, &none);
	histogram_merge(&all, &high);
	cr_assert_eq(all.total, 4);
	cr_assert_eq(all.min, 10);
	cr_assert_eq(all.max, 1000);
	histogram_merge(&low, &high);
	cr_assert_eq(low.total, 3);
	cr_assert_eq(low.min, 10);
	cr_assert_eq(low.max, 1000);
}
