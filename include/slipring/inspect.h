/*
 * slipring/inspect.h - look at channels without taking part: what exists, who holds what, what the dead left.
 *
 * Everything here maps read-only and marks nothing, so that neither writer nor readers notice. Only slip_gc_remove changes
 * anything. Any thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIPRING_INSPECT_H
#define SLIPRING_INSPECT_H

#include <slipring/types.h>
#include <slipring/writer.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	SLIP_NAME_MAX = 101,   /* bytes of a base or channel name, with its NUL */
	SLIP_AGE_BUCKETS = 24, /* of an age histogram: bucket b counts ages in [2^b, 2^(b+1)) * 256 ns; the first and last are open */
	SLIP_OBJECT_MAX = 256  /* bytes of an object's file name, with its NUL */
};

typedef struct slip_channel_name {
	char base[SLIP_NAME_MAX];
	char channel[SLIP_NAME_MAX];
	slip_mode mode;
} slip_channel_name;

/*
 * Every channel that exists, sorted by name, in an array that the caller frees with free(); *count says how many. base, when not
 * NULL, selects one base name. Returns 0, or -1 with EACCES, ENOENT, ELOOP (of the directory), ENOMEM, EINVAL.
 */
SLIP_API int slip_list_channels(const char *base, slip_channel_name **names, size_t *count);

/* One attached reader, as its table entry says. The counters are the reader's own, in this layout's trust: shown, not believed. */
typedef struct slip_reader_info {
	uint32_t index;	   /* its place in the table, and its bit in the pins words */
	uint32_t alive;	   /* 1: a live process holds the place; 0: its owner is dead and it will be cleared */
	uint32_t pid;	   /* as it noted it; of its own PID namespace */
	uint32_t in_order; /* 1: reads with slip_next */
	uint32_t leases;   /* slots it has pinned now */
	uint32_t reserved;
	uint64_t got;
	uint64_t missed;
	uint64_t last_seq;
	int64_t attached_ns;		 /* CLOCK_MONOTONIC */
	uint64_t ages[SLIP_AGE_BUCKETS]; /* of frames when got, since publish; of those published within a millisecond one is counted */
} slip_reader_info;

/* One slot. */
typedef struct slip_slot_info {
	uint64_t seq;  /* 0: none, or being filled */
	uint64_t pins; /* bits 0-61 readers, 62 the writer's own lease, 63 being filled */
} slip_slot_info;

typedef enum slip_channel_state {
	SLIP_CHANNEL_LIVE = 1,	 /* a live writer holds it */
	SLIP_CHANNEL_DEAD = 2,	 /* its writer is dead; the next one takes over */
	SLIP_CHANNEL_CLOSED = 3, /* closed, or retired by growth, and about to go */
	SLIP_CHANNEL_UNKNOWN = 4 /* a semaphore channel that another program made: whether that lives cannot be told */
} slip_channel_state;

/* A snapshot of one channel. The library fills and owns it; free with slip_channel_info_free. */
typedef struct slip_channel_info {
	slip_channel_name name;
	slip_channel_state state;
	uint32_t layout_version;
	uint64_t epoch;
	uint64_t generation;
	uint64_t first_seq; /* of this generation */
	uint64_t last_seq;  /* newest frame's; 0 for none */
	uint32_t slots;
	uint32_t max_readers;
	uint32_t leases_per_reader;
	uint32_t max_loans;
	uint32_t history;    /* asked for; 0: automatic */
	uint32_t writer_pid; /* as noted */
	uint64_t capacity;   /* bytes of a slot */
	uint64_t control_bytes;
	uint64_t payload_bytes;
	mode_t permissions;
	uid_t owner;
	uint64_t published; /* by the present writer */
	uint64_t refused;
	uint64_t wakes;
	int64_t last_publish_ns; /* CLOCK_MONOTONIC, 0 for none or unstamped */
	/* Of the newest frame; ndim is -1 where there is none. */
	slip_dtype dtype;
	int32_t ndim;
	int64_t shape[SLIP_MAX_DIMS];
	char encoding[SLIP_ENCODING_MAX];
	char frame_id[SLIP_FRAME_ID_MAX];
	size_t reader_count;
	slip_reader_info *readers;
	size_t slot_count;
	slip_slot_info *slot_info;
	/*
	 * Of a semaphore channel; what only a ring has is 0 or NULL above, and ndim is that of the header. lock_value: 1 free, 0 taken, more: somebody posted
	 * what it had not taken. lock_holder_dead: 1 where a killed process of slipring's holds it.
	 */
	int32_t lock_value;
	uint32_t lock_holder_dead;
	int64_t last_capture_realtime_ns; /* the newest frame's timestamp; 0 for none */
} slip_channel_info;

/*
 * mode says which, where a channel exists in both; SLIP_MODE_DEFAULT takes what is there, lock-free first. Fails with ENOENT, EACCES,
 * EPERM, ELOOP, EBADMSG, EPROTONOSUPPORT, ENOMEM, EINVAL.
 */
SLIP_API slip_channel_info *slip_channel_inspect(const char *base, const char *channel, slip_mode mode);
SLIP_API void slip_channel_info_free(slip_channel_info *info);

/* Something that a dead process left in shared memory. */
typedef struct slip_leftover {
	char object[SLIP_OBJECT_MAX]; /* file name in the shared memory directory */
	char reason[96];	      /* why it counts as left over */
	uint64_t bytes;
} slip_leftover;

/*
 * Lists leftovers of a base name, or of all (NULL); the caller frees the array. Never lists what a live process holds, nor what cannot be
 * looked at (another user's; for want of descriptors). Fails as slip_list_channels does.
 */
SLIP_API int slip_gc_list(const char *base, slip_leftover **leftovers, size_t *count);

/*
 * Removes one, after making sure once more, under its lock, that its owner is dead. EBUSY: it lives after all, or that cannot be told. ENOENT:
 * gone already.
 */
SLIP_API int slip_gc_remove(const slip_leftover *leftover);

#ifdef __cplusplus
}
#endif

#endif
