/*
 * liveness.h - who is alive, told by kernel locks on the bytes of control, and taking back what the dead held.
 *
 * Byte 0 is the writer's, byte 1 + i reader i's. Never a PID, never a time-out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_LIVENESS_H
#define SLIP_CORE_LIVENESS_H

#include "segment.h"

/*
 * Takes the writer's byte of what stands under an object name. NULL with EAGAIN: a writer lives. NULL with ENOENT: the name leads elsewhere.
 */
void *slip__liveness_take_writer(const struct slip__segment *segment, enum slip__object_kind kind);

bool slip__liveness_writer_alive(const struct slip__segment *segment);

/*
 * Takes a free reader's byte, *reader says which, and makes its place in the table and its bits fresh. NULL with EUSERS where all
 * are taken; ENOENT (without a detail) where control is no longer under its name.
 */
void *slip__liveness_take_reader(const struct slip__segment *segment, uint32_t *reader);

/*
 * The reader is attached, for all to see: who waited for it may publish. Not before it knows which frame it begins with, and has said whether
 * it reads in order.
 */
void slip__liveness_show_reader(const struct slip__segment *segment, uint32_t reader);

/* Gives a reader's place back: hints and table entry first, then the lock. It holds no pins any more. */
void slip__liveness_drop_reader(const struct slip__segment *segment, uint32_t reader, void *anchor);

/* Those of the readers in `bits` that live; what the others held is freed. A system call or two each. */
uint64_t slip__liveness_reclaim(const struct slip__segment *segment, uint64_t bits);

/* The readers that are attached, as they say of themselves, and live; what the dead held is freed on the way. */
uint64_t slip__liveness_attached(const struct slip__segment *segment);

/* Every reader that holds a slot, or has said anything of itself. */
uint64_t slip__liveness_marked(const struct slip__segment *segment);

#endif
