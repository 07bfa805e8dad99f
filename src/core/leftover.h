/*
 * leftover.h - objects that dead processes left under a name, found and removed without touching what is alive.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_LEFTOVER_H
#define SLIP_CORE_LEFTOVER_H

#include "segment.h"

#include <slipring/inspect.h>

/*
 * Why an object is left over, or NULL where it is not (or is not ours to judge: no permission).
 *  control: neither a writer nor a reader holds a byte of it.
 *  new.ID: its maker is dead.
 *  payload.ID: neither a control nor a new.ID leads to it.
 */
const char *slip__leftover_reason(const struct slip__object *object);

/* Removes one under its lock. EBUSY where it is not left over (any more), ENOENT where it is gone. */
int slip__leftover_remove(const struct slip__object *object);

/* Removes what a channel's earlier writers left beside its control; the caller is its writer. Failures leave it for the next one. */
void slip__leftover_sweep(const slip_channel_name *name);

#endif
