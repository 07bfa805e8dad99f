/*
 * Semaphore mode: readers, writers, info and gc over two objects with any bytes, of any size, which change between the calls too.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

enum { HEADER = 64, MEMORY = HEADER + FUZZ_WORDS * 8 };

static slip_array array(void)
{
	slip_array a = fuzz_array(FUZZ_WORDS);
	a.dtype = SLIP_F64;
	a.encoding = a.frame_id = NULL;
	a.metadata_size = 0;
	return a;
}

static slip_writer *open_writer(void)
{
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.mode = SLIP_MODE_SEMAPHORE;
	o.lock_timeout_ns = 1000;
	slip_writer *writer = slip_writer_open("fuzz", &o);
	CHECK(writer != NULL);
	return writer;
}

/* What a writer left, changed: a header, its payload, and a semaphore that is free. */
static void put(struct script *s)
{
	static unsigned char *memory;
	static unsigned char *semaphore;
	if (memory == NULL) {
		slip_writer *writer = open_writer();
		slip_array a = array();
		CHECK(slip_set_array(writer, "a", &a) == 0);
		memory = fuzz_load("fuzz_a_shm", MEMORY);
		semaphore = fuzz_load("sem.fuzz_a_sem", SLIP__SEMAPHORE_BYTES);
		slip_writer_close(writer);
	}
	unsigned char bytes[MEMORY];
	unsigned char lock[SLIP__SEMAPHORE_BYTES];
	memcpy(bytes, memory, sizeof(bytes));
	memcpy(lock, semaphore, sizeof(lock));
	for (uint64_t changes = take(s, 1) % 8; changes > 0; changes--)
		hostile_bytes(s, bytes, HEADER);
	for (uint64_t changes = take(s, 1) % 4; changes > 0; changes--)
		hostile_bytes(s, lock, sizeof(lock));
	uint64_t sizes = take(s, 1);
	fuzz_file("fuzz_a_shm", bytes, sizes & 1 ? take(s, 1) % (sizeof(bytes) + 1) : sizeof(bytes), NULL);
	fuzz_file("sem.fuzz_a_sem", lock, sizes & 2 ? take(s, 1) % (sizeof(lock) + 1) : sizeof(lock), NULL);
}

/* As a peer does that may write: what stands under the name now, without changing its size. */
static void change(struct script *s, const char *name, size_t size)
{
	unsigned char bytes[HEADER] = {0};
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/%s", fuzz_directory, name);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t there = pread(fd, bytes, size, 0);
	hostile_bytes(s, bytes, size);
	CHECK(there <= 0 || pwrite(fd, bytes, (size_t)there, 0) == there);
	close(fd);
}

static void look(void)
{
	slip_channel_name *names;
	slip_leftover *leftovers;
	size_t count;
	slip_channel_info_free(slip_channel_inspect("fuzz", "a", SLIP_MODE_SEMAPHORE));
	if (slip_list_channels("fuzz", &names, &count) == 0)
		free(names);
	if (slip_gc_list("fuzz", &leftovers, &count) == 0)
		free(leftovers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.at = data, .left = size};
	fuzz_begin();
	uint64_t how = take(&s, 1);
	put(&s);
	slip_reader_options ro = SLIP_READER_OPTIONS_INIT;
	ro.mode = how & 1 ? SLIP_MODE_DEFAULT : SLIP_MODE_SEMAPHORE;
	ro.lock_timeout_ns = how & 2 ? 1000 : 0;
	ro.prefault = how >> 2 & 1;
	slip_reader *reader = slip_reader_open("fuzz", &ro);
	CHECK(reader != NULL);
	slip_frame *held[FUZZ_HELD] = {NULL};
	slip_writer *writer = NULL;
	slip_frame *loan = NULL;
	for (int i = 0; i < 16 && s.left > 0; i++) {
		slip_array a = array();
		switch (take(&s, 1) % 8) {
		case 0: change(&s, "fuzz_a_shm", HEADER); break;
		case 1: change(&s, "sem.fuzz_a_sem", SLIP__SEMAPHORE_BYTES); break;
		case 2:
			if (writer == NULL)
				writer = open_writer();
			(void)slip_set_array(writer, "a", &a);
			break;
		case 3:
			if (writer != NULL && loan == NULL)
				loan = slip_loan(writer, "a", &a);
			else if (loan != NULL && slip_publish(loan) == 0)
				loan = NULL;
			break;
		case 4: look(); break;
		case 5:
			slip_writer_close(writer);
			writer = NULL;
			loan = NULL;
			break;
		default: fuzz_read(&s, reader, held); break;
		}
	}
	slip_writer_close(writer);
	slip_reader_close(reader);
	fuzz_release(held);
	/* Whatever stands there, the next writer starts afresh, and is read. */
	slip_array a = array();
	writer = open_writer();
	CHECK(slip_set_array(writer, "a", &a) == 0);
	ro.mode = SLIP_MODE_SEMAPHORE;
	reader = slip_reader_open("fuzz", &ro);
	slip_frame *f = slip_get_array(reader, "a");
	CHECK(f != NULL && f->size == FUZZ_WORDS * sizeof(double));
	CHECK(slip_release(f) == 0);
	slip_reader_close(reader);
	slip_writer_close(writer);
	CHECK(objects_with("fuzz_a_") == 0);
	fuzz_end();
	return 0;
}
