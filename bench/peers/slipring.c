/* slipring.c - slipring among its peers, by its public API. SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"
#include "transport_slipring.h"

const struct transport *const PEERS[] = {&TRANSPORT_SLIPRING, &TRANSPORT_SEMAPHORE, NULL};
