#include "os.h"
#include "support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>

static const char *base;
static slip_writer *w;
static slip_reader *r;

static void open_both(void)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = 4;
	options.max_readers = 4;
	options.max_loans = 3;
	base = own_base("writer");
	w = slip_writer_open(base, &options);
	r = slip_reader_open(base, NULL);
	cr_assert_not_null(w);
}

static void close_both(void)
{
	slip_reader_close(r);
	slip_writer_close(w);
	cr_assert_eq(objects_with(base), 0);
}

TestSuite(writer, .init = open_both, .fini = close_both);

static slip_frame *loan(char content)
{
	slip_array a = bytes_array(NULL, 1);
	slip_frame *f = slip_loan(w, "a", &a);
	cr_assert_not_null(f, "%s", slip_error_detail());
	*(char *)f->data = content;
	return f;
}

static void expect_latest(char content, uint64_t seq)
{
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_eq(*(char *)f->data, content);
	cr_assert_eq(f->seq, seq);
	cr_assert_eq(slip_release(f), 0);
}

Test(writer, loans_end_in_any_order_and_take_their_seq_at_publish)
{
	slip_frame *one = loan('1');
	slip_frame *two = loan('2');
	slip_frame *three = loan('3');
	cr_assert_eq(slip_publish(three), 0);
	expect_latest('3', 1);
	cr_assert_eq(slip_discard(two), 0);
	cr_assert_eq(slip_publish(one), 0);
	expect_latest('1', 2);
}

Test(writer, a_loan_ends_once)
{
	slip_frame *one = loan('1');
	cr_assert_eq(slip_publish(one), 0);
	cr_assert_eq(slip_publish(one), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_discard(one), -1);
	cr_assert_eq(slip_release(one), -1);
	cr_assert_eq(slip_publish(NULL), -1);
}

Test(writer, more_loans_than_allowed_are_refused)
{
	slip_frame *loans[] = {loan('1'), loan('2'), loan('3')};
	slip_array a = bytes_array(NULL, 1);
	cr_assert_null(slip_loan(w, "a", &a));
	cr_assert_eq(errno, EMFILE);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(slip_discard(loans[i]), 0);
}

Test(writer, every_slot_held_is_EAGAIN_counted_and_nothing_is_lost)
{
	slip_frame *loans[] = {loan('1'), loan('2'), loan('3')};
	cr_assert_eq(slip_publish(loans[0]), 0);
	slip_frame *held = slip_get_array(r, "a");
	slip_frame *fourth = loan('4'); /* the last of 4 slots */
	slip_array a = bytes_array("5", 1);
	cr_assert_eq(slip_discard(loans[1]), 0);
	loans[1] = loan('6');
	cr_assert_eq(slip_publish(fourth), 0);
	/* head, a lease, two loans */
	cr_assert_eq(slip_set_array(w, "a", &a), -1);
	cr_assert_eq(errno, EAGAIN);
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_writer_get_stats(w, "a", &stats), 0);
	cr_assert_eq(stats.refused, 1);
	cr_assert_eq(stats.published, 2);
	expect_latest('4', 2);
	cr_assert_eq(slip_release(held), 0);
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	expect_latest('5', 3);
	cr_assert_eq(slip_discard(loans[1]), 0);
	cr_assert_eq(slip_discard(loans[2]), 0);
}

Test(writer, a_kept_frame_stays_until_it_is_released_also_after_close)
{
	slip_frame *kept = loan('k');
	cr_assert_eq(slip_publish_keep(kept), 0);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(slip_publish(loan('x')), 0);
	cr_assert_eq(*(char *)kept->data, 'k');
	cr_assert_eq(kept->seq, 1);
	slip_writer_close(w);
	cr_assert_eq(*(char *)kept->data, 'k');
	cr_assert_eq(slip_release(kept), 0);
	w = NULL;
}

Test(writer, a_loan_made_before_growth_is_published_in_the_new_ring)
{
	slip_frame *small = loan('s');
	cr_assert_eq(slip_frame_set_metadata(small, "meta", 4), 0);
	static char big[100000];
	slip_array a = bytes_array(big, sizeof(big));
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	cr_assert_eq(slip_publish(small), 0);
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_eq(*(char *)f->data, 's');
	cr_assert_eq(f->seq, 2);
	cr_assert_eq(f->metadata_size, 4);
	cr_assert_eq(memcmp(f->metadata, "meta", 4), 0);
	slip_release(f);
	cr_assert_eq(objects_with(base), 2, "the old generation is still there");
}

Test(writer, a_growing_cloud_does_not_make_a_generation_a_frame)
{
	static char cloud[400000];
	for (int64_t points = 1; points <= 1000; points++) {
		slip_array a = bytes_array(cloud, points * 400);
		cr_assert_eq(slip_set_array(w, "a", &a), 0);
	}
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_writer_get_stats(w, "a", &stats), 0);
	cr_assert_leq(stats.grown, 13);
	cr_assert_eq(stats.last_seq, 1000);
}

Test(writer, a_second_writer_is_EBUSY_with_the_firsts_pid)
{
	slip_array a = bytes_array("x", 1);
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	slip_writer *second = slip_writer_open(base, NULL);
	cr_assert_eq(slip_set_array(second, "a", &a), -1);
	cr_assert_eq(errno, EBUSY);
	char pid[16];
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	cr_assert(strstr(slip_error_detail(), pid) != NULL, "%s", slip_error_detail());
	slip_writer_close(second);
	expect_latest('x', 1);
}

Test(writer, strided_input_is_gathered)
{
	static const uint8_t pixels[4 * 6] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};
	slip_array a = SLIP_ARRAY_INIT;
	a.data = pixels;
	a.dtype = SLIP_U8;
	a.ndim = 2;
	a.shape[0] = 4;
	a.shape[1] = 3;
	a.strides[0] = 6;
	a.strides[1] = 2;
	cr_assert_eq(slip_set_image(w, &a), 0);
	slip_frame *f = slip_get_image(r);
	cr_assert_not_null(f);
	cr_assert_str_eq(f->encoding, "8UC1");
	for (int i = 0; i < 12; i++)
		cr_assert_eq(((uint8_t *)f->data)[i], i / 3 * 6 + i % 3 * 2 + 1);
	slip_release(f);
}

Test(writer, channels_with_a_meaning_check_their_shapes)
{
	slip_array a = bytes_array("abc", 3);
	cr_assert_eq(slip_set_image(w, &a), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_set_depth(w, &a), -1);
	cr_assert_eq(slip_set_mask(w, &a), -1);
	cr_assert_eq(slip_set_pointcloud(w, &a), -1);
	a.ndim = 2;
	a.shape[0] = 0; /* a cloud of no points is a good frame */
	a.shape[1] = 3;
	cr_assert_eq(slip_set_pointcloud(w, &a), 0);
	slip_frame *f = slip_get_pointcloud(r);
	cr_assert_eq(f->size, 0);
	cr_assert_eq(f->shape[1], 3);
	slip_release(f);
	a.ndim = 3;
	a.shape[0] = 1;
	a.shape[2] = 1;
	cr_assert_eq(slip_set_depth(w, &a), 0, "%s", slip_error_detail());
	cr_assert_eq(slip_set_mask(w, &a), 0, "%s", slip_error_detail());
	a.shape[1] = 1;
	a.shape[2] = 3;
	cr_assert_eq(slip_set_depth(w, &a), -1, "three values a pixel");
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_set_pointcloud(w, &a), 0, "an organised cloud");
}

Test(writer, options_out_of_range_are_named)
{
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.slots = 1;
	cr_assert_null(slip_writer_open("x", &o));
	cr_assert_eq(errno, EINVAL);
	o = (slip_writer_options)SLIP_WRITER_OPTIONS_INIT;
	o.max_readers = 63;
	cr_assert_null(slip_writer_open("x", &o));
	o = (slip_writer_options)SLIP_WRITER_OPTIONS_INIT;
	o.permissions = 0777;
	cr_assert_null(slip_writer_open("x", &o));
	o = (slip_writer_options)SLIP_WRITER_OPTIONS_INIT;
	o.observers = 0040;
	cr_assert_null(slip_writer_open("x", &o));
	cr_assert(strstr(slip_error_detail(), "observers") != NULL);
	o = (slip_writer_options)SLIP_WRITER_OPTIONS_INIT;
	o.permissions = 0660; /* whoever may write to the payload does not only observe */
	o.observers = 0040;
	cr_assert_null(slip_writer_open("x", &o));
	cr_assert_eq(errno, EINVAL);
	cr_assert(strstr(slip_error_detail(), "observers") != NULL);
	o = (slip_writer_options)SLIP_WRITER_OPTIONS_INIT;
	o.mode = SLIP_MODE_SEMAPHORE;
	o.slots = 4;
	cr_assert_null(slip_writer_open("x", &o));
	cr_assert_eq(errno, ENOTSUP, "a semaphore channel has no ring");
	cr_assert(strstr(slip_error_detail(), "slots is 4") != NULL);
	o = (slip_writer_options)SLIP_WRITER_OPTIONS_INIT;
	o.mode = (slip_mode)3;
	cr_assert_null(slip_writer_open("x", &o));
	cr_assert_eq(errno, EINVAL);
	o = (slip_writer_options)SLIP_WRITER_OPTIONS_INIT;
	o.struct_size = 10000;
	cr_assert_null(slip_writer_open("x", &o));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(slip_writer_open("a/b", NULL));
}

Test(writer, attached_readers_are_counted_and_the_dead_are_not)
{
	slip_array a = bytes_array("x", 1);
	cr_assert_eq(slip_readers_attached(w, "a"), 0);
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	expect_latest('x', 1);
	cr_assert_eq(slip_readers_attached(w, "a"), 1);
	pid_t child = fork();
	if (child == 0) {
		slip_reader *mine = slip_reader_open(base, NULL);
		slip_frame *f = slip_get_array(mine, "a");
		raise(f != NULL ? SIGKILL : SIGTERM);
	}
	int status;
	waitpid(child, &status, 0);
	cr_assert_eq(WTERMSIG(status), SIGKILL);
	cr_assert_eq(slip_readers_attached(w, "a"), 1);
}

Test(writer, stamps_can_be_given_derived_or_off)
{
	slip_array a = bytes_array("x", 1);
	a.capture_ns = 12345;
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_eq(f->capture_ns, 12345);
	cr_assert_gt(f->publish_ns, 0);
	cr_assert_gt(f->capture_realtime_ns, 0);
	slip_release(f);
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.no_stamps = 1;
	slip_writer *quiet = slip_writer_open(base, &o);
	a.capture_ns = 0;
	cr_assert_eq(slip_set_array(quiet, "b", &a), 0);
	f = slip_get_array(r, "b");
	cr_assert_eq(f->publish_ns, 0);
	cr_assert_eq(f->capture_ns, 0);
	slip_release(f);
	slip_writer_close(quiet);
}

static void expect_kept(size_t size)
{
	unsigned char *data = malloc(size);
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 31 + i / 251 + size);
	slip_array a = bytes_array(data, (int64_t)size);
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_eq(f->size, size);
	cr_assert_eq(memcmp(f->data, data, size), 0);
	slip_release(f);
	free(data);
}

Test(writer, frames_from_one_byte_to_many_pages_keep_their_bytes)
{
	for (size_t size = 1; size <= (size_t)16 << 20; size = size * 5 + 3)
		expect_kept(size);
}

Test(writer, a_discarded_loan_that_is_kept_stays_out_of_use_until_released)
{
	char own[80];
	(void)snprintf(own, sizeof(own), "%s-keep", base);
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = 3;
	slip_writer *writer = slip_writer_open(own, &options);
	slip_reader *reader = slip_reader_open(own, NULL);
	slip_array a = bytes_array("abcdefgh", 8);
	slip_frame *loan = slip_loan(writer, "a", &a);
	cr_assert_eq(slip_discard_keep(loan), 0, "%s", slip_error_detail());
	cr_assert_eq(slip_publish(loan), -1);
	cr_assert_eq(slip_discard(loan), -1);
	for (int i = 0; i < 20; i++) {
		memset(loan->data, '!', 8); /* whoever still writes disturbs nobody */
		cr_assert_eq(slip_set_array(writer, "a", &a), 0, "%s", slip_error_detail());
		slip_frame *f = slip_get_array(reader, "a");
		cr_assert_eq(f->seq, (uint64_t)i + 1, "no number was used up");
		cr_assert_eq(memcmp(f->data, "abcdefgh", 8), 0);
		slip_release(f);
	}
	cr_assert_eq(slip_release(loan), 0);
	cr_assert_eq(slip_release(loan), -1);
	loan = slip_loan(writer, "a", &a);
	cr_assert_eq(slip_discard_keep(loan), 0);
	slip_writer_close(writer);
	slip_reader_close(reader);
	cr_assert_eq(objects_with(own), 0);
	memset(loan->data, '!', 8);
	cr_assert_eq(slip_release(loan), 0);
}

enum { LARGE = 1 << 20, RING = 8 };

/* A channel of frames that are copied for long, with a reader in order. */
static void publish_large(slip_writer *writer, uint64_t number)
{
	static char bytes[LARGE];
	memcpy(bytes, &number, sizeof(number));
	slip_array a = bytes_array(bytes, LARGE);
	cr_assert_eq(slip_set_array(writer, "large", &a), 0, "%s", slip_error_detail());
}

static const void *next_large(slip_reader *reader, uint64_t number)
{
	slip_frame *f = slip_next(reader, "large", 0);
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_eq(f->missed, 0);
	cr_assert_eq(memcmp(f->data, &number, sizeof(number)), 0);
	const void *data = f->data;
	cr_assert_eq(slip_release(f), 0);
	return data;
}

Test(writer, large_frames_go_round_few_slots_while_readers_in_order_keep_up)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = RING;
	slip_writer *writer = slip_writer_open(own_base("large"), &options);
	slip_reader *reader = slip_reader_open(own_base("large"), NULL);
	const void *used[RING] = {NULL};
	int count = 0;
	for (uint64_t i = 1; i <= 40; i++) {
		publish_large(writer, i);
		const void *data = next_large(reader, i);
		int at = 0;
		while (at < count && used[at] != data)
			at++;
		if (at == count)
			used[count++] = data;
	}
	cr_assert_leq(count, 3, "%d slots were used", count);
	slip_reader_close(reader);
	slip_writer_close(writer);
}

Test(writer, a_reader_in_order_that_falls_behind_on_large_frames_still_has_the_whole_ring)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = RING;
	slip_writer *writer = slip_writer_open(own_base("behind"), &options);
	slip_reader *slow = slip_reader_open(own_base("behind"), NULL);
	slip_reader *quick = slip_reader_open(own_base("behind"), NULL);
	publish_large(writer, 1);
	next_large(slow, 1);
	for (uint64_t i = 2; i < 1 + RING; i++) {
		publish_large(writer, i);
		next_large(quick, i);
	}
	for (uint64_t i = 2; i < 1 + RING; i++)
		next_large(slow, i);
	slip_reader_close(quick);
	slip_reader_close(slow);
	slip_writer_close(writer);
}

enum { FEW = 4 };

static void publish_huge(slip_writer *writer, int count)
{
	/* Half of the cache does not hold one. */
	slip_array a = bytes_array(NULL, (int64_t)slip__os_cache_size() / 2 + (1 << 20));
	for (int i = 0; i < count; i++)
		cr_assert_eq(slip_publish(slip_loan(writer, "huge", &a)), 0, "%s", slip_error_detail());
}

static void expect_huge(slip_reader *reader, uint64_t seq, uint64_t missed)
{
	slip_frame *f = slip_next(reader, "huge", 0);
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_eq(f->seq, seq, "%llu", (unsigned long long)f->seq);
	cr_assert_eq(f->missed, missed, "%llu", (unsigned long long)f->missed);
	slip_release(f);
}

Test(writer, a_reader_in_order_that_cannot_keep_up_gets_frames_that_are_not_old)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = FEW;
	slip_writer *writer = slip_writer_open(own_base("overload"), &options);
	slip_reader *reader = slip_reader_open(own_base("overload"), NULL);
	publish_huge(writer, 1);
	expect_huge(reader, 1, 0);
	/* It stops: the whole ring is kept for it, whatever is lost. */
	publish_huge(writer, 4 * FEW);
	expect_huge(reader, 1 + 3 * FEW + 1, 3 * FEW);
	/* It reads one frame in eight. */
	uint64_t last = 1 + 4 * FEW;
	for (int i = 0; i < 4; i++, last += 8) {
		publish_huge(writer, 8);
		slip_release(slip_next(reader, "huge", 0));
	}
	publish_huge(writer, 8);
	last += 8;
	slip_frame *f = slip_next(reader, "huge", 0);
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_geq(f->seq, last - 1, "frame %llu of %llu", (unsigned long long)f->seq, (unsigned long long)last);
	slip_release(f);
	/* It keeps up again: after a while the whole ring is there for it. */
	while ((f = slip_next(reader, "huge", 0)) != NULL)
		slip_release(f);
	for (int i = 0; i < 10 * 2 * FEW; i++) {
		publish_huge(writer, 1);
		expect_huge(reader, ++last, 0);
	}
	publish_huge(writer, FEW - 1);
	expect_huge(reader, last + 1, 0);
	slip_reader_close(reader);
	slip_writer_close(writer);
}

/* Also where the slots have guard pages between them, which nobody may touch. */
Test(writer, a_ring_that_was_touched_before_carries_frames)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.prefault = 1;
	slip_reader_options reading = SLIP_READER_OPTIONS_INIT;
	reading.prefault = 1;
	slip_writer *writer = slip_writer_open(own_base("touched"), &options);
	slip_reader *reader = slip_reader_open(own_base("touched"), &reading);
	for (uint64_t i = 1; i <= 3; i++) {
		publish_large(writer, i);
		next_large(reader, i);
	}
	slip_reader_close(reader);
	slip_writer_close(writer);
}

Test(writer, a_loan_that_finds_no_slot_in_the_ring_that_grew_is_published_once_there_is_one)
{
	char large[20000] = "large";
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = 2;
	options.max_loans = 2;
	slip_writer *writer = slip_writer_open(base, &options);
	slip_array a = bytes_array(NULL, 1);
	slip_frame *small = slip_loan(writer, "a", &a);
	cr_assert_not_null(small, "%s", slip_error_detail());
	*(char *)small->data = 's';
	a = bytes_array(large, sizeof(large));
	cr_assert_eq(slip_set_array(writer, "a", &a), 0, "%s", slip_error_detail());
	slip_frame *second = slip_loan(writer, "a", &a); /* the only slot that is not the newest frame's */
	cr_assert_not_null(second, "%s", slip_error_detail());
	cr_assert_eq(slip_publish(small), -1);
	cr_assert_eq(errno, EAGAIN, "%s", slip_error_detail());
	expect_latest('l', 1);
	cr_assert_eq(slip_discard(second), 0);
	cr_assert_eq(slip_publish(small), 0, "%s", slip_error_detail());
	expect_latest('s', 2);
	slip_writer_close(writer);
}

/* Stands before the library's: a machine with a small cache. */
static size_t cache_bytes;
size_t __real_slip__os_cache_size(void);
size_t __wrap_slip__os_cache_size(void);
size_t __wrap_slip__os_cache_size(void)
{
	return cache_bytes > 0 ? cache_bytes : __real_slip__os_cache_size();
}

Test(writer, frames_larger_than_the_cache_keep_their_bytes)
{
	cache_bytes = 1 << 20;
	expect_kept((3 << 20) + 17);
	cache_bytes = 0;
}
