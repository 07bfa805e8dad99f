/*
 * Every allocation that a call of the library makes, by itself, through liburcu or through the C library, fails once. The call fails with
 * ENOMEM and says so, or succeeds where it can do without; nothing is left over, the same call then succeeds, and another reader is not
 * disturbed.
 *
 * What a process keeps for good is there before (life.h): liburcu ends a process that has no memory for its table at the first attaching of
 * all. How many allocations do that is said first. A number as argument: that scenario alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "life.h"

#include <fcntl.h>

/* The child stops at either end of the call, so that the other reader finds it there. */
static uint64_t to_fail;

static void begin(void)
{
	(void)raise(SIGSTOP);
	a64_store_relaxed(&allocation_to_fail, to_fail);
}

static void end(void)
{
	a64_store_relaxed(&allocation_to_fail, 0);
	int kept = errno;
	(void)raise(SIGSTOP);
	errno = kept;
}

static int go_on(pid_t pid)
{
	int status;
	CHECK(waitpid(pid, &status, WUNTRACED) == pid);
	return status;
}

/* Runs the scenario's call with its n-th allocation failing; 0: none. */
static int run(uint64_t n, const char **witnessed)
{
	struct witness witness;
	memset(report, 0, sizeof(*report));
	to_fail = n;
	pid_t pid;
	SPAWN(pid, live(begin, end));
	int status = go_on(pid);
	CHECK(WIFSTOPPED(status));
	witness_begin(&witness);
	CHECK(kill(pid, SIGCONT) == 0);
	status = go_on(pid);
	*witnessed = witness_look(&witness);
	if (WIFSTOPPED(status)) {
		CHECK(kill(pid, SIGCONT) == 0);
		status = go_on(pid);
	}
	const char *in_the_end = witness_end(&witness);
	if (*witnessed == NULL)
		*witnessed = in_the_end;
	return status;
}

static unsigned long try_all(unsigned long *ignored)
{
	const char *witnessed;
	int status = run(0, &witnessed);
	int64_t allocations = allocations_kept();
	uint64_t count = report->allocations;
	enum fault fault = fault_of_life(status, allocations, 0, false);
	unsigned without = 0;
	if (fault != FAULT_NONE || witnessed != NULL || report->err != 0) {
		printf("%s does not work by itself: %s, %s\n", scenario->what, FAULTS[fault], witnessed != NULL ? witnessed : "");
		print_life();
		exit(1);
	}
	for (uint64_t n = 1; n <= count; n++) {
		empty_directory();
		status = run(n, &witnessed);
		fault = fault_of_life(status, allocations, 0, false);
		if (fault == FAULT_NONE && report->err != 0 && report->err != ENOMEM && report->err != scenario->also)
			fault = FAULT_UNDOCUMENTED;
		faults[fault]++;
		disturbed += witnessed != NULL;
		without += report->err == 0;
		if (fault != FAULT_NONE || witnessed != NULL) {
			printf("BAD  %s: allocation %llu of %llu fails: %s%s%s\n", scenario->what, (unsigned long long)n,
			       (unsigned long long)count, FAULTS[fault], witnessed != NULL ? "; " : "", witnessed != NULL ? witnessed : "");
			print_life();
		}
	}
	printf("%3llu allocations, %2u done without  %s\n", (unsigned long long)count, without, scenario->what);
	(void)fflush(stdout);
	*ignored += without;
	return (unsigned long)count;
}

/* How a process ends, or not, that has no memory for what it keeps for good. Said, not asserted: it is liburcu's to decide. */
static int attach_first(void)
{
	struct stage t = {.mode = SLIP_MODE_LOCK_FREE, .slots = SLOTS};
	(void)alarm(LIMIT_S);
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	CHECK(nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0); /* what liburcu says of it */
	a64_store_relaxed(&allocation_to_fail, to_fail);
	int done = do_get(&t);
	a64_store_relaxed(&allocation_to_fail, 0);
	return done == 0 ? 0 : errno == ENOMEM ? 1 : 2;
}

static void write_until_killed(void)
{
	struct stage t = {.mode = SLIP_MODE_LOCK_FREE, .slots = SLOTS};
	channel(&t);
	(void)alarm(LIMIT_S);
	for (;;)
		(void)pause();
}

static void try_first(void)
{
	int ended = 0;
	int refused = 0;
	pid_t writer;
	SPAWN(writer, (write_until_killed(), 0));
	while (objects_with("control") == 0)
		pause_ms(1);
	for (bool went_well = false; !went_well; to_fail++) {
		pid_t pid;
		int status;
		SPAWN(pid, attach_first());
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) <= 1);
		ended += WIFSIGNALED(status);
		went_well = WIFEXITED(status) && WEXITSTATUS(status) == 0 && to_fail > 0;
		refused += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	}
	kill_and_reap(writer);
	printf("a process's first attaching: %d allocations end it (liburcu's), %d are ENOMEM\n", ended, refused);
}

int main(int argc, char **argv)
{
	make_directory();
	report = shared_memory(sizeof(*report));
	unsigned long failures = 0;
	unsigned long ignored = 0;
	if (ALLOCATIONS_OF_ALL)
		try_first();
	for (int i = 0; i < SCENARIO_COUNT; i++) {
		scenario = &SCENARIOS[i];
		if (argc < 2 || atoi(argv[1]) == i)
			failures += try_all(&ignored);
	}
	empty_directory();
	CHECK(rmdir(directory) == 0);
	printf("faults: %lu allocations failed in %d scenarios, %lu of them done without, ", failures, SCENARIO_COUNT, ignored);
	return print_faults() ? 0 : 1;
}
