/* SPDX-License-Identifier: Apache-2.0 */
#include "drive.h"

#include "machine.h"
#include "parent.h"

#include <errno.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)

enum {
	PAGE = 4096,
	MARK = sizeof(struct stamp), /* where in each page the frame's seq stands, of frames that are read whole */
	GRAIN_NS = 1000		     /* a frame sent so much late is late: below it, the wait for its moment was not quite fine enough */
};
static const uint64_t FILL = UINT64_C(0x5a17c0de5a17c0de); /* all other words of a frame */
static const uint64_t LAST = UINT64_MAX;		   /* seq of the frame that says that there are no more */

/* What the processes of a run share. All atomics are for counting and for starting and ending together: seq_cst. */
struct reader_side {
	alignas(64) _Atomic uint64_t seq; /* newest that it has (one_by_one) */
	int64_t got_ns;			  /* when */
	alignas(64) atomic_bool warm;	  /* it has had a frame */
	atomic_bool done;		  /* it has had the last */
	atomic_bool closed;		  /* it has closed its end */
	uint64_t got, missed, torn;
	struct histogram latency;
};

struct run {
	const struct transport *transport;
	const struct drive_plan *plan;
	void *self;
	atomic_bool writer_open, writer_closing, given_up;
	_Atomic uint64_t sent;
	double seconds;
	struct histogram cost, last;
	struct reader_side readers[DRIVE_READERS_MAX];
};

/* ---- the writer ---- */

/* Two clock reads with nothing between them: comes off what is measured between two. */
static int64_t clock_cost(void)
{
	struct histogram *h = calloc(1, sizeof(*h));
	if (h == NULL)
		return 0;
	for (int i = 0; i < 1001; i++) {
		int64_t start = now_ns();
		histogram_add(h, (uint64_t)(now_ns() - start));
	}
	int64_t median = (int64_t)histogram_percentile(h, 50);
	free(h);
	return median;
}

struct giver {
	struct run *run;
	uint64_t *source; /* what is copied in */
	void *loan;	  /* made ready before its frame is due */
	int64_t clock_ns;
};

static void mark(void *frame, size_t size, uint64_t seq)
{
	for (size_t at = MARK; at + sizeof(seq) <= size; at += PAGE)
		memcpy((char *)frame + at, &seq, sizeof(seq));
}

/* Passes one frame on, stamped with when it was due; now is the clock's last reading. Returns when passing on began, or -1. */
static int64_t give(struct giver *giver, uint64_t seq, int64_t due_ns, int64_t now, bool counted)
{
	const struct run *run = giver->run;
	const struct drive_plan *plan = run->plan;
	const size_t size = plan->setup.size;
	struct stamp stamp = {.sent_ns = due_ns, .seq = seq};
	void *frame = giver->source;
	if (plan->read_all)
		mark(frame, size, seq);
	if (plan->setup.loan) {
		if (giver->loan == NULL && (giver->loan = run->transport->loan(run->self)) == NULL)
			return -1;
		frame = giver->loan;
		if (plan->read_all) /* whoever wants all of it must write all of it */
			memcpy(frame, giver->source, size);
		giver->loan = NULL;
	}
	memcpy(frame, &stamp, sizeof(stamp));
	/* Another reading would stand in each latency; what is written between is a stamp. */
	const int64_t start = plan->read_all ? now_ns() : now;
	const int given = plan->setup.loan ? run->transport->publish(run->self, frame) : run->transport->send(run->self, frame);
	const int64_t spent = now_ns() - start - giver->clock_ns;
	if (given != 0)
		return -1;
	if (counted)
		histogram_add(&giver->run->cost, spent > 0 ? (uint64_t)spent : 0);
	return start;
}

static bool all_readers(const struct run *run, bool (*is)(const struct reader_side *, uint64_t), uint64_t argument)
{
	for (int i = 0; i < run->plan->setup.readers; i++)
		if (!is(&run->readers[i], argument))
			return false;
	return true;
}

static bool is_warm(const struct reader_side *reader, uint64_t unused)
{
	(void)unused;
	return atomic_load(&reader->warm);
}

static bool is_done(const struct reader_side *reader, uint64_t unused)
{
	(void)unused;
	return atomic_load(&reader->done);
}

static bool is_closed(const struct reader_side *reader, uint64_t unused)
{
	(void)unused;
	return atomic_load(&reader->closed);
}

static bool has(const struct reader_side *reader, uint64_t seq)
{
	return atomic_load(&reader->seq) >= seq;
}

/* Gives uncounted frames until all readers are as asked. */
static bool give_until(struct giver *giver, uint64_t seq, bool (*are)(const struct reader_side *, uint64_t))
{
	struct run *run = giver->run;
	while (!all_readers(run, are, 0)) {
		if (atomic_load(&run->given_up) || give(giver, seq, now_ns(), now_ns(), false) < 0)
			return false;
		for (int i = 0; i < 10 && !all_readers(run, are, 0); i++)
			nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
	return true;
}

/* Waits until all have it, a second at most: a frame that was lost holds nobody up for ever. */
static void await_all(struct run *run, uint64_t seq, int64_t start)
{
	const int64_t until = start + SECOND;
	while (!all_readers(run, has, seq))
		if (!spin_on(until))
			return;
	int64_t last = start;
	for (int i = 0; i < run->plan->setup.readers; i++)
		if (run->readers[i].got_ns > last)
			last = run->readers[i].got_ns;
	histogram_add(&run->last, (uint64_t)(last - start));
}

static bool make_ready(struct giver *giver)
{
	const struct run *run = giver->run;
	return !run->plan->setup.loan || giver->loan != NULL || (giver->loan = run->transport->loan(run->self)) != NULL;
}

/* Waits for the next frame's moment; gives the clock reading that found it come. Flat out it has always come. */
static int64_t await_due(const struct drive_plan *plan, int64_t *due)
{
	int64_t now = now_ns();
	if (plan->interval_ns == 0) {
		*due = now;
		return now;
	}
	*due += plan->interval_ns;
	if (plan->one_by_one && now > *due)
		*due = now; /* the schedule is the readers' */
	while (now < *due)
		now = now_ns();
	return now;
}

static bool give_all(struct giver *giver)
{
	struct run *run = giver->run;
	const struct drive_plan *plan = run->plan;
	const int64_t begin = now_ns();
	const int64_t end = plan->duration_ns > 0 ? begin + plan->duration_ns : INT64_MAX;
	const uint64_t frames = plan->frames > 0 ? plan->frames : UINT64_MAX - 1;
	int64_t due = begin;
	int64_t start = begin;
	uint64_t seq = 0;
	while (seq < frames && start < end && !atomic_load(&run->given_up)) {
		if (!make_ready(giver))
			return false;
		const int64_t now = await_due(plan, &due);
		start = give(giver, ++seq, now - due > GRAIN_NS ? due : now, now, true);
		if (start < 0)
			return false;
		if (plan->one_by_one)
			await_all(run, seq, start);
	}
	run->seconds = (double)(now_ns() - begin) / (double)SECOND;
	atomic_store(&run->sent, seq);
	return true;
}

static bool be_writer(struct run *run)
{
	const size_t size = run->plan->setup.size;
	const size_t rounded = (size + PAGE - 1) / PAGE * PAGE;
	struct giver giver = {.run = run, .source = aligned_alloc(PAGE, rounded), .clock_ns = clock_cost()};
	if (giver.source == NULL)
		return complain("no memory for a frame of %zu bytes", size) == 0;
	for (size_t i = 0; i < rounded / sizeof(FILL); i++)
		giver.source[i] = FILL;
	bool good = run->transport->open_writer(run->self) == 0;
	if (good) {
		atomic_store(&run->writer_open, true);
		good = give_until(&giver, 0, is_warm) && give_all(&giver) && give_until(&giver, LAST, is_done);
		atomic_store(&run->writer_closing, true);
		/* Readers first, as close_writer is promised; not for ever. */
		for (int64_t until = now_ns() + 2 * SECOND; good && !all_readers(run, is_closed, 0) && now_ns() < until;)
			nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
		run->transport->close_writer(run->self);
	}
	free(giver.source);
	return good;
}

/* ---- a reader ---- */

/* Reads every byte; false where they are not all of one frame. */
static bool is_whole(const void *frame, size_t size, uint64_t seq)
{
	const uint64_t *words = frame;
	const size_t count = size / sizeof(*words);
	const size_t a_page = PAGE / sizeof(*words);
	uint64_t wrong = 0;
	for (size_t page = 0; page < count; page += a_page) {
		const size_t end = page + a_page < count ? page + a_page : count;
		const size_t marked = page + MARK / sizeof(*words);
		if (page > 0)
			for (size_t i = page; i < marked && i < end; i++)
				wrong |= words[i] ^ FILL;
		if (marked < end)
			wrong |= words[marked] ^ seq;
		for (size_t i = marked + 1; i < end; i++)
			wrong |= words[i] ^ FILL;
	}
	return wrong == 0;
}

static void count_frame(struct reader_side *side, const struct stamp *stamp, int64_t got_ns, bool whole)
{
	side->got++;
	side->torn += !whole;
	histogram_add(&side->latency, got_ns > stamp->sent_ns ? (uint64_t)(got_ns - stamp->sent_ns) : 0);
	side->got_ns = got_ns;
	atomic_store(&side->seq, stamp->seq);
}

/* Takes frames until the last, and then until the writer goes: who sends must not be held up by those that nobody takes. */
static bool take_all(struct run *run, struct reader_side *side)
{
	const struct transport *transport = run->transport;
	uint64_t newest = 0;
	while (!atomic_load(&run->writer_closing)) {
		const void *frame = transport->receive(run->self, 20 * MILLISECOND);
		if (frame == NULL) {
			if (failed() || atomic_load(&run->given_up))
				return false;
			continue;
		}
		struct stamp stamp;
		memcpy(&stamp, frame, sizeof(stamp));
		const int64_t got_ns = now_ns();
		bool whole = true;
		if (run->plan->read_all && stamp.seq != 0 && stamp.seq != LAST)
			whole = is_whole(frame, run->plan->setup.size, stamp.seq);
		transport->release(run->self, frame);
		atomic_store(&side->warm, true);
		if (stamp.seq == LAST) {
			if (!atomic_load(&side->done))
				side->missed += atomic_load(&run->sent) - newest;
			atomic_store(&side->done, true);
		} else if (stamp.seq > newest) {
			side->missed += stamp.seq - newest - 1;
			newest = stamp.seq;
			count_frame(side, &stamp, got_ns, whole);
		}
	}
	return !failed();
}

static bool be_reader(struct run *run, int number)
{
	while (!atomic_load(&run->writer_open)) {
		if (atomic_load(&run->given_up))
			return false;
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
	if (run->transport->open_reader(run->self, number) != 0)
		return false;
	const bool good = take_all(run, &run->readers[number]);
	run->transport->close_reader(run->self);
	atomic_store(&run->readers[number].closed, true);
	return good;
}

/* ---- all of them ---- */

static int cpu_of(const struct drive_plan *plan, int child)
{
	if (child == 0)
		return plan->writer_cpu;
	return plan->reader_cpu_count > 0 ? plan->reader_cpus[(child - 1) % plan->reader_cpu_count] : -1;
}

/* Child 0 is the writer. */
static pid_t start(struct run *run, int child)
{
	fflush(NULL);
	const pid_t parent = getpid();
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	end_with_parent(parent);
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	const int cpu = cpu_of(run->plan, child);
	bool good = cpu < 0 || machine_pin(cpu) == 0 || complain("cannot run on CPU %d", cpu) == 0;
	if (good)
		good = child == 0 ? be_writer(run) : be_reader(run, child - 1);
	if (!good)
		atomic_store(&run->given_up, true);
	fflush(NULL);
	_exit(good ? 0 : 1);
}

/* Waits for all; who is still there long after the end, or some seconds after another gave up, hangs, and is killed. */
static bool await_children(struct run *run, pid_t *pids, int count)
{
	int64_t kill_at = now_ns() + run->plan->duration_ns + 30 * SECOND;
	bool good = true;
	bool giving_up = false;
	for (int left = count; left > 0;) {
		int status;
		const pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid < 0 && errno != EINTR)
			return complain("cannot wait for the processes of the run") == 0;
		for (int i = 0; i < count && pid > 0; i++)
			if (pids[i] == pid) {
				pids[i] = 0;
				left--;
				good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
			}
		if (!giving_up && (!good || pid < 0 || atomic_load(&run->given_up))) {
			giving_up = true;
			good = false;
			atomic_store(&run->given_up, true);
			kill_at = now_ns() + 5 * SECOND;
		}
		if (now_ns() > kill_at) {
			good = false;
			for (int i = 0; i < count; i++)
				if (pids[i] > 0) {
					errno = 0;
					complain("%s: %s of the run hangs", run->transport->name, i == 0 ? "the writer" : "a reader");
					kill(pids[i], SIGKILL);
				}
			kill_at = INT64_MAX;
		}
		if (pid == 0)
			nanosleep(&(struct timespec){.tv_nsec = 2 * MILLISECOND}, NULL);
	}
	return good;
}

static void collect(const struct run *run, struct drive_result *result)
{
	memset(result, 0, sizeof(*result));
	result->cost = run->cost;
	result->last = run->last;
	result->sent = run->sent;
	result->seconds = run->seconds;
	result->least_got = run->plan->setup.readers > 0 ? UINT64_MAX : 0;
	for (int i = 0; i < run->plan->setup.readers; i++) {
		const struct reader_side *reader = &run->readers[i];
		histogram_merge(&result->latency, &reader->latency);
		result->got += reader->got;
		result->missed += reader->missed;
		result->torn += reader->torn;
		if (reader->got < result->least_got)
			result->least_got = reader->got;
	}
}

int drive(const struct transport *transport, const struct drive_plan *plan, struct drive_result *result)
{
	struct run *run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run == MAP_FAILED)
		return complain("no memory for a run");
	run->transport = transport;
	run->plan = plan;
	run->self = transport->make(&plan->setup);
	if (run->self == NULL) {
		munmap(run, sizeof(*run));
		return -1;
	}
	pid_t pids[1 + DRIVE_READERS_MAX];
	int count = 0;
	bool good = true;
	for (; count <= plan->setup.readers && good; count += good)
		good = (pids[count] = start(run, count)) > 0 || complain("cannot fork") == 0;
	if (!good)
		atomic_store(&run->given_up, true);
	good = await_children(run, pids, count) && good;
	transport->destroy(run->self);
	if (good)
		collect(run, result);
	munmap(run, sizeof(*run));
	return good ? 0 : -1;
}
