/*
 * errnos.h - what each system call that slipring makes, itself, through the C library or through liburcu, can fail with: the errnos of its
 * manual page that apply to what is asked of it, and what an old kernel or a filter (seccomp) says. An empty list: it cannot fail, or
 * (membarrier, a futex that does not exist) liburcu or the C library end the process, which only a system does that changes its mind.
 * A futex's ETIMEDOUT comes by itself, in waits that are in vain.
 *
 * Beside it, why the library's call may succeed all the same. Everywhere: EINTR, after which it is made again; EEXIST, ENOENT and EBUSY,
 * where somebody else was faster: what is there now is looked at again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_FAULTS_ERRNOS_H
#define SLIP_TESTS_FAULTS_ERRNOS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { ERRNOS_MOST = 16, ANY = -1 };

struct call_errnos {
	const char *name;
	long number;
	int argument; /* that tells it from others of the number: those bits of it are value. ANY: none does */
	uint64_t bits;
	uint64_t value;
	const char *ignored;	 /* why the library's call may succeed; NULL: it may not */
	int errnos[ERRNOS_MOST]; /* up to a 0 */
};

/* clang-format off */
static const struct call_errnos CALL_ERRNOS[] = {
	{"openat(O_TMPFILE)", SYS_openat, 2, O_TMPFILE, O_TMPFILE, "growing asks for less room then",
	 {EACCES, EDQUOT, EINTR, EISDIR, ELOOP, EMFILE, ENFILE, ENOENT, ENOMEM, ENOSPC, ENOTDIR, EOPNOTSUPP, EPERM, EROFS}},
	{"openat(O_DIRECTORY)", SYS_openat, 2, O_DIRECTORY, O_DIRECTORY, "sweeping is tried again by the next writer",
	 {EACCES, EINTR, ELOOP, EMFILE, ENFILE, ENOENT, ENOMEM, ENOTDIR, EPERM}},
	{"openat", SYS_openat, ANY, 0, 0, "the cache's size is guessed; what cannot be looked at is not removed",
	 {EACCES, EAGAIN, EINTR, EISDIR, ELOOP, EMFILE, ENFILE, ENOENT, ENOMEM, ENOTDIR, ENXIO, EPERM, EROFS}},
	{"fallocate", SYS_fallocate, ANY, 0, 0, "the C library writes to each page then",
	 {EDQUOT, EFBIG, EINTR, EIO, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM}},
	{"pwrite", SYS_pwrite64, ANY, 0, 0, NULL, {EDQUOT, EFBIG, EINTR, EIO, ENOSPC, EPERM}},
	{"fchmod", SYS_fchmod, ANY, 0, 0, NULL, {EIO, EPERM, EROFS}},
	{"linkat(AT_EMPTY_PATH)", SYS_linkat, 4, AT_EMPTY_PATH, AT_EMPTY_PATH, "linked by way of /proc then",
	 {EACCES, EDQUOT, EEXIST, EIO, ENOENT, ENOMEM, ENOSPC, EPERM, EROFS}},
	{"linkat", SYS_linkat, ANY, 0, 0, NULL, {EACCES, EDQUOT, EEXIST, EIO, ENOENT, ENOMEM, ENOSPC, EPERM, EROFS}},
	{"renameat2", SYS_renameat2, ANY, 0, 0, NULL,
	 {EACCES, EBUSY, EDQUOT, EEXIST, EINVAL, EIO, ENOENT, ENOMEM, ENOSPC, ENOSYS, EPERM, EROFS}},
	{"renameat", SYS_renameat, ANY, 0, 0, NULL, {EACCES, EBUSY, EDQUOT, EIO, ENOENT, ENOMEM, ENOSPC, EPERM, EROFS}},
	{"unlink", SYS_unlink, ANY, 0, 0, "left for the next writer or gc", {EACCES, EBUSY, EIO, ENOENT, ENOMEM, EPERM, EROFS}},
	{"fstat", SYS_newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH, "what cannot be looked at is not removed", {EIO, ENOMEM}},
	{"fstat", SYS_fstat, ANY, 0, 0, "what cannot be looked at is not removed", {EIO, ENOMEM}},
	{"lstat", SYS_newfstatat, ANY, 0, 0, "taken for where it led before", {EACCES, EIO, ELOOP, ENOENT, ENOMEM, ENOTDIR}},
	{"fstatfs", SYS_fstatfs, ANY, 0, 0, "allocating finds out", {EIO, ENOMEM, ENOSYS}},
	{"access", SYS_access, ANY, 0, 0, "only chooses a sentence", {EACCES, EIO, ENOENT, ENOMEM}},
	{"faccessat2", SYS_faccessat2, ANY, 0, 0, "only chooses a sentence", {EACCES, EIO, ENOENT, ENOMEM, ENOSYS}},
	{"getdents64", SYS_getdents64, ANY, 0, 0, "sweeping is tried again by the next writer", {EINVAL, EIO, ENOENT}},
	{"mmap(MAP_ANONYMOUS)", SYS_mmap, 3, MAP_ANONYMOUS, MAP_ANONYMOUS, "the C library takes memory elsewhere", {EAGAIN, ENOMEM}},
	{"mmap", SYS_mmap, ANY, 0, 0, "a writer finds a slot elsewhere", {EACCES, EAGAIN, ENFILE, ENOMEM, EPERM}},
	{"brk", SYS_brk, ANY, 0, 0, "the C library takes memory elsewhere", {ENOMEM}},
	{"munmap", SYS_munmap, ANY, 0, 0, "nothing to be done about it", {ENOMEM}},
	{"mprotect", SYS_mprotect, ANY, 0, 0, "a guard page of a test build", {EACCES, ENOMEM}},
	{"madvise(DONTFORK)", SYS_madvise, 2, ~UINT64_C(0), MADV_DONTFORK, "a dead reader counts as alive",
	 {EAGAIN, EINVAL, ENOMEM, ENOSYS}},
	{"madvise", SYS_madvise, ANY, 0, 0, "advice", {EAGAIN, EINVAL, ENOMEM, ENOSYS}},
	{"mlock", SYS_mlock, ANY, 0, 0, NULL, {EAGAIN, EINVAL, ENOMEM, EPERM}},
	{"fcntl(F_OFD_SETLK)", SYS_fcntl, 1, ~UINT64_C(0), F_OFD_SETLK, "a dead reader counts as alive",
	 {EACCES, EAGAIN, EINVAL, ENOLCK}},
	{"fcntl(F_OFD_GETLK)", SYS_fcntl, 1, ~UINT64_C(0), F_OFD_GETLK, "who cannot be asked about counts as alive",
	 {EACCES, EINVAL, ENOLCK}},
	{"fcntl(F_SETFL)", SYS_fcntl, 1, ~UINT64_C(0), F_SETFL, "asks whose it is, beside its owner", {EPERM}},
	{"fcntl(F_GETFL)", SYS_fcntl, 1, ~UINT64_C(0), F_GETFL, NULL, {0}},
	{"read", SYS_read, ANY, 0, 0, "the cache's size is guessed", {EINTR, EIO}},
	{"pread", SYS_pread64, ANY, 0, 0, NULL, {EINTR, EIO}},
	{"close", SYS_close, ANY, 0, 0, "the descriptor is gone all the same", {EINTR, EIO}},
	{"futex(FUTEX_WAKE)", SYS_futex, 1, 0x7f, FUTEX_WAKE, "sleepers look up within a second", {EINVAL}},
	{"futex(FUTEX_WAIT)", SYS_futex, ANY, 0, 0, "looked at again", {EAGAIN, EINTR}},
#ifdef SYS_futex_waitv
	{"futex_waitv", SYS_futex_waitv, ANY, 0, 0, "polled then", {EAGAIN, EINTR, EINVAL, ENOMEM, ENOSYS, EPERM}},
#endif
	{"clock_nanosleep", SYS_clock_nanosleep, ANY, 0, 0, "slept less", {EINTR}},
	{"getrandom", SYS_getrandom, ANY, 0, 0, NULL, {EINTR, ENOSYS, EPERM}},
	{"kill(0)", SYS_kill, ANY, 0, 0, "only chooses a sentence", {EPERM, ESRCH}},
	{"sched_getaffinity", SYS_sched_getaffinity, ANY, 0, 0, "the C library guesses", {EINVAL, EPERM}},
	{"membarrier", SYS_membarrier, ANY, 0, 0, NULL, {0}},
	{"rt_sigprocmask", SYS_rt_sigprocmask, ANY, 0, 0, NULL, {0}},
	{"sched_yield", SYS_sched_yield, ANY, 0, 0, NULL, {0}},
	{"clock_gettime", SYS_clock_gettime, ANY, 0, 0, NULL, {0}},
	{"lseek", SYS_lseek, ANY, 0, 0, NULL, {0}},
	{"getpid", SYS_getpid, ANY, 0, 0, NULL, {0}},
	{"gettid", SYS_gettid, ANY, 0, 0, NULL, {0}},
	{"geteuid", SYS_geteuid, ANY, 0, 0, NULL, {0}},
	{"restart_syscall", SYS_restart_syscall, ANY, 0, 0, NULL, {0}},
};
/* clang-format on */

enum { CALL_COUNT = sizeof(CALL_ERRNOS) / sizeof(CALL_ERRNOS[0]) };

/* NULL: not in the list. */
static inline const struct call_errnos *errnos_of(long number, const uint64_t arguments[6])
{
	for (size_t i = 0; i < CALL_COUNT; i++) {
		const struct call_errnos *c = &CALL_ERRNOS[i];
		if (c->number == number && (c->argument == ANY || (arguments[c->argument] & c->bits) == c->value))
			return c;
	}
	return NULL;
}

static inline bool may_be_ignored(const struct call_errnos *call, int err)
{
	return call->ignored != NULL || err == EINTR || err == EEXIST || err == ENOENT || err == EBUSY;
}

#endif
