/*
 * failing.c - linked into the slipring command, has one call of the C library fail: FAILING=NAME:N (wish.h), with the errno that it has for lack of
 * something. SPDX-License-Identifier: Apache-2.0
 */
#include "wish.h"

#include <dirent.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static void calm(void)
{
	wish.first = 0;
}

__attribute__((constructor)) static void choose(void)
{
	wish_read(getenv("FAILING"));
	(void)atexit(calm); /* what runs at the end is not the command's */
}

FAILS(void *, malloc, NULL, ENOMEM, (size_t size), (size))
FAILS(void *, calloc, NULL, ENOMEM, (size_t count, size_t size), (count, size))
FAILS(void *, realloc, NULL, ENOMEM, (void *memory, size_t size), (memory, size))
FAILS(void *, aligned_alloc, NULL, ENOMEM, (size_t alignment, size_t size), (alignment, size))
FAILS(char *, strdup, NULL, ENOMEM, (const char *text), (text))
FAILS(void *, mmap, MAP_FAILED, ENOMEM, (void *at, size_t size, int protection, int flags, int fd, off_t offset),
      (at, size, protection, flags, fd, offset))
FAILS(pid_t, fork, -1, EAGAIN, (void), ())
FAILS(int, pthread_create, EAGAIN, EAGAIN, (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context),
      (thread, attributes, run, context))
FAILS(int, pipe, -1, EMFILE, (int ends[2]), (ends))
FAILS(FILE *, fopen, NULL, EMFILE, (const char *path, const char *mode), (path, mode))
FAILS(int, fclose, EOF, ENOSPC, (FILE * file), (file))
FAILS(DIR *, opendir, NULL, EMFILE, (const char *path), (path))
FAILS(int, shm_open, -1, EMFILE, (const char *path, int flags, mode_t mode), (path, flags, mode))
FAILS(int, memfd_create, -1, EMFILE, (const char *title, unsigned flags), (title, flags))
FAILS(int, ftruncate, -1, ENOSPC, (int fd, off_t size), (fd, size))
FAILS(int, posix_fallocate, ENOSPC, ENOSPC, (int fd, off_t at, off_t size), (fd, at, size))
FAILS(int, sched_setaffinity, -1, EINVAL, (pid_t pid, size_t size, const void *set), (pid, size, set))
FAILS(int, statvfs, -1, EIO, (const char *path, struct statvfs *to), (path, to))
FAILS(int, lstat, -1, ENOENT, (const char *path, struct stat *to), (path, to))
FAILS(int, fstatat, -1, ENOENT, (int at, const char *path, struct stat *to, int flags), (at, path, to, flags))
FAILS(int, getentropy, -1, ENOSYS, (void *to, size_t size), (to, size))
FAILS(int, unshare, -1, EPERM, (int flags), (flags))
FAILS(int, setns, -1, EPERM, (int fd, int kind), (fd, kind))
FAILS(int, mount, -1, EPERM, (const char *from, const char *to, const char *kind, unsigned long flags, const void *data),
      (from, to, kind, flags, data))
FAILS(char *, mkdtemp, NULL, EACCES, (char *path), (path))
FAILS(ssize_t, write, -1, EPERM, (int fd, const void *from, size_t size), (fd, from, size))

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return wished("open", EMFILE) ? -1 : __real_open(path, flags, mode);
}

#ifdef SLIP_COVERAGE
void __real___gcov_dump(void);
void __wrap___gcov_dump(void);
void __wrap___gcov_dump(void)
{
	calm();
	__real___gcov_dump();
}
#endif
