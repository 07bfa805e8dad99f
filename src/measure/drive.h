/*
 * drive.h - one measured run: a writer process and its readers, over any transport, on chosen CPUs, with the same clock.
 *
 * A frame is due at fixed moments (interval_ns), whatever happened to those before; its latency counts from the moment it was due, so
 * that a stall counts for every frame that it held up (no coordinated omission). With interval_ns 0 frames follow one another as fast as the
 * writer can, and latency counts from the moment before the frame is written.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_MEASURE_DRIVE_H
#define SLIP_MEASURE_DRIVE_H

#include "histogram.h"
#include "transport.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DRIVE_READERS_MAX = 62 };

struct drive_plan {
	struct transport_setup setup;
	int writer_cpu;	      /* -1: wherever the kernel puts it */
	int reader_cpus[64];  /* readers take them in turn */
	int reader_cpu_count; /* 0: wherever the kernel puts them */
	int64_t interval_ns;  /* from one frame to the next; 0: flat out */
	int64_t duration_ns;  /* the run ends after it or after `frames`, whichever is first; at least one must be set */
	uint64_t frames;      /* 0: no limit */
	bool read_all;	      /* readers read every byte and check it: what was torn is counted */
	bool one_by_one;      /* the next frame waits until all readers have the one before (fills `last`) */
};

struct drive_result {
	struct histogram latency; /* ns: from due until a reader has the frame, its first line in hand; reading all of it comes after */
	struct histogram cost;	  /* ns: what passing the frame on took its writer: send, or publish; less two clock reads */
	struct histogram last;	  /* ns: from just before send or publish until the last reader has the frame; one_by_one only */
	uint64_t sent, got, missed, torn; /* frames; got, missed and torn are sums over the readers */
	uint64_t least_got;		  /* of any one reader */
	double seconds;			  /* from the first measured frame to the last, at the writer */
};

/*
 * Forks, runs, waits. -1 when a side failed, died or hung (it has said on stderr what failed); the result is then not to be used.
 * Frames that go round before readers are ready are not counted.
 */
int drive(const struct transport *transport, const struct drive_plan *plan, struct drive_result *result);

#ifdef __cplusplus
}
#endif

#endif
