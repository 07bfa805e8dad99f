/*
 * os_linux.c - os.h on Linux: files in a tmpfs, mappings, OFD locks, the process. With os_linux_wait.c, the only system calls of the core.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "os.h"

#include "error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { ALLOCATION_STEP = 64 << 20 };

/* ---- files ---- */

const char *slip__os_directory(void)
{
	const char *directory = secure_getenv("SLIPRING_DIR");
	return directory != NULL && directory[0] != '\0' ? directory : "/dev/shm";
}

bool slip__os_has_directory(void)
{
	return access(slip__os_directory(), F_OK) == 0;
}

static int path_of(const char *name, char path[PATH_MAX])
{
	int length = snprintf(path, PATH_MAX, "%s/%s", slip__os_directory(), name);
	if (length < 0 || length >= PATH_MAX)
		return slip__fail(ENAMETOOLONG, "the path of '%s' in SLIPRING_DIR has %d bytes; at most %d fit", name, length,
				  PATH_MAX - 1);
	return 0;
}

/*
 * What the kernel refuses, in errnos that mean the same to callers. To them EAGAIN is a slot or a lock that is taken, and EINVAL an argument of
 * theirs; the kernel says them of memory that may not be locked (a mapping after mlockall), and of what it does not know.
 */
static int refusal(int err)
{
	switch (err) {
	case EAGAIN: return ENOMEM;
	case EINVAL:
	case EISDIR: return ENOTSUP; /* EISDIR: O_TMPFILE where there is none */
	default: return err;
	}
}

static int open_uninterrupted(const char *path, int flags, mode_t permissions)
{
	int fd;
	do
		fd = open(path, flags | O_CLOEXEC, permissions);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/* "user 1000's FIFO (mode 0644)": what stands under a path, and whom to ask about it. */
enum { WHOSE_BYTES = 64 };

static const char *whose(const char *path, char text[WHOSE_BYTES])
{
	struct stat status;
	const char *kind = "";
	if (lstat(path, &status) != 0) {
		(void)snprintf(text, WHOSE_BYTES, errno == ENOENT ? "gone by now" : "in a directory that is closed to you");
		return text;
	}
	switch (status.st_mode & S_IFMT) {
	case S_IFREG: kind = "file"; break;
	case S_IFLNK: kind = "symbolic link"; break;
	case S_IFDIR: kind = "directory"; break;
	case S_IFIFO: kind = "FIFO"; break;
	case S_IFSOCK: kind = "socket"; break;
	default: kind = "device"; break;
	}
	(void)snprintf(text, WHOSE_BYTES, "user %u's %s (mode 0%o)", status.st_uid, kind, status.st_mode & 07777);
	return text;
}

static int fail_with_close(int fd, int err, const char *what)
{
	close(fd);
	return slip__fail(err, "%s in %s: %s", what, slip__os_directory(), strerror(err));
}

/* In steps, so that a process with an interval timer gets on: a signal undoes the step that it interrupts. */
static int allocate(int fd, uint64_t size)
{
	/* What can never fit is refused before it has filled the machine's memory, which is the tmpfs's too. */
	struct statvfs room;
	if (fstatvfs(fd, &room) == 0 && room.f_blocks != 0 && size / room.f_frsize > room.f_bavail)
		return ENOSPC;
	for (uint64_t at = 0; at < size;) {
		uint64_t step = size - at < ALLOCATION_STEP ? size - at : ALLOCATION_STEP;
		int err = posix_fallocate(fd, (off_t)at, (off_t)step);
		if (err == EINTR)
			continue;
		if (err != 0)
			return err;
		at += step;
	}
	return 0;
}

static const char *why_not_made(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR: return "mount a tmpfs there, or let SLIPRING_DIR name one";
	case ENOSPC: return "it has no free inodes: raise its nr_inodes";
	case EROFS: return "mount it writable, or let SLIPRING_DIR name another tmpfs";
	case EACCES: return "its owner's to change: chmod 1777";
	default: return "it must be a tmpfs that you may write to";
	}
}

int slip__os_make(uint64_t size, mode_t permissions)
{
	if (size > (uint64_t)INT64_MAX)
		return slip__fail(EOVERFLOW, "an object of %llu bytes is larger than a file can be", (unsigned long long)size);
	int fd = open_uninterrupted(slip__os_directory(), O_TMPFILE | O_RDWR, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return slip__fail(refusal(errno), "cannot make a file in %s: %s (%s)", slip__os_directory(), strerror(errno),
				  why_not_made(errno));
	if (fchmod(fd, permissions) != 0)
		return fail_with_close(fd, errno, "cannot set permissions");
	int err = allocate(fd, size);
	if (err != 0) {
		close(fd);
		return slip__fail(err, "no room for %llu bytes in %s: %s; make it larger or ask for fewer or smaller slots",
				  (unsigned long long)size, slip__os_directory(), strerror(err));
	}
	return fd;
}

int slip__os_write(int fd, const void *bytes, size_t size)
{
	const char *from = bytes;
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, from + done, size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return slip__fail(n == 0 ? ENOSPC : errno, "cannot write %zu bytes in %s: %s", size, slip__os_directory(),
					  strerror(errno));
		done += (size_t)n;
	}
	return 0;
}

int slip__os_link(int fd, const char *name)
{
	char path[PATH_MAX];
	if (path_of(name, path) != 0)
		return -1;
	/* Needs a privilege on older kernels; the way through /proc needs /proc. */
	if (linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno == EEXIST)
		return slip__fail(EEXIST, "'%s' exists already", name);
	char self[64];
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	return slip__fail(errno, "cannot link %s/%s: %s%s", slip__os_directory(), name, strerror(errno),
			  errno == ENOENT ? " (is /proc mounted?)" : "");
}

int slip__os_rename(const char *from, const char *to, bool replace)
{
	char path_from[PATH_MAX];
	char path_to[PATH_MAX];
	if (path_of(from, path_from) != 0 || path_of(to, path_to) != 0)
		return -1;
	if (renameat2(AT_FDCWD, path_from, AT_FDCWD, path_to, replace ? 0 : RENAME_NOREPLACE) == 0)
		return 0;
	return slip__fail(refusal(errno), "cannot rename %s/%s to %s: %s", slip__os_directory(), from, to, strerror(errno));
}

int slip__os_unlink(const char *name)
{
	char path[PATH_MAX];
	if (path_of(name, path) != 0)
		return -1;
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	int err = errno;
	char what[WHOSE_BYTES];
	return slip__fail(err, "cannot remove %s: %s; it is %s", path, strerror(err), whose(path, what));
}

static void describe(const struct stat *status, struct slip__file *file)
{
	file->identity.device = status->st_dev;
	file->identity.inode = status->st_ino;
	file->size = status->st_size > 0 ? (uint64_t)status->st_size : 0;
	file->permissions = status->st_mode & 07777;
	file->owner = status->st_uid;
	file->links = (uint32_t)status->st_nlink;
}

int slip__os_stat_fd(int fd, struct slip__file *file)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return slip__fail(errno, "cannot look at an open object: %s", strerror(errno));
	describe(&status, file);
	return 0;
}

static int fail_not_plain(const char *path)
{
	char what[WHOSE_BYTES];
	return slip__fail(EPERM, "%s is %s, not a plain file; remove it, or use another name", path, whose(path, what));
}

/* errno says why. */
static int fail_open(const char *path, enum slip__access access)
{
	int err = errno;
	char what[WHOSE_BYTES];
	if (err == ENXIO || err == EISDIR)
		return fail_not_plain(path);
	if (err == ELOOP)
		return slip__fail(ELOOP, "%s is %s; slipring opens only objects themselves: remove it, or use another name", path,
				  whose(path, what));
	/* Not EAGAIN, which means "look again" to callers: its owner may keep that up for as long as it likes. */
	if (err == EWOULDBLOCK)
		return slip__fail(EPERM, "%s is %s, who holds a lease on it; slipring takes none", path, whose(path, what));
	if (err != EACCES)
		return slip__fail(refusal(err), "cannot open %s: %s", path, strerror(err));
	if (access == SLIP__READ_ONLY)
		return slip__fail(EACCES, "no permission to read %s, which is %s; its writer's permissions option decides who may", path,
				  whose(path, what));
	bool readable = faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0;
	return slip__fail(EACCES, "no permission to read and write %s, which is %s; %s", path, whose(path, what),
			  readable ? "an observer needs reading only" : "its writer's permissions option decides who may");
}

int slip__os_open(const char *name, enum slip__access access, struct slip__file *file)
{
	char path[PATH_MAX];
	if (path_of(name, path) != 0)
		return -1;
	/* O_NONBLOCK: opening a FIFO that somebody planted must not hang. */
	int fd = open_uninterrupted(path, (access == SLIP__READ_WRITE ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return errno == ENOENT ? slip__fail_silently(ENOENT) : fail_open(path, access);
	struct stat status;
	if (fstat(fd, &status) != 0)
		return fail_with_close(fd, errno, "cannot look at an object");
	if (!S_ISREG(status.st_mode)) {
		close(fd);
		return fail_not_plain(path);
	}
	describe(&status, file);
	return fd;
}

int slip__os_leads_to(const char *name, struct slip__identity identity)
{
	char path[PATH_MAX];
	struct stat status;
	if (path_of(name, path) != 0)
		return 0;
	if (lstat(path, &status) != 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : slip__fail_silently(refusal(errno));
	return status.st_dev == identity.device && status.st_ino == identity.inode;
}

int slip__os_list(int (*each)(const char *name, void *context), void *context)
{
	DIR *directory;
	do
		directory = opendir(slip__os_directory());
	while (directory == NULL && errno == EINTR);
	if (directory == NULL)
		return slip__fail(refusal(errno), "cannot read the directory %s: %s", slip__os_directory(), strerror(errno));
	const struct dirent *entry;
	bool go_on = true;
	while (go_on && (errno = 0, entry = readdir(directory)) != NULL)
		go_on = each(entry->d_name, context) >= 0;
	int err = go_on ? errno : 0;
	closedir(directory);
	return err == 0 ? 0 : slip__fail(refusal(err), "cannot read the directory %s: %s", slip__os_directory(), strerror(err));
}

void slip__os_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* ---- memory ---- */

void *slip__os_map(int fd, size_t size, enum slip__access access)
{
	int protection = access == SLIP__READ_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
	void *address = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED)
		return slip__fail_null(refusal(errno), "cannot map %zu bytes of shared memory: %s", size, strerror(errno));
	return address;
}

void slip__os_unmap(void *address, size_t size)
{
	if (address != NULL)
		munmap(address, size);
}

void slip__os_guard(void *address, size_t size)
{
	(void)mprotect(address, size, PROT_NONE);
}

size_t slip__os_page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

void slip__os_prefault(void *address, size_t size, bool write)
{
#ifdef MADV_POPULATE_READ
	/* EINVAL: an older kernel. Whatever else: touching what the kernel could not make would be a SIGBUS or a SIGSEGV. */
	if (madvise(address, size, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) == 0 || errno != EINVAL)
		return;
#else
	(void)write;
#endif
	/* Reading is enough: posix_fallocate has made the pages, they only need a mapping. */
	const slip__a32 *words = address;
	for (size_t at = 0; at < size; at += slip__os_page_size())
		(void)a32_load_relaxed(&words[at / sizeof(*words)]);
}

void slip__os_huge_pages(void *address, size_t size)
{
	(void)madvise(address, size, MADV_HUGEPAGE);
}

int slip__os_lock_memory(void *address, size_t size)
{
	if (mlock(address, size) != 0)
		return slip__fail(refusal(errno), "cannot lock %zu bytes in memory: %s (see ulimit -l)", size, strerror(errno));
	return 0;
}

/* ---- liveness ---- */

static struct flock lock_of(uint64_t byte, short type)
{
	struct flock lock;
	memset(&lock, 0, sizeof(lock)); /* l_pid must be 0 for OFD locks */
	lock.l_type = type;
	lock.l_whence = SEEK_SET;
	lock.l_start = (off_t)byte;
	lock.l_len = 1;
	return lock;
}

void *slip__os_anchor_bytes(const char *name, struct slip__identity identity, uint64_t byte, uint64_t count)
{
	struct slip__file file = {.size = 0};
	int fd = slip__os_open(name, SLIP__READ_WRITE, &file);
	if (fd < 0)
		return NULL;
	if (file.identity.device != identity.device || file.identity.inode != identity.inode) {
		close(fd);
		errno = ENOENT;
		return NULL;
	}
	void *anchor = mmap(NULL, slip__os_page_size(), PROT_NONE, MAP_SHARED, fd, 0);
	if (anchor == MAP_FAILED || madvise(anchor, slip__os_page_size(), MADV_DONTFORK) != 0) {
		int err = errno;
		if (anchor != MAP_FAILED)
			slip__os_anchor_drop(anchor);
		close(fd);
		return slip__fail_null(refusal(err), "cannot map a lock's page: %s", strerror(err));
	}
	struct flock lock = lock_of(byte, F_WRLCK);
	lock.l_len = (off_t)count;
	int err = fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
	close(fd);
	int leads = err == 0 ? slip__os_leads_to(name, identity) : 0;
	if (leads == 1)
		return anchor;
	if (leads < 0)
		err = errno;
	slip__os_anchor_drop(anchor);
	if (leads < 0)
		return slip__fail_null(err, "cannot look at %s: %s", name, strerror(err));
	if (err != 0 && err != EACCES && err != EAGAIN)
		return slip__fail_null(refusal(err), "cannot lock byte %llu of %s: %s", (unsigned long long)byte, name, strerror(err));
	errno = err == 0 ? ENOENT : EAGAIN;
	return NULL;
}

void *slip__os_anchor(const char *name, struct slip__identity identity, uint64_t byte)
{
	return slip__os_anchor_bytes(name, identity, byte, 1);
}

void slip__os_anchor_drop(void *anchor)
{
	if (anchor != NULL)
		munmap(anchor, slip__os_page_size());
}

int slip__os_is_locked(int fd, uint64_t byte)
{
	/* Asked as a reader, because only write locks are in a reader's way: whoever may read a file can put read locks on it. */
	struct flock lock = lock_of(byte, F_RDLCK);
	if (fcntl(fd, F_OFD_GETLK, &lock) != 0)
		return -1;
	return lock.l_type != F_UNLCK;
}

int slip__os_is_read_locked(int fd, uint64_t byte)
{
	struct flock lock = lock_of(byte, F_WRLCK);
	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_RDLCK;
}

/* ---- process ---- */

static slip__aptr token_page;

static slip__a64 *make_token_page(void)
{
	void *page = mmap(NULL, slip__os_page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* Without it a fork cannot be told from its parent; refusing to work would be worse, so a process-wide word stands in. */
	static slip__a64 fallback;
	if (page == MAP_FAILED)
		return &fallback;
	if (madvise(page, slip__os_page_size(), MADV_WIPEONFORK) != 0) {
		munmap(page, slip__os_page_size());
		return &fallback;
	}
	void *first = aptr_cas_acq_rel(&token_page, NULL, page); /* @TOKEN */
	if (first == page)
		return page;
	munmap(page, slip__os_page_size()); /* another thread was faster */
	return first;
}

uint64_t slip__os_process_token(void)
{
	slip__a64 *page = aptr_load_acquire(&token_page); /* @TOKEN */
	if (__builtin_expect(page == NULL, 0))
		page = make_token_page();
	uint64_t token = a64_load_relaxed(page);
	if (__builtin_expect(token != 0, 1))
		return token;
	uint64_t fresh;
	if (slip__os_random(&fresh) != 0)
		fresh = (uint64_t)getpid();
	(void)a64_cas_relaxed(page, 0, fresh | 1);
	return a64_load_relaxed(page);
}

uint32_t slip__os_pid(void)
{
	return (uint32_t)getpid();
}

int slip__os_has_process(uint32_t pid)
{
	return pid == 0 || pid > INT32_MAX || kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

uid_t slip__os_user(void)
{
	return geteuid();
}

bool slip__os_is_ours(int fd, uid_t owner)
{
	if (owner != geteuid())
		return false;
	/* In a user namespace all who have no number there look alike; but the kernel lets an owner alone do this. */
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NOATIME) != 0 && errno == EPERM)
		return false;
	(void)fcntl(fd, F_SETFL, flags);
	return true;
}

int slip__os_random(uint64_t *value)
{
	for (;;) {
		ssize_t n = getrandom(value, sizeof(*value), 0);
		if (n == (ssize_t)sizeof(*value))
			return 0;
		if (n < 0 && errno != EINTR)
			return slip__fail(errno, "the kernel gives no random numbers: %s", strerror(errno));
	}
}

/* What the kernel read off the CPU, such as "32768K"; the C library's number is the whole host's on some virtual machines. */
static size_t cache_size_of_kernel(void)
{
	char text[32] = {0};
	int fd = open("/sys/devices/system/cpu/cpu0/cache/index3/size", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	char *unit;
	size_t size = n > 0 ? strtoul(text, &unit, 10) : 0;
	if (size == 0)
		return 0;
	return size << (*unit == 'K' ? 10 : *unit == 'M' ? 20 : 0);
}

size_t slip__os_cache_size(void)
{
	size_t kernel = cache_size_of_kernel();
	long size = kernel > 0 ? (long)kernel : sysconf(_SC_LEVEL3_CACHE_SIZE);
	if (size <= 0)
		size = sysconf(_SC_LEVEL2_CACHE_SIZE);
	return size > 0 ? (size_t)size : (size_t)8 << 20;
}
