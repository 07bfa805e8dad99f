/* peer.h - what each peer's file defines, and main.c drives. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_BENCH_PEER_H
#define SLIP_BENCH_PEER_H

#include "transport.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The transports of this executable; NULL ends them. */
extern const struct transport *const PEERS[];

#ifdef __cplusplus
}
#endif

#endif
