/*
 * storm_clock.c - clocks that step while frames pass. This program has clocks of its own between slipring and the kernel: CLOCK_REALTIME jumps by hours both
 * ways, CLOCK_MONOTONIC forward (as after a virtual machine's pause), and processes run with a CLOCK_MONOTONIC that differs by days (as in containers with
 * time namespaces). Nothing of the machine is touched. Frames, numbers and waits must not depend on any of it; stamps follow within a second.
 * Usage: multi_storm_clock [--full]    SLIPRING_SEED=N repeats a run
 * SPDX-License-Identifier: Apache-2.0
 */
#include "processes.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { WORDS = 32, READERS = 4, STEPS = SANITIZED ? 100 : 600, FRAMES_BETWEEN = 40, NS_PER_S = 1000000000, NS_PER_MS = 1000000 };
#define HOUR (INT64_C(3600) * NS_PER_S)

/* ---- the clocks ---- */

struct clocks {
	slip__a64 realtime;  /* ns by which all are off, as int64_t */
	slip__a64 monotonic; /* only ever grows */
};
static struct clocks *clocks; /* shared by all processes; NULL: not yet */
static int64_t own_monotonic; /* of this process alone */

static int64_t offset_of(clockid_t clock)
{
	if (clocks == NULL)
		return 0;
	if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE)
		return (int64_t)a64_load_relaxed(&clocks->monotonic) + own_monotonic;
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? (int64_t)a64_load_relaxed(&clocks->realtime) : 0;
}

static void shift(struct timespec *t, int64_t ns)
{
	int64_t sum = (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec + ns;
	if (sum < 0)
		sum = 0;
	t->tv_sec = (time_t)(sum / NS_PER_S);
	t->tv_nsec = (long)(sum % NS_PER_S);
}

/* What these names mean without us. */
static long (*kernel_call)(long, ...);
static int (*kernel_clock)(clockid_t, struct timespec *);

static void *beyond(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);
	CHECK(function != NULL);
	return function;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	if (kernel_clock == NULL)
		*(void **)&kernel_clock = beyond("clock_gettime");
	int done = kernel_clock(clock, t);
	if (done == 0)
		shift(t, offset_of(clock));
	return done;
}

/* The kernel translates a time limit of a process with other clocks; here it is done on the way to it. */
long syscall(long number, ...)
{
	long a[6];
	struct timespec limit;
	va_list arguments;
	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	if (kernel_call == NULL)
		*(void **)&kernel_call = beyond("syscall");
	bool limited = (number == SYS_futex && a[1] == FUTEX_WAIT_BITSET) || number == SYS_futex_waitv;
	if (limited && a[3] != 0) {
		memcpy(&limit, (const void *)a[3], sizeof(limit));
		shift(&limit, -offset_of(CLOCK_MONOTONIC));
		a[3] = (long)&limit;
	}
	return kernel_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* The same of a semaphore, which the C library waits for: looked at a millisecond apart. */
int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *limit)
{
	for (;;) {
		if (sem_trywait(semaphore) == 0)
			return 0;
		struct timespec now;
		clock_gettime(clock, &now);
		int64_t left = ((int64_t)limit->tv_sec - now.tv_sec) * NS_PER_S + limit->tv_nsec - now.tv_nsec;
		if (left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		struct timespec pause = {.tv_nsec = left < NS_PER_MS ? (long)left : NS_PER_MS};
		if (nanosleep(&pause, NULL) != 0)
			return -1;
	}
}

static int64_t now_of(clockid_t clock)
{
	struct timespec t;
	CHECK(clock_gettime(clock, &t) == 0);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void step_realtime(int64_t ns)
{
	atomic_fetch_add_explicit(&clocks->realtime, (uint64_t)ns, memory_order_relaxed);
}

static void step_monotonic(int64_t ns)
{
	CHECK(ns >= 0);
	atomic_fetch_add_explicit(&clocks->monotonic, (uint64_t)ns, memory_order_relaxed);
}

/* ---- what users see of it ---- */

static char base[64];

static const slip_reader_info *reader_of(const slip_channel_info *info)
{
	CHECK(info != NULL && info->reader_count == 1);
	return &info->readers[0];
}

static uint64_t aged(const slip_reader_info *reader)
{
	uint64_t sum = 0;
	for (int b = 0; b < SLIP_AGE_BUCKETS; b++)
		sum += reader->ages[b];
	return sum;
}

static void put_and_get(slip_writer *writer, slip_reader *reader, int64_t *capture_ns, int64_t *realtime_ns)
{
	CHECK(publish_numbered(writer, "a", WORDS) == 0);
	slip_frame *f = slip_next(reader, "a", SLIP_FOREVER);
	CHECK(f != NULL && f->missed == 0 && whole_words(f->data, WORDS) == f->seq);
	if (capture_ns != NULL) {
		*capture_ns = f->capture_ns;
		*realtime_ns = f->capture_realtime_ns;
	}
	CHECK(slip_release(f) == 0);
}

/* CLOCK_REALTIME is read for stamps alone, once a second; a step is in them a second of CLOCK_MONOTONIC later. */
static void stamps_follow_the_clock(slip_writer *writer, slip_reader *reader)
{
	const int64_t steps[] = {5 * HOUR, -11 * HOUR, 30 * 24 * HOUR, -24 * HOUR, -1, 1};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int64_t capture;
		int64_t realtime;
		step_realtime(steps[i]);
		put_and_get(writer, reader, &capture, &realtime);
		step_monotonic(NS_PER_S + 1);
		put_and_get(writer, reader, &capture, &realtime);
		int64_t wrong = (realtime - capture) - (now_of(CLOCK_REALTIME) - now_of(CLOCK_MONOTONIC));
		CHECK(wrong < NS_PER_S && wrong > -NS_PER_S);
	}
}

/* Ages by a clock that is not the writer's count in the first or the last bucket, each in some one, and go on being counted when the writer's goes back. */
static void ages_stay_in_their_buckets(slip_writer *writer, slip_reader *reader)
{
	const int64_t offsets[] = {0, 10 * HOUR, -10 * HOUR, 0, INT64_C(40000) * HOUR, -INT64_C(40000) * HOUR, 0};
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		step_monotonic(2 * NS_PER_MS); /* of those within a millisecond one is counted */
		slip_channel_info *before = slip_channel_inspect(base, "a", SLIP_MODE_LOCK_FREE);
		CHECK(publish_numbered(writer, "a", WORDS) == 0); /* by the writer's clock */
		own_monotonic = offsets[i];			  /* by the reader's */
		slip_frame *f = slip_next(reader, "a", SLIP_FOREVER);
		own_monotonic = 0;
		CHECK(f != NULL && slip_release(f) == 0);
		slip_channel_info *after = slip_channel_inspect(base, "a", SLIP_MODE_LOCK_FREE);
		const slip_reader_info *b = reader_of(before);
		const slip_reader_info *a = reader_of(after);
		CHECK(aged(a) == aged(b) + 1);
		if (offsets[i] > HOUR)
			CHECK(a->ages[SLIP_AGE_BUCKETS - 1] == b->ages[SLIP_AGE_BUCKETS - 1] + 1);
		if (offsets[i] < -HOUR)
			CHECK(a->ages[0] == b->ages[0] + 1);
		slip_channel_info_free(before);
		slip_channel_info_free(after);
	}
	/* A writer that starts again in a container with a younger clock. */
	slip_channel_info *before = slip_channel_inspect(base, "a", SLIP_MODE_LOCK_FREE);
	own_monotonic = -9 * HOUR;
	CHECK(publish_numbered(writer, "a", WORDS) == 0);
	own_monotonic = 0;
	slip_frame *f = slip_next(reader, "a", SLIP_FOREVER);
	CHECK(f != NULL && slip_release(f) == 0);
	slip_channel_info *after = slip_channel_inspect(base, "a", SLIP_MODE_LOCK_FREE);
	CHECK(aged(reader_of(after)) == aged(reader_of(before)) + 1);
	slip_channel_info_free(before);
	slip_channel_info_free(after);
}

/* A wait is over when its time has passed by the clock as it is then: a step forward ends it, one of CLOCK_REALTIME does not touch it. */
static void waits_end(slip_reader *reader)
{
	errno = 0;
	CHECK(slip_next(reader, "a", NS_PER_MS) == NULL && errno == ETIMEDOUT);
	step_realtime(-100 * HOUR);
	CHECK(slip_next(reader, "a", NS_PER_MS) == NULL && errno == ETIMEDOUT);
	step_realtime(100 * HOUR);
	CHECK(slip_wait(reader, "a", NS_PER_MS) == -1 && errno == ETIMEDOUT);
}

static void one_by_one(void)
{
	slip_writer *writer = slip_writer_open(base, NULL);
	slip_reader *reader = slip_reader_open(base, NULL);
	CHECK(writer != NULL && reader != NULL);
	put_and_get(writer, reader, NULL, NULL);
	stamps_follow_the_clock(writer, reader);
	ages_stay_in_their_buckets(writer, reader);
	waits_end(reader);
	slip_reader_close(reader);
	slip_writer_close(writer);
}

/* ---- all at once ---- */

static int read_by_another_clock(int number, struct tally *tally)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	own_monotonic = number % 2 == 0 ? 0 : (number - 2) * 60 * HOUR;
	return read_and_verify(base, "b", number < READERS - 1, tally);
}

static int read_semaphore(const slip__a32 *stop, struct tally *tally)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	options.lock_timeout_ns = NS_PER_MS;
	slip_reader *reader = slip_reader_open(base, &options);
	uint64_t last = 0;
	while (a32_load_relaxed(stop) == 0) {
		slip_frame *f = slip_wait(reader, "c", 10 * NS_PER_MS) == 0 ? slip_get_array(reader, "c") : NULL;
		if (f == NULL) {
			CHECK(errno == ETIMEDOUT || errno == EAGAIN || errno == ENOENT || errno == EPIPE);
			continue;
		}
		uint64_t number = whole_words(f->data, WORDS);
		add(number == 0 ? &tally->torn : &tally->verified, 1);
		if (number < last)
			add(&tally->dishonest, 1);
		last = number;
		CHECK(slip_release(f) == 0);
	}
	slip_reader_close(reader);
	return 0;
}

/* CLOCK_REALTIME goes both ways between any two frames, so that a semaphore channel's timestamps do. */
static void put_semaphore(slip_writer *writer, uint64_t number)
{
	uint64_t words[WORDS];
	slip_array a = SLIP_ARRAY_INIT;
	a.data = words;
	a.dtype = SLIP_F64;
	a.ndim = 1;
	a.shape[0] = WORDS;
	fill_words(words, WORDS, number);
	CHECK(slip_set_array(writer, "c", &a) == 0);
}

static void all_at_once(int steps)
{
	struct tally *tally = shared_memory(2 * sizeof(*tally));
	slip__a32 *stop = shared_memory(sizeof(*stop));
	pid_t readers[READERS];
	pid_t semaphore_reader;
	slip_writer *writer = slip_writer_open(base, NULL);
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	slip_writer *semaphore_writer = slip_writer_open(base, &options);
	CHECK(publish_numbered(writer, "b", WORDS) == 0);
	for (int i = 0; i < READERS; i++)
		SPAWN(readers[i], read_by_another_clock(i, &tally[0]));
	SPAWN(semaphore_reader, read_semaphore(stop, &tally[1]));
	wait_for_readers(writer, "b", READERS);
	uint64_t number = 1;
	for (int i = 0; i < steps; i++) {
		step_realtime((random() % 97 - 48) * HOUR / 7);
		if (i % 2 == 0)
			step_monotonic(random() % 3 == 0 ? HOUR : random() % (3 * (int64_t)NS_PER_S));
		for (int f = 0; f < FRAMES_BETWEEN; f++) {
			int err = publish_numbered(writer, "b", WORDS);
			CHECK(err == 0 || err == EAGAIN);
			put_semaphore(semaphore_writer, number++);
		}
		/* Asleep when the clock steps: each second step finds them so. */
		pause_ms(i % 2);
	}
	slip_writer_close(writer);
	for (int i = 0; i < READERS; i++)
		expect_clean_end(readers[i]);
	a32_store_relaxed(stop, 1);
	expect_clean_end(semaphore_reader);
	slip_writer_close(semaphore_writer);
	expect_good(&tally[0], "readers with clocks days apart");
	expect_good(&tally[1], "a reader in semaphore mode");
	CHECK(a64_load_relaxed(&tally[0].verified) > 0 && a64_load_relaxed(&tally[1].verified) > 0);
}

int main(int argc, char **argv)
{
	const bool full = argc > 1 && strcmp(argv[1], "--full") == 0;
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* children have nothing of it to write once more */
	const char *asked = getenv("SLIPRING_SEED");
	unsigned seed = asked != NULL ? (unsigned)strtoul(asked, NULL, 10) : (unsigned)getpid();
	const int steps = full ? STEPS * 20 : STEPS;
	srandom(seed);
	(void)snprintf(base, sizeof(base), "%s", own_base("clock"));
	clocks = shared_memory(sizeof(*clocks));
	a64_store_relaxed(&clocks->monotonic, (uint64_t)(50000 * HOUR)); /* so that others' may be younger */
	one_by_one();
	all_at_once(steps);
	CHECK(objects_with(base) == 0);
	printf("clocks: %d steps by hours and days, 0 torn, 0 counted wrong, stamps right within a second, ages in their buckets (seed "
	       "%u)\n",
	       steps, seed);
	return 0;
}
