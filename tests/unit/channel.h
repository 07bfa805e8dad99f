/* channel.h - a writer and a reader of one channel, for Criterion suites that look at what passes between them. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_TESTS_UNIT_CHANNEL_H
#define SLIP_TESTS_UNIT_CHANNEL_H

#include "segment.h"
#include "support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>

static const char *base;
static slip_writer *w;
static slip_reader *r;

static inline slip_writer *open_writer(uint32_t slots)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = slots;
	return slip_writer_open(base, &options);
}

static inline void open_both(void)
{
	base = own_base("channel");
	w = open_writer(6);
	r = slip_reader_open(base, NULL);
}

static inline void close_both(void)
{
	slip_reader_close(r);
	slip_writer_close(w);
	cr_assert_eq(objects_with(base), 0);
}

static inline void put(uint64_t number)
{
	slip_array a = bytes_array(&number, sizeof(number));
	cr_assert_eq(slip_set_array(w, "a", &a), 0, "%s", slip_error_detail());
}

static inline uint64_t content(const slip_frame *f)
{
	uint64_t number;
	memcpy(&number, f->data, sizeof(number));
	return number;
}

static inline void expect_next(uint64_t seq, uint64_t missed)
{
	slip_frame *f = slip_next(r, "a", 0);
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_eq(f->seq, seq);
	cr_assert_eq(content(f), seq);
	cr_assert_eq(f->missed, missed);
	cr_assert_eq(slip_release(f), 0);
}

static inline void expect_nothing(int err)
{
	errno = 0;
	cr_assert_null(slip_next(r, "a", 0));
	cr_assert_eq(errno, err, "%s", slip_error_detail());
}

#endif
