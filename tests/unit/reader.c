#include "channel.h"

TestSuite(reader, .init = open_both, .fini = close_both);

Test(reader, next_gives_every_frame_in_order_while_it_keeps_up)
{
	put(1);
	expect_next(1, 0);
	for (uint64_t i = 2; i <= 5; i++)
		put(i);
	for (uint64_t i = 2; i <= 5; i++)
		expect_next(i, 0);
	expect_nothing(ETIMEDOUT);
}

Test(reader, next_says_how_many_it_missed)
{
	put(1);
	expect_next(1, 0);
	for (uint64_t i = 2; i <= 20; i++)
		put(i);
	slip_frame *f = slip_next(r, "a", 0);
	cr_assert_not_null(f);
	cr_assert_eq(f->missed, f->seq - 2);
	cr_assert_geq(f->seq, 15);
	uint64_t seq = f->seq;
	slip_release(f);
	while (seq < 20)
		expect_next(++seq, 0);
}

static void on_alarm(int number)
{
	(void)number;
}

Test(reader, a_signal_ends_a_wait_with_EINTR)
{
	put(1);
	expect_next(1, 0);
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_alarm;
	sigaction(SIGALRM, &action, NULL);
	struct itimerspec soon = {.it_value = {.tv_nsec = 20000000}, .it_interval = {.tv_nsec = 20000000}};
	timer_t timer;
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	timer_settime(timer, 0, &soon, NULL);
	cr_assert_null(slip_next(r, "a", SLIP_FOREVER));
	cr_assert_eq(errno, EINTR);
	cr_assert_eq(slip_wait(r, "a", SLIP_FOREVER), -1);
	cr_assert_eq(errno, EINTR);
	timer_delete(timer);
}

Test(reader, counters_are_seen_from_outside)
{
	put(1);
	expect_next(1, 0);
	for (uint64_t i = 2; i <= 30; i++)
		put(i);
	slip_frame *f = slip_get_array(r, "a");
	slip_channel_info *info = slip_channel_inspect(base, "a", SLIP_MODE_DEFAULT);
	cr_assert_not_null(info, "%s", slip_error_detail());
	cr_assert_eq(info->state, SLIP_CHANNEL_LIVE);
	cr_assert_eq(info->last_seq, 30);
	cr_assert_eq(info->reader_count, 1);
	cr_assert_eq(info->readers[0].got, 2);
	cr_assert_eq(info->readers[0].missed, 28);
	cr_assert_eq(info->readers[0].last_seq, 30);
	cr_assert_eq(info->readers[0].leases, 1);
	cr_assert_eq(info->readers[0].alive, 1);
	cr_assert_eq(info->readers[0].in_order, 1);
	uint64_t ages = 0;
	for (int b = 0; b < SLIP_AGE_BUCKETS; b++)
		ages += info->readers[0].ages[b];
	cr_assert_gt(ages, 0);
	cr_assert_leq(ages, 2); /* of frames published within a millisecond one counts */
	slip_channel_info_free(info);
	slip_release(f);
}

/* The reader's own counts, whatever the clock said of the frames before. */
Test(reader, one_age_a_millisecond_of_publishing_is_counted)
{
	uint64_t ages = 0;
	for (uint64_t i = 1; i <= 3; i++) {
		put(i);
		expect_next(i, 0);
		usleep(1100);
	}
	slip_channel_info *info = slip_channel_inspect(base, "a", SLIP_MODE_DEFAULT);
	cr_assert_not_null(info, "%s", slip_error_detail());
	for (int b = 0; b < SLIP_AGE_BUCKETS; b++)
		ages += info->readers[0].ages[b];
	cr_assert_eq(ages, 3);
	slip_channel_info_free(info);
}

Test(reader, all_types_and_numbers_of_dimensions_pass)
{
	const char *names[] = {"uint8",	  "uint16",  "uint32",	"uint64",   "int8",	 "int16",      "int32", "int64",
			       "float16", "float32", "float64", "bfloat16", "complex64", "complex128", "bool",	"float32x4"};
	static unsigned char data[65536];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (int32_t ndim = 0; ndim <= SLIP_MAX_DIMS; ndim++) {
			slip_array a = SLIP_ARRAY_INIT;
			a.data = data;
			cr_assert_eq(slip_dtype_parse(names[i], &a.dtype), 0);
			a.ndim = ndim;
			size_t bytes = slip_dtype_size(a.dtype);
			for (int32_t d = 0; d < ndim; d++) {
				a.shape[d] = d % 2 + 2;
				bytes *= (size_t)a.shape[d];
			}
			for (size_t at = 0; at < bytes; at++)
				data[at] = (unsigned char)(at + i);
			cr_assert_eq(slip_set_array(w, "a", &a), 0, "%s", slip_error_detail());
			slip_frame *f = slip_get_array(r, "a");
			cr_assert_not_null(f);
			cr_assert_eq(f->ndim, ndim);
			cr_assert_eq(f->size, bytes);
			cr_assert_eq(memcmp(f->shape, a.shape, (size_t)ndim * sizeof(a.shape[0])), 0);
			cr_assert_eq(memcmp(f->data, data, bytes), 0);
			slip_release(f);
		}
}

Test(reader, a_line_of_the_ring_that_leads_nowhere_is_EBADMSG)
{
	slip_channel_name name;
	struct slip__segment s;
	put(1);
	expect_next(1, 0);
	put(2);
	put(3);
	cr_assert_eq(slip__name_make(base, "a", &name), 0);
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	slip__a64 *line = &s.ring.ring[2 % s.ring.ring_length];
	uint64_t was = a64_load_relaxed(line);
	a64_store_relaxed(line, UINT64_C(2) << 16 | s.ring.slot_count);
	expect_nothing(EBADMSG);
	a64_store_relaxed(line, was);
	expect_next(2, 0);
	slip__segment_close(&s);
}
