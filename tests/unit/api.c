#include "channel.h"

TestSuite(api, .init = open_both, .fini = close_both);

Test(api, used_after_fork_is_ECHILD_and_the_parent_is_undisturbed)
{
	put(1);
	slip_frame *f = slip_get_array(r, "a");
	pid_t child = fork();
	if (child == 0) {
		slip_array a = bytes_array("x", 1);
		int good = slip_get_array(r, "a") == NULL && errno == ECHILD;
		good = good && slip_release(f) == -1 && errno == ECHILD;
		good = good && slip_set_array(w, "a", &a) == -1 && errno == ECHILD;
		slip_reader *own = slip_reader_open(base, NULL);
		slip_frame *mine = slip_get_array(own, "a");
		good = good && mine != NULL && content(mine) == 1 && slip_release(mine) == 0;
		slip_reader_close(own);
		slip_writer_close(w);
		slip_reader_close(r);
		_exit(good ? 0 : 1);
	}
	int status;
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
	put(2);
	cr_assert_eq(content(f), 1);
	cr_assert_eq(slip_release(f), 0);
	expect_next(2, 0);
	cr_assert_eq(slip_readers_attached(w, "a"), 1);
}

Test(api, copy_takes_out_the_elements_without_their_padding)
{
	slip_array a = SLIP_ARRAY_INIT;
	a.dtype = SLIP_U8;
	a.ndim = 2;
	a.shape[0] = 3;
	a.shape[1] = 5;
	a.strides[0] = 64;
	a.strides[1] = 1;
	slip_frame *loan = slip_loan(w, "a", &a);
	for (int i = 0; i < 15; i++)
		((char *)loan->data)[i / 5 * 64 + i % 5] = (char)i;
	cr_assert_eq(slip_publish(loan), 0);
	slip_frame *f = slip_get_array(r, "a");
	char out[16] = {0};
	cr_assert_eq(slip_copy(f, out, 14), -1);
	cr_assert_eq(errno, EMSGSIZE);
	cr_assert_eq(slip_copy(f, out, 16), 15);
	for (int i = 0; i < 15; i++)
		cr_assert_eq(out[i], i);
	cr_assert_eq(slip_publish(f), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_release(f), 0);
}

Test(api, waits_on_several_channels)
{
	slip_wait_item items[3] = {{.reader = r, .channel = "a"}, {.reader = r, .channel = "b"}, {.reader = r, .channel = "absent"}};
	cr_assert_eq(slip_wait_any(items, 3, 1000000), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	put(1);
	cr_assert_eq(slip_wait_any(items, 3, 1000000000), 1);
	cr_assert(items[0].ready && !items[1].ready && !items[2].ready);
	slip_release(slip_get_array(r, "a"));
	slip_array a = bytes_array("b", 1);
	cr_assert_eq(slip_set_array(w, "b", &a), 0);
	cr_assert_eq(slip_wait_any(items, 2, SLIP_FOREVER), 1);
	cr_assert(!items[0].ready && items[1].ready);
	cr_assert_eq(slip_wait_any(items, 0, 0), -1);
	cr_assert_eq(errno, EINVAL);
}

Test(api, waiting_for_a_damaged_channel_ends_with_its_time_limit)
{
	struct slip__segment segment;
	slip_channel_name name;
	put(1);
	cr_assert_eq(slip__name_make(base, "a", &name), 0);
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_HEIR, &segment), 0);
	slip_wait_item item = {.reader = r, .channel = "a"};
	cr_assert_eq(slip_wait_any(&item, 1, 0), 1);
	a64_store_relaxed(&segment.header->head, 9 << 16 | 999); /* there is no such slot */
	cr_assert_eq(slip_wait_any(&item, 1, 1000000), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	cr_assert_eq(slip_wait(r, "a", 1000000), -1);
	cr_assert_eq(errno, EBADMSG);
	slip__segment_close(&segment);
	put(2);
	cr_assert_eq(slip_wait_any(&item, 1, 0), 1);
}

Test(api, a_spin_without_end_is_none_past_the_time_limit)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.spin_ns = INT64_MAX;
	slip_reader *reader = slip_reader_open(base, &options);
	put(1);
	slip_release(slip_get_array(reader, "a"));
	slip_wait_item item = {.reader = reader, .channel = "a"};
	cr_assert_eq(slip_wait_any(&item, 1, 1000), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	cr_assert_eq(slip_wait(reader, "a", 1000), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	slip_reader_close(reader);
}

Test(api, queries_take_no_lease)
{
	uint16_t pixels[6] = {0};
	slip_array a = SLIP_ARRAY_INIT;
	a.data = pixels;
	a.dtype = SLIP_U16;
	a.ndim = 2;
	a.shape[0] = 2;
	a.shape[1] = 3;
	cr_assert_eq(slip_set_depth(w, &a), 0);
	int64_t shape[SLIP_MAX_DIMS];
	slip_dtype dtype;
	cr_assert_eq(slip_get_shape(r, "depth", shape), 2);
	cr_assert_eq(shape[0], 2);
	cr_assert_eq(shape[1], 3);
	cr_assert_eq(slip_get_ndim(r, "depth"), 2);
	cr_assert_eq(slip_get_dtype(r, "depth", &dtype), 0);
	cr_assert_eq(dtype.bits, 16);
	cr_assert_eq(slip_get_ndim(r, "nothing"), -1);
	cr_assert_eq(errno, ENOENT);
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_reader_get_stats(r, "depth", &stats), 0);
	cr_assert_eq(stats.got, 0);
}

Test(api, says_its_versions)
{
	cr_assert_str_eq(slip_version(), SLIPRING_VERSION);
	cr_assert_eq(slip_layout_version(), 1);
}

Test(api, null_and_options_of_another_version_are_refused)
{
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.struct_size = 4000;
	cr_assert_null(slip_reader_open(base, &o));
	cr_assert_eq(errno, EINVAL);
	o.struct_size = sizeof(size_t) - 1;
	cr_assert_null(slip_reader_open(base, &o), "less than its own size");
	cr_assert_eq(errno, EINVAL);
	o.struct_size = sizeof(size_t); /* an older version, that had nothing else */
	slip_reader *older = slip_reader_open(base, &o);
	cr_assert_not_null(older);
	slip_reader_close(older);
	o = (slip_reader_options)SLIP_READER_OPTIONS_INIT;
	o.spin_ns = -1;
	cr_assert_null(slip_reader_open(base, &o));
	o = (slip_reader_options)SLIP_READER_OPTIONS_INIT;
	o.mode = SLIP_MODE_SEMAPHORE;
	o.observer = 1;
	cr_assert_null(slip_reader_open(base, &o));
	cr_assert_eq(errno, ENOTSUP);
	cr_assert_null(slip_get_array(NULL, "a"));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(slip_get_array(r, NULL));
	cr_assert_eq(slip_release(NULL), -1);
	cr_assert_eq(slip_copy(NULL, NULL, 0), -1);
	slip_reader_stats stats = {.struct_size = 1};
	cr_assert_eq(slip_reader_get_stats(r, "a", &stats), -1);
	cr_assert_eq(errno, EINVAL);
	slip_writer_close(NULL);
	slip_reader_close(NULL);
}

Test(api, a_waker_ends_one_wait)
{
	slip_waker *waker = slip_waker_open();
	slip_reader *reader = slip_reader_open(own_base("waker"), NULL);
	slip_wait_item items[2] = {{.reader = reader, .channel = "a"}, {.waker = waker}};
	errno = 0;
	cr_assert_eq(slip_wait_any(items, 2, 0), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	slip_waker_wake(waker);
	slip_waker_wake(waker);
	cr_assert_eq(slip_wait_any(items, 2, SLIP_FOREVER), 1);
	cr_assert_eq(items[0].ready, 0);
	cr_assert_eq(items[1].ready, 1);
	cr_assert_eq(slip_wait_any(items, 2, 0), -1, "it was used up");
	slip_reader_close(reader);
	slip_waker_close(waker);
}

Test(api, what_is_no_frame_or_no_loan_ends_as_none)
{
	int (*const ends[])(slip_frame *) = {slip_publish, slip_publish_keep, slip_discard, slip_discard_keep};
	put(1);
	slip_frame *lease = slip_get_array(r, "a");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		cr_assert_eq(ends[i](NULL), -1);
		cr_assert_eq(errno, EINVAL);
		cr_assert_eq(ends[i](lease), -1);
		cr_assert_eq(errno, EINVAL);
	}
	cr_assert_eq(slip_frame_set_metadata(NULL, "m", 1), -1);
	cr_assert_eq(slip_frame_set_metadata(lease, "m", 1), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_frame_set_capture(NULL, 1, 1), -1);
	cr_assert_eq(slip_frame_set_capture(lease, 1, 1), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(content(lease), 1);
	cr_assert_eq(slip_release(lease), 0);
}

Test(api, a_loan_takes_metadata_and_capture_times_until_it_ends)
{
	char long_one[SLIP_METADATA_MAX + 1] = {0};
	slip_array a = bytes_array(NULL, 8);
	slip_frame *loan = slip_loan(w, "a", &a);
	cr_assert_eq(slip_frame_set_metadata(loan, long_one, sizeof(long_one)), -1);
	cr_assert_eq(errno, EMSGSIZE);
	cr_assert_eq(slip_frame_set_metadata(loan, NULL, 3), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_frame_set_metadata(loan, "first", 5), 0);
	cr_assert_eq(slip_frame_set_metadata(loan, NULL, 0), 0, "none is possible too");
	cr_assert_null(loan->metadata);
	cr_assert_eq(slip_frame_set_metadata(loan, "last", 4), 0);
	cr_assert_eq(slip_frame_set_capture(loan, 5, 7), 0);
	cr_assert_eq(slip_publish(loan), 0);
	cr_assert_eq(slip_frame_set_metadata(loan, "late", 4), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_frame_set_capture(loan, 1, 1), -1);
	cr_assert_eq(errno, EINVAL);
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_eq(f->metadata_size, 4);
	cr_assert_arr_eq(f->metadata, "last", 4);
	cr_assert_eq(f->capture_ns, 5);
	cr_assert_eq(f->capture_realtime_ns, 7);
	cr_assert_eq(slip_release(f), 0);
	a = bytes_array("x", 1);
	a.metadata_size = 1;
	cr_assert_eq(slip_set_array(w, "a", &a), -1);
	cr_assert_eq(errno, EINVAL);
}

Test(api, copies_only_what_is_a_frame)
{
	char out[8];
	put(1);
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_eq(slip_copy(f, NULL, 8), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_copy(f, NULL, 0), -1);
	cr_assert_eq(errno, EMSGSIZE);
	slip_frame other = *f;
	other.dtype.bits = 7;
	cr_assert_eq(slip_copy(&other, out, sizeof(out)), -1);
	cr_assert_eq(errno, EINVAL);
	other = *f;
	other.ndim = 2;
	other.shape[0] = other.shape[1] = INT64_MAX;
	cr_assert_eq(slip_copy(&other, out, sizeof(out)), -1);
	cr_assert_eq(errno, EINVAL);
	other = *f;
	other.shape[0] = 0;
	cr_assert_eq(slip_copy(&other, NULL, 0), 0, "an array without elements has nothing to copy");
	cr_assert_eq(slip_release(f), 0);
}

Test(api, each_kind_of_image_has_its_own_channel)
{
	unsigned char pixels[4] = {1, 2, 3, 4};
	slip_array a = SLIP_ARRAY_INIT;
	a.data = pixels;
	a.dtype = SLIP_U8;
	a.ndim = 2;
	a.shape[0] = a.shape[1] = 2;
	cr_assert_eq(slip_set_depth(w, &a), 0);
	pixels[0] = 9;
	cr_assert_eq(slip_set_mask(w, &a), 0);
	cr_assert_null(slip_get_image(r));
	slip_frame *depth = slip_get_depth(r);
	slip_frame *mask = slip_get_mask(r);
	cr_assert_eq(*(const char *)depth->data, 1);
	cr_assert_eq(*(const char *)mask->data, 9);
	cr_assert_eq(slip_release(depth), 0);
	cr_assert_eq(slip_release(mask), 0);
}

Test(api, options_that_cannot_be_are_refused)
{
	slip_reader_options reads = SLIP_READER_OPTIONS_INIT;
	reads.mode = (slip_mode)99;
	cr_assert_null(slip_reader_open(base, &reads));
	cr_assert_eq(errno, EINVAL);
	slip_writer_options bad[6];
	for (int i = 0; i < 6; i++)
		bad[i] = (slip_writer_options)SLIP_WRITER_OPTIONS_INIT;
	bad[0].mode = (slip_mode)99;
	bad[1].slots = 1;
	bad[2].max_readers = SLIP_MAX_READERS + 1;
	bad[3].leases_per_reader = SLIP_MAX_LEASES + 1;
	bad[4].max_loans = SLIP_MAX_LOANS + 1;
	bad[5].slots = bad[5].history = 4;
	for (int i = 0; i < 6; i++) {
		errno = 0;
		cr_assert_null(slip_writer_open(base, &bad[i]), "options %d", i);
		cr_assert_eq(errno, EINVAL, "options %d", i);
	}
}

Test(api, without_a_handle_or_a_name_nothing_is_asked_or_set)
{
	slip_array a = bytes_array("x", 1);
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_set_array(NULL, "a", &a), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_set_array(w, NULL, &a), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_set_array(w, "a/b", &a), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_set_array(w, "a", NULL), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(slip_loan(NULL, "a", &a));
	cr_assert_null(slip_loan(w, "a", NULL));
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_channel_create(NULL, "a", &a), -1);
	cr_assert_eq(slip_channel_create(w, "a", NULL), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_readers_attached(NULL, "a"), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_readers_attached(w, "a/b"), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_readers_attached(w, "never made"), -1);
	cr_assert_eq(slip_readers_attached(w, "unmade"), 0);
	cr_assert_eq(slip_writer_get_stats(NULL, "a", &stats), -1);
	cr_assert_eq(slip_writer_get_stats(w, "unmade", &stats), -1);
	cr_assert_eq(errno, ENOENT);
	cr_assert_eq(slip_writer_get_stats(w, "unmade", NULL), -1);
	cr_assert_eq(errno, EINVAL);
	stats.struct_size--;
	cr_assert_eq(slip_writer_get_stats(w, "unmade", &stats), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_writer_alive(NULL, "a"), -1);
	cr_assert_eq(slip_reader_get_stats(r, "a", NULL), -1);
	cr_assert_eq(errno, EINVAL);
}

Test(api, a_wait_for_what_cannot_be_waited_for_is_refused_at_once)
{
	slip_wait_item items[129] = {0};
	cr_assert_eq(slip_wait_any(NULL, 1, SLIP_FOREVER), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_wait_any(items, 129, SLIP_FOREVER), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_wait_any(items, 1, SLIP_FOREVER), -1, "an item without a reader");
	cr_assert_eq(errno, EINVAL);
	items[0] = (slip_wait_item){.reader = r, .channel = "a/b"};
	cr_assert_eq(slip_wait_any(items, 1, SLIP_FOREVER), -1);
	cr_assert_eq(errno, EINVAL);
}

Test(api, a_child_closes_its_copy_of_a_reader_that_found_nothing)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = SLIP_MODE_LOCK_FREE;
	slip_reader *reader = slip_reader_open(base, &options);
	cr_assert_null(slip_get_array(reader, "a"));
	cr_assert_eq(errno, ENOENT);
	pid_t child = fork();
	if (child == 0) {
		slip_reader_close(reader);
		_exit(0);
	}
	int status;
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
	put(1);
	slip_frame *f = slip_get_array(reader, "a");
	cr_assert_eq(content(f), 1);
	cr_assert_eq(slip_release(f), 0);
	slip_reader_close(reader);
}

Test(api, a_slot_that_changed_its_seq_under_a_lease_is_damage)
{
	struct slip__segment segment;
	slip_channel_name name;
	put(1);
	slip_frame *held = slip_get_array(r, "a");
	cr_assert_eq(slip__name_make(base, "a", &name), 0);
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_HEIR, &segment), 0);
	struct slip__place place;
	cr_assert_eq(slip__slot_latest(&segment.ring, &place), SLIP__FOUND);
	a64_store_relaxed(slip__seq(&segment.ring, place.slot), 2);
	a64_store_relaxed(&segment.header->head, UINT64_C(2) << 16 | place.slot);
	cr_assert_null(slip_get_array(r, "a"));
	cr_assert_eq(errno, EBADMSG, "%s", slip_error_detail());
	a64_store_relaxed(slip__seq(&segment.ring, place.slot), 1);
	a64_store_relaxed(&segment.header->head, UINT64_C(1) << 16 | place.slot);
	slip__segment_close(&segment);
	cr_assert_eq(slip_release(held), 0);
}
