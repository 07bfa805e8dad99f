/*
 * torture.h - what slipring torture is made of: the plan, the memory that the supervisor shares with its children, a child's life.
 *
 * A *stream* is one channel under fire: one writer at a time and several readers. Reader 0 of a stream is its *witness*, which is never killed or
 * stopped: it sees when the stream goes on after a death. A *place* is a process's, taken by one after the other. An *incarnation* is one
 * writer process of a stream, counted from 1; every frame says by which it was written.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CLI_TORTURE_H
#define SLIP_CLI_TORTURE_H

#include "transport.h" /* now_ns */

#include <slipring/slipring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	STREAMS_MAX = 16,
	STREAM_READERS_MAX = 32,
	PLACES_MAX = STREAMS_MAX * (STREAM_READERS_MAX + 1),
	SEEN = 1024, /* newest frames of a stream of which it is known who wrote them */
	NS_PER_MS = 1000000,
	NS_PER_S = 1000000000
};

/* What children count. The names are those of the JSON. */
#define TORTURE_COUNTS(X)                                                                                                                  \
	X(FRAMES, "frames_verified")                                                                                                       \
	X(BYTES, "bytes_verified")                                                                                                         \
	X(MISSED, "frames_missed")                                                                                                         \
	X(HELD, "leases_verified_again")                                                                                                   \
	X(SHARED, "leases_shared")                                                                                                         \
	X(ELSEWHERE, "released_by_another_thread")                                                                                         \
	X(AFTER_CLOSE, "released_after_close")                                                                                             \
	X(OBSERVED, "frames_observed")                                                                                                     \
	X(SESSIONS, "reader_sessions")                                                                                                     \
	X(WAITS_ANY, "waits_on_several")                                                                                                   \
	X(INTERRUPTED, "waits_interrupted")                                                                                                \
	X(OWNER_DEAD, "deaths_noticed_by_readers")                                                                                         \
	X(CLOSES_SEEN, "closes_noticed_by_readers")                                                                                        \
	X(CONTENDED, "semaphore_contended")                                                                                                \
	X(PUBLISHED, "frames_published")                                                                                                   \
	X(DISCARDED, "loans_discarded")                                                                                                    \
	X(REFUSED, "publishes_refused")                                                                                                    \
	X(GROWN, "growths")                                                                                                                \
	X(TAKEOVERS, "takeovers")                                                                                                          \
	X(EPOCHS, "epochs")                                                                                                                \
	X(AFRESH, "semaphore_restarts")                                                                                                    \
	X(NO_ROOM, "no_room_seen")

enum count {
#define X(name, json) COUNT_##name,
	TORTURE_COUNTS(X)
#undef X
		COUNTS
};

/* What must not be. */
#define TORTURE_FAILURES(X)                                                                                                                \
	X(TORN, "torn")                                                                                                                    \
	X(REPEATED, "repeated")                                                                                                            \
	X(LOST, "lost")                                                                                                                    \
	X(STUCK, "stuck")                                                                                                                  \
	X(LEAKED, "leaked")                                                                                                                \
	X(CRASHED, "crashed")                                                                                                              \
	X(WRONG, "wrong")

enum failure {
#define X(name, json) FAILED_##name,
	TORTURE_FAILURES(X)
#undef X
		FAILURES
};

enum phase { PHASE_STORM, PHASE_READERS_END, PHASE_WRITERS_IDLE, PHASE_WRITERS_CLOSE };

/* Of a place; the counts go on over all processes that take it. */
struct place_board {
	_Atomic uint64_t counts[COUNTS];
	_Atomic uint64_t progress; /* changes while the process gets on */
	_Atomic uint32_t idle;	   /* a writer in PHASE_WRITERS_IDLE: holds nothing */
};

struct stream_board {
	/* What the writers know of their epoch: a mark of it and the last seq, in one word, stored after each publish. */
	_Atomic uint64_t confirmed;
	/* Not 0: the next writer may begin an epoch: there was none, or the last writer was closing. */
	_Atomic uint32_t between;
	/* By the witness: the newest incarnation that it has a frame of, since when, and how many frames it has had. */
	_Atomic uint32_t seen_incarnation;
	_Atomic int64_t seen_ns;
	_Atomic uint64_t witnessed;
	/* Which incarnation wrote the frame of a seq: epoch's mark, seq, incarnation. */
	_Atomic uint64_t seen[SEEN];
};

struct board {
	_Atomic uint32_t phase; /* enum phase */
	_Atomic uint64_t failures[FAILURES];
	/* The first failure. */
	_Atomic uint32_t failed;
	enum failure failed_how;
	int failed_stream;
	uint32_t failed_pid, failed_incarnation;
	uint64_t failed_epoch, failed_seq;
	char failed_role[24];
	char failed_text[320];
	struct stream_board streams[STREAMS_MAX];
	struct place_board places[PLACES_MAX];
};

/* A stream, as planned. */
struct stream {
	char channel[32];
	bool semaphore;
	bool narrow; /* lies where the room is filled up now and then */
};

struct plan {
	char base[64];
	struct stream streams[STREAMS_MAX];
	int stream_count;
	int readers;		     /* of each stream, the witness included */
	size_t frame_most;	     /* bytes of a ring's frames */
	size_t semaphore_frame_most; /* and of a semaphore channel's, which take long enough under the lock to be killed there */
	uint64_t seed;
};

/* A child's context. */
struct life {
	const struct plan *plan;
	struct board *board;
	int stream;
	int place;
	uint32_t incarnation; /* a writer's */
	bool witness;
	const char *role;
	uint64_t random;
};

/* ---- life.c: what every child does ---- */

uint64_t draw(uint64_t *random);		  /* a random number; *random is the generator's state */
uint64_t below(uint64_t *random, uint64_t bound); /* 0 .. bound - 1 */
bool chance(uint64_t *random, uint64_t one_in);
void pause_ns(int64_t ns); /* a signal may end it */

void count(const struct life *life, enum count what, uint64_t n);
void get_on(const struct life *life);
enum phase phase_of(const struct life *life);

/* Notes a failure; the first one with all that is known of it. */
void fail(const struct life *life, enum failure how, uint64_t epoch, uint64_t seq, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* The same and the library's sentence: an errno that this call may not give. */
void fail_call(const struct life *life, const char *call);

const struct stream *stream_of(const struct life *life);
struct stream_board *stream_board_of(const struct life *life);

/* ---- writer.c, reader.c: a child's main function; the exit status ---- */

int writer_life(struct life *life);
int reader_life(struct life *life);

#endif
