/*
 * storm_wrap.c - counters just below their wraps, under fire. A ring whose numbers begin a little below 2^48, and its futex word's counter below 2^31: writers
 * are killed at random while readers follow, up to the last number, where a publish is EOVERFLOW and a dead writer's successor begins an epoch. And sleepers
 * that only a wake gets up again, over the futex word's wrap.
 * Usage: multi_storm_wrap [--full]    SLIPRING_SEED=N repeats a run
 * SPDX-License-Identifier: Apache-2.0
 */
#include "generation.h"
#include "liveness.h"
#include "processes.h"
#include "wait.h"

#include <sched.h>
#include <sys/prctl.h>

enum {
	READERS = 3,
	SLOTS = 2 * READERS + 4,
	WORDS = 64,
	KILLS = SANITIZED ? 20 : 60,
	LOOKS = 4000,
	PATIENCE = 60000 /* pauses of a millisecond that one wake-up may take before it is called lost */
};
#define FW_WRAP (UINT32_C(1) << 31)
#define EPOCH UINT64_C(0x5109) /* of the channels that are made here */

static char base[64];

/* What waits for good ends with its parent. */
#define SPAWN_BOUND(pid, body) SPAWN(pid, (prctl(PR_SET_PDEATHSIG, SIGKILL), body))

static slip_writer *open_writer(void)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = SLOTS;
	slip_writer *writer = slip_writer_open(base, &options);
	CHECK(writer != NULL);
	return writer;
}

/* A channel as a dead writer leaves it that has published nothing yet: its next number, and what its futex word counts, are given. */
static void make_channel(const char *channel, uint64_t first_seq, uint32_t fw)
{
	slip_channel_name name;
	struct slip__segment segment;
	char from[SLIP_OBJECT_MAX];
	char to[SLIP_OBJECT_MAX];
	struct slip__plan plan = {.slots = SLOTS,
				  .max_readers = SLIP_MAX_READERS,
				  .leases_per_reader = 2,
				  .max_loans = 4,
				  .capacity = WORDS * 8,
				  .permissions = 0600,
				  .epoch = EPOCH,
				  .generation = 1,
				  .first_seq = first_seq};
	CHECK(slip__name_make(base, channel, &name) == 0);
	CHECK(slip__segment_make(&name, &plan, &segment) == 0);
	a32_store_relaxed(segment.ring.fw, fw << 1);
	slip__object_name(&name, SLIP__OBJECT_NEW, segment.geometry.id, from);
	slip__object_name(&name, SLIP__OBJECT_CONTROL, 0, to);
	CHECK(slip__os_rename(from, to, false) == 0);
	slip__segment_close(&segment);
}

static slip_writer *take_over(const char *channel, size_t words)
{
	slip_writer *writer = open_writer();
	slip_array a = bytes_array(NULL, (int64_t)words * 8);
	while (slip_channel_create(writer, channel, &a) != 0) {
		CHECK(errno == EBUSY); /* the kernel has not let go of the dead one yet */
		pause_ms(1);
	}
	return writer;
}

static uint64_t last_seq(slip_writer *writer, const char *channel, uint64_t *epoch)
{
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	CHECK(slip_writer_get_stats(writer, channel, &stats) == 0);
	if (epoch != NULL)
		*epoch = stats.epoch;
	return stats.last_seq;
}

/* ---- numbers up to 2^48 ---- */

/* Publishes until the last number is given; then dies as it is. */
static int write_to_the_end(slip__a64 *reached)
{
	slip_writer *writer = take_over("seq", WORDS);
	uint64_t epoch;
	(void)last_seq(writer, "seq", &epoch);
	if (epoch != EPOCH) {
		/* The one before gave the last number, and was killed before it had said so. */
		a64_store_relaxed(reached, SLIP__SEQ_MAX);
		return 0;
	}
	for (unsigned i = 0;; i++) {
		if (i % 16 == 0)
			pause_ms(0); /* so that it can be killed on its way, and be read */
		int err = publish_numbered(writer, "seq", WORDS);
		a64_store_relaxed(reached, last_seq(writer, "seq", NULL));
		if (err == EOVERFLOW)
			return 0;
		CHECK(err == 0 || err == EAGAIN);
	}
}

/* The last number was given: what a writer may still do. */
static void at_the_end(void)
{
	uint64_t epoch = 0;
	slip_array small = bytes_array("x", 1);
	slip_array large = bytes_array(NULL, WORDS * 8 * 100);
	slip_writer *writer = open_writer();
	make_channel("end", SLIP__SEQ_MAX, 7);
	CHECK(slip_set_array(writer, "end", &small) == 0);
	CHECK(last_seq(writer, "end", &epoch) == SLIP__SEQ_MAX && epoch == EPOCH);
	slip_frame *loan = slip_loan(writer, "end", &small);
	CHECK(loan != NULL);
	errno = 0;
	CHECK(slip_publish(loan) != 0 && errno == EOVERFLOW);
	CHECK(slip_discard(loan) == 0);
	CHECK(slip_set_array(writer, "end", &small) != 0 && errno == EOVERFLOW);
	/* No ring may begin with a number that there is not: the one that is there stays. */
	CHECK(slip_loan(writer, "end", &large) == NULL && errno == EOVERFLOW);
	slip_reader *reader = slip_reader_open(base, NULL);
	slip_frame *f = slip_get_array(reader, "end");
	CHECK(f != NULL && f->seq == SLIP__SEQ_MAX && f->epoch == epoch && *(const char *)f->data == 'x');
	CHECK(slip_release(f) == 0);
	slip_writer_close(writer);
	CHECK(slip_next(reader, "end", 0) == NULL && errno == EPIPE);
	writer = open_writer();
	CHECK(slip_set_array(writer, "end", &small) == 0);
	f = slip_next(reader, "end", SLIP_FOREVER);
	CHECK(f != NULL && f->seq == 1 && f->epoch != epoch && f->missed == 0);
	CHECK(slip_release(f) == 0);
	slip_writer_close(writer);
	slip_reader_close(reader);
}

/*
 * Until each reader has followed to the new epoch, or has ended: who looks right between the old one's end and the new one's beginning finds a closed channel.
 */
static void wait_for_all(slip_writer *writer, const pid_t *readers)
{
	int there = 0;
	for (int round = 0; there < READERS && round < PATIENCE; round++) {
		there = slip_readers_attached(writer, "seq");
		for (int i = 0; i < READERS; i++) {
			siginfo_t ended = {.si_pid = 0};
			CHECK(waitid(P_PID, (id_t)readers[i], &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
			there += ended.si_pid != 0;
		}
		pause_ms(1);
	}
	CHECK(there == READERS);
}

static void numbers(uint64_t frames, int kills)
{
	struct tally *tally = shared_memory(sizeof(*tally));
	slip__a64 *reached = shared_memory(sizeof(*reached));
	const uint64_t first = SLIP__SEQ_MAX - frames + 1;
	pid_t readers[READERS];
	int killed = 0;
	int restarts = 0;
	make_channel("seq", first, FW_WRAP - (uint32_t)(frames / 2));
	for (int i = 0; i < READERS; i++)
		SPAWN_BOUND(readers[i], read_and_verify(base, "seq", i != 0, tally));
	a64_store_relaxed(reached, first - 1);
	for (;;) {
		pid_t writer;
		/* Each is killed after a part of what is left, so that there are deaths all the way; the last one gets to the end. */
		const uint64_t from = a64_load_relaxed(reached);
		const uint64_t until = killed < kills ? from + (uint64_t)random() % ((SLIP__SEQ_MAX - from) / 8 + 2) : SLIP__SEQ_MAX + 1;
		SPAWN_BOUND(writer, write_to_the_end(reached));
		restarts++;
		int status = 0;
		pid_t ended = 0;
		while (ended == 0 && a64_load_relaxed(reached) < until) {
			ended = waitpid(writer, &status, WNOHANG);
			sched_yield();
		}
		if (ended == 0) {
			CHECK(kill(writer, SIGKILL) == 0);
			ended = waitpid(writer, &status, 0);
		}
		CHECK(ended == writer);
		if (WIFEXITED(status)) {
			CHECK(WEXITSTATUS(status) == 0);
			break;
		}
		CHECK(WTERMSIG(status) == SIGKILL);
		killed++;
	}
	CHECK(a64_load_relaxed(reached) == SLIP__SEQ_MAX);
	/* Nothing can follow in that epoch: whoever comes after begins another one, and the readers go on. */
	uint64_t epoch = 0;
	slip_writer *writer = take_over("seq", WORDS);
	int err;
	while ((err = publish_numbered(writer, "seq", WORDS)) == EAGAIN)
		pause_ms(1);
	CHECK(err == 0 && last_seq(writer, "seq", &epoch) == 1 && epoch != EPOCH);
	wait_for_all(writer, readers);
	slip_writer_close(writer);
	for (int i = 0; i < READERS; i++)
		expect_clean_end(readers[i]);
	CHECK(a64_load_relaxed(&tally->verified) > 0);
	printf("numbers: %llu frames up to 2^48 - 1, %d of %d writers killed\n", (unsigned long long)frames, killed, restarts);
	expect_good(tally, "  readers over both wraps");
}

/* ---- the futex word ---- */

struct pair {
	slip__a64 got;	  /* of the sleeper */
	slip__a64 asleep; /* how often the writer found it (about to be) asleep */
};

/* Gets up for each frame, and by nothing but a wake. */
static int sleep_for_each(struct pair *pair, uint64_t first, uint64_t frames)
{
	slip_channel_name name;
	struct slip__segment s;
	CHECK(slip__name_make(base, "fw", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s) == 0);
	for (uint64_t after = first - 1; after < first + frames - 1; after++) {
		const struct slip__watch watch = {.ring = &s.ring, .state = &s.header->state, .after = after};
		CHECK(slip__wait(&watch, 1, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY);
		struct slip__place place;
		CHECK(slip__slot_latest(&s.ring, &place) == SLIP__FOUND && place.seq == after + 1);
		a64_store_relaxed(&pair->got, place.seq);
	}
	slip__segment_close(&s);
	return 0;
}

/*
 * A frame each time that the sleeper is about to sleep: every second one when it has said so, the others on its way to that. Then it ends, or waits for its
 * death.
 */
static int wake_each(struct pair *pair, uint64_t until, bool ends)
{
	slip_channel_name name;
	struct slip__segment s;
	slip_writer *writer = take_over("fw", WORDS);
	CHECK(slip__name_make(base, "fw", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_CONTROL, &s) == 0);
	for (uint64_t last = last_seq(writer, "fw", NULL); last < until; last++) {
		for (unsigned looks = 1; a64_load_relaxed(&pair->got) != last || (last % 2 == 0 && (a32_load_relaxed(s.ring.fw) & 1) == 0);
		     looks++)
			if (looks % LOOKS == 0)
				sched_yield(); /* between them it is there at once */
		for (unsigned wait = last % 2 == 0 ? 0 : (unsigned)(last * 7919 % 400); wait > 0; wait--)
			cpu_relax();
		add(&pair->asleep, 1);
		CHECK(publish_numbered(writer, "fw", WORDS) == 0);
	}
	while (a64_load_relaxed(&pair->got) != until || !ends)
		sched_yield();
	slip_writer_close(writer);
	slip__segment_close(&s);
	return 0;
}

static uint32_t fw_now(void)
{
	slip_channel_name name;
	struct slip__segment s;
	CHECK(slip__name_make(base, "fw", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_CONTROL, &s) == 0);
	uint32_t fw = a32_load_relaxed(s.ring.fw) >> 1;
	slip__segment_close(&s);
	return fw;
}

/* Bounded by how long nothing happens at all. */
static void expect_woken(const struct pair *pair, uint64_t until)
{
	uint64_t before = 0;
	for (int quiet = 0; a64_load_relaxed(&pair->got) < until && quiet < PATIENCE; quiet++) {
		uint64_t got = a64_load_relaxed(&pair->got);
		if (got != before)
			quiet = 0;
		before = got;
		pause_ms(1);
	}
	CHECK(a64_load_relaxed(&pair->got) >= until); /* a wake was lost */
}

static void wakes(uint64_t frames, int kills)
{
	struct pair *pair = shared_memory(sizeof(*pair));
	const uint64_t first = 1;
	pid_t sleeper;
	pid_t writer;
	make_channel("fw", first, FW_WRAP - (uint32_t)(frames / 2));
	const uint32_t fw_before = fw_now();
	SPAWN_BOUND(sleeper, sleep_for_each(pair, first, frames));
	for (int killed = 0; killed < kills; killed++) {
		/* It may not get further than its share, so that something is left for the others, however late its death comes. */
		const uint64_t most = frames / (uint64_t)(kills + 1) * (uint64_t)(killed + 1);
		const uint64_t from = a64_load_relaxed(&pair->got);
		SPAWN_BOUND(writer, wake_each(pair, most, false));
		expect_woken(pair, from + (uint64_t)random() % (most - from + 1));
		kill_and_reap(writer);
	}
	const uint32_t fw_killed = fw_now();
	SPAWN_BOUND(writer, wake_each(pair, frames, true));
	expect_woken(pair, frames);
	expect_clean_end(sleeper);
	expect_clean_end(writer);
	CHECK(fw_before > FW_WRAP / 2 && fw_killed < FW_WRAP); /* 31 bits count */
	printf("wake-ups: %llu sleepers woken over the futex word's wrap (%u to %u and on), %d writers killed, 0 lost\n",
	       (unsigned long long)a64_load_relaxed(&pair->asleep), fw_before, fw_killed, kills);
}

int main(int argc, char **argv)
{
	const bool full = argc > 1 && strcmp(argv[1], "--full") == 0;
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* children have nothing of it to write once more */
	const char *asked = getenv("SLIPRING_SEED");
	unsigned seed = asked != NULL ? (unsigned)strtoul(asked, NULL, 10) : (unsigned)getpid();
	const int more = full ? 10 : 1;
	printf("seed %u\n", seed);
	srandom(seed);
	(void)snprintf(base, sizeof(base), "%s", own_base("wrap"));
	at_the_end();
	numbers((uint64_t)more * (SANITIZED ? 40000 : 200000), KILLS * more);
	wakes((uint64_t)more * (SANITIZED ? 4000 : 20000), KILLS / 3 * more);
	CHECK(objects_with(base) == 0);
	printf("wraps: numbers to 2^48 and the futex word over 2^31, 0 torn, 0 repeated or lost, 0 wake-ups lost (seed %u)\n", seed);
	return 0;
}
