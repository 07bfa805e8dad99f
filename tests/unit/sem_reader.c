/* SPDX-License-Identifier: Apache-2.0 */
#include "existing_program.h"
#include "lock.h"

TestSuite(sem_reader, .init = name_base, .fini = expect_nothing_left);

Test(sem_reader, reads_what_an_existing_program_writes)
{
	slip_reader *reader = semaphore_reader(0);
	expect_none(reader, ENOENT);
	struct existing e = existing_writer();
	expect_none(reader, ENOENT); /* a header, and no frame */
	existing_set(&e, 1234.5, 9);
	slip_frame *frame = slip_get_image(reader);
	cr_assert_not_null(frame, "%s", slip_error_detail());
	cr_assert_eq(frame->capture_realtime_ns, 1234500000000);
	cr_assert_eq(frame->ndim, 2);
	cr_assert_eq(frame->shape[0], ROWS);
	cr_assert_eq(frame->shape[1], COLUMNS);
	cr_assert_eq(frame->strides[0], COLUMNS);
	cr_assert_eq(frame->seq, 1);
	cr_assert_str_eq(frame->encoding, "8UC1");
	cr_assert_eq(frame->flags, SLIP_FRAME_PRIVATE);
	existing_set(&e, 1234.6, 10);
	cr_assert_eq(((unsigned char *)frame->data)[0], 9, "a private copy");
	cr_assert_eq(existing_value(&e), 1, "the lock was posted before get returned");
	cr_assert_eq(slip_release(frame), 0);
	cr_assert_eq(get_value(reader), 10);
	existing_close(&e);
	slip_reader_close(reader);
}

Test(sem_reader, get_tries_once_and_is_EAGAIN_on_contention)
{
	slip_reader *reader = semaphore_reader(0);
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	struct existing e = existing_writer();
	existing_set(&e, 1, 1);
	cr_assert_eq(get_value(reader), 1);
	cr_assert_eq(sem_wait(e.lock), 0);
	expect_none(reader, EAGAIN);
	expect_none(reader, EAGAIN);
	cr_assert_eq(existing_value(&e), 0, "what was not taken is not posted");
	cr_assert_eq(slip_reader_get_stats(reader, "image", &stats), 0);
	cr_assert_eq(stats.contended, 2);
	cr_assert_eq(sem_post(e.lock), 0);
	cr_assert_eq(get_value(reader), 1);
	existing_close(&e);
	slip_reader_close(reader);
}

Test(sem_reader, an_option_gives_get_a_time_limit)
{
	slip_reader *reader = semaphore_reader(1000000);
	slip_reader *patient = semaphore_reader(SLIP_FOREVER);
	struct existing e = existing_writer();
	existing_set(&e, 1, 1);
	cr_assert_eq(get_value(reader), 1);
	cr_assert_eq(get_value(patient), 1);
	cr_assert_eq(sem_wait(e.lock), 0);
	expect_none(reader, EAGAIN);
	pid_t pid = fork();
	if (pid == 0) {
		pause_ms(20);
		sem_post(e.lock);
		_exit(0);
	}
	cr_assert_eq(get_value(patient), 1);
	waitpid(pid, NULL, 0);
	existing_close(&e);
	slip_reader_close(reader);
	slip_reader_close(patient);
}

Test(sem_reader, a_segment_in_the_making_is_not_there_yet)
{
	slip_reader *reader = semaphore_reader(0);
	existing_unlink();
	sem_t *lock = sem_open(object_of("sem"), O_CREAT, 0600, 1);
	expect_none(reader, ENOENT);
	int fd = shm_open(object_of("shm"), O_CREAT | O_RDWR, 0600);
	expect_none(reader, ENOENT); /* of size 0 */
	cr_assert_eq(ftruncate(fd, 64 + PAYLOAD), 0);
	expect_none(reader, ENOENT); /* without a magic */
	close(fd);
	sem_close(lock);
	struct existing e = existing_writer();
	existing_set(&e, 0.0, 5);
	cr_assert_eq(get_value(reader), 5, "a frame that is stamped 0");
	existing_close(&e);
	slip_reader_close(reader);
}

Test(sem_reader, a_semaphore_of_0_bytes_is_not_there_yet)
{
	slip_reader *reader = semaphore_reader(0);
	struct existing e = existing_writer();
	existing_set(&e, 1, 1);
	char path[256];
	(void)snprintf(path, sizeof(path), "/dev/shm/sem.%s_image_sem", base);
	cr_assert_eq(unlink(path), 0);
	fclose(fopen(path, "w"));
	expect_none(reader, ENOENT);
	existing_close(&e);
	slip_reader_close(reader);
}

Test(sem_reader, a_hostile_header_is_EBADMSG_and_never_leads_outside)
{
	slip_reader *reader = semaphore_reader(0);
	for (uint32_t at = 0; at < 8; at++)
		for (int change = 0; change < 3; change++) {
			struct existing e = existing_writer();
			existing_set(&e, 1, 1);
			uint32_t *words = (uint32_t *)(void *)e.memory;
			words[at] = change == 0 ? UINT32_MAX : change == 1 ? words[at] + 7 : words[at] << 16;
			int value = get_value(reader);
			cr_assert(value != -2 && (value >= 0 || errno == EBADMSG || errno == ENOENT), "word %u: errno %d", at, errno);
			existing_close(&e);
		}
	struct existing e = existing_writer();
	existing_set(&e, 1, 1);
	((uint32_t *)(void *)e.memory)[0] = 0xdeadbeef;
	expect_none(reader, EBADMSG);
	existing_close(&e);
	slip_reader_close(reader);
}

Test(sem_reader, a_header_that_changes_under_a_reader_changes_nothing)
{
	slip_reader *reader = semaphore_reader(0);
	struct existing e = existing_writer();
	existing_set(&e, 1, 1);
	cr_assert_eq(get_value(reader), 1);
	((uint32_t *)(void *)e.memory)[3] = UINT32_MAX;
	slip_frame *frame = slip_get_image(reader);
	cr_assert_eq(frame->size, PAYLOAD, "the snapshot of when it attached");
	slip_release(frame);
	existing_close(&e);
	slip_reader_close(reader);
}

Test(sem_reader, follows_a_writer_that_starts_again)
{
	slip_reader *reader = semaphore_reader(0);
	struct existing old = existing_writer();
	existing_set(&old, 1, 1);
	cr_assert_eq(get_value(reader), 1);
	struct existing e = existing_writer();
	existing_set(&e, 1, 2);
	cr_assert_eq(get_value(reader), 2, "not the orphan's last picture");
	existing_unlink();
	expect_none(reader, EPIPE);
	existing_close(&e);
	e = existing_writer();
	existing_set(&e, 1, 3);
	cr_assert_eq(get_value(reader), 3);
	existing_close(&e);
	existing_close(&old);
	slip_reader_close(reader);
}

Test(sem_reader, a_count_above_1_shows_no_frame_that_may_be_torn_and_is_repaired)
{
	slip_reader *reader = semaphore_reader(0);
	struct existing e = existing_writer();
	existing_set(&e, 1, 1);
	cr_assert_eq(sem_post(e.lock), 0);
	cr_assert_eq(existing_value(&e), 2);
	expect_none(reader, EAGAIN);
	cr_assert(strstr(slip_error_detail(), "too often") != NULL, "%s", slip_error_detail());
	cr_assert_eq(existing_value(&e), 1);
	cr_assert_eq(get_value(reader), 1);
	existing_close(&e);
	slip_reader_close(reader);
}

Test(sem_reader, waiting_polls_for_a_newer_stamp)
{
	slip_reader *reader = semaphore_reader(0);
	cr_assert_eq(slip_wait(reader, "image", 2000000), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	struct existing e = existing_writer();
	cr_assert_eq(slip_wait_for_array(reader, "image", 0), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	existing_set(&e, 1, 1);
	cr_assert_eq(slip_wait_for_array(reader, "image", 0), 0);
	cr_assert_eq(slip_wait(reader, "image", 0), 0);
	cr_assert_eq(get_value(reader), 1);
	cr_assert_eq(slip_wait(reader, "image", 2000000), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	cr_assert_eq(slip_wait_for_array(reader, "image", 0), 0);
	pid_t pid = fork();
	if (pid == 0) {
		pause_ms(10);
		existing_set(&e, 2, 2);
		_exit(0);
	}
	cr_assert_eq(slip_wait(reader, "image", SLIP_FOREVER), 0);
	cr_assert_eq(get_value(reader), 2);
	waitpid(pid, NULL, 0);
	slip_wait_item item = {.reader = reader, .channel = "image"};
	cr_assert_eq(slip_wait_any(&item, 1, 0), -1);
	existing_set(&e, 3, 3);
	cr_assert_eq(slip_wait_any(&item, 1, SLIP_FOREVER), 1);
	existing_unlink();
	cr_assert_eq(slip_wait(reader, "image", SLIP_FOREVER), -1);
	cr_assert_eq(errno, EPIPE);
	cr_assert_eq(slip_wait(reader, "image", 1), -1);
	cr_assert_eq(errno, EPIPE, "short limits are told too");
	existing_close(&e);
	slip_reader_close(reader);
}

static void on_alarm(int number)
{
	(void)number;
}

Test(sem_reader, a_signal_ends_a_wait_with_EINTR)
{
	slip_reader *reader = semaphore_reader(0);
	struct sigaction action = {.sa_handler = on_alarm};
	sigaction(SIGALRM, &action, NULL);
	ualarm(5000, 5000);
	cr_assert_eq(slip_wait(reader, "image", SLIP_FOREVER), -1);
	cr_assert_eq(errno, EINTR);
	slip_reader_close(reader);
	reader = slip_reader_open(base, NULL);
	cr_assert_eq(slip_wait(reader, "image", SLIP_FOREVER), -1);
	cr_assert_eq(errno, EINTR);
	ualarm(0, 0);
	slip_reader_close(reader);
}

Test(sem_reader, says_shape_and_dtype_and_what_it_cannot)
{
	slip_reader *reader = semaphore_reader(0);
	int64_t shape[SLIP_MAX_DIMS];
	slip_dtype dtype;
	cr_assert_eq(slip_get_ndim(reader, "image"), -1);
	struct existing e = existing_writer();
	cr_assert_eq(slip_get_shape(reader, "image", shape), 2);
	cr_assert_eq(shape[1], COLUMNS);
	cr_assert_eq(slip_get_dtype(reader, "image", &dtype), 0);
	cr_assert_eq(dtype.bits, 8);
	errno = 0;
	cr_assert_null(slip_next(reader, "image", 0));
	cr_assert_eq(errno, ENOTSUP);
	cr_assert(strstr(slip_error_detail(), "slip_wait") != NULL);
	cr_assert_eq(slip_writer_alive(reader, "image"), -1);
	cr_assert_eq(errno, ENOTSUP, "nobody can tell whether another program lives");
	existing_close(&e);
	slip_writer *writer = semaphore_writer(0);
	cr_assert_eq(set_value(writer, 1), 0);
	cr_assert_eq(slip_writer_alive(reader, "image"), 1);
	slip_writer_close(writer);
	cr_assert_eq(slip_writer_alive(reader, "image"), 0);
	slip_reader_close(reader);
}

Test(sem_reader, a_killed_reader_of_ours_holds_nobody_up)
{
	slip_writer *writer = semaphore_writer(0);
	slip_reader *reader = semaphore_reader(SLIP_FOREVER);
	cr_assert_eq(set_value(writer, 1), 0);
	cr_assert_eq(get_value(reader), 1);
	pid_t pid = fork();
	if (pid == 0) {
		/* Inside a get: the lock taken and noted. */
		slip_reader *mine = semaphore_reader(0);
		if (get_value(mine) == 1) {
			sem_t *lock = sem_open(object_of("sem"), 0);
			sem_wait(lock);
			struct slip__semaphore *semaphore = (struct slip__semaphore *)(void *)lock;
			/* The second reader's seat: the parent's has the first. */
			a32_store_relaxed(&semaphore->holder, 2 + 1);
			a64_or_relaxed(&semaphore->trying, 1 << 2);
		}
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	cr_assert_eq(set_value(writer, 2), 0, "%s", slip_error_detail());
	cr_assert_eq(get_value(reader), 2);
	slip_reader_close(reader);
	slip_writer_close(writer);
}

Test(sem_reader, a_writer_killed_while_it_wrote_shows_no_half_a_frame_and_its_successor_starts_afresh)
{
	slip_reader *reader = semaphore_reader(0);
	int ready[2];
	cr_assert_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		slip_writer *writer = semaphore_writer(0);
		(void)set_value(writer, 1);
		struct existing e = existing_open(0, 64 + PAYLOAD);
		sem_wait(e.lock);
		a32_store_relaxed(&((struct slip__semaphore *)(void *)e.lock)->holder, SLIP__SEAT_WRITER + 1);
		e.memory[64] = 99;
		(void)!write(ready[1], "x", 1);
		raise(SIGKILL);
	}
	char byte;
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	waitpid(pid, NULL, 0);
	expect_none(reader, EAGAIN);
	slip_writer *writer = semaphore_writer(0);
	cr_assert_eq(set_value(writer, 2), 0, "%s", slip_error_detail());
	cr_assert_eq(get_value(reader), 2);
	slip_writer_close(writer);
	slip_reader_close(reader);
}

Test(sem_reader, an_observer_is_ENOTSUP)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	options.observer = 1;
	cr_assert_null(slip_reader_open(base, &options));
	cr_assert_eq(errno, ENOTSUP);
}

Test(sem_reader, reads_what_it_asked_to_have_in_memory)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	options.prefault = 1;
	slip_writer *writer = semaphore_writer(0);
	slip_reader *reader = slip_reader_open(base, &options);
	cr_assert_eq(set_value(writer, 3), 0);
	cr_assert_eq(get_value(reader), 3);
	slip_reader_close(reader);
	slip_writer_close(writer);
}

Test(sem_reader, a_spin_ends_with_the_time_limit)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	options.spin_ns = INT64_MAX;
	slip_writer *writer = semaphore_writer(0);
	slip_reader *reader = slip_reader_open(base, &options);
	cr_assert_eq(set_value(writer, 3), 0);
	cr_assert_eq(get_value(reader), 3);
	cr_assert_eq(slip_wait(reader, "image", 1000000), -1);
	cr_assert_eq(errno, ETIMEDOUT, "%s", slip_error_detail());
	slip_reader_close(reader);
	slip_writer_close(writer);
}

Test(sem_reader, says_that_the_directory_is_missing)
{
	slip_reader *reader = semaphore_reader(0);
	cr_assert_eq(setenv("SLIPRING_DIR", "/nowhere/at/all", 1), 0);
	slip_frame *frame = slip_get_image(reader);
	int err = errno;
	unsetenv("SLIPRING_DIR");
	cr_assert_null(frame);
	cr_assert_eq(err, ENOENT);
	cr_assert_not_null(strstr(slip_error_detail(), "/nowhere/at/all"), "%s", slip_error_detail());
	slip_reader_close(reader);
}
