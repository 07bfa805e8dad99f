/*
 * Every system call that slipring makes, itself or through the C library and liburcu, fails once, with each errno that it can give
 * (errnos.h). The call of the library that made it fails with a documented errno (documented.h) and says what was wrong, or succeeds where
 * that failure does not matter (errnos.h); nothing is left over, the same call then succeeds, and another reader is not disturbed.
 *
 * A scenario's call is run once to see which system calls it makes, and then by a child for each of them and each of its errnos: that one
 * is not made, but fails (ptrace). Then with failures that last until the call returns, from the first of each kind (--full: from each;
 * under sanitizers, which make this five times as slow, only so). Prints what came of it for each system call and errno; with --markdown as
 * a table. A number as argument: that scenario alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "errnos.h"
#include "life.h"
#include "traced.h"

enum { MOST_CALLS = 1024, TRIES = 10, OTHERS_MOST = 4 };

/* One failure to be injected: of the system call at a position among those that a scenario's call makes. */
struct failure {
	long position; /* -1: none */
	const struct call_errnos *call;
	int err;
	bool lasts; /* those of its number after it fail with the same errno, where they can */
};

/* What came of the failures of one system call with one errno. */
struct outcome {
	unsigned passed_on; /* the call failed with this errno */
	unsigned other;	    /* with another one that is documented */
	unsigned ignored;   /* it succeeded */
	unsigned left;	    /* one of these, and an object stayed that the next writer or gc removed */
	int others[OTHERS_MOST];
};

static bool markdown;
static bool full;
static unsigned missed; /* calls that were made once and not again: a sanitizer's, or none, where a wait was over before it began */
static struct outcome outcomes[CALL_COUNT][ERRNOS_MOST];

#if defined(__x86_64__)

static void mark(void)
{
	traced_mark();
}

static int traced_life(void *context)
{
	(void)context;
	return live(mark, mark);
}

/* At a system call's entry. */
static const struct call_errnos *call_of(pid_t pid)
{
	struct __ptrace_syscall_info info;
	uint64_t arguments[6];
	CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY);
	for (int i = 0; i < 6; i++)
		arguments[i] = info.entry.args[i];
	const struct call_errnos *call = errnos_of((long)info.entry.nr, arguments);
	if (call == NULL) {
		printf("%s: system call %llu is not in errnos.h\n", scenario->what, (unsigned long long)info.entry.nr);
		exit(1);
	}
	return call;
}

static bool can_fail_with(const struct call_errnos *call, int err)
{
	for (int e = 0; e < ERRNOS_MOST && call->errnos[e] != 0; e++)
		if (call->errnos[e] == err)
			return true;
	return false;
}

/*
 * Linux lets go of a descriptor and of whole mappings whatever it says of it, and somebody else may have removed a name first: such a call
 * is made, and lies.
 */
static bool made_all_the_same(const struct call_errnos *call, int err)
{
	return call->number == SYS_close || call->number == SYS_munmap || (call->number == SYS_unlink && err == ENOENT);
}

/*
 * Runs the scenario's call with a failure. Notes which system calls it makes, if asked. *injected: whether it came to that one; when the
 * kernel lets go of what the dead had is its own affair, so that it may be another once in a while. *witnessed: what another reader
 * complains of.
 */
static int run(const struct failure *failure, const struct call_errnos **calls, long *count, bool *injected, const char **witnessed)
{
	struct witness witness;
	memset(report, 0, sizeof(*report));
	*injected = false;
	pid_t pid = traced_start(traced_life, NULL);
	CHECK(traced_to_mark(pid));
	witness_begin(&witness);
	int status;
	for (*count = 0; traced_go(pid, TRACED_CALL, &status) == TRACED_SYSCALL; ++*count) {
		const struct call_errnos *call = call_of(pid);
		bool fails = *injected && failure->lasts && call->number == failure->call->number && can_fail_with(call, failure->err);
		if (calls != NULL) {
			CHECK(*count < MOST_CALLS);
			calls[*count] = call;
		}
		if (*count == failure->position && call == failure->call)
			*injected = fails = true;
		if (fails)
			traced_fail_call(pid, failure->err, made_all_the_same(call, failure->err));
		else if (traced_go(pid, TRACED_CALL, &status) == TRACED_ENDED)
			break;
	}
	*witnessed = witness_look(&witness);
	bool ended = !WIFSTOPPED(status) || traced_go(pid, TRACED_ON, &status) == TRACED_ENDED;
	CHECK(ended); /* there are two marks */
	const char *in_the_end = witness_end(&witness);
	if (*witnessed == NULL)
		*witnessed = in_the_end;
	return status;
}

/* Its own memory, for want of which it ends the process. */
static bool is_sanitizers(const struct call_errnos *call)
{
	return SANITIZED && call == errnos_of(SYS_mmap, (const uint64_t[6]){0, 0, 0, MAP_ANONYMOUS});
}

/* The removal itself; that it is ours; or that nobody else is about to remove it. */
static bool keeps_from_removing(const struct failure *f)
{
	bool looks = f->call->number == SYS_newfstatat || f->call->number == SYS_fstat;
	bool locks = f->call->number == SYS_fcntl && (f->err == EAGAIN || f->err == EACCES);
	return f->call->number == SYS_unlink || (f->lasts && (looks || locks));
}

static enum fault fault_of(const struct failure *f, int status, int64_t allocations)
{
	/* A channel whose name is gone, and stays gone, has been closed. */
	int also = f->lasts && (f->err == ENOENT || f->err == ENOTDIR) ? EPIPE : 0;
	enum fault fault = fault_of_life(status, allocations, also, keeps_from_removing(f));
	int err = report->err;
	bool lists = report->asked == API_LIST || report->asked == API_GC_LIST;
	bool half = lists && f->call->number == SYS_getdents64 && f->err != ENOENT; /* ENOENT: the directory is gone */
	if (fault == FAULT_NONE && err == 0 && (half || !may_be_ignored(f->call, f->err)))
		return FAULT_SUCCEEDS;
	if (fault == FAULT_NONE && f->err == EINTR && err != 0 && err != EINTR && err != scenario->also)
		return FAULT_INTERRUPTED;
	return fault;
}

static void note(struct outcome *o, int err)
{
	bool stayed = report->err != 0 && !report->keeps && report->after.objects > report->before.objects;
	o->left += report->left || stayed;
	o->passed_on += report->err == err;
	o->ignored += report->err == 0;
	if (report->err == 0 || report->err == err)
		return;
	o->other++;
	for (int i = 0; i < OTHERS_MOST && o->others[i] != report->err; i++)
		if (o->others[i] == 0)
			o->others[i] = report->err;
}

static void try(const struct failure *f, int64_t allocations)
{
	const char *witnessed = NULL;
	bool injected = false;
	long count;
	int index = 0;
	int status = 0;
	for (int i = 0; i < TRIES && !injected; i++) {
		empty_directory();
		status = run(f, NULL, &count, &injected, &witnessed);
	}
	missed += !injected;
	if (!injected)
		return;
	enum fault fault = fault_of(f, status, allocations);
	faults[fault]++;
	disturbed += witnessed != NULL;
	if (fault != FAULT_NONE || witnessed != NULL) {
		printf("BAD  %s: %s (call %ld%s) fails with %s: %s%s%s\n", scenario->what, f->call->name, f->position,
		       f->lasts ? " and those after it" : "", strerrorname_np(f->err), FAULTS[fault], witnessed != NULL ? "; " : "",
		       witnessed != NULL ? witnessed : "");
		print_life();
		return;
	}
	while (f->call->errnos[index] != f->err)
		index++;
	note(&outcomes[f->call - CALL_ERRNOS][index], f->err);
}

/* A signal does not last. What is tried another way at once (linkat) must, to fail at all. */
static bool should_last(const struct failure *f, const struct call_errnos *const *calls)
{
	long first = 0;
	while (calls[first] != f->call)
		first++;
	bool again = f->position > 0 && calls[f->position - 1] == f->call; /* in a row of equal ones the first is enough */
	bool kind = first == f->position && !SANITIZED;
	return f->err != EINTR && (kind || f->call->number == SYS_linkat || (full && !again));
}

static unsigned long try_all(void)
{
	static const struct call_errnos *calls[MOST_CALLS];
	const struct failure none = {.position = -1};
	long count = 0;
	unsigned long failures = 0;
	const char *witnessed;
	bool injected;
	int status = run(&none, calls, &count, &injected, &witnessed);
	int64_t allocations = allocations_kept();
	enum fault fault = fault_of_life(status, allocations, 0, false);
	if (fault != FAULT_NONE || witnessed != NULL || report->err != 0) {
		printf("%s does not work by itself: %s, %s\n", scenario->what, FAULTS[fault], witnessed != NULL ? witnessed : "");
		print_life();
		exit(1);
	}
	for (long at = 0; at < count; at++)
		for (int e = 0; e < ERRNOS_MOST && calls[at]->errnos[e] != 0 && !is_sanitizers(calls[at]); e++) {
			struct failure f = {.position = at, .call = calls[at], .err = calls[at]->errnos[e]};
			try(&f, allocations);
			failures++;
			f.lasts = should_last(&f, calls);
			if (f.lasts)
				try(&f, allocations);
			failures += f.lasts;
		}
	if (!markdown)
		printf("%4ld system calls, %5lu failures  %s\n", count, failures, scenario->what);
	(void)fflush(stdout);
	return failures;
}

#else

static unsigned long try_all(void)
{
	return 0;
}

#endif

/* ---- the matrix: a row a system call, and for each thing that may come of its failures the errnos of which it did ---- */

enum column { PASSED_ON, AS_ANOTHER, IGNORED, FOR_LATER, COLUMN_COUNT };

static const char *const COLUMNS[COLUMN_COUNT] = {"passed on", "as another", "ignored", "left for later"};

static unsigned in_column(const struct outcome *o, enum column column)
{
	const unsigned counts[COLUMN_COUNT] = {o->passed_on, o->other, o->ignored, o->left};
	return counts[column];
}

/* The errnos of one cell, between quotes. */
static void print_cell(size_t call, enum column column, const char *quote)
{
	unsigned count = 0;
	for (int e = 0; e < ERRNOS_MOST && CALL_ERRNOS[call].errnos[e] != 0; e++) {
		const struct outcome *o = &outcomes[call][e];
		if (in_column(o, column) == 0)
			continue;
		printf("%s%s%s%s", count++ > 0 ? ", " : "", quote, strerrorname_np(CALL_ERRNOS[call].errnos[e]), quote);
		if (column == AS_ANOTHER)
			for (int i = 0; i < OTHERS_MOST && o->others[i] != 0; i++)
				printf("%s%s%s%s", i > 0 ? "/" : " as ", quote, strerrorname_np(o->others[i]), quote);
	}
}

static bool is_empty(size_t call, enum column column)
{
	unsigned all = 0;
	for (int e = 0; e < ERRNOS_MOST; e++)
		all += in_column(&outcomes[call][e], column);
	return all == 0;
}

static void print_row(size_t call, unsigned failures)
{
	const char *why = CALL_ERRNOS[call].ignored != NULL && !is_empty(call, IGNORED) ? CALL_ERRNOS[call].ignored : NULL;
	if (markdown)
		printf("| `%s` | %u ", CALL_ERRNOS[call].name, failures);
	else
		printf("\n%s: %u failures\n", CALL_ERRNOS[call].name, failures);
	for (int c = 0; c < COLUMN_COUNT; c++) {
		if (markdown)
			printf("| ");
		else if (is_empty(call, (enum column)c))
			continue;
		else
			printf("   %-15s ", COLUMNS[c]);
		print_cell(call, (enum column)c, markdown ? "`" : "");
		if (c == IGNORED && why != NULL)
			printf(": %s", why);
		printf("%s", markdown ? " " : "\n");
	}
	if (markdown)
		printf("|\n");
}

/* How many different pairs of system call and errno there were. */
static unsigned print_matrix(void)
{
	unsigned pairs = 0;
	if (markdown)
		printf("| system call | failures | passed on | as another | ignored | left for later |\n|---|---|---|---|---|---|\n");
	for (size_t call = 0; call < CALL_COUNT; call++) {
		unsigned failures = 0;
		for (int e = 0; e < ERRNOS_MOST; e++) {
			const struct outcome *o = &outcomes[call][e];
			failures += o->passed_on + o->other + o->ignored;
			pairs += o->passed_on + o->other + o->ignored > 0;
		}
		if (failures > 0)
			print_row(call, failures);
	}
	return pairs;
}

int main(int argc, char **argv)
{
	int only = -1;
	if (!TRACED_HERE) {
		printf("skipped: having system calls fail is written for x86-64\n");
		return SKIPPED;
	}
	for (int i = 1; i < argc; i++) {
		full = full || strcmp(argv[i], "--full") == 0;
		markdown = markdown || strcmp(argv[i], "--markdown") == 0;
		only = argv[i][0] != '-' ? atoi(argv[i]) : only;
	}
	make_directory();
	report = shared_memory(sizeof(*report));
	struct holdings before = holdings();
	unsigned long failures = 0;
	for (int i = 0; i < SCENARIO_COUNT; i++) {
		scenario = &SCENARIOS[i];
		if (only < 0 || only == i)
			failures += try_all();
	}
	struct holdings after = holdings();
	CHECK(after.descriptors == before.descriptors && after.mappings == before.mappings);
	empty_directory();
	CHECK(rmdir(directory) == 0);
	unsigned pairs = print_matrix();
	printf("%sfaults: %lu failures injected in %d scenarios, %u distinct (call, errno) pairs, ", markdown ? "" : "\n", failures,
	       SCENARIO_COUNT, pairs);
	bool well = print_faults();
	if (missed > 0)
		printf("%u failures could not be injected, because the system call was not made again\n", missed);
	return well && missed * 100 <= failures ? 0 : 1;
}
