/*
 * death.h - kills a child after every instruction of slipring's in one call, and looks each time at what that leaves.
 *
 * A case is a body (what the child does) and a judge (what must hold then). The body calls traced_mark before and after the call, and before that as often as
 * its parent has something to do (prepare) on the way there. The call is first stepped through once, and the address of each instruction in
 * libslipring.so is noted; then there is a child for each, killed when it comes to that instruction as often as the first did: that is after the
 * one before it, and whatever the C library and the kernel did in between. An instruction that repeats itself (rep movs) counts once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_DEATH_H
#define SLIP_TESTS_DEATH_H

#include "multi/processes.h"
#include "traced.h"

#include <sys/stat.h>

struct death_case {
	const char *what;
	int (*body)(void *context);		   /* in the child */
	void (*prepare)(void *context, int stage); /* in the parent, at each mark but the last two */
	int stages;				   /* marks before those around the call */
	bool before;				   /* prepare is called once before the child is there, with stage -1 */
	void (*judge)(void *context);		   /* in the parent, when the child is dead: checks, and leaves nothing */
	void *context;
};

struct death_sum {
	uint64_t points;  /* kills */
	uint64_t missed;  /* an instruction that another child did not come to, or ended before */
	uint64_t skipped; /* left out by the short form */
	int cases;
};

#if defined(__x86_64__)

struct death_visit {
	uint64_t at;
	uint32_t nth; /* the how manieth time that it comes there */
};

struct death_trace {
	struct death_visit *visits;
	size_t count;
	size_t room;
};

/* Where slipring's code lies in this process, and so in its children. */
static inline void death_find_code(uint64_t *from, uint64_t *to)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	CHECK(maps != NULL);
	char line[512];
	*from = 0;
	while (*from == 0 && fgets(line, sizeof(line), maps) != NULL) {
		unsigned long long begin;
		unsigned long long end;
		if (strstr(line, "libslipring.so") != NULL && strstr(line, " r-xp ") != NULL &&
		    sscanf(line, "%llx-%llx", &begin, &end) == 2) {
			*from = begin;
			*to = end;
		}
	}
	(void)fclose(maps);
	CHECK(*from != 0);
}

static inline void death_note(struct death_trace *trace, uint64_t at)
{
	if (trace->count > 0 && trace->visits[trace->count - 1].at == at)
		return; /* a repeating instruction */
	if (trace->count == trace->room) {
		trace->room = trace->room == 0 ? 4096 : 2 * trace->room;
		trace->visits = realloc(trace->visits, trace->room * sizeof(trace->visits[0]));
		CHECK(trace->visits != NULL);
	}
	uint32_t nth = 1;
	for (size_t i = trace->count; i-- > 0;)
		if (trace->visits[i].at == at) {
			nth = trace->visits[i].nth + 1;
			break;
		}
	trace->visits[trace->count++] = (struct death_visit){.at = at, .nth = nth};
}

static inline pid_t death_begin(const struct death_case *c)
{
	if (c->before)
		c->prepare(c->context, -1);
	pid_t pid = traced_start(c->body, c->context);
	for (int stage = 0; stage < c->stages; stage++) {
		CHECK(traced_to_mark(pid));
		c->prepare(c->context, stage);
	}
	CHECK(traced_to_mark(pid));
	return pid;
}

static inline void death_record(const struct death_case *c, struct death_trace *trace)
{
	uint64_t from;
	uint64_t to;
	death_find_code(&from, &to);
	pid_t pid = death_begin(c);
	for (;;) {
		uint64_t at = traced_ip(pid);
		if (at >= from && at < to)
			death_note(trace, at);
		int status;
		siginfo_t why;
		CHECK(traced_go(pid, TRACED_INSTRUCTION, &status) == TRACED_TRAP);
		CHECK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &why) == 0);
		/* SI_KERNEL is the third mark's int3; a step is TRAP_TRACE. */
		if (why.si_code == SI_KERNEL)
			break;
	}
	traced_kill(pid);
	c->judge(c->context);
}

/* Kills a child at a visit; false where it never came there. */
static inline bool death_kill_at(const struct death_case *c, const struct death_visit *visit)
{
	pid_t pid = death_begin(c);
	bool there = true;
	if (traced_ip(pid) != visit->at) {
		for (uint32_t n = 1; there; n++) {
			int status;
			long was = traced_break(pid, visit->at);
			CHECK(traced_go(pid, TRACED_ON, &status) == TRACED_TRAP);
			there = traced_ip(pid) == visit->at + 1;
			traced_unbreak(pid, visit->at, was);
			if (!there || n == visit->nth)
				break;
			traced_set_ip(pid, visit->at);
			/* Off the breakpoint, past repeats of one instruction. */
			do
				CHECK(traced_go(pid, TRACED_INSTRUCTION, &status) == TRACED_TRAP);
			while (traced_ip(pid) == visit->at);
		}
	}
	traced_kill(pid);
	c->judge(c->context);
	return there;
}

/* Each stride'th point of a case, beginning at `first`; 1 and 0: all. */
static inline void death_run(const struct death_case *c, size_t stride, size_t first, struct death_sum *sum)
{
	struct death_trace trace = {0};
	death_record(c, &trace);
	uint64_t points = 1; /* the one after the call */
	uint64_t missed = 0;
	for (size_t i = first % stride; i < trace.count; i += stride) {
		points++;
		missed += !death_kill_at(c, &trace.visits[i]);
	}
	printf("%7llu of %7zu points%s  %s\n", (unsigned long long)points, trace.count + 1, missed > 0 ? " (some not reached again)" : "",
	       c->what);
	(void)fflush(stdout);
	sum->points += points;
	sum->missed += missed;
	sum->skipped += trace.count + 1 - points;
	sum->cases++;
	free(trace.visits);
}

#endif

/* A directory of the test's own, so that what is left over can be counted. */
static char death_directory[64];

static inline void death_own_directory(void)
{
	(void)snprintf(death_directory, sizeof(death_directory), "/dev/shm/slipring-death-%d", (int)getpid());
	CHECK(mkdir(death_directory, 0700) == 0);
	CHECK(setenv("SLIPRING_DIR", death_directory, 1) == 0);
}

static inline int death_end(const char *what, const struct death_sum *sum, bool full)
{
	CHECK(objects_with("") == 2); /* . and .. */
	CHECK(rmdir(death_directory) == 0);
	printf("kill points: %llu of %llu in %d cases of %s%s; 0 torn, 0 lost, 0 repeated, 0 slots lost, 0 left over; %llu not reached "
	       "again\n",
	       (unsigned long long)sum->points, (unsigned long long)(sum->points + sum->skipped), sum->cases, what,
	       full ? "" : " (--full: all)", (unsigned long long)sum->missed);
	/* A run that mostly misses shows nothing. */
	CHECK(sum->missed * 10 <= sum->points);
	return 0;
}

#endif
