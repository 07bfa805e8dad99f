/*
 * stamp.h - the two capture stamps of a frame, each from the other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_STAMP_H
#define SLIP_CORE_STAMP_H

#include <stdint.h>

/* CLOCK_REALTIME less CLOCK_MONOTONIC, looked at once a second, so that stamping reads one clock. Starts as zeros. */
struct slip__clocks {
	int64_t offset;
	int64_t due;
};

/*
 * Fills in what is 0 of the two stamps: each is derived from the other, and both from now (CLOCK_MONOTONIC) where neither is given.
 * SLIP_TIME_ZERO becomes the 0 that it stands for.
 */
void slip__stamp_complete(struct slip__clocks *clocks, int64_t now, int64_t *capture_ns, int64_t *capture_realtime_ns);

/* The 0 that SLIP_TIME_ZERO stands for; others as they are. */
int64_t slip__stamp_plain(int64_t capture_realtime_ns);

#endif
