/*
 * allocations.h - counts a program's allocations, and has one of them fail. To be included by one file of a program: what it defines stands
 * in for the C library's, for slipring, for liburcu and for the C library itself. Where a sanitizer's does that already, for slipring alone
 * (SLIP_WRAPPED: linked with --wrap).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_FAULTS_ALLOCATIONS_H
#define SLIP_TESTS_FAULTS_ALLOCATIONS_H

#include "atomic.h"

#include <errno.h>
#include <stddef.h>

#ifdef SLIP_WRAPPED
enum { ALLOCATIONS_OF_ALL = 0 };
#define STAND_IN(name) __wrap_##name
#define GENUINE(name) __real_##name
#else
enum { ALLOCATIONS_OF_ALL = 1 };
#define STAND_IN(name) name
#define GENUINE(name) __libc_##name
#endif

/* The C library and liburcu find them too. */
#define FOR_ALL __attribute__((visibility("default")))

void *GENUINE(malloc)(size_t size);
void *GENUINE(calloc)(size_t count, size_t size);
void *GENUINE(realloc)(void *memory, size_t size);
void GENUINE(free)(void *memory);
FOR_ALL void *STAND_IN(malloc)(size_t size);
FOR_ALL void *STAND_IN(calloc)(size_t count, size_t size);
FOR_ALL void *STAND_IN(realloc)(void *memory, size_t size);
FOR_ALL void STAND_IN(free)(void *memory);
FOR_ALL int STAND_IN(posix_memalign)(void **memory, size_t alignment, size_t size);

static slip__a64 allocations_made;
static slip__a64 allocations_held;
static slip__a64 allocation_to_fail; /* the n-th from when it was set; 0: none */

/* Whether this allocation takes place. */
static inline bool allocate_now(void)
{
	(void)atomic_fetch_add_explicit(&allocations_made, 1, memory_order_relaxed);
	if (a64_load_relaxed(&allocation_to_fail) == 0 || atomic_fetch_sub_explicit(&allocation_to_fail, 1, memory_order_relaxed) != 1)
		return true;
	errno = ENOMEM;
	return false;
}

static inline void *held(void *memory)
{
	if (memory != NULL)
		(void)atomic_fetch_add_explicit(&allocations_held, 1, memory_order_relaxed);
	return memory;
}

void *STAND_IN(malloc)(size_t size)
{
	return allocate_now() ? held(GENUINE(malloc)(size)) : NULL;
}

void *STAND_IN(calloc)(size_t count, size_t size)
{
	return allocate_now() ? held(GENUINE(calloc)(count, size)) : NULL;
}

void *STAND_IN(realloc)(void *memory, size_t size)
{
	if (!allocate_now())
		return NULL;
	void *moved = GENUINE(realloc)(memory, size);
	return memory == NULL ? held(moved) : moved;
}

void STAND_IN(free)(void *memory)
{
	if (memory != NULL)
		(void)atomic_fetch_sub_explicit(&allocations_held, 1, memory_order_relaxed);
	GENUINE(free)(memory);
}

#ifdef SLIP_WRAPPED
int GENUINE(posix_memalign)(void **memory, size_t alignment, size_t size);

int STAND_IN(posix_memalign)(void **memory, size_t alignment, size_t size)
{
	int err = allocate_now() ? GENUINE(posix_memalign)(memory, alignment, size) : ENOMEM;
	if (err == 0)
		(void)held(*memory);
	return err;
}
#else
void *__libc_memalign(size_t alignment, size_t size);

int STAND_IN(posix_memalign)(void **memory, size_t alignment, size_t size)
{
	void *made = allocate_now() ? held(__libc_memalign(alignment, size)) : NULL;
	if (made == NULL)
		return ENOMEM;
	*memory = made;
	return 0;
}
#endif

#endif
