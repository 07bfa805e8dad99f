/*
 * tsan.h - what ThreadSanitizer is told, because it cannot see it: order that is made where it does not look, and the one race that is meant.
 * `grep -rn 'TSAN_' src/core` lists every place. Nothing in other builds.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_TSAN_H
#define SLIP_CORE_TSAN_H

#if defined(__SANITIZE_THREAD__)
#define SLIP__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLIP__TSAN 1
#endif
#endif

#ifdef SLIP__TSAN
void __tsan_acquire(void *);
void __tsan_release(void *);
void __tsan_ignore_thread_begin(void);
void __tsan_ignore_thread_end(void);
/* What came before the release of an address comes before what follows its acquire. */
#define TSAN_RELEASE(address) __tsan_release((void *)(address))
#define TSAN_ACQUIRE(address) __tsan_acquire((void *)(address))
/* What this thread does between the two is not looked at. An attribute would not do: it ends at the calls that are not inlined. */
#define TSAN_LOOK_AWAY() __tsan_ignore_thread_begin()
#define TSAN_LOOK_AGAIN() __tsan_ignore_thread_end()
#else
#define TSAN_RELEASE(address) ((void)(address))
#define TSAN_ACQUIRE(address) ((void)(address))
#define TSAN_LOOK_AWAY() ((void)0)
#define TSAN_LOOK_AGAIN() ((void)0)
#endif

#endif
