/* cmd_pub.c - slipring pub: input straight into loans, paced, with a checksum each. SPDX-License-Identifier: Apache-2.0 */
#include "input.h"
#include "options.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NS_PER_S = 1000000000, PATTERN_FPS = 30 };

struct pub {
	struct target target;
	const char *input;
	enum pattern pattern;
	int64_t width;
	int64_t height;
	slip_array raw;
	bool is_raw;
	const char *encoding;
	bool split;
	bool loop;
	double fps; /* < 0: by itself */
	uint64_t count;
	uint64_t wait_readers;
	double stats_s; /* 0: none */
	bool json;
	slip_writer_options options;
};

struct tally {
	uint64_t published;
	uint64_t dropped; /* no slot was free */
	uint64_t bytes;
	uint64_t late;	    /* a frame's time had passed before it was there */
	int64_t longest_ns; /* in slip_loan and slip_publish */
};

static const char HELP[] =
	"Usage: slipring pub BASE[/CHANNEL] [options]\n\n"
	"Publishes frames on a channel (image unless named). Every frame carries an XXH3 checksum of its bytes in its metadata.\n\n"
	"Where from:\n"
	"  -i, --input FILE      YUV4MPEG2, PNM (P5, P6; 8 and 16 bit), .npy; - is stdin, the default. Told from the first bytes.\n"
	"      --shape 480,640,3 --dtype uint8\n"
	"                        the input is raw bytes of this shape\n"
	"      --encoding NAME   of raw or .npy input (rgb8, bgr8, 32FC1, ...)\n"
	"      --split           publish each item along a .npy's first dimension as a frame\n"
	"      --pattern P       make frames: bars, noise or counter\n"
	"      --size WxH        of the pattern (640x480)\n"
	"How:\n"
	"      --fps N           frames a second; 0 is as fast as can be. Otherwise a file plays at its own rate, a pipe as it comes,\n"
	"                        a pattern at 30.\n"
	"      --loop            start over at the end of a file\n"
	"  -n, --count N         stop after N frames\n"
	"      --wait-readers N  begin when N readers are attached\n"
	"      --slots N --history N --max-readers N --leases N\n"
	"      --permissions 0640 --observers 0040 --prefault\n"
	"                        of the ring: see slip_writer_options\n"
	"      --mode M          lock-free, or semaphore: the wire format of PosixIPC Image Transport, for programs that speak it. It "
	"carries\n"
	"                        no checksum, encoding or video header, and none of the ring's options\n"
	"What is told:\n"
	"      --stats[=SECONDS] a line every second (or so many) on stderr\n"
	"      --json            the same and the summary as JSON lines, on stdout\n\n"
	"While all slots are held, frames are dropped and counted; the source is never held up.\n\n"
	"Examples:\n"
	"  slipring pub camera_01 --pattern bars --size 1920x1080 --fps 60\n"
	"  ffmpeg -re -i clip.mp4 -f yuv4mpegpipe -strict -1 - | slipring pub camera_01\n"
	"  slipring pub camera_01/depth -i depth.npy --split --fps 30 --loop\n";

enum {
	OPT_SHAPE = 256,
	OPT_DTYPE,
	OPT_ENCODING,
	OPT_SPLIT,
	OPT_PATTERN,
	OPT_SIZE,
	OPT_FPS,
	OPT_LOOP,
	OPT_WAIT,
	OPT_SLOTS,
	OPT_HISTORY,
	OPT_READERS,
	OPT_LEASES,
	OPT_PERMISSIONS,
	OPT_OBSERVERS,
	OPT_PREFAULT,
	OPT_MODE,
	OPT_STATS,
	OPT_JSON
};

static const struct option OPTIONS[] = {
	{"help", no_argument, NULL, 'h'},
	{"input", required_argument, NULL, 'i'},
	{"count", required_argument, NULL, 'n'},
	{"shape", required_argument, NULL, OPT_SHAPE},
	{"dtype", required_argument, NULL, OPT_DTYPE},
	{"encoding", required_argument, NULL, OPT_ENCODING},
	{"split", no_argument, NULL, OPT_SPLIT},
	{"pattern", required_argument, NULL, OPT_PATTERN},
	{"size", required_argument, NULL, OPT_SIZE},
	{"fps", required_argument, NULL, OPT_FPS},
	{"loop", no_argument, NULL, OPT_LOOP},
	{"wait-readers", required_argument, NULL, OPT_WAIT},
	{"slots", required_argument, NULL, OPT_SLOTS},
	{"history", required_argument, NULL, OPT_HISTORY},
	{"max-readers", required_argument, NULL, OPT_READERS},
	{"leases", required_argument, NULL, OPT_LEASES},
	{"permissions", required_argument, NULL, OPT_PERMISSIONS},
	{"observers", required_argument, NULL, OPT_OBSERVERS},
	{"prefault", no_argument, NULL, OPT_PREFAULT},
	{"mode", required_argument, NULL, OPT_MODE},
	{"stats", optional_argument, NULL, OPT_STATS},
	{"json", no_argument, NULL, OPT_JSON},
	{NULL, 0, NULL, 0},
};

static bool parse_u32(const char *option, const char *text, uint64_t most, uint32_t *value)
{
	uint64_t number;
	if (!parse_count("pub", option, text, 1, most, &number))
		return false;
	*value = (uint32_t)number;
	return true;
}

static bool parse_pattern(const char *text, enum pattern *pattern)
{
	static const char *const NAMES[] = {"bars", "noise", "counter"};
	for (int i = 0; i < 3; i++)
		if (strcmp(text, NAMES[i]) == 0) {
			*pattern = (enum pattern)(i + 1);
			return true;
		}
	say_usage("pub", "--pattern is '%s'; expected bars, noise or counter", text);
	return false;
}

static bool take_option(struct pub *p, int found)
{
	switch (found) {
	case 'i': p->input = optarg; return true;
	case 'n': return parse_count("pub", "count", optarg, 1, UINT64_MAX, &p->count);
	case OPT_SHAPE: p->is_raw = true; return parse_shape("pub", optarg, &p->raw);
	case OPT_DTYPE:
		if (slip_dtype_parse(optarg, &p->raw.dtype) == 0)
			return true;
		say_usage("pub", "--dtype: %s", slip_error_detail());
		return false;
	case OPT_ENCODING: p->encoding = optarg; return true;
	case OPT_SPLIT: p->split = true; return true;
	case OPT_PATTERN: return parse_pattern(optarg, &p->pattern);
	case OPT_SIZE: return parse_size("pub", optarg, &p->width, &p->height);
	case OPT_FPS: return parse_real("pub", "fps", optarg, 0, 1e6, &p->fps);
	case OPT_LOOP: p->loop = true; return true;
	case OPT_WAIT: return parse_count("pub", "wait-readers", optarg, 1, SLIP_MAX_READERS, &p->wait_readers);
	case OPT_SLOTS: return parse_u32("slots", optarg, SLIP_MAX_SLOTS, &p->options.slots);
	case OPT_HISTORY: return parse_u32("history", optarg, SLIP_MAX_SLOTS - 1, &p->options.history);
	case OPT_READERS: return parse_u32("max-readers", optarg, SLIP_MAX_READERS, &p->options.max_readers);
	case OPT_LEASES: return parse_u32("leases", optarg, SLIP_MAX_LEASES, &p->options.leases_per_reader);
	case OPT_PERMISSIONS: return parse_permissions("pub", "permissions", optarg, &p->options.permissions);
	case OPT_OBSERVERS: return parse_permissions("pub", "observers", optarg, &p->options.observers);
	case OPT_PREFAULT: p->options.prefault = 1; return true;
	case OPT_MODE: return parse_mode("pub", optarg, &p->options.mode);
	case OPT_STATS: p->stats_s = 1; return optarg == NULL || parse_real("pub", "stats", optarg, 0.01, 3600, &p->stats_s);
	case OPT_JSON: p->json = true; return true;
	default: return false;
	}
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void sleep_until(int64_t when)
{
	struct timespec t = {.tv_sec = (time_t)(when / NS_PER_S), .tv_nsec = (long)(when % NS_PER_S)};
	while (!stopped() && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static double rate_of(const struct pub *p, const struct input *input)
{
	if (p->fps >= 0)
		return p->fps;
	if (p->pattern != PATTERN_NONE)
		return PATTERN_FPS;
	return input->regular && input->video.rate != 0 ? (double)input->video.rate / input->video.scale : 0;
}

static void report(const struct pub *p, const struct tally *t, const struct tally *before, double seconds, bool last)
{
	double fps = seconds > 0 ? (double)(t->published - before->published) / seconds : 0;
	double mbps = seconds > 0 ? (double)(t->bytes - before->bytes) / seconds / 1e6 : 0;
	char longest[16];
	if (p->json) {
		printf("{\"event\":\"%s\",\"channel\":\"%s/%s\",\"seconds\":%.3f,\"published\":%" PRIu64 ",\"fps\":%.2f,\"mb_per_s\":%.1f,"
		       "\"dropped\":%" PRIu64 ",\"late\":%" PRIu64 ",\"longest_call_ns\":%lld}\n",
		       last ? "summary" : "stats", p->target.base, p->target.channel, seconds, t->published, fps, mbps, t->dropped, t->late,
		       (long long)t->longest_ns);
		(void)fflush(stdout);
		return;
	}
	fprintf(stderr, "%s%s/%s%s %s%" PRIu64 " frames  %.1f fps  %.0f MB/s  dropped %" PRIu64 "  late %" PRIu64 "  longest call %s\n",
		bold(stderr), p->target.base, p->target.channel, plain(stderr), last ? "in all: " : "", t->published, fps, mbps, t->dropped,
		t->late, human_ns((uint64_t)t->longest_ns, longest));
}

static bool describes_frames(const struct pub *p)
{
	return p->options.mode != SLIP_MODE_SEMAPHORE; /* which has no room for it */
}

/* Reads a frame that there is no slot for, so that the next one can be read. */
static bool skip_frame(struct input *input, unsigned char **scratch, size_t *room)
{
	if (*room < input->bytes) {
		free(*scratch);
		*scratch = malloc(input->bytes);
		*room = *scratch != NULL ? input->bytes : 0;
		if (*scratch == NULL)
			return say_error("no memory to skip a frame of %zu bytes", input->bytes) == 0;
	}
	return input->format->read(input, *scratch);
}

struct clockwork {
	double rate; /* frames a second; 0: not paced */
	int64_t start;
	uint64_t ticks;
};

static void pace(struct clockwork *c, struct tally *t)
{
	if (c->rate <= 0)
		return;
	if (c->ticks == 0)
		c->start = now();
	int64_t due = c->start + (int64_t)((double)c->ticks++ / c->rate * NS_PER_S);
	if (now() > due + (int64_t)(NS_PER_S / c->rate))
		t->late++;
	sleep_until(due);
}

/* One frame from input to channel. MORE_FRAME: go on. */
static enum more one_frame(struct pub *p, slip_writer *writer, struct input *input, struct clockwork *clockwork, struct tally *t)
{
	static unsigned char *scratch;
	static size_t room;
	int64_t before = now();
	slip_frame *loan = slip_loan(writer, p->target.channel, &input->array);
	int64_t spent = now() - before;
	if (loan == NULL && errno != EAGAIN) {
		say_library_error("cannot publish");
		return MORE_FAILED;
	}
	bool read = loan != NULL ? input->format->read(input, loan->data) : skip_frame(input, &scratch, &room);
	if (!read) {
		if (loan != NULL)
			(void)slip_discard(loan);
		return stopped() ? MORE_END : MORE_FAILED;
	}
	input->frame++;
	if (loan != NULL && describes_frames(p) && !metadata_write(loan, &input->video)) {
		say_library_error("cannot describe a frame");
		return MORE_FAILED;
	}
	pace(clockwork, t);
	if (loan == NULL) {
		t->dropped++;
		return MORE_FRAME;
	}
	before = now();
	size_t bytes = loan->size;
	if (slip_publish(loan) != 0) {
		if (errno == EAGAIN && slip_discard(loan) == 0) {
			t->dropped++;
			return MORE_FRAME;
		}
		say_library_error("cannot publish");
		return MORE_FAILED;
	}
	spent += now() - before;
	/* The first makes the channel, which is no publish's cost. */
	if (spent > t->longest_ns && t->published > 0)
		t->longest_ns = spent;
	t->published++;
	t->bytes += bytes;
	return MORE_FRAME;
}

/* Input to the end, or until something stops it. */
static int run(struct pub *p, slip_writer *writer, struct input *input)
{
	struct tally tally = {0};
	struct tally last_tally = {0};
	struct clockwork clockwork = {0};
	int64_t start = 0;
	int64_t last_report = 0;
	enum more more = MORE_FRAME;
	while (!stopped() && more == MORE_FRAME && (p->count == 0 || tally.published + tally.dropped < p->count)) {
		more = input->format->next(input);
		if (more == MORE_END && p->loop && input->frame > 0 && input_rewind(input)) {
			more = MORE_FRAME;
			continue;
		}
		if (more != MORE_FRAME)
			break;
		if (!describes_frames(p))
			input->array.encoding = NULL;
		if (start == 0) {
			if (slip_channel_create(writer, p->target.channel, &input->array) != 0)
				return say_library_error("cannot open the channel");
			while (!stopped() && p->wait_readers > 0 && slip_readers_attached(writer, p->target.channel) < (int)p->wait_readers)
				sleep_until(now() + 2000000);
			clockwork.rate = rate_of(p, input);
			start = last_report = now();
		}
		more = one_frame(p, writer, input, &clockwork, &tally);
		int64_t passed = now() - last_report;
		if (p->stats_s > 0 && passed >= (int64_t)(p->stats_s * NS_PER_S)) {
			report(p, &tally, &last_tally, (double)passed / NS_PER_S, false);
			last_tally = tally;
			last_report += passed;
		}
	}
	if (p->stats_s > 0 || p->json)
		report(p, &tally, &(struct tally){0}, start != 0 ? (double)(now() - start) / NS_PER_S : 0, true);
	return more == MORE_FAILED && !stopped() ? EXIT_FAILED : EXIT_OK;
}

static bool open_input(struct pub *p, struct input *input)
{
	if (p->pattern == PATTERN_NONE)
		return input_open(input, p->input, p->is_raw ? &p->raw : NULL, p->encoding, p->split);
	input_open_pattern(input, p->pattern, p->width, p->height);
	return true;
}

int cmd_pub(int argc, char **argv)
{
	struct pub p = {.input = "-", .width = 640, .height = 480, .fps = -1, .raw = SLIP_ARRAY_INIT, .options = SLIP_WRITER_OPTIONS_INIT};
	int found;
	while ((found = next_option("pub", argc, argv, OPTIONS)) != -1) {
		if (found == 'h') {
			fputs(HELP, stdout);
			return EXIT_OK;
		}
		if (!take_option(&p, found))
			return EXIT_USAGE;
	}
	if (optind != argc - 1)
		return say_usage("pub",
				 optind < argc ? "one BASE/CHANNEL is expected, '%s' is one more" : "BASE or BASE/CHANNEL is missing",
				 optind < argc ? argv[optind + 1] : "");
	int status = parse_target("pub", argv[optind], "image", &p.target);
	if (status != EXIT_OK)
		return status;
	if (p.options.mode == SLIP_MODE_SEMAPHORE && (p.wait_readers > 0 || p.encoding != NULL))
		return say_usage("pub", "--%s needs --mode lock-free: the semaphore wire format %s",
				 p.wait_readers > 0 ? "wait-readers" : "encoding",
				 p.wait_readers > 0 ? "does not say who reads" : "has no encodings");
	if (p.is_raw != (p.raw.dtype.bits != 0))
		return say_usage("pub", "--shape and --dtype go together");
	catch_signals();
	struct input input;
	if (!open_input(&p, &input))
		return stopped() ? EXIT_OK : EXIT_FAILED;
	slip_writer *writer = slip_writer_open(p.target.base, &p.options);
	status = writer != NULL ? run(&p, writer, &input) : say_library_error("cannot open a writer");
	slip_writer_close(writer);
	input_close(&input);
	return status;
}
