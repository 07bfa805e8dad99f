/*
 * room.c - the shared memory directory, and what limits the room in it: the tmpfs, its inodes, the control group, the process's own limits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../text.h"
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- the directory ---- */

static bool from_environment(void)
{
	const char *directory = secure_getenv("SLIPRING_DIR");
	return directory != NULL && directory[0] != '\0';
}

static void say_no_directory(struct report *report, const struct patient *patient, int err)
{
	report_add(report, "directory", STATUS_PROBLEM, "%s: %s", patient->directory, strerror(err));
	if (from_environment())
		report_advise(report, STATUS_PROBLEM, "SLIPRING_DIR says so: unset it, or make the directory, on a tmpfs");
	else
		report_advise(report, STATUS_PROBLEM, "Mount one: mkdir -p /dev/shm && mount -t tmpfs -o mode=1777 tmpfs /dev/shm");
}

static void say_not_writable(struct report *report, int err)
{
	report_more(report, "you cannot make a file in it: %s", strerror(err));
	if (err == EROFS)
		report_advise(report, STATUS_PROBLEM,
			      "It is mounted read-only: mount it writable, or set SLIPRING_DIR to a tmpfs that is. What others "
			      "publish can be observed, not read");
	else if (err == EACCES)
		report_advise(report, STATUS_PROBLEM, "As its owner: chmod 1777, or set SLIPRING_DIR to a tmpfs of your own");
	else if (err == EOPNOTSUPP || err == EISDIR)
		report_advise(report, STATUS_PROBLEM, "Its file system has no files without names (O_TMPFILE): use a tmpfs");
	else if (err == ENOSPC)
		report_advise(report, STATUS_PROBLEM, "It is full, of bytes or of inodes: see 'space' and 'inodes'");
}

void check_directory(struct report *report, struct patient *patient)
{
	struct stat status;
	struct statfs system;
	if (stat(patient->directory, &status) != 0) {
		say_no_directory(report, patient, errno);
		return;
	}
	if (!S_ISDIR(status.st_mode)) {
		say_no_directory(report, patient, ENOTDIR);
		return;
	}
	bool is_tmpfs = statfs(patient->directory, &system) == 0 && (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
	int fd = open(patient->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int err = errno;
	patient->usable = fd >= 0;
	if (fd >= 0)
		close(fd);
	mode_t mode = status.st_mode & 07777;
	report_add(report, "directory", STATUS_OK, "%s%s: %s, mode %04o, user %u's", patient->directory,
		   from_environment() ? " (SLIPRING_DIR)" : "", is_tmpfs ? "a tmpfs" : "no tmpfs", (unsigned)mode, status.st_uid);
	report_text(report, "path", patient->directory);
	report_flag(report, "from_environment", from_environment());
	report_flag(report, "tmpfs", is_tmpfs);
	report_number(report, "mode", mode);
	report_number(report, "owner", status.st_uid);
	report_flag(report, "writable", patient->usable);
	if (!patient->usable)
		say_not_writable(report, err);
	if (!is_tmpfs)
		report_advise(report, STATUS_NOTE,
			      "Frames go through a file system's cache here, and may be written to a disk: use a tmpfs");
	if ((mode & 022) != 0 && (mode & S_ISVTX) == 0)
		report_advise(report, STATUS_PROBLEM, "Others may remove and replace objects in it, because it is not sticky: chmod +t %s",
			      patient->directory);
}

/* ---- bytes and inodes ---- */

static void advise_room(struct report *report, const struct patient *patient, enum status status)
{
	if (patient->runtime != NULL)
		report_advise(
			report, status,
			"Start the container with more (docker and podman: --shm-size=1g; compose: shm_size; Kubernetes: an emptyDir of "
			"medium Memory at /dev/shm), or share the host's (--ipc=host)");
	else
		report_advise(report, status, "Make it larger: mount -o remount,size=4g %s; or ask for fewer or smaller slots",
			      patient->directory);
}

static void check_bytes(struct report *report, const struct patient *patient, const struct statvfs *room)
{
	char all[16], free[16], held[16], next[16];
	uint64_t size = (uint64_t)room->f_blocks * room->f_frsize;
	uint64_t left = (uint64_t)room->f_bavail * room->f_frsize;
	report_add(report, "space", STATUS_OK, "%s free of %s; the channels hold %s", human_size(left, free), human_size(size, all),
		   human_size(patient->held, held));
	report_number(report, "size", size);
	report_number(report, "free", left);
	report_number(report, "channels", patient->held);
	report_number(report, "largest_ring", patient->largest);
	report_number(report, "ring_4k", RING_4K);
	if (size == 0) {
		report_more(report, "it has no limit of its own");
		return;
	}
	/* A channel that grows, or is taken over with other options, has both rings for a moment; the new one is half as large again. */
	uint64_t growth = patient->largest + patient->largest / 2;
	if (left < RING_VGA) {
		report_more(report, "8 slots of 640x480 RGB, a small ring, need %s", human_size(RING_VGA, next));
		advise_room(report, patient, STATUS_PROBLEM);
	} else if (left < patient->largest) {
		report_more(report,
			    "too little for a second ring like the largest, of %s: a channel that grows, or whose next writer has other "
			    "options, gets "
			    "ENOSPC",
			    human_size(patient->largest, next));
		advise_room(report, patient, STATUS_NOTE);
	} else if (left < growth) {
		report_more(report, "a ring that grows takes half as much again where there is room: %s", human_size(growth, next));
	} else if (left < RING_4K) {
		report_more(report, "one more ring of 8 slots of 4K RGB would need %s", human_size(RING_4K, next));
		advise_room(report, patient, STATUS_NOTE);
	} else {
		report_more(report, "room for %" PRIu64 " more rings of 8 slots of 4K RGB (%s each)", left / RING_4K,
			    human_size(RING_4K, next));
	}
}

static void check_inodes(struct report *report, const struct patient *patient, const struct statvfs *room)
{
	if (room->f_files == 0) {
		report_add(report, "inodes", STATUS_OK, "no limit");
		return;
	}
	report_add(report, "inodes", STATUS_OK, "%" PRIu64 " free of %" PRIu64 "; a channel takes 2, twice that while it grows",
		   (uint64_t)room->f_favail, (uint64_t)room->f_files);
	report_number(report, "free", room->f_favail);
	report_number(report, "all", room->f_files);
	if (room->f_favail < 64)
		report_advise(report, room->f_favail < 4 ? STATUS_PROBLEM : STATUS_NOTE, "Allow more: mount -o remount,nr_inodes=1m %s",
			      patient->directory);
}

/* ---- the control group ---- */

static bool number_in(const char *folder, const char *file, uint64_t *number)
{
	char path[512];
	char line[64];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (!first_line(path, line, sizeof(line)) || line[0] < '0' || line[0] > '9')
		return false;
	*number = strtoull(line, NULL, 10);
	return true;
}

struct group {
	uint64_t limit; /* UINT64_MAX: none */
	uint64_t used;
};

/* The tightest limit from a group's folder up to its hierarchy's root. */
static void climb(const char *root, const char *group, const char *limit_file, const char *used_file, struct group *found)
{
	char folder[400];
	(void)snprintf(folder, sizeof(folder), "%s%s", root, group);
	for (;;) {
		uint64_t limit;
		uint64_t used;
		/* Version 1 says "none" by a number past all memory. */
		if (number_in(folder, limit_file, &limit) && number_in(folder, used_file, &used) && limit < UINT64_C(1) << 60 &&
		    (found->limit == UINT64_MAX || limit - (used < limit ? used : limit) < found->limit - found->used)) {
			found->limit = limit;
			found->used = used < limit ? used : limit;
		}
		char *slash = strrchr(folder, '/');
		if (slash == NULL || (size_t)(slash - folder) < strlen(root))
			return;
		*slash = '\0';
	}
}

/* In a container the paths of /proc/self/cgroup may be the host's, whose folders are not there: climbing reaches the root, which then is its own. */
static struct group find_group(void)
{
	struct group found = {.limit = UINT64_MAX};
	char line[512];
	FILE *file = fopen("/proc/self/cgroup", "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		char *controllers = strchr(line, ':');
		char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
		if (path == NULL)
			continue;
		*path++ = '\0';
		if (strcmp(controllers + 1, "") == 0) {
			climb("/sys/fs/cgroup", path, "memory.max", "memory.current", &found);
			climb("/sys/fs/cgroup/unified", path, "memory.max", "memory.current", &found);
		} else if (strstr(controllers + 1, "memory") != NULL) {
			climb("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes", &found);
		}
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static void check_group(struct report *report)
{
	char a[16], b[16];
	struct group group = find_group();
	if (group.limit == UINT64_MAX) {
		report_add(report, "memory limit", STATUS_OK,
			   "no control group limits this process's memory, to which shared memory counts");
		return;
	}
	uint64_t left = group.limit - group.used;
	report_add(report, "memory limit", STATUS_OK,
		   "a control group allows %s, of which %s is used; shared memory counts to whoever touches it first",
		   human_size(group.limit, a), human_size(group.used, b));
	report_number(report, "limit", group.limit);
	report_number(report, "used", group.used);
	if (left < RING_4K)
		report_advise(
			report, left < RING_VGA ? STATUS_PROBLEM : STATUS_NOTE,
			"Past it making a ring fails, or the kernel kills a process of the group: raise the limit (docker: --memory)");
}

void check_space(struct report *report, const struct patient *patient)
{
	struct statvfs room;
	if (statvfs(patient->directory, &room) == 0) {
		check_bytes(report, patient, &room);
		check_inodes(report, patient, &room);
	}
	check_group(report);
}

/* ---- the process's limits ---- */

static uint64_t limit_of(__rlimit_resource_t resource)
{
	struct rlimit limit;
	return getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : (uint64_t)limit.rlim_cur;
}

/* CAP_IPC_LOCK among the effective ones. */
static bool may_lock_all(void)
{
	char text[32];
	return (strtoull(status_field("CapEff", text, sizeof(text)), NULL, 16) >> 14 & 1) != 0;
}

static void check_locked(struct report *report)
{
	char size[16];
	uint64_t limit = limit_of(RLIMIT_MEMLOCK);
	if (limit == UINT64_MAX || may_lock_all()) {
		report_add(report, "mlock", STATUS_OK, "no limit on locked memory: the lock_memory option works for any ring");
		report_flag(report, "unlimited", true);
		return;
	}
	report_add(report, "mlock", STATUS_OK, "%s may be locked: the lock_memory option works for rings up to that%s",
		   human_size(limit, size), limit < RING_VGA ? " (ulimit -l, or LimitMEMLOCK= of its service, raises it)" : "");
	report_flag(report, "unlimited", false);
	report_number(report, "limit", limit);
}

void check_limits(struct report *report, const struct patient *patient)
{
	char size[16];
	(void)patient;
	check_locked(report);
	uint64_t files = limit_of(RLIMIT_NOFILE);
	report_add(report, "open files", STATUS_OK, "%" PRIu64 " at once; a channel that is attached to takes one", files);
	report_number(report, "limit", files);
	if (files < 128)
		report_advise(report, files < 16 ? STATUS_PROBLEM : STATUS_NOTE, "Raise it: ulimit -n 1024");
	uint64_t file_size = limit_of(RLIMIT_FSIZE);
	if (file_size == UINT64_MAX)
		report_add(report, "file size", STATUS_OK, "no limit");
	else
		report_add(report, "file size", STATUS_OK,
			   "a file may have %s; a larger ring fails with EFBIG, after a SIGXFSZ that ends the process "
			   "unless it is handled",
			   human_size(file_size, size));
	report_number(report, "limit", file_size);
	if (file_size < RING_4K)
		report_advise(report, file_size < RING_VGA ? STATUS_PROBLEM : STATUS_NOTE, "Raise it: ulimit -f unlimited");
	uint64_t space = limit_of(RLIMIT_AS);
	if (space == UINT64_MAX)
		return;
	report_add(report, "address space", STATUS_NOTE, "a process may map %s, rings included", human_size(space, size));
	report_number(report, "limit", space);
	report_advise(report, STATUS_NOTE, "Raise it where attaching fails with ENOMEM: ulimit -v unlimited");
}
