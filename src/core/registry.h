/*
 * registry.h - which channels this process has mapped: one mapping per channel and view, shared by all handles and threads.
 *
 * The only includer of liburcu. Looking up is lock-free; mapping a new generation is done by one thread, under a lock of this
 * file's; the old mapping goes after a grace period and its last user. get and publish never come here.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_REGISTRY_H
#define SLIP_CORE_REGISTRY_H

#include "segment.h"

struct slip__attachment;

/*
 * The mapping of what stands under a channel's name now; made if need be. Give it back with slip__registry_detach. NULL as
 * slip__segment_open fails. Any thread.
 */
struct slip__attachment *slip__registry_attach(const slip_channel_name *name, enum slip__segment_view view);
void slip__registry_detach(struct slip__attachment *attachment);

/* Valid until detach. */
const struct slip__segment *slip__registry_segment(const struct slip__attachment *attachment);

#endif
