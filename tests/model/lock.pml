/*
 * lock.pml - the lock of semaphore mode as a model for spin. tests/model/run checks it; README.md lists what each step is for.
 *
 * WHAT IS MODELLED. src/core/lock.c, with what sem_objects.c, sem_writer.c and sem_reader.c do around it, every step that touches a shared
 * word as a step of its own:
 *   Reader   opens (finding the object, a seat whose mark is clear), takes the lock (mark, semaphore, waiting in slices, inheriting from a
 *            dead reader, note, clearing the marks of the dead), copies out, gives it back; follows to fresh objects. It may die before and
 *            after every step; the process then goes on as a newcomer, or stays dead.
 *   Writer   the same with seat 0; starts afresh, with fresh objects, where the lock may be lost and when it comes after a dead one.
 *   Foreign  a program without slipring, which waits and posts, and leaves no note. It may die with the lock (FOREIGN=2).
 *   Auditor  looks once everybody has left.
 *
 * WHAT IS ABSTRACTED. Sequentially consistent, as all models here. A semaphore is a number; the two names of a channel are one, which leads
 * to an object or nowhere. Time limits end at any moment. The payload is two cells. Posting what was not taken (a fault of other programs),
 * readers for whom no seat is left (their death is not found) and two writers that start at once are outside; so are hostile peers.
 *
 * WHAT MUST HOLD.
 *   P_TWO    nobody takes the lock while another has it
 *   P_ROB    who inherits the lock has it from one of ours that is dead, never from a living one or from a foreign program
 *   P_POST   nothing is posted that was not taken
 *   P_TORN   whoever reads under the lock sees a whole frame
 *   P_SEAT   nobody sits down on a seat that still tells something of a dead one
 *   P_LOST   a lock that nobody alive has is free, or can be inherited, or is known to be lost
 *
 * Scenario: -DREADERS= GETS= (per life) SETS= OBJECTS= DEATHS= (in all) FOREIGN=0|1|2. Mutation: -DMUT_name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef READERS
#define READERS 2
#endif
#ifndef GETS
#define GETS 1
#endif
#ifndef SETS
#define SETS 1
#endif
#ifndef OBJECTS
#define OBJECTS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef FOREIGN
#define FOREIGN 0
#endif

hidden byte TWO_broken, ROB_broken, POST_broken, TORN_broken, SEAT_broken, LOST_broken; /* always false */
#define P_TWO(x) assert((x) || TWO_broken)
#define P_ROB(x) assert((x) || ROB_broken)
#define P_POST(x) assert((x) || POST_broken)
#define P_TORN(x) assert((x) || TORN_broken)
#define P_SEAT(x) assert((x) || SEAT_broken)
#define P_LOST(x) assert((x) || LOST_broken)

#define SEATS (READERS + 2) /* one to spare */
#define NONE 7
#define BIT(i) (1 << (i))
#define MINE (mine == NONE -> 0 : BIT(mine))

/* Of an object; 0 is none */
byte sem[OBJECTS + 1], trying[OBJECTS + 1], holder[OBJECTS + 1];
byte seats[OBJECTS + 1]; /* the kernel's locks on the seats */
byte cell[2 * OBJECTS + 2];
byte named; /* to which object the channel's names lead */
byte made;
byte deaths = DEATHS;
byte gone_away; /* ghost: processes that will do nothing any more */

/* ghost: who has the lock: 0 nobody, 1 + pid, DEAD one of ours that died, ALIEN the foreign program */
#define DEAD 100
#define ALIEN 101
byte has[OBJECTS + 1];

/* Several statements as one. The selection around it is for spin, which does not let a jump end on a d_step. */
#define AT_ONCE(x) atomic { if :: d_step { x } fi }
#if DEATHS
#define STEP(x) atomic { if :: deaths > 0 -> deaths--; goto dead :: d_step { x } fi }
#else
#define STEP(x) AT_ONCE(x)
#endif

#define TAKE sem[o]--; P_TWO(has[o] == 0); has[o] = _pid + 1

/* ---------------------------------------------------------------- the lock ---------------------------------------------------------------- */

/* From a reader of ours that died with it. */
inline inherit(got)
{
	STEP(h = holder[o]);
	if
#ifdef MUT_INHERIT_FROM_WRITER /* it was copying in */
	:: mine != NONE && h > 0 ->
#else
	:: mine != NONE && h > 1 ->
#endif
		STEP(ok = (h - 1 != mine && !(seats[o] & BIT(h - 1))));
		if
		:: ok ->
			ok = false;
#ifndef MUT_INHERIT_UNSEATED /* a newcomer can sit down there, with the lock, before the change */
			STEP(if :: !(seats[o] & BIT(h - 1)) && named == o -> seats[o] = seats[o] | BIT(h - 1); its = h - 1 :: else fi);
			if
			:: its == NONE
			:: else ->
#endif
#ifdef MUT_INHERIT_UNMARKS_FIRST /* its note may be gone by now, and the mark all that tells of it */
				STEP(trying[o] = trying[o] & ~BIT(h - 1));
#endif
#ifdef MUT_INHERIT_BLINDLY /* another may have, before we had the seat */
				STEP(holder[o] = mine + 1; got = true; P_ROB(has[o] == DEAD); has[o] = _pid + 1);
#else
				STEP(if
				     :: holder[o] == h -> holder[o] = mine + 1; got = true; P_ROB(has[o] == DEAD); has[o] = _pid + 1
				     :: else
				     fi);
#endif
				if
				:: got -> STEP(trying[o] = trying[o] & ~BIT(h - 1))
				:: else
				fi;
#ifndef MUT_INHERIT_UNSEATED
				STEP(seats[o] = seats[o] & ~BIT(its); its = NONE)
			fi
#endif
		:: else
		fi
	:: else
	fi;
	AT_ONCE(h = 0; ok = false)
}

/* Into gone: the seats in trying whose owners are dead. */
inline dead_tries()
{
	STEP(others = trying[o] & ~MINE);
	i = 0;
	do
	:: i < SEATS && (others & BIT(i)) ->
#ifdef MUT_DEAD_BY_A_LOOK /* its owner may have left in good order since, and a newcomer sit there */
		STEP(gone = gone | (!(seats[o] & BIT(i)) -> BIT(i) : 0));
#else
		STEP(if :: !(seats[o] & BIT(i)) && named == o -> seats[o] = seats[o] | BIT(i); its = i :: else fi);
		if
		:: its == NONE
		:: else ->
			STEP(gone = gone | (trying[o] & BIT(i)));
			STEP(seats[o] = seats[o] & ~BIT(its); its = NONE)
		fi;
#endif
		i++
	:: i < SEATS && !(others & BIT(i)) -> i++
	:: else -> break
	od;
	AT_ONCE(i = 0; others = 0)
}

inline take_lock(got)
{
	got = false;
#ifndef MUT_MARK_AFTER_TAKE /* who dies between the two has left nothing */
	STEP(trying[o] = trying[o] | MINE);
#endif
	STEP(if :: sem[o] > 0 -> TAKE; got = true :: else fi);
	if
	:: got
	:: else ->
		do
		:: got -> break
		:: else ->
			inherit(got);
#ifdef MUT_POST_FOR_THE_DEAD /* it may never have taken it */
			STEP(h = holder[o]);
			if
			:: !got && h == 0 ->
				dead_tries();
				if
				:: gone -> STEP(trying[o] = trying[o] & ~gone; sem[o]++; gone = 0)
				:: else
				fi
			:: else
			fi;
			h = 0;
#endif
			if
			:: got
			:: else ->
				if
				:: break /* out of time */
				:: STEP(if :: sem[o] > 0 -> TAKE; got = true :: else fi)
				fi
			fi
		od
	fi;
	if
	:: !got -> STEP(trying[o] = trying[o] & ~MINE)
	:: else ->
#ifdef MUT_MARK_AFTER_TAKE
		STEP(trying[o] = trying[o] | MINE);
#endif
		if
		:: mine != NONE -> STEP(holder[o] = mine + 1)
		:: else
		fi;
		dead_tries();
		if
		:: gone -> STEP(trying[o] = trying[o] & ~gone; gone = 0)
		:: else
		fi
	fi
}

inline give_lock()
{
#ifndef MUT_NOTE_AFTER_POST /* who dies between the two seems to have what another has by then */
	if
	:: mine != NONE -> STEP(holder[o] = 0)
	:: else
	fi;
#endif
#ifdef MUT_UNMARK_BEFORE_POST /* who dies between the two has left nothing */
	STEP(trying[o] = trying[o] & ~MINE);
#endif
	STEP(P_POST(sem[o] == 0 && has[o] == _pid + 1); sem[o]++; has[o] = 0);
#ifdef MUT_NOTE_AFTER_POST
	if
	:: mine != NONE -> STEP(holder[o] = 0)
	:: else
	fi;
#endif
#ifndef MUT_UNMARK_BEFORE_POST
	STEP(trying[o] = trying[o] & ~MINE)
#endif
}

/* What the kernel does when a process ends. */
inline let_go()
{
	d_step {
		if :: mine != NONE -> seats[o] = seats[o] & ~BIT(mine) :: else fi;
		if :: its != NONE -> seats[o] = seats[o] & ~BIT(its) :: else fi;
		if :: o > 0 && has[o] == _pid + 1 -> has[o] = DEAD :: else fi;
		mine = NONE; its = NONE; o = 0; h = 0; ok = false; got = false; gone = 0; others = 0; i = 0; x = 0
	}
}

/* ---------------------------------------------------------------- processes ---------------------------------------------------------------- */

active [READERS] proctype Reader()
{
	byte o, mine = NONE, its = NONE, h, gone, others, i, x, rounds;
	bool ok, got;
newcomer:
	STEP(o = named);
	if
	:: o == 0 -> goto out
	:: else
	fi;
	i = 1;
	do
	:: mine == NONE && i < SEATS ->
#ifndef MUT_SEAT_MARKED /* takes a seat that tells of a dead one */
		STEP(ok = !(trying[o] & BIT(i)));
#else
		ok = true;
#endif
		if
		:: ok ->
			STEP(if :: !(seats[o] & BIT(i)) && named == o -> seats[o] = seats[o] | BIT(i); its = i :: else fi);
			if
			:: its != NONE ->
#if !defined(MUT_SEAT_MARKED) && !defined(MUT_SEAT_ONE_LOOK) /* another may have come, tried and died between */
				STEP(ok = !(trying[o] & BIT(i)));
#endif
				if
				:: ok -> AT_ONCE(P_SEAT(holder[o] != i + 1 && !(trying[o] & BIT(i))); mine = i; its = NONE)
				:: else -> STEP(seats[o] = seats[o] & ~BIT(i); its = NONE)
				fi
			:: else
			fi
		:: else
		fi;
		ok = false;
		i++
	:: else -> break
	od;
	i = 0;
	if
	:: mine == NONE -> goto out /* it would work without one */
	:: else
	fi;
	do
	:: rounds < GETS ->
		STEP(ok = (named == o));
		if
		:: ok -> ok = false
		:: else -> break
		:: ok && rounds > 0 -> break /* closes, and comes again */
		fi;
		rounds++;
		take_lock(got);
		if
		:: got ->
			STEP(x = cell[2 * o]);
			STEP(P_TORN(x == cell[2 * o + 1]); x = 0);
			give_lock()
		:: else
		fi;
		got = false
	:: else -> break
	od;
	let_go();
	if
	:: rounds < GETS -> goto newcomer
	:: else -> goto out
	fi;
dead:
	let_go();
	if
	:: rounds = 0 -> goto newcomer
	:: goto out
	fi;
out:
	gone_away++
}

active proctype Writer()
{
	byte o, mine = NONE, its = NONE, h, gone, others, i, x, rounds;
	bool ok, got;
	byte sets;
afresh:
	let_go();
	if
	:: made == OBJECTS -> goto out
	:: else
	fi;
	STEP(named = 0);
	STEP(made++; o = made; sem[o] = 1; seats[o] = BIT(0); mine = 0);
	STEP(named = o);
	do
	:: sets < SETS ->
		take_lock(got);
		if
		:: got ->
			sets++;
			STEP(cell[2 * o] = sets);
			STEP(cell[2 * o + 1] = sets);
			give_lock();
			got = false
		:: else ->
			/* Out of time: lost by one that died within a few instructions? */
			STEP(ok = (holder[o] == 0));
			if
			:: ok -> ok = false; dead_tries()
			:: else
			fi;
			if
			:: gone -> goto afresh
			:: else -> sets++ /* refused */
			fi
		fi
	:: else -> break
	od;
	let_go();
	goto out;
dead:
	let_go();
	sets = 0;
	goto afresh;
out:
	gone_away++
}

#if FOREIGN
active proctype Foreign()
{
	byte o, x;
	do
	:: named != 0 -> atomic { o = named; if :: o == 0 -> skip :: else -> break fi }
	:: gone_away == READERS + 1 -> goto out
	od;
	do
	:: atomic { sem[o] > 0 -> sem[o]--; P_TWO(has[o] == 0); has[o] = ALIEN };
		x = cell[2 * o];
		AT_ONCE(P_TORN(x == cell[2 * o + 1]); x = 0);
#if FOREIGN > 1
		if
		:: goto out
		:: true
		fi;
#endif
		AT_ONCE(P_POST(sem[o] == 0 && has[o] == ALIEN); sem[o]++; has[o] = 0);
		break
	:: break
	od;
out:
	skip
}
#endif

/* The processes that have left hold no seat, so that whose seat is named by a mark or a note is dead. */
active proctype Auditor()
{
	d_step {
		gone_away == READERS + 1 ->
		P_LOST(named == 0 || has[named] == ALIEN || sem[named] == 1 || holder[named] != 0 || trying[named] != 0)
	}
}
