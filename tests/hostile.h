/*
 * hostile.h - what a hostile peer writes into a control object: any word, any value, and more often those that mean something there. The choices come from
 * a script of bytes: a fuzzer's input, or random ones.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_HOSTILE_H
#define SLIP_TESTS_HOSTILE_H

#include "segment.h"

#include <string.h>

/* Taken from its front; what is no longer there is 0. */
struct script {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t take(struct script *s, size_t bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i < bytes && s->left > 0; i++, s->left--)
		value |= (uint64_t)*s->at++ << 8 * i;
	return value;
}

struct hostile_word {
	size_t at;    /* in control */
	size_t bytes; /* 4 or 8, at a multiple of it */
	uint64_t value;
};

static inline size_t hostile_place(struct script *s, const struct slip__geometry *g, size_t *bytes)
{
	static const uint16_t WORDS[] = {offsetof(struct slip__header, head),	  offsetof(struct slip__header, in_order),
					 offsetof(struct slip__header, attached), offsetof(struct slip__header, published),
					 offsetof(struct slip__header, refused),  offsetof(struct slip__header, wakes),
					 offsetof(struct slip__header, head),	  offsetof(struct slip__header, last_publish_ns)};
	static const uint16_t HALVES[] = {offsetof(struct slip__header, state), offsetof(struct slip__header, fw),
					  offsetof(struct slip__header, writer_pid)};
	uint64_t kind = take(s, 1);
	size_t slot = g->slots_at + take(s, 1) % g->slots * sizeof(struct slip__slot);
	*bytes = 8;
	switch (kind % 12) {
	case 0: return take(s, 2) % (g->control_bytes / 8) * 8;
	case 1: *bytes = 4; return take(s, 1) % (sizeof(struct slip__geometry) / 4) * 4;
	case 2: return take(s, 1) % (sizeof(struct slip__geometry) / 8) * 8;
	case 3: return WORDS[take(s, 1) % (sizeof(WORDS) / sizeof(WORDS[0]))];
	case 4: *bytes = 4; return HALVES[take(s, 1) % (sizeof(HALVES) / sizeof(HALVES[0]))];
	case 5: return g->ring_at + take(s, 1) % g->ring_length * 8;
	case 6:
	case 7: return slot + offsetof(struct slip__slot, pins);
	case 8: return slot + offsetof(struct slip__slot, seq);
	case 9: return slot + offsetof(struct slip__slot, bytes) + take(s, 1) % 16 * 8; /* the line of every frame, and the shape */
	case 10: return slot + take(s, 1) % (sizeof(struct slip__slot) / 8) * 8;
	default:
		return g->readers_at + take(s, 1) % g->max_readers * sizeof(struct slip__reader_entry) +
		       take(s, 1) % (sizeof(struct slip__reader_entry) / 8) * 8;
	}
}

static inline uint64_t hostile_value(struct script *s, const void *control, const struct slip__geometry *g, uint64_t was)
{
	const char *base = control;
	uint64_t kind = take(s, 1);
	uint64_t slot = take(s, 1);
	uint64_t head;
	uint64_t seq;
	memcpy(&head, base + offsetof(struct slip__header, head), sizeof(head));
	memcpy(&seq, base + g->slots_at + slot % g->slots * sizeof(struct slip__slot) + offsetof(struct slip__slot, seq), sizeof(seq));
	switch (kind % 12) {
	case 0: return take(s, 8);
	case 1: return was ^ UINT64_C(1) << take(s, 1) % 64;
	case 2: return 0;
	case 3: return UINT64_MAX;
	case 4: return was + take(s, 1);
	case 5: return was - take(s, 1);
	case 6: return was | UINT64_C(1) << take(s, 1) % 64;
	case 7: return take(s, 1);
	case 8: return seq << 16 | slot; /* a place: maybe one beyond the slots */
	case 9: return seq + take(s, 1) - 2;
	case 10: return ((head >> 16) + take(s, 1)) << 16 | slot % g->slots;
	default: return (SLIP__SEQ_MAX - take(s, 1)) << 16 | slot % g->slots;
	}
}

static inline struct hostile_word hostile_choose(struct script *s, const void *control, const struct slip__geometry *g)
{
	struct hostile_word word = {0};
	word.at = hostile_place(s, g, &word.bytes);
	memcpy(&word.value, (const char *)control + word.at, word.bytes);
	word.value = hostile_value(s, control, g, word.value);
	return word;
}

/* As a peer stores it: a word at once. */
static inline void hostile_store(void *control, const struct hostile_word *word)
{
	char *at = (char *)control + word->at;
	if (word->bytes == 4)
		a32_store_relaxed((slip__a32 *)(void *)at, (uint32_t)word->value);
	else
		a64_store_relaxed((slip__a64 *)(void *)at, word->value);
}

static inline void hostile_change(struct script *s, void *control, const struct slip__geometry *g)
{
	struct hostile_word word = hostile_choose(s, control, g);
	hostile_store(control, &word);
}

/* The same in bytes without such a plan: a semaphore channel's header, a semaphore. */
static inline void hostile_bytes(struct script *s, unsigned char *bytes, size_t size)
{
	uint64_t kind = take(s, 1);
	size_t width = size < 8 ? 1 : (size_t)1 << (kind & 3);
	size_t at = take(s, 1) % size / width * width;
	uint64_t value = 0;
	memcpy(&value, bytes + at, width);
	switch (kind >> 2 & 7) {
	case 0: value = take(s, width); break;
	case 1: value ^= UINT64_C(1) << take(s, 1) % 64; break;
	case 2: value = 0; break;
	case 3: value = UINT64_MAX; break;
	case 4: value += take(s, 1); break;
	case 5: value -= take(s, 1); break;
	case 6: value = UINT64_C(1) << take(s, 1) % 64; break;
	default: value = take(s, 1); break;
	}
	memcpy(bytes + at, &value, width);
}

#endif
