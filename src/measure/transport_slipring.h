/* transport_slipring.h - slipring, by its public API. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_MEASURE_TRANSPORT_SLIPRING_H
#define SLIP_MEASURE_TRANSPORT_SLIPRING_H

#include "transport.h"

extern const struct transport TRANSPORT_SLIPRING;

/* The semaphore mode: the newest frame by copy, under a lock. */
extern const struct transport TRANSPORT_SEMAPHORE;

#endif
