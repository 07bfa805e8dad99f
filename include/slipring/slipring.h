/*
 * slipring - images, depth maps, point clouds, masks and n-d arrays between processes of one Linux machine, through shared
 * memory, without a copy and without a lock. One writer and many readers per channel.
 *
 * Before anything else:
 *  - The writer never waits for a reader. When every slot of a ring is held it fails with EAGAIN, at once.
 *  - Any process may be killed at any instruction; what it held comes back once the kernel has let go of it.
 *  - A frame that you got is yours until slip_release, however long that takes: it does not change under you. A reader that never
 *    releases costs the ring a slot.
 *  - Handles do not survive fork (ECHILD). Open them in the process that uses them.
 *  - Who may write to the control object, as readers may, can starve the channel, change frames under you, and truncate it, which is a
 *    SIGBUS. Give permissions to those whom you trust with that; let others observe (docs/security.md).
 *  - The directory is /dev/shm; the environment variable SLIPRING_DIR names another one (a tmpfs of your own).
 *
 * Functions return 0 or a pointer, or -1 or NULL with errno set and a sentence in slip_error_detail().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIPRING_H
#define SLIPRING_H

#include <slipring/inspect.h>
#include <slipring/reader.h>
#include <slipring/types.h>
#include <slipring/writer.h>

#endif
