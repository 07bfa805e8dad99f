/*
 * registry.pml - the mappings that the threads of a process share, as a model for spin. tests/model/run checks it; README.md lists what
 * each step is for.
 *
 * WHAT IS MODELLED. src/core/registry.c, every step that touches the table, a count or the name as a step of its own:
 *   Thread   attaches (look-up without a lock and joining, whether it is still what the name leads to, else under the lock once more, then
 *            mapping and replacing), uses, detaches; the last user takes it out of the table, waits for a grace period, unmaps.
 *   World    puts other objects under the name.
 *
 * WHAT IS ABSTRACTED. Sequentially consistent, as all models here. liburcu: a grace period ends when each thread has left the read section
 * that it was in as the wait began; the table has one place, for one name and view. Opening never fails. A forked child, which starts a
 * table of its own, is outside.
 *
 * WHAT MUST HOLD.
 *   P_USE      nobody touches an attachment (its node, its count, its mapping) after it was unmapped and freed; that happens once
 *   P_ONE      an object is mapped once at a time, as long as anybody uses it
 *   P_CURRENT  what attaching gives was under the name at some moment of the call
 *   P_LEFT     in the end the table is empty, and nothing is mapped
 * and spin's own: nobody is stuck.
 *
 * Scenario: -DTHREADS= ROUNDS= OBJECTS= (that come under the name). Mutation: -DMUT_name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef THREADS
#define THREADS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef OBJECTS
#define OBJECTS 2
#endif

hidden byte USE_broken, ONE_broken, CURRENT_broken, LEFT_broken; /* always false */
#define P_USE(x) assert((x) || USE_broken)
#define P_ONE(x) assert((x) || ONE_broken)
#define P_CURRENT(x) assert((x) || CURRENT_broken)
#define P_LEFT(x) assert((x) || LEFT_broken)

#define STEP(x) atomic { if :: d_step { x } fi }
#define MAPPINGS (THREADS * ROUNDS + 1)
#define BIT(i) (1 << (i))

byte named = 1;		   /* the object under the name */
byte table;		   /* the attachment in it, 0: none */
byte mutex;
byte users[MAPPINGS], object[MAPPINGS];
bool there[MAPPINGS];	   /* mapped, its memory allocated */
byte mapped;		   /* ghost: attachments made so far; an attachment is one's number */
byte inside;		   /* bit t: thread t is in a read section */
byte waits_for[THREADS];   /* those that were when thread t began to wait for a grace period */
byte ended;

#define TOUCH(a) P_USE(there[a])

inline enter()
{
#ifndef MUT_NO_SECTION
	STEP(inside = inside | BIT(_pid))
#else
	skip
#endif
}

inline exit()
{
	d_step {
		inside = inside & ~BIT(_pid);
		waits_for[0] = waits_for[0] & ~BIT(_pid);
		waits_for[1] = waits_for[1] & ~BIT(_pid)
#if THREADS > 2
		; waits_for[2] = waits_for[2] & ~BIT(_pid)
#endif
	}
}

inline grace_period()
{
#ifndef MUT_NO_GRACE
	STEP(waits_for[_pid] = inside);
	waits_for[_pid] == 0
#else
	skip
#endif
}

inline destroy(a)
{
#ifdef MUT_REMOVED_AFTER_GRACE /* somebody finds it meanwhile */
	grace_period();
#endif
	atomic { mutex == 0 -> mutex = 1 };
#ifdef MUT_REMOVES_WHATEVER_IS_THERE /* which may be a newer one */
	STEP(table = 0);
#elif !defined(MUT_NOT_REMOVED)
	STEP(table = (table == a -> 0 : table));
#endif
	mutex = 0;
#ifndef MUT_REMOVED_AFTER_GRACE
	grace_period();
#endif
	STEP(TOUCH(a); there[a] = false)
}

inline detach(a)
{
	STEP(TOUCH(a); users[a]--; last = (users[a] == 0));
	if
	:: last -> last = false; destroy(a)
	:: else
	fi
}

/* a, or 0. */
inline look_up()
{
	enter();
	STEP(a = table);
	if
	:: a == 0
	:: else ->
#ifdef MUT_JOIN_BLINDLY /* whoever is on its way out too */
		STEP(TOUCH(a); users[a]++);
#else
		STEP(TOUCH(a); n = users[a]);
		do
		:: n == 0 -> a = 0; break
		:: else ->
			STEP(TOUCH(a); if :: users[a] == n -> users[a] = n + 1; last = true :: else -> n = users[a] fi);
			if
			:: last -> last = false; break
			:: else
			fi
		od
#endif
	fi;
	n = 0;
	exit()
}

inline is_current(a)
{
	STEP(TOUCH(a); ok = (object[a] == named))
}

active [THREADS] proctype Thread()
{
	byte a, stale, n, rounds, first;
	bool ok, last;
	do
	:: rounds < ROUNDS ->
		rounds++;
		first = named;
		look_up();
		if
		:: a == 0
		:: else ->
#ifdef MUT_ANY_WILL_DO /* does not ask what the name leads to */
			ok = true;
#else
			is_current(a);
#endif
			if
			:: ok
			:: else -> detach(a); a = 0
			fi
		fi;
		ok = false;
		if
		:: a != 0
		:: else ->
			atomic { mutex == 0 -> mutex = 1 };
#ifndef MUT_ONE_LOOK_UP /* another thread may have been here first */
			look_up();
			if
			:: a == 0
			:: else ->
				is_current(a);
				if
				:: ok
				:: else -> stale = a; a = 0
				fi
			fi;
#endif
#ifdef MUT_STALE_LEFT_UNDER_THE_LOCK /* which its last user takes */
			if
			:: stale -> detach(stale); stale = 0
			:: else
			fi;
#endif
			if
			:: a != 0
			:: else ->
				STEP(mapped++; a = mapped; there[a] = true; object[a] = named; users[a] = 1;
				     n = 1;
				     do
				     :: n < MAPPINGS -> P_ONE(n == a || users[n] == 0 || object[n] != object[a]); n++
				     :: else -> break
				     od;
				     n = 0);
				STEP(table = a)
			fi;
			mutex = 0;
			ok = false;
			if
			:: stale -> detach(stale); stale = 0
			:: else
			fi
		fi;
		STEP(TOUCH(a); P_CURRENT(object[a] >= first)); /* uses it */
		detach(a);
		STEP(a = 0; first = 0)
	:: else -> break
	od;
	ended++
}

active proctype World()
{
	do
	:: named < OBJECTS -> named++
	:: break
	od
}

active proctype Auditor()
{
	byte a;
	d_step {
		ended == THREADS ->
		do
		:: a < MAPPINGS -> P_LEFT(!there[a]); a++
		:: else -> break
		od;
		P_LEFT(table == 0)
	}
}
