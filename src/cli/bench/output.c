/* output.c - a list of cases as tables, JSON and histogram files. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "../text.h"
#include "hdr_log.h"
#include "result.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

void bench_print_machine(const struct bench_settings *settings)
{
	const struct machine *m = &settings->machine;
	char memory[16];
	char cache[16];
	printf("%s%s%s, %d CPU%s%s, %s, %s of memory, last cache %s; clock %s (a read %" PRId64 " ns), governor: %s,\n"
	       "isolated CPUs: %s, huge pages of shared memory: %s, load %.2f.\n",
	       bold(stdout), m->cpu, plain(stdout), m->cpus, m->cpus == 1 ? "" : "s", m->is_virtual ? " of a virtual machine" : "",
	       m->kernel, human_size(m->memory, memory), human_size(m->cache, cache), m->clock, m->clock_read_ns, m->governor, m->isolated,
	       m->huge_pages, m->load);
	if (settings->writer_cpu < 0)
		printf("Nothing is pinned.");
	else
		printf("Writer on CPU %d, readers in turn on", settings->writer_cpu);
	for (int i = 0; i < settings->reader_cpu_count && settings->writer_cpu >= 0; i++)
		printf("%s %d", i > 0 ? "," : "", settings->reader_cpus[i]);
	printf("%s %d rounds, all cases in each. Ratios: the median over the rounds of a round's p50 by\nits limit's p50 in that round.\n",
	       settings->writer_cpu >= 0 ? "." : "", settings->rounds);
	if (m->load > 0.5 * m->cpus)
		printf("%sSomething else is running on this machine: these figures are not its best.%s\n", alarm_colour(stdout),
		       plain(stdout));
}

static void print_time(uint64_t ns)
{
	char text[16];
	printf(" %10s", human_ns(ns, text));
}

static void print_ratio(double ratio)
{
	if (ratio > 0)
		printf(" %7.2f\n", ratio);
	else
		printf(" %7s\n", "-");
}

static void title(const char *command, const char *columns)
{
	printf("\n%s%-58s%s%s\n", bold(stdout), command, columns, plain(stdout));
}

void bench_print_times(const struct bench_list *list)
{
	title(list->command, "     count        p50        p99      p99.9        max   limit");
	for (int i = 0; i < list->count; i++) {
		const struct bench_case *it = &list->cases[i];
		for (enum figure f = 0; f < FIGURES; f++) {
			const struct histogram *h = it->total[f];
			if ((it->figures & 1U << f) == 0)
				continue;
			char name[NAME_SIZE + 32];
			(void)snprintf(name, sizeof(name), "%s%s%s", it->name, it->figure_names[f] != NULL ? ": " : "",
				       it->figure_names[f] != NULL ? it->figure_names[f] : "");
			printf("%-58s %9" PRIu64, name, h->total);
			print_time(histogram_percentile(h, 50));
			print_time(histogram_percentile(h, 99));
			print_time(histogram_percentile(h, 99.9));
			print_time(h->max);
			print_ratio(bench_ratio(list, it, f));
		}
	}
}

void bench_print_rates(const struct bench_list *list)
{
	title(list->command, "  frames/s     missed  torn        p50        p99        max   limit");
	for (int i = 0; i < list->count; i++) {
		const struct bench_case *it = &list->cases[i];
		const struct histogram *h = it->total[FIGURE_LATENCY];
		printf("%-58s %9.1f %10" PRIu64 " %5" PRIu64, it->name, bench_median(it->rate, it->rounds), it->missed, it->torn);
		print_time(histogram_percentile(h, 50));
		print_time(histogram_percentile(h, 99));
		print_time(h->max);
		print_ratio(bench_rate_ratio(list, it));
	}
}

static void json_values(FILE *to, const char *name, const double *values, int count)
{
	fprintf(to, ",\"%s\":[", name);
	for (int i = 0; i < count; i++)
		fprintf(to, "%s%.3f", i > 0 ? "," : "", values[i]);
	fprintf(to, "]");
}

static void json_ratio(FILE *to, const char *name, double ratio)
{
	if (ratio > 0)
		fprintf(to, ",\"%s\":%.4f", name, ratio);
	else
		fprintf(to, ",\"%s\":null", name);
}

static void json_case(FILE *to, const struct bench_list *list, const struct bench_case *it)
{
	static const char *const NAMES[FIGURES] = {"latency", "cost", "last"};
	fprintf(to, "{\"name\":");
	json_string(to, it->name);
	fprintf(to, ",\"size\":%zu", it->size);
	if (it->transport != NULL)
		fprintf(to,
			",\"transport\":\"%s\",\"waiting\":\"%s\",\"give\":\"%s\",\"readers\":%d,\"interval_ns\":%" PRId64
			",\"read_all\":%s",
			it->transport->name, waiting_name(it->plan.setup.waiting), it->plan.setup.loan ? "loan" : "copy",
			it->plan.setup.readers, it->plan.interval_ns, it->plan.read_all ? "true" : "false");
	fprintf(to, ",\"sent\":%" PRIu64 ",\"got\":%" PRIu64 ",\"missed\":%" PRIu64 ",\"torn\":%" PRIu64, it->sent, it->got, it->missed,
		it->torn);
	json_values(to, "frames_per_second", it->rate, it->rounds);
	json_ratio(to, "rate_ratio", bench_rate_ratio(list, it));
	for (enum figure f = 0; f < FIGURES; f++) {
		fprintf(to, ",\"%s\":", NAMES[f]);
		histogram_json(to, it->total[f]);
		char name[32];
		(void)snprintf(name, sizeof(name), "%s_p50_by_round", NAMES[f]);
		json_values(to, name, it->p50[f], it->rounds);
		(void)snprintf(name, sizeof(name), "%s_ratio", NAMES[f]);
		json_ratio(to, name, bench_ratio(list, it, f));
	}
	fprintf(to, "}");
}

void bench_json(FILE *to, const struct bench_list *list)
{
	fprintf(to, "{\"command\":\"%s\",\"cases\":[", list->command);
	for (int i = 0; i < list->count; i++) {
		fprintf(to, "%s\n", i > 0 ? "," : "");
		json_case(to, list, &list->cases[i]);
	}
	fprintf(to, "]}");
}

/* COMMAND-CASE-FIGURE with what file names and tags may hold. */
static void tag_of(const struct bench_list *list, const struct bench_case *it, enum figure figure, char tag[NAME_SIZE * 2])
{
	(void)snprintf(tag, (size_t)NAME_SIZE * 2, "%s-%s%s%s", list->command, it->name, it->figure_names[figure] != NULL ? "-" : "",
		       it->figure_names[figure] != NULL ? it->figure_names[figure] : "");
	char *to = tag;
	for (const char *from = tag; *from != '\0'; from++) {
		if (isalnum((unsigned char)*from))
			*to++ = *from;
		else if (to > tag && to[-1] != '-')
			*to++ = '-';
	}
	*to = '\0';
}

static bool write_one(const struct bench_settings *settings, FILE *log, double start_s, const char *tag, const struct histogram *h)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/%s.hgrm", settings->histograms, tag);
	FILE *file = fopen(path, "w");
	if (file == NULL)
		return say_error("cannot write %s: %s", path, strerror(errno)) == 0;
	const bool written = hdr_write_percentiles(file, h, 1000.0) == 0;
	if (fclose(file) != 0 || !written)
		return say_error("cannot write %s: %s", path, strerror(errno)) == 0;
	if (hdr_log_interval(log, tag, start_s, 1.0, h, 1000.0) != 0)
		return say_error("cannot write the histogram log: %s", strerror(errno)) == 0;
	return true;
}

bool bench_write_histograms(const struct bench_settings *settings, const struct bench_list *list)
{
	if (mkdir(settings->histograms, 0777) != 0 && errno != EEXIST)
		return say_error("cannot make the folder %s: %s", settings->histograms, strerror(errno)) == 0;
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/%s.hlog", settings->histograms, list->command);
	FILE *log = fopen(path, "w");
	if (log == NULL)
		return say_error("cannot write %s: %s", path, strerror(errno)) == 0;
	bool good = hdr_log_begin(log, (int64_t)time(NULL) * 1000000000) == 0;
	for (int i = 0; i < list->count && good; i++)
		for (enum figure f = 0; f < FIGURES && good; f++) {
			char tag[NAME_SIZE * 2];
			if ((list->cases[i].figures & 1U << f) == 0)
				continue;
			tag_of(list, &list->cases[i], f, tag);
			good = write_one(settings, log, i, tag, list->cases[i].total[f]);
		}
	return (fclose(log) == 0 || say_error("cannot write %s: %s", path, strerror(errno)) == 0) && good;
}
