/*
 * storm.h - the supervisor: starts writers and readers, kills, stops and signals them, fills their memory up, and watches that all get on.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CLI_TORTURE_STORM_H
#define SLIP_CLI_TORTURE_STORM_H

#include "histogram.h"
#include "room.h"
#include "torture.h"

#include <sys/types.h>

enum { PENDING_MAX = 64 };

/* Of a place; the supervisor's own. */
struct process {
	pid_t pid; /* 0: nobody */
	int stream;
	int reader;	       /* -1: the writer; 0: the witness */
	int64_t stopped_until; /* 0: runs */
	uint64_t progress;
	int64_t progress_ns; /* when it was last seen to get on */
	bool shifted;
};

/* A writer that was killed, until a frame of a successor is seen. */
struct pending {
	uint32_t incarnation;
	int64_t killed_ns;
};

struct stream_watch {
	uint32_t incarnations;
	struct pending pending[PENDING_MAX];
	int pending_count;
	uint64_t witnessed;
	int64_t witnessed_ns;
};

struct storm {
	const struct plan *plan;
	struct board *board;
	struct room room;
	struct clocks clocks;
	uint64_t random;
	int64_t begun_ns, ended_ns;
	struct process places[PLACES_MAX];
	int place_count;
	struct stream_watch streams[STREAMS_MAX];
	struct histogram recovery;	     /* ns from the kill to a successor's frame at the witness: rings */
	struct histogram recovery_semaphore; /* the same of semaphore channels */
	uint64_t spawned, killed_writers, killed_readers, ended_readers, stops, signals, fills, shifted, killed_stopped;
	uint64_t leaked_objects, leaked_slots;
	char crash[160]; /* the first one */
};

/* How long and how much: until either is reached; 0: no such end. */
struct extent {
	double seconds;
	uint64_t deaths;
};

/* Called now and then while the storm goes on. */
typedef void storm_told(const struct storm *storm, void *context);

/* false: it could not be started; a message was printed. */
bool storm_run(struct storm *storm, const struct extent *extent, storm_told *tell, void *context);

uint64_t storm_count(const struct storm *storm, enum count what);
uint64_t storm_failures(const struct storm *storm);
int storm_pending(const struct storm *storm);

#endif
