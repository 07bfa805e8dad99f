/* Semaphore mode: readers, a writer and info over two objects with any bytes, of any size. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

/* What the writer's program left: a header, its payload, and a semaphore that is free. */
static void put(struct script *s)
{
	static unsigned char memory[8192], semaphore[4096];
	static size_t memory_bytes, semaphore_bytes;
	if (memory_bytes == 0) {
		slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
		o.mode = SLIP_MODE_SEMAPHORE;
		slip_writer *writer = slip_writer_open("fuzz", &o);
		slip_array a = fuzz_array(FUZZ_WORDS);
		a.dtype = SLIP_F64;
		a.encoding = a.frame_id = NULL;
		a.metadata_size = 0;
		CHECK(slip_set_array(writer, "a", &a) == 0);
		char path[256];
		(void)snprintf(path, sizeof(path), "%s/fuzz_a_shm", fuzz_directory);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = read(fd, memory, sizeof(memory));
		close(fd);
		(void)snprintf(path, sizeof(path), "%s/sem.fuzz_a_sem", fuzz_directory);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t more = read(fd, semaphore, sizeof(semaphore));
		close(fd);
		CHECK(got > 64 && more >= 32);
		memory_bytes = (size_t)got;
		semaphore_bytes = (size_t)more;
		slip_writer_close(writer);
	}
	unsigned char bytes[8192], lock[4096];
	memcpy(bytes, memory, memory_bytes);
	memcpy(lock, semaphore, semaphore_bytes);
	for (uint64_t changes = take(s, 1) % 8; changes > 0; changes--)
		fuzz_change(s, bytes, 64);
	if (take(s, 1) % 2 == 1)
		fuzz_change(s, lock, semaphore_bytes);
	uint64_t sizes = take(s, 1);
	fuzz_file("fuzz_a_shm", bytes, sizes & 1 ? take(s, 2) % (memory_bytes + 1) : memory_bytes, NULL);
	fuzz_file("sem.fuzz_a_sem", lock, sizes & 2 ? take(s, 1) % (semaphore_bytes + 1) : semaphore_bytes, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.at = data, .left = size};
	fuzz_begin();
	uint64_t how = take(&s, 1);
	put(&s);
	slip_reader_options ro = SLIP_READER_OPTIONS_INIT;
	ro.mode = how & 1 ? SLIP_MODE_DEFAULT : SLIP_MODE_SEMAPHORE;
	slip_reader *reader = slip_reader_open("fuzz", &ro);
	CHECK(reader != NULL);
	slip_frame *held[4] = {NULL};
	for (int i = 0; i < 4; i++)
		fuzz_read(&s, reader, held);
	slip_channel_info_free(slip_channel_inspect("fuzz", "a", SLIP_MODE_SEMAPHORE));
	if (how & 2) {
		slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
		o.mode = SLIP_MODE_SEMAPHORE;
		o.lock_timeout_ns = 1000;
		slip_writer *writer = slip_writer_open("fuzz", &o);
		slip_array a = fuzz_array(FUZZ_WORDS);
		a.dtype = SLIP_F64;
		a.encoding = a.frame_id = NULL;
		a.metadata_size = 0;
		for (int i = 0; i < 3; i++) {
			(void)slip_set_array(writer, "a", &a);
			fuzz_read(&s, reader, held);
		}
		slip_writer_close(writer);
	}
	slip_reader_close(reader);
	fuzz_release(held);
	fuzz_end();
	return 0;
}
