/*
 * mode.h - what a mode implements: one table for a channel that is written, one for a channel that is read. api.c calls
 * nothing else of a mode.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_MODE_H
#define SLIP_CORE_MODE_H

#include "array.h"
#include "wait.h"

#include <slipring/inspect.h>
#include <slipring/reader.h>
#include <slipring/writer.h>

struct slip__writer_ops;
struct slip__reader_ops;

/* A mode's own struct begins with one of these. */
struct slip__writer_channel {
	const struct slip__writer_ops *ops;
	slip_channel_name name;
	slip__aptr next; /* struct slip__writer_channel; of the same handle */
};

struct slip__reader_channel {
	const struct slip__reader_ops *ops;
	slip_channel_name name;
	struct slip__reader_channel *next; /* of the same handle */
};

/* Options arrive with their defaults filled in. Failures are as the public functions document. */
struct slip__writer_ops {
	/* Makes or takes over a channel for frames like the first. */
	struct slip__writer_channel *(*open)(const slip_channel_name *name, const slip_writer_options *options,
					     const struct slip__array *first);
	/* Ends the epoch; frees, or leaves to the last kept frame to free. */
	void (*close)(struct slip__writer_channel *channel);
	/* The same in a forked child: memory only. */
	void (*abandon)(struct slip__writer_channel *channel);
	/* Makes room for frames like this one ahead of them. */
	int (*reserve)(struct slip__writer_channel *channel, const struct slip__array *array);
	struct slip__frame *(*loan)(struct slip__writer_channel *channel, const struct slip__array *array);
	int (*set)(struct slip__writer_channel *channel, const struct slip__array *array);
	int (*readers)(struct slip__writer_channel *channel);
	void (*stats)(const struct slip__writer_channel *channel, slip_writer_stats *stats);
};

struct slip__reader_ops {
	/* Never fails for want of a writer; only with ENOMEM. */
	struct slip__reader_channel *(*open)(const slip_channel_name *name, const slip_reader_options *options);
	void (*close)(struct slip__reader_channel *channel);
	/* The same in a forked child: memory only. */
	void (*abandon)(struct slip__reader_channel *channel);
	struct slip__frame *(*latest)(struct slip__reader_channel *channel);
	struct slip__frame *(*next)(struct slip__reader_channel *channel, int64_t timeout_ns);
	/* For a frame newer than the last one had; or, with any, for the channel to have one at all. */
	int (*wait)(struct slip__reader_channel *channel, int64_t timeout_ns, bool any);
	/* 1: ready now. 0: *watch says what to sleep on. -1: nothing to sleep on yet. Looks up the writer when that is due. */
	int (*watch)(struct slip__reader_channel *channel, struct slip__watch *watch);
	/* Fills in what describes the latest frame, but takes none. */
	int (*peek)(struct slip__reader_channel *channel, slip_frame *view);
	/* It will be read in order: said before anything attaches, so that the writer keeps frames from then on. NULL: makes no difference. */
	void (*in_order)(struct slip__reader_channel *channel);
	/* What either.c asks of the two modes. 1: something stands under the name, and it is attached to, with or without a frame. 0: nothing does
	 * (ENOENT, EPIPE). -1: it cannot be used. */
	int (*exists)(struct slip__reader_channel *channel);
	int (*alive)(struct slip__reader_channel *channel);
	void (*stats)(const struct slip__reader_channel *channel, slip_reader_stats *stats);
};

extern const struct slip__writer_ops slip__lock_free_writer;
extern const struct slip__reader_ops slip__lock_free_reader;
extern const struct slip__writer_ops slip__semaphore_writer;
extern const struct slip__reader_ops slip__semaphore_reader;
/* Of a handle opened without a mode: what is there, lock-free first. */
extern const struct slip__reader_ops slip__either_reader;

#endif
