/*
 * writer.c - a writer's life: it takes its stream over, publishes in every way there is, grows, closes and opens again with another geometry, until it is
 * killed. It knows what its predecessor published and checks that nothing of that is lost or numbered twice.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "content.h"
#include "torture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOANS = 3, FRAME_LEAST = 1024, EPOCH_BITS = 24, IDLE_ROUNDS = 20000, LOCK_ROUNDS = 50 };

struct writing {
	struct life *life;
	slip_writer *writer;
	uint64_t epoch;
	uint64_t last;	    /* seq of the newest frame; in semaphore mode: how many this process has published */
	uint64_t published; /* by this handle */
	uint64_t refused;
	uint64_t grown;
	size_t size; /* of frames, in CONTENT_BLOCKs */
	slip_frame *kept;
	uint64_t kept_number;
	void *buffer; /* what is copied in */
};

/* A mark of an epoch in the upper bits, so that mark and seq are stored in one. */
static uint64_t mark(uint64_t epoch, uint64_t seq)
{
	return (epoch * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - EPOCH_BITS) << (64 - EPOCH_BITS) | seq;
}

static uint64_t number_of(const struct writing *w, uint64_t seq)
{
	return content_number(w->life->stream, w->life->incarnation, seq);
}

static bool has_failed(const struct life *life)
{
	return atomic_load_explicit(&life->board->failed, memory_order_relaxed) != 0;
}

static bool storm_goes_on(const struct life *life)
{
	return phase_of(life) < PHASE_WRITERS_IDLE && !has_failed(life);
}

static void choose_options(struct life *life, slip_writer_options *o)
{
	uint64_t *r = &life->random;
	if (stream_of(life)->semaphore) {
		const int64_t limits[] = {0, 5 * NS_PER_MS, 50 * NS_PER_MS};
		o->mode = SLIP_MODE_SEMAPHORE;
		o->lock_timeout_ns = limits[below(r, 3)];
		return;
	}
	o->max_loans = LOANS + 2;
	o->slots = 8;
	o->leases_per_reader = 2;
	o->prefault = chance(r, 4);
	o->huge_pages = chance(r, 4);
	o->no_stamps = chance(r, 8);
	if (chance(r, 2))
		return; /* what half of the predecessors had: taken over as it is */
	o->slots = 4 + (uint32_t)below(r, 8);
	o->leases_per_reader = 1 + (uint32_t)below(r, 4);
	o->max_readers = 24 + (uint32_t)below(r, SLIP_MAX_READERS - 24 + 1);
	o->history = chance(r, 2) ? 0 : 1 + (uint32_t)below(r, o->slots - 1);
	o->capacity = chance(r, 2) ? 0 : (size_t)FRAME_LEAST << below(r, 4);
}

/* Whether a stats call agrees with what this process counted. */
static void check_stats(const struct writing *w)
{
	slip_writer_stats s = {.struct_size = sizeof(s)};
	const bool semaphore = stream_of(w->life)->semaphore;
	if (slip_writer_get_stats(w->writer, stream_of(w->life)->channel, &s) != 0) {
		fail_call(w->life, "slip_writer_get_stats");
		return;
	}
	if (s.published != w->published || s.refused != w->refused)
		fail(w->life, FAILED_WRONG, w->epoch, w->last,
		     "the stats say %llu frames published and %llu refused; it were %llu and %llu", (unsigned long long)s.published,
		     (unsigned long long)s.refused, (unsigned long long)w->published, (unsigned long long)w->refused);
	if (!semaphore && (s.last_seq != w->last || s.epoch != w->epoch))
		fail(w->life, FAILED_LOST, w->epoch, w->last, "the stats say seq %llu of epoch %llx; it was seq %llu of epoch %llx",
		     (unsigned long long)s.last_seq, (unsigned long long)s.epoch, (unsigned long long)w->last,
		     (unsigned long long)w->epoch);
}

/* Growth of a ring, or fresh objects of a semaphore channel. */
static void count_grown(struct writing *w)
{
	slip_writer_stats s = {.struct_size = sizeof(s)};
	if (slip_writer_get_stats(w->writer, stream_of(w->life)->channel, &s) != 0)
		return;
	count(w->life, stream_of(w->life)->semaphore ? COUNT_AFRESH : COUNT_GROWN, s.grown - w->grown);
	w->grown = s.grown;
}

/* Goes on where the predecessor was killed, or begins an epoch where that is right. */
static void check_takeover(struct writing *w)
{
	struct life *life = w->life;
	struct stream_board *board = stream_board_of(life);
	slip_writer_stats s = {.struct_size = sizeof(s)};
	if (slip_writer_get_stats(w->writer, stream_of(life)->channel, &s) != 0) {
		fail_call(life, "slip_writer_get_stats");
		return;
	}
	if (stream_of(life)->semaphore) {
		w->epoch = s.epoch;
		count(life, COUNT_EPOCHS, 1);
		return;
	}
	const uint64_t before = atomic_load(&board->confirmed);
	const uint64_t seq = before & ((UINT64_C(1) << (64 - EPOCH_BITS)) - 1);
	w->epoch = s.epoch;
	w->last = s.last_seq;
	if (before != 0 && mark(s.epoch, seq) == before) {
		/* The dead one may have published one frame that it came not to note. */
		if (s.last_seq != seq && s.last_seq != seq + 1)
			fail(life, s.last_seq < seq ? FAILED_REPEATED : FAILED_LOST, s.epoch, s.last_seq,
			     "the writer before had published seq %llu; its successor goes on after %llu", (unsigned long long)seq,
			     (unsigned long long)s.last_seq);
		count(life, COUNT_TAKEOVERS, 1);
	} else {
		if (atomic_load(&board->between) == 0)
			fail(life, FAILED_LOST, s.epoch, s.last_seq,
			     "a writer that had published seq %llu was killed, and its successor found a new epoch",
			     (unsigned long long)seq);
		else if (s.last_seq != 0)
			fail(life, FAILED_LOST, s.epoch, s.last_seq, "an epoch that nobody published in has seq %llu",
			     (unsigned long long)s.last_seq);
		count(life, COUNT_EPOCHS, 1);
	}
	atomic_store(&board->confirmed, mark(w->epoch, w->last));
	atomic_store(&board->between, 0);
}

static bool may_lack_room(const struct writing *w)
{
	if (errno != ENOSPC || !stream_of(w->life)->narrow)
		return false;
	count(w->life, COUNT_NO_ROOM, 1);
	return true;
}

/* Until the channel is ours. false: something failed. */
static bool open_stream(struct writing *w)
{
	struct life *life = w->life;
	const struct stream *stream = stream_of(life);
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	choose_options(life, &options);
	w->size = FRAME_LEAST + below(&life->random, 4) * CONTENT_BLOCK;
	if (stream->semaphore && chance(&life->random, 2))
		w->size = life->plan->semaphore_frame_most;
	w->published = w->refused = w->grown = 0;
	w->writer = slip_writer_open(life->plan->base, &options);
	if (w->writer == NULL) {
		fail_call(life, "slip_writer_open");
		return false;
	}
	struct content c;
	if (stream->semaphore)
		content_describe_plain(number_of(w, 0), w->size, &c);
	else
		content_describe(number_of(w, 0), w->size, false, &c);
	while (slip_channel_create(w->writer, stream->channel, &c.array) != 0) {
		/* EBUSY: the kernel has not let go of the predecessor yet. */
		if (errno != EBUSY && errno != EINTR && !may_lack_room(w)) {
			fail_call(life, "slip_channel_create");
			return false;
		}
		if (has_failed(life))
			return false;
		get_on(life);
		pause_ns(NS_PER_MS / 2);
	}
	check_takeover(w);
	return true;
}

static void release_kept(struct writing *w)
{
	uint64_t number;
	if (w->kept == NULL)
		return;
	if (!content_read(w->kept->data, w->kept->size, &number) || number != w->kept_number)
		fail(w->life, FAILED_TORN, w->epoch, content_seq(w->kept_number), "a frame that its writer kept changed");
	if (slip_release(w->kept) != 0)
		fail_call(w->life, "slip_release of a kept frame");
	w->kept = NULL;
}

static void confirm(struct writing *w)
{
	w->last++;
	w->published++;
	if (!stream_of(w->life)->semaphore)
		atomic_store(&stream_board_of(w->life)->confirmed, mark(w->epoch, w->last));
	count(w->life, COUNT_PUBLISHED, 1);
}

/* After a publish, a copy or a loan failed. true: it may. */
static bool may_fail(struct writing *w, const char *call)
{
	if (errno == EAGAIN) {
		w->refused++;
		count(w->life, COUNT_REFUSED, 1);
		return true;
	}
	if (stream_of(w->life)->semaphore && (errno == EINTR || errno == EBUSY))
		return true;
	if (may_lack_room(w))
		return true;
	fail_call(w->life, call);
	return false;
}

static void describe(const struct writing *w, uint64_t seq, bool pitched, struct content *c)
{
	if (stream_of(w->life)->semaphore)
		content_describe_plain(number_of(w, seq), w->size, c);
	else
		content_describe(number_of(w, seq), w->size, pitched, c);
}

static size_t bytes_of(const slip_array *a)
{
	size_t bytes = slip_dtype_size(a->dtype);
	for (int32_t i = 0; i < a->ndim; i++)
		bytes *= (size_t)a->shape[i];
	return bytes;
}

static void copy_in(struct writing *w)
{
	struct content c;
	describe(w, w->last + 1, false, &c);
	content_fill(w->buffer, bytes_of(&c.array), number_of(w, w->last + 1));
	c.array.data = w->buffer;
	if (slip_set_array(w->writer, stream_of(w->life)->channel, &c.array) == 0)
		confirm(w);
	else
		(void)may_fail(w, "slip_set_array");
}

enum fate { PUBLISH, KEEP, DISCARD, DISCARD_KEEP, FATES };

/* false: it stays out. */
static bool end_loan(struct writing *w, slip_frame *loan, enum fate fate, uint64_t seq)
{
	switch (fate) {
	case PUBLISH:
		if (slip_publish(loan) != 0)
			return may_fail(w, "slip_publish") && false;
		confirm(w);
		return true;
	case KEEP:
		if (slip_publish_keep(loan) != 0)
			return may_fail(w, "slip_publish_keep") && false;
		confirm(w);
		w->kept = loan;
		w->kept_number = number_of(w, seq);
		return true;
	case DISCARD_KEEP:
		if (slip_discard_keep(loan) != 0)
			fail_call(w->life, "slip_discard_keep");
		else if (slip_release(loan) != 0)
			fail_call(w->life, "slip_release of a discarded loan");
		count(w->life, COUNT_DISCARDED, 1);
		return true;
	default:
		if (slip_discard(loan) != 0)
			fail_call(w->life, "slip_discard");
		count(w->life, COUNT_DISCARDED, 1);
		return true;
	}
}

/* Several loans at once, ended first to last or last to first; what each will be is settled before, because its number is in its bytes. */
static void lend(struct writing *w)
{
	uint64_t *r = &w->life->random;
	const int n = 1 + (int)below(r, LOANS);
	const bool backwards = chance(r, 2);
	enum fate fates[LOANS];
	uint64_t seqs[LOANS];
	slip_frame *loans[LOANS] = {NULL};
	uint64_t next = w->last + 1;
	for (int i = 0; i < n; i++)
		fates[i] = chance(r, 3) ? (enum fate)below(r, FATES) : PUBLISH;
	for (int i = 0; i < n; i++) {
		const int at = backwards ? n - 1 - i : i;
		if (fates[at] == KEEP && w->kept != NULL)
			release_kept(w);
		seqs[at] = next;
		next += fates[at] == PUBLISH || fates[at] == KEEP;
	}
	bool good = true;
	for (int i = 0; i < n && good; i++) {
		struct content c;
		describe(w, seqs[i], chance(r, 2), &c);
		loans[i] = slip_loan(w->writer, stream_of(w->life)->channel, &c.array);
		if (loans[i] == NULL)
			good = may_fail(w, "slip_loan") && false;
		else
			content_fill(loans[i]->data, loans[i]->size, number_of(w, seqs[i]));
	}
	for (int i = 0; i < n; i++) {
		const int at = backwards ? n - 1 - i : i;
		if (loans[at] == NULL)
			continue;
		if (fates[at] == KEEP && w->kept != NULL)
			release_kept(w); /* two to be kept in one go */
		if (good && end_loan(w, loans[at], fates[at], seqs[at]))
			continue;
		good = false; /* the numbers after it would be wrong */
		(void)end_loan(w, loans[at], DISCARD, 0);
	}
}

/* Larger frames, which need a larger ring; and smaller ones. */
static void change_size(struct writing *w)
{
	const size_t most = w->life->plan->frame_most;
	uint64_t *r = &w->life->random;
	if (stream_of(w->life)->semaphore)
		return; /* its first shape is its only one */
	if (chance(r, 3)) {
		w->size = FRAME_LEAST;
		return;
	}
	w->size += below(r, w->size) / CONTENT_BLOCK * CONTENT_BLOCK + CONTENT_BLOCK;
	if (w->size > most)
		w->size = most;
}

static void publish_one(struct writing *w)
{
	uint64_t *r = &w->life->random;
	const bool changed = phase_of(w->life) == PHASE_STORM && chance(r, 24); /* later, what the dead hold must not go with its ring */
	const size_t before = w->size;
	if (changed)
		change_size(w);
	const uint64_t published = w->published;
	if (chance(r, 3))
		lend(w);
	else
		copy_in(w);
	if (changed || stream_of(w->life)->semaphore)
		count_grown(w);
	if (w->published == published)
		w->size = before; /* no room for larger ones: the ring that is there must still do */
	if (chance(r, 8))
		release_kept(w);
	get_on(w->life);
}

static void close_stream(struct writing *w)
{
	check_stats(w);
	if (chance(&w->life->random, 2))
		release_kept(w);
	atomic_store(&stream_board_of(w->life)->between, 1);
	slip_writer_close(w->writer);
	w->writer = NULL;
	release_kept(w); /* it outlives the handle */
}

/* Whoever died with the lock does not keep it: a frame goes in, within some time limits at most. */
static bool lock_comes_back(struct writing *w)
{
	const uint64_t published = w->published;
	for (int round = 0; w->published == published && round < LOCK_ROUNDS && !has_failed(w->life); round++) {
		copy_in(w);
		get_on(w->life);
	}
	return w->published > published;
}

/* Every mark of the dead is gone once the kernel has let go of them. */
static bool readers_are_gone(struct writing *w)
{
	int attached = 1;
	for (int round = 0; attached != 0 && round < IDLE_ROUNDS; round++) {
		attached = slip_readers_attached(w->writer, stream_of(w->life)->channel);
		get_on(w->life);
		pause_ns(NS_PER_MS);
	}
	return attached == 0;
}

/* From here on this channel holds nothing. */
static void come_to_rest(struct writing *w)
{
	release_kept(w);
	if (stream_of(w->life)->semaphore ? !lock_comes_back(w) : !readers_are_gone(w))
		fail(w->life, FAILED_LEAKED, w->epoch, w->last, "%s",
		     stream_of(w->life)->semaphore ? "the lock is not to be had, though nobody lives who could have it"
						   : "readers seem attached, though none lives");
	check_stats(w);
	atomic_store(&w->life->board->places[w->life->place].idle, 1);
	while (phase_of(w->life) < PHASE_WRITERS_CLOSE && !has_failed(w->life)) {
		get_on(w->life);
		pause_ns(NS_PER_MS);
	}
}

int writer_life(struct life *life)
{
	struct writing w = {.life = life, .buffer = malloc(life->plan->semaphore_frame_most + CONTENT_BLOCK)};
	uint64_t *r = &life->random;
	bool ours = w.buffer != NULL && open_stream(&w);
	while (ours && storm_goes_on(life)) {
		publish_one(&w);
		if (chance(r, 64))
			check_stats(&w);
		if (chance(r, 4))
			pause_ns((int64_t)below(r, 2 * NS_PER_MS));
		if (phase_of(life) == PHASE_STORM && chance(r, 400)) {
			close_stream(&w);
			pause_ns((int64_t)below(r, 3 * NS_PER_MS));
			ours = open_stream(&w);
		}
	}
	if (ours && !has_failed(life))
		come_to_rest(&w);
	if (w.writer != NULL)
		close_stream(&w);
	free(w.buffer);
	return has_failed(life) ? 3 : 0;
}
