/* SPDX-License-Identifier: Apache-2.0 */
#include "existing_program.h"

#include <sys/prctl.h>

static slip_reader *r;

static void open_reader(void)
{
	name_base();
	r = slip_reader_open(base, NULL);
}

static void close_reader(void)
{
	slip_reader_close(r);
	expect_nothing_left();
}

TestSuite(either, .init = open_reader, .fini = close_reader);

static slip_writer *lock_free_writer(void)
{
	slip_writer *writer = slip_writer_open(base, NULL);
	cr_assert_not_null(writer);
	return writer;
}

Test(either, takes_what_is_there)
{
	expect_none(r, ENOENT);
	slip_writer *writer = semaphore_writer(0);
	cr_assert_eq(set_value(writer, 3), 0);
	cr_assert_eq(get_value(r), 3);
	cr_assert_eq(slip_get_ndim(r, "image"), 2);
	cr_assert_eq(slip_writer_alive(r, "image"), 1);
	slip_writer_close(writer);
	expect_none(r, EPIPE);
	writer = lock_free_writer();
	cr_assert_eq(set_value(writer, 4), 0);
	cr_assert_eq(get_value(r), 4);
	slip_writer_close(writer);
	expect_none(r, EPIPE);
	struct existing e = existing_writer();
	existing_set(&e, 1, 5);
	cr_assert_eq(get_value(r), 5);
	existing_close(&e);
}

Test(either, takes_the_lock_free_one_of_two_side_by_side)
{
	slip_writer *semaphore = semaphore_writer(0);
	slip_writer *ring = lock_free_writer();
	cr_assert_eq(set_value(semaphore, 1), 0);
	cr_assert_eq(set_value(ring, 2), 0);
	slip_reader *of_semaphore = semaphore_reader(0);
	cr_assert_eq(get_value(r), 2);
	cr_assert_eq(get_value(of_semaphore), 1);
	slip_writer_close(ring);
	cr_assert_eq(get_value(r), 1, "what is left");
	slip_writer_close(semaphore);
	slip_reader_close(of_semaphore);
}

Test(either, a_ring_without_a_frame_is_there)
{
	slip_writer *semaphore = semaphore_writer(0);
	slip_writer *ring = lock_free_writer();
	slip_array image = image_of(NULL);
	cr_assert_eq(set_value(semaphore, 1), 0);
	cr_assert_eq(slip_channel_create(ring, "image", &image), 0);
	expect_none(r, ENOENT);
	cr_assert_eq(set_value(ring, 2), 0);
	cr_assert_eq(get_value(r), 2);
	slip_writer_close(ring);
	slip_writer_close(semaphore);
}

/* Waits start before there is any writer, which comes in a child. */
static void wait_for_writer_of(slip_writer *(*open)(void), int (*wait)(slip_reader *, const char *, int64_t))
{
	pid_t pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause_ms(10);
		slip_writer *writer = open();
		int failed = set_value(writer, 6);
		pause();
		_exit(failed);
	}
	cr_assert_eq(wait(r, "image", SLIP_FOREVER), 0, "%s", slip_error_detail());
	/* In semaphore mode the wait ends with the stamp, which comes before the copy, under the same lock; and a get tries once. */
	int value = get_value(r);
	while (value < 0 && errno == EAGAIN)
		value = get_value(r);
	cr_assert_eq(value, 6, "%s", slip_error_detail());
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	slip_leftover *left;
	size_t count = 0;
	while (count == 0) {
		cr_assert_eq(slip_gc_list(base, &left, &count), 0);
		if (count > 0)
			cr_assert_eq(slip_gc_remove(left), 0, "%s", slip_error_detail());
		free(left);
		/* A ring is left over once nobody reads it. */
		slip_reader_close(r);
		r = slip_reader_open(base, NULL);
	}
}

static slip_writer *default_semaphore_writer(void)
{
	return semaphore_writer(0);
}

Test(either, a_wait_ends_with_whichever_comes)
{
	wait_for_writer_of(lock_free_writer, slip_wait_for_array);
	wait_for_writer_of(default_semaphore_writer, slip_wait_for_array);
	wait_for_writer_of(lock_free_writer, slip_wait);
	wait_for_writer_of(default_semaphore_writer, slip_wait);
	cr_assert_eq(slip_wait(r, "image", 2000000), -1);
	cr_assert_eq(errno, ETIMEDOUT);
}

Test(either, next_and_wait_any_work_where_the_mode_has_them)
{
	cr_assert_null(slip_next(r, "image", 0));
	cr_assert_eq(errno, ETIMEDOUT);
	slip_writer *ring = lock_free_writer();
	cr_assert_eq(set_value(ring, 1), 0);
	slip_wait_item item = {.reader = r, .channel = "image"};
	cr_assert_eq(slip_wait_any(&item, 1, SLIP_FOREVER), 1);
	slip_frame *frame = slip_next(r, "image", SLIP_FOREVER);
	cr_assert_not_null(frame, "%s", slip_error_detail());
	cr_assert_eq(frame->seq, 1);
	slip_release(frame);
	slip_writer_close(ring);
	cr_assert_null(slip_next(r, "image", SLIP_FOREVER));
	cr_assert_eq(errno, EPIPE);
	cr_assert_eq(slip_wait(r, "image", SLIP_FOREVER), -1);
	cr_assert_eq(errno, EPIPE);
	slip_writer *semaphore = semaphore_writer(0);
	cr_assert_eq(set_value(semaphore, 2), 0);
	cr_assert_eq(slip_wait_any(&item, 1, SLIP_FOREVER), 1);
	cr_assert_null(slip_next(r, "image", SLIP_FOREVER));
	cr_assert_eq(errno, ENOTSUP);
	slip_writer_close(semaphore);
}
