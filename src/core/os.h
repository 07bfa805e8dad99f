/*
 * os.h - everything that slipring asks of the operating system. os_linux*.c are the only files with system calls; tests link
 * another one that fails on purpose.
 *
 * Names are file names in the shared memory directory, never paths. Functions that return int give 0 or a value >= 0, or -1 with
 * errno and a detail sentence, unless they say otherwise.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_OS_H
#define SLIP_CORE_OS_H

#include "atomic.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Which file an object is. Two objects under one name at different times differ in it. */
struct slip__identity {
	uint64_t device;
	uint64_t inode;
};

struct slip__file {
	struct slip__identity identity;
	uint64_t size;
	mode_t permissions;
	uid_t owner;
	uint32_t links;
};

enum slip__access { SLIP__READ_ONLY, SLIP__READ_WRITE };

/* The directory: /dev/shm, or what SLIPRING_DIR says (ignored where the process has gained privileges). Never NULL. */
const char *slip__os_directory(void);
/* Whether it is there: nothing can be in it where it is not. */
bool slip__os_has_directory(void);

/*
 * Makes a file without a name, with exact permissions, of size bytes that are allocated, not promised. Returns its
 * descriptor. ENOSPC leaves nothing. It goes away by itself unless slip__os_link gives it a name.
 */
int slip__os_make(uint64_t size, mode_t permissions);
int slip__os_write(int fd, const void *bytes, size_t size);
int slip__os_link(int fd, const char *name);

/* Renames; with replace the target goes, without it EEXIST where there is one. */
int slip__os_rename(const char *from, const char *to, bool replace);

/* Unlinks; a name that is gone already is success. */
int slip__os_unlink(const char *name);

/*
 * Opens what is under a name, if it is a plain file: ELOOP for a symlink, EPERM for anything else. Fills file. ENOENT sets no
 * detail, because not being there is an ordinary answer.
 */
int slip__os_open(const char *name, enum slip__access access, struct slip__file *file);
int slip__os_stat_fd(int fd, struct slip__file *file);

/* 1 where the name leads to this very file now, 0 where it leads elsewhere or nowhere, -1 without a detail where that cannot be told. */
int slip__os_leads_to(const char *name, struct slip__identity identity);

/* Calls each for every file name in the directory; a negative return ends the walk. -1 only where the directory can't be read. */
int slip__os_list(int (*each)(const char *name, void *context), void *context);

void slip__os_close(int fd);

/* Shared mapping from offset 0. NULL on failure. */
void *slip__os_map(int fd, size_t size, enum slip__access access);
void slip__os_unmap(void *address, size_t size);
/* Makes a page-aligned part of a mapping inaccessible. */
void slip__os_guard(void *address, size_t size);
size_t slip__os_page_size(void);

/* Advice: failing is no error, except for lock. write: the pages get allocated dirty; else mapped for reading. */
void slip__os_prefault(void *address, size_t size, bool write);
void slip__os_huge_pages(void *address, size_t size);
int slip__os_lock_memory(void *address, size_t size);

/*
 * Liveness. An anchor is a write lock on one byte of a file, on an open file description of its own that only a page mapping keeps:
 * it needs no descriptor, is not inherited by fork, and ends with slip__os_anchor_drop, exec or the process's death.
 * Returns NULL with EAGAIN where somebody else holds the byte, ENOENT where the name doesn't lead to identity (any more); both
 * without a detail. After success the name led to identity while the lock was held.
 */
void *slip__os_anchor(const char *name, struct slip__identity identity, uint64_t byte);
/* The same on count bytes, all or none. */
void *slip__os_anchor_bytes(const char *name, struct slip__identity identity, uint64_t byte, uint64_t count);
void slip__os_anchor_drop(void *anchor);

/*
 * 1 where somebody holds a lock as an anchor has it, a write lock, on the byte (through another description than fd's), else 0. -1 without a detail.
 */
int slip__os_is_locked(int fd, uint64_t byte);

/* 1 where a read lock is on the byte. No slipring makes one, and no anchor can be had beside it. */
int slip__os_is_read_locked(int fd, uint64_t byte);

/* CLOCK_MONOTONIC and CLOCK_REALTIME in ns. The coarse one is a few ns to read and a few ms behind. */
int64_t slip__os_now(void);
int64_t slip__os_now_coarse(void);
int64_t slip__os_realtime(void);
/* -1 with EINTR, without a detail, where a signal handler ran. */
int slip__os_sleep(int64_t ns);

/*
 * Sleeps while *word == expected, until deadline (CLOCK_MONOTONIC ns, INT64_MAX: none). 0 woken or changed, -1 with ETIMEDOUT or
 * EINTR, without a detail. The word may be in memory shared between processes.
 */
int slip__os_futex_wait(slip__a32 *word, uint32_t expected, int64_t deadline);
void slip__os_futex_wake_all(slip__a32 *word);

/*
 * POSIX semaphores, shared between processes, in memory of SLIP__SEMAPHORE_BYTES that the caller maps; the bytes there may be any. take: deadline is
 * CLOCK_MONOTONIC ns, 0 tries once; 0, or -1 without a detail: EAGAIN (tried once), ETIMEDOUT, EINTR.
 */
enum { SLIP__SEMAPHORE_BYTES = 32 };
int slip__os_semaphore_init(void *semaphore, uint32_t value);
int slip__os_semaphore_take(void *semaphore, int64_t deadline);
void slip__os_semaphore_give(void *semaphore);
int slip__os_semaphore_value(const void *semaphore);

struct slip__futex {
	slip__a32 *word;
	uint32_t expected;
};

enum { SLIP__FUTEX_MANY = 128 };

/* The same for up to SLIP__FUTEX_MANY words at once. ENOSYS or another errno where the kernel can't, or may not. */
int slip__os_futex_wait_many(const struct slip__futex *futexes, size_t count, int64_t deadline);

/* A number that differs between a process and the child that it forks, and never is 0. A few ns. */
uint64_t slip__os_process_token(void);

uint32_t slip__os_pid(void);
/* 0 where a process of this number does not exist in this PID namespace. */
int slip__os_has_process(uint32_t pid);
uid_t slip__os_user(void);
/* Whether an open file, whose owner is given, is this user's. */
bool slip__os_is_ours(int fd, uid_t owner);
int slip__os_random(uint64_t *value);

/* Bytes of the last-level cache; a usual size where the system doesn't say. */
size_t slip__os_cache_size(void);

#endif
