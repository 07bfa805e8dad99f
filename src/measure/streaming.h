/* streaming.h - a copy by stores that go past the cache; x86-64. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_MEASURE_STREAMING_H
#define SLIP_MEASURE_STREAMING_H

#include <stddef.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#include <string.h>

/* to begins a cache line. */
static inline void copy_streaming(void *to, const void *from, size_t size)
{
	const char *f = from;
	char *t = to;
	size_t whole = size / 64 * 64;
	for (size_t at = 0; at < whole; at += 16)
		_mm_stream_si128((__m128i *)(void *)(t + at), _mm_loadu_si128((const __m128i *)(const void *)(f + at)));
	_mm_sfence(); /* streaming stores are not ordered by a release store; this orders them */
	memcpy(t + whole, f + whole, size - whole);
}
#endif

#endif
