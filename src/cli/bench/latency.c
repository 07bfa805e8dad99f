/* latency.c - slipring bench latency: one way, process to process, one reader. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "transport_plain.h"
#include "transport_slipring.h"

enum { STREAMING_FROM = 1 << 20 }; /* stores past the cache are tried from here on */

/* Far enough apart that nothing queues: the copy of a frame takes less than a third of it. A loan takes as long whatever its size. */
static int64_t interval_of(size_t size, bool loan)
{
	return 100000 + (loan ? 0 : (int64_t)size / 3);
}

static struct bench_case *add(const struct bench_settings *settings, struct bench_list *list, const struct transport *transport,
			      size_t size, bool loan, enum waiting waiting)
{
	char text[32];
	struct bench_case *it = bench_add(list, measure_drive, "%s, %s, %s, %s", transport->name, loan ? "loan" : "copy",
					  size_name(size, text), waiting == WAIT_SPIN ? "spinning" : "asleep");
	bench_plan(settings, it, transport, size, 1);
	it->plan.setup.loan = loan;
	it->plan.setup.waiting = waiting;
	it->plan.interval_ns = interval_of(size, loan);
	return it;
}

static void add_with_limits(const struct bench_settings *settings, struct bench_list *list, size_t size, bool loan, enum waiting waiting)
{
	const struct bench_case *limit = add(settings, list, &TRANSPORT_PLAIN, size, loan, waiting);
	int beside[2] = {bench_index(list, limit), -1};
	if (!loan && size >= STREAMING_FROM && TRANSPORT_STREAMING.can != 0) {
		limit = add(settings, list, &TRANSPORT_STREAMING, size, loan, waiting);
		beside[1] = bench_index(list, limit);
	}
	struct bench_case *it = add(settings, list, &TRANSPORT_SLIPRING, size, loan, waiting);
	it->beside[0] = beside[0];
	it->beside[1] = beside[1];
}

void bench_latency(const struct bench_settings *settings, struct bench_list *list)
{
	for (enum waiting waiting = WAIT_SPIN; waiting <= WAIT_SLEEP; waiting++)
		for (int loan = 0; loan <= 1; loan++)
			for (int i = 0; i < settings->size_count; i++)
				add_with_limits(settings, list, settings->sizes[i], loan != 0, waiting);
}
