/*
 * segment.h - the bytes of a channel in shared memory, layout version 1. docs/format.md is this file in prose, and is tested
 * against it.
 *
 * A generation is two objects. control: header, reader table, ring, slots (read and written by readers, read by observers). payload: the
 * slots' bytes (written by the writer alone). Who may write a field stands beside it: "made" is whoever makes the generation, before it
 * has a name; "writer" the holder of byte 0's lock, "reader" the holder of byte 1 + i's.
 *
 * Everything here is untrusted when it is read: geometry is checked once, on a private copy, and that copy is used ever after.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_SEGMENT_H
#define SLIP_CORE_SEGMENT_H

#include "atomic.h"
#include "name.h"
#include "os.h"
#include "slot.h"

#include <slipring/inspect.h>
#include <slipring/types.h>
#include <stddef.h>

#define SLIP__MAGIC UINT64_C(0x474e495250494c53) /* "SLIPRING" in little-endian bytes */

enum {
	SLIP__LAYOUT_VERSION = 1,
	SLIP__BYTE_ORDER = 0x01020304,
	SLIP__LINE = 64,
	/* Of header.state */
	SLIP__STATE_RETIRED = 1, /* a newer generation exists */
	SLIP__STATE_CLOSED = 2,	 /* the writer ended the epoch */
	/* Of reader_entry.flags */
	SLIP__READER_IN_ORDER = 1,
	/* Of slot.flags */
	SLIP__FRAME_CONTIGUOUS = 1,
	SLIP__FRAME_HAS_ID = 2, /* frame_id is not empty */
	/* Of the lock bytes on control */
	SLIP__BYTE_WRITER = 0,
	SLIP__BYTE_READER = 1
};

/* What does not change while a generation lives. */
struct slip__geometry {
	uint64_t magic;		    /*   0 made */
	uint32_t layout_version;    /*   8 made */
	uint32_t byte_order;	    /*  12 made */
	uint32_t word_bits;	    /*  16 made */
	uint32_t page_bytes;	    /*  20 made */
	uint64_t id;		    /*  24 made; random, names the payload object */
	uint64_t epoch;		    /*  32 made; random */
	uint64_t generation;	    /*  40 made; 1, 2, 3 ... within an epoch */
	uint64_t first_seq;	    /*  48 made; of the first frame in this generation */
	int64_t made_realtime_ns;   /*  56 made */
	uint32_t slots;		    /*  64 made */
	uint32_t ring_length;	    /*  68 made; a power of two, at least slots */
	uint32_t max_readers;	    /*  72 made */
	uint32_t leases_per_reader; /*  76 made */
	uint32_t max_loans;	    /*  80 made */
	uint32_t history;	    /*  84 made; 0: automatic */
	uint64_t capacity;	    /*  88 made; bytes of a slot that a frame may fill */
	uint64_t slot_stride;	    /*  96 made; from one slot's payload to the next, whole pages */
	uint64_t readers_at;	    /* 104 made; offsets in control */
	uint64_t ring_at;	    /* 112 made */
	uint64_t slots_at;	    /* 120 made */
	uint64_t control_bytes;	    /* 128 made */
	uint64_t payload_bytes;	    /* 136 made */
	uint64_t payload_inode;	    /* 144 made */
	uint32_t permissions;	    /* 152 made */
	uint32_t observers;	    /* 156 made */
	uint8_t reserved[32];	    /* 160 made; 0 */
};

struct slip__header {
	struct slip__geometry geometry; /*   0 */
	slip__a32 state;		/* 192 writer */
	slip__a32 writer_pid;		/* 196 writer; informative */
	uint8_t pad0[56];
	slip__a64 head; /* 256 writer */
	uint8_t pad1[56];
	slip__a32 fw; /* 320 all */
	uint8_t pad2[60];
	slip__a64 in_order; /* 384 readers, bit i; a hint */
	slip__a64 attached; /* 392 readers, bit i; a hint */
	uint8_t pad3[48];
	slip__a64 published;	   /* 448 writer; counters of the present one */
	slip__a64 refused;	   /* 456 writer */
	slip__a64 wakes;	   /* 464 writer */
	slip__a64 last_publish_ns; /* 472 writer; CLOCK_MONOTONIC */
	uint8_t pad4[32];
};

struct slip__reader_entry {
	slip__a32 pid;	       /*  0 reader; informative */
	slip__a32 flags;       /*  4 reader */
	slip__a64 got;	       /*  8 reader */
	slip__a64 missed;      /* 16 reader */
	slip__a64 last_seq;    /* 24 reader */
	slip__a64 attached_ns; /* 32 reader; CLOCK_MONOTONIC */
	uint8_t pad[24];
	slip__a64 ages[SLIP_AGE_BUCKETS]; /* 64 reader */
};

struct slip__slot {
	/* Words of the protocol: slot.h */
	slip__a64 pins; /*   0 all */
	slip__a64 seq;	/*   8 writer */
	uint8_t pad0[48];
	/* Description; the writer writes it while the slot is WRITING */
	uint64_t bytes;			     /*  64 */
	slip_dtype dtype;		     /*  72 */
	uint8_t ndim;			     /*  76 */
	uint8_t flags;			     /*  77 */
	uint16_t metadata_bytes;	     /*  78 */
	int64_t capture_ns;		     /*  80 */
	int64_t publish_ns;		     /*  88 */
	int64_t capture_realtime_ns;	     /*  96 */
	uint64_t committed;		     /* 104 bytes that are final; equals bytes in this version */
	char encoding[SLIP_ENCODING_MAX];    /* 112 */
	int64_t shape[SLIP_MAX_DIMS];	     /* 128 */
	int64_t strides[SLIP_MAX_DIMS];	     /* 192 */
	char frame_id[SLIP_FRAME_ID_MAX];    /* 256 */
	uint8_t metadata[SLIP_METADATA_MAX]; /* 320 */
	uint8_t reserved[64];		     /* 576 */
};

#define SLIP__AT(type, field, at) _Static_assert(offsetof(struct type, field) == (at), #type "." #field)
SLIP__AT(slip__geometry, id, 24);
SLIP__AT(slip__geometry, epoch, 32);
SLIP__AT(slip__geometry, first_seq, 48);
SLIP__AT(slip__geometry, slots, 64);
SLIP__AT(slip__geometry, history, 84);
SLIP__AT(slip__geometry, capacity, 88);
SLIP__AT(slip__geometry, slots_at, 120);
SLIP__AT(slip__geometry, payload_inode, 144);
SLIP__AT(slip__geometry, observers, 156);
SLIP__AT(slip__header, state, 192);
SLIP__AT(slip__header, head, 256);
SLIP__AT(slip__header, fw, 320);
SLIP__AT(slip__header, in_order, 384);
SLIP__AT(slip__header, published, 448);
SLIP__AT(slip__reader_entry, ages, 64);
SLIP__AT(slip__slot, seq, 8);
SLIP__AT(slip__slot, bytes, 64);
SLIP__AT(slip__slot, dtype, 72);
SLIP__AT(slip__slot, capture_ns, 80);
SLIP__AT(slip__slot, committed, 104);
SLIP__AT(slip__slot, encoding, 112);
SLIP__AT(slip__slot, shape, 128);
SLIP__AT(slip__slot, strides, 192);
SLIP__AT(slip__slot, frame_id, 256);
SLIP__AT(slip__slot, metadata, 320);
_Static_assert(sizeof(struct slip__geometry) == 192, "geometry");
_Static_assert(sizeof(struct slip__header) == 512, "header");
_Static_assert(sizeof(struct slip__reader_entry) == 256, "reader entry");
_Static_assert(sizeof(struct slip__slot) == 640, "slot");

/* A generation as this process has it mapped. Private memory. */
struct slip__segment {
	slip_channel_name name;
	struct slip__identity identity; /* of control */
	struct slip__geometry geometry; /* the private, checked copy */
	struct slip__ring ring;
	struct slip__header *header; /* control, mapped */
	char *payload;		     /* NULL where it was not mapped */
	int fd;			     /* control; holds no lock */
	mode_t permissions;	     /* of payload's object, as found; of control's where payload is not mapped */
	uid_t owner;
};

/* What a new generation is made with. */
struct slip__plan {
	uint32_t slots;
	uint32_t max_readers;
	uint32_t leases_per_reader;
	uint32_t max_loans;
	uint32_t history;
	uint64_t capacity;
	mode_t permissions;
	mode_t observers;
	uint64_t epoch;
	uint64_t generation;
	uint64_t first_seq;
};

/* Fills geometry from a plan. EINVAL, EOVERFLOW. */
int slip__segment_lay_out(const struct slip__plan *plan, struct slip__geometry *geometry);

/* control's permissions, for payload's and the observers' classes. */
mode_t slip__segment_control_mode(mode_t permissions, mode_t observers);

/*
 * Makes both objects: payload under its name, control under its temporary one. The caller anchors control, then gives it its name. On
 * failure nothing is left.
 */
int slip__segment_make(const slip_channel_name *name, const struct slip__plan *plan, struct slip__segment *segment);

/* How much of a channel to map. */
enum slip__segment_view {
	SLIP__VIEW_WRITER,   /* both read-write */
	SLIP__VIEW_READER,   /* control read-write, payload read-only */
	SLIP__VIEW_OBSERVER, /* both read-only */
	SLIP__VIEW_CONTROL,  /* control alone, read-only */
	SLIP__VIEW_HEIR	     /* control alone, read-write: a writer that looks at what a dead one left */
};

/*
 * Opens and checks what stands under the channel's name, or under object where that is not NULL. ENOENT (without a detail; also where it
 * went away in the middle), EACCES, EPERM, ELOOP, EBADMSG, EPROTONOSUPPORT, ENOMEM.
 */
int slip__segment_open(const slip_channel_name *name, const char *object, enum slip__segment_view view, struct slip__segment *segment);

/* Adds the payload to a SLIP__VIEW_HEIR. */
int slip__segment_map_payload(struct slip__segment *segment, enum slip__access access);

/* Touches the pages of every slot; not what may lie between slots. */
void slip__segment_prefault(const struct slip__segment *segment, bool write);

void slip__segment_close(struct slip__segment *segment);

/* Unlinks the objects, control only while its name leads to this very one. */
void slip__segment_unlink(const struct slip__segment *segment);

/*
 * The oracle of the tests: whether the words of a segment at rest (nobody in the middle of a call) are what the protocol leaves.
 * 0, or -1 with EBADMSG and a sentence that names the word.
 */
int slip__segment_check(const struct slip__segment *segment);

static inline struct slip__slot *slip__segment_slot(const struct slip__segment *segment, uint32_t slot)
{
	return (struct slip__slot *)(void *)(segment->ring.slots + slot * sizeof(struct slip__slot));
}

static inline char *slip__segment_bytes(const struct slip__segment *segment, uint32_t slot)
{
	return segment->payload + slot * segment->geometry.slot_stride;
}

/*
 * A frame is about to be pinned and read (or a slot claimed and filled): its words, its description and its first bytes are asked for at
 * once, where they would otherwise be waited for one after the other.
 */
static inline void slip__segment_expect_read(const struct slip__segment *segment, uint32_t slot)
{
	slip__slot_expect(&segment->ring, slot);
	prefetch_to_read(slip__segment_bytes(segment, slot));
}

static inline void slip__segment_expect_fill(const struct slip__segment *segment, uint32_t slot)
{
	const struct slip__slot *at = slip__segment_slot(segment, slot);
	prefetch_to_write(&at->pins);
	prefetch_to_write(&at->bytes);
	prefetch_to_write(&at->shape);
	prefetch_to_write(slip__segment_bytes(segment, slot));
}

static inline struct slip__reader_entry *slip__segment_reader(const struct slip__segment *segment, uint32_t reader)
{
	return (struct slip__reader_entry *)(void *)((char *)segment->header + segment->geometry.readers_at) + reader;
}

#endif
