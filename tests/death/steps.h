/*
 * steps.h - the way of a child through one call, instruction by instruction, and back to any of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_STEPS_H
#define SLIP_TESTS_STEPS_H

#include "multi/processes.h"
#include "traced.h"

#include <fcntl.h>

enum { DEATH_ENDINGS = 4 };

struct death_visit {
	uint64_t at;  /* 0: the mark before the call */
	uint32_t nth; /* the how manieth time that it comes there */
};

struct death_case {
	const char *what;
	int (*body)(void *context);		   /* in the child */
	void (*prepare)(void *context, int stage); /* in the parent, at each mark but the last two */
	int stages;				   /* marks before those around the call */
	bool before;				   /* prepare is called once before the child is there, with stage -1 */
	bool everywhere;			   /* instructions of other libraries are points as well */
	int (*judge)(void *context); /* in the parent, when the child is dead: checks, and leaves nothing. Gives one of endings */
	const char *endings[DEATH_ENDINGS];
	void *context;
	struct death_case *first; /* a death before this one; its judge is not asked */
	bool first_later;	  /* prepare sees to it, with death_of_the_first */
	struct death_visit visit; /* where the first one dies now */
};

static char death_directory[64];

static pid_t death_child; /* the one that is watched */

/* Whether it is in the kernel and sleeps there; a step's stop is something else. */
static inline bool death_child_sleeps(void)
{
	char path[64];
	char text[512] = "";
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)death_child);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return false;
	const bool some = fgets(text, sizeof(text), file) != NULL;
	(void)fclose(file);
	const char *end = some ? strrchr(text, ')') : NULL;
	return end != NULL && strncmp(end, ") S", 3) == 0;
}

/* A number for all that stands in the directory: names and bytes. */
static inline uint64_t death_state(void)
{
	static unsigned char bytes[1 << 16];
	const uint64_t prime = UINT64_C(0x100000001b3);
	uint64_t sum = 0; /* of the objects, in whatever order */
	DIR *directory = opendir(death_directory);
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		uint64_t hash = prime;
		for (const char *c = entry->d_name; *c != 0; c++)
			hash = (hash ^ (unsigned char)*c) * prime;
		int fd = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		for (ssize_t got; (got = read(fd, bytes, sizeof(bytes))) > 0;)
			for (ssize_t i = 0; i + 8 <= got; i += 8) {
				uint64_t word;
				memcpy(&word, bytes + i, 8);
				hash = (hash ^ word) * prime;
				hash ^= hash >> 29;
			}
		close(fd);
		sum += hash;
	}
	closedir(directory);
	return sum;
}

struct death_trace {
	struct death_visit *visits;
	size_t count;
	size_t room;
	uint64_t from; /* slipring's code */
	uint64_t to;
};

/* Where slipring's code lies in this process, and so in its children. */
static inline void death_find_code(struct death_trace *trace)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	CHECK(maps != NULL);
	char line[512];
	while (trace->from == 0 && fgets(line, sizeof(line), maps) != NULL) {
		unsigned long long begin;
		unsigned long long end;
		if (strstr(line, "libslipring.so") != NULL && strstr(line, " r-xp ") != NULL &&
		    sscanf(line, "%llx-%llx", &begin, &end) == 2) {
			trace->from = begin;
			trace->to = end;
		}
	}
	(void)fclose(maps);
	CHECK(trace->from != 0);
}

static inline bool death_is_ours(const struct death_trace *trace, uint64_t at)
{
	return at >= trace->from && at < trace->to;
}

static inline void death_keep(struct death_trace *trace, const struct death_visit *visit)
{
	if (trace->count == trace->room) {
		trace->room = trace->room == 0 ? 4096 : 2 * trace->room;
		trace->visits = realloc(trace->visits, trace->room * sizeof(trace->visits[0]));
		CHECK(trace->visits != NULL);
	}
	trace->visits[trace->count++] = *visit;
}

/* false where an instruction repeats itself. */
static inline bool death_note(struct death_trace *trace, uint64_t at)
{
	if (trace->count > 0 && trace->visits[trace->count - 1].at == at)
		return false;
	uint32_t nth = 1;
	for (size_t i = trace->count; i-- > 0;)
		if (trace->visits[i].at == at) {
			nth = trace->visits[i].nth + 1;
			break;
		}
	death_keep(trace, &(struct death_visit){.at = at, .nth = nth});
	return true;
}

static inline bool death_reach(pid_t pid, const struct death_visit *visit);

static inline pid_t death_begin(struct death_case *c);

static inline void death_of_the_first(struct death_case *c)
{
	pid_t pid = death_begin(c->first);
	(void)death_reach(pid, &c->visit);
	traced_kill(pid);
}

/* A child at the mark before the call, whoever has to die first being dead. */
static inline pid_t death_begin(struct death_case *c)
{
	if (c->first != NULL && !c->first_later)
		death_of_the_first(c);
	if (c->before)
		c->prepare(c->context, -1);
	pid_t pid = traced_start(c->body, c->context);
	death_child = pid;
	for (int stage = 0; stage < c->stages; stage++) {
		CHECK(traced_to_mark(pid));
		c->prepare(c->context, stage);
	}
	CHECK(traced_to_mark(pid));
	return pid;
}

/* Runs on to a visit; false where the child never comes there. It is then at the mark after the call. */
static inline bool death_reach(pid_t pid, const struct death_visit *visit)
{
	if (visit->at == 0 || (visit->nth == 1 && traced_ip(pid) == visit->at))
		return true;
	for (uint32_t n = 1;; n++) {
		int status;
		long was = traced_break(pid, visit->at);
		CHECK(traced_go(pid, TRACED_ON, &status) == TRACED_TRAP);
		bool there = traced_ip(pid) == visit->at + 1;
		traced_unbreak(pid, visit->at, was);
		if (!there)
			return false;
		traced_set_ip(pid, visit->at);
		if (n == visit->nth)
			return true;
		/* Off the breakpoint, past repeats of one instruction. */
		do
			CHECK(traced_go(pid, TRACED_INSTRUCTION, &status) == TRACED_TRAP);
		while (traced_ip(pid) == visit->at);
	}
}

/* Out of another library, at its first instruction, by running on to where it returns to. false: it was not called from slipring's code. */
static inline bool death_step_over(pid_t pid, const struct death_trace *trace)
{
	errno = 0;
	long stack = ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rsp), NULL);
	CHECK(errno == 0);
	long back = ptrace(PTRACE_PEEKDATA, pid, stack, NULL);
	if (errno != 0 || !death_is_ours(trace, (uint64_t)back))
		return false;
	int status;
	long was = traced_break(pid, (uint64_t)back);
	CHECK(traced_go(pid, TRACED_ON, &status) == TRACED_TRAP);
	CHECK(traced_ip(pid) == (uint64_t)back + 1);
	traced_unbreak(pid, (uint64_t)back, was);
	traced_set_ip(pid, (uint64_t)back);
	return true;
}

/*
 * Goes through the call, by steps in slipring's code, and in all where the case says everywhere. changes: only visits before which something in shared
 * memory has changed.
 */
static inline void death_record(struct death_case *c, bool changes, struct death_trace *trace)
{
	struct death_trace all = {0};
	death_find_code(&all);
	pid_t pid = death_begin(c);
	uint64_t state = changes ? death_state() : 0;
	bool inside = false;
	for (;;) {
		uint64_t at = traced_ip(pid);
		bool ours = death_is_ours(&all, at);
		if (inside && !ours && !c->everywhere && death_step_over(pid, &all))
			continue;
		inside = ours;
		if ((ours || c->everywhere) && death_note(&all, at) && changes) {
			uint64_t now = death_state();
			if (now != state)
				death_keep(trace, &all.visits[all.count - 1]);
			state = now;
		}
		int status;
		siginfo_t why;
		CHECK(traced_go(pid, TRACED_INSTRUCTION, &status) == TRACED_TRAP);
		CHECK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &why) == 0);
		/* SI_KERNEL is the last mark's int3; a step is TRAP_TRACE. */
		if (why.si_code == SI_KERNEL)
			break;
	}
	traced_kill(pid);
	if (changes)
		free(all.visits);
	else
		*trace = all;
}

#endif
