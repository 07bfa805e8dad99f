/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include "../text.h"
#include "result.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_NS = 1000000000 };

static const char *const COUNT_NAMES[] = {
#define X(name, json) json,
	TORTURE_COUNTS(X)
#undef X
};

static const char *const FAILURE_NAMES[] = {
#define X(name, json) json,
	TORTURE_FAILURES(X)
#undef X
};

static const char *directory(void)
{
	const char *set = getenv("SLIPRING_DIR");
	return set != NULL && set[0] != '\0' ? set : "/dev/shm";
}

static double seconds_of(const struct storm *storm)
{
	return (double)((storm->ended_ns != 0 ? storm->ended_ns : now_ns()) - storm->begun_ns) / 1e9;
}

/* "1,234,567"; into text, which has room for 32. */
static const char *grouped(uint64_t number, char text[32])
{
	char digits[24];
	const size_t length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	size_t at = 0;
	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

static void print_why_not(FILE *to, const struct storm *storm)
{
	if (storm->room.path[0] == '\0')
		fprintf(to, "Not shown here: memory that fills up, because %s.\n", storm->room.why_not);
	if (storm->clocks.plain < 0)
		fprintf(to, "Not shown here: readers with other clocks, because %s.\n", storm->clocks.why_not);
}

void report_begin(const struct storm *storm, struct telling *telling)
{
	const struct plan *plan = storm->plan;
	FILE *to = telling->to;
	int semaphores = 0;
	int narrow = 0;
	for (int s = 0; s < plan->stream_count; s++) {
		semaphores += plan->streams[s].semaphore;
		narrow += plan->streams[s].narrow;
	}
	fprintf(to, "%sslipring torture%s: %d channels (%d in semaphore mode), a writer and %d readers each, in %s", bold(to), plain(to),
		plan->stream_count, semaphores, plan->readers, directory());
	if (narrow > 0)
		fprintf(to, ", %d of them in a private tmpfs that is filled up and emptied", narrow);
	fprintf(to, "; seed %" PRIu64 ".\n", plan->seed);
	print_why_not(to, storm);
	(void)fflush(to);
}

void report_progress(const struct storm *storm, void *context)
{
	struct telling *telling = context;
	const int64_t now = now_ns();
	if (now < telling->next_ns)
		return;
	telling->next_ns = now + (telling->terminal ? 1 : 10) * (int64_t)LINE_NS;
	char frames[32];
	char worst[16];
	FILE *to = telling->to;
	fprintf(to,
		"%s%5.0f s  %s frames verified  killed %" PRIu64 " writers, %" PRIu64
		" readers  recovered within %s at most  failures %" PRIu64,
		telling->terminal ? "\r" : "", seconds_of(storm), grouped(storm_count(storm, COUNT_FRAMES), frames), storm->killed_writers,
		storm->killed_readers, human_ns(storm->recovery.max, worst), storm_failures(storm));
	fputs(telling->terminal ? "\033[K" : "\n", to);
	(void)fflush(to);
}

static void print_recovery(FILE *to, const char *what, const struct histogram *h)
{
	char texts[3][16];
	fprintf(to,
		"  %-12s %" PRIu64 " times, from the kill of a writer to its successor's first frame at a reader: p50 %s, p99 %s, max %s\n",
		what, h->total, human_ns(histogram_percentile(h, 50), texts[0]), human_ns(histogram_percentile(h, 99), texts[1]),
		human_ns(h->max, texts[2]));
}

static void print_failure(FILE *to, const struct storm *storm, const struct telling *telling)
{
	const struct board *b = storm->board;
	fprintf(to, "%sFAILED%s: %s: %s\n", alarm_colour(to), plain(to), FAILURE_NAMES[b->failed_how], b->failed_text);
	fprintf(to, "  channel %s/%s, epoch %" PRIx64 ", seq %" PRIu64 ", process %u (a %s)\n", storm->plan->base,
		storm->plan->streams[b->failed_stream].channel, b->failed_epoch, b->failed_seq, b->failed_pid, b->failed_role);
	fprintf(to, "  once more, with the same choices (the instants differ): %s\n", telling->rerun);
}

void report_summary(FILE *to, const struct storm *storm, const struct telling *telling)
{
	char n[6][32];
	char size[16];
	if (telling->terminal)
		fputs("\r\033[K", telling->to);
	(void)fflush(telling->to);
#define COUNT(name, at) grouped(storm_count(storm, COUNT_##name), n[at])
	fprintf(to, "%sIn %.0f s%s\n", bold(to), seconds_of(storm), plain(to));
	fprintf(to, "  %-12s %s frames, %s, each byte checked; %s leases checked once more before their release\n", "verified",
		COUNT(FRAMES, 0), human_size(storm_count(storm, COUNT_BYTES), size), COUNT(HELD, 1));
	fprintf(to, "  %-12s %s writers and %s readers with kill -9, %s of them while stopped\n", "killed",
		grouped(storm->killed_writers, n[0]), grouped(storm->killed_readers, n[1]), grouped(storm->killed_stopped, n[2]));
	fprintf(to, "  %-12s %s times by a successor in the same epoch; %s new epochs\n", "taken over", COUNT(TAKEOVERS, 0),
		COUNT(EPOCHS, 1));
	print_recovery(to, "recovered", &storm->recovery);
	print_recovery(to, "  semaphores", &storm->recovery_semaphore);
	fprintf(to, "  %-12s %s stops, %s signals (%s waits interrupted), %s readers that came and went, %s of them with other clocks\n",
		"meanwhile", grouped(storm->stops, n[0]), grouped(storm->signals, n[1]), COUNT(INTERRUPTED, 2),
		grouped(storm->ended_readers, n[3]), grouped(storm->shifted, n[4]));
	fprintf(to, "  %-12s %s published, %s refused with every slot held, %s rings outgrown; memory full %s times, ENOSPC %s times\n",
		"writers", COUNT(PUBLISHED, 0), COUNT(REFUSED, 1), COUNT(GROWN, 2), grouped(storm->fills, n[3]), COUNT(NO_ROOM, 4));
	fprintf(to, "  %-12s %s leases shared, %s released by another thread, %s after their handle was closed, %s frames observed\n",
		"readers", COUNT(SHARED, 0), COUNT(ELSEWHERE, 1), COUNT(AFTER_CLOSE, 2), COUNT(OBSERVED, 3));
#undef COUNT
	print_why_not(to, storm);
	for (int i = 0; i < FAILURES; i++)
		fprintf(to, "%s%s %" PRIu64, i > 0 ? ", " : "  ", FAILURE_NAMES[i],
			atomic_load_explicit(&storm->board->failures[i], memory_order_relaxed));
	fputs("\n", to);
	if (storm_failures(storm) > 0)
		print_failure(to, storm, telling);
	else
		fprintf(to, "%sNothing failed.%s\n", bold(to), plain(to));
}

static void json_number(FILE *to, const char *name, uint64_t number)
{
	fprintf(to, ",\"%s\":%" PRIu64, name, number);
}

void report_json(FILE *to, const struct storm *storm, const struct telling *telling)
{
	const struct plan *plan = storm->plan;
	const struct board *b = storm->board;
	struct machine machine;
	machine_read(&machine);
	fprintf(to, "{\"slipring\":\"%s\",\"layout\":%u,\"machine\":", slip_version(), slip_layout_version());
	machine_json(to, &machine);
	fprintf(to, ",\"seed\":%" PRIu64 ",\"seconds\":%.3f,\"channels\":%d,\"readers\":%d,\"directory\":", plan->seed, seconds_of(storm),
		plan->stream_count, plan->readers);
	json_string(to, directory());
	for (int i = 0; i < COUNTS; i++)
		json_number(to, COUNT_NAMES[i], storm_count(storm, (enum count)i));
	json_number(to, "processes", storm->spawned);
	json_number(to, "writers_killed", storm->killed_writers);
	json_number(to, "readers_killed", storm->killed_readers);
	json_number(to, "killed_while_stopped", storm->killed_stopped);
	json_number(to, "readers_ended", storm->ended_readers);
	json_number(to, "stops", storm->stops);
	json_number(to, "signals", storm->signals);
	json_number(to, "fills", storm->fills);
	json_number(to, "readers_with_other_clocks", storm->shifted);
	json_number(to, "leaked_objects", storm->leaked_objects);
	json_number(to, "leaked_slots", storm->leaked_slots);
	json_number(to, "not_recovered", (uint64_t)storm_pending(storm));
	fprintf(to, ",\"recovery_ns\":");
	histogram_json(to, &storm->recovery);
	fprintf(to, ",\"recovery_semaphore_ns\":");
	histogram_json(to, &storm->recovery_semaphore);
	for (int i = 0; i < FAILURES; i++)
		json_number(to, FAILURE_NAMES[i], atomic_load_explicit(&b->failures[i], memory_order_relaxed));
	fprintf(to, ",\"not_shown\":[");
	const char *between = "";
	if (storm->room.path[0] == '\0') {
		fprintf(to, "{\"what\":\"full memory\",\"because\":");
		json_string(to, storm->room.why_not);
		fputc('}', to);
		between = ",";
	}
	if (storm->clocks.plain < 0) {
		fprintf(to, "%s{\"what\":\"other clocks\",\"because\":", between);
		json_string(to, storm->clocks.why_not);
		fputc('}', to);
	}
	fprintf(to, "],\"failure\":");
	if (storm_failures(storm) > 0) {
		fprintf(to,
			"{\"how\":\"%s\",\"channel\":\"%s/%s\",\"epoch\":\"%" PRIx64 "\",\"seq\":%" PRIu64
			",\"pid\":%u,\"role\":\"%s\",\"text\":",
			FAILURE_NAMES[b->failed_how], plan->base, plan->streams[b->failed_stream].channel, b->failed_epoch, b->failed_seq,
			b->failed_pid, b->failed_role);
		json_string(to, b->failed_text);
		fprintf(to, ",\"rerun\":");
		json_string(to, telling->rerun);
		fputc('}', to);
	} else {
		fprintf(to, "null");
	}
	fprintf(to, ",\"good\":%s}\n", storm_failures(storm) == 0 ? "true" : "false");
}
