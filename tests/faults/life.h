/*
 * life.h - a process that makes a scenario's call while something fails, counts what it has before and after, and goes on; and another
 * reader beside it, in the test's own process, which that must not disturb.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_FAULTS_LIFE_H
#define SLIP_TESTS_FAULTS_LIFE_H

#include "allocations.h"
#include "error.h"
#include "scenarios.h"

#include <sys/stat.h>

enum { LIMIT_S = 30, AGAIN_MOST = 3 };

static char directory[64];

struct holdings {
	int objects;
	int descriptors;
	int mappings; /* of objects in the directory */
	uint64_t allocations;
};

static struct holdings holdings(void)
{
	struct holdings h = {.allocations = a64_load_relaxed(&allocations_held)};
	char line[512];
	h.objects = objects_with("slip") + objects_with("sem.");
	DIR *fds = opendir("/proc/self/fd");
	CHECK(fds != NULL);
	while (readdir(fds) != NULL)
		h.descriptors++;
	closedir(fds);
	FILE *maps = fopen("/proc/self/maps", "r");
	CHECK(maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL)
		h.mappings += strstr(line, directory) != NULL;
	(void)fclose(maps);
	return h;
}

/* What a life says of itself, in memory that it shares with the test. */
struct report {
	int err; /* of the call; 0: it succeeded */
	enum api asked;
	char detail[256];
	bool keeps; /* the call made the channel or attached to it, and the handle keeps that although no frame came of it */
	bool left;  /* an object that a close could not remove; the next writer or gc did */
	int again;  /* of the same call again, without a failure: its errno, and sentence */
	char again_detail[256];
	struct holdings before, after; /* the call */
	struct holdings first, last;   /* the whole */
	uint64_t allocations;	       /* that the call made */
};

static const struct scenario *scenario;
static struct report *report;

/* Every byte that the channel has is there, and frames pass. */
static void use_all(struct stage *t)
{
	slip_frame *loans[SLOTS + 1];
	int count = 0;
	if (t->writer == NULL || t->frame != NULL || t->locks)
		return;
	size_t words = t->mode == SLIP_MODE_SEMAPHORE ? WORDS : 512; /* a page, which is what a slot has at least */
	slip_array a = words_array(scenario->set_up == replaced || scenario->call == do_grow ? MORE_WORDS : words);
	while (count < SLOTS && (loans[count] = slip_loan(t->writer, "a", &a)) != NULL)
		fill_words(loans[count++]->data, (size_t)a.shape[0], CONTENT);
	CHECK(count > 0);
	for (int i = 0; i < count; i++)
		CHECK(i % 2 == 0 ? slip_publish(loans[i]) == 0 : slip_discard(loans[i]) == 0);
}

/* What a process keeps for good (the registry, liburcu's tables and its page a thread) is there before anything is counted. */
static void warm_up(void)
{
	for (int i = 0; i < 2; i++) {
		struct stage t = {.mode = i == 0 ? SLIP_MODE_LOCK_FREE : SLIP_MODE_SEMAPHORE, .slots = SLOTS};
		attached(&t);
		CHECK(do_list(&t) == 0);
		slip_reader_close(t.reader);
		slip_writer_close(t.writer);
	}
	CHECK(holdings().objects == 0);
}

static bool has_channel(const struct stage *t)
{
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	return t->writer != NULL && slip_writer_get_stats(t->writer, "a", &stats) == 0;
}

static bool has_ring(const struct stage *t)
{
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	return t->reader != NULL && slip_reader_get_stats(t->reader, "a", &stats) == 0 && stats.generations > 0;
}

static int live(void (*begin)(void), void (*end)(void))
{
	struct stage t = {.mode = scenario->mode, .extras = scenario->extras, .slots = SLOTS};
	(void)alarm(LIMIT_S);
	warm_up();
	report->first = holdings();
	scenario->set_up(&t);
	report->before = holdings();
	bool had_channel = has_channel(&t);
	bool had_reader = t.reader != NULL;
	(void)slip__fail(0, "%s", ""); /* what an earlier failure said is no answer */
	uint64_t made = a64_load_relaxed(&allocations_made);
	begin();
	int done = scenario->call(&t);
	end();
	report->err = done == 0 ? 0 : errno;
	report->allocations = a64_load_relaxed(&allocations_made) - made;
	report->asked = t.asked;
	(void)snprintf(report->detail, sizeof(report->detail), "%s", slip_error_detail());
	report->after = holdings();
	report->keeps = (!had_channel && has_channel(&t)) || (!had_reader && has_ring(&t));
	/* The handle is as good as before. */
	for (int i = 0; report->err != 0 && i < AGAIN_MOST && (done = scenario->call(&t)) != 0; i++) {
		report->again = errno;
		(void)snprintf(report->again_detail, sizeof(report->again_detail), "%s", slip_error_detail());
		pause_ms(20);
	}
	if (done != 0)
		return 1;
	use_all(&t);
	if (t.sleeps) {
		void *frame;
		CHECK(pthread_join(t.sleeper, &frame) == 0);
		CHECK(whole(frame) == 0);
	}
	if (t.locks) {
		slip__lock_give(&t.lock);
		slip__lock_close(&t.lock);
	}
	CHECK(t.frame == NULL || slip_release(t.frame) == 0 || slip_discard(t.frame) == 0);
	slip_reader_close(t.reader);
	/* Whatever a close could not remove, the next writer does, or gc. */
	if (t.writer == NULL)
		CHECK(do_set(&t) == 0);
	slip_writer_close(t.writer);
	slip_waker_close(t.waker);
	report->left = holdings().objects > 0;
	CHECK(!report->left || do_gc(&t) == 0);
	report->last = holdings();
	return 0;
}

/* ---- the other reader ---- */

struct witness {
	slip_reader *reader;
	slip_frame *held;
	uint64_t seq;
};

/* Between what is set up and the call. */
static void witness_begin(struct witness *w)
{
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.mode = scenario->mode;
	memset(w, 0, sizeof(*w));
	if (scenario->alone)
		return;
	w->reader = slip_reader_open(BASE, &o);
	CHECK(w->reader != NULL);
	w->held = slip_get_array(w->reader, "a");
	w->seq = w->held != NULL ? w->held->seq : 0;
}

/* What has come is whole, and what is held has not changed. NULL, or what is wrong. */
static const char *witness_look(struct witness *w)
{
	if (w->reader == NULL)
		return NULL;
	if (w->held != NULL && (w->held->seq != w->seq || whole_words(w->held->data, w->held->size / 8) != CONTENT))
		return "changes a frame that another reader holds";
	for (;;) {
		slip_frame *f = scenario->mode == SLIP_MODE_LOCK_FREE ? slip_next(w->reader, "a", 0) : slip_get_array(w->reader, "a");
		if (f == NULL)
			return errno == ETIMEDOUT || errno == EPIPE || errno == ENOENT ? NULL : "disturbs another reader";
		uint64_t content = whole_words(f->data, f->size / 8);
		(void)slip_release(f);
		if (content != CONTENT)
			return "shows another reader a frame that is not whole";
		if (scenario->mode == SLIP_MODE_SEMAPHORE)
			return NULL;
	}
}

static const char *witness_end(struct witness *w)
{
	const char *wrong = witness_look(w);
	if (w->held != NULL)
		(void)slip_release(w->held);
	slip_reader_close(w->reader);
	return wrong;
}

/* ---- the verdict ---- */

enum fault {
	FAULT_NONE,
	FAULT_DIED,
	FAULT_HANGS,
	FAULT_STUCK,
	FAULT_SAYS_NOTHING,
	FAULT_UNDOCUMENTED,
	FAULT_SUCCEEDS,
	FAULT_INTERRUPTED,
	FAULT_LEAVES,
	FAULT_LEAVES_OBJECT,
	FAULT_LEAVES_IN_THE_END,
	FAULT_LEAVES_OBJECT_IN_THE_END,
	FAULT_LEAKS,
	FAULT_COUNT
};

static const char *const FAULTS[FAULT_COUNT] = {
	[FAULT_NONE] = "nothing",
	[FAULT_DIED] = "dies of a signal",
	[FAULT_HANGS] = "hangs",
	[FAULT_STUCK] = "does not work any more",
	[FAULT_SAYS_NOTHING] = "says nothing",
	[FAULT_UNDOCUMENTED] = "an errno that is not documented",
	[FAULT_SUCCEEDS] = "succeeds all the same",
	[FAULT_INTERRUPTED] = "is ended by a signal, though it is no wait",
	[FAULT_LEAVES] = "leaves a descriptor or a mapping",
	[FAULT_LEAVES_OBJECT] = "leaves an object",
	[FAULT_LEAVES_IN_THE_END] = "leaves a descriptor or a mapping when all is closed",
	[FAULT_LEAVES_OBJECT_IN_THE_END] = "leaves an object that nobody removes",
	[FAULT_LEAKS] = "leaks memory",
};

static unsigned faults[FAULT_COUNT];
static unsigned disturbed; /* the other reader */

/* allocations: what a life without a failure keeps. may_leave_object: where it is the failure that keeps it from being removed. */
static enum fault fault_of_life(int status, int64_t allocations, int also, bool may_leave_object)
{
	const struct holdings *b = &report->before;
	const struct holdings *a = &report->after;
	bool failed = report->err != 0;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGALRM ? FAULT_HANGS : FAULT_DIED;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return FAULT_STUCK;
	if (failed && report->detail[0] == '\0')
		return FAULT_SAYS_NOTHING;
	if (failed && report->err != scenario->also && report->err != also && !is_documented(report->asked, report->err))
		return FAULT_UNDOCUMENTED;
	if (failed && !report->keeps && (a->descriptors > b->descriptors || a->mappings > b->mappings))
		return FAULT_LEAVES;
	if (failed && !report->keeps && !may_leave_object && a->objects > b->objects)
		return FAULT_LEAVES_OBJECT;
	if (report->last.descriptors != report->first.descriptors || report->last.mappings != report->first.mappings)
		return FAULT_LEAVES_IN_THE_END;
	if (report->last.objects != 0)
		return FAULT_LEAVES_OBJECT_IN_THE_END;
	if ((int64_t)(report->last.allocations - report->first.allocations) != allocations)
		return FAULT_LEAKS;
	return FAULT_NONE;
}

static int64_t allocations_kept(void)
{
	return (int64_t)(report->last.allocations - report->first.allocations);
}

/* The closing line's end; whether all is well. */
static bool print_faults(void)
{
	unsigned leaks = 0;
	unsigned other = faults[FAULT_STUCK] + faults[FAULT_SAYS_NOTHING] + faults[FAULT_SUCCEEDS] + faults[FAULT_INTERRUPTED];
	for (int f = FAULT_LEAVES; f <= FAULT_LEAKS; f++)
		leaks += faults[f];
	unsigned dead = faults[FAULT_DIED] + faults[FAULT_HANGS];
	printf("%u leaks, %u undocumented errnos, %u crashes or hangs, %u other faults, %u other readers disturbed\n", leaks,
	       faults[FAULT_UNDOCUMENTED], dead, other, disturbed);
	return leaks + faults[FAULT_UNDOCUMENTED] + dead + other + disturbed == 0;
}

static void print_life(void)
{
	const struct report *r = report;
	printf("     %s: %s, \"%s\"; again: %s, \"%s\"; objects %d %d %d, descriptors %d %d %d %d, mappings %d %d %d %d, allocations "
	       "%lld\n",
	       DOCUMENTED[r->asked].name, r->err == 0 ? "0" : strerrorname_np(r->err), r->detail,
	       r->again == 0 ? "0" : strerrorname_np(r->again), r->again_detail, r->before.objects, r->after.objects, r->last.objects,
	       r->first.descriptors, r->before.descriptors, r->after.descriptors, r->last.descriptors, r->first.mappings,
	       r->before.mappings, r->after.mappings, r->last.mappings, (long long)(r->last.allocations - r->first.allocations));
}

/* ---- the directory ---- */

static void make_directory(void)
{
	(void)snprintf(directory, sizeof(directory), "/dev/shm/slipring-faults-%d", (int)getpid());
	CHECK(mkdir(directory, 0700) == 0 && setenv("SLIPRING_DIR", directory, 1) == 0);
}

static void empty_directory(void)
{
	DIR *dir = opendir(directory);
	CHECK(dir != NULL);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		(void)unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
}

#endif
