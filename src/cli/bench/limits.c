/* limits.c - slipring bench limits: what this machine needs for the things that any transport is made of. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "child.h"

#include "../text.h"
#include "streaming.h"
#include "transport_plain.h"

#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, LEGS = 32 };

/* ---- a cache line between two CPUs ---- */

struct line {
	alignas(64) _Atomic uint32_t turn; /* even: the first CPU's; release and acquire pair with each other */
	uint32_t last;
};

/* Where both have one CPU only, they take turns by the scheduler. */
static void await_turn(struct line *line, uint32_t turn)
{
	for (unsigned looks = 1; atomic_load_explicit(&line->turn, memory_order_acquire) != turn; looks++)
		if (looks % 4096 == 0)
			(void)sched_yield();
}

static void *answer(void *data)
{
	struct line *line = data;
	for (uint32_t turn = 1; turn < line->last; turn += 2) {
		await_turn(line, turn);
		atomic_store_explicit(&line->turn, turn + 1, memory_order_release);
	}
	return NULL;
}

static bool hand_over(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	(void)it;
	enum { SAMPLES = 2000 };
	static struct line line;
	line.last = SAMPLES * LEGS;
	pthread_t thread;
	pthread_attr_t where;
	pthread_attr_init(&where);
	if (settings->reader_cpu_count > 0) {
		cpu_set_t cpus;
		CPU_ZERO(&cpus);
		CPU_SET((size_t)settings->reader_cpus[0], &cpus);
		pthread_attr_setaffinity_np(&where, sizeof(cpus), &cpus);
	}
	const int err = pthread_create(&thread, &where, answer, &line);
	pthread_attr_destroy(&where);
	if (err != 0)
		return complain("cannot start a thread") == 0;
	uint32_t turn = 0;
	for (int i = 0; i < SAMPLES; i++) {
		const int64_t start = now_ns();
		for (int leg = 0; leg < LEGS; leg += 2) {
			atomic_store_explicit(&line.turn, turn + 1, memory_order_release);
			turn += 2;
			await_turn(&line, turn);
		}
		histogram_add(&result->latency, (uint64_t)(now_ns() - start) / LEGS);
	}
	pthread_join(thread, NULL);
	return true;
}

static bool measure_hand_over(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return measure_in_child(settings, it, settings->writer_cpu, hand_over, result);
}

/* ---- copies ---- */

static bool copy_with(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result, bool streaming)
{
	const size_t rounded = (it->size + PAGE - 1) / PAGE * PAGE;
	char *source = aligned_alloc(PAGE, rounded);
	char *targets = aligned_alloc(PAGE, 2 * rounded);
	if (source == NULL || targets == NULL)
		return complain("no memory for %zu bytes", 3 * rounded) == 0;
	memset(source, 1, rounded);
	memset(targets, 1, 2 * rounded);
	/* Small copies are timed by the batch: a clock read takes longer than they do. */
	const int batch = it->size < 1 << 14 ? 64 : 1;
	const int64_t until = now_ns() + (int64_t)(settings->seconds * 1e9);
	for (int64_t start = now_ns(); start < until; start = now_ns()) {
		for (int i = 0; i < batch; i++) {
			char *to = targets + (i % 2 != 0 || (batch == 1 && result->latency.total % 2 != 0) ? rounded : 0);
#if defined(__x86_64__)
			if (streaming)
				copy_streaming(to, source, it->size);
			else
#endif
				memcpy(to, source, it->size);
			__asm__ volatile("" : : "r"(to) : "memory");
		}
		histogram_add(&result->latency, (uint64_t)(now_ns() - start) / (uint64_t)batch);
	}
	(void)streaming;
	free(source);
	free(targets);
	return true;
}

static bool copy_plainly(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return copy_with(settings, it, result, false);
}

static bool copy_past_cache(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return copy_with(settings, it, result, true);
}

static bool measure_copy(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return measure_in_child(settings, it, settings->writer_cpu, copy_plainly, result);
}

static bool measure_streaming(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return measure_in_child(settings, it, settings->writer_cpu, copy_past_cache, result);
}

/* ---- pages ---- */

static void touch(volatile char *at, size_t size, struct histogram *per_page)
{
	enum { PAGES = 64 };
	for (size_t done = 0; done + PAGES * PAGE <= size; done += PAGES * PAGE) {
		const int64_t start = now_ns();
		for (int page = 0; page < PAGES; page++)
			at[done + (size_t)page * PAGE] = 1;
		histogram_add(per_page, (uint64_t)(now_ns() - start) / PAGES);
	}
}

/* Pages of new shared memory, by whoever comes first (latency) and by the second mapping (last). */
static bool first_touch(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	(void)settings;
	const int file = memfd_create("slipring-bench", MFD_CLOEXEC);
	if (file < 0 || ftruncate(file, (off_t)it->size) != 0)
		return complain("cannot make %zu bytes of shared memory", it->size) == 0;
	struct histogram *const into[2] = {&result->latency, &result->last};
	for (int i = 0; i < 2; i++) {
		void *mapped = mmap(NULL, it->size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
		if (mapped == MAP_FAILED)
			return complain("cannot map %zu bytes", it->size) == 0;
		touch(mapped, it->size, into[i]);
		munmap(mapped, it->size);
	}
	close(file);
	return true;
}

static bool measure_first_touch(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	return measure_in_child(settings, it, settings->writer_cpu, first_touch, result);
}

/* ---- the list ---- */

static void add_plain(const struct bench_settings *settings, struct bench_list *list, const char *name, enum waiting waiting)
{
	struct bench_case *it = bench_add(list, measure_drive, "%s", name);
	bench_plan(settings, it, &TRANSPORT_PLAIN, 64, 1);
	it->plan.setup.loan = true;
	it->plan.setup.waiting = waiting;
	it->plan.interval_ns = 200000;
	if (waiting == WAIT_SLEEP) {
		it->figures |= 1U << FIGURE_COST;
		it->figure_names[FIGURE_LATENCY] = "until it runs";
		it->figure_names[FIGURE_COST] = "the call";
	}
}

static void add_copies(const struct bench_settings *settings, struct bench_list *list)
{
	for (int i = 0; i < settings->size_count; i++) {
		char text[32];
		struct bench_case *it =
			bench_add(list, measure_copy, "memcpy into two buffers in turn, %s", size_name(settings->sizes[i], text));
		it->size = settings->sizes[i];
#if defined(__x86_64__)
		if (settings->sizes[i] < 1 << 16)
			continue;
		it = bench_add(list, measure_streaming, "copy past the cache, the same, %s", size_name(settings->sizes[i], text));
		it->size = settings->sizes[i];
#endif
	}
}

void bench_limits(const struct bench_settings *settings, struct bench_list *list)
{
	(void)bench_add(list, measure_hand_over, "a cache line handed over, half a round trip");
	add_plain(settings, list, "payload line and flag line, one way", WAIT_SPIN);
	add_plain(settings, list, "futex wake", WAIT_SLEEP);
	add_copies(settings, list);
	struct bench_case *it = bench_add(list, measure_first_touch, "a page of new shared memory touched");
	it->size = 24 << 20;
	it->figures |= 1U << FIGURE_LAST;
	it->figure_names[FIGURE_LATENCY] = "first";
	it->figure_names[FIGURE_LAST] = "by a second mapping";
}
