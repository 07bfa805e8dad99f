/*
 * observe.h - reading a frame without marking it: copy, then see whether it stayed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_OBSERVE_H
#define SLIP_CORE_OBSERVE_H

#include "frame.h"

/* 1: *view describes the frame at place. 0: it is gone. -1: EBADMSG. metadata is left out. */
int slip__observe_describe(const struct slip__segment *segment, const struct slip__place *place, slip_frame *view);

/*
 * 1: *frame is a private copy of the frame at place, metadata included, to be freed with its release operation. 0: the frame is gone. -1:
 * EBADMSG, ENOMEM.
 */
int slip__observe_copy(const struct slip__segment *segment, const struct slip__place *place, struct slip__frame **frame);

#endif
