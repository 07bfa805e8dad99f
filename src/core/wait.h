/*
 * wait.h - sleeping until a channel changes: spin first if asked to, then futex.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_WAIT_H
#define SLIP_CORE_WAIT_H

#include "atomic.h"
#include "slot.h"

#include <stddef.h>
#include <stdint.h>

/* One thing to wait for: a channel, ready once its newest frame is past `after` or its state is not 0; or an alarm, ready once it is not 0. */
struct slip__watch {
	slip__a32 *alarm; /* NULL: a channel */
	const struct slip__ring *ring;
	const slip__a32 *state;
	uint64_t after;
	bool silent; /* may not be written to: an observer's. It is polled */
};

enum slip__woken {
	SLIP__WOKEN_READY, /* at least one is ready */
	SLIP__WOKEN_LOOK,  /* look_at has come: see whether the channels' writers live, then wait on */
	SLIP__WOKEN_FAILED /* errno: ETIMEDOUT, EINTR; without a detail */
};

/* Sets an alarm off, for whoever waits for it now or next. Any thread of the process. */
void slip__wait_alarm(slip__a32 *alarm);

bool slip__wait_ready(const struct slip__watch *watch);

/* The deadline (CLOCK_MONOTONIC ns) for a time limit: INT64_MAX for none or one beyond it. */
int64_t slip__wait_deadline(int64_t now, int64_t timeout_ns);

/*
 * Waits for one of count watches until deadline, or until look_at, whichever is first; spins until spin_until before it sleeps. Times
 * are CLOCK_MONOTONIC ns. count may be 0: then it only sleeps. Polls, a millisecond apart, where it cannot sleep on all at once.
 */
enum slip__woken slip__wait(const struct slip__watch *watches, size_t count, int64_t spin_until, int64_t look_at, int64_t deadline);

#endif
