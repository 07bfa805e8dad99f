/* cmd_torture.c - slipring torture: the user's own proof on the user's own machine. SPDX-License-Identifier: Apache-2.0 */
#include "../options.h"
#include "../text.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static const char HELP[] =
	"Usage: slipring torture [options]\n\n"
	"Proves on this machine what slipring promises: writers and readers are killed, stopped and signalled at random, hundreds a\n"
	"minute, while they publish, grow, close and start again, hold, share and release; the memory of some fills up; the clocks of\n"
	"some are hours off. Every byte of every frame is checked, what was missed is counted, each killed writer must be replaced\n"
	"without a number lost or given twice, all must get on, and at the end nothing may be left over.\n\n"
	"  -m, --minutes N    how long (1)\n"
	"      --deaths N     how many processes to kill; ends with that, or when the minutes are over if both are given\n"
	"      --channels N   2 to 16 (6): every third in semaphore mode, the last two in memory that fills up\n"
	"      --readers N    readers of each channel, 2 to 32 (4)\n"
	"      --seed N       the same choices as in an earlier run; otherwise by the clock, and printed\n"
	"      --json         one JSON object on stdout, progress on stderr\n\n"
	"Needs no privilege. It works under a name of its own in /dev/shm, or where SLIPRING_DIR says, takes a few megabytes a channel\n"
	"(what it needs is checked first), and touches nobody else's channels. Memory that fills up is a private tmpfs; that, and\n"
	"other clocks, need namespaces: where the kernel does not allow them it says so and goes on without. Ctrl-C ends it early.\n"
	"If it was killed itself, slipring gc removes what it left. Exit status: 0 nothing failed, 1 something did.\n\n"
	"Examples:\n"
	"  slipring torture\n"
	"  slipring torture --minutes 60 --channels 12 --readers 8\n"
	"  slipring torture --deaths 1000 --seed 7 --json >torture.json\n";

enum {
	FRAME_MOST = 32 << 10,
	SEMAPHORE_FRAME_MOST = 256 << 10,
	/* At most: 11 slots of twice the greatest frame and half as much again, and what is retired and still held. */
	STREAM_BYTES = 6 << 20,
	ROOM_BYTES = 16 << 20
};

enum { DEATHS = 256, CHANNELS, READERS, SEED };

static const struct option OPTIONS[] = {
	{"help", no_argument, NULL, 'h'},
	{"minutes", required_argument, NULL, 'm'},
	{"deaths", required_argument, NULL, DEATHS},
	{"channels", required_argument, NULL, CHANNELS},
	{"readers", required_argument, NULL, READERS},
	{"seed", required_argument, NULL, SEED},
	{"json", no_argument, NULL, 'j'},
	{NULL, 0, NULL, 0},
};

struct asked {
	double minutes;
	uint64_t deaths, channels, readers, seed;
	bool json, seeded;
};

static bool take(int found, struct asked *asked)
{
	switch (found) {
	case 'm': return parse_real("torture", "minutes", optarg, 0.01, 1e6, &asked->minutes);
	case DEATHS: return parse_count("torture", "deaths", optarg, 1, UINT64_C(1) << 40, &asked->deaths);
	case CHANNELS: return parse_count("torture", "channels", optarg, 2, STREAMS_MAX, &asked->channels);
	case READERS: return parse_count("torture", "readers", optarg, 2, STREAM_READERS_MAX, &asked->readers);
	case SEED: asked->seeded = true; return parse_count("torture", "seed", optarg, 0, UINT64_MAX, &asked->seed);
	case 'j': asked->json = true; return true;
	default: return false;
	}
}

static void plan(struct plan *plan, const struct asked *asked, bool narrow)
{
	memset(plan, 0, sizeof(*plan));
	(void)snprintf(plan->base, sizeof(plan->base), "torture-%d", (int)getpid());
	plan->stream_count = (int)asked->channels;
	plan->readers = (int)asked->readers;
	plan->frame_most = FRAME_MOST;
	plan->semaphore_frame_most = SEMAPHORE_FRAME_MOST;
	plan->seed = asked->seed;
	for (int s = 0; s < plan->stream_count; s++) {
		struct stream *stream = &plan->streams[s];
		stream->semaphore = s % 3 == 2;
		stream->narrow = narrow && s >= 2 && s >= plan->stream_count - 2;
		(void)snprintf(stream->channel, sizeof(stream->channel), "%s%d", stream->semaphore ? "semaphore" : "ring", s);
	}
}

/* Whether the directory has the room that is needed; a message where it has not. */
static bool has_room(const struct plan *plan)
{
	const char *set = getenv("SLIPRING_DIR");
	const char *path = set != NULL && set[0] != '\0' ? set : "/dev/shm";
	struct statvfs space;
	uint64_t need = 0;
	for (int s = 0; s < plan->stream_count; s++)
		need += plan->streams[s].narrow ? 0 : plan->streams[s].semaphore ? STREAM_BYTES / 6 : STREAM_BYTES;
	if (statvfs(path, &space) != 0)
		return say_error("torture: cannot look at %s: %s", path, strerror(errno)) == 0;
	const uint64_t have = (uint64_t)space.f_bavail * space.f_frsize;
	char texts[2][16];
	/* A size of 0 is a tmpfs without a limit. */
	if (space.f_blocks == 0 || have >= need)
		return true;
	return say_error("torture: %d channels need %s in %s, which has %s left; give fewer --channels, make it larger, or set "
			 "SLIPRING_DIR to another tmpfs",
			 plan->stream_count, human_size(need, texts[0]), path, human_size(have, texts[1])) == 0;
}

static int run(struct storm *storm, const struct asked *asked)
{
	const struct extent extent = {.seconds = asked->minutes * 60, .deaths = asked->deaths};
	FILE *to = asked->json ? stderr : stdout;
	struct telling telling = {.to = to, .terminal = isatty(fileno(to)) != 0};
	(void)snprintf(telling.rerun, sizeof(telling.rerun),
		       "slipring torture --seed %" PRIu64 " --channels %" PRIu64 " --readers %" PRIu64, asked->seed, asked->channels,
		       asked->readers);
	report_begin(storm, &telling);
	storm_run(storm, &extent, report_progress, &telling);
	report_summary(to, storm, &telling);
	if (asked->json)
		report_json(stdout, storm, &telling);
	return storm_failures(storm) == 0 ? EXIT_OK : EXIT_FAILED;
}

int cmd_torture(int argc, char **argv)
{
	struct asked asked = {.channels = 6, .readers = 4};
	int found;
	while ((found = next_option("torture", argc, argv, OPTIONS)) != -1) {
		if (found == 'h') {
			fputs(HELP, stdout);
			return EXIT_OK;
		}
		if (!take(found, &asked))
			return EXIT_USAGE;
	}
	if (optind != argc)
		return say_usage("torture", "'%s' is one argument too many", argv[optind]);
	if (asked.minutes == 0 && asked.deaths == 0)
		asked.minutes = 1;
	if (!asked.seeded)
		asked.seed = (uint64_t)time(NULL);
	struct plan planned;
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct storm *storm = calloc(1, sizeof(*storm));
	if (board == MAP_FAILED || storm == NULL) {
		free(storm);
		return say_error("torture: no memory");
	}
	catch_signals();
	private_namespaces();
	clocks_make(&storm->clocks);
	room_make(&storm->room, ROOM_BYTES);
	plan(&planned, &asked, storm->room.path[0] != '\0');
	storm->plan = &planned;
	storm->board = board;
	int status = has_room(&planned) ? run(storm, &asked) : EXIT_FAILED;
	room_remove(&storm->room);
	free(storm);
	munmap(board, sizeof(*board));
	return status;
}
