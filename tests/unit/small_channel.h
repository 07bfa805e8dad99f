/* small_channel.h - a channel with room for two readers, and its name, for Criterion suites that look below the public API. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_TESTS_UNIT_SMALL_CHANNEL_H
#define SLIP_TESTS_UNIT_SMALL_CHANNEL_H

#include "name.h"
#include "support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>

static slip_writer *writer;
static slip_channel_name name;

static inline void open_channel(void)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.max_readers = 2;
	options.slots = 4;
	cr_assert_eq(slip__name_make(own_base("liveness"), "image", &name), 0);
	writer = slip_writer_open(name.base, &options);
	slip_array a = bytes_array("x", 1);
	cr_assert_eq(slip_set_array(writer, "image", &a), 0, "%s", slip_error_detail());
}

static inline void close_channel(void)
{
	slip_writer_close(writer);
	cr_assert_eq(objects_with(name.base), 0);
}

#endif
