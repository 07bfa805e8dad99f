/* SPDX-License-Identifier: Apache-2.0 */
#include "leftover.h"

#include "error.h"

#include <errno.h>
#include <string.h>

/* Bytes 0 .. readers of an object: whether somebody holds one. Errors count as held. */
static bool held(int fd, uint32_t readers)
{
	for (uint32_t byte = 0; byte <= readers; byte++)
		if (slip__os_is_locked(fd, byte) != 0)
			return true;
	return false;
}

static const char *control_reason(const struct slip__object *object)
{
	char file[SLIP_OBJECT_MAX];
	struct slip__file found;
	slip__object_name(&object->channel, object->kind, object->id, file);
	int fd = slip__os_open(file, SLIP__READ_ONLY, &found);
	if (fd < 0)
		return NULL;
	bool alive = held(fd, SLIP_MAX_READERS);
	slip__os_close(fd);
	if (alive)
		return NULL;
	return object->kind == SLIP__OBJECT_NEW ? "its writer died while making or growing the channel"
						: "its writer is dead and nobody reads it";
}

static const char *payload_reason(const struct slip__object *object)
{
	char file[SLIP_OBJECT_MAX];
	struct slip__file found;
	/* new.ID before control: a rename takes it from the one to the other, never back. */
	slip__object_name(&object->channel, SLIP__OBJECT_NEW, object->id, file);
	int fd = slip__os_open(file, SLIP__READ_ONLY, &found);
	if (fd >= 0 || errno != ENOENT) {
		slip__os_close(fd);
		return NULL;
	}
	struct slip__segment control;
	if (slip__segment_open(&object->channel, NULL, SLIP__VIEW_CONTROL, &control) == 0) {
		bool named = control.geometry.id == object->id;
		slip__segment_close(&control);
		return named ? NULL : "no control object names it; its writer died while growing the channel";
	}
	return errno == ENOENT ? "no control object names it; its writer died while making or closing the channel" : NULL;
}

const char *slip__leftover_reason(const struct slip__object *object)
{
	return object->kind == SLIP__OBJECT_PAYLOAD ? payload_reason(object) : control_reason(object);
}

static int still_alive(const char *file)
{
	return slip__fail(EBUSY, "%s is in use; nothing was removed", file);
}

/* A control or new object, and the payload that goes with it. */
static int remove_control(const struct slip__object *object, const char *file)
{
	struct slip__file found;
	int fd = slip__os_open(file, SLIP__READ_ONLY, &found);
	if (fd < 0)
		return -1;
	slip__os_close(fd);
	/* All bytes, and no mere look at the readers': neither a writer nor a reader can come until the name is gone, which they then find. */
	void *anchor = slip__os_anchor_bytes(file, found.identity, SLIP__BYTE_WRITER, SLIP__BYTE_READER + SLIP_MAX_READERS);
	if (anchor == NULL)
		return errno == EAGAIN ? still_alive(file) : -1;
	struct slip__segment control;
	uint64_t id = object->id;
	if (id == 0 && slip__segment_open(&object->channel, NULL, SLIP__VIEW_CONTROL, &control) == 0) {
		id = control.geometry.id;
		slip__segment_close(&control);
	}
	int done = slip__os_unlink(file);
	if (done == 0 && id != 0) {
		char payload[SLIP_OBJECT_MAX];
		slip__object_name(&object->channel, SLIP__OBJECT_PAYLOAD, id, payload);
		(void)slip__os_unlink(payload);
	}
	slip__os_anchor_drop(anchor);
	return done;
}

int slip__leftover_remove(const struct slip__object *object)
{
	char file[SLIP_OBJECT_MAX];
	slip__object_name(&object->channel, object->kind, object->id, file);
	if (object->kind != SLIP__OBJECT_PAYLOAD)
		return remove_control(object, file);
	struct slip__file found;
	int fd = slip__os_open(file, SLIP__READ_ONLY, &found);
	if (fd < 0)
		return -1;
	slip__os_close(fd);
	/* Its id is random and was used once: a payload that nothing leads to will never be led to again. */
	if (payload_reason(object) == NULL)
		return still_alive(file);
	return slip__os_unlink(file);
}

static int sweep_one(const char *file, void *context)
{
	const slip_channel_name *name = context;
	struct slip__object object;
	if (slip__object_parse(file, &object) == 0 && object.kind != SLIP__OBJECT_CONTROL && strcmp(object.channel.base, name->base) == 0 &&
	    strcmp(object.channel.channel, name->channel) == 0 && slip__leftover_reason(&object) != NULL)
		(void)slip__leftover_remove(&object);
	return 0;
}

void slip__leftover_sweep(const slip_channel_name *name)
{
	slip_channel_name copy = *name;
	(void)slip__os_list(sweep_one, &copy);
}
