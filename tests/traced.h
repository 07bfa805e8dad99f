/*
 * traced.h - a child under ptrace: it stops at marks, and its parent steps it from there, instruction by instruction or system call by
 * system call. x86-64; TRACED_HERE says whether this machine is one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_TRACED_H
#define SLIP_TESTS_TRACED_H

#include "support.h"

#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#if defined(__x86_64__)

enum { TRACED_HERE = 1 };

/* In the child: a stop that the parent takes for a mark. */
static inline void traced_mark(void)
{
	__asm__ volatile("int3" ::: "memory");
}

static inline uint64_t traced_ip(pid_t pid)
{
	errno = 0;
	long ip = ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rip), NULL);
	CHECK(errno == 0);
	return (uint64_t)ip;
}

static inline void traced_set_ip(pid_t pid, uint64_t ip)
{
	CHECK(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rip), ip) == 0);
}

/* Puts a breakpoint at an address; gives what was there. */
static inline long traced_break(pid_t pid, uint64_t at)
{
	errno = 0;
	long was = ptrace(PTRACE_PEEKTEXT, pid, at, NULL);
	CHECK(errno == 0);
	CHECK(ptrace(PTRACE_POKETEXT, pid, at, (was & ~0xffL) | 0xcc) == 0);
	return was;
}

static inline void traced_unbreak(pid_t pid, uint64_t at, long was)
{
	CHECK(ptrace(PTRACE_POKETEXT, pid, at, was) == 0);
}

/* How the kernel is asked to step: the next instruction, the next system call's entry or exit, the next stop. */
enum traced_step { TRACED_INSTRUCTION = PTRACE_SINGLESTEP, TRACED_CALL = PTRACE_SYSCALL, TRACED_ON = PTRACE_CONT };

enum traced_stop { TRACED_ENDED, TRACED_TRAP, TRACED_SYSCALL };

/*
 * Lets the child go on, and waits for its next stop: a trap (a step done, a mark or a breakpoint) or a system call. Signals are passed on. With
 * TRACED_ENDED it has ended and been reaped, and *status is what waitpid gave.
 */
static inline enum traced_stop traced_go(pid_t pid, enum traced_step step, int *status)
{
	long signal = 0;
	for (;;) {
		CHECK(ptrace((enum __ptrace_request)step, pid, NULL, signal) == 0);
		CHECK(waitpid(pid, status, 0) == pid);
		if (!WIFSTOPPED(*status))
			return TRACED_ENDED;
		signal = WSTOPSIG(*status);
		if (signal == (SIGTRAP | 0x80))
			return TRACED_SYSCALL;
		if (signal == SIGTRAP)
			return TRACED_TRAP;
	}
}

/* At a system call's entry: its number; and having it fail with err, made all the same or not (the child is at its exit then). */
static inline long traced_call(pid_t pid)
{
	errno = 0;
	long number = ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, orig_rax), NULL);
	CHECK(errno == 0);
	return number;
}

static inline void traced_fail_call(pid_t pid, int err, bool made)
{
	int status;
	if (!made)
		CHECK(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L) == 0);
	CHECK(traced_go(pid, TRACED_CALL, &status) == TRACED_SYSCALL);
	CHECK(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), -(long)err) == 0);
}

/* Forks a child that stops before it begins; then it runs body and ends with its result. Dies with the tracing thread. */
static inline pid_t traced_start(int (*body)(void *), void *context)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		/* Until PTRACE_O_EXITKILL is there a parent that dies would leave it stopped for good. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(99);
		(void)raise(SIGSTOP);
		_exit(body(context));
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)) == 0);
	return pid;
}

/* Runs on to the next mark; false where the child ended before. */
static inline bool traced_to_mark(pid_t pid)
{
	int status;
	return traced_go(pid, TRACED_ON, &status) == TRACED_TRAP;
}

static inline void traced_kill(pid_t pid)
{
	CHECK(kill(pid, SIGKILL) == 0);
	int status;
	do
		CHECK(waitpid(pid, &status, 0) == pid);
	while (WIFSTOPPED(status));
}

#else

enum { TRACED_HERE = 0 };

#endif

#endif
