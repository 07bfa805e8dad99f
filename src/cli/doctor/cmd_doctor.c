/* cmd_doctor.c - slipring doctor: whether this machine and its channels are well, and what to do. SPDX-License-Identifier: Apache-2.0 */
#include "../options.h"
#include "../text.h"
#include "doctor.h"

#include <stdlib.h>
#include <string.h>

static const char HELP[] =
	"Usage: slipring doctor [BASE...] [--json]\n\n"
	"Looks at everything that channels depend on and says what is well (ok), what to know (note), what fails or will (problem),\n"
	"and what to do about it:\n"
	"  shared memory  the directory, and the container that this runs in\n"
	"  channels       who owns, writes and reads each, what you may do with it, whether its slots or its lock run short\n"
	"  names          what the dead left, and what stands under names that are slipring's without being slipring's\n"
	"  room, limits   free bytes and inodes against what the channels hold and need; limits of the container and of processes\n"
	"  kernel         the calls that slipring makes, each really tried: a filter that forbids one is told from a kernel without it\n"
	"  machine        clock, CPUs, their governor\n"
	"With BASE, of the channels only those of these base names. Looks only: no channel notices. To try the kernel's calls it\n"
	"makes one empty file, which has a name for a moment.\n\n"
	"Exit status: 0 no problem, 1 at least one, 2 wrong usage.\n\n"
	"Examples:\n  slipring doctor\n  slipring doctor camera_01\n"
	"  slipring doctor --json | jq '.findings[] | select(.status == \"problem\")'\n";

static const struct option OPTIONS[] = {{"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};

int cmd_doctor(int argc, char **argv)
{
	bool json = false;
	int found;
	while ((found = next_option("doctor", argc, argv, OPTIONS)) != -1) {
		if (found == 'h') {
			fputs(HELP, stdout);
			return EXIT_OK;
		}
		if (found != 'j')
			return EXIT_USAGE;
		json = true;
	}
	for (int i = optind; i < argc; i++) {
		struct target target;
		int status = parse_target("doctor", argv[i], "image", &target);
		if (status != EXIT_OK)
			return status;
		if (strchr(argv[i], '/') != NULL)
			return say_usage("doctor", "BASE is '%s'; a base name alone is expected", argv[i]);
	}
	const char *directory = secure_getenv("SLIPRING_DIR");
	struct patient patient = {.directory = directory != NULL && directory[0] != '\0' ? directory : "/dev/shm",
				  .bases = argv + optind,
				  .base_count = argc - optind};
	struct report report = {.section = ""};
	report_section(&report, "shared memory");
	check_place(&report, &patient);
	check_directory(&report, &patient);
	report_section(&report, "channels");
	check_channels(&report, &patient);
	report_section(&report, "names");
	check_leftovers(&report, &patient);
	check_names(&report, &patient);
	report_section(&report, "room and limits");
	check_space(&report, &patient);
	check_limits(&report, &patient);
	report_section(&report, "kernel");
	check_kernel(&report, &patient);
	report_section(&report, "machine");
	check_machine(&report);
	if (json)
		report_print_json(&report);
	else
		report_print(&report);
	int status = report_count(&report, STATUS_PROBLEM) > 0 ? EXIT_FAILED : EXIT_OK;
	report_free(&report);
	return status;
}
