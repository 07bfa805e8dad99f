/* SPDX-License-Identifier: Apache-2.0 */
#include "copy.h"

#include "atomic.h"
#include "tsan.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

enum {
	LINE = 64,
	PAGE = 4096,
	LONG_COPY = 1 << 20, /* below, the C library uses the instruction itself */
	ZEN_5 = 0x1a
};

/* AMD64 Architecture Programmer's Manual, volume 3, appendix E: Fn0000_0000 (vendor), Fn0000_0001 (family), Fn0000_0007 EBX bit 9 (ERMS). */
static bool find_string_copies(void)
{
	unsigned a, b, c, d;
	if (__get_cpuid(0, &a, &b, &c, &d) == 0 || b != signature_AMD_ebx || c != signature_AMD_ecx || d != signature_AMD_edx)
		return false;
	(void)__get_cpuid(1, &a, &b, &c, &d);
	unsigned family = (a >> 8 & 0xf) + (a >> 20 & 0xff);
	return family >= ZEN_5 && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & 1U << 9) != 0;
}

static bool has_string_copies(void)
{
	enum { UNKNOWN, NO, YES };
	static slip__a32 known; /* whoever asks first finds out; all find the same */
	uint32_t has = a32_load_relaxed(&known);
	if (__builtin_expect(has == UNKNOWN, 0)) {
		has = find_string_copies() ? YES : NO;
		a32_store_relaxed(&known, has);
	}
	return has == YES;
}

void slip__copy(void *to, const void *from, size_t size)
{
	/* Where the target stands less than a line ahead of the source, by pages, the instruction is slow. */
	size_t ahead = ((uintptr_t)to - (uintptr_t)from) % PAGE;
	if (size >= LONG_COPY && has_string_copies() && (ahead == 0 || ahead >= LINE))
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	else
		memcpy(to, from, size);
}

/* Whole lines, so that the CPU's write-combining buffers leave full. to is aligned to LINE. */
static void stream_lines(char *to, const char *from, size_t lines)
{
	for (; lines > 0; lines--, to += LINE, from += LINE) {
		__m128i a = _mm_loadu_si128((const __m128i *)(const void *)from);
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(from + 16));
		__m128i c = _mm_loadu_si128((const __m128i *)(const void *)(from + 32));
		__m128i d = _mm_loadu_si128((const __m128i *)(const void *)(from + 48));
		_mm_stream_si128((__m128i *)(void *)to, a);
		_mm_stream_si128((__m128i *)(void *)(to + 16), b);
		_mm_stream_si128((__m128i *)(void *)(to + 32), c);
		_mm_stream_si128((__m128i *)(void *)(to + 48), d);
	}
	/* Streaming stores are not ordered by a later release store; this orders them. */
	_mm_sfence();
}

void slip__copy_streaming(void *to, const void *from, size_t size)
{
	char *t = to;
	const char *f = from;
	size_t lead = (LINE - (uintptr_t)t % LINE) % LINE;
	if (lead > size)
		lead = size;
	memcpy(t, f, lead);
	size_t lines = (size - lead) / LINE;
	stream_lines(t + lead, f + lead, lines);
	size_t done = lead + lines * LINE;
	memcpy(t + done, f + done, size - done);
}
#else
void slip__copy(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
}

void slip__copy_streaming(void *to, const void *from, size_t size)
{
	memcpy(to, from, size); /* the C library knows best here */
}
#endif

bool slip__copy_should_stream(uint64_t size, uint32_t depth, size_t cache_bytes)
{
	return size >= (UINT64_C(1) << 20) && size * (depth + 1) > cache_bytes;
}

/* Two dimensions of pieces that are `piece` bytes long. Of a constant length a piece takes an instruction, of another one a call. */
static inline char *gather_pieces(char *t, const char *f, size_t piece, const int64_t shape[2], const int64_t strides[2])
{
	for (int64_t i = 0; i < shape[0]; i++, f += strides[0]) {
		const char *at = f;
		for (int64_t j = 0; j < shape[1]; j++, at += strides[1], t += piece)
			memcpy(t, at, piece);
	}
	return t;
}

static char *gather(char *t, const char *f, size_t piece, const int64_t shape[2], const int64_t strides[2])
{
	switch (piece) {
	case 1: return gather_pieces(t, f, 1, shape, strides);
	case 2: return gather_pieces(t, f, 2, shape, strides);
	case 3: return gather_pieces(t, f, 3, shape, strides);
	case 4: return gather_pieces(t, f, 4, shape, strides);
	case 8: return gather_pieces(t, f, 8, shape, strides);
	case 16: return gather_pieces(t, f, 16, shape, strides);
	default: return gather_pieces(t, f, piece, shape, strides);
	}
}

void slip__copy_strided(void *to, const void *from, uint64_t item_bytes, int32_t ndim, const int64_t *shape, const int64_t *strides)
{
	/* Innermost dimensions that lie side by side are one piece. */
	uint64_t piece = item_bytes;
	while (ndim > 0 && (strides[ndim - 1] == (int64_t)piece || shape[ndim - 1] == 1)) {
		piece *= (uint64_t)shape[ndim - 1];
		ndim--;
	}
	if (piece == 0)
		return;
	for (int32_t i = 0; i < ndim; i++)
		if (shape[i] == 0)
			return;
	if (ndim == 0) {
		slip__copy(to, from, piece);
		return;
	}
	/* The two innermost that are left are loops, those outside of them a counter of digits. */
	const int32_t outer = ndim > 2 ? ndim - 2 : 0;
	const int64_t last_shape[2] = {ndim > 1 ? shape[ndim - 2] : 1, shape[ndim - 1]};
	const int64_t last_strides[2] = {ndim > 1 ? strides[ndim - 2] : 0, strides[ndim - 1]};
	int64_t index[8] = {0};
	char *t = to;
	const char *f = from;
	for (;;) {
		t = gather(t, f, piece, last_shape, last_strides);
		int32_t d = outer - 1;
		for (; d >= 0; d--) {
			f += strides[d];
			if (++index[d] < shape[d])
				break;
			f -= strides[d] * shape[d];
			index[d] = 0;
		}
		if (d < 0)
			return;
	}
}

/* By a string instruction, whose loads the compiler cannot take for plain ones; the CPU keeps them in order with those after. */
static size_t copy_racing_words(char *to, const char *from, size_t size)
{
#if defined(__x86_64__)
	enum { SHORT = 256 }; /* the instruction takes a while to start */
	if (size < SHORT)
		return 0;
	size_t words = size / 8;
	size_t copied = words * 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	return copied;
#else
	(void)to;
	(void)from;
	(void)size;
	return 0;
#endif
}

void slip__copy_racing(void *to, const void *from, size_t size)
{
	const slip__a64 *words = from;
	char *t = to;
	TSAN_LOOK_AWAY();
	size_t at = copy_racing_words(t, from, size);
	for (; at + 8 <= size; at += 8) {
		uint64_t word = a64_load_relaxed(&words[at / 8]);
		memcpy(t + at, &word, 8);
	}
	if (at < size) {
		uint64_t word = a64_load_relaxed(&words[at / 8]);
		memcpy(t + at, &word, size - at);
	}
	TSAN_LOOK_AGAIN();
}
