/*
 * transport_plain.h - the machine's limit: what passing a frame on costs at least, with nothing to protect it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_MEASURE_TRANSPORT_PLAIN_H
#define SLIP_MEASURE_TRANSPORT_PLAIN_H

#include "transport.h"

/*
 * Two buffers in turn and one word that says which is newest: a reader that is late finds its frame overwritten, or half so. Nobody could use
 * it; a transport that protects its frames can at best come close to it. Asleep, readers are woken by one futex call for all.
 */
extern const struct transport TRANSPORT_PLAIN;

/* The same, copied in by stores that go past the cache, which is the faster way for frames as large as it. x86-64 only: else `can` is 0. */
extern const struct transport TRANSPORT_STREAMING;

#endif
