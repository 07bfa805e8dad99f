/*
 * errnos.h - what each system call that slipring makes, itself or through the C library, can fail with: the errnos of its manual page that apply to what
 * is asked of it, and what a filter (seccomp) or an old kernel says. An empty list: it cannot fail. membarrier is liburcu's, which asks at the process's start
 * whether the kernel has it and does without if not, but ends the process if it stops working after that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_ERRNOS_H
#define SLIP_TESTS_ERRNOS_H

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>

enum { ERRNOS_MOST = 16 };

struct call_errnos {
	long number;
	const char *name;
	int errnos[ERRNOS_MOST]; /* up to a 0 */
};

#define CALL(name, ...)                                                                                                                    \
	{                                                                                                                                  \
		SYS_##name, #name,                                                                                                         \
		{                                                                                                                          \
			__VA_ARGS__                                                                                                        \
		}                                                                                                                          \
	}

static const struct call_errnos CALL_ERRNOS[] = {
	CALL(openat, EACCES, EPERM, ENOENT, ELOOP, ENOTDIR, EISDIR, ENXIO, EMFILE, ENFILE, ENOMEM, ENOSPC, EINTR, EROFS, EOPNOTSUPP, EIO),
	CALL(fallocate, ENOSPC, EDQUOT, EFBIG, EINTR, EIO, EOPNOTSUPP, ENOSYS, EPERM),
	CALL(ftruncate, EFBIG, EINTR, EIO, EPERM),
	CALL(fchmod, EPERM, EIO, EROFS),
	CALL(fstat, ENOMEM, EIO, EOVERFLOW),
	CALL(newfstatat, ENOENT, EACCES, ENOMEM, EIO, ELOOP),
	CALL(fstatfs, EIO, ENOMEM, ENOSYS),
	CALL(statfs, EIO, EACCES, ENOMEM, ENOSYS),
	CALL(mmap, ENOMEM, EAGAIN, ENFILE, EACCES, EPERM),
	CALL(munmap, ENOMEM),
	CALL(mprotect, ENOMEM, EACCES),
	CALL(madvise, EINVAL, ENOMEM, EAGAIN, ENOSYS),
	CALL(mlock, ENOMEM, EPERM, EAGAIN),
	CALL(fcntl, EAGAIN, EACCES, ENOLCK, EINTR, EINVAL),
	CALL(linkat, EEXIST, EACCES, EPERM, ENOENT, ENOSPC, EDQUOT, EMLINK, EROFS, EIO),
	CALL(rename, EACCES, EPERM, EBUSY, ENOSPC, EROFS, EIO),
	CALL(renameat, EACCES, EPERM, EBUSY, ENOSPC, EROFS, EIO),
	CALL(renameat2, EEXIST, EACCES, EPERM, EBUSY, ENOENT, ENOSPC, EINVAL, ENOSYS, EROFS, EIO),
	CALL(unlink, EACCES, EPERM, EBUSY, ENOENT, EROFS, EIO),
	CALL(unlinkat, EACCES, EPERM, EBUSY, ENOENT, EROFS, EIO),
	CALL(write, ENOSPC, EDQUOT, EFBIG, EINTR, EIO),
	CALL(pwrite64, ENOSPC, EDQUOT, EFBIG, EINTR, EIO),
	CALL(read, EINTR, EIO),
	CALL(pread64, EINTR, EIO),
	CALL(readlink, EACCES, ENOENT, EIO),
	CALL(lseek, EINVAL),
	CALL(access, EACCES, ENOENT),
	CALL(faccessat, EACCES, ENOENT, EINVAL),
	CALL(faccessat2, EACCES, ENOENT, ENOSYS),
	CALL(getdents64, EIO, ENOENT, EINVAL),
	CALL(close, EIO, EINTR),
	CALL(futex, EAGAIN, EINTR, ETIMEDOUT, EINVAL, ENOSYS),
#ifdef SYS_futex_waitv
	CALL(futex_waitv, ENOSYS, EINTR, EAGAIN, EINVAL, ENOMEM, ETIMEDOUT, EPERM),
#endif
	CALL(clock_nanosleep, EINTR),
	CALL(clock_gettime, 0),
	CALL(getrandom, EAGAIN, EINTR, ENOSYS, EPERM),
	CALL(membarrier, 0),
	CALL(rt_sigprocmask, 0),
	CALL(sched_yield, 0),
	CALL(sched_getaffinity, EINVAL, EPERM),
	CALL(brk, ENOMEM),
	CALL(getpid, 0),
	CALL(gettid, 0),
	CALL(geteuid, 0),
	CALL(getuid, 0),
	CALL(restart_syscall, 0),
};

#undef CALL

static inline const struct call_errnos *errnos_of(long number)
{
	for (size_t i = 0; i < sizeof(CALL_ERRNOS) / sizeof(CALL_ERRNOS[0]); i++)
		if (CALL_ERRNOS[i].number == number)
			return &CALL_ERRNOS[i];
	return NULL;
}

#endif
