// plain.hpp - what a program would do without slipring, for the figures to stand beside. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "suite.hpp"

#include <slipring/slipring.h>

// ---- words and locks; in shared memory, for processes, and nobody else wants them ----
Plain plain_clock_read();
// A lock that processes share, taken and given back.
Plain plain_mutex();
// A free list of buffers behind such a lock: one is taken, and given back.
Plain plain_pool();
// The bytes of one small frame under a sequence lock: written, with or without the time of it; read; both in turn.
Plain plain_seqlock_write(bool stamped);
Plain plain_seqlock_read();
Plain plain_seqlock_write_and_read();

// ---- waking and waiting, nobody asleep ----
Plain plain_seqlock_write_and_wake();
Plain plain_futex_wake();
Plain plain_semaphore();
Plain plain_semaphore_refused();
// Of so many eventfds; ready or not.
Plain plain_poll(int count, bool ready);

// ---- copies ----
// Into so many buffers in turn.
Plain plain_memcpy(std::int64_t bytes, int buffers);
// Into fresh memory, which is freed.
Plain plain_duplicate(std::int64_t bytes);
// An array of three dimensions in a larger piece of memory.
struct Strided {
	std::string name;
	slip_array array;	   // with strides; data is NULL
	std::int64_t source_bytes; // of that memory
	std::int64_t first;	   // where the first element is in it
};
// What slip_set_* does with it, in loops: memcpy of each row where its elements lie side by side, else element by element. Buffers in turn.
Plain plain_gather(const Strided &strided, int buffers);
// Under a semaphore: into a place that stays, or into fresh memory, which is freed.
Plain plain_locked_memcpy(std::int64_t bytes);
Plain plain_locked_duplicate(std::int64_t bytes);

// ---- objects ----
// One of so many bytes is made and mapped, and has memory: by asking for it, or by touching every page. Removing it is not counted.
enum class Memory { ALLOCATED, TOUCHED };
Plain plain_object_make(std::int64_t bytes, Memory memory);
// One that exists is opened, mapped and looked into; closing it is not counted.
Plain plain_object_map();
// So many bytes of a file are asked for their locks.
Plain plain_lock_query(int count);
Plain plain_directory();
