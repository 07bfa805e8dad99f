/*
 * documented.h - with which errnos each call of the library may fail when the system fails it, as its header says. What a call has for
 * something else alone (EAGAIN: every slot is held) is not in its list, so that no refusal of the kernel's is taken for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_FAULTS_DOCUMENTED_H
#define SLIP_TESTS_FAULTS_DOCUMENTED_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

enum api {
	API_NONE,
	API_OPEN,
	API_CREATE,
	API_SET,
	API_LOAN,
	API_PUBLISH,
	API_READERS,
	API_GET,
	API_NEXT,
	API_WAIT,
	API_WAIT_ANY,
	API_ALIVE,
	API_RELEASE,
	API_LIST,
	API_INSPECT,
	API_GC_LIST,
	API_GC_REMOVE,
	API_COUNT
};

enum { DOCUMENTED_MOST = 12 };

/* types.h, at slip_error_detail: what the kernel refuses is passed on by every call that makes, opens, maps or locks objects. */
static const int DOCUMENTED_SYSTEM[] = {ENOMEM, EMFILE, ENFILE,	 ENOLCK,  EIO,	  ENOSPC, EDQUOT,
					EFBIG,	EROFS,	ENOTDIR, ENOTSUP, ENOSYS, EACCES, EPERM};

static const struct documented {
	const char *name;
	bool system;
	int errnos[DOCUMENTED_MOST]; /* up to a 0 */
} DOCUMENTED[API_COUNT] = {
	[API_NONE] = {"nothing that fails", false, {0}},
	[API_OPEN] = {"slip_*_open", false, {ENOMEM}},
	[API_CREATE] = {"slip_channel_create", true, {EBUSY, ELOOP, ENOENT}},
	[API_SET] = {"slip_set_array", true, {EBUSY, ELOOP, ENOENT}},
	[API_LOAN] = {"slip_loan", true, {EBUSY, ELOOP, ENOENT}},
	[API_PUBLISH] = {"slip_publish", false, {0}},
	[API_READERS] = {"slip_readers_attached", false, {0}},
	[API_GET] = {"slip_get_array", true, {ENOENT, EUSERS, ELOOP}},
	[API_NEXT] = {"slip_next", true, {ENOENT, EUSERS, ELOOP, EINTR, ETIMEDOUT}},
	[API_WAIT] = {"slip_wait", true, {ENOENT, EUSERS, ELOOP, EINTR, ETIMEDOUT}},
	[API_WAIT_ANY] = {"slip_wait_any", false, {EINTR, ETIMEDOUT}},
	[API_ALIVE] = {"slip_writer_alive", true, {ENOENT}},
	[API_RELEASE] = {"slip_release", false, {0}},
	[API_LIST] = {"slip_list_channels", true, {ENOENT, ELOOP}},
	[API_INSPECT] = {"slip_channel_inspect", true, {ENOENT, ELOOP}},
	[API_GC_LIST] = {"slip_gc_list", true, {ENOENT, ELOOP}},
	[API_GC_REMOVE] = {"slip_gc_remove", true, {ENOENT, EBUSY, ELOOP}},
};

static inline bool is_documented(enum api api, int err)
{
	for (size_t i = 0; DOCUMENTED[api].system && i < sizeof(DOCUMENTED_SYSTEM) / sizeof(DOCUMENTED_SYSTEM[0]); i++)
		if (DOCUMENTED_SYSTEM[i] == err)
			return true;
	for (int i = 0; DOCUMENTED[api].errnos[i] != 0; i++)
		if (DOCUMENTED[api].errnos[i] == err)
			return true;
	return false;
}

#endif
