/* SPDX-License-Identifier: Apache-2.0 */
#include "stamp.h"

#include <criterion/criterion.h>
#include <slipring/types.h>

enum { OFFSET = 1000, NOW = 50 };

static void expect(int64_t capture, int64_t realtime, int64_t capture_out, int64_t realtime_out)
{
	struct slip__clocks clocks = {.offset = OFFSET, .due = INT64_MAX};
	slip__stamp_complete(&clocks, NOW, &capture, &realtime);
	cr_assert_eq(capture, capture_out);
	cr_assert_eq(realtime, realtime_out);
}

Test(stamp, each_is_derived_from_the_other)
{
	expect(0, 0, NOW, NOW + OFFSET);
	expect(7, 0, 7, 7 + OFFSET);
	expect(0, 2000, 2000 - OFFSET, 2000);
	expect(7, 9, 7, 9);
}

Test(stamp, the_stamp_zero_can_be_given)
{
	expect(0, SLIP_TIME_ZERO, -OFFSET, 0);
	expect(7, SLIP_TIME_ZERO, 7, 0);
	cr_assert_eq(slip__stamp_plain(SLIP_TIME_ZERO), 0);
	cr_assert_eq(slip__stamp_plain(5), 5);
}

Test(stamp, no_stamp_overflows)
{
	expect(INT64_MAX, 0, INT64_MAX, INT64_MAX);
	expect(0, INT64_MIN + 5, INT64_MIN + 1, INT64_MIN + 5);
}
