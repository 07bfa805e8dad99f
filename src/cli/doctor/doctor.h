/* doctor.h - what slipring doctor looks at, a file per subject. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_CLI_DOCTOR_H
#define SLIP_CLI_DOCTOR_H

#include "report.h"

#include <stdio.h>

/* What the checks share. */
struct patient {
	const char *directory; /* of shared memory */
	bool usable;	       /* it is there, and files can be made in it */
	char **bases;	       /* those to look at; none: all */
	int base_count;
	bool filtered;	     /* a seccomp filter is in force */
	const char *runtime; /* of the container this runs in: "docker"; NULL: none is known of */
	uint64_t largest;    /* ring that a channel has now, bytes */
	uint64_t held;	     /* by all channels */
};

/* Rings of 8 slots, the default, of RGB: of VGA, the least that anybody wants, and of 4K. */
#define RING_VGA (UINT64_C(8) * 640 * 480 * 3)
#define RING_4K (UINT64_C(8) * 3840 * 2160 * 3)

void check_place(struct report *report, struct patient *patient); /* container, user namespace, filters; first */
void check_directory(struct report *report, struct patient *patient);
void check_kernel(struct report *report, const struct patient *patient);
void check_channels(struct report *report, struct patient *patient);
void check_names(struct report *report, const struct patient *patient);
void check_leftovers(struct report *report, const struct patient *patient);
void check_space(struct report *report, const struct patient *patient); /* after the channels: knows what they need */
void check_limits(struct report *report, const struct patient *patient);
void check_machine(struct report *report);

/* ---- small things of several files ---- */

bool wanted_base(const struct patient *patient, const char *base);

/* The first line of a file without its end. False where there is none. */
bool first_line(const char *path, char *line, size_t size);
/* What stands behind "Name:" in /proc/self/status, or "". */
const char *status_field(const char *name, char *value, size_t size);
/* "user 1000's symbolic link, mode 0777"; "nothing" where there is none. */
const char *what_stands(const char *path, char text[96]);

#endif
