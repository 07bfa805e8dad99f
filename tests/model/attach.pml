/*
 * attach.pml - the table of readers: places, hints and who lives, as a model for spin. tests/model/run checks it; README.md lists what each
 * step is for.
 *
 * WHAT IS MODELLED. src/core/liveness.c, sit in follow.c and history in choose.c, every step that touches a lock byte or a shared word as a
 * step of its own:
 *   Reader  takes a place (asks, then takes its byte), clears what its predecessor left, says that it reads in order, looks which frame it
 *           begins with, shows itself; reads in order, marking and unmarking; leaves. It may die before and after every step; the process
 *           then goes on as a newcomer, or stays dead.
 *   Writer  publishes (which frame goes depends on the hint in_order), counts the readers, and clears what the dead left, at any moment.
 *
 * WHAT IS ABSTRACTED. Sequentially consistent, as all models here. A reader's marks on slots are one bit, and do not keep a frame (slot.pml
 * has that); a lock byte frees at the moment of death; the ring stays (growth.pml has its name). The table has a place for each reader.
 * Frames are small: what choose.c makes of large ones and of readers that fall behind is left out.
 *
 * WHAT MUST HOLD.
 *   P_PLACE  nobody is on a place with another
 *   P_ROB    nobody takes a living reader's mark or hints away
 *   P_BEGIN  a reader that was counted begins with a frame that is not newer than the first one published after the count
 *   P_KEPT   what a settled or counted reader in order has yet to read goes only when it is the oldest of all
 *   P_LEFT   after the last reader has gone and the writer has cleared up, the table is empty
 * For the few instructions between a newcomer's lock and its clearing, its dead predecessor's word counts for it; P_BEGIN takes promises
 * only from a reader's own.
 *
 * Scenario: -DREADERS= SLOTS= FRAMES= COUNTS= DEATHS=. Mutation: -DMUT_name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef READERS
#define READERS 1
#endif
#ifndef SLOTS
#define SLOTS 3
#endif
#ifndef FRAMES
#define FRAMES 4
#endif
#ifndef COUNTS
#define COUNTS 1
#endif
#ifndef DEATHS
#define DEATHS 0
#endif

hidden byte PLACE_broken, ROB_broken, BEGIN_broken, KEPT_broken, LEFT_broken; /* always false */
#define P_PLACE(x) assert((x) || PLACE_broken)
#define P_ROB(x) assert((x) || ROB_broken)
#define P_BEGIN(x) assert((x) || BEGIN_broken)
#define P_KEPT(x) assert((x) || KEPT_broken)
#define P_LEFT(x) assert((x) || LEFT_broken)

#define AT_ONCE(x) atomic { if :: d_step { x } fi }
#if DEATHS
#define STEP(x) atomic { if :: deaths > 0 -> deaths--; goto dead :: d_step { x } fi }
#else
#define STEP(x) AT_ONCE(x)
#endif
#define BIT(i) (1 << (i))
#define MINE BIT(mine)
#define NONE 255
#define CLEARING 100

byte attached, in_order, marks; /* bit p: of the reader on place p */
byte lock[READERS]; /* the byte of place p: 1 + pid of who holds it, or CLEARING */
byte newest;
byte deaths = DEATHS;
/* ghost, of the reader on place p */
byte shown_by[READERS];		/* 1 + pid of who set its bit in attached */
byte promise[READERS];		/* 1 + the newest frame when it was counted, 0: was not */
byte last[READERS];		/* the last frame that it had, or the one before that it begins with; NONE: not settled */
byte gone_away;

#define ALIVE(p) (lock[p] != 0 && lock[p] != CLEARING)
#define PROMISED(p, q) (promise[p] != 0 && (q) >= promise[p])
#define WANTED_BY(p, q) (ALIVE(p) && (last[p] != NONE -> (q) > last[p] : PROMISED(p, q)))
#if READERS > 1
#define WANTED(q) (WANTED_BY(0, q) || WANTED_BY(1, q))
#else
#define WANTED(q) WANTED_BY(0, q)
#endif

active [READERS] proctype Reader()
{
	byte mine = NONE, p, h;
	bool ok;
newcomer:
	p = 0;
	do
	:: mine == NONE && p < READERS ->
		STEP(ok = (lock[p] == 0));
		if
		:: ok -> STEP(if :: lock[p] == 0 -> lock[p] = _pid + 1; mine = p; last[p] = NONE; promise[p] = 0; shown_by[p] = 0 :: else fi)
		:: else
		fi;
		p++
	:: else -> break
	od;
	AT_ONCE(p = 0; ok = false);
	if
	:: mine == NONE -> goto newcomer /* somebody clears up there for a moment */
	:: else
	fi;
	STEP(marks = marks & ~MINE);
	STEP(in_order = in_order & ~MINE);
	STEP(attached = attached & ~MINE; shown_by[mine] = 0);
#ifdef MUT_SHOWN_BEFORE_SETTLED /* counted before it has looked where it begins */
	STEP(attached = attached | MINE; shown_by[mine] = _pid + 1);
#endif
#ifdef MUT_LOOKS_BEFORE_IN_ORDER /* what is published between the two is not kept for it */
	STEP(h = newest; last[mine] = (h > 0 -> h - 1 : 0); P_BEGIN(promise[mine] == 0 || last[mine] + 1 <= promise[mine]));
	STEP(in_order = in_order | MINE);
#else
	STEP(in_order = in_order | MINE);
	STEP(h = newest; last[mine] = (h > 0 -> h - 1 : 0); P_BEGIN(promise[mine] == 0 || last[mine] + 1 <= promise[mine]));
#endif
#ifndef MUT_SHOWN_BEFORE_SETTLED
	STEP(attached = attached | MINE; shown_by[mine] = _pid + 1);
#endif
	h = 0;
	do
	:: last[mine] < newest ->
		STEP(P_ROB((attached & MINE) && (in_order & MINE)); marks = marks | MINE);
		STEP(P_ROB(marks & MINE); P_PLACE(lock[mine] == _pid + 1); marks = marks & ~MINE; last[mine]++)
	:: break
	od;
	AT_ONCE(last[mine] = NONE; promise[mine] = 0; shown_by[mine] = 0); /* it wants nothing any more */
#ifdef MUT_LEAVES_BYTE_FIRST /* and clears what a newcomer has said of itself */
	STEP(lock[mine] = 0);
	STEP(in_order = in_order & ~MINE);
	STEP(attached = attached & ~MINE);
	mine = NONE;
#else
	STEP(in_order = in_order & ~MINE);
	STEP(attached = attached & ~MINE);
	STEP(P_PLACE(lock[mine] == _pid + 1); lock[mine] = 0; mine = NONE);
#endif
	goto out;
dead:
	skip;
	d_step {
		if :: mine != NONE -> lock[mine] = 0; mine = NONE :: else fi;
		p = 0; h = 0; ok = false
	}
	if
	:: goto newcomer
	:: goto out
	fi;
out:
	gone_away++
}

/* Clears the readers in bits that are dead; alive becomes the others. */
inline reclaim()
{
	alive = 0;
	p = 0;
	do
	:: p < READERS && !(bits & BIT(p)) -> p++
	:: p < READERS && (bits & BIT(p)) ->
		AT_ONCE(ok = (lock[p] == 0));
#ifdef MUT_RECLAIMS_WITHOUT_BYTE /* a newcomer can come between */
		if
#else
		if
		:: ok -> AT_ONCE(ok = (lock[p] == 0); if :: ok -> lock[p] = CLEARING :: else fi)
		:: else
		fi;
		if
#endif
		:: ok ->
			AT_ONCE(marks = marks & ~BIT(p));
			AT_ONCE(in_order = in_order & ~BIT(p));
			AT_ONCE(attached = attached & ~BIT(p));
#ifndef MUT_RECLAIMS_WITHOUT_BYTE
			AT_ONCE(lock[p] = 0)
#endif
		:: else -> alive = alive | BIT(p)
		fi;
		p++
	:: else -> break
	od;
	AT_ONCE(p = 0; ok = false)
}

inline count()
{
	AT_ONCE(shown = attached);
	AT_ONCE(bits = attached);
	AT_ONCE(bits = bits | in_order);
	AT_ONCE(bits = bits | marks);
	reclaim();
#ifdef MUT_COUNTS_MARKED /* whoever has said or marked anything */
	AT_ONCE(shown = bits);
#endif
	/* What is published from now on is kept for those. */
	AT_ONCE(
		do
		:: p < READERS ->
			if
#ifdef MUT_COUNTS_MARKED
			:: (alive & shown & BIT(p)) && promise[p] == 0 && lock[p] != 0 && lock[p] != CLEARING -> promise[p] = newest + 1
#else
			:: (alive & shown & BIT(p)) && promise[p] == 0 && lock[p] == shown_by[p] && lock[p] != 0 -> promise[p] = newest + 1
#endif
			:: else
			fi;
			p++
		:: else -> p = 0; break
		od;
		shown = 0; bits = 0; alive = 0
	)
}

active proctype Writer()
{
	byte seq[SLOTS]; /* of the slots, the newest frame's first */
	byte at, p, bits, alive, shown, counts;
	bool ok;
	do
	:: newest < FRAMES ->
		/* Which slot: behind the newest, or, while somebody reads in order, the oldest. */
		AT_ONCE(at = (newest == 0 -> SLOTS - 1 : (in_order != 0 -> SLOTS - 1 : 1)));
		AT_ONCE(P_KEPT(seq[at] == 0 || at == SLOTS - 1 || !WANTED(seq[at]));
			do
			:: at > 0 -> seq[at] = seq[at - 1]; at--
			:: else -> break
			od;
			seq[0] = 0);
		AT_ONCE(seq[0] = newest + 1; newest++)
	:: counts < COUNTS -> counts++; count()
	:: newest == FRAMES -> break
	od;
	gone_away == READERS;
	count();
	P_LEFT(attached == 0 && in_order == 0 && marks == 0)
}
