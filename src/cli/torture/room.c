/* SPDX-License-Identifier: Apache-2.0 */
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static int namespaces_errno; /* of private_namespaces */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	const size_t size = strlen(text);
	const bool written = write(fd, text, size) == (ssize_t)size;
	int err = errno;
	close(fd);
	errno = err;
	return written;
}

/* Whom we are stays what it was. */
static bool map_ourselves(uid_t user, gid_t group)
{
	char text[64];
	(void)snprintf(text, sizeof(text), "%u %u 1", (unsigned)user, (unsigned)user);
	if (!write_file("/proc/self/uid_map", text))
		return false;
	(void)write_file("/proc/self/setgroups", "deny");
	(void)snprintf(text, sizeof(text), "%u %u 1", (unsigned)group, (unsigned)group);
	return write_file("/proc/self/gid_map", text);
}

void private_namespaces(void)
{
	const uid_t user = geteuid();
	const gid_t group = getegid();
	namespaces_errno = 0;
	bool good = unshare(CLONE_NEWNS) == 0;
	if (!good && errno == EPERM)
		good = unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && map_ourselves(user, group);
	/* What is mounted from now on is seen here alone. */
	if (!good || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		namespaces_errno = errno;
}

static void not_had(char why_not[160], const char *what, int err)
{
	(void)snprintf(why_not, 160, "%s: %s", what, strerror(err));
}

void room_make(struct room *room, size_t bytes)
{
	memset(room, 0, sizeof(*room));
	room->ballast = -1;
	if (namespaces_errno != 0) {
		not_had(room->why_not, "this user may not have a mount namespace of its own here", namespaces_errno);
		return;
	}
	const char *temporary = getenv("TMPDIR");
	if (temporary == NULL || strlen(temporary) > 32)
		temporary = "/tmp";
	(void)snprintf(room->path, sizeof(room->path), "%s/slipring-torture-XXXXXX", temporary);
	char options[64];
	(void)snprintf(options, sizeof(options), "mode=0700,size=%zu", bytes);
	if (mkdtemp(room->path) == NULL) {
		not_had(room->why_not, "no folder can be made to mount it on", errno);
		room->path[0] = '\0';
		return;
	}
	if (mount("slipring-torture", room->path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) != 0) {
		not_had(room->why_not, "a private tmpfs may not be mounted here", errno);
		(void)rmdir(room->path);
		room->path[0] = '\0';
		return;
	}
	room->ballast = open(room->path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (room->ballast < 0) {
		not_had(room->why_not, "no file can be made in a private tmpfs", errno);
		room_remove(room);
	}
}

void room_remove(struct room *room)
{
	if (room->path[0] == '\0')
		return;
	if (room->ballast >= 0)
		close(room->ballast);
	(void)umount2(room->path, MNT_DETACH);
	(void)rmdir(room->path);
	room->path[0] = '\0';
}

bool room_fill(struct room *room, size_t leave)
{
	struct statvfs space;
	if (statvfs(room->path, &space) != 0)
		return false;
	const uint64_t free_bytes = (uint64_t)space.f_bavail * space.f_frsize;
	/* Its children take from it meanwhile: what cannot be had is had already. */
	if (free_bytes > leave)
		(void)posix_fallocate(room->ballast, 0, (off_t)(free_bytes - leave));
	return room->full = true;
}

void room_empty(struct room *room)
{
	if (room->full)
		room->full = ftruncate(room->ballast, 0) != 0;
}

void clocks_make(struct clocks *clocks)
{
	clocks->plain = -1;
	clocks->why_not[0] = '\0';
	if (namespaces_errno != 0) {
		not_had(clocks->why_not, "this user may not have namespaces of its own here", namespaces_errno);
		return;
	}
	/* One with our own clocks to come back to, which belongs to us even where the machine's does not. */
	if (unshare(CLONE_NEWTIME) != 0) {
		not_had(clocks->why_not, "the kernel gives no time namespace", errno);
		return;
	}
	clocks->plain = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (clocks->plain < 0 || setns(clocks->plain, CLONE_NEWTIME) != 0) {
		not_had(clocks->why_not, "this process may not enter a time namespace", errno);
		if (clocks->plain >= 0)
			close(clocks->plain);
		clocks->plain = -1;
	}
}

bool clocks_shift(const struct clocks *clocks, int64_t seconds)
{
	char text[64];
	if (clocks->plain < 0 || unshare(CLONE_NEWTIME) != 0)
		return false;
	(void)snprintf(text, sizeof(text), "monotonic %lld 0", (long long)seconds);
	if (write_file("/proc/self/timens_offsets", text))
		return true;
	clocks_shift_back(clocks);
	return false;
}

void clocks_shift_back(const struct clocks *clocks)
{
	(void)setns(clocks->plain, CLONE_NEWTIME);
}
