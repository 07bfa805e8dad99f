/* cmd_bench.c - slipring bench: what it costs on this machine, beside what the machine itself needs. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "../options.h"
#include "../text.h"

#include "result.h"

#include <slipring/slipring.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char HELP[] =
	"Usage: slipring bench [limits | latency | fanout | stream | attach]... [options]\n\n"
	"Measures slipring on this machine, process to process, beside the machine's own limits in the same run. Without a name: all.\n"
	"  limits   a cache line between two CPUs, futex wake, memcpy and streaming copy by size, the first touch of a page\n"
	"  latency  from when a frame is due until a reader has it: copied in or loaned, spinning or asleep, by size\n"
	"  fanout   what a publish costs, and when the last of N readers has it\n"
	"  stream   frames a second, every byte read and checked: at cameras' rates and flat out, missed and torn counted\n"
	"  attach   from opening a reader (or a writer) to the first frame\n\n"
	"  --sizes A,B,...      bytes of a frame, or VGA, 720p, 1080p, 4K (three bytes a pixel)\n"
	"  --readers A,B,...    readers of fanout and stream, up to 62\n"
	"  --rates A,B,...      frames a second of stream; 0 is flat out\n"
	"  --rounds N           rounds, all cases in each (5)\n"
	"  --seconds S          length of one case in one round (0.5)\n"
	"  --quick              three rounds, 0.1 s, fewer cases: whether it runs, and a first idea\n"
	"  --writer-cpu N       where the writer runs (the first CPU; -1: nothing is pinned)\n"
	"  --reader-cpus A,B    where readers run, in turn (the other CPUs)\n"
	"  --histograms FOLDER  write each figure's histogram there (.hgrm, .hlog), for HdrHistogram's tools\n"
	"  --json               everything, with the histograms, as one JSON object\n\n"
	"A frame is due at fixed moments; its latency counts from then, so that a stall counts for all the frames that it held up.\n"
	"What the columns mean, and how to get figures to trust: docs/measuring.md.\n\n"
	"Examples:\n"
	"  slipring bench --quick\n"
	"  slipring bench latency --sizes 64,1080p,4K --rounds 9\n"
	"  slipring bench stream --sizes 1080p --rates 60,0 --readers 1,4 --json >stream.json\n";

static const struct kind {
	const char *name;
	void (*fill)(const struct bench_settings *, struct bench_list *);
	void (*print)(const struct bench_list *);
	const char *sizes, *quick_sizes, *readers, *quick_readers, *rates, *quick_rates;
} KINDS[] = {
	{"limits", bench_limits, bench_print_times, "64,4096,65536,1048576,1080p,4K", "64,65536,1080p,4K", "1", "1", "0", "0"},
	{"latency", bench_latency, bench_print_times, "64,4096,65536,1048576,1080p,4K", "64,1080p,4K", "1", "1", "0", "0"},
	{"fanout", bench_fanout, bench_print_times, "64", "64", "0,1,2,4,8,16,62", "0,1,4,16", "0", "0"},
	{"stream", bench_stream, bench_print_rates, "VGA,1080p,4K", "1080p,4K", "1,4,16", "1,4", "60,240,0", "60,0"},
	{"attach", bench_attach, bench_print_times, "65536,1080p,4K", "1080p", "1", "1", "0", "0"},
};
enum { KIND_COUNT = sizeof(KINDS) / sizeof(KINDS[0]) };

struct asked {
	struct bench_settings settings;
	bool kinds[KIND_COUNT];
	bool quick;
	const char *sizes, *readers, *rates; /* NULL: the kind's own */
};

enum { SIZES = 256, READERS, RATES, ROUNDS, SECONDS, QUICK, WRITER_CPU, READER_CPUS, HISTOGRAMS };
static const struct option OPTIONS[] = {
	{"help", no_argument, NULL, 'h'},
	{"json", no_argument, NULL, 'j'},
	{"sizes", required_argument, NULL, SIZES},
	{"readers", required_argument, NULL, READERS},
	{"rates", required_argument, NULL, RATES},
	{"rounds", required_argument, NULL, ROUNDS},
	{"seconds", required_argument, NULL, SECONDS},
	{"quick", no_argument, NULL, QUICK},
	{"writer-cpu", required_argument, NULL, WRITER_CPU},
	{"reader-cpus", required_argument, NULL, READER_CPUS},
	{"histograms", required_argument, NULL, HISTOGRAMS},
	{NULL, 0, NULL, 0},
};

/* The next item of a list; false at its end. */
static bool next_item(const char **list, char item[32])
{
	if (**list == '\0')
		return false;
	const size_t length = strcspn(*list, ",");
	(void)snprintf(item, 32, "%.*s", length < 31 ? (int)length : 31, *list);
	*list += length + ((*list)[length] == ',');
	return true;
}

static bool too_many(const char *option)
{
	say_usage("bench", "--%s has more than %d items", option, LIST_MAX);
	return false;
}

static bool parse_sizes(const char *list, struct bench_settings *settings)
{
	static const struct {
		const char *name;
		size_t size;
	} NAMES[] = {{"VGA", 640 * 480 * 3}, {"720p", 1280 * 720 * 3}, {"1080p", 1920 * 1080 * 3}, {"4K", 3840 * 2160 * 3}};
	char item[32];
	for (settings->size_count = 0; next_item(&list, item); settings->size_count++) {
		if (settings->size_count == LIST_MAX)
			return too_many("sizes");
		uint64_t size = 0;
		for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
			if (strcmp(NAMES[i].name, item) == 0)
				size = NAMES[i].size;
		if (size == 0 && !parse_count("bench", "sizes", item, 32, UINT64_C(1) << 32, &size))
			return false;
		settings->sizes[settings->size_count] = size;
	}
	return true;
}

static bool parse_readers(const char *list, struct bench_settings *settings)
{
	char item[32];
	for (settings->reader_count = 0; next_item(&list, item); settings->reader_count++) {
		uint64_t readers;
		if (settings->reader_count == LIST_MAX)
			return too_many("readers");
		if (!parse_count("bench", "readers", item, 0, DRIVE_READERS_MAX, &readers))
			return false;
		settings->readers[settings->reader_count] = (int)readers;
	}
	return true;
}

static bool parse_rates(const char *list, struct bench_settings *settings)
{
	char item[32];
	for (settings->rate_count = 0; next_item(&list, item); settings->rate_count++) {
		if (settings->rate_count == LIST_MAX)
			return too_many("rates");
		if (!parse_real("bench", "rates", item, 0, 1e6, &settings->rates[settings->rate_count]))
			return false;
	}
	return true;
}

static bool may_run_on(const struct machine *machine, const char *option, uint64_t cpu)
{
	for (int i = 0; i < machine->cpus && i < 64; i++)
		if (machine->cpu_list[i] == (int)cpu)
			return true;
	say_usage("bench", "--%s: this process may not run on CPU %llu; it may on the %d that taskset -p shows", option,
		  (unsigned long long)cpu, machine->cpus);
	return false;
}

static bool parse_reader_cpus(const char *list, struct bench_settings *settings)
{
	char item[32];
	for (settings->reader_cpu_count = 0; next_item(&list, item);) {
		uint64_t cpu;
		if (settings->reader_cpu_count == 64)
			return too_many("reader-cpus");
		if (!parse_count("bench", "reader-cpus", item, 0, 1023, &cpu) || !may_run_on(&settings->machine, "reader-cpus", cpu))
			return false;
		settings->reader_cpus[settings->reader_cpu_count++] = (int)cpu;
	}
	return true;
}

/* The writer on the first CPU, the readers on the others; with one CPU nothing is pinned. */
static void choose_cpus(struct bench_settings *settings)
{
	const struct machine *m = &settings->machine;
	settings->writer_cpu = m->cpus > 1 ? m->cpu_list[0] : -1;
	for (int i = 1; i < m->cpus && i < 64; i++)
		settings->reader_cpus[settings->reader_cpu_count++] = m->cpu_list[i];
}

static bool take(int option, struct asked *asked)
{
	struct bench_settings *settings = &asked->settings;
	uint64_t count;
	switch (option) {
	case 'j': settings->json = true; return true;
	case SIZES: asked->sizes = optarg; return parse_sizes(optarg, settings);
	case READERS: asked->readers = optarg; return parse_readers(optarg, settings);
	case RATES: asked->rates = optarg; return parse_rates(optarg, settings);
	case ROUNDS:
		if (!parse_count("bench", "rounds", optarg, 1, ROUNDS_MAX, &count))
			return false;
		settings->rounds = (int)count;
		return true;
	case SECONDS: return parse_real("bench", "seconds", optarg, 0.001, 3600, &settings->seconds);
	case QUICK: asked->quick = true; return true;
	case WRITER_CPU:
		if (strcmp(optarg, "-1") == 0) {
			settings->writer_cpu = -1;
			settings->reader_cpu_count = 0;
			return true;
		}
		if (!parse_count("bench", "writer-cpu", optarg, 0, 1023, &count) || !may_run_on(&settings->machine, "writer-cpu", count))
			return false;
		settings->writer_cpu = (int)count;
		return true;
	case READER_CPUS: return parse_reader_cpus(optarg, settings);
	case HISTOGRAMS: settings->histograms = optarg; return true;
	default: return false;
	}
}

static bool take_kind(const char *name, struct asked *asked)
{
	for (int i = 0; i < KIND_COUNT; i++)
		if (strcmp(KINDS[i].name, name) == 0) {
			asked->kinds[i] = true;
			return true;
		}
	say_usage("bench", "there is no '%s'; limits, latency, fanout, stream and attach can be measured", name);
	return false;
}

/* Lists that the command line left out are the kind's own. */
static void complete(const struct asked *asked, const struct kind *kind, struct bench_settings *settings)
{
	if (asked->sizes == NULL)
		(void)parse_sizes(asked->quick ? kind->quick_sizes : kind->sizes, settings);
	if (asked->readers == NULL)
		(void)parse_readers(asked->quick ? kind->quick_readers : kind->readers, settings);
	if (asked->rates == NULL)
		(void)parse_rates(asked->quick ? kind->quick_rates : kind->rates, settings);
}

static void begin_json(const struct bench_settings *settings)
{
	printf("{\"slipring\":\"%s\",\"layout\":%u,\"machine\":", slip_version(), slip_layout_version());
	machine_json(stdout, &settings->machine);
	char date[32] = "";
	const time_t now = time(NULL);
	struct tm parts;
	if (gmtime_r(&now, &parts) != NULL)
		(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &parts);
	printf(",\"date\":\"%s\",\"rounds\":%d,\"seconds\":%g,\"writer_cpu\":%d,\"reader_cpus\":[", date, settings->rounds,
	       settings->seconds, settings->writer_cpu);
	for (int i = 0; i < settings->reader_cpu_count; i++)
		printf("%s%d", i > 0 ? "," : "", settings->reader_cpus[i]);
	printf("],\"commands\":[");
}

static bool run_kind(const struct asked *asked, const struct kind *kind, bool first)
{
	struct bench_settings settings = asked->settings;
	complete(asked, kind, &settings);
	/* Three cases of each: the limits and slipring. */
	if (3 * settings.size_count * settings.rate_count * settings.reader_count > CASES_MAX)
		return say_error("bench %s: more than %d cases; give fewer sizes, rates or readers", kind->name, CASES_MAX) == 0;
	struct bench_list *list = calloc(1, sizeof(*list));
	if (list == NULL)
		return say_error("no memory") == 0;
	list->command = kind->name;
	kind->fill(&settings, list);
	bool good = bench_run(&settings, list);
	if (good && settings.json) {
		printf("%s\n", first ? "" : ",");
		bench_json(stdout, list);
	} else if (good) {
		kind->print(list);
	}
	good = good && (settings.histograms == NULL || bench_write_histograms(&settings, list));
	for (int i = 0; i < list->count; i++)
		for (enum figure f = 0; f < FIGURES; f++)
			free(list->cases[i].total[f]);
	free(list);
	fflush(stdout);
	return good;
}

int cmd_bench(int argc, char **argv)
{
	struct asked asked = {.settings = {.rounds = 0, .seconds = 0}};
	machine_read(&asked.settings.machine);
	choose_cpus(&asked.settings);
	int found;
	while ((found = next_option("bench", argc, argv, OPTIONS)) != -1) {
		if (found == 'h') {
			fputs(HELP, stdout);
			return EXIT_OK;
		}
		if (!take(found, &asked))
			return EXIT_USAGE;
	}
	for (int i = optind; i < argc; i++)
		if (!take_kind(argv[i], &asked))
			return EXIT_USAGE;
	struct bench_settings *settings = &asked.settings;
	settings->rounds = settings->rounds != 0 ? settings->rounds : asked.quick ? 3 : 5;
	settings->seconds = settings->seconds > 0 ? settings->seconds : asked.quick ? 0.1 : 0.5;
	catch_signals();
	if (settings->json)
		begin_json(settings);
	else
		bench_print_machine(settings);
	bool good = true;
	bool first = true;
	for (int i = 0; i < KIND_COUNT && good; i++)
		if (asked.kinds[i] || optind == argc) {
			good = run_kind(&asked, &KINDS[i], first);
			first = false;
		}
	if (settings->json)
		printf("\n]}\n");
	return good ? EXIT_OK : EXIT_FAILED;
}
