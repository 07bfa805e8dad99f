/* cmd_gc.c - slipring gc: what dead processes left. SPDX-License-Identifier: Apache-2.0 */
#include "options.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static const char HELP[] =
	"Usage: slipring gc [BASE] [--yes] [--json]\n\n"
	"Lists objects in shared memory whose owners are dead: channels whose writer died and that nobody reads, and what a writer\n"
	"left that died while making, growing or closing one. Removes them with --yes. Never touches what a live process holds:\n"
	"each is checked again, under its lock, before it goes. A writer that opens the channel again cleans up by itself. Of\n"
	"semaphore channels only those that slipring made are listed: whether another program lives cannot be told.\n\n"
	"Examples:\n  slipring gc\n  slipring gc camera_01 --yes\n";

static const struct option OPTIONS[] = {
	{"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, 'j'}, {"yes", no_argument, NULL, 'y'}, {NULL, 0, NULL, 0}};

/* "removed", "in use", ... */
static const char *dispose(const slip_leftover *leftover, bool yes, bool *failed)
{
	if (!yes)
		return "left over";
	if (slip_gc_remove(leftover) == 0)
		return "removed";
	if (errno == ENOENT)
		return "gone already";
	if (errno == EBUSY)
		return "in use again";
	*failed = true;
	say_library_error("cannot remove");
	return "kept";
}

int cmd_gc(int argc, char **argv)
{
	bool json = false;
	bool yes = false;
	int found;
	while ((found = next_option("gc", argc, argv, OPTIONS)) != -1) {
		if (found == 'h') {
			fputs(HELP, stdout);
			return EXIT_OK;
		}
		if (found != 'j' && found != 'y')
			return EXIT_USAGE;
		json = json || found == 'j';
		yes = yes || found == 'y';
	}
	if (argc - optind > 1)
		return say_usage("gc", "one BASE at most is expected, '%s' is one more", argv[optind + 1]);
	slip_leftover *leftovers;
	size_t count;
	if (slip_gc_list(optind < argc ? argv[optind] : NULL, &leftovers, &count) != 0)
		return say_library_error("cannot look for leftovers");
	bool failed = false;
	uint64_t bytes = 0;
	for (size_t i = 0; i < count; i++) {
		char size[16];
		const slip_leftover *l = &leftovers[i];
		const char *what = dispose(l, yes, &failed);
		bytes += l->bytes;
		if (json) {
			printf("%s\n  {\"object\":", i > 0 ? "," : "[");
			json_string(stdout, l->object);
			printf(",\"bytes\":%" PRIu64 ",\"reason\":", l->bytes);
			json_string(stdout, l->reason);
			printf(",\"outcome\":\"%s\"}", what);
		} else {
			printf("%-10s %9s  %s%s%s  %s\n", what, human_size(l->bytes, size), bold(stdout), l->object, plain(stdout),
			       l->reason);
		}
	}
	if (json)
		printf("%s\n]\n", count == 0 ? "[" : "");
	else if (count == 0)
		printf("Nothing is left over.\n");
	else if (!yes) {
		char size[16];
		printf("%zu objects, %s. Remove them with: slipring gc%s%s --yes\n", count, human_size(bytes, size),
		       optind < argc ? " " : "", optind < argc ? argv[optind] : "");
	}
	free(leftovers);
	return failed ? EXIT_FAILED : EXIT_OK;
}
