/*
 * kernel.c - each call of the kernel that slipring stands on, really made. A container's filter answers EPERM or ENOSYS for calls that it does not know;
 * that is told from a kernel that does not have them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../text.h"
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static bool has_kernel(int major, int minor)
{
	struct utsname name;
	int is_major = 0;
	int is_minor = 0;
	if (uname(&name) != 0 || sscanf(name.release, "%d.%d", &is_major, &is_minor) != 2)
		return false;
	return is_major > major || (is_major == major && is_minor >= minor);
}

static void say_error_name(struct report *report, int err)
{
	report_text(report, "error", strerrorname_np(err) != NULL ? strerrorname_np(err) : "?");
}

/* Why a call that this kernel should have, since major.minor, failed. */
static void say_why(struct report *report, const struct patient *patient, int err, int major, int minor)
{
	if (err != ENOSYS && err != EPERM && err != EACCES)
		return;
	bool denied = patient->filtered && (err != ENOSYS || has_kernel(major, minor));
	report_flag(report, "filtered", denied);
	if (denied)
		report_advise(report, STATUS_NOTE,
			      "This kernel has the call: a seccomp filter, such as a container runtime's, denies it. Update the runtime, "
			      "or allow the "
			      "call in its profile");
	else if (err == ENOSYS && has_kernel(major, minor))
		report_advise(report, STATUS_NOTE,
			      "Kernels since %d.%d have the call; something (a tracer, a sandbox, an emulator) hides it", major, minor);
	else if (err == ENOSYS)
		report_advise(report, STATUS_NOTE, "Kernels since %d.%d have it", major, minor);
}

/* ---- a file, its name, its lock ---- */

/* The anchor of a lock, as slipring makes it: a page mapping alone keeps it. */
static void *anchor(const char *path, int *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	void *page = fd >= 0 ? mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE, MAP_SHARED, fd, 0) : MAP_FAILED;
	bool good = page != MAP_FAILED && fcntl(fd, F_OFD_SETLK, &lock) == 0;
	*err = errno;
	if (!good && page != MAP_FAILED)
		munmap(page, (size_t)sysconf(_SC_PAGESIZE));
	if (fd >= 0)
		close(fd);
	return good ? page : NULL;
}

/* 1 locked, 0 free, -1. */
static int is_locked(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	return fcntl(fd, F_OFD_GETLK, &lock) != 0 ? -1 : lock.l_type != F_UNLCK;
}

static void try_locks(struct report *report, const struct patient *patient, int fd, const char *path)
{
	int err = 0;
	void *page = anchor(path, &err);
	if (page == NULL) {
		report_add(report, "locks", STATUS_PROBLEM, "a lock of an open file description (F_OFD_SETLK) cannot be had: %s",
			   strerror(err));
		say_error_name(report, err);
		say_why(report, patient, err, 3, 15);
		report_advise(report, STATUS_PROBLEM,
			      "Without it slipring cannot tell who lives; use a tmpfs of this machine's own kernel");
		return;
	}
	int held = is_locked(fd);
	munmap(page, (size_t)sysconf(_SC_PAGESIZE));
	int freed = is_locked(fd);
	if (held == 1 && freed == 0)
		report_add(report, "locks", STATUS_OK, "OFD locks live and end with a mapping, as slipring needs it");
	else
		report_add(report, "locks", STATUS_PROBLEM, "an OFD lock kept by a mapping is %s while held and %s afterwards",
			   held == 1 ? "seen" : "not seen", freed == 0 ? "gone" : "still there");
	if (held != 1 || freed != 0)
		report_advise(report, STATUS_PROBLEM,
			      "Use a tmpfs of this machine's own kernel: network and some user-space file systems lock otherwise");
}

static int link_it(int fd, const char *path, bool *needs_proc)
{
	*needs_proc = false;
	if (linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0)
		return 0;
	char self[64];
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	*needs_proc = true;
	return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static void try_rename(struct report *report, const struct patient *patient, const char *from, const char *to)
{
	/* The C library's function says EINVAL where the kernel said ENOSYS. */
	if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
		report_add(report, "renameat2", STATUS_OK, "RENAME_NOREPLACE works: of several writers one wins");
		return;
	}
	int err = errno;
	report_add(report, "renameat2", STATUS_PROBLEM, "renaming without replacing fails: %s", strerror(err));
	say_error_name(report, err);
	say_why(report, patient, err, 3, 15);
	report_advise(report, STATUS_PROBLEM, "No channel can be made here");
}

static void try_files(struct report *report, const struct patient *patient)
{
	char path[PATH_MAX];
	char other[PATH_MAX + 8];
	uint64_t number;
	if (getentropy(&number, sizeof(number)) != 0)
		number = (uint64_t)getpid();
	int length = snprintf(path, sizeof(path), "%s/.slipring-doctor.%016llx", patient->directory, (unsigned long long)number);
	if (length < 0 || length >= (int)sizeof(path))
		return;
	(void)snprintf(other, sizeof(other), "%s.1", path);
	int fd = open(patient->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return; /* check_directory has said so */
	(void)fchmod(fd, 0600);
	bool needs_proc;
	if (link_it(fd, path, &needs_proc) != 0) {
		int err = errno;
		report_add(report, "linkat", STATUS_PROBLEM, "a file made without a name (O_TMPFILE) cannot be given one: %s",
			   strerror(err));
		say_error_name(report, err);
		say_why(report, patient, err, 3, 11);
		if (access("/proc/self/fd", X_OK) != 0)
			report_advise(report, STATUS_PROBLEM, "Mount /proc: older kernels give names through /proc/self/fd alone");
		else
			report_advise(report, STATUS_PROBLEM, "No channel can be made here");
	} else {
		report_add(report, "linkat", STATUS_OK, "objects appear complete: O_TMPFILE, then linkat%s",
			   needs_proc ? " through /proc/self/fd" : "");
		report_flag(report, "needs_proc", needs_proc);
		try_locks(report, patient, fd, path);
		try_rename(report, patient, path, other);
		unlink(path);
		unlink(other);
	}
	close(fd);
}

/* ---- the others ---- */

static void try_wipe(struct report *report, const struct patient *patient)
{
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return;
	if (madvise(page, page_size, MADV_WIPEONFORK) == 0) {
		report_add(report, "fork", STATUS_OK, "MADV_WIPEONFORK works: a handle used in a forked child is ECHILD");
	} else {
		int err = errno;
		report_add(report, "fork", STATUS_NOTE, "MADV_WIPEONFORK fails: %s", strerror(err));
		say_error_name(report, err);
		say_why(report, patient, err == EINVAL ? ENOSYS : err, 4, 14);
		report_advise(report, STATUS_NOTE, "A handle used in a forked child is not noticed: don't");
	}
	munmap(page, page_size);
}

static void try_waits(struct report *report, const struct patient *patient)
{
	/* No futexes are not a valid list: EINVAL where the call exists. */
	long done = syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0);
	if (done == -1 && errno == EINVAL) {
		report_add(report, "futex_waitv", STATUS_OK, "slip_wait_any sleeps on several channels in one call");
		return;
	}
	int err = errno;
	report_add(report, "futex_waitv", STATUS_NOTE, "not to be had (%s): slip_wait_any looks every millisecond instead", strerror(err));
	say_error_name(report, err);
	say_why(report, patient, err, 5, 16);
}

static void try_membarrier(struct report *report, const struct patient *patient)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	if (commands >= 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
		report_add(report, "membarrier", STATUS_OK, "there: liburcu's lookups need no barrier of their own");
		return;
	}
	int err = commands < 0 ? errno : ENOSYS;
	report_add(report, "membarrier", STATUS_NOTE, "not to be had (%s): attaching works, a little slower", strerror(err));
	say_error_name(report, err);
	say_why(report, patient, err, 4, 14);
}

/* "always within_size [advise] never": the bracketed word. */
static void bracketed(const char *path, char word[24])
{
	char line[128];
	(void)snprintf(word, 24, "unknown");
	const char *open = first_line(path, line, sizeof(line)) ? strchr(line, '[') : NULL;
	if (open != NULL)
		(void)snprintf(word, 24, "%.*s", (int)strcspn(open + 1, "]"), open + 1);
}

static void look_at_huge_pages(struct report *report)
{
	char shared[24];
	char private[24];
	bracketed("/sys/kernel/mm/transparent_hugepage/shmem_enabled", shared);
	bracketed("/sys/kernel/mm/transparent_hugepage/enabled", private);
	bool can = strcmp(shared, "never") != 0 && strcmp(shared, "deny") != 0 && strcmp(shared, "unknown") != 0;
	report_add(report, "huge pages", STATUS_OK, "for shared memory: %s (for private memory: %s)", shared, private);
	report_text(report, "shmem_enabled", shared);
	report_text(report, "enabled", private);
	report_flag(report, "for_rings", can);
	if (!can)
		report_more(report, "the huge_pages option has no effect, and does no harm; as root: echo advise > "
				    "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
}

void check_kernel(struct report *report, const struct patient *patient)
{
	struct utsname name;
	if (uname(&name) == 0) {
		report_add(report, "release", STATUS_OK, "%s %s %s", name.sysname, name.release, name.machine);
		report_text(report, "release", name.release);
		report_text(report, "machine", name.machine);
		if (!has_kernel(4, 14))
			report_advise(report, STATUS_PROBLEM, "slipring needs 4.14 or later");
	}
	if (patient->usable)
		try_files(report, patient);
	try_wipe(report, patient);
	try_waits(report, patient);
	try_membarrier(report, patient);
	look_at_huge_pages(report);
}
