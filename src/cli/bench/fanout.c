/* fanout.c - slipring bench fanout: one small frame to many readers, one frame at a time. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "transport_plain.h"
#include "transport_slipring.h"

enum { SIZE = 64 };

static bool shares_cpus(const struct bench_settings *settings, int readers, enum waiting waiting)
{
	return waiting == WAIT_SPIN && settings->reader_cpu_count > 0 && readers > settings->reader_cpu_count;
}

/* What a case looks at: both where it can be had from the same frames. */
enum { PUBLISH = 1U << FIGURE_COST, LAST = 1U << FIGURE_LAST };

static struct bench_case *add(const struct bench_settings *settings, struct bench_list *list, const struct transport *transport,
			      int readers, enum waiting waiting, unsigned figures)
{
	const bool share = shares_cpus(settings, readers, waiting);
	struct bench_case *it = bench_add(list, measure_drive, "%s, %d reader%s%s%s", transport->name, readers, readers == 1 ? "" : "s",
					  readers == 0		 ? ""
					  : waiting == WAIT_SPIN ? " spinning"
								 : " asleep",
					  share ? " (sharing CPUs)" : "");
	bench_plan(settings, it, transport, SIZE, readers);
	it->plan.setup.loan = true;
	it->plan.setup.waiting = waiting;
	it->plan.one_by_one = (figures & LAST) != 0;
	/* Asleep: long enough for the last of them to have gone to sleep again. */
	it->plan.interval_ns = waiting == WAIT_SPIN ? 20000 : 200000 + readers * INT64_C(20000);
	it->figures = figures;
	it->figure_names[FIGURE_COST] = "publish";
	it->figure_names[FIGURE_LAST] = "the last has it";
	return it;
}

static void add_with_limit(const struct bench_settings *settings, struct bench_list *list, int readers, enum waiting waiting,
			   unsigned figures)
{
	const struct bench_case *limit = add(settings, list, &TRANSPORT_PLAIN, readers, waiting, figures);
	struct bench_case *it = add(settings, list, &TRANSPORT_SLIPRING, readers, waiting, figures);
	it->beside[0] = bench_index(list, limit);
}

void bench_fanout(const struct bench_settings *settings, struct bench_list *list)
{
	for (enum waiting waiting = WAIT_SPIN; waiting <= WAIT_SLEEP; waiting++)
		for (int i = 0; i < settings->reader_count; i++) {
			const int readers = settings->readers[i];
			if (readers == 0 && waiting == WAIT_SLEEP)
				continue; /* nobody waits, in either way */
			/* Where readers take turns on a CPU the last one comes ten milliseconds late: publishes would be few. */
			const bool apart = shares_cpus(settings, readers, waiting);
			if (readers == 0 || apart)
				add_with_limit(settings, list, readers, waiting, PUBLISH);
			if (readers > 0)
				add_with_limit(settings, list, readers, waiting, apart ? LAST : PUBLISH | LAST);
		}
}
