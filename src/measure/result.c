/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include "json.h"

#include <inttypes.h>

const char *waiting_name(enum waiting waiting)
{
	return waiting == WAIT_SPIN ? "spin" : "sleep";
}

void histogram_json(FILE *to, const struct histogram *h)
{
	if (h->total == 0) {
		fprintf(to, "null");
		return;
	}
	fprintf(to, "{\"count\":%" PRIu64 ",\"min\":%" PRIu64, h->total, h->min);
	static const struct {
		const char *name;
		double percent;
	} PERCENTILES[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}};
	for (size_t i = 0; i < sizeof(PERCENTILES) / sizeof(PERCENTILES[0]); i++)
		fprintf(to, ",\"%s\":%" PRIu64, PERCENTILES[i].name, histogram_percentile(h, PERCENTILES[i].percent));
	fprintf(to, ",\"max\":%" PRIu64 ",\"mean\":%.1f,\"cells\":[", h->max, histogram_mean(h));
	bool first = true;
	for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++)
		if (h->counts[cell] != 0) {
			fprintf(to, "%s[%" PRIu64 ",%" PRIu64 "]", first ? "" : ",", histogram_cell_greatest(cell), h->counts[cell]);
			first = false;
		}
	fprintf(to, "]}");
}

void machine_json(FILE *to, const struct machine *machine)
{
	fprintf(to, "{\"cpu\":");
	json_string(to, machine->cpu);
	fprintf(to, ",\"cpus\":%d,\"virtual\":%s,\"kernel\":", machine->cpus, machine->is_virtual ? "true" : "false");
	json_string(to, machine->kernel);
	fprintf(to, ",\"clock\":");
	json_string(to, machine->clock);
	fprintf(to, ",\"clock_read_ns\":%" PRId64 ",\"governor\":", machine->clock_read_ns);
	json_string(to, machine->governor);
	fprintf(to, ",\"isolated_cpus\":");
	json_string(to, machine->isolated);
	fprintf(to, ",\"shm_huge_pages\":");
	json_string(to, machine->huge_pages);
	fprintf(to, ",\"memory_bytes\":%zu,\"last_cache_bytes\":%zu,\"load_average\":%.2f}", machine->memory, machine->cache,
		machine->load);
}

void drive_json(FILE *to, const struct transport *transport, const struct drive_plan *plan, const struct drive_result *result)
{
	const struct transport_setup *setup = &plan->setup;
	fprintf(to, "{\"transport\":");
	json_string(to, transport->name);
	fprintf(to, ",\"version\":");
	json_string(to, transport->version());
	fprintf(to, ",\"how\":");
	json_string(to, transport->how);
	fprintf(to,
		",\"size\":%zu,\"waiting\":\"%s\",\"give\":\"%s\",\"readers\":%d,\"interval_ns\":%" PRId64
		",\"read_all\":%s,\"one_by_one\":%s",
		setup->size, waiting_name(setup->waiting), setup->loan ? "loan" : "copy", setup->readers, plan->interval_ns,
		plan->read_all ? "true" : "false", plan->one_by_one ? "true" : "false");
	fprintf(to, ",\"writer_cpu\":%d,\"reader_cpus\":[", plan->writer_cpu);
	for (int i = 0; i < plan->reader_cpu_count; i++)
		fprintf(to, "%s%d", i > 0 ? "," : "", plan->reader_cpus[i]);
	fprintf(to,
		"],\"sent\":%" PRIu64 ",\"got\":%" PRIu64 ",\"missed\":%" PRIu64 ",\"torn\":%" PRIu64 ",\"least_got\":%" PRIu64
		",\"seconds\":%.6f",
		result->sent, result->got, result->missed, result->torn, result->least_got, result->seconds);
	fprintf(to, ",\"latency\":");
	histogram_json(to, &result->latency);
	fprintf(to, ",\"cost\":");
	histogram_json(to, &result->cost);
	fprintf(to, ",\"last\":");
	histogram_json(to, &result->last);
	fprintf(to, "}");
}
