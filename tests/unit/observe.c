#include "observe.h"
#include "channel.h"

TestSuite(observe, .init = open_both, .fini = close_both);

Test(observe, an_observer_copies_and_is_not_seen)
{
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.observer = 1;
	slip_reader *observer = slip_reader_open(base, &o);
	put(1);
	slip_frame *f = slip_get_array(observer, "a");
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_eq(slip_readers_attached(w, "a"), 0);
	for (uint64_t i = 2; i <= 20; i++)
		put(i);
	cr_assert_eq(content(f), 1);
	cr_assert_eq(slip_release(f), 0);
	f = slip_next(observer, "a", 1000000000);
	cr_assert_not_null(f);
	cr_assert_eq(content(f), f->seq);
	cr_assert_eq(f->missed, f->seq - 2);
	slip_release(f);
	slip_reader_close(observer);
}

static void get_segment(struct slip__segment *s)
{
	slip_channel_name name;
	cr_assert_eq(slip__name_make(base, "a", &name), 0);
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_OBSERVER, s), 0, "%s", slip_error_detail());
}

Test(observe, a_copy_is_private_with_its_metadata)
{
	struct slip__segment s;
	struct slip__frame *frame;
	uint64_t number = 5;
	slip_array a = bytes_array(&number, sizeof(number));
	a.metadata = "meta";
	a.metadata_size = 4;
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	get_segment(&s);
	struct slip__place place;
	cr_assert_eq(slip__slot_latest(&s.ring, &place), SLIP__FOUND);
	cr_assert_eq(slip__observe_copy(&s, &place, &frame), 1);
	for (uint64_t i = 0; i < 20; i++)
		put(i);
	cr_assert_eq(content(&frame->view), 5);
	cr_assert_eq(frame->view.metadata_size, 4);
	cr_assert_eq(memcmp(frame->view.metadata, "meta", 4), 0);
	cr_assert_eq(slip_publish(&frame->view), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_release(&frame->view), 0);
	slip__segment_close(&s);
}

Test(observe, a_frame_that_is_gone_is_not_given)
{
	struct slip__segment s;
	struct slip__frame *frame;
	slip_frame view;
	put(1);
	get_segment(&s);
	struct slip__place place;
	cr_assert_eq(slip__slot_latest(&s.ring, &place), SLIP__FOUND);
	cr_assert_eq(slip__observe_describe(&s, &place, &view), 1);
	for (uint64_t i = 2; i < 20; i++)
		put(i);
	cr_assert_eq(slip__observe_copy(&s, &place, &frame), 0);
	cr_assert_eq(slip__observe_describe(&s, &place, &view), 0);
	slip__segment_close(&s);
}
