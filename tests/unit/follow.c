#include "channel.h"

TestSuite(follow, .init = open_both, .fini = close_both);

Test(follow, opened_before_any_writer_starts_working_when_one_comes)
{
	cr_assert_null(slip_get_array(r, "a"));
	cr_assert_eq(errno, ENOENT);
	expect_nothing(ETIMEDOUT);
	put(1);
	expect_next(1, 0);
}

Test(follow, who_attaches_to_a_damaged_head_goes_on_once_it_is_mended)
{
	struct slip__segment segment;
	slip_channel_name name;
	put(1);
	cr_assert_eq(slip__name_make(base, "a", &name), 0);
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_HEIR, &segment), 0);
	uint64_t good = a64_load_relaxed(&segment.header->head);
	a64_store_relaxed(&segment.header->head, 1); /* seq 0, in slot 1 */
	expect_nothing(ETIMEDOUT);
	a64_store_relaxed(&segment.header->head, good);
	slip__segment_close(&segment);
	put(2);
	expect_next(1, 0);
	expect_next(2, 0);
}

Test(follow, a_late_one_gets_the_newest_at_once)
{
	for (uint64_t i = 1; i <= 10; i++)
		put(i);
	expect_next(10, 0);
	expect_nothing(ETIMEDOUT);
}

Test(follow, follows_growth_and_drains_the_old_ring_first)
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

/* The next ring, for frames that do not fit. */
static void put_large(uint64_t number)
{
	static uint64_t big[5000];
	big[0] = number;
	slip_array a = bytes_array(big, sizeof(big));
	cr_assert_eq(slip_set_array(w, "a", &a), 0, "%s", slip_error_detail());
}

Test(follow, asking_and_waiting_between_does_not_leave_a_ring_that_next_has_not_finished)
{
	int64_t shape[SLIP_MAX_DIMS];
	put(1);
	expect_next(1, 0);
	put(2);
	put(3);
	put_large(4);
	cr_assert_eq(slip_wait(r, "a", 0), 0);
	cr_assert_eq(slip_wait_for_array(r, "a", 0), 0);
	slip_wait_item item = {.reader = r, .channel = "a"};
	cr_assert_eq(slip_wait_any(&item, 1, 0), 1);
	cr_assert_eq(slip_get_shape(r, "a", shape), 1);
	cr_assert_eq(slip_writer_alive(r, "a"), 1);
	expect_next(2, 0);
	cr_assert_eq(slip_wait(r, "a", 0), 0);
	expect_next(3, 0);
	cr_assert_eq(slip_wait(r, "a", 0), 0);
	expect_next(4, 0);
	/* The newest is the newest all the same. */
	put(5);
	static uint64_t bigger[10000] = {6};
	slip_array a = bytes_array(bigger, sizeof(bigger));
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_not_null(f);
	cr_assert_eq(f->seq, 6);
	cr_assert_eq(f->missed, 1);
	slip_release(f);
}

Test(follow, a_ring_that_grew_and_is_empty_does_not_take_the_newest_frame_away)
{
	put(1);
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_not_null(f);
	slip_release(f);
	slip_array large = bytes_array(NULL, 40000);
	slip_frame *loan = slip_loan(w, "a", &large);
	cr_assert_not_null(loan);
	f = slip_get_array(r, "a");
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_eq(f->seq, 1);
	slip_release(f);
	cr_assert_eq(slip_writer_alive(r, "a"), 1);
	cr_assert_eq(slip_publish(loan), 0);
	f = slip_get_array(r, "a");
	cr_assert_not_null(f);
	cr_assert_eq(f->seq, 2);
	cr_assert_eq(f->missed, 0);
	slip_release(f);
}

static void (*before_anchor)(void);

/* Linked with --wrap: what happens to a name between finding it and locking a byte behind it. */
void *__real_slip__os_anchor(const char *object, struct slip__identity identity, uint64_t byte);
void *__wrap_slip__os_anchor(const char *object, struct slip__identity identity, uint64_t byte);
void *__wrap_slip__os_anchor(const char *object, struct slip__identity identity, uint64_t byte)
{
	void (*act)(void) = before_anchor;
	before_anchor = NULL;
	if (act != NULL)
		act();
	return __real_slip__os_anchor(object, identity, byte);
}

static void close_writer(void)
{
	slip_writer_close(w);
	w = NULL;
}

static void grow_again(void)
{
	static uint64_t bigger[10000] = {3};
	slip_array a = bytes_array(bigger, sizeof(bigger));
	cr_assert_eq(slip_set_array(w, "a", &a), 0, "%s", slip_error_detail());
}

/* One without a mode would ask once more. */
static void open_lock_free_reader(void)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = SLIP_MODE_LOCK_FREE;
	slip_reader_close(r);
	r = slip_reader_open(base, &options);
}

Test(follow, a_ring_that_is_replaced_while_a_reader_sits_down_is_no_close)
{
	open_lock_free_reader();
	put(1);
	expect_next(1, 0);
	put_large(2);
	before_anchor = grow_again;
	expect_next(3, 1);
	expect_nothing(ETIMEDOUT);
}

Test(follow, a_channel_that_is_closed_while_a_reader_sits_down_is_one)
{
	open_lock_free_reader();
	put(1);
	expect_next(1, 0);
	put_large(2);
	before_anchor = close_writer;
	expect_nothing(EPIPE);
	w = open_writer(6);
	put(1);
	expect_next(1, 0);
}

Test(follow, drains_what_was_published_before_a_close_then_EPIPE_then_the_next_epoch)
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

Test(follow, a_close_under_way_is_not_a_full_table)
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

Test(follow, a_writer_that_died_while_closing_has_closed)
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

Test(follow, latest_follows_a_close_and_a_restart)
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

Test(follow, a_dead_writer_is_EOWNERDEAD_and_its_successor_goes_on_without_gap)
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
