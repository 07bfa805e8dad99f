/*
 * sem_inspect.h - semaphore channels from outside: what exists, what it is like, what the dead left. Marks nothing, takes no lock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_SEM_INSPECT_H
#define SLIP_CORE_SEM_INSPECT_H

#include <slipring/inspect.h>

/*
 * The channel that a file is the memory of. base, where not NULL, is one that it must be of. 0, or -1 where it is none; errno is left alone.
 */
int slip__sem_channel_of(const char *file, const char *base, slip_channel_name *name);

/* The same, and of a file that is the semaphore of a channel without memory: its writer is making or closing it, or died over that. */
int slip__sem_remains_of(const char *file, const char *base, slip_channel_name *name);

/* Fills in what can be seen. -1 with ENOENT (no such channel), EACCES, EBADMSG. */
int slip__sem_describe(const slip_channel_name *name, slip_channel_info *info);

/* Why a file, one of slip__sem_remains_of, is left over, or NULL where it is not, or where that cannot be told: another program's may be alive. */
const char *slip__sem_leftover_reason(const char *file);

/* Removes a channel that is left over, under its writer's seat. EBUSY where it is not (any more), ENOENT where it is gone. */
int slip__sem_leftover_remove(const char *file);

#endif
