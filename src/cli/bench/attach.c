/* attach.c - slipring bench attach: from opening to the first frame. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "child.h"

#include "../text.h"

#include <fcntl.h>
#include <slipring/slipring.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, SLOTS = 4, TIMES = 40 };

static const char *base_of(const char *kind)
{
	static char base[48];
	(void)snprintf(base, sizeof(base), "bench-%s-%d", kind, (int)getpid());
	return base;
}

static bool failed_to(const char *doing)
{
	return say_error("bench attach: cannot %s: %s", doing, slip_error_detail()) == 0;
}

static slip_writer *open_writer(const char *base, size_t size)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = SLOTS;
	options.prefault = 1;
	slip_array what = SLIP_ARRAY_INIT;
	what.dtype = SLIP_U8;
	what.ndim = 1;
	what.shape[0] = (int64_t)size;
	slip_writer *writer = slip_writer_open(base, &options);
	if (writer != NULL && slip_channel_create(writer, "a", &what) == 0 && slip_publish(slip_loan(writer, "a", &what)) == 0)
		return writer;
	slip_writer_close(writer);
	return NULL;
}

/* ---- a reader comes to a channel that is there ---- */

static bool attach(const struct bench_case *it, const char *base, bool prefault, struct drive_result *result)
{
	(void)it;
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.prefault = prefault;
	for (int i = 0; i < TIMES; i++) {
		const int64_t start = now_ns();
		slip_reader *reader = slip_reader_open(base, &options);
		slip_frame *frame = reader != NULL ? slip_get_array(reader, "a") : NULL;
		const int64_t end = now_ns();
		if (frame == NULL) {
			slip_reader_close(reader);
			return failed_to("attach");
		}
		histogram_add(&result->latency, (uint64_t)(end - start));
		slip_release(frame);
		slip_reader_close(reader);
	}
	return true;
}

/* The writer is this process, the reader a child of it: nothing but their names joins them. */
static bool to_live_channel(const struct bench_settings *settings, const struct bench_case *it, bench_measure *work,
			    struct drive_result *result)
{
	slip_writer *writer = open_writer(base_of("attach"), it->size);
	if (writer == NULL)
		return failed_to("publish");
	const bool good = measure_in_child(settings, it, settings->reader_cpu_count > 0 ? settings->reader_cpus[0] : -1, work, result);
	slip_writer_close(writer);
	return good;
}

/* The parent's name: the child's own would be another. */
static const char *parents_base(void)
{
	static char base[48];
	(void)snprintf(base, sizeof(base), "bench-attach-%d", (int)getppid());
	return base;
}

static bool attach_plainly(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	(void)settings;
	return attach(it, parents_base(), false, result);
}

static bool attach_touching(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	(void)settings;
	return attach(it, parents_base(), true, result);
}

static bool measure_attach(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return to_live_channel(settings, it, attach_plainly, result);
}

static bool measure_attach_touching(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return to_live_channel(settings, it, attach_touching, result);
}

/* ---- the limit: two objects opened and mapped, by name, nothing else ---- */

static void *map_object(const char *name, size_t size, bool writable, bool touch)
{
	const int file = shm_open(name, writable ? O_RDWR : O_RDONLY, 0);
	if (file < 0)
		return MAP_FAILED;
	void *mapped = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED | (touch ? MAP_POPULATE : 0), file, 0);
	close(file);
	return mapped;
}

static bool map_both(const struct bench_case *it, const char *control, const char *payload, bool touch, struct drive_result *result)
{
	const size_t size = it->size * SLOTS;
	for (int i = 0; i < TIMES; i++) {
		const int64_t start = now_ns();
		void *first = map_object(control, PAGE, true, true);
		void *second = map_object(payload, size, false, touch);
		if (first == MAP_FAILED || second == MAP_FAILED)
			return complain("cannot map %s and %s in /dev/shm", control, payload) == 0;
		histogram_add(&result->latency, (uint64_t)(now_ns() - start));
		munmap(second, size);
		munmap(first, PAGE);
	}
	return true;
}

static bool make_object(const char *name, size_t size)
{
	const int file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	const bool good = file >= 0 && posix_fallocate(file, 0, (off_t)size) == 0;
	close(file);
	return good || complain("cannot make /dev/shm%s of %zu bytes", name, size) == 0;
}

static bool open_and_map(const struct bench_case *it, bool touch, struct drive_result *result)
{
	char control[64];
	char payload[64];
	(void)snprintf(control, sizeof(control), "/%s.c", base_of("plain"));
	(void)snprintf(payload, sizeof(payload), "/%s.p", base_of("plain"));
	const bool good =
		make_object(control, PAGE) && make_object(payload, it->size * SLOTS) && map_both(it, control, payload, touch, result);
	shm_unlink(control);
	shm_unlink(payload);
	return good;
}

static bool map_plainly(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	(void)settings;
	return open_and_map(it, false, result);
}

static bool map_touching(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	(void)settings;
	return open_and_map(it, true, result);
}

static bool measure_map(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return measure_in_child(settings, it, settings->reader_cpu_count > 0 ? settings->reader_cpus[0] : -1, map_plainly, result);
}

static bool measure_map_touching(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return measure_in_child(settings, it, settings->reader_cpu_count > 0 ? settings->reader_cpus[0] : -1, map_touching, result);
}

/* ---- a writer comes to a reader that waits ---- */

static bool wait_for_writers(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	(void)settings;
	enum { WRITERS = 5 };
	for (int i = 0; i < WRITERS; i++) {
		char base[64];
		(void)snprintf(base, sizeof(base), "%s-%d", base_of("start"), i);
		slip_reader *reader = slip_reader_open(base, NULL);
		if (reader == NULL)
			return failed_to("open a reader");
		int64_t *start = mmap(NULL, sizeof(*start), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		int ends[2];
		if (start == MAP_FAILED || pipe(ends) != 0)
			return complain("cannot start a writer") == 0;
		fflush(NULL);
		const pid_t pid = fork();
		if (pid == 0) {
			close(ends[1]);
			if (settings->writer_cpu >= 0)
				(void)machine_pin(settings->writer_cpu);
			usleep(30000); /* the reader waits by now; if not, it only comes to a channel that is there */
			*start = now_ns();
			slip_writer *writer = open_writer(base, it->size);
			char byte;
			const bool good = writer != NULL && read(ends[0], &byte, 1) >= 0; /* until the reader has closed its end */
			slip_writer_close(writer);
			_exit(good ? 0 : 1);
		}
		close(ends[0]);
		if (pid < 0)
			return complain("cannot start a writer") == 0;
		bool there = false;
		bool gone = false; /* a writer that failed is not waited for */
		for (int look = 0; look < 100 && !there && !gone; look++) {
			there = slip_wait_for_array(reader, "a", INT64_C(100000000)) == 0;
			gone = waitpid(pid, NULL, WNOHANG) != 0;
		}
		slip_frame *frame = there ? slip_get_array(reader, "a") : NULL;
		if (frame != NULL)
			histogram_add(&result->latency, (uint64_t)(now_ns() - *start));
		slip_release(frame);
		slip_reader_close(reader);
		close(ends[1]);
		if (!gone)
			waitpid(pid, NULL, 0);
		munmap(start, sizeof(*start));
		if (frame == NULL)
			return failed_to("get a new writer's frame");
	}
	return true;
}

static bool measure_start(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return measure_in_child(settings, it, settings->reader_cpu_count > 0 ? settings->reader_cpus[0] : -1, wait_for_writers, result);
}

void bench_attach(const struct bench_settings *settings, struct bench_list *list)
{
	static const struct {
		bench_measure *limit, *own;
		const char *limit_name, *name;
	} PAIRS[] = {
		{measure_map, measure_attach, "shm_open and mmap, twice", "slipring, a live channel"},
		{measure_map_touching, measure_attach_touching, "the same, every page touched", "slipring, every page touched"},
		{NULL, measure_start, "", "slipring, from a writer's start (its pages touched)"},
	};
	for (size_t p = 0; p < sizeof(PAIRS) / sizeof(PAIRS[0]); p++)
		for (int i = 0; i < settings->size_count; i++) {
			char text[32];
			const char *size = size_name(settings->sizes[i], text);
			struct bench_case *limit = NULL;
			if (PAIRS[p].limit != NULL)
				limit = bench_add(list, PAIRS[p].limit, "%s, %s", PAIRS[p].limit_name, size);
			struct bench_case *it = bench_add(list, PAIRS[p].own, "%s, %s", PAIRS[p].name, size);
			it->size = settings->sizes[i];
			if (limit != NULL) {
				limit->size = it->size;
				it->beside[0] = bench_index(list, limit);
			}
		}
}
