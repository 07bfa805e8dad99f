/* SPDX-License-Identifier: Apache-2.0 */
#include "stamp.h"

#include "os.h"

#include <slipring/types.h>

enum { CHECK_NS = 1000000000 };

/* A caller's stamp may be anything: what would pass the range stays at its end. */
static int64_t plus(int64_t stamp, int64_t offset)
{
	int64_t sum;
	if (!__builtin_add_overflow(stamp, offset, &sum))
		return sum;
	return offset > 0 ? INT64_MAX : INT64_MIN + 1;
}

int64_t slip__stamp_plain(int64_t capture_realtime_ns)
{
	return capture_realtime_ns == SLIP_TIME_ZERO ? 0 : capture_realtime_ns;
}

void slip__stamp_complete(struct slip__clocks *clocks, int64_t now, int64_t *capture_ns, int64_t *capture_realtime_ns)
{
	if (now >= clocks->due) {
		clocks->offset = slip__os_realtime() - now;
		clocks->due = now + CHECK_NS;
	}
	if (*capture_realtime_ns == 0) {
		if (*capture_ns == 0)
			*capture_ns = now;
		*capture_realtime_ns = plus(*capture_ns, clocks->offset);
		return;
	}
	*capture_realtime_ns = slip__stamp_plain(*capture_realtime_ns);
	if (*capture_ns == 0)
		*capture_ns = plus(*capture_realtime_ns, -clocks->offset);
}
