/*
 * loan.pml - a writer's loans, the frames that it keeps, and how long a generation and a channel live, as a model for spin. tests/model/run
 * checks it; README.md lists what each step is for.
 *
 * WHAT IS MODELLED. src/core/writer.c and the counts of generation.c, every step that touches a loan's state, a count or a pins word as a
 * step of its own:
 *   Writer    lends, publishes, discards, keeps (published or not), grows with loans out (which are carried over when they are published),
 *             closes with loans out and frames kept. Loans of a generation that was left are counted by it alone.
 *   Releaser  another thread, which releases what was kept, before or after the close.
 *
 * WHAT IS ABSTRACTED. Sequentially consistent, as all models here. Slots are as many as loans. Frames, names and readers are left out
 * (slot.pml, growth.pml); nobody dies.
 *
 * WHAT MUST HOLD.
 *   P_GENERATION  nobody touches a generation after it was freed; it is freed once
 *   P_CHANNEL     the same for the channel
 *   P_ENTRY       who releases a kept frame finds the slot and generation in its loan's entry that it was kept with
 *   P_PIN         what a loan or a kept frame has is marked until it ends, and is let go once
 *   P_LEFT        in the end no mark is left, and all is freed
 *
 * Scenario: -DLOANS= (entries) LENDS= GROWS=. Mutation: -DMUT_name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef LOANS
#define LOANS 2
#endif
#ifndef LENDS
#define LENDS 3
#endif
#ifndef GROWS
#define GROWS 1
#endif

hidden byte GENERATION_broken, CHANNEL_broken, ENTRY_broken, PIN_broken, LEFT_broken; /* always false */
#define P_GENERATION(x) assert((x) || GENERATION_broken)
#define P_CHANNEL(x) assert((x) || CHANNEL_broken)
#define P_ENTRY(x) assert((x) || ENTRY_broken)
#define P_PIN(x) assert((x) || PIN_broken)
#define P_LEFT(x) assert((x) || LEFT_broken)

#define STEP(x) atomic { if :: d_step { x } fi }
#define G (GROWS + 1)
#define SLOTS 3
#define FREE 0
#define OUT 1
#define KEPT 2
#define KEPT_UNPUBLISHED 3
#define ENDING 4
#define WRITING 1
#define OWN 2

byte pins[G * SLOTS];
byte users[G], lent[G]; /* of a generation; lent is the writing thread's */
bool freed[G];
byte channel_users = 1;
bool channel_freed;
byte state[LOANS], home[LOANS], slot[LOANS]; /* a loan's entry */
byte kept_home[LOANS], kept_slot[LOANS];	   /* ghost */
byte kept;				   /* ghost: bit i: the frame of entry i is there to be released */
bool closed;
bool ended;				   /* ghost: the releaser has nothing more to do */

#define BIT(i) (1 << (i))
#define PINS(g, s) pins[(g) * SLOTS + (s)]
#define TOUCH(g) P_GENERATION(!freed[g])
#define HERE P_CHANNEL(!channel_freed)

inline generation_drop(g)
{
	STEP(TOUCH(g); users[g]--; last = (users[g] == 0));
	if
	:: last -> STEP(TOUCH(g); freed[g] = true; last = false)
	:: else
	fi
}

inline channel_drop()
{
	STEP(HERE; channel_users--; last = (channel_users == 0));
	if
	:: last -> STEP(HERE; channel_freed = true; last = false)
	:: else
	fi
}

/* A generation that was grown out of goes with its last loan. */
inline leave(g)
{
	STEP(TOUCH(g); lent[g]--; last = (lent[g] == 0 && g != cur));
#ifdef MUT_LEAVE_FREES_THE_PRESENT /* without asking whether it is the one that is written to */
	last = (lent[g] == 0);
#endif
#ifdef MUT_LEAVE_FREES_NOTHING
	last = false;
#endif
	if
	:: last -> last = false; generation_drop(g)
	:: else
	fi
}

inline keep_as(i, how)
{
#ifdef MUT_LEAVE_BEFORE_KEEP /* it may be the last */
	leave(home[i]);
	STEP(TOUCH(home[i]); users[home[i]]++);
#elif defined(MUT_GENERATION_NOT_KEPT)
	leave(home[i]);
#else
	STEP(TOUCH(home[i]); users[home[i]]++);
	leave(home[i]);
#endif
#ifndef MUT_CHANNEL_NOT_KEPT
	STEP(HERE; channel_users++);
#endif
	STEP(kept_home[i] = home[i]; kept_slot[i] = slot[i]; state[i] = how; kept = kept | BIT(i))
}

inline claim(g)
{
	s = 0;
	do
	:: s < SLOTS -> STEP(TOUCH(g); if :: PINS(g, s) == 0 -> PINS(g, s) = WRITING; got = true :: else -> got = false fi);
		if :: got -> break :: else -> s++ fi
	:: else -> break
	od
}

inline discard(i, keeps)
{
	if
	:: keeps -> keep_as(i, KEPT_UNPUBLISHED)
	:: else ->
		STEP(TOUCH(home[i]); P_PIN(PINS(home[i], slot[i]) & WRITING); PINS(home[i], slot[i]) = PINS(home[i], slot[i]) & ~WRITING);
		leave(home[i]);
		STEP(state[i] = FREE)
	fi
}

inline publish(i, keeps)
{
	if
	:: home[i] != cur -> /* carried over */
		claim(cur);
		if
		:: s < SLOTS ->
			STEP(TOUCH(home[i]); P_PIN(PINS(home[i], slot[i]) & WRITING); PINS(home[i], slot[i]) = PINS(home[i], slot[i]) & ~WRITING);
			old = home[i];
			STEP(slot[i] = s; home[i] = cur; lent[cur]++);
			leave(old)
		:: else
		fi;
		s = 0; old = 0; got = false
	:: else
	fi;
	if
	:: home[i] != cur /* no slot free: EAGAIN, and still out */
	:: else ->
		if
		:: keeps -> STEP(TOUCH(home[i]); PINS(home[i], slot[i]) = PINS(home[i], slot[i]) | OWN)
		:: else
		fi;
		STEP(TOUCH(home[i]); P_PIN(PINS(home[i], slot[i]) & WRITING); PINS(home[i], slot[i]) = PINS(home[i], slot[i]) & ~WRITING);
		if
		:: keeps -> keep_as(i, KEPT)
		:: else ->
			leave(home[i]);
			STEP(state[i] = FREE)
		fi
	fi
}

active proctype Writer()
{
	byte i, s, cur, old, lends;
	bool last, got;
	STEP(users[0] = 1);
	do
	:: lends < LENDS ->
		lends++;
		i = 0;
		do
		:: i < LOANS && state[i] != FREE -> i++
		:: i < LOANS && state[i] == FREE -> break
		:: i == LOANS -> break
		od;
		if
		:: i == LOANS /* EMFILE */
		:: else ->
			claim(cur);
			if
			:: s < SLOTS -> STEP(HERE; TOUCH(cur); lent[cur]++; home[i] = cur; slot[i] = s; state[i] = OUT)
			:: else
			fi
		fi;
		STEP(i = 0; s = 0; got = false)
	:: state[0] == OUT -> publish(0, false)
	:: state[0] == OUT -> publish(0, true)
	:: state[0] == OUT -> discard(0, false)
	:: state[0] == OUT -> discard(0, true)
#if LOANS > 1
	:: state[1] == OUT -> publish(1, false)
	:: state[1] == OUT -> publish(1, true)
	:: state[1] == OUT -> discard(1, true)
#endif
	:: cur < GROWS ->
		STEP(old = cur; cur++; users[cur] = 1);
#ifdef MUT_GROWN_DROPS_LENT /* though loans of it are out */
		generation_drop(old);
#else
		if
		:: lent[old] == 0 -> generation_drop(old)
		:: else
		fi;
#endif
		old = 0
	:: break
	od;
	/* close_channel */
#ifndef MUT_CLOSE_FORGETS_LOANS
	do
	:: i < LOANS && state[i] == OUT -> discard(i, false); i++
	:: i < LOANS && state[i] != OUT -> i++
	:: else -> i = 0; break
	od;
#endif
	generation_drop(cur);
	channel_drop();
	closed = true
}

active proctype Releaser()
{
	byte i, g, s;
	bool last;
	goto again;
release:
	STEP(HERE; kept = kept & ~BIT(i); last = (state[i] == KEPT); state[i] = ENDING);
	s = last; last = false;
#ifdef MUT_ENTRY_FREE_FIRST /* the next loan takes the entry */
	STEP(HERE; state[i] = FREE);
#endif
	STEP(HERE; P_ENTRY(home[i] == kept_home[i] && slot[i] == kept_slot[i]); g = home[i];
	     if
	     :: s -> TOUCH(g); P_PIN(PINS(g, slot[i]) & OWN); PINS(g, slot[i]) = PINS(g, slot[i]) & ~OWN
	     :: else -> TOUCH(g); P_PIN(PINS(g, slot[i]) & WRITING); PINS(g, slot[i]) = PINS(g, slot[i]) & ~WRITING
	     fi);
	generation_drop(g);
#ifndef MUT_ENTRY_FREE_FIRST
#ifdef MUT_CHANNEL_LEFT_FIRST /* the entry is the channel's memory */
	channel_drop();
	STEP(HERE; state[i] = FREE);
#else
	STEP(HERE; state[i] = FREE);
	channel_drop();
#endif
#else
	channel_drop();
#endif
	i = 0; g = 0; s = 0;
again:
	do
	:: kept & BIT(0) -> i = 0; goto release
#if LOANS > 1
	:: kept & BIT(1) -> i = 1; goto release
#endif
	:: closed && kept == 0 -> ended = true; break
	od
}

active proctype Auditor()
{
	byte i;
	d_step {
		closed && ended ->
		do
		:: i < G * SLOTS -> P_LEFT(pins[i] == 0); i++
		:: else -> i = 0; break
		od;
		do
		:: i < G -> P_LEFT(users[i] == 0); i++
		:: else -> i = 0; break
		od;
		P_LEFT(channel_freed && freed[0])
	}
}
