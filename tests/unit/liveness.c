#include "liveness.h"
#include "small_channel.h"

TestSuite(liveness, .init = open_channel, .fini = close_channel);

Test(liveness, reader_places_run_out_with_EUSERS_and_come_back)
{
	struct slip__segment s;
	uint32_t a;
	uint32_t b;
	uint32_t c;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	void *one = slip__liveness_take_reader(&s, &a);
	void *two = slip__liveness_take_reader(&s, &b);
	cr_assert_not_null(one);
	cr_assert_not_null(two);
	cr_assert_neq(a, b);
	cr_assert_null(slip__liveness_take_reader(&s, &c));
	cr_assert_eq(errno, EUSERS);
	slip__liveness_drop_reader(&s, a, one);
	one = slip__liveness_take_reader(&s, &c);
	cr_assert_not_null(one);
	cr_assert_eq(c, a);
	slip__liveness_drop_reader(&s, c, one);
	slip__liveness_drop_reader(&s, b, two);
	slip__segment_close(&s);
}

Test(liveness, a_full_table_of_a_ring_that_is_gone_is_ENOENT)
{
	struct slip__segment s;
	uint32_t readers[3];
	void *anchors[2];
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	for (int i = 0; i < 2; i++)
		anchors[i] = slip__liveness_take_reader(&s, &readers[i]);
	slip_writer_close(writer);
	writer = NULL;
	cr_assert_null(slip__liveness_take_reader(&s, &readers[2]));
	cr_assert_eq(errno, ENOENT);
	for (int i = 0; i < 2; i++)
		slip__liveness_drop_reader(&s, readers[i], anchors[i]);
	slip__segment_close(&s);
}

Test(liveness, a_dead_readers_marks_are_reclaimed_and_a_live_ones_are_not)
{
	struct slip__segment s;
	uint32_t mine;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	void *anchor = slip__liveness_take_reader(&s, &mine);
	a64_or_relaxed(slip__pins(&s.ring, 0), UINT64_C(1) << mine | UINT64_C(1) << 1); /* place 1 has no owner */
	cr_assert_eq(mine, 0);
	cr_assert_eq(slip__liveness_reclaim(&s, 3), 1);
	cr_assert_eq(a64_load_relaxed(slip__pins(&s.ring, 0)), 1);
	slip__slot_release(&s.ring, 0, 1);
	slip__liveness_drop_reader(&s, mine, anchor);
	slip__segment_close(&s);
}

Test(liveness, marks_of_readers_that_cannot_be_are_cleared)
{
	struct slip__segment s;
	slip_array a = bytes_array("y", 1);
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	/* Two places are all there are. A peer that wrote this may be long dead; every slot would be held for ever. */
	for (uint32_t slot = 0; slot < s.geometry.slots; slot++)
		a64_or_relaxed(slip__pins(&s.ring, slot), UINT64_C(1) << (2 + slot) | UINT64_C(1) << 61);
	cr_assert_eq(slip_set_array(writer, "image", &a), 0, "%s", slip_error_detail());
	for (uint32_t slot = 0; slot < s.geometry.slots; slot++)
		cr_assert_eq(a64_load_relaxed(slip__pins(&s.ring, slot)), 0);
	slip__segment_close(&s);
}

Test(liveness, a_reader_that_has_only_said_that_it_reads_in_order_is_not_yet_attached)
{
	struct slip__segment s;
	uint32_t mine;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	void *anchor = slip__liveness_take_reader(&s, &mine);
	/* It has yet to look which frame it begins with: who counted it now could publish frames that it will not have. */
	a64_or_relaxed(&s.header->in_order, UINT64_C(1) << mine);
	cr_assert_eq(slip__liveness_attached(&s), 0);
	cr_assert_eq(slip_readers_attached(writer, "image"), 0);
	slip__liveness_show_reader(&s, mine);
	cr_assert_eq(slip__liveness_attached(&s), UINT64_C(1) << mine);
	cr_assert_eq(slip_readers_attached(writer, "image"), 1);
	slip__liveness_drop_reader(&s, mine, anchor);
	cr_assert_eq(slip_readers_attached(writer, "image"), 0);
	slip__segment_close(&s);
}

Test(liveness, a_newcomer_clears_what_its_predecessor_left)
{
	struct slip__segment s;
	uint32_t mine;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	a64_or_relaxed(slip__pins(&s.ring, 2), 1);
	void *anchor = slip__liveness_take_reader(&s, &mine);
	cr_assert_eq(mine, 0);
	cr_assert_eq(a64_load_relaxed(slip__pins(&s.ring, 2)), 0);
	slip__liveness_drop_reader(&s, mine, anchor);
	slip__segment_close(&s);
}

Test(liveness, the_writers_byte_says_that_it_lives)
{
	struct slip__segment s;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	cr_assert(slip__liveness_writer_alive(&s));
	cr_assert_null(slip__liveness_take_writer(&s, SLIP__OBJECT_CONTROL));
	cr_assert_eq(errno, EAGAIN);
	slip__segment_close(&s);
}
