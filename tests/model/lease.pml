/*
 * lease.pml - frames that one reader handle shares and other threads release, as a model for spin. tests/model/run checks it; README.md
 * lists what each step is for.
 *
 * WHAT IS MODELLED. src/core/lease.c, every step that touches a lease's state, the seat's count or the pins word as a step of its own:
 *   Getter    takes the latest frame (sharing what it holds, else pinning, below its limit), hands frames to the other thread, releases
 *             some itself, and closes its handle at any moment.
 *   Releaser  another thread, which releases what it was handed; there may be two.
 *   Writer    claims, fills, publishes.
 *
 * WHAT IS ABSTRACTED. Sequentially consistent, as all models here. The protocol of a slot is slot.pml's: here a frame is filled in one
 * step, and a pin has two, the mark and the look at it. Nobody dies.
 *
 * WHAT MUST HOLD.
 *   P_LEASE   what is held does not change
 *   P_PIN     who releases the last share clears a bit that is set, and nobody else's
 *   P_LIMIT   the handle never has its bit on more slots than it may have leases, the one that it is about to refuse included
 *   P_SEAT    nothing touches the seat after it is freed; it is freed once
 *   P_SAME    what is shared is the frame that was asked for
 *   P_LEFT    in the end no bit is left, and the seat is freed
 *
 * Scenario: -DLEASES= GETS= FRAMES= RELEASERS=. Mutation: -DMUT_name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef LEASES
#define LEASES 1
#endif
#ifndef GETS
#define GETS 3
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef RELEASERS
#define RELEASERS 1
#endif

hidden byte LEASE_broken, PIN_broken, LIMIT_broken, SEAT_broken, SAME_broken, LEFT_broken; /* always false */
#define P_LEASE(x) assert((x) || LEASE_broken)
#define P_PIN(x) assert((x) || PIN_broken)
#define P_LIMIT(x) assert((x) || LIMIT_broken)
#define P_SEAT(x) assert((x) || SEAT_broken)
#define P_SAME(x) assert((x) || SAME_broken)
#define P_LEFT(x) assert((x) || LEFT_broken)

#define STEP(x) atomic { if :: d_step { x } fi }
#define SLOTS 3
#define WRITING 2
#define BIT 1 /* the reader's */
#define NONE 255
#define RELEASING 100
#define HANDLE 100
#define SEQ(w) ((w) >> 2)
#define SLOT(w) ((w) & 3)

/* shared memory */
byte head, pins[SLOTS], seq[SLOTS], cell[SLOTS];
/* the reader process's: the seat */
byte state[SLOTS];	 /* of a lease */
byte view[SLOTS];	 /* the frame that it is of */
byte given, users = HANDLE;
bool freed;
/* ghost: frames that a thread may release */
byte mine[SLOTS], handed[SLOTS];
byte ended;
bool closed;

#define TOUCH P_SEAT(!freed)
#define MARKED ((pins[0] & BIT) + (pins[1] & BIT) + (pins[2] & BIT))

inline drop(count)
{
	STEP(TOUCH; users = users - (count); ok = (users == 0));
	if
	:: ok -> STEP(TOUCH; freed = true; ok = false)
	:: else
	fi
}

/* One share of slot s. */
inline release(s)
{
	P_LEASE(cell[s] == view[s] && seq[s] == view[s]);
#ifdef MUT_RELEASE_LOAD_STORE
	STEP(TOUCH; n = state[s]);
	STEP(TOUCH; state[s] = (n == 1 -> RELEASING : n - 1));
#else
	STEP(TOUCH; n = state[s]);
	do
	:: n == 0 -> break
	:: else -> STEP(TOUCH; if :: state[s] == n -> state[s] = (n == 1 -> RELEASING : n - 1); n = n + 100 :: else -> n = state[s] fi);
		if :: n > 100 -> n = n - 100; break :: else fi
	od;
#endif
#ifdef MUT_CLEAR_AT_EACH /* shares are not counted */
	if
	:: n > 1 -> STEP(P_PIN(pins[s] & BIT); pins[s] = pins[s] & ~BIT)
	:: else
	fi;
#endif
	if
	:: n == 1 ->
#ifdef MUT_FREE_BEFORE_CLEAR /* the getting thread may pin it again, and the old release wipes that */
		STEP(TOUCH; state[s] = 0);
#endif
#ifdef MUT_COUNT_BEFORE_CLEAR /* the limit is checked against what is counted */
		drop(1);
		STEP(P_PIN(pins[s] & BIT); pins[s] = pins[s] & ~BIT);
#else
		STEP(TOUCH; P_PIN(pins[s] & BIT); pins[s] = pins[s] & ~BIT);
#endif
#ifndef MUT_FREE_BEFORE_CLEAR
		STEP(TOUCH; state[s] = 0);
#endif
#ifndef MUT_COUNT_BEFORE_CLEAR
		drop(1)
#endif
	:: else
	fi;
	n = 0
}

active proctype Getter()
{
	byte s, want, n, gets;
	bool ok, got;
	do
	:: gets < GETS ->
		STEP(s = SLOT(head); want = SEQ(head));
		gets++;
		if
		:: want == 0
		:: else ->
			got = false;
			STEP(TOUCH; n = state[s]);
			do
			:: got || n == 0 -> break
#ifdef MUT_RELEASING_IS_FREE /* pins at once what is on its way out */
			:: !got && n == RELEASING -> n = 0
#else
			:: !got && n == RELEASING -> STEP(TOUCH; n = state[s])
#endif
			:: !got && n > 0 && n < RELEASING ->
				P_SAME(view[s] == want);
#ifdef MUT_SHARE_LOAD_STORE
				STEP(TOUCH; state[s] = n + 1; got = true; mine[s]++)
#else
				STEP(TOUCH; if :: state[s] == n -> state[s] = n + 1; got = true; mine[s]++ :: else -> n = state[s] fi)
#endif
			od;
			if
			:: got
			:: else ->
				STEP(TOUCH; ok = (given - (HANDLE - users) < LEASES));
				if
				:: ok ->
					ok = false;
					STEP(pins[s] = pins[s] | BIT; P_LIMIT(MARKED <= LEASES));
					STEP(ok = (!(pins[s] & WRITING) && seq[s] == want));
					if
					:: ok ->
						STEP(ok = false; view[s] = want; P_LEASE(cell[s] == want); given++);
						STEP(TOUCH; state[s] = 1; mine[s]++)
					:: else -> STEP(pins[s] = pins[s] & ~BIT)
					fi
				:: else
				fi
			fi
		fi;
		STEP(s = 0; want = 0; n = 0; got = false; ok = false)
	:: mine[0] > 0 -> STEP(mine[0]--; handed[0]++)
	:: mine[1] > 0 -> STEP(mine[1]--; handed[1]++)
	:: mine[0] > 0 -> mine[0]--; release(0)
	:: mine[1] > 0 -> mine[1]--; release(1)
	:: mine[2] > 0 -> STEP(mine[2]--; handed[2]++)
	:: mine[2] > 0 -> mine[2]--; release(2)
	:: break
	od;
	/* The handle goes; what is held stays, and is the other thread's to release. */
	s = 0;
	do
	:: s < SLOTS -> STEP(handed[s] = handed[s] + mine[s]; mine[s] = 0; s++)
	:: else -> s = 0; break
	od;
	closed = true;
#ifdef MUT_LEAVE_TAKES_ALL /* leases that are out do not count */
	STEP(TOUCH; freed = true);
#else
	drop(HANDLE - given);
#endif
	ended++
}

active [RELEASERS] proctype Releaser()
{
	byte n, s;
	bool ok;
	do
	:: atomic { handed[0] > 0 -> handed[0]--; s = 0 }; release(s)
	:: atomic { handed[1] > 0 -> handed[1]--; s = 1 }; release(s); s = 0
	:: atomic { handed[2] > 0 -> handed[2]--; s = 2 }; release(s); s = 0
	:: closed && handed[0] + handed[1] + handed[2] == 0 -> break
	od;
	ended++
}

active proctype Writer()
{
	byte q = 1, s = 1;
	do
	:: q > FRAMES -> break
	:: else ->
		if
		:: s = 0
		:: s = 1
		:: s = 2
		fi;
		if
		:: atomic { (head == 0 || SLOT(head) != s) && pins[s] == 0 -> pins[s] = WRITING };
			STEP(seq[s] = 0);
			STEP(cell[s] = q);
			STEP(seq[s] = q);
			STEP(pins[s] = pins[s] & ~WRITING);
			STEP(head = q << 2 | s);
			q++
		:: !((head == 0 || SLOT(head) != s) && pins[s] == 0)
		fi
	od;
	ended++
}

active proctype Auditor()
{
end_audit:
	d_step { ended == RELEASERS + 2 -> P_LEFT(MARKED == 0 && freed) }
}
