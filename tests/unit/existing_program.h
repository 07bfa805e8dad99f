/*
 * existing_program.h - a peer in semaphore mode that knows the C library's sem_open and shm_open and nothing of slipring's, for Criterion suites.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_UNIT_EXISTING_PROGRAM_H
#define SLIP_TESTS_UNIT_EXISTING_PROGRAM_H

#include "support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *base;

enum { ROWS = 4, COLUMNS = 6, PAYLOAD = ROWS * COLUMNS };

struct existing {
	sem_t *lock;
	unsigned char *memory;
};

static inline const char *object_of(const char *suffix)
{
	static char name[128];
	(void)snprintf(name, sizeof(name), "/%s_image_%s", base, suffix);
	return name;
}

static inline void existing_unlink(void)
{
	sem_unlink(object_of("sem"));
	shm_unlink(object_of("shm"));
}

static inline struct existing existing_open(int flags, size_t size)
{
	struct existing e = {.lock = sem_open(object_of("sem"), flags, 0600, 1)};
	int fd = shm_open(object_of("shm"), flags | O_RDWR, 0600);
	cr_assert(e.lock != SEM_FAILED && fd >= 0, "%s", strerror(errno));
	if (flags != 0)
		cr_assert_eq(ftruncate(fd, (off_t)size), 0);
	e.memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(e.memory != MAP_FAILED);
	close(fd);
	return e;
}

/* What a writer of that software has done before its first frame. */
static inline struct existing existing_writer(void)
{
	const uint32_t header[8] = {0x12345678, 0, 2, ROWS, COLUMNS};
	existing_unlink();
	struct existing e = existing_open(O_CREAT, 64 + PAYLOAD);
	memcpy(e.memory, header, sizeof(header));
	return e;
}

static inline void existing_set(struct existing *e, double stamp, unsigned char value)
{
	cr_assert_eq(sem_wait(e->lock), 0);
	memcpy(e->memory + 32, &stamp, sizeof(stamp));
	memset(e->memory + 64, value, PAYLOAD);
	cr_assert_eq(sem_post(e->lock), 0);
}

static inline int existing_value(struct existing *e)
{
	int value = -1;
	cr_assert_eq(sem_getvalue(e->lock, &value), 0);
	return value;
}

static inline void existing_close(struct existing *e)
{
	sem_close(e->lock);
	munmap(e->memory, 64 + PAYLOAD);
}

/* ---- slipring's side ---- */

static inline slip_writer *semaphore_writer(int64_t timeout_ns)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	options.lock_timeout_ns = timeout_ns;
	slip_writer *writer = slip_writer_open(base, &options);
	cr_assert_not_null(writer, "%s", slip_error_detail());
	return writer;
}

static inline slip_reader *semaphore_reader(int64_t timeout_ns)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	options.lock_timeout_ns = timeout_ns;
	slip_reader *reader = slip_reader_open(base, &options);
	cr_assert_not_null(reader, "%s", slip_error_detail());
	return reader;
}

static inline slip_array image_of(const unsigned char *pixels)
{
	slip_array image = SLIP_ARRAY_INIT;
	image.data = pixels;
	image.dtype = SLIP_U8;
	image.ndim = 2;
	image.shape[0] = ROWS;
	image.shape[1] = COLUMNS;
	return image;
}

static inline int set_value(slip_writer *writer, unsigned char value)
{
	unsigned char pixels[PAYLOAD];
	memset(pixels, value, sizeof(pixels));
	slip_array image = image_of(pixels);
	return slip_set_image(writer, &image);
}

/* The value that a whole frame is filled with; -1 where there is none (errno says why), -2 where it is of several. */
static inline int get_value(slip_reader *reader)
{
	errno = 0;
	slip_frame *frame = slip_get_image(reader);
	if (frame == NULL)
		return -1;
	const unsigned char *pixels = frame->data;
	int value = pixels[0];
	for (size_t i = 0; i < frame->size; i++)
		if (pixels[i] != value)
			value = -2;
	cr_assert_eq(slip_release(frame), 0);
	return value;
}

static inline void expect_none(slip_reader *reader, int err)
{
	cr_assert_eq(get_value(reader), -1);
	cr_assert_eq(errno, err, "errno %d: %s", errno, slip_error_detail());
}

static inline void name_base(void)
{
	base = own_base("semaphore");
}

static inline void expect_nothing_left(void)
{
	existing_unlink();
	cr_assert_eq(objects_with(base), 0);
}

#endif
