/* cmd_info.c - slipring info: one channel, in full. SPDX-License-Identifier: Apache-2.0 */
#include "options.h"
#include "text.h"

#include <inttypes.h>
#include <time.h>

static const char HELP[] =
	"Usage: slipring info BASE[/CHANNEL] [--mode lock-free|semaphore] [--json]\n\n"
	"Shows a channel's geometry, its slots and who holds them, and every attached reader's counters. Looks only: neither\n"
	"writer nor readers notice. In 'held by', a number is a reader's place, 'own' the writer's lease, 'filling' a loan.\n"
	"Of a semaphore channel: its header, its last timestamp, and its lock. --mode says which where there are both.\n\n"
	"Example:\n  slipring info camera_01/image\n";

static const struct option OPTIONS[] = {
	{"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, 'j'}, {"mode", required_argument, NULL, 'm'}, {NULL, 0, NULL, 0}};

static const char *state_sentence(slip_channel_state state)
{
	switch (state) {
	case SLIP_CHANNEL_LIVE: return "live";
	case SLIP_CHANNEL_DEAD: return "dead: the next writer takes over";
	case SLIP_CHANNEL_UNKNOWN: return "another program's: whether it lives cannot be told";
	default: return "closed";
	}
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void print_held(uint64_t pins)
{
	const char *separator = "";
	for (int i = 0; i < 62; i++)
		if (pins >> i & 1) {
			printf("%s%d", separator, i);
			separator = " ";
		}
	if (pins >> 62 & 1)
		printf("%sown", separator);
	if (pins >> 63)
		printf("%sfilling", pins << 1 != 0 ? " " : "");
	printf("\n");
}

/* The bucket below which half, or almost all, ages lie, as its upper end. */
static uint64_t age_percentile(const slip_reader_info *r, unsigned percent)
{
	uint64_t total = 0;
	uint64_t seen = 0;
	for (int b = 0; b < SLIP_AGE_BUCKETS; b++)
		total += r->ages[b];
	for (int b = 0; b < SLIP_AGE_BUCKETS; b++) {
		seen += r->ages[b];
		if (total > 0 && seen * 100 >= total * percent)
			return UINT64_C(512) << b;
	}
	return 0;
}

static const char *lock_text(const slip_channel_info *c)
{
	if (c->lock_holder_dead)
		return "held by a process of slipring's that is dead: the next of slipring's repairs it";
	if (c->lock_value == 0)
		return "taken";
	return c->lock_value == 1 ? "free" : "posted too often: it does not exclude, until slipring takes it next";
}

static void print_semaphore(const slip_channel_info *c)
{
	char shape[128];
	char size[16];
	char dtype[24];
	char when[64] = "none yet";
	time_t seconds = (time_t)(c->last_capture_realtime_ns / 1000000000);
	struct tm broken;
	(void)slip_dtype_name(c->dtype, dtype, sizeof(dtype));
	if (c->last_capture_realtime_ns != 0 && localtime_r(&seconds, &broken) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &broken);
	printf("%s%s/%s%s  semaphore mode, %s\n", bold(stdout), c->name.base, c->name.channel, plain(stdout), state_sentence(c->state));
	printf("  frames     %s %s %s, %s\n", shape_text(c->ndim, c->shape, shape), dtype, c->encoding, human_size(c->capacity, size));
	printf("  newest     timestamp %.6f (%s)\n", (double)c->last_capture_realtime_ns / 1e9, when);
	printf("  lock       value %d: %s\n", c->lock_value, lock_text(c));
	printf("  objects    user %u, permissions 0%o, inode %" PRIu64 "\n", (unsigned)c->owner, (unsigned)c->permissions, c->epoch);
}

static void print_text(const slip_channel_info *c)
{
	char a[128];
	char b[16];
	char d[24] = "-";
	printf("%s%s/%s%s  %s\n", bold(stdout), c->name.base, c->name.channel, plain(stdout), state_sentence(c->state));
	if (c->ndim >= 0) {
		(void)slip_dtype_name(c->dtype, d, sizeof(d));
		printf("  newest     seq %" PRIu64 ", %s %s %s", c->last_seq, shape_text(c->ndim, c->shape, a), d, c->encoding);
		int64_t ago = (int64_t)((uint64_t)now() - (uint64_t)c->last_publish_ns);
		if (c->last_publish_ns > 0 && ago >= 0) /* a writer in a container may live by a later clock */
			printf(", published %s ago", human_ns((uint64_t)ago, b));
		printf("\n");
	}
	printf("  writer     process %u, user %u; published %" PRIu64 ", refused %" PRIu64 " (all slots held), woke sleepers %" PRIu64
	       " times\n",
	       c->writer_pid, (unsigned)c->owner, c->published, c->refused, c->wakes);
	printf("  ring       %u slots of %s", c->slots, human_size(c->capacity, b));
	printf(" = %s, permissions 0%o, history %s", human_size(c->payload_bytes, b), (unsigned)c->permissions,
	       c->history != 0 ? "" : "automatic");
	if (c->history != 0)
		printf("%u", c->history);
	printf("\n  limits     %u readers, %u leases each, %u loans\n", c->max_readers, c->leases_per_reader, c->max_loans);
	printf("  identity   layout %u, epoch %016" PRIx64 ", generation %" PRIu64 " from seq %" PRIu64 "\n", c->layout_version, c->epoch,
	       c->generation, c->first_seq);
	printf("\n  %sslot          seq  held by%s\n", bold(stdout), plain(stdout));
	for (size_t i = 0; i < c->slot_count; i++) {
		printf("  %4zu %12" PRIu64 "  ", i, c->slot_info[i].seq);
		print_held(c->slot_info[i].pins);
	}
	printf("\n  %sreader  process  state    order      leases         got      missed    last seq  age p50 <  p99 <%s\n", bold(stdout),
	       plain(stdout));
	for (size_t i = 0; i < c->reader_count; i++) {
		const slip_reader_info *r = &c->readers[i];
		char p50[16];
		char p99[16];
		printf("  %6u %8u  %-8s %-9s %7u %11" PRIu64 " %11" PRIu64 " %11" PRIu64 "  %9s %6s\n", r->index, r->pid,
		       r->alive ? "alive" : "dead", r->in_order ? "in order" : "latest", r->leases, r->got, r->missed, r->last_seq,
		       human_ns(age_percentile(r, 50), p50), human_ns(age_percentile(r, 99), p99));
	}
	if (c->reader_count == 0)
		printf("  none (observers are not seen)\n");
}

static void print_json(const slip_channel_info *c)
{
	char d[24];
	printf("{\"base\":\"%s\",\"channel\":\"%s\",\"mode\":\"%s\",\"state\":\"%s\",\"layout_version\":%u,\"epoch\":\"%016" PRIx64
	       "\",\"generation\":%" PRIu64 ",\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64 ",\"slots\":%u,\"capacity\":%" PRIu64
	       ",\"control_bytes\":%" PRIu64 ",\"payload_bytes\":%" PRIu64
	       ",\"max_readers\":%u,\"leases_per_reader\":%u,\"max_loans\":%u,\"history\":%u,\"permissions\":\"0%o\","
	       "\"owner\":%u,\"writer_pid\":%u,\"published\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"wakes\":%" PRIu64
	       ",\"last_publish_ns\":%lld",
	       c->name.base, c->name.channel, mode_name(c->name.mode), state_name(c->state), c->layout_version, c->epoch, c->generation,
	       c->first_seq, c->last_seq, c->slots, c->capacity, c->control_bytes, c->payload_bytes, c->max_readers, c->leases_per_reader,
	       c->max_loans, c->history, (unsigned)c->permissions, (unsigned)c->owner, c->writer_pid, c->published, c->refused, c->wakes,
	       (long long)c->last_publish_ns);
	if (c->ndim >= 0 && slip_dtype_name(c->dtype, d, sizeof(d)) == 0) {
		printf(",\"frame\":{\"dtype\":\"%s\",\"shape\":[", d);
		for (int32_t i = 0; i < c->ndim; i++)
			printf("%s%lld", i > 0 ? "," : "", (long long)c->shape[i]);
		printf("],\"encoding\":");
		json_string(stdout, c->encoding);
		printf(",\"frame_id\":");
		json_string(stdout, c->frame_id);
		printf("}");
	}
	if (c->name.mode == SLIP_MODE_SEMAPHORE)
		printf(",\"lock\":{\"value\":%d,\"holder_dead\":%s},\"timestamp\":%.9f", c->lock_value,
		       c->lock_holder_dead ? "true" : "false", (double)c->last_capture_realtime_ns / 1e9);
	printf(",\"slot\":[");
	for (size_t i = 0; i < c->slot_count; i++)
		printf("%s{\"seq\":%" PRIu64 ",\"pins\":\"%016" PRIx64 "\"}", i > 0 ? "," : "", c->slot_info[i].seq, c->slot_info[i].pins);
	printf("],\"reader\":[");
	for (size_t i = 0; i < c->reader_count; i++) {
		const slip_reader_info *r = &c->readers[i];
		printf("%s{\"index\":%u,\"pid\":%u,\"alive\":%s,\"in_order\":%s,\"leases\":%u,\"got\":%" PRIu64 ",\"missed\":%" PRIu64
		       ",\"last_seq\":%" PRIu64 ",\"ages\":[",
		       i > 0 ? "," : "", r->index, r->pid, r->alive ? "true" : "false", r->in_order ? "true" : "false", r->leases, r->got,
		       r->missed, r->last_seq);
		for (int b = 0; b < SLIP_AGE_BUCKETS; b++)
			printf("%s%" PRIu64, b > 0 ? "," : "", r->ages[b]);
		printf("]}");
	}
	printf("]}\n");
}

int cmd_info(int argc, char **argv)
{
	bool json = false;
	slip_mode mode = SLIP_MODE_DEFAULT;
	struct target target;
	int found;
	while ((found = next_option("info", argc, argv, OPTIONS)) != -1) {
		if (found == 'h') {
			fputs(HELP, stdout);
			return EXIT_OK;
		}
		if (found != 'j' && (found != 'm' || !parse_mode("info", optarg, &mode)))
			return EXIT_USAGE;
		json = json || found == 'j';
	}
	if (optind != argc - 1)
		return say_usage("info", "one BASE or BASE/CHANNEL is expected");
	int status = parse_target("info", argv[optind], "image", &target);
	if (status != EXIT_OK)
		return status;
	slip_channel_info *info = slip_channel_inspect(target.base, target.channel, mode);
	if (info == NULL)
		return say_error("%s (slipring ls shows what exists)", slip_error_detail());
	if (!json)
		(void)printable(info->encoding);
	if (json)
		print_json(info);
	else if (info->name.mode == SLIP_MODE_SEMAPHORE)
		print_semaphore(info);
	else
		print_text(info);
	slip_channel_info_free(info);
	return EXIT_OK;
}
