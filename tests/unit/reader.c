#include "segment.h"
#include "support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>

static const char *base;
static slip_writer *w;
static slip_reader *r;

static slip_writer *open_writer(uint32_t slots)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = slots;
	return slip_writer_open(base, &options);
}

static void open_both(void)
{
	base = own_base("reader");
	w = open_writer(6);
	r = slip_reader_open(base, NULL);
}

static void close_both(void)
{
	slip_reader_close(r);
	slip_writer_close(w);
	cr_assert_eq(objects_with(base), 0);
}

TestSuite(reader, .init = open_both, .fini = close_both);

static void put(uint64_t number)
{
	slip_array a = bytes_array(&number, sizeof(number));
	cr_assert_eq(slip_set_array(w, "a", &a), 0, "%s", slip_error_detail());
}

static uint64_t content(const slip_frame *f)
{
	uint64_t number;
	memcpy(&number, f->data, sizeof(number));
	return number;
}

static void expect_next(uint64_t seq, uint64_t missed)
{
	slip_frame *f = slip_next(r, "a", 0);
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_eq(f->seq, seq);
	cr_assert_eq(content(f), seq);
	cr_assert_eq(f->missed, missed);
	cr_assert_eq(slip_release(f), 0);
}

static void expect_nothing(int err)
{
	errno = 0;
	cr_assert_null(slip_next(r, "a", 0));
	cr_assert_eq(errno, err, "%s", slip_error_detail());
}

Test(reader, opened_before_any_writer_starts_working_when_one_comes)
{
	cr_assert_null(slip_get_array(r, "a"));
	cr_assert_eq(errno, ENOENT);
	expect_nothing(ETIMEDOUT);
	put(1);
	expect_next(1, 0);
}

Test(reader, a_late_one_gets_the_newest_at_once)
{
	for (uint64_t i = 1; i <= 10; i++)
		put(i);
	expect_next(10, 0);
	expect_nothing(ETIMEDOUT);
}

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

Test(reader, the_latest_comes_again_until_there_is_a_newer_one)
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

Test(reader, a_lease_is_not_overwritten)
{
	put(1);
	slip_frame *held = slip_get_array(r, "a");
	for (uint64_t i = 2; i <= 100; i++)
		put(i);
	cr_assert_eq(content(held), 1);
	cr_assert_eq(slip_release(held), 0);
}

Test(reader, more_leases_than_allowed_are_EMFILE)
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

Test(reader, a_frame_outlives_its_handle)
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

Test(reader, follows_growth_and_drains_the_old_ring_first)
{
	put(1);
	expect_next(1, 0);
	put(2);
	put(3);
	static uint64_t big[5000];
	big[0] = 4;
	slip_array a = bytes_array(big, sizeof(big));
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	expect_next(2, 0);
	expect_next(3, 0);
	slip_frame *f = slip_next(r, "a", 0);
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_eq(f->seq, 4);
	cr_assert_eq(f->size, sizeof(big));
	cr_assert_eq(f->missed, 0);
	slip_release(f);
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_reader_get_stats(r, "a", &stats), 0);
	cr_assert_eq(stats.generations, 2);
	cr_assert_eq(stats.got, 4);
	cr_assert_eq(stats.missed, 0);
}

Test(reader, drains_what_was_published_before_a_close_then_EPIPE_then_the_next_epoch)
{
	put(1);
	expect_next(1, 0);
	put(2);
	put(3);
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_reader_get_stats(r, "a", &stats), 0);
	uint64_t epoch = stats.epoch;
	slip_writer_close(w);
	expect_next(2, 0);
	expect_next(3, 0);
	expect_nothing(EPIPE);
	expect_nothing(EPIPE);
	cr_assert_null(slip_get_array(r, "a"));
	cr_assert_eq(errno, EPIPE);
	w = open_writer(6);
	put(1);
	expect_next(1, 0);
	cr_assert_eq(slip_reader_get_stats(r, "a", &stats), 0);
	cr_assert_neq(stats.epoch, epoch);
}

Test(reader, a_close_under_way_is_not_a_full_table)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.max_readers = 1;
	slip_writer_close(w);
	w = slip_writer_open(base, &options);
	put(1);
	expect_next(1, 0);
	/* A close marks the ring before it takes the names away; this is the moment between. */
	slip_channel_name name;
	struct slip__segment s;
	cr_assert_eq(slip__name_make(base, "a", &name), 0);
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_HEIR, &s), 0);
	(void)a32_or_release(&s.header->state, SLIP__STATE_CLOSED);
	expect_nothing(ETIMEDOUT);
	slip__segment_close(&s);
	slip_writer_close(w);
	expect_nothing(EPIPE);
	w = NULL;
}

Test(reader, a_writer_that_died_while_closing_has_closed)
{
	pid_t child = fork();
	if (child == 0) {
		slip_writer *mine = open_writer(6);
		uint64_t one = 1;
		slip_array a = bytes_array(&one, sizeof(one));
		(void)slip_set_array(mine, "a", &a);
		raise(SIGKILL);
	}
	waitpid(child, NULL, 0);
	slip_channel_name name;
	struct slip__segment s;
	cr_assert_eq(slip__name_make(base, "a", &name), 0);
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_HEIR, &s), 0);
	(void)a32_or_release(&s.header->state, SLIP__STATE_CLOSED);
	slip__segment_close(&s);
	expect_next(1, 0);
	expect_nothing(EPIPE);
	put(1);
	expect_next(1, 0);
}

Test(reader, latest_follows_a_close_and_a_restart)
{
	put(1);
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_not_null(f);
	slip_release(f);
	slip_writer_close(w);
	w = open_writer(3);
	put(1);
	put(2);
	f = slip_get_array(r, "a");
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_eq(f->seq, 2);
	cr_assert_eq(f->missed, 1);
	slip_release(f);
}

Test(reader, a_dead_writer_is_EOWNERDEAD_and_its_successor_goes_on_without_gap)
{
	pid_t child = fork();
	if (child == 0) {
		slip_writer *mine = open_writer(6);
		for (uint64_t i = 1; i <= 3; i++) {
			slip_array a = bytes_array(&i, sizeof(i));
			(void)slip_set_array(mine, "a", &a);
		}
		slip_array a = bytes_array(NULL, 8);
		(void)slip_loan(mine, "a", &a); /* dies with a loan out */
		raise(SIGKILL);
	}
	waitpid(child, NULL, 0);
	expect_next(3, 0);
	cr_assert_eq(slip_writer_alive(r, "a"), 0);
	cr_assert_null(slip_next(r, "a", SLIP_FOREVER));
	cr_assert_eq(errno, EOWNERDEAD);
	slip_frame *held = slip_get_array(r, "a");
	put(4);
	cr_assert_eq(slip_writer_alive(r, "a"), 1);
	expect_next(4, 0);
	cr_assert_eq(content(held), 3);
	slip_release(held);
}

Test(reader, queries_take_no_lease)
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

Test(reader, an_observer_copies_and_is_not_seen)
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

Test(reader, waits_on_several_channels)
{
	slip_wait_item items[3] = {{r, "a", 0}, {r, "b", 0}, {r, "absent", 0}};
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

Test(reader, copy_takes_out_the_elements_without_their_padding)
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

Test(reader, counters_are_seen_from_outside)
{
	put(1);
	expect_next(1, 0);
	for (uint64_t i = 2; i <= 30; i++)
		put(i);
	slip_frame *f = slip_get_array(r, "a");
	slip_channel_info *info = slip_channel_inspect(base, "a");
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
	cr_assert_eq(ages, 2);
	slip_channel_info_free(info);
	slip_release(f);
}

Test(reader, used_after_fork_is_ECHILD_and_the_parent_is_undisturbed)
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
