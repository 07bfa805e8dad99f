/*
 * slot.pml - the slot protocol of slipring as a model for spin. tests/model/run checks it; README.md lists what each step is for.
 *
 * WHAT IS MODELLED. One ring of SLOTS slots, every shared word of src/core/slot.h under the same name, and every step that
 * touches one as a step of its own, in the order of the code:
 *   Writer    claim (first pass by policy, then PASSES more), zero seq, fill, publish or discard; one or two loans, the second published
 *             first; its own lease on a frame (OWN, bit 62); the wake. It may die before and after every step, also while
 *             taking over; the process then goes on as the next writer, with recovery.
 *   Reader    latest and next, each with pin; release; a lease shared with itself; waiting. It may die before and after every step, asleep
 *             too; the process then goes on as the newcomer that takes its byte, or stays dead.
 *   Reclaimer whoever clears a dead reader's pins: the writer under pressure, a newcomer or a tool, at any moment.
 *   Observer  copies cell by cell between two looks at seq.
 *   Auditor   looks once everybody has left or sleeps for good.
 *
 * WHAT IS ABSTRACTED. Memory is sequentially consistent: a missing acquire or release shows only as the reordering that it allows,
 * and where such a reordering can be written down it is a mutation here. A payload is two cells, filled one after the other with a tag
 * that no other fill has. A lock byte frees at the moment of death (a later moment is a later death). Sleeping ends only by a
 * wake: neither time-outs nor signals hide a lost one. The description travels as the payload does. Several threads of a reader are lease.pml's,
 * of a writer loan.pml's, other rings and names growth.pml's, places of readers attach.pml's. Numbers are small: seq up to FRAMES, at most 7.
 *
 * WHAT MUST HOLD. Each property is an assertion with a macro of its own, P_..., whose name is in the trail and in run's output:
 *   P_TORN      whoever accepts frame q, by lease or by copy, sees exactly what was filled as q
 *   P_LEASE     it stays so until the release
 *   P_PIN       what a holder holds is marked; nobody else took the mark away
 *   P_SEQ       frames become readable as 1, 2, 3 ...: none twice, no gap, also over deaths
 *   P_BACK      latest never gives an older frame than the handle had
 *   P_OVERRUN   a frame is refused only if its slot was claimed since
 *   P_RING      what head announces is in the ring
 *   P_HEAD      the slot of head is not claimed
 *   P_FIND      with SLOTS >= leases + loans + 1 a claim finds a slot
 *   P_WAKE      nobody sleeps over a frame that was published, or taken over, after which the writer has done its wake
 *   P_LEAK      nobody who left, and no writer after its end, leaves a mark behind
 * and spin's own: no process is stuck. Variables that only assertions read are marked "ghost".
 *
 * Scenario: -DSLOTS= READERS= LEASES= (per reader) FRAMES= LOANS=1|2 HIST= (frames that the first pass leaves) PASSES= DISCARDS=
 *           CRASH_WRITER= CRASH_READER= (deaths in all), and the switches LATEST NEXT SHARE WAIT KEEP OBSERVER FIND, RING_ALONE (next does
 *           not ask head first: for handles that use nothing but next) and FW_SEQ (what fw carries).
 * Mutation: -DMUT_name; each is explained where it stands.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLOTS
#define SLOTS 3
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef LEASES
#define LEASES 1
#endif
#ifndef FRAMES
#define FRAMES 4
#endif
#ifndef LOANS
#define LOANS 1
#endif
#ifndef HIST
#define HIST 1
#endif
#ifndef PASSES
#define PASSES (READERS + 1)
#endif
#ifndef DISCARDS
#define DISCARDS 0
#endif
#ifndef CRASH_WRITER
#define CRASH_WRITER 0
#endif
#ifndef CRASH_READER
#define CRASH_READER 0
#endif
#ifdef MUT_FEW_PASSES /* fewer passes behind the first than readers: each can spoil one */
#undef HIST
#undef PASSES
#define HIST SLOTS
#define PASSES (READERS - 1)
#endif
#ifdef MUT_ONE_PASS /* a single pass, oldest first: a reader that goes from old to new can be ahead of it all the time */
#undef HIST
#undef PASSES
#define HIST SLOTS
#define PASSES 0
#endif

hidden byte TORN_broken, LEASE_broken, PIN_broken, SEQ_broken, BACK_broken, OVERRUN_broken, RING_broken, HEAD_broken,
	    FIND_broken, WAKE_broken, LEAK_broken; /* always false: they put the property's name into spin's message */
#ifdef MUT_NOTHING_ZEROED /* neither the claim nor the recovery: each alone hides the other's loss from leases, not from observers */
#define MUT_NO_ZERO
#define MUT_RECOVER_NO_ZERO
#endif
#ifdef MUT_NEXT_SKIPS_HEAD /* next takes from the ring what head has not announced: a latest after it gives an older frame */
#define RING_ALONE
#endif

#define P_TORN(x) assert((x) || TORN_broken)
#define P_LEASE(x) assert((x) || LEASE_broken)
#define P_PIN(x) assert((x) || PIN_broken)
#define P_SEQ(x) assert((x) || SEQ_broken)
#define P_BACK(x) assert((x) || BACK_broken)
#define P_OVERRUN(x) assert((x) || OVERRUN_broken)
#define P_RING(x) assert((x) || RING_broken)
#define P_HEAD(x) assert((x) || HEAD_broken)
#define P_FIND(x) assert((x) || FIND_broken)
#define P_WAKE(x) assert((x) || WAKE_broken)
#define P_LEAK(x) assert((x) || LEAK_broken)

#define RING SLOTS /* the shortest that is allowed */
#define NONE 255
#define OWN 64
#define WRITING 128
#define BIT(i) (1 << (i))
#define EVERYBODY (BIT(READERS) - 1)
#define PACK(q, s) ((q) << 2 | (s))
#define SEQ(w) ((w) >> 2)
#define SLOT(w) ((w) & 3)

byte head, fw;
byte ring[RING];
byte pins[SLOTS];
byte seq[SLOTS];
byte cell[2 * SLOTS];

byte asleep;		  /* readers in the kernel's queue of fw */
byte lock[READERS];	  /* the byte of reader i: 0 free, 1 the reader's, 2 the reclaimer's */
byte writer_deaths = CRASH_WRITER;
byte reader_deaths = CRASH_READER;
byte tag[FRAMES + 1];	  /* ghost: with what frame q was filled */
byte gone;		  /* ghost: bit q: the slot of frame q was claimed after it */
byte newest;		  /* ghost: the last frame that became readable */
byte seen[READERS];	  /* the newest frame that the handle had */
byte left;		  /* ghost: readers that will do nothing any more */
bool ended;		  /* ghost: so will the writer */

#define FILLED_AS(s, t) (cell[2 * (s)] == (t) && cell[2 * (s) + 1] == (t))
#define IS_GONE(q) (gone & BIT(q))

/* Several statements as one. The selection around it is for spin, which does not let a jump end on a d_step. */
#define AT_ONCE(x) atomic { if :: d_step { x } fi }

/* One step of a process that may die before it. Everything inside happens at once, so it touches one shared word. */
#if CRASH_WRITER
#define STEP(x) atomic { if :: writer_deaths > 0 -> writer_deaths--; goto dead :: d_step { x } fi }
#else
#define STEP(x) AT_ONCE(x)
#endif
#if CRASH_READER
#define RSTEP(x) atomic { if :: reader_deaths > 0 -> reader_deaths--; goto dead :: d_step { x } fi }
#else
#define RSTEP(x) AT_ONCE(x)
#endif

/* ---------------------------------------------------------------- reader ---------------------------------------------------------------- */

#define ME _pid
#if defined(SHARE) || defined(MUT_LIMIT_AFTER_PIN)
#define CAN_TAKE true /* what is held already may be had again at the limit */
#else
#define CAN_TAKE (leases < LEASES)
#endif
#define MINE BIT(_pid)

/* want in slot s, seen in head or ring. ok: it is ours, and counted. Not ok: refused. */
inline pin(s, want, ok)
{
	ok = false;
#ifndef MUT_NO_LOOK_FIRST /* not a fault: only spares marks. The model passes without it too */
	RSTEP(ok = (seq[s] == want));
	if
	:: ok ->
#endif
#ifdef MUT_LOOK_BEFORE_MARK /* the checks and the mark in the wrong order */
		RSTEP(v = pins[s]);
		RSTEP(ok = (!(v & WRITING) && seq[s] == want); v = 0);
		if
		:: ok -> RSTEP(pins[s] = pins[s] | MINE);
		:: else
		fi;
#else
		RSTEP(pins[s] = pins[s] | MINE);
#ifdef MUT_NO_RECHECK /* trusts the look before the mark */
		ok = true;
#else
#ifndef MUT_NO_RECHECK_WRITING /* looks at seq alone */
		RSTEP(v = pins[s] & WRITING);
#endif
#ifdef MUT_NO_RECHECK_SEQ /* looks at WRITING alone */
		ok = !v; v = 0;
#elif defined(MUT_TAKE_NEWER) /* any frame at least as new as the wanted one will do */
		RSTEP(ok = (!v && seq[s] >= want); want = (ok -> seq[s] : want); v = 0);
#else
		RSTEP(ok = (!v && seq[s] == want); v = 0);
#endif
#endif
		if
		:: ok
		:: else -> RSTEP(pins[s] = pins[s] & ~MINE)
		fi;
#endif
#ifndef MUT_NO_LOOK_FIRST
	:: else
	fi
#endif
}

/* A lease begins: the frame is whole, and not older than what we had. */
inline accept(s, want)
{
	d_step {
#ifdef MUT_READ_BEFORE_PIN
		P_TORN(s != guess || early == tag[want]);
#endif
		P_TORN(FILLED_AS(s, tag[want]));
		P_BACK(!from_head || want >= seen[ME]);
		seen[ME] = (want > seen[ME] -> want : seen[ME]);
		held[s] = want;
		shares[s] = 1;
		leases++
	}
}

/* Takes frame want out of slot s; what is held already is shared. */
inline take(s, want)
{
	if
#ifdef SHARE
	:: held[s] != 0 && shares[s] < 2 ->
#ifdef MUT_MARK_TWICE /* pins what is held again: the first release of the two then takes the mark away */
		pin(s, want, ok);
		if :: ok -> shares[s] = 2 :: else fi
#else
		AT_ONCE(P_OVERRUN(held[s] == want); shares[s] = 2; P_BACK(!from_head || want >= seen[ME]))
#endif
#endif
#ifdef MUT_LIMIT_AFTER_PIN /* marks a slot, and then finds that it may not */
	:: held[s] == 0 && leases == LEASES ->
		pin(s, want, ok);
		if :: ok -> RSTEP(pins[s] = pins[s] & ~MINE) :: else fi
#endif
	:: held[s] == 0 && leases < LEASES ->
		pin(s, want, ok);
		if
		:: ok -> accept(s, want)
		:: else -> AT_ONCE(P_OVERRUN(IS_GONE(want)); if :: !from_head -> seen[ME] = want :: else fi)
		fi
	:: else /* at its limit: does without */
	fi;
	AT_ONCE(s = 0; want = 0; ok = false; from_head = false)
}

inline release(s)
{
	if
	:: shares[s] > 1 ->
		AT_ONCE(P_LEASE(FILLED_AS(s, tag[held[s]])); shares[s]--)
#ifdef MUT_MARK_TWICE
		RSTEP(pins[s] = pins[s] & ~MINE)
#endif
	:: else ->
#ifdef MUT_READ_AFTER_RELEASE /* what the release orders: our reads before the next claim */
		RSTEP(pins[s] = pins[s] & ~MINE);
		AT_ONCE(P_LEASE(FILLED_AS(s, tag[held[s]])); held[s] = 0; shares[s] = 0; leases--)
#else
		RSTEP(P_LEASE(FILLED_AS(s, tag[held[s]])); P_PIN(pins[s] & MINE);
		      pins[s] = pins[s] & ~MINE; held[s] = 0; shares[s] = 0; leases--)
#endif
	fi
}

/* Sleeps until head is past what we had, or something may have changed. */
inline wait_for_news()
{
	RSTEP(v = fw);
#ifndef MUT_NO_SECOND_LOOK /* head may have moved between our last look at it and the look at fw */
	RSTEP(ok = (SEQ(head) > seen[ME]));
	if
	:: ok -> ok = false; v = 0
	:: else ->
#endif
#ifdef MUT_OR_LOAD_STORE /* a load and a store: takes back what the writer said between them */
		RSTEP(ok = ((fw | 1) == (v | 1)));
		RSTEP(fw = v | 1);
#else
		RSTEP(ok = ((fw | 1) == (v | 1)); fw = fw | 1);
#endif
#ifdef MUT_IGNORE_CHANGE /* does not compare what fetch_or gave with v, and sleeps on what fw is now */
		ok = true; RSTEP(v = fw);
#endif
		if
		:: !ok -> v = 0
		:: else ->
			RSTEP(if :: fw == (v | 1) -> asleep = asleep | MINE :: else fi; v = 0; ok = false);
end_asleep:
			if
			:: !(asleep & MINE)
#if CRASH_READER
			:: atomic { (asleep & MINE) && reader_deaths > 0 -> reader_deaths--; asleep = asleep & ~MINE; goto dead }
#endif
			fi
		fi
#ifndef MUT_NO_SECOND_LOOK
	fi
#endif
}

active [READERS] proctype Reader()
{
	byte v, s, want, leases;
	bool ok, from_head;
	byte held[SLOTS], shares[SLOTS];
#ifdef MUT_READ_BEFORE_PIN
	byte early, guess;
#endif

#if CRASH_READER
newcomer:
	atomic { lock[ME] == 0 -> lock[ME] = 1 }
#ifndef MUT_NEWCOMER_KEEPS /* finds its predecessor's marks, and leaves them */
	do
	:: s < SLOTS -> RSTEP(pins[s] = pins[s] & ~MINE; s++)
	:: else -> s = 0; break
	od;
#endif
#endif
	do
#ifdef LATEST
	:: CAN_TAKE ->
#ifdef MUT_READ_BEFORE_PIN /* what the acquires of head and pins order: payload read ahead of both, from a guessed slot */
		if
		:: guess = 0
		:: guess = 1
		fi;
		RSTEP(early = cell[2 * guess]);
#endif
		RSTEP(s = SLOT(head); want = SEQ(head); from_head = true);
		if
		:: want == 0 -> from_head = false
		:: else -> take(s, want)
		fi
#endif
#ifdef NEXT
	:: CAN_TAKE && seen[ME] < FRAMES ->
		ok = true;
#ifndef RING_ALONE
		RSTEP(ok = (SEQ(head) > seen[ME]));
#endif
		if
		:: ok ->
			ok = false;
			RSTEP(s = SLOT(ring[(seen[ME] + 1) % RING]); want = SEQ(ring[(seen[ME] + 1) % RING]));
			if
			:: want == seen[ME] + 1 -> take(s, want)
			:: want > seen[ME] + 1 -> /* the ring has come round */
				AT_ONCE(P_OVERRUN(want >= seen[ME] + 1 + RING); seen[ME]++; s = 0; want = 0)
			:: else -> /* not yet */
#ifndef RING_ALONE
				P_RING(false);
#endif
				AT_ONCE(s = 0; want = 0)
			fi
		:: else
		fi
#endif
#ifdef WAIT
	:: leases == 0 -> wait_for_news()
#endif
	:: leases > 0 ->
		do
		:: held[s] != 0 -> break
		:: s < SLOTS - 1 -> s++
		:: else -> s = 0
		od;
		release(s);
		s = 0
	:: leases == 0 -> break
	od;
	AT_ONCE(
		s = 0;
		do
		:: s < SLOTS -> P_LEAK(!(pins[s] & MINE)); s++
		:: else -> break
		od;
		s = 0
	)
#if CRASH_READER
	goto out;
dead:
	skip; /* a jump may not end on a d_step */
	d_step {
		v = 0; want = 0; leases = 0; ok = false; from_head = false; s = 0;
#ifdef MUT_READ_BEFORE_PIN
		early = 0; guess = 0;
#endif
		do
		:: s < SLOTS -> held[s] = 0; shares[s] = 0; s++
		:: else -> break
		od;
		s = 0; seen[ME] = 0; lock[ME] = 0
	}
	if
	:: goto newcomer
	:: goto stays_dead
	fi;
out:
	lock[ME] = 0;
stays_dead:
#endif
	AT_ONCE(seen[ME] = 0; left = left | MINE)
}

#if CRASH_READER
/* Clears the marks of readers that are dead, or never came, or left. Twice is enough to meet a newcomer and its heir. */
active proctype Reclaimer()
{
	byte i, s, rounds;
	do
	:: rounds < 2 ->
		rounds++;
		if
		:: i = 0
#if READERS > 1
		:: i = 1
#endif
		fi;
end_locked:	/* a living reader keeps its byte */
#ifdef MUT_CLEAR_WITHOUT_BYTE /* "see that it is free, then clear": a newcomer can come between */
		lock[i] == 0;
#else
		atomic { lock[i] == 0 -> lock[i] = 2 }
#endif
		do
		:: s < SLOTS -> AT_ONCE(pins[s] = pins[s] & ~BIT(i); s++)
		:: else -> s = 0; break
		od;
#ifndef MUT_CLEAR_WITHOUT_BYTE
		lock[i] = 0;
#endif
		i = 0
	:: break
	od
}
#endif

/* ---------------------------------------------------------------- writer ---------------------------------------------------------------- */

/* Of the k-th try of a claim, the place in order[]: the first pass behind the HIST newest, then, oldest first, into these; then newest -> oldest. */
#define BEHIND (HIST > first -> HIST : first)
#define PER_PASS (SLOTS - first)
#define FIRST_PASS(k) ((k) < SLOTS - BEHIND -> BEHIND + (k) : SLOTS - 1 - (k))
#define TRY(k) ((k) < PER_PASS -> FIRST_PASS(k) : first + (k) % PER_PASS)
#ifdef MUT_CLAIM_HEAD /* does not spare the slot of head */
#define FIRST_PLACE 0
#else
#define FIRST_PLACE (q > 1)
#endif

/* c: a slot that is ours to fill, or NONE. */
inline claim(c)
{
	AT_ONCE(c = NONE; k = 0; first = FIRST_PLACE)
	do
	:: c == NONE && k < PER_PASS * (1 + PASSES) ->
#ifdef MUT_FILL_BEFORE_CLAIM /* what the CAS acquires: a store of ours ahead of it */
		STEP(if :: pins[order[TRY(k)]] == 0 -> cell[2 * order[TRY(k)]] = 0 :: else fi);
#endif
#ifdef MUT_CLAIM_LOAD_STORE /* a load and a store: a mark made between them is wiped */
		STEP(ok = (pins[order[TRY(k)]] == 0));
		STEP(at = order[TRY(k)]; if :: ok -> pins[at] = WRITING; c = at; gone = gone | (seq[at] > 0 -> BIT(seq[at]) : 0) :: else fi;
		     ok = false; at = 0; k++)
#else
		STEP(at = order[TRY(k)];
		     if
		     :: pins[at] == 0 ->
			pins[at] = WRITING; c = at;
			P_HEAD(head == 0 || SLOT(head) != at);
			gone = gone | (seq[at] > 0 -> BIT(seq[at]) : 0)
		     :: else
		     fi;
		     at = 0; k++)
#endif
	:: else -> AT_ONCE(k = 0; first = 0); break
	od
}

inline zero(c)
{
	STEP(seq[c] = 0)
}

/* t: what it is filled with, unlike any other fill. */
inline fill(c, t)
{
#if !defined(MUT_NO_ZERO) && !defined(MUT_ZERO_AFTER_FILL)
	zero(c);
#endif
	STEP(cell[2 * c] = t);
#ifndef MUT_UNLOCK_BEFORE_FILL
	STEP(cell[2 * c + 1] = t);
#endif
#ifdef MUT_ZERO_AFTER_FILL /* what fence(release) orders: observers see the payload change under the old seq */
	zero(c);
#endif
}

#define DO_SEQ(c, t) STEP(seq[c] = q; tag[q] = t)
#define DO_UNLOCK(c) STEP(pins[c] = pins[c] & ~WRITING; P_SEQ(q == newest + 1); newest = q)
#define DO_RING(c) STEP(ring[q % RING] = PACK(q, c))
#define DO_HEAD(c) STEP(head = PACK(q, c))

#define LOST(i) ((asleep & BIT(i)) && seen[i] < SEQ(head))
inline check_wake()
{
	P_WAKE(!LOST(0));
#if READERS > 1
	P_WAKE(!LOST(1));
#endif
}

/* to: what fw becomes. always: wakes without being asked. */
inline change_fw(to, always)
{
#ifdef MUT_FW_LOAD_STORE /* a load and a store: a reader that marks itself between them is not seen */
	STEP(at = (fw & 1) | always);
	STEP(fw = (to) << 1; if :: !at -> check_wake() :: else fi);
#else
	STEP(at = (fw & 1) | always; fw = (to) << 1; if :: !at -> check_wake() :: else fi);
#endif
	if
	:: at -> at = 0; STEP(asleep = 0; check_wake())
	:: else
	fi
}

#ifdef FW_SEQ /* fw carries the seq, as written in the design; else a count of changes, as in the code. Both are right, mixed they are not */
#define FW_PUBLISHED q
#define FW_TAKEN_OVER (q - 1)
#elif defined(MUT_FW_TAKES_NEXT) /* the takeover leaves in fw what the next publish will: that publish then changes nothing */
#define FW_PUBLISHED q
#define FW_TAKEN_OVER ((fw >> 1) + 1)
#else
#define FW_PUBLISHED ((fw >> 1) + 1)
#define FW_TAKEN_OVER ((fw >> 1) + 1)
#endif

inline to_front(c)
{
	AT_ONCE(
		k = 0;
		do :: order[k] != c -> k++ :: else -> break od;
		do :: k > 0 -> order[k] = order[k - 1]; k-- :: else -> break od;
		order[0] = c
	)
}

inline to_end(c)
{
	AT_ONCE(
		k = 0;
		do :: order[k] != c -> k++ :: else -> break od;
		do :: k < SLOTS - 1 -> order[k] = order[k + 1]; k++ :: else -> break od;
		order[SLOTS - 1] = c; k = 0
	)
}

/* Slot c, filled with t, becomes frame q. */
inline publish(c, t)
{
#ifdef MUT_FW_BEFORE_HEAD /* what the exchange releases: who sees the new fw must see the new head */
	STEP(at = fw & 1; fw = (FW_PUBLISHED) << 1);
	if :: at -> at = 0; STEP(asleep = 0) :: else fi;
#endif
#ifdef MUT_HEAD_BEFORE_UNLOCK /* announced while still being written */
	DO_RING(c);
	DO_HEAD(c);
#endif
#ifdef MUT_RING_BEFORE_UNLOCK
	DO_RING(c);
#endif
#ifndef MUT_SEQ_LAST
	DO_SEQ(c, t);
#endif
#ifdef KEEP
	if
	:: kept == NONE -> STEP(pins[c] = pins[c] | OWN; kept = c)
	:: true
	fi;
#endif
	DO_UNLOCK(c);
#if defined(MUT_HEAD_BEFORE_RING) /* head runs ahead of ring */
	DO_HEAD(c);
	DO_RING(c);
#elif defined(MUT_NO_RING)
	DO_HEAD(c);
#elif defined(MUT_RING_BEFORE_UNLOCK)
	DO_HEAD(c);
#elif !defined(MUT_HEAD_BEFORE_UNLOCK)
	DO_RING(c);
	DO_HEAD(c);
#endif
#ifdef MUT_UNLOCK_BEFORE_FILL /* what the unlock releases: the last cell comes after it */
	STEP(cell[2 * c + 1] = t);
#endif
#ifdef MUT_SEQ_LAST /* seq after the place is announced */
	DO_SEQ(c, t);
#endif
#ifndef MUT_FW_BEFORE_HEAD
	change_fw(FW_PUBLISHED, 0);
#endif
	to_front(c);
	q++
}

inline discard(c)
{
#ifdef MUT_DISCARD_WITH_SEQ /* seq does not stay 0 */
	STEP(seq[c] = q);
#endif
	STEP(pins[c] = pins[c] & ~WRITING);
	to_end(c);
	fills++
}

inline drop_own()
{
	STEP(P_LEASE(FILLED_AS(kept, tag[seq[kept]])); P_PIN(pins[kept] & OWN); pins[kept] = pins[kept] & ~OWN; kept = NONE)
}

/* After a death. q becomes the next seq, order the slots by age. */
inline recover()
{
	STEP(q = SEQ(head); a = SLOT(head));
	c = 0;
	do
	:: c < SLOTS ->
		STEP(at = pins[c] & WRITING);
		if
		:: at ->
			at = 0;
#ifndef MUT_RECOVER_NO_ZERO /* what was being filled looks like a frame */
			STEP(seq[c] = 0);
#endif
#ifndef MUT_RECOVER_KEEPS_WRITING /* the slot is lost for good */
#ifdef MUT_RECOVER_KEEPS_OWN /* the dead writer's own leases stay for good */
			STEP(pins[c] = pins[c] & ~WRITING);
#else
			STEP(pins[c] = pins[c] & ~(WRITING | OWN));
#endif
#endif
		:: else ->
#ifndef MUT_RECOVER_KEEPS_OWN
#ifdef MUT_RECOVER_CLEARS_ALL /* readers outlive a writer, and so do their leases */
			STEP(pins[c] = 0);
#else
			STEP(pins[c] = pins[c] & ~OWN);
#endif
#endif
#ifndef MUT_RECOVER_FROM_HEAD /* goes on after head: the frame that was complete but not announced has its number again */
			STEP(if :: seq[c] > q -> q = seq[c]; a = c :: else fi);
#endif
		fi;
		c++
	:: else -> c = 0; break
	od;
#ifndef MUT_NO_ROLL_FORWARD /* counts that frame, and does not announce it: a gap */
	STEP(ok = (q > SEQ(head)));
	if
	:: ok ->
		ok = false;
		DO_RING(a);
		DO_HEAD(a);
	:: else
	fi;
#endif
	AT_ONCE(/* private: newest first, empty ones last. What it reads, nobody else writes */
		a = 0; c = 0;
		do
		:: c < SLOTS ->
			k = c;
			do
			:: k > 0 && seq[order[(k > 0 -> k - 1 : 0)]] < seq[c] -> order[k] = order[k - 1]; k--
			:: else -> break
			od;
			order[k] = c; c++
		:: else -> break
		od;
		c = 0; k = 0; ok = false; q++
	)
	assert_unique();
#ifndef MUT_RECOVER_NO_WAKE /* says nothing: who slept through the death sleeps on */
#ifdef MUT_RECOVER_WAKE_IF_ASKED /* the dead one may have taken the question away, and not have answered it */
	change_fw(FW_TAKEN_OVER, 0);
#else
	change_fw(FW_TAKEN_OVER, 1);
#endif
#endif
}

/* No number stands in two slots. */
#define SAME(s, t) (seq[s] != 0 && seq[s] == seq[t])
inline assert_unique()
{
	P_SEQ(!SAME(0, 1));
#if SLOTS > 2
	P_SEQ(!SAME(0, 2) && !SAME(1, 2));
#endif
#if SLOTS > 3
	P_SEQ(!SAME(0, 3) && !SAME(1, 3) && !SAME(2, 3));
#endif
}

active proctype Writer()
{
	byte a = NONE, b = NONE, c, at, k, first, q = 1, ta, tb, fills, kept = NONE;
	byte discards = DISCARDS;
	bool ok;
	byte order[SLOTS];

	AT_ONCE(
		do
		:: k < SLOTS -> order[k] = k; k++
		:: else -> k = 0; break
		od
	);
work:
	do
	:: q > FRAMES -> break
	:: else ->
#ifdef KEEP
		if
		:: kept != NONE -> drop_own()
		:: true
		fi;
#endif
		claim(a);
#ifdef FIND
		P_FIND(a != NONE);
#endif
		if
		:: a == NONE /* EAGAIN: the caller tries again later */
		:: else ->
			ta = q + 16 * fills;
			fill(a, ta);
#if LOANS > 1
			claim(b);
#ifdef FIND
			P_FIND(b != NONE);
#endif
			if
			:: b == NONE
			:: else ->
				tb = q + 1 + 16 * fills;
				fill(b, tb);
				if
				:: publish(b, tb)
				:: discards > 0 -> discards--; discard(b)
				:: AT_ONCE(c = a; a = b; b = c; c = ta; ta = tb; tb = c; c = 0) -> publish(b, tb)
				fi;
				b = NONE; tb = 0
			fi;
#endif
			if
			:: q <= FRAMES -> publish(a, ta)
			:: q > FRAMES -> discard(a)
#if DISCARDS > 0
			:: discards > 0 -> discards--; discard(a)
#endif
			fi;
			a = NONE; ta = 0
		fi
	od;
#ifdef KEEP
	if
	:: kept != NONE -> drop_own()
	:: else
	fi;
#endif
	goto out;
dead:
	/* The next writer takes byte 0; it knows nothing but what is shared. */
	AT_ONCE(
		a = NONE; b = NONE; c = 0; at = 0; k = 0; first = 0; ta = 0; tb = 0; ok = false; kept = NONE; fills++;
		do
		:: k < SLOTS -> order[k] = 0; k++
		:: else -> k = 0; break
		od
	);
	recover();
	goto work;
out:
	ended = true
}

#ifdef OBSERVER
active proctype Observer()
{
	byte s, want, x, y;
	bool ok;
	do
	:: AT_ONCE(head != 0 -> s = SLOT(head); want = SEQ(head));
		AT_ONCE(ok = (seq[s] == want));
		if
		:: ok ->
			AT_ONCE(x = cell[2 * s]);
#ifdef MUT_OBSERVER_LOOKS_EARLY /* what the acquire fence orders: the second look comes before the last read */
			AT_ONCE(ok = (seq[s] == want));
			AT_ONCE(y = cell[2 * s + 1]);
#else
			AT_ONCE(y = cell[2 * s + 1]);
#ifndef MUT_OBSERVER_LOOKS_ONCE
			AT_ONCE(ok = (seq[s] == want));
#endif
#endif
			AT_ONCE(P_TORN(!ok || (x == tag[want] && y == tag[want])); ok = false; x = 0; y = 0)
		:: else
		fi;
		AT_ONCE(s = 0; want = 0)
	:: break
	od
}
#endif

active proctype Auditor()
{
	byte s;
	d_step {
		ended && (left | asleep) == EVERYBODY ->
		check_wake();
		do
		:: s < SLOTS -> P_LEAK(!(pins[s] & (OWN | WRITING))); s++
		:: else -> break
		od;
		s = 0
	}
}
