/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include "error.h"
#include "wait.h"
#include "wire.h"

#include <errno.h>
#include <string.h>

enum {
	SLICE_NS = 50000000, /* how often a waiting one looks whether the holder lives */
	MAX_EXTRA = 1 << 16  /* taken away at once; an honest program posts one too many at a time */
};

/* ---- opening ---- */

static void clear(struct slip__lock *lock, const slip_channel_name *name)
{
	memset(lock, 0, sizeof(*lock));
	lock->name = *name;
	lock->fd = -1;
	lock->seat = SLIP__SEAT_NONE;
	slip__wire_semaphore_name(name, lock->file);
}

static int open_file(struct slip__lock *lock, enum slip__access access)
{
	struct slip__file file = {.size = 0};
	lock->fd = slip__os_open(lock->file, access, &file);
	if (lock->fd < 0)
		return -1;
	lock->identity = file.identity;
	if (file.size < sizeof(*lock->semaphore)) {
		slip__lock_close(lock);
		if (file.size == 0)
			return slip__fail_silently(ENOENT);
		return slip__fail(EBADMSG, "%s has %llu bytes; a semaphore has %d", lock->file, (unsigned long long)file.size,
				  SLIP__SEMAPHORE_BYTES);
	}
	lock->semaphore = slip__os_map(lock->fd, sizeof(*lock->semaphore), access);
	if (lock->semaphore != NULL)
		return 0;
	int err = errno;
	slip__lock_close(lock);
	errno = err;
	return -1;
}

static uint64_t bit(uint32_t seat)
{
	return seat < SLIP__SEATS ? UINT64_C(1) << seat : 0;
}

/* A seat with a mark in trying is a dead one's, whose mark still tells something. */
static void take_seat(struct slip__lock *lock)
{
	for (uint32_t seat = SLIP__SEAT_WRITER + 1; seat < SLIP__SEATS; seat++) {
		if (a64_load_relaxed(&lock->semaphore->trying) & bit(seat))
			continue;
		void *anchor = slip__os_anchor(lock->file, lock->identity, seat);
		if (anchor == NULL)
			continue;
		if (!(a64_load_relaxed(&lock->semaphore->trying) & bit(seat))) {
			lock->anchor = anchor;
			lock->seat = seat;
			return;
		}
		slip__os_anchor_drop(anchor);
	}
}

int slip__lock_open(struct slip__lock *lock, const slip_channel_name *name)
{
	clear(lock, name);
	if (open_file(lock, SLIP__READ_WRITE) != 0)
		return -1;
	take_seat(lock);
	return 0;
}

int slip__lock_look(struct slip__lock *lock, const slip_channel_name *name)
{
	clear(lock, name);
	return open_file(lock, SLIP__READ_ONLY);
}

static mode_t with_write_bits(mode_t permissions)
{
	return permissions | (permissions & 0444) >> 1;
}

static int fill(struct slip__lock *lock)
{
	struct slip__file file;
	if (slip__os_stat_fd(lock->fd, &file) != 0)
		return -1;
	lock->identity = file.identity;
	lock->semaphore = slip__os_map(lock->fd, sizeof(*lock->semaphore), SLIP__READ_WRITE);
	if (lock->semaphore == NULL || slip__os_semaphore_init(lock->semaphore, 1) != 0)
		return -1;
	a32_store_relaxed(&lock->semaphore->maker, SLIP__LOCK_MADE + (uint32_t)strlen(lock->name.base));
	return slip__os_link(lock->fd, lock->file);
}

int slip__lock_make(struct slip__lock *lock, const slip_channel_name *name, mode_t permissions)
{
	clear(lock, name);
	lock->fd = slip__os_make(sizeof(*lock->semaphore), with_write_bits(permissions));
	if (lock->fd < 0)
		return -1;
	if (fill(lock) == 0) {
		/* Whoever sees it without a lock on this byte takes the lock first before it removes it. */
		lock->anchor = slip__os_anchor(lock->file, lock->identity, SLIP__SEAT_WRITER);
		lock->seat = SLIP__SEAT_WRITER;
		if (lock->anchor != NULL)
			return 0;
		int err = errno;
		/* EAGAIN: somebody is removing it. Otherwise it is there, and we cannot use it. */
		if (err != EAGAIN && slip__os_leads_to(lock->file, lock->identity) == 1)
			(void)slip__os_unlink(lock->file);
		errno = err == ENOENT ? EAGAIN : err; /* not to be taken for a directory that is not there */
	}
	int err = errno;
	slip__lock_close(lock);
	errno = err;
	return -1;
}

void slip__lock_close(struct slip__lock *lock)
{
	slip__os_anchor_drop(lock->anchor);
	lock->anchor = NULL;
	slip__lock_abandon(lock);
}

void slip__lock_abandon(struct slip__lock *lock)
{
	if (lock->semaphore != NULL)
		slip__os_unmap(lock->semaphore, sizeof(*lock->semaphore));
	slip__os_close(lock->fd);
	lock->semaphore = NULL;
	lock->fd = -1;
}

/* ---- the dead ---- */

static bool dead(const struct slip__lock *lock, uint32_t seat)
{
	return seat != lock->seat && slip__os_is_locked(lock->fd, seat) == 0;
}

/*
 * The seats in trying whose owners are dead. No newcomer takes such a seat, so they stay what they are. Looked at on the seat itself: its
 * owner may have left in good order since we saw its mark, and a newcomer sit there and try.
 */
static uint64_t dead_tries(const struct slip__lock *lock)
{
	uint64_t found = 0;
	uint64_t others = a64_load_relaxed(&lock->semaphore->trying) & ~bit(lock->seat);
	for (; others != 0; others &= others - 1) {
		uint32_t seat = (uint32_t)__builtin_ctzll(others);
		void *its_seat = dead(lock, seat) ? slip__os_anchor(lock->file, lock->identity, seat) : NULL;
		if (its_seat == NULL)
			continue;
		found |= a64_load_relaxed(&lock->semaphore->trying) & bit(seat);
		slip__os_anchor_drop(its_seat);
	}
	return found;
}

/* Takes the lock over from a reader of ours that died with it. */
static bool inherit(const struct slip__lock *lock)
{
	uint32_t holder = a32_load_relaxed(&lock->semaphore->holder);
	if (lock->seat == SLIP__SEAT_NONE || holder <= SLIP__SEAT_WRITER + 1 || holder > SLIP__SEATS || !dead(lock, holder - 1))
		return false;
	/* Only on its seat: otherwise a newcomer could sit there, with the lock, between that look and the change. */
	void *its_seat = slip__os_anchor(lock->file, lock->identity, holder - 1);
	if (its_seat == NULL)
		return false;
	bool ours = a32_cas_relaxed(&lock->semaphore->holder, holder, lock->seat + 1);
	if (ours)
		a64_and_relaxed(&lock->semaphore->trying, ~bit(holder - 1));
	slip__os_anchor_drop(its_seat);
	return ours;
}

bool slip__lock_may_be_lost(const struct slip__lock *lock)
{
	return a32_load_relaxed(&lock->semaphore->holder) == 0 && dead_tries(lock) != 0;
}

uint32_t slip__lock_made_for(const struct slip__lock *lock)
{
	uint32_t length = a32_load_relaxed(&lock->semaphore->maker) - SLIP__LOCK_MADE;
	return length < SLIP_NAME_MAX ? length : 0;
}

bool slip__lock_holder_is_dead(const struct slip__lock *lock)
{
	uint32_t holder = a32_load_relaxed(&lock->semaphore->holder);
	return holder > 0 && holder <= SLIP__SEATS && dead(lock, holder - 1);
}

bool slip__lock_writer_alive(const struct slip__lock *lock)
{
	return !dead(lock, SLIP__SEAT_WRITER);
}

/* ---- taking and giving ---- */

static int refuse(struct slip__lock *lock, int err)
{
	const slip_channel_name *name = &lock->name;
	a64_and_relaxed(&lock->semaphore->trying, ~bit(lock->seat));
	if (err == EINTR)
		return slip__fail(EINTR, "a signal ended the wait for the lock of %s/%s", name->base, name->channel);
	if (a32_load_relaxed(&lock->semaphore->holder) == SLIP__SEAT_WRITER + 1 && dead(lock, SLIP__SEAT_WRITER))
		return slip__fail(EAGAIN, "the writer of %s/%s died while it wrote; its next one will start afresh", name->base,
				  name->channel);
	return slip__fail(EAGAIN, "the lock of %s/%s is taken by another process", name->base, name->channel);
}

/* Waits in slices, because the holder may die meanwhile. 0, or -1 with EAGAIN or EINTR. */
static int wait_for(struct slip__lock *lock, int64_t timeout_ns)
{
	int64_t now = slip__os_now();
	int64_t deadline = slip__wait_deadline(now, timeout_ns);
	for (;;) {
		if (inherit(lock))
			return 0;
		if (now >= deadline)
			return slip__fail_silently(EAGAIN);
		int64_t slice = deadline - now < SLICE_NS ? deadline : now + SLICE_NS;
		if (slip__os_semaphore_take(lock->semaphore, slice) == 0)
			return 0;
		if (errno != ETIMEDOUT)
			return -1;
		now = slip__os_now();
	}
}

/* Of a semaphore of value 1 nothing is left while we hold it. What is left was posted without having been taken. */
static void take_extra_away(struct slip__lock *lock)
{
	uint64_t extra = 0;
	while (slip__os_semaphore_value(lock->semaphore) > 0 && extra < MAX_EXTRA && slip__os_semaphore_take(lock->semaphore, 0) == 0)
		extra++;
	lock->extra += extra;
	lock->excluded = extra == 0;
}

int slip__lock_take(struct slip__lock *lock, int64_t timeout_ns)
{
	struct slip__semaphore *semaphore = lock->semaphore;
	/* Before the semaphore, so that who dies right behind it has left a mark. The C library's call is no place to reorder over. */
	a64_or_relaxed(&semaphore->trying, bit(lock->seat));
	if (slip__os_semaphore_take(semaphore, 0) != 0 && wait_for(lock, timeout_ns) != 0)
		return refuse(lock, errno);
	if (lock->seat != SLIP__SEAT_NONE)
		a32_store_relaxed(&semaphore->holder, lock->seat + 1);
	/* With the lock ours, none of the dead has it. */
	uint64_t gone = dead_tries(lock);
	if (gone != 0)
		a64_and_relaxed(&semaphore->trying, ~gone);
	take_extra_away(lock);
	return 0;
}

void slip__lock_give(struct slip__lock *lock)
{
	if (lock->seat != SLIP__SEAT_NONE)
		a32_store_relaxed(&lock->semaphore->holder, 0);
	slip__os_semaphore_give(lock->semaphore);
	a64_and_relaxed(&lock->semaphore->trying, ~bit(lock->seat));
}
