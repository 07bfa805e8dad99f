/* stream.c - slipring bench stream: frames a second, every byte read and checked. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "transport_plain.h"
#include "transport_slipring.h"

enum { STREAMING_FROM = 1 << 20 }; /* stores past the cache are tried from here on */

static struct bench_case *add(const struct bench_settings *settings, struct bench_list *list, const struct transport *transport,
			      size_t size, double rate, int readers)
{
	char text[32];
	char rate_text[32] = "flat out";
	if (rate > 0)
		(void)snprintf(rate_text, sizeof(rate_text), "%g a second", rate);
	struct bench_case *it = bench_add(list, measure_drive, "%s, %s, %s, %d reader%s", transport->name, size_name(size, text), rate_text,
					  readers, readers == 1 ? "" : "s");
	bench_plan(settings, it, transport, size, readers);
	it->plan.read_all = true;
	/* At a camera's rate readers sleep in between; flat out the next frame is there already. */
	it->plan.setup.waiting = rate > 0 ? WAIT_SLEEP : WAIT_SPIN;
	it->plan.interval_ns = rate > 0 ? (int64_t)(1e9 / rate) : 0;
	return it;
}

void bench_stream(const struct bench_settings *settings, struct bench_list *list)
{
	for (int s = 0; s < settings->size_count; s++)
		for (int r = 0; r < settings->rate_count; r++)
			for (int i = 0; i < settings->reader_count; i++) {
				const size_t size = settings->sizes[s];
				const double rate = settings->rates[r];
				const int readers = settings->readers[i];
				if (readers == 0)
					continue;
				const struct bench_case *limit = add(settings, list, &TRANSPORT_PLAIN, size, rate, readers);
				const struct bench_case *past = NULL;
				if (size >= STREAMING_FROM && TRANSPORT_STREAMING.can != 0)
					past = add(settings, list, &TRANSPORT_STREAMING, size, rate, readers);
				struct bench_case *it = add(settings, list, &TRANSPORT_SLIPRING, size, rate, readers);
				it->beside[0] = bench_index(list, limit);
				it->beside[1] = past != NULL ? bench_index(list, past) : -1;
			}
}
