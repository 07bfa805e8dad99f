#include "channel.h"

TestSuite(lease, .init = open_both, .fini = close_both);

Test(lease, the_latest_comes_again_until_there_is_a_newer_one)
{
	put(1);
	slip_frame *one = slip_get_array(r, "a");
	slip_frame *again = slip_get_array(r, "a");
	cr_assert_eq(one, again);
	cr_assert_eq(slip_release(one), 0);
	cr_assert_eq(content(again), 1);
	cr_assert_eq(slip_release(again), 0);
	cr_assert_eq(slip_release(again), -1);
	cr_assert_eq(errno, EINVAL);
	put(2);
	put(3);
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_eq(f->missed, 1);
	slip_release(f);
}

Test(lease, a_lease_is_not_overwritten)
{
	put(1);
	slip_frame *held = slip_get_array(r, "a");
	for (uint64_t i = 2; i <= 100; i++)
		put(i);
	cr_assert_eq(content(held), 1);
	cr_assert_eq(slip_release(held), 0);
}

Test(lease, more_leases_than_allowed_are_EMFILE)
{
	put(1);
	slip_frame *one = slip_get_array(r, "a");
	put(2);
	slip_frame *two = slip_get_array(r, "a");
	put(3);
	cr_assert_null(slip_get_array(r, "a"));
	cr_assert_eq(errno, EMFILE);
	cr_assert_eq(slip_release(one), 0);
	slip_frame *three = slip_get_array(r, "a");
	cr_assert_eq(three->seq, 3);
	slip_release(two);
	slip_release(three);
}

Test(lease, a_frame_outlives_its_handle)
{
	put(1);
	slip_reader *other = slip_reader_open(base, NULL);
	slip_frame *f = slip_get_array(other, "a");
	slip_reader_close(other);
	cr_assert_eq(content(f), 1);
	cr_assert_eq(slip_readers_attached(w, "a"), 1);
	cr_assert_eq(slip_release(f), 0);
	cr_assert_eq(slip_readers_attached(w, "a"), 0);
}
