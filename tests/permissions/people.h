/*
 * people.h - other users, made of numbers alone, and a shared memory directory of their own. Needs root; nothing remains.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_PEOPLE_H
#define SLIP_TESTS_PEOPLE_H

#include "multi/processes.h"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* No names, no entries anywhere: the kernel asks for none. */
enum { OWNER_UID = 51001, MEMBER_UID = 51002, STRANGER_UID = 51003, SHARED_GID = 51000, OTHER_GID = 51009 };

struct person {
	const char *name;
	uid_t uid;
	gid_t gid;
	bool in_group; /* of the owner's */
};

static const struct person OWNER = {"owner", OWNER_UID, SHARED_GID, true};
static const struct person MEMBER = {"member", MEMBER_UID, OTHER_GID, true};
static const struct person STRANGER = {"stranger", STRANGER_UID, OTHER_GID, false};
static const struct person ROOT = {"root", 0, 0, false};

/* For good, as a login does it. */
static inline void become(const struct person *who)
{
	const gid_t groups[] = {SHARED_GID};
	CHECK(setgroups(who->in_group ? 1 : 0, groups) == 0);
	CHECK(setresgid(who->gid, who->gid, who->gid) == 0);
	CHECK(setresuid(who->uid, who->uid, who->uid) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0); /* /proc/self is ours again */
	CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
}

/* Whether a mode lets somebody do what is asked for, 04 (read) or 02 (write), of objects of the owner's. */
static inline bool may(const struct person *who, mode_t mode, mode_t what)
{
	if (who->uid == 0)
		return true;
	if (who->uid == OWNER_UID)
		return (mode >> 6 & what) == what;
	return ((who->in_group ? mode >> 3 : mode) & what) == what;
}

/* What somebody's call gave: 0 or the errno, and the library's sentence. */
struct answer {
	int err;
	char detail[512];
};

static inline int answer(struct answer *a, bool good)
{
	a->err = good ? 0 : errno;
	(void)snprintf(a->detail, sizeof(a->detail), "%s", good ? "" : slip_error_detail());
	return a->err;
}

/* Runs body as somebody, in a process of its own. */
#define AS(who, body)                                                                                                                      \
	do {                                                                                                                               \
		pid_t as_pid;                                                                                                              \
		SPAWN(as_pid, (become(who), (body), 0));                                                                                   \
		expect_clean_end(as_pid);                                                                                                  \
	} while (0)

/* Starts as somebody what ends only by being killed: body, then sleep. Returns when body is done. */
#define START_AS(pid, who, body)                                                                                                           \
	do {                                                                                                                               \
		int start_done[2];                                                                                                         \
		CHECK(pipe(start_done) == 0);                                                                                              \
		(pid) = fork();                                                                                                            \
		CHECK((pid) >= 0);                                                                                                         \
		if ((pid) == 0) {                                                                                                          \
			become(who);                                                                                                       \
			body;                                                                                                              \
			CHECK(write(start_done[1], "", 1) == 1);                                                                           \
			for (;;)                                                                                                           \
				pause();                                                                                                   \
		}                                                                                                                          \
		close(start_done[1]);                                                                                                      \
		char start_byte;                                                                                                           \
		CHECK(read(start_done[0], &start_byte, 1) == 1);                                                                           \
		close(start_done[0]);                                                                                                      \
	} while (0)

/*
 * A directory like /dev/shm (sticky, for all) in a mount namespace of this process's own, or, where that is not allowed, inside /dev/shm; SLIPRING_DIR
 * names it. options: of the tmpfs beside its mode. False: only a part of /dev/shm was to be had.
 */
static inline bool own_directory(char path[32], const char *options)
{
	char all[64];
	(void)snprintf(path, 32, "/dev/shm/test-people-XXXXXX");
	(void)snprintf(all, sizeof(all), "mode=1777%s%s", options[0] != '\0' ? "," : "", options);
	CHECK(mkdtemp(path) != NULL);
	CHECK(setenv("SLIPRING_DIR", path, 1) == 0);
	if (unshare(CLONE_NEWNS) == 0) {
		(void)mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
		if (mount("tmpfs", path, "tmpfs", 0, all) == 0)
			return true;
	}
	CHECK(chmod(path, 01777) == 0);
	return false;
}

static inline void give_directory_back(const char *path)
{
	(void)umount2(path, MNT_DETACH);
	CHECK(rmdir(path) == 0);
}

/* Files in the directory but for . and .. */
static inline int files_in(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(directory);
	return count;
}

/* "ok", "EACCES"; what has no name here is its number. */
static inline const char *errno_name(int err)
{
	static _Thread_local char number[16];
	if (err == 0)
		return "ok";
	const char *name = strerrorname_np(err);
	(void)snprintf(number, sizeof(number), "%d", err);
	return name != NULL ? name : number;
}

#endif
