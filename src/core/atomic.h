/*
 * atomic.h - every atomic operation of slipring, its memory order in its name.
 *
 * The only includer of <stdatomic.h>. `grep -n relaxed` over src/core lists every place that relies on something else
 * for its order. An acquire or release stands beside a label (@NAME) that its partner carries too.
 *
 * INTERLEAVE stands for nothing, but in a test build, where each operation has random delays around it (interleave.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_ATOMIC_H
#define SLIP_CORE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef SLIP_DELAYS
#include "interleave.h"
#else
#define INTERLEAVE ((void)0)
#endif

typedef _Atomic(uint64_t) slip__a64;
typedef _Atomic(uint32_t) slip__a32;
typedef _Atomic(void *) slip__aptr;

_Static_assert(sizeof(slip__a64) == 8 && sizeof(slip__a32) == 4, "atomics are plain words in shared memory");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "atomics across processes must be lock-free");

static inline uint64_t a64_load_relaxed(const slip__a64 *a)
{
	INTERLEAVE;
	return atomic_load_explicit(a, memory_order_relaxed);
}

static inline uint64_t a64_load_acquire(const slip__a64 *a)
{
	INTERLEAVE;
	return atomic_load_explicit(a, memory_order_acquire);
}

static inline void a64_store_relaxed(slip__a64 *a, uint64_t v)
{
	INTERLEAVE;
	atomic_store_explicit(a, v, memory_order_relaxed);
}

static inline void a64_store_release(slip__a64 *a, uint64_t v)
{
	INTERLEAVE;
	atomic_store_explicit(a, v, memory_order_release);
}

/* The result is not used on purpose: x86 then has `lock or` and `lock and` instead of a compare-and-swap loop. */
static inline void a64_or_acq_rel(slip__a64 *a, uint64_t bits)
{
	INTERLEAVE;
	(void)atomic_fetch_or_explicit(a, bits, memory_order_acq_rel);
}

static inline void a64_or_release(slip__a64 *a, uint64_t bits)
{
	INTERLEAVE;
	(void)atomic_fetch_or_explicit(a, bits, memory_order_release);
}

static inline void a64_or_relaxed(slip__a64 *a, uint64_t bits)
{
	INTERLEAVE;
	(void)atomic_fetch_or_explicit(a, bits, memory_order_relaxed);
}

static inline void a64_and_relaxed(slip__a64 *a, uint64_t bits)
{
	INTERLEAVE;
	(void)atomic_fetch_and_explicit(a, bits, memory_order_relaxed);
}

static inline void a64_and_release(slip__a64 *a, uint64_t bits)
{
	INTERLEAVE;
	(void)atomic_fetch_and_explicit(a, bits, memory_order_release);
}

static inline bool a64_cas_relaxed(slip__a64 *a, uint64_t from, uint64_t to)
{
	INTERLEAVE;
	return atomic_compare_exchange_strong_explicit(a, &from, to, memory_order_relaxed, memory_order_relaxed);
}

/* Acquire on failure too: what the protocol was checked with. */
static inline bool a64_cas_acquire(slip__a64 *a, uint64_t from, uint64_t to)
{
	INTERLEAVE;
	return atomic_compare_exchange_strong_explicit(a, &from, to, memory_order_acquire, memory_order_acquire);
}

/* Adds to a counter that has a single writer: a plain load and store, so that nobody pays for a locked operation. */
static inline void a64_count_relaxed(slip__a64 *a, uint64_t n)
{
	INTERLEAVE;
	atomic_store_explicit(a, atomic_load_explicit(a, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t a64_add_relaxed(slip__a64 *a, uint64_t n)
{
	INTERLEAVE;
	return atomic_fetch_add_explicit(a, n, memory_order_relaxed);
}

static inline uint64_t a64_add_release(slip__a64 *a, uint64_t n)
{
	INTERLEAVE;
	return atomic_fetch_add_explicit(a, n, memory_order_release);
}

static inline uint64_t a64_sub_acq_rel(slip__a64 *a, uint64_t n)
{
	INTERLEAVE;
	return atomic_fetch_sub_explicit(a, n, memory_order_acq_rel);
}

static inline uint32_t a32_load_relaxed(const slip__a32 *a)
{
	INTERLEAVE;
	return atomic_load_explicit(a, memory_order_relaxed);
}

static inline uint32_t a32_load_acquire(const slip__a32 *a)
{
	INTERLEAVE;
	return atomic_load_explicit(a, memory_order_acquire);
}

static inline void a32_store_relaxed(slip__a32 *a, uint32_t v)
{
	INTERLEAVE;
	atomic_store_explicit(a, v, memory_order_relaxed);
}

static inline void a32_store_release(slip__a32 *a, uint32_t v)
{
	INTERLEAVE;
	atomic_store_explicit(a, v, memory_order_release);
}

static inline uint32_t a32_exchange_release(slip__a32 *a, uint32_t v)
{
	INTERLEAVE;
	return atomic_exchange_explicit(a, v, memory_order_release);
}

static inline uint32_t a32_or_relaxed(slip__a32 *a, uint32_t bits)
{
	INTERLEAVE;
	return atomic_fetch_or_explicit(a, bits, memory_order_relaxed);
}

static inline uint32_t a32_or_release(slip__a32 *a, uint32_t bits)
{
	INTERLEAVE;
	return atomic_fetch_or_explicit(a, bits, memory_order_release);
}

static inline uint32_t a32_add_relaxed(slip__a32 *a, uint32_t n)
{
	INTERLEAVE;
	return atomic_fetch_add_explicit(a, n, memory_order_relaxed);
}

static inline uint32_t a32_sub_acq_rel(slip__a32 *a, uint32_t n)
{
	INTERLEAVE;
	return atomic_fetch_sub_explicit(a, n, memory_order_acq_rel);
}

static inline bool a32_cas_relaxed(slip__a32 *a, uint32_t from, uint32_t to)
{
	INTERLEAVE;
	return atomic_compare_exchange_strong_explicit(a, &from, to, memory_order_relaxed, memory_order_relaxed);
}

/* On failure *from is what stands there. */
static inline bool a32_cas_acq_rel(slip__a32 *a, uint32_t *from, uint32_t to)
{
	INTERLEAVE;
	return atomic_compare_exchange_strong_explicit(a, from, to, memory_order_acq_rel, memory_order_relaxed);
}

static inline void *aptr_load_acquire(const slip__aptr *a)
{
	INTERLEAVE;
	return atomic_load_explicit(a, memory_order_acquire);
}

static inline void *aptr_load_relaxed(const slip__aptr *a)
{
	INTERLEAVE;
	return atomic_load_explicit(a, memory_order_relaxed);
}

static inline void aptr_store_relaxed(slip__aptr *a, void *v)
{
	INTERLEAVE;
	atomic_store_explicit(a, v, memory_order_relaxed);
}

static inline void aptr_store_release(slip__aptr *a, void *v)
{
	INTERLEAVE;
	atomic_store_explicit(a, v, memory_order_release);
}

/* Puts `to` where `from` stands; returns what stands there afterwards. */
static inline void *aptr_cas_acq_rel(slip__aptr *a, void *from, void *to)
{
	INTERLEAVE;
	if (atomic_compare_exchange_strong_explicit(a, &from, to, memory_order_acq_rel, memory_order_acquire))
		return to;
	return from;
}

static inline void fence_acquire(void)
{
	INTERLEAVE;
	atomic_thread_fence(memory_order_acquire);
}

static inline void fence_release(void)
{
	INTERLEAVE;
	atomic_thread_fence(memory_order_release);
}

/* Fetches a cache line ahead of its use, to read or to write; no order, no fault, nothing but time. */
static inline void prefetch_to_read(const volatile void *line)
{
	__builtin_prefetch((const void *)line, 0);
}

static inline void prefetch_to_write(const volatile void *line)
{
#if defined(__x86_64__)
	/* GCC's own says so only to CPUs newer than the baseline; those before them take it for a no-op. */
	__asm__ volatile("prefetchw %0" : : "m"(*(const volatile char *)line));
#else
	__builtin_prefetch((const void *)line, 1);
#endif
}

/* Tells the CPU that this is a busy-wait. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

#endif
