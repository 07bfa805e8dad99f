/*
 * copy.h - moving many bytes: plain, past the cache, strided, and out from under a writer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_COPY_H
#define SLIP_CORE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * memcpy, by the string instruction where that is faster for long copies than the C library's choice: on AMD's Zen 5 and later it writes whole
 * lines without reading them first, so that it matters little how many slots a ring goes round (docs/performance.md).
 */
void slip__copy(void *to, const void *from, size_t size);

/* memcpy whose stores bypass the cache, where the CPU has such; complete, in the sense of a release, when it returns. */
void slip__copy_streaming(void *to, const void *from, size_t size);

/*
 * Whether to stream a copy of size bytes into a ring that goes round `depth` slots: where source and slots together do
 * not fit into the last-level cache of cache_bytes anyway. Measured, docs/performance.md: from there on streaming takes as long or less,
 * before it plain copies leave the bytes where the readers find them.
 */
bool slip__copy_should_stream(uint64_t size, uint32_t depth, size_t cache_bytes);

/* Gathers elements at byte strides of any sign into C-contiguous memory. */
void slip__copy_strided(void *to, const void *from, uint64_t item_bytes, int32_t ndim, const int64_t *shape, const int64_t *strides);

/*
 * Copies what a writer may be overwriting: relaxed atomic loads, or an instruction that the compiler leaves alone. The bytes mean
 * something only if a sequence check afterwards says so. The writer's stores are plain, which C11 calls a race; this function is the one
 * place where that is so, and the reason is in docs/protocol.md. from is 8-byte aligned and readable up to the next multiple of 8.
 */
void slip__copy_racing(void *to, const void *from, size_t size);

#endif
