/*
 * loan.h - the Loan of Python: a slot that is filled in place. It is out until it is published or discarded. Views of its memory may live longer:
 * the library then keeps it until the last of them goes, whether it was published or not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_LOAN_H
#define SLIP_PYTHON_LOAN_H

#include "layout.h"
#include "writer.h"

enum stage {
	OUT,  /* may be filled, viewed, ended */
	KEPT, /* published or given up, and held for the views that are left */
	ENDED
};

struct loan {
	PyObject_HEAD struct state *state;
	struct writer *writer; /* held; its lock holds stage, exports, frame */
	PyObject *weakrefs;
	PyObject *name;
	PyObject *array; /* weak reference */
	PyObject *timestamp;
	PyObject *metadata;
	slip_frame view; /* what it was when it was lent */
	struct layout layout;
	uint64_t grown;	   /* generations at that time: memory stays where it is while the ring does not grow */
	slip_frame *frame; /* the library's; dangling when its handle closed under a loan that was out */
	enum stage stage;
	uint32_t exports;
	struct loan *previous, *next; /* among the writer's viewed ones, while it is out and viewed */
	_Atomic(bool) published;      /* these two are read without the lock */
	_Atomic(uint64_t) seq;
};

/* what has its dtype, shape and strides; description is as writer_describe takes it. */
PyObject *loan_make(struct writer *writer, PyObject *name, slip_array *what, PyObject *const *description);

/* ---- under the writer's lock, by writer_run: loan_calls.c ---- */

struct lending {
	const char *channel;
	const slip_array *what;
	slip_frame *frame;
	uint64_t grown;
};

/* arg: struct lending. */
int loan_call_lend(struct writer *writer, void *arg);
/* arg: a slip_frame that was lent, and that no Loan took over. */
int loan_call_return(struct writer *writer, void *arg);

/* arg: struct loan. 0 where it is out, and may be filled. */
int loan_call_look(struct writer *writer, void *arg);
/* arg: struct loan. One more view of its memory; one less. */
int loan_call_export(struct writer *writer, void *arg);
int loan_call_unexport(struct writer *writer, void *arg);
/* arg: struct loan. */
int loan_call_discard(struct writer *writer, void *arg);

struct publishing {
	struct loan *loan;
	const char *channel;
};

/* arg: struct publishing. */
int loan_call_publish(struct writer *writer, void *arg);

struct setting {
	struct loan *loan;
	const void *metadata; /* NULL: set the stamp */
	size_t size;
	int64_t capture_realtime_ns;
};

/* arg: struct setting. */
int loan_call_set(struct writer *writer, void *arg);

/* Before the writer's handle closes: gives up what is out, but keeps what is viewed. */
void loan_give_up_viewed(struct writer *writer);

#endif
