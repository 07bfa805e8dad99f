/*
 * name.h - names of channels and of the objects that they are made of.
 *
 * A base or channel name is 1 to 100 of: letters, digits, '_' '-' '.' ':' '+'. Object names join them with '@', which no name may
 * hold, so that different channels never meet; and end in none of the suffixes of semaphore mode ("_shm", "_sem").
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_NAME_H
#define SLIP_CORE_NAME_H

#include <slipring/inspect.h>
#include <stdbool.h>

enum slip__object_kind {
	SLIP__OBJECT_CONTROL, /* slipring@BASE@CHANNEL@control: the channel's name in the world */
	SLIP__OBJECT_PAYLOAD, /* slipring@BASE@CHANNEL@payload.ID: of the generation whose id is ID */
	SLIP__OBJECT_NEW      /* slipring@BASE@CHANNEL@new.ID: a control object on its way to its name */
};

/* A parsed object name. id is 0 for control. */
struct slip__object {
	slip_channel_name channel;
	enum slip__object_kind kind;
	uint64_t id;
};

/* what: "base" or "channel", for the detail sentence. 0, or -1 with EINVAL or ENAMETOOLONG. */
int slip__name_check(const char *what, const char *name);

/* Whether slip__name_check would take it. errno is left alone. */
bool slip__name_allowed(const char *name);

/* Both names checked and copied, for lock-free mode. */
int slip__name_make(const char *base, const char *channel, slip_channel_name *name);

void slip__object_name(const slip_channel_name *name, enum slip__object_kind kind, uint64_t id, char object[SLIP_OBJECT_MAX]);

/* 0 where the file name is one of ours, else -1. errno is left alone. */
int slip__object_parse(const char *file, struct slip__object *object);

#endif
