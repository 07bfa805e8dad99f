/* main.c - one run of one peer, for run.py: what it was told on the command line, and what came of it as JSON. SPDX-License-Identifier: Apache-2.0 */
#include "drive.h"
#include "json.h"
#include "peer.h"
#include "result.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_GOOD, EXIT_RUN_FAILED, EXIT_USAGE, EXIT_CANNOT };

static const char HELP[] =
	"Usage: peer_NAME --list\n"
	"       peer_NAME --transport NAME --size BYTES [--waiting spin|sleep] [--give copy|loan] [--readers N] [--under-way N]\n"
	"                 [--interval-ns N] [--frames N] [--duration-ns N] [--read-all] [--one-by-one]\n"
	"                 [--writer-cpu N] [--reader-cpus A,B,...]\n\n"
	"Runs a writer and its readers once and prints what was measured, as JSON. --list: what the transports of this program can do.\n"
	"Exit status: 0 good, 1 the run failed, 2 wrong usage, 3 the transport cannot do this.\n";

enum {
	LIST = 1,
	TRANSPORT,
	SIZE,
	WAITING,
	GIVE,
	READERS,
	UNDER_WAY,
	INTERVAL,
	FRAMES,
	DURATION,
	READ_ALL,
	ONE_BY_ONE,
	WRITER_CPU,
	READER_CPUS
};
static const struct option OPTIONS[] = {
	{"help", no_argument, NULL, 'h'},
	{"list", no_argument, NULL, LIST},
	{"transport", required_argument, NULL, TRANSPORT},
	{"size", required_argument, NULL, SIZE},
	{"waiting", required_argument, NULL, WAITING},
	{"give", required_argument, NULL, GIVE},
	{"readers", required_argument, NULL, READERS},
	{"under-way", required_argument, NULL, UNDER_WAY},
	{"interval-ns", required_argument, NULL, INTERVAL},
	{"frames", required_argument, NULL, FRAMES},
	{"duration-ns", required_argument, NULL, DURATION},
	{"read-all", no_argument, NULL, READ_ALL},
	{"one-by-one", no_argument, NULL, ONE_BY_ONE},
	{"writer-cpu", required_argument, NULL, WRITER_CPU},
	{"reader-cpus", required_argument, NULL, READER_CPUS},
	{NULL, 0, NULL, 0},
};

static const char *word(bool yes)
{
	return yes ? "true" : "false";
}

static void list(void)
{
	printf("[");
	for (int i = 0; PEERS[i] != NULL; i++) {
		const struct transport *t = PEERS[i];
		printf("%s{\"transport\":", i > 0 ? "," : "");
		json_string(stdout, t->name);
		printf(",\"version\":");
		json_string(stdout, t->version());
		printf(",\"how\":");
		json_string(stdout, t->how);
		printf(",\"spin\":%s,\"sleep\":%s,\"copy\":%s,\"loan\":%s,\"fanout\":%s,\"largest\":%zu}", word(t->can & CAN_SPIN),
		       word(t->can & CAN_SLEEP), word(t->can & CAN_COPY), word(t->can & CAN_LOAN), word(t->can & CAN_FANOUT), t->largest);
	}
	printf("]\n");
}

static bool number(const char *option, const char *text, long long least, long long most, long long *value)
{
	char *end;
	errno = 0;
	*value = strtoll(text, &end, 10);
	if (*text != '\0' && *end == '\0' && errno == 0 && *value >= least && *value <= most)
		return true;
	fprintf(stderr, "--%s is '%s'; expected a whole number from %lld to %lld\n", option, text, least, most);
	return false;
}

static bool cpu_list(const char *text, struct drive_plan *plan)
{
	plan->reader_cpu_count = 0;
	while (plan->reader_cpu_count < 64) {
		char *end;
		const long cpu = strtol(text, &end, 10);
		if (end == text || cpu < 0 || cpu > 1023 || (*end != ',' && *end != '\0'))
			break;
		plan->reader_cpus[plan->reader_cpu_count++] = (int)cpu;
		if (*end == '\0')
			return true;
		text = end + 1;
	}
	fprintf(stderr, "--reader-cpus: '%s' is not a list of at most 64 numbers of CPUs: 1,2,3\n", text);
	return false;
}

static bool either(const char *option, const char *text, const char *no, const char *yes, bool *value)
{
	*value = strcmp(text, yes) == 0;
	if (*value || strcmp(text, no) == 0)
		return true;
	fprintf(stderr, "--%s is '%s'; expected %s or %s\n", option, text, no, yes);
	return false;
}

static bool take(int option, struct drive_plan *plan, const char **transport)
{
	long long n;
	bool yes;
	switch (option) {
	case TRANSPORT: *transport = optarg; return true;
	case SIZE:
		if (!number("size", optarg, sizeof(struct stamp) + 8, INT64_C(1) << 36, &n))
			return false;
		plan->setup.size = (size_t)n;
		return true;
	case WAITING:
		if (!either("waiting", optarg, "spin", "sleep", &yes))
			return false;
		plan->setup.waiting = yes ? WAIT_SLEEP : WAIT_SPIN;
		return true;
	case GIVE: return either("give", optarg, "copy", "loan", &plan->setup.loan);
	case READERS:
		if (!number("readers", optarg, 0, DRIVE_READERS_MAX, &n))
			return false;
		plan->setup.readers = (int)n;
		return true;
	case UNDER_WAY:
		if (!number("under-way", optarg, 2, 64, &n))
			return false;
		plan->setup.under_way = (int)n;
		return true;
	case INTERVAL:
		if (!number("interval-ns", optarg, 0, INT64_MAX / 2, &n))
			return false;
		plan->interval_ns = n;
		return true;
	case FRAMES:
		if (!number("frames", optarg, 1, INT64_MAX / 2, &n))
			return false;
		plan->frames = (uint64_t)n;
		return true;
	case DURATION:
		if (!number("duration-ns", optarg, 1, INT64_MAX / 2, &n))
			return false;
		plan->duration_ns = n;
		return true;
	case READ_ALL: plan->read_all = true; return true;
	case ONE_BY_ONE: plan->one_by_one = true; return true;
	case WRITER_CPU:
		if (!number("writer-cpu", optarg, 0, 1023, &n))
			return false;
		plan->writer_cpu = (int)n;
		return true;
	case READER_CPUS: return cpu_list(optarg, plan);
	default: return false;
	}
}

static const struct transport *find(const char *name)
{
	for (int i = 0; PEERS[i] != NULL; i++)
		if (strcmp(PEERS[i]->name, name) == 0)
			return PEERS[i];
	return NULL;
}

static bool can(const struct transport *t, const struct drive_plan *plan)
{
	const unsigned waiting = plan->setup.waiting == WAIT_SPIN ? CAN_SPIN : CAN_SLEEP;
	const unsigned giving = plan->setup.loan ? CAN_LOAN : CAN_COPY;
	return (t->can & waiting) && (t->can & giving) && (plan->setup.readers <= 1 || (t->can & CAN_FANOUT)) &&
	       (t->largest == 0 || plan->setup.size <= t->largest);
}

int main(int argc, char **argv)
{
	struct drive_plan plan = {.setup = {.readers = 1, .under_way = 4}, .writer_cpu = -1};
	const char *name = PEERS[0]->name;
	int option;
	while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
		if (option == 'h') {
			fputs(HELP, stdout);
			return EXIT_GOOD;
		}
		if (option == LIST) {
			list();
			return EXIT_GOOD;
		}
		if (!take(option, &plan, &name))
			return EXIT_USAGE;
	}
	const struct transport *transport = find(name);
	if (transport == NULL || plan.setup.size == 0 || (plan.frames == 0 && plan.duration_ns == 0)) {
		fprintf(stderr, "expected one of this program's transports, a --size, and --frames or --duration-ns; see --help\n");
		return EXIT_USAGE;
	}
	if (!can(transport, &plan)) {
		fprintf(stderr, "%s cannot do this; see --list\n", name);
		return EXIT_CANNOT;
	}
	char unique[40];
	(void)snprintf(unique, sizeof(unique), "bench-%d-%llx", (int)getpid(), (unsigned long long)now_ns() & 0xffffff);
	plan.setup.name = unique;
	struct drive_result *result = malloc(sizeof(*result));
	if (result == NULL || drive(transport, &plan, result) != 0) {
		free(result);
		return EXIT_RUN_FAILED;
	}
	drive_json(stdout, transport, &plan, result);
	printf("\n");
	free(result);
	return EXIT_GOOD;
}
