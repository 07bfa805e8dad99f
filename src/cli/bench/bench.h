/*
 * bench.h - cases that are measured side by side: each once a round, all in each round, so that a slow moment of the machine hits all
 * alike; and the tables made of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CLI_BENCH_H
#define SLIP_CLI_BENCH_H

#include "drive.h"
#include "machine.h"

#include <stdio.h>

enum { ROUNDS_MAX = 99, LIST_MAX = 16, CASES_MAX = 256, NAME_SIZE = 96 };

/* What the command line asks for. */
struct bench_settings {
	struct machine machine;
	int writer_cpu; /* -1: not pinned */
	int reader_cpus[64];
	int reader_cpu_count;
	int rounds;
	double seconds; /* of one case in one round, where time sets its length */
	size_t sizes[LIST_MAX];
	int size_count;
	int readers[LIST_MAX];
	int reader_count;
	double rates[LIST_MAX]; /* frames a second; 0: flat out */
	int rate_count;
	bool json;
	const char *histograms; /* a folder for them; or NULL */
};

/* What a case measures, each a histogram of ns. */
enum figure { FIGURE_LATENCY, FIGURE_COST, FIGURE_LAST, FIGURES };

/* Values of one round, added to result's histograms. False after an error message. */
struct bench_case;
typedef bool bench_measure(const struct bench_settings *settings, const struct bench_case *it, struct drive_result *result);

struct bench_case {
	char name[NAME_SIZE];
	bench_measure *measure;
	const struct transport *transport; /* for measure_drive */
	struct drive_plan plan;
	size_t size;			   /* bytes that the case is about; 0: none */
	int beside[2];			   /* cases that are its limit: the faster of them counts; -1: none */
	unsigned figures;		   /* those worth a row: bits 1 << FIGURE_... */
	const char *figure_names[FIGURES]; /* NULL: the case's name says it */

	/* What came of it. */
	int rounds;
	struct histogram *total[FIGURES]; /* of all rounds */
	double p50[FIGURES][ROUNDS_MAX];  /* ns */
	double rate[ROUNDS_MAX];	  /* frames a second, of the reader that got fewest */
	uint64_t sent, got, missed, torn;
};

struct bench_list {
	const char *command;
	struct bench_case cases[CASES_MAX];
	int count;
};

/* A run of a transport, by drive(). */
bench_measure measure_drive;

/* A case, zeroed but for its name, what measures it and the figure FIGURE_LATENCY. The list has room: cmd_bench.c sees to it. */
struct bench_case *bench_add(struct bench_list *list, bench_measure *measure, const char *name, ...) __attribute__((format(printf, 3, 4)));

/* Its place in the list, for `beside`. */
int bench_index(const struct bench_list *list, const struct bench_case *it);

/* The plan of a drive case from the settings: CPUs, length, under_way. */
void bench_plan(const struct bench_settings *settings, struct bench_case *it, const struct transport *transport, size_t size, int readers);

/* Runs every case, round after round, with progress on stderr where that is a terminal. False after an error message. */
bool bench_run(const struct bench_settings *settings, struct bench_list *list);

/* Median over the rounds of this case's median by its limit's; for rates of its limit's rate by its own. 0 where there is no limit. */
double bench_ratio(const struct bench_list *list, const struct bench_case *it, enum figure figure);
double bench_rate_ratio(const struct bench_list *list, const struct bench_case *it);
double bench_median(const double *values, int count);

/* "64 B", "1080p (6.2 MB)". */
const char *size_name(size_t size, char text[32]);

/* Tables for people. */
void bench_print_machine(const struct bench_settings *settings);
void bench_print_times(const struct bench_list *list);
void bench_print_rates(const struct bench_list *list);

/* One member of the JSON's "commands". */
void bench_json(FILE *to, const struct bench_list *list);

/* FOLDER/COMMAND.hlog, and FOLDER/COMMAND-CASE.hgrm of each. False after an error message. */
bool bench_write_histograms(const struct bench_settings *settings, const struct bench_list *list);

/* Each fills the list with its cases. */
void bench_limits(const struct bench_settings *settings, struct bench_list *list);
void bench_latency(const struct bench_settings *settings, struct bench_list *list);
void bench_fanout(const struct bench_settings *settings, struct bench_list *list);
void bench_stream(const struct bench_settings *settings, struct bench_list *list);
void bench_attach(const struct bench_settings *settings, struct bench_list *list);

#endif
