/* fanout.c - slipring bench fanout: one small frame to many readers, one frame at a time. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "transport_plain.h"
#include "transport_slipring.h"

enum { SIZE = 64 };

static struct bench_case *add(const struct bench_settings *settings, struct bench_list *list, const struct transport *transport,
			      int readers, enum waiting waiting)
{
	const bool share = waiting == WAIT_SPIN && settings->reader_cpu_count > 0 && readers > settings->reader_cpu_count;
	struct bench_case *it = bench_add(list, measure_drive, "%s, %d reader%s%s%s", transport->name, readers, readers == 1 ? "" : "s",
					  readers == 0		 ? ""
					  : waiting == WAIT_SPIN ? " spinning"
								 : " asleep",
					  share ? " (sharing CPUs)" : "");
	if (it == NULL)
		return NULL;
	bench_plan(settings, it, transport, SIZE, readers);
	it->plan.setup.loan = true;
	it->plan.setup.waiting = waiting;
	it->plan.one_by_one = true;
	/* Long enough for the last of them to have gone to sleep again. */
	it->plan.interval_ns = waiting == WAIT_SPIN ? 20000 : 200000 + readers * INT64_C(20000);
	it->figures = 1U << FIGURE_COST;
	it->figure_names[FIGURE_COST] = "publish";
	if (readers > 0) {
		it->figures |= 1U << FIGURE_LAST;
		it->figure_names[FIGURE_LAST] = "the last has it";
	}
	return it;
}

bool bench_fanout(const struct bench_settings *settings, struct bench_list *list)
{
	for (enum waiting waiting = WAIT_SPIN; waiting <= WAIT_SLEEP; waiting++) {
		for (int i = 0; i < settings->reader_count; i++) {
			const int readers = settings->readers[i];
			if (readers == 0 && waiting == WAIT_SLEEP)
				continue; /* nobody waits, in either way */
			const struct bench_case *limit = add(settings, list, &TRANSPORT_PLAIN, readers, waiting);
			struct bench_case *it = add(settings, list, &TRANSPORT_SLIPRING, readers, waiting);
			if (limit == NULL || it == NULL)
				return false;
			it->beside[0] = bench_index(list, limit);
		}
	}
	return true;
}
