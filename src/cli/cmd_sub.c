/* cmd_sub.c - slipring sub: frames out of a channel, verified, measured, written. SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"
#include "metadata.h"
#include "options.h"
#include "output.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NS_PER_S = 1000000000 };

struct sub {
	struct target target;
	bool in_order;
	bool verify;
	bool follow;
	bool json;
	double stats_s;
	const char *output;
	enum format format;
	uint64_t every;
	uint64_t count;
	double timeout_s; /* < 0: none */
	double slow_ms;
	slip_reader_options options;
};

struct tally {
	uint64_t got;
	uint64_t missed;
	uint64_t torn;
	uint64_t unverified;
	uint64_t bytes;
	uint64_t restarts; /* of the writer: other epochs */
	uint64_t epoch;
	uint64_t last_seq;
};

/* All of a run. */
struct receiving {
	struct sub *sub;
	slip_reader *reader;
	struct output output;
	struct tally tally;
	struct tally last_tally;
	struct histogram all;	 /* ages when got, ns */
	struct histogram recent; /* since the last report */
	int64_t start;
	int64_t last_report;
	bool told_dead;
};

static const char HELP[] =
	"Usage: slipring sub BASE[/CHANNEL] [options]\n\n"
	"Receives frames of a channel (image unless named), waiting for its writer if need be; ends when the writer closes it.\n\n"
	"  -N, --next             every frame in order, not just the latest\n"
	"  -v, --verify           check each frame against the checksum that slipring pub puts in; any torn one makes the exit status 1\n"
	"      --stats[=SECONDS]  a line every second (or so many): rate, latency from publish to here, missed\n"
	"      --json             the same and the summary as JSON lines, on stdout (on stderr with -o -)\n"
	"  -o, --output FILE      write frames; - is stdout\n"
	"      --format F         y4m, pnm, npy or raw; otherwise by FILE's ending, or y4m for video, pnm for images, else npy\n"
	"      --every N          write each Nth frame only\n"
	"  -n, --count N          stop after N frames\n"
	"  -t, --timeout SECONDS  fail when nothing comes for so long\n"
	"  -f, --follow           stay when the writer closes the channel, and go on with the next one\n"
	"      --observer         read-only: mark nothing, copy out\n"
	"      --mode M           lock-free or semaphore only (see slipring pub --help); otherwise what is there, lock-free first\n"
	"      --spin US          busy-wait so long before sleeping\n"
	"      --slow MS          hold each frame so long (to see what a slow reader does)\n\n"
	"Examples:\n"
	"  slipring sub camera_01 --verify --stats\n"
	"  slipring sub camera_01 -o - | ffplay -\n"
	"  slipring sub camera_01 --next -n 100 -o clip.y4m\n";

enum { OPT_STATS = 256, OPT_JSON, OPT_FORMAT, OPT_EVERY, OPT_OBSERVER, OPT_MODE, OPT_SPIN, OPT_SLOW };

static const struct option OPTIONS[] = {
	{"help", no_argument, NULL, 'h'},
	{"next", no_argument, NULL, 'N'},
	{"verify", no_argument, NULL, 'v'},
	{"output", required_argument, NULL, 'o'},
	{"count", required_argument, NULL, 'n'},
	{"timeout", required_argument, NULL, 't'},
	{"follow", no_argument, NULL, 'f'},
	{"stats", optional_argument, NULL, OPT_STATS},
	{"json", no_argument, NULL, OPT_JSON},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"every", required_argument, NULL, OPT_EVERY},
	{"observer", no_argument, NULL, OPT_OBSERVER},
	{"mode", required_argument, NULL, OPT_MODE},
	{"spin", required_argument, NULL, OPT_SPIN},
	{"slow", required_argument, NULL, OPT_SLOW},
	{NULL, 0, NULL, 0},
};

static bool take_option(struct sub *s, int found)
{
	uint64_t spin_us;
	switch (found) {
	case 'N': s->in_order = true; return true;
	case 'v': s->verify = true; return true;
	case 'o': s->output = optarg; return true;
	case 'n': return parse_count("sub", "count", optarg, 1, UINT64_MAX, &s->count);
	case 't': return parse_real("sub", "timeout", optarg, 0, 1e6, &s->timeout_s);
	case 'f': s->follow = true; return true;
	case OPT_STATS: s->stats_s = 1; return optarg == NULL || parse_real("sub", "stats", optarg, 0.01, 3600, &s->stats_s);
	case OPT_JSON: s->json = true; return true;
	case OPT_FORMAT: return parse_format(optarg, &s->format);
	case OPT_EVERY: return parse_count("sub", "every", optarg, 1, UINT64_MAX, &s->every);
	case OPT_OBSERVER: s->options.observer = 1; return true;
	case OPT_MODE: return parse_mode("sub", optarg, &s->options.mode);
	case OPT_SPIN:
		if (!parse_count("sub", "spin", optarg, 0, 1000000, &spin_us))
			return false;
		s->options.spin_ns = (int64_t)spin_us * 1000;
		return true;
	case OPT_SLOW: return parse_real("sub", "slow", optarg, 0, 60000, &s->slow_ms);
	default: return false;
	}
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void report(struct receiving *s, bool last)
{
	const struct tally *t = &s->tally;
	const struct histogram *h = last ? &s->all : &s->recent;
	const struct tally before = last ? (struct tally){0} : s->last_tally;
	int64_t at = now();
	double seconds = (double)(at - (last ? s->start : s->last_report)) / NS_PER_S;
	double fps = seconds > 0 ? (double)(t->got - before.got) / seconds : 0;
	uint64_t p50 = histogram_percentile(h, 50);
	uint64_t p99 = histogram_percentile(h, 99);
	const char *channel = s->sub->target.channel;
	char texts[3][16];
	bool piped = s->sub->output != NULL && strcmp(s->sub->output, "-") == 0;
	FILE *to = s->sub->json && !piped ? stdout : stderr;
	if (s->sub->json)
		fprintf(to,
			"{\"event\":\"%s\",\"channel\":\"%s/%s\",\"seconds\":%.3f,\"got\":%" PRIu64 ",\"fps\":%.2f,\"missed\":%" PRIu64
			",\"torn\":%" PRIu64 ",\"unverified\":%" PRIu64 ",\"restarts\":%" PRIu64 ",\"last_seq\":%" PRIu64
			",\"latency_ns\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}}\n",
			last ? "summary" : "stats", s->sub->target.base, channel, seconds, t->got, fps, t->missed, t->torn, t->unverified,
			t->restarts, t->last_seq, p50, p99, h->max);
	else
		fprintf(to, "%s%s/%s%s %s%" PRIu64 " frames  %.1f fps  latency p50 %s p99 %s max %s  missed %" PRIu64 "%s%s%" PRIu64 "%s\n",
			bold(to), s->sub->target.base, channel, plain(to), last ? "in all: " : "", t->got, fps, human_ns(p50, texts[0]),
			human_ns(p99, texts[1]), human_ns(h->max, texts[2]), t->missed, s->sub->verify ? "  torn " : "  unverified ",
			s->sub->verify && t->torn > 0 ? alarm_colour(to) : "", s->sub->verify ? t->torn : t->got, plain(to));
	(void)fflush(to);
	s->last_tally = *t;
	s->last_report = at;
	memset(&s->recent, 0, sizeof(s->recent));
}

static void verify(struct receiving *s, const slip_frame *frame)
{
	uint64_t expected;
	if (!metadata_checksum(frame, &expected)) {
		s->tally.unverified++;
		return;
	}
	if (frame_checksum(frame) == expected)
		return;
	s->tally.torn++;
	say_error("frame %" PRIu64 " is torn: its bytes do not have the checksum %016" PRIx64, frame->seq, expected);
}

/* Everything that is done with a frame. false: enough. */
static bool use(struct receiving *s, const slip_frame *frame)
{
	struct tally *t = &s->tally;
	/* The semaphore wire format has one stamp, which is the publish's unless its writer says otherwise. */
	int64_t stamp = frame->publish_ns != 0 ? frame->publish_ns : frame->capture_ns;
	int64_t age = stamp != 0 ? (int64_t)((uint64_t)now() - (uint64_t)stamp) : 0; /* a stamp may be anything */
	if (stamp != 0) {
		histogram_add(&s->all, age > 0 ? (uint64_t)age : 0);
		histogram_add(&s->recent, age > 0 ? (uint64_t)age : 0);
	}
	if (s->start == 0)
		s->start = s->last_report = now();
	t->restarts += t->epoch != 0 && t->epoch != frame->epoch;
	t->epoch = frame->epoch;
	t->last_seq = frame->seq;
	t->got++;
	t->missed += frame->missed;
	t->bytes += frame->size;
	s->told_dead = false;
	if (s->sub->verify)
		verify(s, frame);
	if (s->sub->slow_ms > 0) {
		int64_t ns = (int64_t)(s->sub->slow_ms * 1e6);
		struct timespec pause = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
		(void)nanosleep(&pause, NULL);
	}
	enum wrote wrote = WROTE;
	if (s->sub->output != NULL && (t->got - 1) % s->sub->every == 0)
		wrote = output_write(&s->output, frame);
	if (wrote == WROTE_FAILED)
		errno = EIO;
	return wrote == WROTE && (s->sub->count == 0 || t->got < s->sub->count);
}

static slip_frame *receive(struct receiving *s, int64_t timeout_ns)
{
	const char *channel = s->sub->target.channel;
	if (s->sub->in_order)
		return slip_next(s->reader, channel, timeout_ns);
	if (slip_wait(s->reader, channel, timeout_ns) != 0)
		return NULL;
	return slip_get_array(s->reader, channel);
}

enum outcome { GO_ON, END, FAIL };

/* What a failure to receive means. quiet_since: when the last frame came. */
static enum outcome judge(struct receiving *s, int64_t quiet_since)
{
	const struct target *target = &s->sub->target;
	switch (errno) {
	case ETIMEDOUT:
	case ENOENT: /* between waiting and getting the channel can go */
	case EAGAIN: /* or its lock be taken, in semaphore mode */
	case EINTR:
		if (s->sub->timeout_s < 0 || now() - quiet_since < (int64_t)(s->sub->timeout_s * NS_PER_S))
			return GO_ON;
		say_error("nothing came on %s/%s for %g s (slipring ls shows what exists)", target->base, target->channel,
			  s->sub->timeout_s);
		return FAIL;
	case EPIPE:
		/* Somewhere to be told of the end; nothing to wait for but a new writer. */
		if (!s->sub->follow)
			return END;
		(void)slip_wait_for_array(s->reader, target->channel, 100000000);
		return GO_ON;
	case EOWNERDEAD:
		if (!s->told_dead)
			say_error("the writer of %s/%s is dead; waiting for a new one", target->base, target->channel);
		s->told_dead = true;
		return GO_ON;
	default: say_library_error("cannot receive"); return FAIL;
	}
}

static int run(struct receiving *s)
{
	int64_t slice = s->sub->stats_s > 0 && s->sub->stats_s < 0.2 ? (int64_t)(s->sub->stats_s * NS_PER_S) : 200000000;
	int64_t quiet_since = now();
	enum outcome outcome = GO_ON;
	s->start = 0;
	while (!stopped() && outcome == GO_ON) {
		slip_frame *frame = receive(s, slice);
		if (frame != NULL) {
			errno = 0;
			if (!use(s, frame))
				outcome = errno == EIO ? FAIL : END;
			(void)slip_release(frame);
			quiet_since = now();
		} else {
			outcome = judge(s, quiet_since);
		}
		if (s->sub->stats_s > 0 && s->start != 0 && now() - s->last_report >= (int64_t)(s->sub->stats_s * NS_PER_S))
			report(s, false);
	}
	if (s->sub->output != NULL && !output_close(&s->output))
		outcome = FAIL;
	if (s->start == 0)
		s->start = now();
	if (s->sub->stats_s > 0 || s->sub->json || s->sub->verify)
		report(s, true);
	return outcome == FAIL || s->tally.torn > 0 ? EXIT_FAILED : EXIT_OK;
}

int cmd_sub(int argc, char **argv)
{
	struct sub sub = {.every = 1, .timeout_s = -1, .options = SLIP_READER_OPTIONS_INIT};
	sub.options.lock_timeout_ns = 100000000;
	int found;
	while ((found = next_option("sub", argc, argv, OPTIONS)) != -1) {
		if (found == 'h') {
			fputs(HELP, stdout);
			return EXIT_OK;
		}
		if (!take_option(&sub, found))
			return EXIT_USAGE;
	}
	if (optind != argc - 1)
		return say_usage("sub",
				 optind < argc ? "one BASE/CHANNEL is expected, '%s' is one more" : "BASE or BASE/CHANNEL is missing",
				 optind < argc ? argv[optind + 1] : "");
	int status = parse_target("sub", argv[optind], "image", &sub.target);
	if (status != EXIT_OK)
		return status;
	catch_signals();
	struct receiving *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return say_error("no memory");
	s->sub = &sub;
	s->reader = slip_reader_open(sub.target.base, &sub.options);
	status = EXIT_FAILED;
	if (s->reader == NULL)
		status = say_library_error("cannot open a reader");
	else if (sub.output == NULL || output_open(&s->output, sub.output, sub.format))
		status = run(s);
	slip_reader_close(s->reader);
	free(s);
	return status;
}
