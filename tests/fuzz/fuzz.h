/*
 * fuzz.h - what the fuzz targets share: reading an input as a script, a directory of their own, and a channel whose bytes the input changes.
 *
 * Each target is a file with LLVMFuzzerTestOneInput. With libFuzzer (clang) it is fuzzed: tests/fuzz/run. With replay.c it is a test that goes through the
 * files of its corpus: ctest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_FUZZ_H
#define SLIP_TESTS_FUZZ_H

#include "segment.h"
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- an input, taken from its front; what is no longer there is 0 ---- */

struct script {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t take(struct script *s, size_t bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i<bytes; i++, s->left -= s->left> 0)
		value |= (uint64_t)(s->left > 0 ? *s->at++ : 0) << 8 * i;
	return value;
}

/* ---- a directory of this process ---- */

static char fuzz_directory[64];

static void fuzz_sweep(void)
{
	DIR *directory = opendir(fuzz_directory);
	if (directory == NULL)
		return;
	for (struct dirent *e; (e = readdir(directory)) != NULL;)
		(void)unlinkat(dirfd(directory), e->d_name, 0);
	closedir(directory);
}

static void fuzz_leave(void)
{
	fuzz_sweep();
	(void)rmdir(fuzz_directory);
}

/* At the first input: the directory, and a limit on files, so that an option of terabytes is an error and not this machine's memory. */
static inline void fuzz_begin(void)
{
	if (fuzz_directory[0] != '\0')
		return;
	(void)snprintf(fuzz_directory, sizeof(fuzz_directory), "/dev/shm/slipring-fuzz-%d", (int)getpid());
	CHECK(mkdir(fuzz_directory, 0700) == 0 && setenv("SLIPRING_DIR", fuzz_directory, 1) == 0);
	CHECK(atexit(fuzz_leave) == 0);
	const struct rlimit limit = {.rlim_cur = 64 << 20, .rlim_max = 64 << 20};
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	(void)signal(SIGXFSZ, SIG_IGN);
}

/* Between inputs nothing stays open: a leak of descriptors is found after a few hundred. */
static inline void fuzz_end(void)
{
	enum { MANY = 200 };
	fuzz_sweep();
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && fd < MANY);
	close(fd);
}

/* ---- changes of bytes, as hostile ones would be made ---- */

/* Some places and values are worth more than others: words of the protocol, and numbers near those that are there. */
static inline void fuzz_change(struct script *s, unsigned char *bytes, size_t size)
{
	size_t at = take(s, 2);
	unsigned kind = (unsigned)take(s, 1);
	if (kind & 0x80) /* the header, where most of what is checked stands */
		at %= 512;
	at %= size;
	size_t width = size - at < 8 ? 1 : (size_t)1 << (kind & 3);
	at -= at % width;
	uint64_t value;
	memcpy(&value, bytes + at - at % 8, 8);
	value >>= at % 8 * 8;
	switch (kind >> 2 & 7) {
	case 0: value = take(s, width); break;
	case 1: value ^= UINT64_C(1) << take(s, 1) % 64; break;
	case 2: value = 0; break;
	case 3: value = UINT64_MAX; break;
	case 4: value += take(s, 1); break;
	case 5: value -= take(s, 1); break;
	case 6: value = UINT64_C(1) << take(s, 1) % 64; break;
	default: value = take(s, 1); break;
	}
	memcpy(bytes + at, &value, width);
}

/* ---- a lock-free channel that a dead writer left: its two files, byte for byte ---- */

enum { FUZZ_WORDS = 16, FUZZ_FRAMES = 6 };

struct fuzz_channel {
	unsigned char *control;
	size_t control_bytes;
	unsigned char *payload;
	size_t payload_bytes;
	uint64_t id;
	slip_channel_name name;
};

static inline slip_array fuzz_array(size_t words)
{
	static uint64_t data[4096];
	slip_array a = SLIP_ARRAY_INIT;
	a.data = data;
	a.dtype = SLIP_U64;
	a.ndim = 2;
	a.shape[0] = 2;
	a.shape[1] = (int64_t)words / 2;
	a.encoding = "64UC1";
	a.frame_id = "left";
	a.metadata = "metadata";
	a.metadata_size = 8;
	return a;
}

/* Made by the library once, with frames, a loan and a reader's lease in it; then kept in memory. */
static inline const struct fuzz_channel *fuzz_template(void)
{
	static struct fuzz_channel c;
	if (c.control != NULL)
		return &c;
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.slots = 4;
	o.max_readers = 3;
	slip_writer *writer = slip_writer_open("fuzz", &o);
	slip_array a = fuzz_array(FUZZ_WORDS);
	for (int i = 0; i < FUZZ_FRAMES; i++)
		CHECK(slip_set_array(writer, "a", &a) == 0);
	slip_reader *reader = slip_reader_open("fuzz", NULL);
	slip_frame *lease = slip_get_array(reader, "a");
	slip_frame *loan = slip_loan(writer, "a", &a);
	CHECK(lease != NULL && loan != NULL);
	CHECK(slip__name_make("fuzz", "a", &c.name) == 0);
	struct slip__segment g;
	CHECK(slip__segment_open(&c.name, NULL, SLIP__VIEW_OBSERVER, &g) == 0);
	c.id = g.geometry.id;
	c.control_bytes = g.geometry.control_bytes;
	c.payload_bytes = g.geometry.payload_bytes;
	c.control = malloc(c.control_bytes);
	c.payload = calloc(1, c.payload_bytes);
	CHECK(c.control != NULL && c.payload != NULL);
	memcpy(c.control, g.header, c.control_bytes);
	for (uint32_t s = 0; s < g.geometry.slots; s++) /* guard pages may lie between */
		memcpy(c.payload + s * g.geometry.slot_stride, slip__segment_bytes(&g, s), g.geometry.capacity);
	slip__segment_close(&g);
	CHECK(slip_discard(loan) == 0 && slip_release(lease) == 0);
	slip_reader_close(reader);
	slip_writer_close(writer);
	return &c;
}

static inline void fuzz_file(const char *name, const void *bytes, size_t size, struct stat *status)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s", fuzz_directory, name);
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK(write(fd, bytes, size) == (ssize_t)size);
	CHECK(status == NULL || fstat(fd, status) == 0);
	close(fd);
}

/* Puts the channel into the directory, control changed as the script says: 0 to 15 changes. */
static inline void fuzz_put(struct script *s)
{
	const struct fuzz_channel *c = fuzz_template();
	unsigned char *control = malloc(c->control_bytes);
	CHECK(control != NULL);
	memcpy(control, c->control, c->control_bytes);
	char object[SLIP_OBJECT_MAX];
	struct stat status;
	slip__object_name(&c->name, SLIP__OBJECT_PAYLOAD, c->id, object);
	fuzz_file(object, c->payload, c->payload_bytes, &status);
	uint64_t inode = status.st_ino;
	memcpy(control + offsetof(struct slip__geometry, payload_inode), &inode, sizeof(inode));
	for (uint64_t changes = take(s, 1) % 16; changes > 0; changes--)
		fuzz_change(s, control, c->control_bytes);
	/* The file may be shorter or longer than it says. */
	size_t bytes = take(s, 1) % 8 == 1 ? take(s, 2) % c->control_bytes : c->control_bytes;
	slip__object_name(&c->name, SLIP__OBJECT_CONTROL, 0, object);
	fuzz_file(object, control, bytes, NULL);
	free(control);
}

/* Every byte that a frame claims to have is there. */
static inline void fuzz_touch(const slip_frame *f)
{
	volatile uint64_t sum = 0;
	for (size_t at = 0; at < f->size; at += 61)
		sum += ((const unsigned char *)f->data)[at];
	for (size_t at = 0; at < f->metadata_size; at++)
		sum += ((const unsigned char *)f->metadata)[at];
	CHECK(memchr(f->encoding, 0, SLIP_ENCODING_MAX) != NULL && memchr(f->frame_id, 0, SLIP_FRAME_ID_MAX) != NULL);
	if (f->size > 0)
		sum += ((const unsigned char *)f->data)[f->size - 1];
	(void)sum;
}

/* What a reader can ask, as the script says. */
static inline void fuzz_read(struct script *s, slip_reader *reader, slip_frame *held[4])
{
	int64_t shape[SLIP_MAX_DIMS];
	slip_dtype dtype;
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	uint64_t what = take(s, 1);
	slip_frame **place = &held[what >> 6];
	slip_frame *f = NULL;
	switch (what % 8) {
	case 0: f = slip_get_array(reader, "a"); break;
	case 1:
	case 2: f = slip_next(reader, "a", 0); break;
	case 3: (void)slip_wait(reader, "a", 1000); break;
	case 4: (void)slip_wait_for_array(reader, "a", 1000); break;
	case 5:
		(void)slip_get_shape(reader, "a", shape);
		(void)slip_get_ndim(reader, "a");
		(void)slip_get_dtype(reader, "a", &dtype);
		break;
	case 6:
		(void)slip_writer_alive(reader, "a");
		(void)slip_reader_get_stats(reader, "a", &stats);
		break;
	default:
		if (*place != NULL)
			CHECK(slip_release(*place) == 0);
		*place = NULL;
		break;
	}
	if (f == NULL)
		return;
	fuzz_touch(f);
	static unsigned char copy[1 << 16];
	(void)slip_copy(f, copy, sizeof(copy));
	if (*place != NULL)
		CHECK(slip_release(*place) == 0);
	*place = f;
}

static inline void fuzz_release(slip_frame *held[4])
{
	for (int i = 0; i < 4; i++)
		if (held[i] != NULL)
			CHECK(slip_release(held[i]) == 0);
}

#endif
