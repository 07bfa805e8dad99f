/* roudi.h - the daemon that iceoryx needs, for one run. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_BENCH_ROUDI_H
#define SLIP_BENCH_ROUDI_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct roudi;

/*
 * Starts iox-roudi with memory for `count` chunks of up to `size` bytes, headers included, and waits until it is ready; up to `clients`
 * processes may join. There can be one in a machine. NULL after complain().
 */
struct roudi *roudi_start(size_t size, int count, int clients);

/* In a client: its runtime's name begins so. What it leaves in /tmp when it is killed is removed by roudi_stop(). */
void roudi_join(struct roudi *roudi, int client, const char *name);

/* Ends it, in the process that started it. */
void roudi_stop(struct roudi *roudi);

#ifdef __cplusplus
}
#endif

#endif
