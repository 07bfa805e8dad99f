#include "copy.h"
#include "support.h"

#include <criterion/criterion.h>

Test(copy, streaming_copies_every_size_and_alignment)
{
	static unsigned char from[1000];
	static unsigned char to[1200];
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i * 7 + 1);
	for (size_t offset = 0; offset < 65; offset++)
		for (size_t size = 0; size < 300; size += 7) {
			memset(to, 0, sizeof(to));
			slip__copy_streaming(to + 100 + offset, from, size);
			cr_assert_eq(memcmp(to + 100 + offset, from, size), 0);
			cr_assert_eq(to[100 + offset + size], 0);
			cr_assert_eq(to[99 + offset], 0);
		}
}

/* Long ones at every distance by pages that is treated in its own way, and one byte below and above where long begins. */
Test(copy, long_copies_are_whole_at_any_distance)
{
	enum { LONG = 1 << 20, PAGE = 4096 };
	static _Alignas(4096) unsigned char from[LONG + 2 * PAGE];
	static _Alignas(4096) unsigned char to[LONG + 3 * PAGE];
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i * 7 + i / 251);
	const size_t distances[] = {0, 1, 16, 63, 64, 65, 2048, PAGE - 64, PAGE - 1};
	for (size_t d = 0; d < sizeof(distances) / sizeof(distances[0]); d++)
		for (size_t size = LONG - 1; size <= LONG + 1; size++) {
			unsigned char *at = to + PAGE + distances[d];
			memset(to, 0xaa, sizeof(to));
			slip__copy(at, from, size);
			cr_assert_eq(memcmp(at, from, size), 0);
			cr_assert_eq(at[-1], 0xaa);
			cr_assert_eq(at[size], 0xaa);
		}
}

Test(copy, strided_gathers_any_strides)
{
	int32_t from[3][4];
	int32_t to[12];
	for (int i = 0; i < 12; i++)
		from[i / 4][i % 4] = i;
	int64_t transposed_shape[] = {4, 3};
	int64_t transposed[] = {4, 16};
	slip__copy_strided(to, from, 4, 2, transposed_shape, transposed);
	for (int i = 0; i < 12; i++)
		cr_assert_eq(to[i], (i % 3) * 4 + i / 3);
	int64_t shape[] = {3, 4};
	int64_t flipped[] = {-16, -4};
	slip__copy_strided(to, &from[2][3], 4, 2, shape, flipped);
	for (int i = 0; i < 12; i++)
		cr_assert_eq(to[i], 11 - i);
	int64_t broadcast[] = {0, 4};
	slip__copy_strided(to, from, 4, 2, shape, broadcast);
	for (int i = 0; i < 12; i++)
		cr_assert_eq(to[i], i % 4);
	int64_t empty[] = {0, 4};
	to[0] = 77;
	slip__copy_strided(to, from, 4, 2, empty, flipped);
	cr_assert_eq(to[0], 77);
}

Test(copy, racing_copies_any_size)
{
	_Alignas(8) unsigned char from[608];
	unsigned char to[616];
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i + 1);
	for (size_t size = 0; size <= 600; size++) {
		memset(to, 0, sizeof(to));
		slip__copy_racing(to, from, size);
		cr_assert_eq(memcmp(to, from, size), 0);
		cr_assert_eq(to[size], 0);
	}
}

Test(copy, streams_only_what_the_cache_would_not_keep)
{
	size_t cache = (size_t)32 << 20;
	cr_assert_not(slip__copy_should_stream(4096, 8, cache));
	cr_assert_not(slip__copy_should_stream(900 << 10, 64, cache));
	cr_assert(slip__copy_should_stream((uint64_t)64 << 20, 2, cache));
}

/* Against a gather of one element after another, over shapes, strides of both signs and element sizes. */
Test(copy, strided_gathers_as_element_by_element)
{
	static unsigned char from[64 * 64 * 16];
	static unsigned char to[8 * 9 * 5 * 16];
	static unsigned char expected[sizeof(to)];
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i * 31 + i / 256);
	const uint64_t items[] = {1, 2, 3, 4, 6, 8, 16};
	const int64_t shapes[][3] = {{8, 9, 5}, {1, 9, 3}, {8, 1, 1}, {2, 3, 1}};
	const int64_t factors[][3] = {{64, 5, 1}, {1, 64, 8}, {-64, 5, -1}, {64, -5, 1}, {0, 1, 2}};
	for (size_t n = 0; n < sizeof(items) / sizeof(items[0]); n++)
		for (size_t s = 0; s < 4; s++)
			for (size_t k = 0; k < 5; k++) {
				const int64_t size = (int64_t)items[n];
				const int64_t strides[3] = {factors[k][0] * size, factors[k][1] * size, factors[k][2] * size};
				const unsigned char *middle = from + sizeof(from) / 2;
				size_t at = 0;
				for (int64_t x = 0; x < shapes[s][0]; x++)
					for (int64_t y = 0; y < shapes[s][1]; y++)
						for (int64_t z = 0; z < shapes[s][2]; z++, at += items[n])
							memcpy(expected + at, middle + x * strides[0] + y * strides[1] + z * strides[2],
							       items[n]);
				memset(to, 0, sizeof(to));
				slip__copy_strided(to, middle, items[n], 3, shapes[s], strides);
				cr_assert_eq(memcmp(to, expected, at), 0, "item %zu, shape %zu, strides %zu", n, s, k);
			}
}

Test(copy, strided_copies_nothing_of_an_empty_array)
{
	char to = 't';
	const int64_t shapes[][2] = {{2, 0}, {0, 2}};
	for (int i = 0; i < 2; i++) {
		slip__copy_strided(&to, "f", 1, 2, shapes[i], (const int64_t[]){64, 1});
		cr_assert_eq(to, 't');
	}
}
