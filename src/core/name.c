/* SPDX-License-Identifier: Apache-2.0 */
#include "name.h"

#include "error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "slipring@"

static bool allowed(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("_-.:+", c));
}

int slip__name_check(const char *what, const char *name)
{
	if (name == NULL)
		return slip__fail(EINVAL, "the %s name is NULL", what);
	size_t length = strnlen(name, SLIP_NAME_MAX);
	if (length == 0)
		return slip__fail(EINVAL, "the %s name is empty", what);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return slip__fail(EINVAL, "'%s' cannot be a %s name", name, what);
	for (size_t i = 0; i < length; i++)
		if (!allowed(name[i]))
			return slip__fail(EINVAL,
					  "the %s name '%.*s' has the byte 0x%02x at %zu; letters, digits and _ - . : + are allowed", what,
					  (int)i, name, (unsigned char)name[i], i);
	if (length == SLIP_NAME_MAX)
		return slip__fail(ENAMETOOLONG, "the %s name '%.20s...' has more than %d bytes", what, name, SLIP_NAME_MAX - 1);
	return 0;
}

bool slip__name_allowed(const char *name)
{
	size_t length = strnlen(name, SLIP_NAME_MAX);
	for (size_t i = 0; i < length; i++)
		if (!allowed(name[i]))
			return false;
	return length > 0 && length < SLIP_NAME_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int slip__name_make(const char *base, const char *channel, slip_channel_name *name)
{
	if (slip__name_check("base", base) != 0 || slip__name_check("channel", channel) != 0)
		return -1;
	memset(name, 0, sizeof(*name));
	memcpy(name->base, base, strlen(base));
	memcpy(name->channel, channel, strlen(channel));
	name->mode = SLIP_MODE_LOCK_FREE;
	return 0;
}

void slip__object_name(const slip_channel_name *name, enum slip__object_kind kind, uint64_t id, char object[SLIP_OBJECT_MAX])
{
	int length = snprintf(object, SLIP_OBJECT_MAX, PREFIX "%s@%s@", name->base, name->channel);
	char *end = object + length;
	size_t room = SLIP_OBJECT_MAX - (size_t)length;
	if (kind == SLIP__OBJECT_CONTROL)
		(void)snprintf(end, room, "control");
	else
		(void)snprintf(end, room, "%s.%016" PRIx64, kind == SLIP__OBJECT_PAYLOAD ? "payload" : "new", id);
}

/* Takes the name in front of the next '@' from *at. */
static bool take(const char **at, char name[SLIP_NAME_MAX])
{
	const char *end = strchr(*at, '@');
	if (end == NULL || end == *at || end - *at >= SLIP_NAME_MAX)
		return false;
	size_t length = (size_t)(end - *at);
	memcpy(name, *at, length);
	name[length] = '\0';
	*at = end + 1;
	for (size_t i = 0; i < length; i++)
		if (!allowed(name[i]))
			return false;
	return true;
}

int slip__object_parse(const char *file, struct slip__object *object)
{
	memset(object, 0, sizeof(*object));
	const char *at = file;
	if (strncmp(at, PREFIX, strlen(PREFIX)) != 0)
		return -1;
	at += strlen(PREFIX);
	if (!take(&at, object->channel.base) || !take(&at, object->channel.channel))
		return -1;
	object->channel.mode = SLIP_MODE_LOCK_FREE;
	int end = 0;
	if (strcmp(at, "control") == 0)
		object->kind = SLIP__OBJECT_CONTROL;
	else if (sscanf(at, "payload.%16" SCNx64 "%n", &object->id, &end) == 1)
		object->kind = SLIP__OBJECT_PAYLOAD;
	else if (sscanf(at, "new.%16" SCNx64 "%n", &object->id, &end) == 1)
		object->kind = SLIP__OBJECT_NEW;
	else
		return -1;
	/* What is not to the letter the name that we make is somebody else's. */
	char again[SLIP_OBJECT_MAX];
	slip__object_name(&object->channel, object->kind, object->id, again);
	return strcmp(again, file) == 0 ? 0 : -1;
}
