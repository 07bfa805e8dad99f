/* machine.h - where a measurement ran: what must stand beside its figures. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_MEASURE_MACHINE_H
#define SLIP_MEASURE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct machine {
	char cpu[96];	       /* model name */
	char kernel[96];       /* release and build */
	char clock[32];	       /* clock source of CLOCK_MONOTONIC: "tsc" */
	char governor[32];     /* of the CPUs' frequency; "none to set" where the kernel has none (virtual machines) */
	char isolated[64];     /* CPUs that the scheduler leaves alone; "none" */
	char huge_pages[32];   /* for shared memory: "never", "advise", ... */
	bool is_virtual;       /* it has a hypervisor below it */
	int cpus;	       /* that this process may run on */
	int cpu_list[64];      /* the first 64 of them */
	size_t memory, cache;  /* bytes; cache: the last level's */
	double load;	       /* runnable processes, average of a minute, when asked */
	int64_t clock_read_ns; /* median of a thousand */
};

void machine_read(struct machine *machine);

/* Keeps the calling process on one CPU. -1 with errno. */
int machine_pin(int cpu);

#ifdef __cplusplus
}
#endif

#endif
