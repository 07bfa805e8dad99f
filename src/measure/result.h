/* result.h - what was measured, as JSON for machines. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_MEASURE_RESULT_H
#define SLIP_MEASURE_RESULT_H

#include "drive.h"
#include "machine.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* {"count","min","p50","p90","p99","p99_9","max","mean","cells":[[greatest value of the cell, count],...]}; of no values: null. */
void histogram_json(FILE *to, const struct histogram *h);

/* {"cpu","kernel","virtual",...} */
void machine_json(FILE *to, const struct machine *machine);

/* One run: the transport and how it was used, the plan, counts and times. One line, without its end. */
void drive_json(FILE *to, const struct transport *transport, const struct drive_plan *plan, const struct drive_result *result);

/* "spin", "sleep" */
const char *waiting_name(enum waiting waiting);

#ifdef __cplusplus
}
#endif

#endif
