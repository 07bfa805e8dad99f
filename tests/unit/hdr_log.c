/* What is written, taken apart by hand; tests/measure has it read by another's reader. SPDX-License-Identifier: Apache-2.0 */
#include "hdr_log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct histogram h;

/* The text that a call has written; the caller frees it. */
struct written {
	FILE *to;
	char *text;
	size_t size;
};

static FILE *written_begin(struct written *w)
{
	w->to = open_memstream(&w->text, &w->size);
	cr_assert_not_null(w->to);
	return w->to;
}

static char *written_end(struct written *w)
{
	cr_assert_eq(fclose(w->to), 0);
	return w->text;
}

static size_t from_base64(const char *text, size_t size, unsigned char *out)
{
	size_t got = 0;
	cr_assert_eq(size % 4, 0);
	for (size_t at = 0; at < size; at += 4) {
		unsigned bits = 0;
		int letters = 0;
		for (int i = 0; i < 4; i++) {
			char c = text[at + (size_t)i];
			unsigned digit = c >= 'A' && c <= 'Z'	? (unsigned)(c - 'A')
					 : c >= 'a' && c <= 'z' ? (unsigned)(c - 'a') + 26
					 : c >= '0' && c <= '9' ? (unsigned)(c - '0') + 52
					 : c == '+'		? 62
					 : c == '/'		? 63
								: 64;
			cr_assert(digit < 64 || (c == '=' && at + 4 == size && i >= 2), "'%c' at %zu", c, at);
			letters += digit < 64;
			bits = bits << 6 | (digit & 63);
		}
		for (int i = 0; i < letters - 1; i++)
			out[got++] = (unsigned char)(bits >> (16 - 8 * i));
	}
	return got;
}

static uint64_t big_endian(const unsigned char *from, int size)
{
	uint64_t value = 0;
	for (int i = 0; i < size; i++)
		value = value << 8 | from[i];
	return value;
}

/* Checks an encoded histogram's frame and takes its counts out. The number of words they took. */
static unsigned decode(const char *base64, size_t size, uint64_t *counts)
{
	unsigned char *data = malloc(size);
	unsigned char *plain = malloc(size);
	size_t length = from_base64(base64, size, data);
	cr_assert_eq(big_endian(data, 4), 0x1c849314);
	cr_assert_eq(big_endian(data + 4, 4), length - 8);
	cr_assert_eq(big_endian(data + 8, 2) % 31, 0, "zlib's own check of its head");
	cr_assert_eq(data[8] & 15, 8, "deflate");
	size_t at = 10;
	size_t plain_size = 0;
	for (bool last = false; !last;) {
		size_t part = data[at + 1] | (size_t)data[at + 2] << 8;
		cr_assert_leq(data[at], 1, "a stored block");
		cr_assert_eq(part ^ (data[at + 3] | (size_t)data[at + 4] << 8), 0xffff);
		last = data[at] == 1;
		memcpy(plain + plain_size, data + at + 5, part);
		plain_size += part;
		at += 5 + part;
	}
	uint64_t a = 1;
	uint64_t b = 0;
	for (size_t i = 0; i < plain_size; i++) {
		a += plain[i];
		b += a % 65521;
	}
	cr_assert_eq(big_endian(data + at, 4), b % 65521 << 16 | a % 65521, "Adler-32");
	cr_assert_eq(at + 4, length);

	cr_assert_eq(big_endian(plain, 4), 0x1c849313);
	cr_assert_eq(big_endian(plain + 4, 4), plain_size - 40);
	cr_assert_eq(big_endian(plain + 8, 4), 0);
	cr_assert_eq(big_endian(plain + 12, 4), 3);
	cr_assert_eq(big_endian(plain + 16, 8), 1);
	cr_assert_eq(big_endian(plain + 24, 8), HISTOGRAM_GREATEST);
	cr_assert_eq(big_endian(plain + 32, 8), UINT64_C(0x3ff0000000000000), "1.0");
	unsigned words = 0;
	unsigned cell = 0;
	for (size_t i = 40; i < plain_size; words++) {
		uint64_t zigzag = 0;
		int bytes = 0;
		do {
			zigzag |= (bytes < 8 ? plain[i] & 0x7fULL : plain[i]) << (7 * bytes);
			bytes++;
		} while (plain[i++] > 0x7f && bytes < 9);
		int64_t value = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
		if (value < 0)
			cell += (unsigned)-value;
		else
			counts[cell++] = (uint64_t)value;
		cr_assert_leq(cell, (unsigned)HISTOGRAM_CELLS);
	}
	free(data);
	free(plain);
	return words;
}

/* Writes h as an interval, decodes it, and compares all counts. The number of words. */
static unsigned round_trip(void)
{
	static uint64_t counts[HISTOGRAM_CELLS];
	struct written w;
	cr_assert_eq(hdr_log_interval(written_begin(&w), "tag", 1.5, 0.25, &h, 1e6), 0);
	char *text = written_end(&w);
	char *base64 = strrchr(text, ',') + 1;
	cr_assert_eq(strncmp(text, "Tag=tag,1.500,0.250,", 20), 0, "%.40s", text);
	cr_assert_eq(text[w.size - 1], '\n');
	memset(counts, 0, sizeof(counts));
	unsigned words = decode(base64, (size_t)(text + w.size - 1 - base64), counts);
	cr_assert_eq(memcmp(counts, h.counts, sizeof(counts)), 0);
	free(text);
	return words;
}

Test(hdr_log, an_interval_holds_every_count)
{
	uint64_t value = 1;
	for (int i = 0; i < 20000; i++) {
		value = value * UINT64_C(6364136223846793005) + 1442695040888963407;
		histogram_add(&h, value >> (27 + value % 37));
	}
	round_trip();
}

Test(hdr_log, zeros_in_a_row_are_one_word)
{
	cr_assert_eq(round_trip(), 1, "nothing: one zero");
	histogram_add(&h, 0);
	cr_assert_eq(round_trip(), 1);
	histogram_add(&h, 2);
	cr_assert_eq(round_trip(), 3, "a count, a single zero as itself, a count");
	histogram_add(&h, 3000000);
	cr_assert_eq(round_trip(), 5);
}

Test(hdr_log, counts_of_any_size_are_kept)
{
	histogram_add(&h, 62);
	for (int bits = 0; bits < 63; bits++)
		h.counts[bits] = (UINT64_C(1) << bits) - (unsigned)(bits % 2);
	h.counts[61] = INT64_MAX;
	round_trip();
}

/* More than one stored block: 65535 bytes are the most of one. */
Test(hdr_log, an_interval_with_every_cell_in_use_is_kept)
{
	histogram_add(&h, HISTOGRAM_GREATEST);
	for (unsigned cell = 0; cell <= histogram_cell(HISTOGRAM_GREATEST); cell++)
		h.counts[cell] = UINT64_C(1) << 40 | cell;
	cr_assert_eq(round_trip(), histogram_cell(HISTOGRAM_GREATEST) + 1);
}

Test(hdr_log, what_is_beyond_the_range_is_in_the_last_bucket)
{
	histogram_add(&h, UINT64_MAX);
	cr_assert_eq(round_trip(), 2);
}

Test(hdr_log, the_maximum_of_an_interval_is_scaled)
{
	struct written w;
	histogram_add(&h, 2500);
	cr_assert_eq(hdr_log_interval(written_begin(&w), NULL, 0, 1, &h, 1000), 0);
	char *text = written_end(&w);
	cr_assert_eq(strncmp(text, "0.000,1.000,2.501,HISTFAAAA", 27), 0, "%.40s", text);
	free(text);
}

Test(hdr_log, a_tag_that_the_format_cannot_hold_is_refused)
{
	static const char *const bad[] = {"", "a,b", "a b", "a\n", "\r"};
	struct written w;
	FILE *to = written_begin(&w);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		cr_assert_eq(hdr_log_interval(to, bad[i], 0, 1, &h, 1), -1);
		cr_assert_eq(errno, EINVAL);
	}
	free(written_end(&w));
	cr_assert_eq(w.size, 0, "nothing is written");
}

Test(hdr_log, a_log_begins_with_version_times_and_legend)
{
	struct written w;
	cr_assert_eq(hdr_log_begin(written_begin(&w), INT64_C(1700000000123456789)), 0);
	char *text = written_end(&w);
	cr_assert_str_eq(text, "#[Histogram log format version 1.3]\n"
			       "#[StartTime: 1700000000.123 (seconds since epoch), Tue Nov 14 22:13:20 UTC 2023]\n"
			       "#[BaseTime: 1700000000.123 (seconds since epoch)]\n"
			       "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n");
	free(text);
}

Test(hdr_log, percentiles_have_five_ticks_to_each_half)
{
	for (unsigned value = 1; value <= 1000; value++)
		histogram_add(&h, value);
	struct written w;
	cr_assert_eq(hdr_write_percentiles(written_begin(&w), &h, 1000), 0);
	char *text = written_end(&w);
	const char *head = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
			   "       0.001 0.000000000000          1           1.00\n"
			   "       0.100 0.100000000000        100           1.11\n"
			   "       0.200 0.200000000000        200           1.25\n"
			   "       0.300 0.300000000000        300           1.43\n"
			   "       0.400 0.400000000000        400           1.67\n"
			   "       0.500 0.500000000000        500           2.00\n"
			   "       0.550 0.550000000000        550           2.22\n";
	const char *tail = "       1.000 1.000000000000       1000\n"
			   "#[Mean    =        0.500, StdDeviation   =        0.289]\n"
			   "#[Max     =        1.000, Total count    =         1000]\n"
			   "#[Buckets =           27, SubBuckets     =         2048]\n";
	cr_assert_eq(strncmp(text, head, strlen(head)), 0, "%s", text);
	cr_assert_geq(w.size, strlen(tail));
	cr_assert_str_eq(text + w.size - strlen(tail), tail);
	free(text);
}

Test(hdr_log, percentiles_of_nothing_are_a_head_and_a_trailer)
{
	struct written w;
	cr_assert_eq(hdr_write_percentiles(written_begin(&w), &h, 1), 0);
	char *text = written_end(&w);
	cr_assert_str_eq(text, "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
			       "#[Mean    =        0.000, StdDeviation   =        0.000]\n"
			       "#[Max     =        0.000, Total count    =            0]\n"
			       "#[Buckets =           27, SubBuckets     =         2048]\n");
	free(text);
}

/* So many that floating point can't tell the second last from all of them: the ticks end all the same. */
Test(hdr_log, percentiles_of_very_many_end)
{
	histogram_add(&h, 1);
	histogram_add(&h, 2);
	histogram_add(&h, 3);
	h.counts[1] = UINT64_C(1) << 62;
	h.total = h.counts[1] + 2;
	struct written w;
	cr_assert_eq(hdr_write_percentiles(written_begin(&w), &h, 1), 0);
	char *text = written_end(&w);
	cr_assert_not_null(strstr(text, "       3.000 1.000000000000 4611686018427387906\n#[Mean"), "%s", text);
	cr_assert_lt(w.size, 30000);
	free(text);
}

Test(hdr_log, a_full_disk_is_reported)
{
	FILE *full = fopen("/dev/full", "w");
	cr_assert_not_null(full);
	histogram_add(&h, 1000);
	errno = 0;
	cr_assert_eq(hdr_log_begin(full, 0), -1);
	cr_assert_eq(errno, ENOSPC);
	clearerr(full);
	errno = 0;
	cr_assert_eq(hdr_log_interval(full, "x", 0, 1, &h, 1), -1);
	cr_assert_eq(errno, ENOSPC);
	clearerr(full);
	errno = 0;
	cr_assert_eq(hdr_write_percentiles(full, &h, 1), -1);
	cr_assert_eq(errno, ENOSPC);
	(void)fclose(full);
}
