/* processes.h - children that the tests start, stop and kill. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_TESTS_PROCESSES_H
#define SLIP_TESTS_PROCESSES_H

#include "segment.h"
#include "support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { SKIPPED = 77 };

/* What children report, in memory that they share with the test. */
struct tally {
	slip__a64 verified;
	slip__a64 torn;
	slip__a64 dishonest; /* a wrong count of missed frames, a repeated or a lost seq */
	slip__a64 failed;    /* an error that must not be */
};

static inline void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

static inline void add(slip__a64 *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* A child that runs body and ends with its result; it dies with its parent's test timeout at the latest. */
#define SPAWN(pid, body)                                                                                                                   \
	do {                                                                                                                               \
		(pid) = fork();                                                                                                            \
		if ((pid) == 0)                                                                                                            \
			_exit(body);                                                                                                       \
		CHECK((pid) > 0);                                                                                                          \
	} while (0)

static inline void expect_clean_end(pid_t pid)
{
	int status;
	CHECK(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status))
		fprintf(stderr, "a child died of signal %d\n", WTERMSIG(status));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static inline void kill_and_reap(pid_t pid)
{
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

/* A reader's whole life: verifies frames of words whose number is their seq, until the channel closes. */
static inline int read_and_verify(const char *base, const char *channel, bool in_order, struct tally *tally)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.outwait_dead_writer = 1;
	slip_reader *reader = slip_reader_open(base, &options);
	uint64_t last = 0;
	uint64_t epoch = 0;
	for (;;) {
		slip_frame *f = NULL;
		if (in_order)
			f = slip_next(reader, channel, 100000000);
		else if (slip_wait(reader, channel, 100000000) == 0)
			f = slip_get_array(reader, channel);
		if (f == NULL) {
			if (errno == EPIPE)
				break;
			if (errno == ETIMEDOUT || errno == ENOENT || errno == EINTR || errno == EUSERS)
				continue;
			fprintf(stderr, "reader: errno %d: %s\n", errno, slip_error_detail());
			add(&tally->failed, 1);
			break;
		}
		uint64_t number = whole_words(f->data, f->size / 8);
		if (number != f->seq)
			add(&tally->torn, 1);
		bool first = last == 0 || epoch != f->epoch;
		if (!first && (f->seq <= last || f->missed != f->seq - last - 1))
			add(&tally->dishonest, 1);
		last = f->seq;
		epoch = f->epoch;
		add(&tally->verified, 1);
		(void)slip_release(f);
	}
	slip_reader_close(reader);
	return 0;
}

/* Publishes the frame that comes next, filled with its number. 0, or the errno. */
static inline int publish_numbered(slip_writer *writer, const char *channel, size_t words)
{
	slip_array a = SLIP_ARRAY_INIT;
	a.dtype = SLIP_U64;
	a.ndim = 1;
	a.shape[0] = (int64_t)words;
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	slip_frame *loan = slip_loan(writer, channel, &a);
	if (loan == NULL)
		return errno;
	CHECK(slip_writer_get_stats(writer, channel, &stats) == 0);
	fill_words(loan->data, words, stats.last_seq + 1);
	return slip_publish(loan) == 0 ? 0 : errno;
}

static inline void wait_for_readers(slip_writer *writer, const char *channel, int count)
{
	for (int i = 0; i < 20000 && slip_readers_attached(writer, channel) != count; i++)
		pause_ms(1);
	CHECK(slip_readers_attached(writer, channel) == count);
}

/* The oracle: at rest, the words are what the protocol leaves, and nobody holds anything. */
static inline void expect_nothing_held(const char *base, const char *channel)
{
	slip_channel_name name;
	struct slip__segment segment;
	CHECK(slip__name_make(base, channel, &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_CONTROL, &segment) == 0);
	CHECK(slip__segment_check(&segment) == 0);
	for (uint32_t s = 0; s < segment.geometry.slots; s++)
		CHECK(a64_load_relaxed(slip__pins(&segment.ring, s)) == 0);
	slip__segment_close(&segment);
}

static inline void expect_good(const struct tally *t, const char *what)
{
	printf("%s: %llu frames verified, %llu torn, %llu counted wrong, %llu errors\n", what,
	       (unsigned long long)a64_load_relaxed(&t->verified), (unsigned long long)a64_load_relaxed(&t->torn),
	       (unsigned long long)a64_load_relaxed(&t->dishonest), (unsigned long long)a64_load_relaxed(&t->failed));
	CHECK(a64_load_relaxed(&t->torn) == 0);
	CHECK(a64_load_relaxed(&t->dishonest) == 0);
	CHECK(a64_load_relaxed(&t->failed) == 0);
}

#endif
