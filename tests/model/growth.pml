/*
 * growth.pml - rings that follow one another under a channel's name, as a model for spin. tests/model/run checks it; README.md lists what
 * each step is for.
 *
 * WHAT IS MODELLED. src/core/generation.c, follow.c, leftover.c and what of segment.c, liveness.c, reader.c and wait.c they use; every
 * system call on a name or a lock and every access to head, state and fw as a step of its own, in the order of the code:
 *   Writer  opens (first of an epoch, or taking over, with growing at once), publishes, lends and publishes what it lent before a growth,
 *           grows, closes, sweeps. It may die before and after every step, also while opening; the process then goes on as the next writer.
 *           There may be two that want to write.
 *   Reader  attaches, latest, next, asks (shape, alive), waits, follows from ring to ring. Time may pass while it sleeps (TIMER): it then
 *           looks whether its name still leads to its ring.
 *   Tool    `slipring gc`, at any moment; it may die too.
 *
 * WHAT IS ABSTRACTED. Sequentially consistent, as all models here. What happens within a ring is slot.pml's: a frame is published in one
 * step, and a ring keeps all of its frames. A lock frees at the moment of death. A description, options and permissions are left out, and
 * so are a full table of readers, objects of other users, words that no writer leaves, and lack of room. Processes look up names, not inode
 * numbers: an object's number is used once (a mapping keeps the inode).
 *
 * WHAT MUST HOLD.
 *   P_SEQ      frames of an epoch are published as 1, 2, 3 ...: none twice, no gap, over growth and deaths
 *   P_OWN      who publishes writes the ring under the name, and holds its lock; nobody takes the name away from a writer
 *   P_WHOLE    what the name leads to has its payload
 *   P_EPOCH    an epoch ends by being closed, or where nobody is left and a tool clears up; not because a writer died
 *   P_LOST     who reads in order leaves a ring only when it has had all of it
 *   P_BACK     latest never gives an older frame than the handle had, of the same epoch
 *   P_NONE     latest finds a frame if the handle had one of this epoch
 *   P_CLOSED   a reader is told that the channel was closed only if its epoch has ended
 *   P_WAKE     nobody sleeps on a ring that has news or has ended, after which the writer has done its wake
 *   P_REMOVED  nothing that a reader sits at is removed as left over
 *   P_LEFT     once all have gone in good order, and a sweep was made after the last death, nothing is left
 *
 * Scenario: -DWRITERS= LIVES= (opens of each writer) FRAMES= OBJECTS= GROWS= LOANS= DEATHS= (numbers in all), and the switches LATEST
 *           NEXT ASK WAIT TIMER TOOL SWEEP CLOSE. Mutation: -DMUT_name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef LIVES
#define LIVES 1
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef OBJECTS
#define OBJECTS 3
#endif
#ifndef GROWS
#define GROWS 1
#endif
#ifndef LOANS
#define LOANS 0
#endif
#ifndef DEATHS
#define DEATHS 0
#endif

hidden byte SEQ_broken, OWN_broken, WHOLE_broken, EPOCH_broken, LOST_broken, BACK_broken, NONE_broken, CLOSED_broken, WAKE_broken,
	    REMOVED_broken, LEFT_broken; /* always false */
#define P_SEQ(x) assert((x) || SEQ_broken)
#define P_OWN(x) assert((x) || OWN_broken)
#define P_WHOLE(x) assert((x) || WHOLE_broken)
#define P_EPOCH(x) assert((x) || EPOCH_broken)
#define P_LOST(x) assert((x) || LOST_broken)
#define P_BACK(x) assert((x) || BACK_broken)
#define P_NONE(x) assert((x) || NONE_broken)
#define P_CLOSED(x) assert((x) || CLOSED_broken)
#define P_WAKE(x) assert((x) || WAKE_broken)
#define P_REMOVED(x) assert((x) || REMOVED_broken)
#define P_LEFT(x) assert((x) || LEFT_broken)

#define BIT(i) (1 << (i))
#define RETIRED 1
#define CLOSED 2

/* Names: control's leads to an object or nowhere (0); bit o of the others: new.ID and payload.ID of object o stand. */
byte control, new, payload;
byte made; /* objects made so far; o is one's number */
/* In control of object o */
byte state[OBJECTS + 1], fw[OBJECTS + 1], head[OBJECTS + 1], first[OBJECTS + 1], epoch[OBJECTS + 1];
byte writer_byte[OBJECTS + 1]; /* 1 + pid of who holds byte 0 */
byte reader_byte[OBJECTS + 1]; /* 1 + pid of who holds the reader's byte */

byte deaths = DEATHS, grows = GROWS, loans = LOANS, frames = FRAMES;
byte asleep;		    /* on which ring's fw the reader sleeps */
byte last;		    /* the last frame that the handle had, or the one before the first that it may have */
byte sits;		    /* the ring at which the reader has a seat */
byte newest[OBJECTS + 1];   /* ghost: of the epoch */
byte ended;		    /* ghost: bit e: epoch e has ended */
byte owed;		    /* ghost: bit o: ring o has changed and its writer has not done its wake */
byte finished;		    /* ghost: processes that will do nothing any more */
bool died;		    /* ghost: somebody did, and no sweep came after it */

/* Several statements as one. The selection around it is for spin, which does not let a jump end on a d_step. */
#define AT_ONCE(x) atomic { if :: d_step { x } fi }
#if DEATHS
#define STEP(x) atomic { if :: deaths > 0 -> deaths--; goto dead :: d_step { x } fi }
#else
#define STEP(x) AT_ONCE(x)
#endif

#define ME (_pid + 1)
#define SLEEPS_OVER(o) (asleep == (o) && asleep != 0 && !(owed & BIT(o)) && (head[o] > last || state[o] != 0))

/* ---------------------------------------------------------------- names ---------------------------------------------------------------- */

/* slip__os_anchor on byte 0 of object o, through one of its names (as an expression): ok. */
inline anchor_writer(o, leads)
{
	STEP(if :: (leads) && writer_byte[o] == 0 -> writer_byte[o] = ME; ok = true :: else -> ok = false fi);
	if
	:: ok ->
		STEP(ok = (leads));
		if
		:: ok
		:: else -> STEP(writer_byte[o] = 0)
		fi
	:: else
	fi
}

/* slip__segment_unlink. Whoever does it holds byte 0. */
inline unlink_ring(o)
{
#ifdef MUT_UNLINK_PAYLOAD_FIRST /* the name then leads to half a ring */
	STEP(payload = payload & ~BIT(o));
#endif
#ifdef MUT_UNLINK_BLINDLY /* without looking whose the name is by now */
	STEP(P_OWN(control == o || control == 0); control = 0);
#else
	STEP(ok = (control == o));
	if
	:: ok -> STEP(P_OWN(control == o); control = 0)
	:: else
	fi;
#endif
#ifndef MUT_UNLINK_PAYLOAD_FIRST
	STEP(payload = payload & ~BIT(o));
#endif
	STEP(new = new & ~BIT(o));
	ok = false
}

/* slip__leftover_sweep and `slipring gc`, of one object; control only for the tool. */
inline clear_up(o, tool)
{
	/* new.ID that nobody holds */
	STEP(ok = ((new & BIT(o)) && writer_byte[o] == 0));
	if
	:: ok ->
		anchor_writer(o, (new & BIT(o)) != 0);
		if
		:: ok ->
			STEP(new = new & ~BIT(o));
			STEP(payload = payload & ~BIT(o));
			STEP(writer_byte[o] = 0)
		:: else
		fi
	:: else
	fi;
	/* a payload that nothing leads to: new.ID is looked for before control */
	STEP(ok = ((payload & BIT(o)) != 0));
#ifdef MUT_TOOL_LOOKS_AT_CONTROL_FIRST /* a rename comes between the two looks */
	if :: ok -> STEP(ok = (control != o)) :: else fi;
	if :: ok -> STEP(ok = !(new & BIT(o))) :: else fi;
#else
	if :: ok -> STEP(ok = !(new & BIT(o))) :: else fi;
	if :: ok -> STEP(ok = (control != o)) :: else fi;
#endif
	if
	:: ok -> STEP(payload = payload & ~BIT(o))
	:: else
	fi;
	/* a control that nobody holds */
	if
	:: tool ->
		STEP(ok = (control == o && writer_byte[o] == 0 && reader_byte[o] == 0));
		if
		:: ok ->
#ifdef MUT_TOOL_WITHOUT_BYTE /* "seen that nobody writes it, so away with it": a writer can come between */
			STEP(ok = (reader_byte[o] == 0));
			if :: ok -> STEP(P_OWN(writer_byte[o] == 0); control = (control == o -> 0 : control); ended = ended | BIT(epoch[o])) :: else fi
#else
#ifdef MUT_TOOL_LOOKS_AT_READERS /* and does not lock their bytes: one can sit down after the look */
			anchor_writer(o, control == o);
			if
			:: ok ->
				STEP(ok = (reader_byte[o] == 0));
				if
				:: ok
				:: else -> STEP(writer_byte[o] = 0)
				fi
			:: else
			fi;
#else
			STEP(if :: control == o && writer_byte[o] == 0 && reader_byte[o] == 0 -> writer_byte[o] = ME; reader_byte[o] = ME :: else -> ok = false fi);
			if
			:: ok ->
				STEP(ok = (control == o));
				if
				:: ok
				:: else -> STEP(writer_byte[o] = 0; reader_byte[o] = 0)
				fi
			:: else
			fi;
#endif
			if
			:: ok ->
				STEP(P_OWN(control == o); P_REMOVED(sits != o); control = 0; ended = ended | BIT(epoch[o]));
				STEP(payload = payload & ~BIT(o));
				STEP(writer_byte[o] = 0; reader_byte[o] = (reader_byte[o] == ME -> 0 : reader_byte[o]))
			:: else
			fi
#endif
		:: else
		fi
	:: else
	fi;
	ok = false
}

/* ---------------------------------------------------------------- writer ---------------------------------------------------------------- */

/* fw of ring o changes, and whoever sleeps on it is woken; always: without having been asked. */
inline wake(o, always)
{
	STEP(at = (fw[o] & 1) | always; fw[o] = ((fw[o] >> 1) + 1) << 1; owed = (at -> owed : owed & ~BIT(o)); P_WAKE(!SLEEPS_OVER(o)));
	if
	:: at -> STEP(at = 0; asleep = (asleep == o -> 0 : asleep); owed = owed & ~BIT(o))
	:: else
	fi
}

/* A whole ring under its temporary name, locked: n, or 0. Its epoch is e, or a new one (0); its first frame next. */
inline make(e)
{
	AT_ONCE(if :: made < OBJECTS -> made++; n = made; epoch[n] = (e > 0 -> e : n); first[n] = next :: else fi);
	if
	:: n == 0
	:: else ->
#ifdef MUT_PAYLOAD_LINKED_FIRST /* a sweep takes it for left over */
		STEP(payload = payload | BIT(n));
		STEP(new = new | BIT(n));
#else
		STEP(new = new | BIT(n));
		STEP(payload = payload | BIT(n));
#endif
#ifndef MUT_NAMED_BEFORE_LOCKED
		anchor_writer(n, (new & BIT(n)) != 0);
		if
		:: ok
		:: else -> unlink_ring(n); n = 0 /* somebody took it for left over */
		fi;
		ok = false
#endif
	fi
}

inline grow()
{
	make(epoch[cur]);
	if
	:: n == 0
	:: else ->
#ifdef MUT_RETIRED_BEFORE_NAMED /* a death between the two ends the epoch */
		STEP(state[cur] = state[cur] | RETIRED; owed = owed | BIT(cur));
#endif
		STEP(P_OWN(control == cur && writer_byte[cur] == ME && (new & BIT(n))); P_WHOLE(payload & BIT(n));
		     control = n; new = new & ~BIT(n));
#ifdef MUT_NAMED_BEFORE_LOCKED /* for a moment the channel has no writer */
		anchor_writer(n, control == n);
#endif
#ifdef MUT_OLD_WOKEN_FIRST /* who was woken finds nothing, and sleeps again */
		wake(cur, 0);
#endif
#ifndef MUT_RETIRED_BEFORE_NAMED
		STEP(state[cur] = state[cur] | RETIRED; owed = owed | BIT(cur));
#endif
#ifdef MUT_OLD_NOT_WOKEN
		owed = owed & ~BIT(cur);
		AT_ONCE(P_WAKE(!SLEEPS_OVER(cur)));
#elif defined(MUT_OLD_WOKEN_FIRST)
		owed = owed & ~BIT(cur);
		AT_ONCE(P_WAKE(!SLEEPS_OVER(cur)));
#elif defined(MUT_NEW_WOKEN) /* the wake goes to the new word: nobody sleeps there yet */
		wake(n, 0);
		owed = owed & ~BIT(cur);
		AT_ONCE(P_WAKE(!SLEEPS_OVER(cur)));
#else
		wake(cur, 0);
#endif
#ifndef MUT_OLD_NOT_UNLINKED /* its payload stays for good */
		unlink_ring(cur);
#endif
		if
		:: loan == cur /* keeps its lock until the loan ends */
		:: else -> STEP(writer_byte[cur] = 0)
		fi;
		AT_ONCE(cur = n; n = 0)
	fi
}

inline publish(o)
{
	STEP(P_OWN(control == cur && writer_byte[cur] == ME); P_SEQ(next == newest[epoch[o]] + 1 && next >= first[o]);
	     newest[epoch[o]] = next; head[o] = next; next++; owed = owed | BIT(o));
	wake(o, 0);
	frames--
}

inline let_go()
{
	d_step {
		n = 1;
		do
		:: n <= OBJECTS -> writer_byte[n] = (writer_byte[n] == ME -> 0 : writer_byte[n]); n++
		:: else -> break
		od;
		n = 0; c = 0; cur = 0; next = 0; at = 0; loan = 0; ok = false
	}
}

active [WRITERS] proctype Writer()
{
	byte c, n, cur, next, at, loan, lives = LIVES;
	bool ok;
open:
	/* One look at what stands under the name. */
	STEP(c = control);
	if
	:: c == 0 && made == OBJECTS -> goto out
	:: c == 0 && made < OBJECTS ->
		next = 1;
		make(0);
		if
		:: n == 0 -> goto open
		:: else
		fi;
		P_OWN(new & BIT(n));
		P_WHOLE(payload & BIT(n));
#ifdef MUT_NAMED_BY_REPLACING /* of two first writers the second takes the name */
		STEP(P_OWN(control == 0 || writer_byte[control] == 0); control = n; new = new & ~BIT(n); ok = true);
#else
		STEP(if :: control == 0 -> control = n; new = new & ~BIT(n); ok = true :: else fi);
#endif
#ifdef MUT_NAMED_BEFORE_LOCKED
		if :: ok -> anchor_writer(n, control == n) :: else fi;
#endif
		if
		:: ok -> AT_ONCE(cur = n; n = 0; ok = false)
		:: else ->
			unlink_ring(n);
			STEP(writer_byte[n] = 0; n = 0);
			goto open
		fi
	:: else ->
		anchor_writer(c, control == c);
		if
		:: ok -> ok = false
		:: else ->
			if
			:: goto out /* EBUSY */
			:: goto open
			fi
		fi;
		STEP(ok = (state[c] == 0));
		if
		:: ok -> STEP(ok = ((payload & BIT(c)) != 0); P_WHOLE(ok))
		:: else
		fi;
		if
		:: ok -> ok = false
		:: else -> /* what a dead one left is of no use */
			P_EPOCH(ended & BIT(epoch[c]));
			unlink_ring(c);
			STEP(writer_byte[c] = 0);
			goto open
		fi;
#ifdef MUT_TAKEOVER_FROM_HEAD /* an empty ring goes on after its head, which is 0, and not with its first frame */
		STEP(next = head[c] + 1);
#else
		STEP(next = (head[c] > 0 -> head[c] + 1 : first[c]));
#endif
		cur = c;
		wake(cur, 1);
		if
		:: grows > 0 && made < OBJECTS -> grows--; grow() /* does not fit */
		:: true
		fi
	fi;
	c = 0;
#ifdef SWEEP
	died = false;
	c = 1;
	do
	:: c <= made -> clear_up(c, false); c++
	:: else -> c = 0; break
	od;
#endif
	do
	:: frames > 0 -> publish(cur)
#if LOANS
	:: frames > 0 && loans > 0 && loan == 0 -> loans--; loan = cur
	:: frames > 0 && loan != 0 ->
		c = loan;
#ifdef MUT_LOAN_INTO_ITS_OLD_RING /* which readers have left */
		publish(c);
#else
		publish(cur);
#endif
		loan = 0;
		if
		:: c != cur -> STEP(writer_byte[c] = 0)
		:: else
		fi;
		c = 0
#endif
	:: grows > 0 && made < OBJECTS -> grows--; grow()
	:: frames == 0 || DEATHS + LIVES > 1 -> break
	od;
#ifdef CLOSE
	loan = 0;
#ifdef MUT_CLOSE_UNLINKS_FIRST /* the readers' look finds nothing, and they have not been told */
	unlink_ring(cur);
#endif
	STEP(state[cur] = state[cur] | CLOSED; owed = owed | BIT(cur); ended = ended | BIT(epoch[cur]));
#ifdef MUT_CLOSE_WITHOUT_WAKE
	owed = owed & ~BIT(cur);
	AT_ONCE(P_WAKE(!SLEEPS_OVER(cur)));
#else
	wake(cur, 0);
#endif
#ifndef MUT_CLOSE_UNLINKS_FIRST
	unlink_ring(cur);
#endif
#endif
	let_go();
	goto again;
dead:
	let_go();
	died = true;
again:
	if
	:: lives > 1 -> lives--; goto open
	:: true
	fi;
out:
	let_go();
	finished++
}

#ifdef TOOL
active proctype Tool()
{
	byte o;
	bool ok;
	o = 1;
	do
	:: o <= OBJECTS -> clear_up(o, true); o++
	:: else -> break
	od;
dead:
	skip;
	d_step {
		o = 1;
		do
		:: o <= OBJECTS ->
			writer_byte[o] = (writer_byte[o] == ME -> 0 : writer_byte[o]);
			reader_byte[o] = (reader_byte[o] == ME -> 0 : reader_byte[o]);
			o++
		:: else -> break
		od;
		o = 0; ok = false
	}
}
#endif

/* ---------------------------------------------------------------- reader ---------------------------------------------------------------- */

#define FOUND 1
#define NOTHING 2
#define FAILED 3
#define TAKE 1
#define ABOUT 2
#define NEWS 3
#ifdef NEXT
#define IN_ORDER true
#else
#define IN_ORDER false
#endif
#ifdef MUT_FOLLOW_FRESH /* asking for news goes over to the next ring although this one has some */
#define STAYS(asking) false
#else
#define STAYS(asking) ((asking) == NEWS || ((asking) == ABOUT && IN_ORDER))
#endif

/* take_seat: t, or 0: nothing stands under the name. */
inline take_seat()
{
	ok = false;
	do
	:: !ok ->
		AT_ONCE(t = control);
		if
		:: t == 0 -> break
		:: else
		fi;
		AT_ONCE(ok = ((payload & BIT(t)) != 0); P_WHOLE(ok || control != t));
		if
		:: ok -> AT_ONCE(ok = (control == t))
		:: else
		fi;
		if
		:: ok -> AT_ONCE(ok = (reader_byte[t] == 0 || t == here); if :: ok -> reader_byte[t] = ME :: else fi)
		:: else
		fi;
#ifndef MUT_SEAT_WITHOUT_LOOK /* whether the name still leads here once the byte is ours */
		if
		:: ok -> AT_ONCE(ok = (control == t); if :: ok -> sits = t :: else -> reader_byte[t] = 0 fi)
		:: else
		fi;
#else
		AT_ONCE(if :: ok -> sits = t; P_REMOVED(control == t) :: else fi);
#endif
#ifdef MUT_FALSE_CLOSE /* takes a ring that was replaced meanwhile for a channel that was closed */
		if :: !ok -> t = 0 :: else fi;
		break
#else
		if
		:: ok
		:: else -> AT_ONCE(ok = (control == 0); t = 0)
		fi
#endif
	:: else -> break
	od;
	ok = false
}

inline leave_ring()
{
	AT_ONCE(reader_byte[here] = 0; here = 0)
}

/* At t, whose seat is ours, from now on. */
inline sit()
{
	AT_ONCE(w = head[t]);
	AT_ONCE(
		P_LOST(!IN_ORDER || here == 0 || last >= head[here] || mine != epoch[here] || from_latest);
		if :: here != 0 -> reader_byte[here] = 0 :: else fi;
		if
		:: mine != epoch[t] -> last = (mine != 0 -> 0 : (w > 0 -> w : first[t]) - 1); mine = epoch[t]; had = false
		:: else
		fi;
		here = t; sits = t; t = 0; w = 0
	)
}

/* The ring has ended. moved, or closed, or neither. */
inline follow(asking)
{
	AT_ONCE(ok = (control == here));
	if
	:: ok ->
		ok = false;
		if
		:: !fresh ->
			AT_ONCE(ok = (writer_byte[here] == 0));
			if
			:: ok -> ok = false; closed = true
			:: else
			fi
		:: else
		fi
	:: else ->
		take_seat();
		if
		:: t == 0 && fresh
		:: t == 0 && !fresh -> closed = true; leave_ring()
		:: else ->
			if
			:: t == here -> AT_ONCE(t = 0)
			:: else ->
				AT_ONCE(w = head[t]; ok = (epoch[t] == mine));
#ifndef MUT_LATEST_LEAVES_FOR_EMPTY
				AT_ONCE(ok = (w == 0 && (fresh || (asking != NEWS && ok && head[here] > 0))));
#else
				AT_ONCE(ok = (w == 0 && fresh));
#endif
				if
				:: ok -> AT_ONCE(reader_byte[t] = 0; sits = here; t = 0; w = 0; ok = false)
				:: else -> sit(); moved = true
				fi
			fi
		fi
	fi
}

/* slip__follow_newest. result; with FOUND h is the newest frame of the ring that we sit at. */
inline follow_newest(asking)
{
	AT_ONCE(result = 0; closed = false)
	if
	:: here == 0 ->
		take_seat();
		if
		:: t == 0 -> result = FAILED
		:: else -> sit()
		fi
	:: else
	fi;
	do
	:: result != 0 -> break
	:: else ->
		AT_ONCE(h = head[here]; fresh = (h > last); moved = false);
		if
		:: fresh && STAYS(asking) -> result = FOUND
		:: else ->
			AT_ONCE(ok = (state[here] != 0));
			if
			:: ok
			:: !ok && !fresh -> AT_ONCE(ok = (control != here)) /* once a second */
			:: !ok
			fi;
			if
			:: ok ->
#ifndef MUT_DRAINED_BY_ONE_LOOK /* the state was set after the last frame */
				AT_ONCE(h = head[here]; fresh = (h > last); ok = false);
#else
				ok = false;
#endif
				if
				:: fresh && STAYS(asking) -> result = FOUND
				:: else ->
					follow(asking);
					if
					:: closed -> result = FAILED; P_CLOSED(ended & BIT(mine))
					:: else
					fi
				fi
			:: else
			fi;
			if
			:: result == 0 && !moved -> AT_ONCE(h = (here > 0 -> h : 0); result = (h > 0 && (fresh || asking != NEWS) -> FOUND : NOTHING))
			:: else
			fi
		fi
	od;
	AT_ONCE(fresh = false; moved = false; closed = false; ok = false)
}

inline take()
{
	AT_ONCE(P_BACK(h >= last || !had); last = (h > last -> h : last); had = true; h = 0)
}

active proctype Reader()
{
	byte here, mine, t, h, v, w, result;
	bool ok, fresh, moved, closed, had, from_latest;
	do
#ifdef LATEST
	:: true ->
		from_latest = true;
		follow_newest(TAKE);
		from_latest = false;
		if
		:: result == FOUND -> take()
#ifndef NEXT
		:: result == NOTHING -> P_NONE(!had)
#else
		:: result == NOTHING
#endif
		:: result == FAILED
		fi;
		AT_ONCE(h = 0; result = 0)
#endif
#ifdef ASK
	:: true -> follow_newest(ABOUT); AT_ONCE(h = 0; result = 0)
#endif
#ifdef NEXT
	:: true ->
		/* try_next */
		if
		:: here != 0 -> AT_ONCE(h = head[here]; fresh = (h > last))
		:: else
		fi;
		if
		:: fresh
		:: else -> follow_newest(NEWS); AT_ONCE(fresh = (result == FOUND && h > last))
		fi;
		if
		:: fresh -> AT_ONCE(h = (last + 1 < first[here] -> first[here] : last + 1); P_LOST(h <= head[here])); take()
		:: else
		fi;
		AT_ONCE(h = 0; result = 0; fresh = false)
#endif
#ifdef WAIT
	:: true ->
		follow_newest(NEWS);
		if
		:: result == NOTHING ->
			AT_ONCE(ok = (state[here] == 0));
			if
			:: ok -> /* else it is as absent as no ring: time passes */
				AT_ONCE(v = fw[here]);
				AT_ONCE(ok = (head[here] <= last));
				if :: ok -> AT_ONCE(ok = (state[here] == 0)) :: else fi;
				if
				:: ok ->
					AT_ONCE(ok = ((fw[here] | 1) == (v | 1)); fw[here] = fw[here] | 1);
					if
					:: ok ->
						AT_ONCE(if :: fw[here] == (v | 1) -> asleep = here; P_WAKE(!SLEEPS_OVER(here)) :: else fi; v = 0; ok = false);
end_asleep:
						if
						:: asleep == 0
#ifdef TIMER
						:: atomic { asleep != 0 -> asleep = 0 }
#endif
						fi
					:: else
					fi
				:: else
				fi
			:: else
			fi
		:: else
		fi;
		AT_ONCE(v = 0; h = 0; result = 0; ok = false)
#endif
	:: break
	od;
	AT_ONCE(reader_byte[here] = 0; sits = 0; here = 0);
	finished++
}

#ifdef CLOSE
active proctype Auditor()
{
end_audit:
	d_step {
		finished == WRITERS + 1 && !died -> P_LEFT(made == 0 || (control == 0 && new == 0 && payload == 0))
	}
}
#endif
