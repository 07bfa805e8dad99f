/* plain.c - the machine's limit, as a peer. SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"
#include "transport_plain.h"

const struct transport *const PEERS[] = {&TRANSPORT_PLAIN, &TRANSPORT_STREAMING, NULL};
