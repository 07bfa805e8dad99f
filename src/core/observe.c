/* SPDX-License-Identifier: Apache-2.0 */
#include "observe.h"

#include "copy.h"
#include "slot.h"

#include <string.h>

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
	struct slip__frame *copied = slip__frame_private(view.size, view.metadata_size);
	if (copied == NULL)
		return -1;
	slip__copy_racing(copied->view.data, slip__segment_bytes(segment, place->slot), view.size);
	if (!slip__slot_observe_end(&segment->ring, place)) {
		(void)copied->ops->release(copied);
		return 0;
	}
	if (view.metadata_size > 0)
		memcpy((char *)copied->view.metadata, description.metadata, view.metadata_size);
	view.data = copied->view.data;
	view.metadata = copied->view.metadata;
	view.flags = copied->view.flags;
	copied->view = view;
	identify(segment, place, &copied->view);
	*frame = copied;
	return 1;
}
