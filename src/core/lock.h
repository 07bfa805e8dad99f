/*
 * lock.h - the lock of a semaphore channel: a POSIX named semaphore of value 1, which other programs take and post too.
 *
 * A semaphore does not know who took it. So that the death of a process of ours is found and repaired, its file carries a note in bytes that the
 * C libraries leave alone, and each attached handle of ours holds a kernel lock on a byte of the file, its seat, which ends with its process:
 *
 *   trying  bit i is set while seat i is between asking for the lock and having given it back
 *   holder  i + 1 while seat i holds the lock, 0 while nobody of ours is known to
 *
 *   what is found, the semaphore being 0     what it means                                     what is done
 *   holder 0, no dead seat in trying         somebody holds it, ours or not                    wait, or EAGAIN
 *   holder i + 1, seat i alive               a process of ours holds it                        the same
 *   holder i + 1, seat i dead, a reader's    it was killed while it copied out                 whoever finds it takes the lock over
 *   holder 1, seat 0 dead: the writer's      it was killed while it copied in: half a frame    nobody may read; the next writer starts afresh
 *   holder 0, a dead seat in trying          it was killed within a few instructions of        after a whole time limit the writer starts afresh:
 *                                            taking or giving, or while it waited for          nothing is posted that may not have been taken
 *                                            one that still holds it
 *
 * A count above 1 (programs that post what they did not take) is found under the lock and taken away; the lock then did not exclude, so what was
 * read in that moment is not shown.
 *
 * One thread at a time per lock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_LOCK_H
#define SLIP_CORE_LOCK_H

#include "atomic.h"
#include "os.h"

#include <slipring/inspect.h>

/* The bytes of the semaphore's file. */
struct slip__semaphore {
	unsigned char posix[16]; /* the C library's */
	slip__a64 trying;
	slip__a32 holder;
	slip__a32 maker; /* SLIP__LOCK_MADE + the length of the base name, where slipring made it; else 0 */
};
_Static_assert(sizeof(struct slip__semaphore) == SLIP__SEMAPHORE_BYTES, "the size of a sem_t");

#define SLIP__LOCK_MADE UINT32_C(0x51500000)

enum { SLIP__SEAT_WRITER = 0, SLIP__SEATS = 64, SLIP__SEAT_NONE = SLIP__SEATS };

struct slip__lock {
	struct slip__semaphore *semaphore; /* mapped; NULL: closed */
	slip_channel_name name;
	char file[SLIP_OBJECT_MAX];
	struct slip__identity identity;
	int fd;
	void *anchor; /* keeps the seat; NULL: none */
	uint32_t seat;
	bool excluded;	/* under the lock: it kept everybody else out, as far as can be told */
	uint64_t extra; /* posts too many that were taken away */
};

/*
 * Makes a fresh semaphore under a channel's name, with the writer's seat taken. permissions: the write bit comes beside each read bit. EEXIST where a
 * name is there already; EAGAIN where another writer was faster.
 */
int slip__lock_make(struct slip__lock *lock, const slip_channel_name *name, mode_t permissions);

/*
 * Opens what stands there, and takes a reader's seat; where all are taken it works without. ENOENT, without a detail: nothing does, or it is still being
 * made. EBADMSG: too small for a semaphore.
 */
int slip__lock_open(struct slip__lock *lock, const slip_channel_name *name);
/* For looking only: read-only, no seat. */
int slip__lock_look(struct slip__lock *lock, const slip_channel_name *name);

void slip__lock_close(struct slip__lock *lock);
/* In a forked child, which did not inherit the seat. */
void slip__lock_abandon(struct slip__lock *lock);

/* Takes the lock; timeout_ns 0 tries once. -1 with EAGAIN or EINTR and a sentence. */
int slip__lock_take(struct slip__lock *lock, int64_t timeout_ns);
void slip__lock_give(struct slip__lock *lock);

/* After a take that ran out of time: whether a dead process of ours may be why. */
bool slip__lock_may_be_lost(const struct slip__lock *lock);

/* The length of its base's name where slipring made it, else 0; then also: whether its writer lives. */
uint32_t slip__lock_made_for(const struct slip__lock *lock);
bool slip__lock_writer_alive(const struct slip__lock *lock);
/* Whether a dead process of ours has it. */
bool slip__lock_holder_is_dead(const struct slip__lock *lock);

#endif
