/* child.h - measuring in a process of its own, on a CPU of its own. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_CLI_BENCH_CHILD_H
#define SLIP_CLI_BENCH_CHILD_H

#include "bench.h"

/* Forks; the child keeps to cpu (-1: anywhere) and adds to result, which the parent then has. False where the child failed or died. */
bool measure_in_child(const struct bench_settings *settings, const struct bench_case *it, int cpu, bench_measure *work,
		      struct drive_result *result);

#endif
