/*
 * sem_objects.h - a semaphore channel's two objects, from the side of its writer: making, keeping and removing them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_SEM_OBJECTS_H
#define SLIP_CORE_SEM_OBJECTS_H

#include "lock.h"
#include "wire.h"

#include <slipring/writer.h>

struct slip__sem_objects {
	slip_channel_name name;
	slip_writer_options options;
	/* What every frame is like, as the header says it: dtype, ndim, shape, bytes. */
	struct slip__array like;
	struct slip__lock lock;
	struct slip__wire_header *memory; /* mapped: header and payload; NULL: there are none */
	struct slip__identity identity;	  /* of memory */
};

/*
 * Makes both afresh, in the place of whatever was left under the names, with the writer's seat taken. name, options and like are set, the rest is zero. EBUSY
 * while a writer of ours lives (tried for 10 ms, in which the kernel lets go of one that was just killed); ENOSPC, EPERM, ...
 */
int slip__sem_objects_make(struct slip__sem_objects *objects);

/* The same for a writer that has some already, which it leaves. */
int slip__sem_objects_make_afresh(struct slip__sem_objects *objects);

/* 1: the names still lead to ours. 0: nothing stands there. -1: EBUSY, another program's objects do; or what else is wrong with them. */
int slip__sem_objects_named(const struct slip__sem_objects *objects);

/* Removes the names that still lead to ours, and lets go. */
void slip__sem_objects_end(struct slip__sem_objects *objects);
/* In a forked child: memory only. */
void slip__sem_objects_abandon(struct slip__sem_objects *objects);

#endif
