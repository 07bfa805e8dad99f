/* SPDX-License-Identifier: Apache-2.0 */
#include "sem_objects.h"

#include "error.h"

#include <errno.h>
#include <string.h>

enum {
	OPEN_ROUNDS = 100,
	BUSY_ROUNDS = 10, /* that a predecessor may take to die, BUSY_NS each */
	BUSY_NS = 1000000
};

static uint64_t memory_bytes(const struct slip__sem_objects *o)
{
	return sizeof(*o->memory) + o->like.bytes;
}

static void unmap(struct slip__sem_objects *o)
{
	slip__os_unmap(o->memory, memory_bytes(o));
	o->memory = NULL;
}

static void leave(struct slip__sem_objects *o)
{
	unmap(o);
	slip__lock_close(&o->lock);
}

static int map(struct slip__sem_objects *o, int fd)
{
	struct slip__file file;
	if (slip__os_stat_fd(fd, &file) != 0)
		return -1;
	o->identity = file.identity;
	o->memory = slip__os_map(fd, memory_bytes(o), SLIP__READ_WRITE);
	if (o->memory == NULL)
		return -1;
	if (o->options.huge_pages)
		slip__os_huge_pages(o->memory, memory_bytes(o));
	if (o->options.lock_memory && slip__os_lock_memory(o->memory, memory_bytes(o)) != 0)
		return -1;
	if (o->options.prefault)
		slip__os_prefault(o->memory, memory_bytes(o), true);
	return 0;
}

/* Under the writer's seat. The object appears with its header in it and its memory allocated. */
static int make_memory(struct slip__sem_objects *o)
{
	char object[SLIP_OBJECT_MAX];
	slip__wire_memory_name(&o->name, object);
	int fd = slip__os_make(memory_bytes(o), o->options.permissions);
	if (fd < 0)
		return -1;
	int done = map(o, fd);
	if (done == 0) {
		slip__wire_write(o->memory, &o->like);
		done = slip__os_link(fd, object);
	}
	int err = errno;
	slip__os_close(fd);
	errno = err;
	return done;
}

/*
 * Takes away what stands under the names, as every writer of this format does when it starts; unless a writer of ours lives, which is EBUSY. EAGAIN: look
 * again.
 */
static int clear_names(const slip_channel_name *name)
{
	char memory[SLIP_OBJECT_MAX];
	char semaphore[SLIP_OBJECT_MAX];
	struct slip__file file;
	slip__wire_memory_name(name, memory);
	slip__wire_semaphore_name(name, semaphore);
	int fd = slip__os_open(semaphore, SLIP__READ_ONLY, &file);
	if (fd < 0)
		return errno == ENOENT ? slip__os_unlink(memory) : -1;
	slip__os_close(fd);
	/* Its seat first: a writer of ours that has just linked it, and not yet sat down, then sees that it was too slow. */
	void *anchor = slip__os_anchor(semaphore, file.identity, SLIP__SEAT_WRITER);
	if (anchor == NULL && errno == EAGAIN)
		return slip__fail(EBUSY, "%s/%s has a writer already, in semaphore mode; close it first", name->base, name->channel);
	if (anchor == NULL)
		return errno == ENOENT ? slip__fail_silently(EAGAIN) : -1;
	int done = slip__os_unlink(memory) != 0 ? -1 : slip__os_unlink(semaphore);
	int err = errno;
	slip__os_anchor_drop(anchor);
	errno = err;
	return done;
}

static void unlink_if_ours(const char *object, struct slip__identity identity)
{
	if (slip__os_leads_to(object, identity) == 1)
		(void)slip__os_unlink(object);
}

static int make_once(struct slip__sem_objects *o)
{
	if (clear_names(&o->name) != 0)
		return -1;
	if (slip__lock_make(&o->lock, &o->name, o->options.permissions) != 0)
		return errno == EEXIST ? slip__fail_silently(EAGAIN) : -1;
	if (make_memory(o) == 0)
		return 0;
	int err = errno == EEXIST ? EAGAIN : errno;
	unlink_if_ours(o->lock.file, o->lock.identity);
	leave(o);
	errno = err;
	return -1;
}

int slip__sem_objects_make(struct slip__sem_objects *o)
{
	int busy_rounds = 0;
	for (int round = 0; round < OPEN_ROUNDS; round++) {
		if (make_once(o) == 0)
			return 0;
		if (errno == EBUSY && busy_rounds++ < BUSY_ROUNDS)
			(void)slip__os_sleep(BUSY_NS);
		else if (errno != EAGAIN)
			return -1;
	}
	return slip__fail(EBUSY, "%s/%s changes hands faster than it can be opened", o->name.base, o->name.channel);
}

int slip__sem_objects_make_afresh(struct slip__sem_objects *o)
{
	leave(o);
	return slip__sem_objects_make(o);
}

int slip__sem_objects_named(const struct slip__sem_objects *o)
{
	char memory[SLIP_OBJECT_MAX];
	struct slip__file file;
	slip__wire_memory_name(&o->name, memory);
	if (o->memory != NULL && slip__os_leads_to(memory, o->identity) != 0)
		return 1;
	int fd = slip__os_open(memory, SLIP__READ_ONLY, &file);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	slip__os_close(fd);
	return slip__fail(EBUSY,
			  "another program writes %s/%s now: its objects stand under the names; open a writer again to take them back",
			  o->name.base, o->name.channel);
}

void slip__sem_objects_end(struct slip__sem_objects *o)
{
	char memory[SLIP_OBJECT_MAX];
	slip__wire_memory_name(&o->name, memory);
	if (o->memory != NULL) {
		unlink_if_ours(memory, o->identity);
		unlink_if_ours(o->lock.file, o->lock.identity);
	}
	leave(o);
}

void slip__sem_objects_abandon(struct slip__sem_objects *o)
{
	unmap(o);
	slip__lock_abandon(&o->lock);
}
