/* SPDX-License-Identifier: Apache-2.0 */
#include "existing_program.h"
#include "lock.h"

TestSuite(sem_writer, .init = name_base, .fini = expect_nothing_left);

static struct slip__identity identity_of_memory(void)
{
	struct stat status;
	char path[256];
	(void)snprintf(path, sizeof(path), "/dev/shm/%s_image_shm", base);
	cr_assert_eq(stat(path, &status), 0);
	return (struct slip__identity){.device = status.st_dev, .inode = status.st_ino};
}

static mode_t permissions_of(const char *pattern)
{
	struct stat status;
	char path[256];
	(void)snprintf(path, sizeof(path), pattern, base);
	cr_assert_eq(stat(path, &status), 0);
	return status.st_mode & 07777;
}

static slip_writer_stats stats_of(slip_writer *writer)
{
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_writer_get_stats(writer, "image", &stats), 0);
	return stats;
}

Test(sem_writer, puts_the_formats_bytes_into_the_formats_objects)
{
	slip_writer *writer = semaphore_writer(0);
	unsigned char pixels[PAYLOAD];
	for (int i = 0; i < PAYLOAD; i++)
		pixels[i] = (unsigned char)i;
	slip_array image = image_of(pixels);
	image.capture_realtime_ns = 1500000000250000000;
	cr_assert_eq(slip_set_image(writer, &image), 0, "%s", slip_error_detail());
	struct existing e = existing_open(0, 64 + PAYLOAD);
	const uint32_t header[8] = {0x12345678, 0, 2, ROWS, COLUMNS, 0, 0, 0};
	const double stamp = 1500000000.25;
	const unsigned char zero[24] = {0};
	cr_assert_arr_eq(e.memory, header, sizeof(header));
	cr_assert_arr_eq(e.memory + 32, &stamp, sizeof(stamp));
	cr_assert_arr_eq(e.memory + 40, zero, sizeof(zero));
	cr_assert_arr_eq(e.memory + 64, pixels, PAYLOAD);
	cr_assert_eq(existing_value(&e), 1);
	existing_close(&e);
	slip_writer_close(writer);
	cr_assert_eq(objects_with(base), 0, "a clean end unlinks both");
}

Test(sem_writer, gathers_strided_arrays)
{
	slip_writer *writer = semaphore_writer(0);
	unsigned char pixels[2 * PAYLOAD];
	for (int i = 0; i < 2 * PAYLOAD; i++)
		pixels[i] = (unsigned char)i;
	slip_array image = image_of(pixels + 2 * PAYLOAD - 2);
	image.strides[0] = -2 * COLUMNS;
	image.strides[1] = -2;
	cr_assert_eq(slip_set_image(writer, &image), 0, "%s", slip_error_detail());
	struct existing e = existing_open(0, 64 + PAYLOAD);
	for (int i = 0; i < PAYLOAD; i++)
		cr_assert_eq(e.memory[64 + i], 2 * PAYLOAD - 2 - 2 * i);
	existing_close(&e);
	slip_writer_close(writer);
}

Test(sem_writer, permissions_are_exact_and_who_may_read_may_take_the_lock)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	options.permissions = 0640;
	mode_t before = umask(0077);
	slip_writer *writer = slip_writer_open(base, &options);
	cr_assert_eq(set_value(writer, 1), 0, "%s", slip_error_detail());
	umask(before);
	cr_assert_eq(permissions_of("/dev/shm/%s_image_shm"), 0640);
	cr_assert_eq(permissions_of("/dev/shm/sem.%s_image_sem"), 0660);
	slip_writer_close(writer);
}

Test(sem_writer, a_set_waits_up_to_its_limit_and_is_then_counted)
{
	slip_writer *writer = semaphore_writer(2000000);
	cr_assert_eq(set_value(writer, 1), 0);
	struct existing e = existing_open(0, 64 + PAYLOAD);
	cr_assert_eq(sem_wait(e.lock), 0);
	for (unsigned i = 1; i <= 3; i++) {
		errno = 0;
		cr_assert_eq(set_value(writer, 2), -1);
		cr_assert_eq(errno, EAGAIN);
		cr_assert_eq(stats_of(writer).refused, i);
		cr_assert_eq(existing_value(&e), 0, "what was not taken is not posted");
		cr_assert_eq(e.memory[64], 1);
	}
	cr_assert_eq(sem_post(e.lock), 0);
	cr_assert_eq(set_value(writer, 3), 0);
	cr_assert_eq(stats_of(writer).published, 2);
	existing_close(&e);
	slip_writer_close(writer);
}

Test(sem_writer, starts_from_fresh_objects_whatever_was_left)
{
	struct existing old = existing_writer();
	cr_assert_eq(sem_wait(old.lock), 0); /* as if killed while it held it */
	slip_writer *writer = semaphore_writer(0);
	cr_assert_eq(set_value(writer, 7), 0, "%s", slip_error_detail());
	struct existing e = existing_open(0, 64 + PAYLOAD);
	cr_assert_eq(existing_value(&e), 1);
	cr_assert_eq(e.memory[64], 7);
	cr_assert_eq(old.memory[64], 0);
	existing_close(&e);
	existing_close(&old);
	slip_writer_close(writer);
	char path[256];
	(void)snprintf(path, sizeof(path), "/dev/shm/sem.%s_image_sem", base);
	fclose(fopen(path, "w")); /* a semaphore of 0 bytes */
	writer = semaphore_writer(0);
	cr_assert_eq(set_value(writer, 7), 0, "%s", slip_error_detail());
	slip_writer_close(writer);
}

Test(sem_writer, a_second_writer_of_ours_is_EBUSY)
{
	slip_writer *writer = semaphore_writer(0);
	slip_writer *second = semaphore_writer(0);
	cr_assert_eq(set_value(writer, 1), 0);
	cr_assert_eq(set_value(second, 2), -1);
	cr_assert_eq(errno, EBUSY);
	slip_writer_close(writer);
	cr_assert_eq(set_value(second, 2), 0);
	slip_writer_close(second);
}

Test(sem_writer, whose_objects_were_removed_makes_them_again_and_one_who_was_replaced_says_so)
{
	slip_writer *writer = semaphore_writer(0);
	cr_assert_eq(set_value(writer, 1), 0);
	existing_unlink();
	cr_assert_eq(set_value(writer, 2), 0, "%s", slip_error_detail());
	struct existing e = existing_open(0, 64 + PAYLOAD);
	cr_assert_eq(e.memory[64], 2);
	existing_close(&e);
	e = existing_writer();
	struct slip__identity theirs = identity_of_memory();
	errno = 0;
	cr_assert_eq(set_value(writer, 3), -1);
	cr_assert_eq(errno, EBUSY);
	slip_writer_close(writer);
	cr_assert_eq(identity_of_memory().inode, theirs.inode, "what is another's stays");
	existing_close(&e);
}

Test(sem_writer, shape_and_dtype_stay_as_they_were_first)
{
	slip_writer *writer = semaphore_writer(0);
	unsigned char pixels[2 * PAYLOAD] = {0};
	slip_array image = image_of(pixels);
	cr_assert_eq(slip_set_image(writer, &image), 0);
	image.shape[0] = ROWS + 1;
	cr_assert_eq(slip_set_image(writer, &image), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert(strstr(slip_error_detail(), "shape") != NULL, "%s", slip_error_detail());
	image.shape[0] = ROWS;
	image.dtype = SLIP_U16;
	cr_assert_eq(slip_set_image(writer, &image), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert(strstr(slip_error_detail(), "uint8 to uint16") != NULL, "%s", slip_error_detail());
	cr_assert_eq(slip_channel_create(writer, "image", &image), -1, "nor when it is asked for ahead");
	cr_assert_eq(errno, EINVAL);
	image.dtype = SLIP_U8;
	cr_assert_eq(slip_channel_create(writer, "image", &image), 0);
	slip_writer_close(writer);
}

Test(sem_writer, what_the_mode_cannot_do_is_ENOTSUP)
{
	slip_writer *writer = semaphore_writer(0);
	cr_assert_eq(set_value(writer, 1), 0);
	cr_assert_eq(slip_readers_attached(writer, "image"), -1);
	cr_assert_eq(errno, ENOTSUP);
	slip_array image = image_of(NULL);
	slip_frame *loan = slip_loan(writer, "image", &image);
	cr_assert_eq(slip_frame_set_metadata(loan, "x", 1), -1);
	cr_assert_eq(errno, ENOTSUP);
	cr_assert_eq(slip_frame_set_metadata(loan, NULL, 0), 0);
	cr_assert_eq(slip_discard(loan), 0);
	image.dtype = SLIP_U32;
	cr_assert_null(slip_loan(writer, "numbers", &image));
	cr_assert_eq(errno, ENOTSUP);
	slip_writer_close(writer);
}

Test(sem_writer, loans_are_private_until_published_in_any_order)
{
	slip_writer *writer = semaphore_writer(0);
	slip_reader *reader = semaphore_reader(0);
	slip_array image = image_of(NULL);
	image.strides[0] = 64; /* a row pitch */
	image.strides[1] = 1;
	slip_frame *first = slip_loan(writer, "image", &image);
	slip_frame *second = slip_loan(writer, "image", &image);
	cr_assert(first != NULL && second != NULL, "%s", slip_error_detail());
	cr_assert_eq(first->strides[0], 64);
	memset(first->data, 1, first->size);
	memset(second->data, 2, second->size);
	expect_none(reader, ENOENT);
	cr_assert_eq(slip_publish(second), 0, "%s", slip_error_detail());
	cr_assert_eq(get_value(reader), 2);
	cr_assert_eq(slip_publish(second), -1, "once");
	cr_assert_eq(slip_publish_keep(first), 0);
	cr_assert_eq(get_value(reader), 1);
	slip_writer_close(writer);
	cr_assert_eq(((unsigned char *)first->data)[0], 1, "kept past the writer's close");
	cr_assert_eq(slip_release(first), 0);
	slip_reader_close(reader);
}

Test(sem_writer, a_discarded_loan_that_is_kept_outlives_the_writer)
{
	slip_writer *writer = semaphore_writer(0);
	slip_array image = image_of(NULL);
	slip_frame *loan = slip_loan(writer, "image", &image);
	cr_assert_eq(slip_discard_keep(loan), 0);
	cr_assert_eq(slip_publish(loan), -1);
	slip_writer_close(writer);
	memset(loan->data, 1, loan->size);
	cr_assert_eq(slip_release(loan), 0);
}

Test(sem_writer, loans_out_are_limited_and_come_back)
{
	slip_writer *writer = semaphore_writer(0);
	slip_array image = image_of(NULL);
	slip_frame *loans[4];
	for (int i = 0; i < 4; i++)
		cr_assert_not_null(loans[i] = slip_loan(writer, "image", &image));
	cr_assert_null(slip_loan(writer, "image", &image));
	cr_assert_eq(errno, EMFILE);
	cr_assert_eq(slip_discard(loans[2]), 0);
	cr_assert_eq(slip_discard(loans[2]), -1);
	cr_assert_not_null(slip_loan(writer, "image", &image));
	slip_writer_close(writer);
}

Test(sem_writer, a_forked_child_disturbs_nothing)
{
	slip_writer *writer = semaphore_writer(0);
	cr_assert_eq(set_value(writer, 1), 0);
	pid_t pid = fork();
	if (pid == 0) {
		bool refused = set_value(writer, 2) == -1 && errno == ECHILD;
		slip_writer_close(writer);
		_exit(refused ? 0 : 1);
	}
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_assert_eq(set_value(writer, 3), 0, "%s", slip_error_detail());
	slip_writer_close(writer);
}

Test(sem_writer, goes_on_when_a_reader_of_ours_dies_between_taking_and_noting)
{
	slip_writer *writer = semaphore_writer(2000000);
	slip_reader *reader = semaphore_reader(0);
	cr_assert_eq(set_value(writer, 1), 0);
	cr_assert_eq(get_value(reader), 1);
	struct existing e = existing_open(0, 64 + PAYLOAD);
	/* What that leaves: the semaphore taken, a mark of a seat that nobody sits on, and no note. */
	cr_assert_eq(sem_wait(e.lock), 0);
	a64_or_relaxed(&((struct slip__semaphore *)(void *)e.lock)->trying, UINT64_C(1) << 40);
	cr_assert_eq(set_value(writer, 2), 0, "%s", slip_error_detail());
	cr_assert_eq(get_value(reader), 2, "readers follow to the fresh objects");
	cr_assert_eq(existing_value(&e), 0);
	cr_assert_eq(stats_of(writer).grown, 1);
	existing_close(&e);
	slip_reader_close(reader);
	slip_writer_close(writer);
}

Test(sem_writer, a_loan_takes_capture_times_and_no_metadata_until_it_ends)
{
	slip_writer *writer = semaphore_writer(0);
	slip_array image = image_of(NULL);
	slip_frame *loan = slip_loan(writer, "image", &image);
	cr_assert_not_null(loan, "%s", slip_error_detail());
	memset(loan->data, 1, PAYLOAD);
	cr_assert_eq(slip_frame_set_metadata(loan, "m", 1), -1);
	cr_assert_eq(errno, ENOTSUP);
	cr_assert_eq(slip_frame_set_metadata(loan, NULL, 0), 0);
	cr_assert_eq(slip_frame_set_capture(loan, 0, 1500000000250000000), 0);
	cr_assert_eq(slip_release(loan), -1, "a loan is published or discarded");
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_publish(loan), 0, "%s", slip_error_detail());
	cr_assert_eq(slip_frame_set_metadata(loan, NULL, 0), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_frame_set_capture(loan, 1, 1), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_publish(loan), -1);
	cr_assert_eq(slip_discard(loan), -1);
	struct existing e = existing_open(0, 64 + PAYLOAD);
	const double stamp = 1500000000.25;
	cr_assert_arr_eq(e.memory + 32, &stamp, sizeof(stamp));
	existing_close(&e);
	image.shape[0]++;
	cr_assert_null(slip_loan(writer, "image", &image));
	cr_assert_eq(errno, EINVAL);
	image = image_of(NULL);
	image.dtype = SLIP_F64;
	cr_assert_null(slip_loan(writer, "image", &image));
	cr_assert_eq(errno, EINVAL, "the format has the type, but the channel another one");
	image.dtype = (slip_dtype){SLIP_COMPLEX, 64, 1};
	cr_assert_null(slip_loan(writer, "image", &image));
	cr_assert_eq(errno, ENOTSUP, "the format has no such type");
	slip_writer_close(writer);
}

Test(sem_writer, without_stamps_only_what_is_given_is_written)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	options.no_stamps = 1;
	slip_writer *writer = slip_writer_open(base, &options);
	cr_assert_eq(set_value(writer, 1), 0, "%s", slip_error_detail());
	struct existing e = existing_open(0, 64 + PAYLOAD);
	const double none = 0;
	cr_assert_arr_eq(e.memory + 32, &none, sizeof(none));
	existing_close(&e);
	slip_writer_close(writer);
}

/* Stands before the C library's. */
static bool no_memory;
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
	return no_memory ? ENOMEM : __real_posix_memalign(memory, alignment, size);
}

Test(sem_writer, a_loan_without_memory_is_ENOMEM_and_the_next_one_is_lent)
{
	slip_writer *writer = semaphore_writer(0);
	unsigned char pixels[PAYLOAD] = {0};
	slip_array image = image_of(pixels);
	cr_assert_eq(slip_set_image(writer, &image), 0);
	no_memory = true;
	image.data = NULL;
	cr_assert_null(slip_loan(writer, "image", &image));
	cr_assert_eq(errno, ENOMEM);
	no_memory = false;
	slip_frame *loan = slip_loan(writer, "image", &image);
	cr_assert_not_null(loan, "%s", slip_error_detail());
	cr_assert_eq(slip_discard(loan), 0);
	slip_writer_close(writer);
}
