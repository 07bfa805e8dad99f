/* SPDX-License-Identifier: Apache-2.0 */
#include "guarded.h"

#include "os.h"

#include <sys/mman.h>

void *__real_slip__os_anchor(const char *name, struct slip__identity identity, uint64_t byte);
void *__real_slip__os_anchor_bytes(const char *name, struct slip__identity identity, uint64_t byte, uint64_t count);
void __real_slip__os_anchor_drop(void *anchor);
void *__real_slip__os_map(int fd, size_t size, enum slip__access access);
void *__wrap_slip__os_map(int fd, size_t size, enum slip__access access);
void __wrap_slip__os_unmap(void *address, size_t size);
void *__wrap_slip__os_anchor(const char *name, struct slip__identity identity, uint64_t byte);
void *__wrap_slip__os_anchor_bytes(const char *name, struct slip__identity identity, uint64_t byte, uint64_t count);
void __wrap_slip__os_anchor_drop(void *anchor);

static slip__a32 mappings;
static slip__a32 anchors;

int guarded_mappings(void)
{
	return (int)a32_load_relaxed(&mappings);
}

int guarded_anchors(void)
{
	return (int)a32_load_relaxed(&anchors);
}

static size_t pages(size_t size)
{
	size_t page = slip__os_page_size();
	return (size + page - 1) / page * page;
}

void *__wrap_slip__os_map(int fd, size_t size, enum slip__access access)
{
	/* The real one first: its errors, and a size that no address space has. */
	void *plain = __real_slip__os_map(fd, size, access);
	if (plain == NULL)
		return NULL;
	size_t page = slip__os_page_size();
	char *room = mmap(NULL, pages(size) + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	/* Moved, not made again: it is what the library mapped. */
	if (room == MAP_FAILED || mremap(plain, pages(size), pages(size), MREMAP_MAYMOVE | MREMAP_FIXED, room + page) == MAP_FAILED) {
		munmap(plain, size);
		if (room != MAP_FAILED)
			munmap(room, pages(size) + 2 * page);
		return NULL;
	}
	(void)a32_add_relaxed(&mappings, 1);
	return room + page;
}

void __wrap_slip__os_unmap(void *address, size_t size)
{
	if (address == NULL)
		return;
	size_t page = slip__os_page_size();
	munmap((char *)address - page, pages(size) + 2 * page);
	(void)a32_add_relaxed(&mappings, UINT32_MAX);
}

void *__wrap_slip__os_anchor(const char *name, struct slip__identity identity, uint64_t byte)
{
	void *anchor = __real_slip__os_anchor(name, identity, byte);
	(void)a32_add_relaxed(&anchors, anchor != NULL);
	return anchor;
}

void *__wrap_slip__os_anchor_bytes(const char *name, struct slip__identity identity, uint64_t byte, uint64_t count)
{
	void *anchor = __real_slip__os_anchor_bytes(name, identity, byte, count);
	(void)a32_add_relaxed(&anchors, anchor != NULL);
	return anchor;
}

void __wrap_slip__os_anchor_drop(void *anchor)
{
	(void)a32_add_relaxed(&anchors, anchor != NULL ? UINT32_MAX : 0);
	__real_slip__os_anchor_drop(anchor);
}
