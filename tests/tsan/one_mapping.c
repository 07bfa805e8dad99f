/* one_mapping.c - each shared object once in a process: one_mapping.h. SPDX-License-Identifier: Apache-2.0 */
#include "one_mapping.h"

#include "os.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OBJECTS = 4096 };

/* What the linker makes of the library's calls: slip__os_map comes here, __real_slip__os_map is the library's. */
void *__wrap_slip__os_map(int fd, size_t size, enum slip__access access);
void *__real_slip__os_map(int fd, size_t size, enum slip__access access);
void __wrap_slip__os_unmap(void *address, size_t size);
void __real_slip__os_unmap(void *address, size_t size);

/* A device and inode are one object's while a mapping keeps it. */
struct object {
	dev_t device;
	ino_t inode;
	char *address; /* NULL: free */
	size_t size;
	unsigned users;
};

static struct object objects[OBJECTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long shared;

/*
 * The lock would order what the library does not: with it every thread that maps sees what those who mapped before did. So ThreadSanitizer is told to
 * look away while we are in here.
 */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifdef UNDER_TSAN
void AnnotateIgnoreSyncBegin(const char *file, int line);
void AnnotateIgnoreSyncEnd(const char *file, int line);
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

static void look_away(void)
{
	AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
	AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
	AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}

static void look_again(void)
{
	AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
	AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
	AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
}
#else
static void look_away(void)
{
}

static void look_again(void)
{
}
#endif

static void enter(void)
{
	look_away();
	pthread_mutex_lock(&lock);
}

static void leave(void)
{
	pthread_mutex_unlock(&lock);
	look_again();
}

static struct object *find(const struct stat *status, size_t size)
{
	struct object *vacant = NULL;
	for (struct object *o = objects; o < objects + OBJECTS; o++) {
		if (o->address == NULL)
			vacant = vacant == NULL ? o : vacant;
		/* One that has grown since needs another. */
		else if (o->device == status->st_dev && o->inode == status->st_ino && o->size >= size)
			return o;
	}
	if (vacant == NULL) {
		fprintf(stderr, "one_mapping: more than %d objects\n", OBJECTS);
		abort();
	}
	return vacant;
}

/* By a descriptor that may write, whatever the one that was given may. NULL: not permitted, or no memory. */
static char *map_to_write(int fd, size_t size)
{
	char self[64];
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	int writable = open(self, O_RDWR | O_CLOEXEC);
	if (writable < 0)
		return NULL;
	char *address = __real_slip__os_map(writable, size, SLIP__READ_WRITE);
	close(writable);
	return address;
}

/* NULL: it stays with a mapping of its own. */
static void *map_once(int fd, size_t size)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return NULL;
	struct object *o = find(&status, size);
	if (o->address != NULL) {
		o->users++;
		shared++;
		return o->address;
	}
	/* All of it: who comes first may ask for the header alone. */
	size_t whole = (size_t)status.st_size > size ? (size_t)status.st_size : size;
	char *address = map_to_write(fd, whole);
	if (address != NULL)
		*o = (struct object){.device = status.st_dev, .inode = status.st_ino, .address = address, .size = whole, .users = 1};
	return address;
}

void *__wrap_slip__os_map(int fd, size_t size, enum slip__access access)
{
	enter();
	void *address = map_once(fd, size);
	leave();
	return address != NULL ? address : __real_slip__os_map(fd, size, access);
}

/* The object's size where its last user has gone; 0 where others use it; the asked size where it is none of ours. */
static size_t let_go(const void *address, size_t size)
{
	for (struct object *o = objects; o < objects + OBJECTS; o++)
		if (o->address == address) {
			if (--o->users > 0)
				return 0;
			o->address = NULL;
			return o->size;
		}
	return size;
}

void __wrap_slip__os_unmap(void *address, size_t size)
{
	if (address == NULL)
		return;
	enter();
	size_t all = let_go(address, size);
	/* Under the lock: nobody may be given this address between. */
	if (all > 0)
		__real_slip__os_unmap(address, all);
	leave();
}

unsigned long one_mapping_shared(void)
{
	enter();
	unsigned long count = shared;
	leave();
	return count;
}

/*
 * TSAN_OPTIONS adds to it. io_sync=0: that one thread wrote to a file and another read from one does not order them, as it would not if they were two
 * processes.
 */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "halt_on_error=1:io_sync=0";
}
