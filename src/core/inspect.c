/*
 * inspect.c - the public functions of slipring/inspect.h: looking without taking part.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "error.h"
#include "leftover.h"
#include "liveness.h"
#include "observe.h"
#include "sem_inspect.h"
#include "wire.h"

#include <errno.h>
#include <slipring/inspect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists ---- */

/* A growing array of equal items. */
struct list {
	char *items;
	size_t item_size;
	size_t count;
	size_t room;
	const char *base; /* NULL: all */
	bool failed;
};

static void *list_add(struct list *list)
{
	if (list->count == list->room) {
		size_t room = list->room > 0 ? list->room * 2 : 16;
		char *items = realloc(list->items, room * list->item_size);
		if (items == NULL) {
			list->failed = true;
			return NULL;
		}
		list->items = items;
		list->room = room;
	}
	void *item = list->items + list->count++ * list->item_size;
	memset(item, 0, list->item_size);
	return item;
}

static int list_take(struct list *list, int (*each)(const char *, void *), int (*compare)(const void *, const void *), void **items,
		     size_t *count)
{
	if (list->base != NULL && slip__name_check("base", list->base) != 0)
		return -1;
	if (slip__os_list(each, list) != 0 || list->failed) {
		free(list->items);
		return list->failed ? slip__fail(ENOMEM, "no memory for a list of %zu items", list->room * 2) : -1;
	}
	if (list->count > 0)
		qsort(list->items, list->count, list->item_size, compare);
	*items = list->items;
	*count = list->count;
	return 0;
}

static bool wanted(const struct list *list, const char *file, struct slip__object *object)
{
	return slip__object_parse(file, object) == 0 && (list->base == NULL || strcmp(list->base, object->channel.base) == 0);
}

static int add_channel(const char *file, void *context)
{
	struct list *list = context;
	struct slip__object object;
	bool ring = wanted(list, file, &object) && object.kind == SLIP__OBJECT_CONTROL;
	if (!ring && slip__sem_channel_of(file, list->base, &object.channel) != 0)
		return 0;
	slip_channel_name *name = list_add(list);
	if (name == NULL)
		return -1;
	*name = object.channel;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const slip_channel_name *x = a;
	const slip_channel_name *y = b;
	int order = strcmp(x->base, y->base);
	if (order == 0)
		order = strcmp(x->channel, y->channel);
	return order != 0 ? order : (int)x->mode - (int)y->mode;
}

int slip_list_channels(const char *base, slip_channel_name **names, size_t *count)
{
	struct list list = {.item_size = sizeof(slip_channel_name), .base = base};
	void *items = NULL;
	if (list_take(&list, add_channel, compare_names, &items, count) != 0)
		return -1;
	*names = items;
	return 0;
}

static uint64_t object_bytes(const char *file)
{
	struct slip__file found = {.size = 0};
	slip__os_close(slip__os_open(file, SLIP__READ_ONLY, &found));
	return found.size;
}

static int add_semaphore_leftover(struct list *list, const char *file)
{
	slip_channel_name name;
	char memory[SLIP_OBJECT_MAX];
	char semaphore[SLIP_OBJECT_MAX];
	if (slip__sem_remains_of(file, list->base, &name) != 0)
		return 0;
	const char *reason = slip__sem_leftover_reason(file);
	slip_leftover *leftover = reason != NULL ? list_add(list) : NULL;
	if (leftover == NULL)
		return reason != NULL ? -1 : 0;
	(void)snprintf(leftover->object, sizeof(leftover->object), "%s", file);
	(void)snprintf(leftover->reason, sizeof(leftover->reason), "%s", reason);
	slip__wire_memory_name(&name, memory);
	slip__wire_semaphore_name(&name, semaphore);
	leftover->bytes = object_bytes(memory) + object_bytes(semaphore);
	return 0;
}

static int add_leftover(const char *file, void *context)
{
	struct list *list = context;
	struct slip__object object;
	if (slip__object_parse(file, &object) != 0)
		return add_semaphore_leftover(list, file);
	if (!wanted(list, file, &object))
		return 0;
	const char *reason = slip__leftover_reason(&object);
	if (reason == NULL)
		return 0;
	slip_leftover *leftover = list_add(list);
	if (leftover == NULL)
		return -1;
	(void)snprintf(leftover->object, sizeof(leftover->object), "%s", file);
	(void)snprintf(leftover->reason, sizeof(leftover->reason), "%s", reason);
	leftover->bytes = object_bytes(file);
	/* The payload goes with the control or new object that names it. */
	struct slip__segment control;
	if (object.kind != SLIP__OBJECT_PAYLOAD && slip__segment_open(&object.channel, file, SLIP__VIEW_CONTROL, &control) == 0) {
		char payload[SLIP_OBJECT_MAX];
		slip__object_name(&object.channel, SLIP__OBJECT_PAYLOAD, control.geometry.id, payload);
		leftover->bytes += object_bytes(payload);
		slip__segment_close(&control);
	}
	return 0;
}

static int compare_leftovers(const void *a, const void *b)
{
	return strcmp(((const slip_leftover *)a)->object, ((const slip_leftover *)b)->object);
}

int slip_gc_list(const char *base, slip_leftover **leftovers, size_t *count)
{
	struct list list = {.item_size = sizeof(slip_leftover), .base = base};
	void *items = NULL;
	if (list_take(&list, add_leftover, compare_leftovers, &items, count) != 0)
		return -1;
	*leftovers = items;
	return 0;
}

int slip_gc_remove(const slip_leftover *leftover)
{
	struct slip__object object;
	if (leftover != NULL && (slip__wire_parse(leftover->object, 0, &object.channel) == 0 ||
				 slip__wire_parse_semaphore(leftover->object, 0, &object.channel) == 0))
		return slip__sem_leftover_remove(leftover->object);
	if (leftover == NULL || slip__object_parse(leftover->object, &object) != 0)
		return slip__fail(EINVAL, "'%s' is no object of slipring's", leftover == NULL ? "(null)" : leftover->object);
	int done = slip__leftover_remove(&object);
	return done != 0 && errno == ENOENT ? slip__fail(ENOENT, "%s is gone", leftover->object) : done;
}

/* ---- one channel ---- */

static slip_channel_state state_of(const struct slip__segment *s)
{
	if (a32_load_relaxed(&s->header->state) != 0)
		return SLIP_CHANNEL_CLOSED;
	return slip__liveness_writer_alive(s) ? SLIP_CHANNEL_LIVE : SLIP_CHANNEL_DEAD;
}

static void fill_reader(const struct slip__segment *s, uint32_t i, const slip_slot_info *slots, slip_reader_info *info)
{
	const struct slip__reader_entry *entry = slip__segment_reader(s, i);
	info->index = i;
	info->alive = slip__os_is_locked(s->fd, SLIP__BYTE_READER + i) != 0;
	info->pid = a32_load_relaxed(&entry->pid);
	info->in_order = (a32_load_relaxed(&entry->flags) & SLIP__READER_IN_ORDER) != 0;
	for (uint32_t slot = 0; slot < s->geometry.slots; slot++)
		info->leases += (slots[slot].pins >> i & 1) != 0;
	info->got = a64_load_relaxed(&entry->got);
	info->missed = a64_load_relaxed(&entry->missed);
	info->last_seq = a64_load_relaxed(&entry->last_seq);
	info->attached_ns = (int64_t)a64_load_relaxed(&entry->attached_ns);
	for (int b = 0; b < SLIP_AGE_BUCKETS; b++)
		info->ages[b] = a64_load_relaxed(&entry->ages[b]);
}

static void fill_newest(const struct slip__segment *s, slip_channel_info *info)
{
	struct slip__place place;
	slip_frame view;
	info->ndim = -1;
	if (slip__slot_latest(&s->ring, &place) != SLIP__FOUND)
		return;
	info->last_seq = place.seq;
	if (slip__observe_describe(s, &place, &view) != 1)
		return;
	info->dtype = view.dtype;
	info->ndim = view.ndim;
	memcpy(info->shape, view.shape, (size_t)view.ndim * sizeof(view.shape[0]));
	memcpy(info->encoding, view.encoding, sizeof(info->encoding));
	memcpy(info->frame_id, view.frame_id, sizeof(info->frame_id));
}

static int fill(const struct slip__segment *s, slip_channel_info *info)
{
	const struct slip__geometry *g = &s->geometry;
	info->name = s->name;
	info->state = state_of(s);
	info->layout_version = g->layout_version;
	info->epoch = g->epoch;
	info->generation = g->generation;
	info->first_seq = g->first_seq;
	info->slots = g->slots;
	info->max_readers = g->max_readers;
	info->leases_per_reader = g->leases_per_reader;
	info->max_loans = g->max_loans;
	info->history = g->history;
	info->writer_pid = a32_load_relaxed(&s->header->writer_pid);
	info->capacity = g->capacity;
	info->control_bytes = g->control_bytes;
	info->payload_bytes = g->payload_bytes;
	info->permissions = g->permissions;
	info->owner = s->owner;
	info->published = a64_load_relaxed(&s->header->published);
	info->refused = a64_load_relaxed(&s->header->refused);
	info->wakes = a64_load_relaxed(&s->header->wakes);
	info->last_publish_ns = (int64_t)a64_load_relaxed(&s->header->last_publish_ns);
	fill_newest(s, info);
	info->slot_count = g->slots;
	info->slot_info = calloc(g->slots, sizeof(*info->slot_info));
	info->readers = calloc(g->max_readers, sizeof(*info->readers));
	if (info->slot_info == NULL || info->readers == NULL)
		return slip__fail(ENOMEM, "no memory to describe %s/%s", s->name.base, s->name.channel);
	for (uint32_t slot = 0; slot < g->slots; slot++) {
		info->slot_info[slot].pins = a64_load_relaxed(slip__pins(&s->ring, slot));
		info->slot_info[slot].seq = a64_load_relaxed(slip__seq(&s->ring, slot));
	}
	uint64_t marked = slip__liveness_marked(s);
	for (uint32_t i = 0; i < g->max_readers; i++)
		if (marked >> i & 1)
			fill_reader(s, i, info->slot_info, &info->readers[info->reader_count++]);
	return 0;
}

static int fill_ring(const slip_channel_name *name, slip_channel_info *info)
{
	struct slip__segment segment;
	if (slip__segment_open(name, NULL, SLIP__VIEW_CONTROL, &segment) != 0)
		return errno == ENOENT ? slip__fail(ENOENT, "there is no channel %s/%s", name->base, name->channel) : -1;
	int done = fill(&segment, info);
	int err = errno;
	slip__segment_close(&segment);
	errno = err;
	return done;
}

slip_channel_info *slip_channel_inspect(const char *base, const char *channel, slip_mode mode)
{
	slip_channel_name name;
	if (slip__name_make(base, channel, &name) != 0)
		return NULL;
	slip_channel_info *info = calloc(1, sizeof(*info));
	if (info == NULL)
		return slip__fail_null(ENOMEM, "no memory to describe %s/%s", base, channel);
	int done = mode == SLIP_MODE_SEMAPHORE ? -1 : fill_ring(&name, info);
	if (mode == SLIP_MODE_SEMAPHORE || (mode == SLIP_MODE_DEFAULT && done != 0 && errno == ENOENT))
		done = slip__sem_describe(&name, info);
	if (done != 0 && mode == SLIP_MODE_DEFAULT && errno == ENOENT)
		slip__fail(ENOENT, "there is no channel %s/%s", base, channel);
	if (done == 0)
		return info;
	int err = errno;
	slip_channel_info_free(info);
	errno = err;
	return NULL;
}

void slip_channel_info_free(slip_channel_info *info)
{
	if (info == NULL)
		return;
	free(info->readers);
	free(info->slot_info);
	free(info);
}
