/* hdr_log.c - histograms as HdrHistogram's percentile distributions and interval logs. SPDX-License-Identifier: Apache-2.0 */
#include "hdr_log.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TICKS_PER_HALF = 5, DIGITS = 3, NS_PER_S = 1000000000, NS_PER_MS = 1000000 };

/* The reference's maximum: the end of the bucket. */
static double greatest(const struct histogram *h)
{
	return h->total != 0 ? (double)histogram_cell_greatest(histogram_cell(h->max)) : 0;
}

static int flushed(FILE *to)
{
	return fflush(to) == 0 && !ferror(to) ? 0 : -1;
}

/* ---- percentile distribution ---- */

/* Ticks are equal within each half of the distance to 100 %, and half as far apart in the next; 100 where floating point has none left. */
static double next_level(double level)
{
	double halvings = floor(log(100 / (100 - level)) / log(2));
	double next = level + 100 / (TICKS_PER_HALF * exp2(halvings + 1));
	return next > level ? next : 100;
}

int hdr_write_percentiles(FILE *to, const struct histogram *h, double unit_ns)
{
	double level = 0;
	uint64_t seen = 0;
	(void)fprintf(to, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
	for (unsigned c = 0; c < HISTOGRAM_CELLS && seen < h->total; c++) {
		if (h->counts[c] == 0)
			continue;
		seen += h->counts[c];
		/* The last bucket is there once for every level from here on, and once more for 100 %. */
		while (level < 100 && 100.0 * (double)seen / (double)h->total >= level) {
			(void)fprintf(to, "%12.*f %2.12f %10" PRIu64 " %14.2f\n", DIGITS, (double)histogram_cell_greatest(c) / unit_ns,
				      level / 100, seen, 1 / (1 - level / 100));
			level = next_level(level);
			if (seen == h->total)
				break;
		}
	}
	if (h->total > 0)
		(void)fprintf(to, "%12.*f %2.12f %10" PRIu64 "\n", DIGITS, greatest(h) / unit_ns, 1.0, h->total);
	(void)fprintf(to, "#[Mean    = %12.*f, StdDeviation   = %12.*f]\n", DIGITS, histogram_mean(h) / unit_ns, DIGITS,
		      histogram_deviation(h) / unit_ns);
	(void)fprintf(to, "#[Max     = %12.*f, Total count    = %12" PRIu64 "]\n", DIGITS, greatest(h) / unit_ns, h->total);
	(void)fprintf(to, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_BUCKETS, HISTOGRAM_SUBBUCKETS);
	return flushed(to);
}

/* ---- V2 encoding ---- */

/* V2's cookies, each with the bit that stands for its variable word size. */
enum { COOKIE_COUNTS = 0x1c849303 | 0x10, COOKIE_COMPRESSED = 0x1c849304 | 0x10 };
enum { HEADER_SIZE = 40, COUNT_MAX_SIZE = 9, STORED_MAX = 65535 };

struct bytes {
	unsigned char *data;
	size_t size;
};

static void put(struct bytes *b, uint64_t value, int size)
{
	for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
		b->data[b->size++] = (unsigned char)(value >> shift);
}

/* ZigZag LEB128: the sign in the lowest bit, then seven bits a byte, the least significant first; a ninth byte has eight. */
static void put_count(struct bytes *b, int64_t count)
{
	uint64_t left = ((uint64_t)count << 1) ^ (count < 0 ? UINT64_MAX : 0);
	for (int i = 1; i < COUNT_MAX_SIZE && left > 0x7f; i++, left >>= 7)
		b->data[b->size++] = (unsigned char)(left | 0x80);
	b->data[b->size++] = (unsigned char)left;
}

/* Header and counts up to that of the greatest value. Two zeros or more in a row are one negative number. */
static void put_histogram(struct bytes *b, const struct histogram *h)
{
	unsigned end = histogram_cell(h->max) + 1;
	struct bytes counts = {.data = b->data + HEADER_SIZE};
	for (unsigned c = 0; c < end;) {
		unsigned zeros = 0;
		while (c + zeros < end && h->counts[c + zeros] == 0)
			zeros++;
		put_count(&counts, zeros > 1 ? -(int64_t)zeros : (int64_t)h->counts[c]);
		c += zeros > 1 ? zeros : 1;
	}
	const double ratio = 1; /* of integers to doubles: values are integers */
	uint64_t ratio_bits;
	memcpy(&ratio_bits, &ratio, sizeof(ratio_bits));
	put(b, COOKIE_COUNTS, 4);
	put(b, counts.size, 4);
	put(b, 0, 4); /* normalizing index offset */
	put(b, DIGITS, 4);
	put(b, 1, 8); /* lowest discernible value */
	put(b, HISTOGRAM_GREATEST, 8);
	put(b, ratio_bits, 8);
	b->size += counts.size;
}

static uint32_t adler32(const unsigned char *data, size_t size)
{
	uint32_t a = 1;
	uint32_t b = 0;
	for (size_t i = 0; i < size; i++) {
		a = (a + data[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

/* A zlib stream (RFC 1950) of stored blocks (RFC 1951, 3.2.4). */
static void put_zlib(struct bytes *b, const unsigned char *data, size_t size)
{
	put(b, 0x7801, 2); /* deflate, window of 32 KiB, fastest */
	for (size_t at = 0; at < size;) {
		size_t part = size - at < STORED_MAX ? size - at : STORED_MAX;
		put(b, at + part == size, 1);			      /* whether it is the last block */
		put(b, (part & 0xff) << 8 | part >> 8, 2);	      /* its length, little endian */
		put(b, (~part & 0xff) << 8 | (~part >> 8 & 0xff), 2); /* and the complement */
		memcpy(b->data + b->size, data + at, part);
		b->size += part;
		at += part;
	}
	put(b, adler32(data, size), 4);
}

static void write_base64(FILE *to, const unsigned char *data, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t at = 0; at < size; at += 3) {
		size_t have = size - at < 3 ? size - at : 3;
		uint32_t bits = (uint32_t)data[at] << 16 | (have > 1 ? (uint32_t)data[at + 1] << 8 : 0) | (have > 2 ? data[at + 2] : 0);
		(void)putc(digits[bits >> 18], to);
		(void)putc(digits[bits >> 12 & 63], to);
		(void)putc(have > 1 ? digits[bits >> 6 & 63] : '=', to);
		(void)putc(have > 2 ? digits[bits & 63] : '=', to);
	}
}

/* ---- interval log ---- */

int hdr_log_begin(FILE *to, int64_t start_realtime_ns)
{
	int64_t ms = start_realtime_ns / NS_PER_MS;
	time_t seconds = (time_t)(start_realtime_ns / NS_PER_S);
	struct tm utc;
	char date[40];
	(void)gmtime_r(&seconds, &utc); /* knows all years that an int64_t of ns has */
	(void)strftime(date, sizeof(date), "%a %b %d %H:%M:%S UTC %Y", &utc);
	(void)fputs("#[Histogram log format version 1.3]\n", to);
	(void)fprintf(to, "#[StartTime: %" PRId64 ".%03d (seconds since epoch), %s]\n", ms / 1000, (int)(ms % 1000), date);
	(void)fprintf(to, "#[BaseTime: %" PRId64 ".%03d (seconds since epoch)]\n", ms / 1000, (int)(ms % 1000));
	(void)fputs("\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n", to);
	return flushed(to);
}

int hdr_log_interval(FILE *to, const char *tag, double start_s, double length_s, const struct histogram *h, double max_unit)
{
	if (tag != NULL && (*tag == '\0' || strpbrk(tag, ", \r\n") != NULL)) {
		errno = EINVAL;
		return -1;
	}
	size_t most = HEADER_SIZE + (size_t)COUNT_MAX_SIZE * HISTOGRAM_CELLS;
	struct bytes plain = {.data = malloc(most)};
	struct bytes packed = {.data = malloc(8 + 2 + most + 5 * (most / STORED_MAX + 1) + 4)};
	int result = -1;
	if (plain.data != NULL && packed.data != NULL) {
		put_histogram(&plain, h);
		packed.size = 8; /* cookie and length, once that is known */
		put_zlib(&packed, plain.data, plain.size);
		struct bytes head = {.data = packed.data};
		put(&head, COOKIE_COMPRESSED, 4);
		put(&head, packed.size - 8, 4);
		if (tag != NULL)
			(void)fprintf(to, "Tag=%s,", tag);
		(void)fprintf(to, "%.3f,%.3f,%.3f,", start_s, length_s, greatest(h) / max_unit);
		write_base64(to, packed.data, packed.size);
		(void)putc('\n', to);
		result = flushed(to);
	}
	int why = errno;
	free(plain.data);
	free(packed.data);
	errno = why;
	return result;
}
