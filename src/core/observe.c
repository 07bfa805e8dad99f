/* SPDX-License-Identifier: Apache-2.0 */
#include "observe.h"

#include "copy.h"
#include "error.h"
#include "slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A private frame: the copy of the description that its view points into, and the bytes behind it. */
struct copied {
	struct slip__frame frame; /* first */
	struct slip__slot description;
	_Alignas(64) char bytes[];
};

static int release(struct slip__frame *frame)
{
	free(frame);
	return 0;
}

static const struct slip__frame_ops copied_ops = {.release = release};

/* The description as it was while the place held the frame. 1, or 0 where it is gone. */
static int copy_description(const struct slip__segment *segment, const struct slip__place *place, struct slip__slot *to)
{
	const struct slip__slot *from = slip__segment_slot(segment, place->slot);
	if (!slip__slot_observe_begin(&segment->ring, place))
		return 0;
	memset(to, 0, offsetof(struct slip__slot, bytes));
	slip__copy_racing((char *)to + offsetof(struct slip__slot, bytes), &from->bytes, sizeof(*to) - offsetof(struct slip__slot, bytes));
	return slip__slot_observe_end(&segment->ring, place);
}

static void identify(const struct slip__segment *segment, const struct slip__place *place, slip_frame *view)
{
	view->epoch = segment->geometry.epoch;
	view->seq = place->seq;
	view->missed = 0;
}

int slip__observe_describe(const struct slip__segment *segment, const struct slip__place *place, slip_frame *view)
{
	struct slip__slot description;
	if (!copy_description(segment, place, &description))
		return 0;
	if (slip__frame_read(&description, segment->geometry.capacity, view) != 0)
		return -1;
	identify(segment, place, view);
	view->data = NULL;
	view->metadata = NULL;
	view->metadata_size = 0;
	return 1;
}

int slip__observe_copy(const struct slip__segment *segment, const struct slip__place *place, struct slip__frame **frame)
{
	struct slip__slot description;
	slip_frame view;
	if (!copy_description(segment, place, &description))
		return 0;
	if (slip__frame_read(&description, segment->geometry.capacity, &view) != 0)
		return -1;
	struct copied *copied = malloc(sizeof(*copied) + view.size);
	if (copied == NULL)
		return slip__fail(ENOMEM, "no memory for a private copy of %zu bytes", view.size);
	slip__copy_racing(copied->bytes, slip__segment_bytes(segment, place->slot), view.size);
	if (!slip__slot_observe_end(&segment->ring, place)) {
		free(copied);
		return 0;
	}
	copied->description = description;
	copied->frame.view = view;
	identify(segment, place, &copied->frame.view);
	copied->frame.view.data = copied->bytes;
	copied->frame.view.flags = SLIP_FRAME_PRIVATE;
	copied->frame.view.metadata = view.metadata_size > 0 ? copied->description.metadata : NULL;
	copied->frame.ops = &copied_ops;
	copied->frame.process = slip__os_process_token();
	*frame = &copied->frame;
	return 1;
}
