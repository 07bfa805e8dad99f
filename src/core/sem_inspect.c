/* SPDX-License-Identifier: Apache-2.0 */
#include "sem_inspect.h"

#include "copy.h"
#include "error.h"
#include "lock.h"
#include "wire.h"

#include <errno.h>
#include <string.h>

typedef int parser(const char *file, size_t base_length, slip_channel_name *name);

static int channel_of(const char *file, parser *parse, const char *base, slip_channel_name *name)
{
	struct slip__lock lock;
	int err = errno;
	size_t asked = base != NULL ? strlen(base) : 0;
	int done = parse(file, asked, name);
	if (done == 0 && base != NULL && strcmp(name->base, base) != 0)
		done = -1;
	/* A semaphore of ours says where the base ends; the name alone is a guess. */
	if (done == 0 && slip__lock_look(&lock, name) == 0) {
		uint32_t length = slip__lock_made_for(&lock);
		if (length > 0 && asked == 0)
			done = parse(file, length, name);
		else if (length > 0 && length != asked)
			done = -1;
		slip__lock_close(&lock);
	}
	errno = err;
	return done;
}

int slip__sem_channel_of(const char *file, const char *base, slip_channel_name *name)
{
	return channel_of(file, slip__wire_parse, base, name);
}

/* By its memory or its semaphore. */
static int channel_of_either(const char *file, const char *base, slip_channel_name *name)
{
	return slip__sem_channel_of(file, base, name) == 0 ? 0 : channel_of(file, slip__wire_parse_semaphore, base, name);
}

static bool has_memory(const slip_channel_name *name)
{
	char memory[SLIP_OBJECT_MAX];
	struct slip__file found;
	int err = errno;
	slip__wire_memory_name(name, memory);
	int fd = slip__os_open(memory, SLIP__READ_ONLY, &found);
	bool has = fd >= 0 || errno != ENOENT;
	slip__os_close(fd);
	errno = err;
	return has;
}

int slip__sem_remains_of(const char *file, const char *base, slip_channel_name *name)
{
	if (slip__sem_channel_of(file, base, name) == 0)
		return 0;
	return channel_of(file, slip__wire_parse_semaphore, base, name) == 0 && !has_memory(name) ? 0 : -1;
}

static int read_header(const char *object, slip_channel_info *info)
{
	struct slip__file file;
	struct slip__wire_header header;
	slip_frame view;
	int fd = slip__os_open(object, SLIP__READ_ONLY, &file);
	if (fd < 0)
		return -1;
	memset(&header, 0, sizeof(header));
	/* Through a mapping of whole pages that exist: reading past a small object's end gives zeros. */
	const struct slip__wire_header *memory = file.size > 0 ? slip__os_map(fd, sizeof(header), SLIP__READ_ONLY) : NULL;
	/* Its timestamp may be written meanwhile. */
	if (memory != NULL)
		slip__copy_racing(&header, memory, sizeof(header));
	int done = memory == NULL && file.size > 0 ? -1 : slip__wire_read(object, &header, file.size, &view);
	int err = errno;
	slip__os_unmap((void *)memory, sizeof(header));
	slip__os_close(fd);
	errno = err;
	if (done != 0)
		return -1;
	slip__wire_encoding(&info->name, &view);
	info->dtype = view.dtype;
	info->ndim = view.ndim;
	memcpy(info->shape, view.shape, sizeof(info->shape));
	memcpy(info->encoding, view.encoding, sizeof(info->encoding));
	info->capacity = view.size;
	info->payload_bytes = file.size;
	info->permissions = file.permissions;
	info->owner = file.owner;
	info->epoch = file.identity.inode;
	info->last_capture_realtime_ns = slip__wire_stamp_ns(a64_load_relaxed(&header.timestamp));
	return 0;
}

int slip__sem_describe(const slip_channel_name *name, slip_channel_info *info)
{
	char memory[SLIP_OBJECT_MAX];
	struct slip__lock lock;
	info->name = *name;
	info->name.mode = SLIP_MODE_SEMAPHORE;
	slip__wire_memory_name(name, memory);
	if (read_header(memory, info) != 0 || slip__lock_look(&lock, name) != 0)
		return errno == ENOENT ? slip__fail(ENOENT, "there is no channel %s/%s in semaphore mode", name->base, name->channel) : -1;
	info->state = SLIP_CHANNEL_UNKNOWN;
	if (slip__lock_made_for(&lock) > 0)
		info->state = slip__lock_writer_alive(&lock) ? SLIP_CHANNEL_LIVE : SLIP_CHANNEL_DEAD;
	info->control_bytes = sizeof(*lock.semaphore);
	info->lock_value = slip__os_semaphore_value(lock.semaphore);
	info->lock_holder_dead = slip__lock_holder_is_dead(&lock);
	slip__lock_close(&lock);
	return 0;
}

const char *slip__sem_leftover_reason(const char *file)
{
	slip_channel_name name;
	struct slip__lock lock;
	if (slip__sem_remains_of(file, NULL, &name) != 0 || slip__lock_look(&lock, &name) != 0)
		return NULL;
	bool left = slip__lock_made_for(&lock) > 0 && !slip__lock_writer_alive(&lock);
	slip__lock_close(&lock);
	if (!left)
		return NULL;
	return has_memory(&name) ? "its writer, slipring in semaphore mode, is dead"
				 : "its writer, slipring in semaphore mode, died while making or closing the channel";
}

int slip__sem_leftover_remove(const char *file)
{
	slip_channel_name name;
	struct slip__lock lock;
	char memory[SLIP_OBJECT_MAX];
	if (channel_of_either(file, NULL, &name) != 0)
		return slip__fail(ENOENT, "%s is gone", file);
	slip__wire_memory_name(&name, memory);
	if (slip__lock_look(&lock, &name) != 0)
		return errno == ENOENT ? slip__fail(ENOENT, "%s is gone", file) : -1;
	bool ours = slip__lock_made_for(&lock) > 0;
	void *anchor = ours ? slip__os_anchor(lock.file, lock.identity, SLIP__SEAT_WRITER) : NULL;
	int done = 0;
	if (anchor != NULL)
		done = slip__os_unlink(memory) != 0 ? -1 : slip__os_unlink(lock.file);
	else if (!ours || errno == EAGAIN)
		done = slip__fail(EBUSY, "%s is in use; nothing was removed", file);
	else
		done = errno == ENOENT ? slip__fail(ENOENT, "%s is gone", file) : -1;
	int err = errno;
	slip__os_anchor_drop(anchor);
	slip__lock_close(&lock);
	errno = err;
	return done;
}
