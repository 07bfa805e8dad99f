/*
 * fuzz.h - what the fuzz targets share: a directory of their own, a channel whose bytes the input changes, and what holds after every input.
 *
 * Each target is a file with LLVMFuzzerTestOneInput. With libFuzzer (clang) it is fuzzed: tests/fuzz/run. With replay.c it is a test that goes through the
 * files of its corpus: ctest. Its input is a script: what to write where, then which calls to make.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_FUZZ_H
#define SLIP_TESTS_FUZZ_H

#include "cli/output.h"
#include "guarded.h"
#include "hostile.h"
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a directory of this process ---- */

static char fuzz_directory[128];
static int fuzz_first_free; /* descriptor */

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

/* The command's messages, of each of a million inputs: nobody reads them. */
static FILE *fuzz_nowhere;

static inline FILE *fuzz_hush(void)
{
	FILE *kept = stderr;
	stderr = fuzz_nowhere;
	return kept;
}

static int fuzz_free_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	close(fd);
	return fd;
}

/* At the first input: the directory, and a limit on files, so that an option of terabytes is an error and not this machine's memory. */
static inline void fuzz_begin(void)
{
	if (fuzz_directory[0] == '\0') {
		(void)snprintf(fuzz_directory, sizeof(fuzz_directory), "%s/slipring-fuzz-%d", slip__os_directory(), (int)getpid());
		CHECK(mkdir(fuzz_directory, 0700) == 0 && setenv("SLIPRING_DIR", fuzz_directory, 1) == 0);
		CHECK(atexit(fuzz_leave) == 0);
		const struct rlimit limit = {.rlim_cur = 64 << 20, .rlim_max = 64 << 20};
		CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
		(void)signal(SIGXFSZ, SIG_IGN);
		fuzz_nowhere = fopen("/dev/null", "we");
		CHECK(fuzz_nowhere != NULL);
	}
	fuzz_first_free = fuzz_free_descriptor();
}

/* Between inputs nothing stays open, mapped, locked. Memory is LeakSanitizer's part. */
static inline void fuzz_end(void)
{
	fuzz_sweep();
	CHECK(fuzz_free_descriptor() == fuzz_first_free);
	CHECK(guarded_mappings() == 0);
	CHECK(guarded_anchors() == 0);
}

/* ---- a lock-free channel that a dead writer left: its two files, byte for byte ---- */

enum { FUZZ_WORDS = 16, FUZZ_LARGE = 4096, FUZZ_FRAMES = 6 };

struct fuzz_channel {
	unsigned char *control;
	unsigned char *payload;
	struct slip__geometry geometry;
	slip_channel_name name;
};

static inline slip_array fuzz_array(size_t words)
{
	static uint64_t data[FUZZ_LARGE];
	slip_array a = SLIP_ARRAY_INIT;
	a.data = data;
	a.dtype = SLIP_U64;
	a.ndim = 2;
	a.shape[0] = 2;
	a.shape[1] = (int64_t)words / 2;
	a.encoding = "64UC1";
	a.frame_id = "left";
	a.metadata = "fps=60/1 size=8x2 y4m=mono extra=A|B";
	a.metadata_size = 36;
	return a;
}

/* A file of the directory, whole. */
static inline unsigned char *fuzz_load(const char *name, size_t size)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s", fuzz_directory, name);
	unsigned char *bytes = malloc(size);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(bytes != NULL && fd >= 0 && read(fd, bytes, size) == (ssize_t)size);
	close(fd);
	return bytes;
}

/* Made by the library once, with frames, a loan and a reader's lease in it; then kept in memory. */
static inline const struct fuzz_channel *fuzz_template(void)
{
	static struct fuzz_channel c;
	if (c.control != NULL)
		return &c;
	char object[SLIP_OBJECT_MAX];
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.slots = 4;
	o.max_readers = 3;
	slip_writer *writer = slip_writer_open("fuzz", &o);
	slip_array a = fuzz_array(FUZZ_WORDS);
	for (int i = 0; i < FUZZ_FRAMES; i++)
		CHECK(slip_set_array(writer, "a", &a) == 0);
	slip_reader *reader = slip_reader_open("fuzz", NULL);
	slip_frame *lease = slip_next(reader, "a", 0);
	slip_frame *loan = slip_loan(writer, "a", &a);
	CHECK(lease != NULL && loan != NULL);
	CHECK(slip__name_make("fuzz", "a", &c.name) == 0);
	struct slip__segment g;
	CHECK(slip__segment_open(&c.name, NULL, SLIP__VIEW_CONTROL, &g) == 0);
	c.geometry = g.geometry;
	slip__segment_close(&g);
	slip__object_name(&c.name, SLIP__OBJECT_PAYLOAD, c.geometry.id, object);
	c.payload = fuzz_load(object, c.geometry.payload_bytes);
	slip__object_name(&c.name, SLIP__OBJECT_CONTROL, 0, object);
	c.control = fuzz_load(object, c.geometry.control_bytes);
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

/* Puts the channel into the directory, control changed as the script says: 0 to 15 words. */
static inline void fuzz_put(struct script *s)
{
	const struct fuzz_channel *c = fuzz_template();
	unsigned char *control = malloc(c->geometry.control_bytes);
	CHECK(control != NULL);
	memcpy(control, c->control, c->geometry.control_bytes);
	char object[SLIP_OBJECT_MAX];
	struct stat status;
	slip__object_name(&c->name, SLIP__OBJECT_PAYLOAD, c->geometry.id, object);
	fuzz_file(object, c->payload, c->geometry.payload_bytes, &status);
	uint64_t inode = status.st_ino;
	memcpy(control + offsetof(struct slip__geometry, payload_inode), &inode, sizeof(inode));
	for (uint64_t changes = take(s, 1) % 16; changes > 0; changes--)
		hostile_change(s, control, &c->geometry);
	/* The file may be shorter than it says. */
	size_t bytes = take(s, 1) % 8 == 1 ? take(s, 2) % c->geometry.control_bytes : c->geometry.control_bytes;
	slip__object_name(&c->name, SLIP__OBJECT_CONTROL, 0, object);
	fuzz_file(object, control, bytes, NULL);
	free(control);
}

/* ---- a reader's calls ---- */

/* Every byte that a frame claims to have is there. */
static inline void fuzz_touch(const slip_frame *f)
{
	static volatile uint64_t sum;
	for (size_t at = 0; at < f->size; at += 61)
		sum += ((const unsigned char *)f->data)[at];
	for (size_t at = 0; at < f->metadata_size; at++)
		sum += ((const unsigned char *)f->metadata)[at];
	CHECK(memchr(f->encoding, 0, SLIP_ENCODING_MAX) != NULL && memchr(f->frame_id, 0, SLIP_FRAME_ID_MAX) != NULL);
	CHECK(f->ndim >= 0 && f->ndim <= SLIP_MAX_DIMS && f->metadata_size <= SLIP_METADATA_MAX);
	if (f->size > 0)
		sum += ((const unsigned char *)f->data)[f->size - 1];
	(void)sum;
}

/* What `slipring sub -o` makes of it. No frame ends the header of a stream before its end. */
static inline void fuzz_write(const slip_frame *f, enum format format)
{
	struct output output;
	char *text = NULL;
	size_t size = 0;
	CHECK(output_open(&output, "/dev/null", format));
	fclose(output.file);
	output.file = open_memstream(&text, &size);
	CHECK(output.file != NULL);
	FILE *kept = fuzz_hush();
	bool wrote = output_write(&output, f) == WROTE;
	stderr = kept;
	CHECK(output_close(&output));
	if (wrote && output.format == FORMAT_Y4M) {
		const char *end = memchr(text, '\n', size);
		CHECK(end != NULL && size > (size_t)(end - text) + 6 && memcmp(end, "\nFRAME\n", 7) == 0);
	}
	free(text);
}

static inline void fuzz_use(struct script *s, const slip_frame *f)
{
	static unsigned char copy[1 << 16];
	fuzz_touch(f);
	(void)slip_copy(f, copy, sizeof(copy));
	uint64_t format = take(s, 1);
	if (format % 8 < 5 && f->size <= sizeof(copy))
		fuzz_write(f, (enum format)(format % 8));
}

enum { FUZZ_HELD = 4 };

/* What a reader can ask, as the script says. */
static inline void fuzz_read(struct script *s, slip_reader *reader, slip_frame *held[FUZZ_HELD])
{
	int64_t shape[SLIP_MAX_DIMS];
	slip_dtype dtype;
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	slip_wait_item items[2] = {{.reader = reader, .channel = "a"}, {.reader = reader, .channel = "absent"}};
	uint64_t what = take(s, 1);
	slip_frame **place = &held[what >> 6];
	slip_frame *f = NULL;
	switch (what % 10) {
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
	case 7: (void)slip_wait_any(items, 1 + (what >> 6 & 1), 1000); break;
	case 8: f = slip_next(reader, "a", 1000); break;
	default:
		if (*place != NULL)
			CHECK(slip_release(*place) == 0);
		*place = NULL;
		break;
	}
	if (f == NULL)
		return;
	fuzz_use(s, f);
	if (*place != NULL)
		CHECK(slip_release(*place) == 0);
	*place = f;
}

static inline void fuzz_release(slip_frame *held[FUZZ_HELD])
{
	for (int i = 0; i < FUZZ_HELD; i++)
		if (held[i] != NULL)
			CHECK(slip_release(held[i]) == 0);
}

/* With nothing lent or leased: what a writer publishes, a fresh reader gets. An epoch's numbers may be used up. */
static inline void fuzz_expect_published(slip_writer *writer)
{
	slip_array a = fuzz_array(FUZZ_WORDS);
	int done = slip_set_array(writer, "a", &a);
	if (done != 0 && errno == EOVERFLOW)
		return;
	CHECK(done == 0);
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	CHECK(slip_writer_get_stats(writer, "a", &stats) == 0);
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.mode = SLIP_MODE_LOCK_FREE;
	slip_reader *reader = slip_reader_open("fuzz", &o);
	slip_frame *f = slip_get_array(reader, "a");
	CHECK(f != NULL && f->seq == stats.last_seq && f->epoch == stats.epoch && f->size == FUZZ_WORDS * sizeof(uint64_t));
	CHECK(slip_release(f) == 0);
	slip_reader_close(reader);
}

/* Whatever was written there: with nobody attached any more the next writer finds a channel that works, and leaves nothing. */
static inline void fuzz_expect_recovery(void)
{
	slip_writer *writer = slip_writer_open("fuzz", NULL);
	fuzz_expect_published(writer);
	slip_writer_close(writer);
	CHECK(objects_with("slipring@fuzz@a@") == 0);
}

#endif
