/*
 * reader.h - a reader's handle with what it has had, and the helper thread of a reader process: it releases frames that another thread got, wakes, and
 * reads with a handle of its own over the mapping that the process shares.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CLI_TORTURE_READER_H
#define SLIP_CLI_TORTURE_READER_H

#include "torture.h"

enum { HELD_MOST = 6 };

struct held {
	slip_frame *frame;
	uint64_t number;
};

struct helper;

struct reading {
	struct life *life;
	struct helper *helper; /* NULL: none */
	slip_reader *reader;
	const char *channel;
	int stream;
	bool semaphore, observer, outwaits, witness;
	uint64_t epoch, epoch_before, last, number; /* of the last frame */
	struct held held[HELD_MOST];
	int held_count;
};

bool reading_open(struct reading *r, struct life *life, int stream, bool observer);

/* Bytes, description and number of a frame; then that it follows on what the handle had. false after a failure was noted. */
bool verify_bytes(const struct life *life, int stream, const slip_frame *f, uint64_t *number);
bool verify(struct reading *r, const slip_frame *f, bool in_order);

/* After a call gave nothing: whether it may. */
bool may_not_come(const struct reading *r, const char *call);

/* NULL: the process goes on without. */
struct helper *helper_start(struct life *life);
void helper_end(struct helper *helper);
bool helper_release(struct helper *helper, const struct held *held); /* false: it has its hands full */
void helper_wake(struct helper *helper);
void helper_read(struct helper *helper);
slip_waker *helper_waker(struct helper *helper);

#endif
