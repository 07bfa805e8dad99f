/*
 * dtype.h - DLPack element types: which are known, their size and name. The functions are public, in slipring/types.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_DTYPE_H
#define SLIP_CORE_DTYPE_H

#include <slipring/types.h>
#include <stdbool.h>

/* As slip_dtype_size, but 0 without touching errno. */
size_t slip__dtype_bytes(slip_dtype dtype);

bool slip__dtype_equal(slip_dtype a, slip_dtype b);

/*
 * The generic name among the ROS image encodings: "8UC3", "32FC1"; signed and unsigned ints up to 16 bits, int32, float32 and float64
 * have one. "" for other types, vectors, and channels outside 1 to 99. Room for SLIP_ENCODING_MAX bytes.
 */
void slip__dtype_encoding(slip_dtype dtype, int64_t channels, char encoding[SLIP_ENCODING_MAX]);

#endif
