/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "../options.h"
#include "../text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNDER_WAY = 4 };

struct bench_case *bench_add(struct bench_list *list, bench_measure *measure, const char *name, ...)
{
	struct bench_case *it = &list->cases[list->count++];
	memset(it, 0, sizeof(*it));
	va_list arguments;
	va_start(arguments, name);
	(void)vsnprintf(it->name, sizeof(it->name), name, arguments);
	va_end(arguments);
	it->measure = measure;
	it->beside[0] = it->beside[1] = -1;
	it->figures = 1U << FIGURE_LATENCY;
	return it;
}

int bench_index(const struct bench_list *list, const struct bench_case *it)
{
	return (int)(it - list->cases);
}

void bench_plan(const struct bench_settings *settings, struct bench_case *it, const struct transport *transport, size_t size, int readers)
{
	it->transport = transport;
	it->size = size;
	it->plan.setup.size = size;
	it->plan.setup.readers = readers;
	it->plan.setup.under_way = UNDER_WAY;
	it->plan.writer_cpu = settings->writer_cpu;
	it->plan.reader_cpu_count = settings->reader_cpu_count;
	memcpy(it->plan.reader_cpus, settings->reader_cpus, sizeof(it->plan.reader_cpus));
	it->plan.duration_ns = (int64_t)(settings->seconds * 1e9);
}

bool measure_drive(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result)
{
	(void)settings;
	static unsigned runs;
	char name[40];
	(void)snprintf(name, sizeof(name), "bench-%d-%u", (int)getpid(), ++runs);
	struct drive_plan plan = it->plan;
	plan.setup.name = name;
	return drive(it->transport, &plan, result) == 0;
}

static const struct histogram *figure_of(const struct drive_result *result, enum figure figure)
{
	return figure == FIGURE_LATENCY ? &result->latency : figure == FIGURE_COST ? &result->cost : &result->last;
}

static bool measure_once(const struct bench_settings *settings, struct bench_case *it, struct drive_result *result)
{
	memset(result, 0, sizeof(*result));
	if (!it->measure(settings, it, result))
		return say_error("bench: '%s' could not be measured", it->name) == 0;
	for (enum figure f = 0; f < FIGURES; f++) {
		if (it->total[f] == NULL && (it->total[f] = calloc(1, sizeof(*it->total[f]))) == NULL)
			return say_error("no memory") == 0;
		histogram_merge(it->total[f], figure_of(result, f));
		it->p50[f][it->rounds] = (double)histogram_percentile(figure_of(result, f), 50);
	}
	it->sent += result->sent;
	it->got += result->got;
	it->missed += result->missed;
	it->torn += result->torn;
	it->rate[it->rounds] = result->seconds > 0 ? (double)result->least_got / result->seconds : 0;
	it->rounds++;
	return true;
}

bool bench_run(const struct bench_settings *settings, struct bench_list *list)
{
	struct drive_result *result = malloc(sizeof(*result));
	const bool person = isatty(STDERR_FILENO) == 1;
	const int64_t begin = now_ns();
	if (result == NULL)
		return say_error("no memory") == 0;
	bool good = true;
	const int runs = settings->rounds * list->count;
	for (int i = 0; i < runs && good; i++) {
		/* Each round begins elsewhere, so that no case always follows the same one. */
		const int round = i / list->count;
		struct bench_case *it = &list->cases[(i + round * 7) % list->count];
		if (person) {
			const double left = i > 0 ? (double)(now_ns() - begin) / 1e9 / i * (runs - i) : 0;
			fprintf(stderr, "\r\033[K%s: round %d of %d, %s (%.0f s left)", list->command, round + 1, settings->rounds,
				it->name, left);
			fflush(stderr);
		}
		good = measure_once(settings, it, result);
		if (stopped())
			good = say_error("bench: stopped") == 0;
	}
	if (person)
		fprintf(stderr, "\r\033[K");
	free(result);
	return good;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;
	return (x > y) - (x < y);
}

double bench_median(const double *values, int count)
{
	double sorted[ROUNDS_MAX];
	if (count == 0)
		return 0;
	memcpy(sorted, values, (size_t)count * sizeof(*values));
	qsort(sorted, (size_t)count, sizeof(*sorted), by_value);
	return count % 2 != 0 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* The limit's value in a round: the better of what stands beside the case. */
static double limit_of(const struct bench_list *list, const struct bench_case *it, int round, bool rate, enum figure figure)
{
	double best = 0;
	for (int i = 0; i < 2; i++) {
		if (it->beside[i] < 0)
			continue;
		const struct bench_case *limit = &list->cases[it->beside[i]];
		const double value = rate ? limit->rate[round] : limit->p50[figure][round];
		if (best == 0 || (rate ? value > best : value < best))
			best = value;
	}
	return best;
}

static double ratio_of(const struct bench_list *list, const struct bench_case *it, bool rate, enum figure figure)
{
	double ratios[ROUNDS_MAX];
	int count = 0;
	for (int round = 0; round < it->rounds; round++) {
		const double limit = limit_of(list, it, round, rate, figure);
		const double own = rate ? it->rate[round] : it->p50[figure][round];
		if (limit > 0 && own > 0)
			ratios[count++] = rate ? limit / own : own / limit;
	}
	return bench_median(ratios, count);
}

double bench_ratio(const struct bench_list *list, const struct bench_case *it, enum figure figure)
{
	return ratio_of(list, it, false, figure);
}

double bench_rate_ratio(const struct bench_list *list, const struct bench_case *it)
{
	return ratio_of(list, it, true, FIGURE_LATENCY);
}

const char *size_name(size_t size, char text[32])
{
	static const struct {
		size_t size;
		const char *name;
	} KNOWN[] = {{640 * 480 * 3, "VGA"}, {1280 * 720 * 3, "720p"}, {1920 * 1080 * 3, "1080p"}, {3840 * 2160 * 3, "4K"}};
	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
		if (KNOWN[i].size == size) {
			char bytes[16];
			(void)snprintf(text, 32, "%s (%s)", KNOWN[i].name, human_size(size, bytes));
			return text;
		}
	if (size >= 1024 && size % (1 << 20) == 0)
		(void)snprintf(text, 32, "%zu MiB", size >> 20);
	else if (size >= 1024 && size % 1024 == 0)
		(void)snprintf(text, 32, "%zu KiB", size >> 10);
	else
		(void)snprintf(text, 32, "%zu B", size);
	return text;
}
