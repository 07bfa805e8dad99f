#include "support.h"

#include <criterion/criterion.h>

Test(inspect, lists_the_channels_of_a_base_in_order)
{
	const char *base = own_base("inspect");
	slip_writer *w = slip_writer_open(base, NULL);
	slip_array a = bytes_array("x", 1);
	cr_assert_eq(slip_set_array(w, "zeta", &a), 0);
	cr_assert_eq(slip_set_array(w, "alpha", &a), 0);
	slip_channel_name *names;
	size_t count;
	cr_assert_eq(slip_list_channels(base, &names, &count), 0);
	cr_assert_eq(count, 2);
	cr_assert_str_eq(names[0].channel, "alpha");
	cr_assert_str_eq(names[1].channel, "zeta");
	free(names);
	slip_writer_close(w);
	cr_assert_eq(slip_list_channels(base, &names, &count), 0);
	cr_assert_eq(count, 0);
	free(names);
}

Test(inspect, says_what_is_wrong_with_a_name)
{
	cr_assert_null(slip_channel_inspect("no-such-base", "image", SLIP_MODE_DEFAULT));
	cr_assert_eq(errno, ENOENT);
	cr_assert_null(slip_channel_inspect("a/b", "image", SLIP_MODE_DEFAULT));
	cr_assert_eq(errno, EINVAL);
	slip_leftover bad = {.object = "../../etc/passwd"};
	cr_assert_eq(slip_gc_remove(&bad), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_gc_remove(NULL), -1);
}

Test(inspect, shows_slots_loans_and_own_leases)
{
	const char *base = own_base("inspect");
	slip_writer *w = slip_writer_open(base, NULL);
	slip_array a = bytes_array("x", 1);
	slip_frame *kept = slip_loan(w, "c", &a);
	cr_assert_eq(slip_publish_keep(kept), 0);
	slip_frame *loan = slip_loan(w, "c", &a);
	slip_channel_info *info = slip_channel_inspect(base, "c", SLIP_MODE_DEFAULT);
	cr_assert_not_null(info);
	uint64_t own = 0;
	uint64_t filling = 0;
	for (size_t i = 0; i < info->slot_count; i++) {
		own += info->slot_info[i].pins >> 62 & 1;
		filling += info->slot_info[i].pins >> 63;
	}
	cr_assert_eq(own, 1);
	cr_assert_eq(filling, 1);
	cr_assert_eq(info->writer_pid, (uint32_t)getpid());
	slip_channel_info_free(info);
	slip_discard(loan);
	slip_release(kept);
	slip_writer_close(w);
}

Test(inspect, a_list_of_a_base_that_cannot_be_is_refused)
{
	slip_channel_name *names;
	slip_leftover *leftovers;
	size_t count;
	cr_assert_eq(slip_list_channels("a/b", &names, &count), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_gc_list("a/b", &leftovers, &count), -1);
	cr_assert_eq(errno, EINVAL);
}

Test(inspect, a_list_grows_past_its_first_room)
{
	const char *base = own_base("inspect");
	slip_writer *w = slip_writer_open(base, NULL);
	slip_array a = bytes_array("x", 1);
	char channel[16];
	for (int i = 0; i < 20; i++) {
		(void)snprintf(channel, sizeof(channel), "c%02d", i);
		cr_assert_eq(slip_set_array(w, channel, &a), 0);
	}
	slip_channel_name *names;
	size_t count;
	cr_assert_eq(slip_list_channels(base, &names, &count), 0);
	cr_assert_eq(count, 20);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(channel, sizeof(channel), "c%02d", (int)i);
		cr_assert_str_eq(names[i].channel, channel);
	}
	free(names);
	slip_writer_close(w);
}
