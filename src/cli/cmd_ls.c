/* cmd_ls.c - slipring ls: every channel, a line each. SPDX-License-Identifier: Apache-2.0 */
#include "options.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

static const char HELP[] =
	"Usage: slipring ls [BASE] [--json]\n\n"
	"Lists the channels that exist, or those of one base name. state: live (a writer holds it), dead (its writer died; the\n"
	"next one takes over), closed, unknown (a semaphore channel of another program's, which does not say). readers: attached and\n"
	"alive. A semaphore channel has no numbers, slots or table of readers.\n\n"
	"Examples:\n  slipring ls\n  slipring ls camera_01 --json\n";

static const struct option OPTIONS[] = {{"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};

static unsigned living(const slip_channel_info *info)
{
	unsigned count = 0;
	for (size_t i = 0; i < info->reader_count; i++)
		count += info->readers[i].alive != 0;
	return count;
}

static void print_row(const slip_channel_info *info, const char *name)
{
	char shape[128] = "-";
	char dtype[24] = "-";
	char size[16];
	if (info->ndim >= 0) {
		shape_text(info->ndim, info->shape, shape);
		(void)slip_dtype_name(info->dtype, dtype, sizeof(dtype));
	}
	char seq[24] = "-";
	char slots[16] = "-";
	char readers[16] = "-";
	if (info->name.mode == SLIP_MODE_LOCK_FREE) {
		(void)snprintf(seq, sizeof(seq), "%" PRIu64, info->last_seq);
		(void)snprintf(slots, sizeof(slots), "%u", info->slots);
		(void)snprintf(readers, sizeof(readers), "%u", living(info));
	}
	printf("%-28s %-7s %-9s %12s  %-16s %-10s %-10s %5s %9s %7s\n", name, state_name(info->state), mode_name(info->name.mode), seq,
	       shape, dtype, info->encoding[0] != '\0' ? info->encoding : "-", slots, human_size(info->payload_bytes, size), readers);
}

static void print_json(const slip_channel_info *info, bool first)
{
	printf("%s\n  {\"base\":", first ? "" : ",");
	json_string(stdout, info->name.base);
	printf(",\"channel\":");
	json_string(stdout, info->name.channel);
	printf(",\"mode\":\"%s\",\"state\":\"%s\",\"last_seq\":%" PRIu64 ",\"slots\":%u,\"payload_bytes\":%" PRIu64
	       ",\"readers\":%u,\"encoding\":",
	       mode_name(info->name.mode), state_name(info->state), info->last_seq, info->slots, info->payload_bytes, living(info));
	json_string(stdout, info->encoding);
	if (info->ndim >= 0) {
		char dtype[24];
		(void)slip_dtype_name(info->dtype, dtype, sizeof(dtype));
		printf(",\"dtype\":\"%s\",\"shape\":[", dtype);
		for (int32_t i = 0; i < info->ndim; i++)
			printf("%s%lld", i > 0 ? "," : "", (long long)info->shape[i]);
		printf("]");
	}
	printf("}");
}

int cmd_ls(int argc, char **argv)
{
	bool json = false;
	int found;
	while ((found = next_option("ls", argc, argv, OPTIONS)) != -1) {
		if (found == 'h') {
			fputs(HELP, stdout);
			return EXIT_OK;
		}
		if (found != 'j')
			return EXIT_USAGE;
		json = true;
	}
	if (argc - optind > 1)
		return say_usage("ls", "one BASE at most is expected, '%s' is one more", argv[optind + 1]);
	slip_channel_name *names;
	size_t count;
	if (slip_list_channels(optind < argc ? argv[optind] : NULL, &names, &count) != 0)
		return say_library_error("cannot list channels");
	bool first = true;
	if (json)
		printf("[");
	else if (count > 0)
		printf("%s%-28s %-7s %-9s %12s  %-16s %-10s %-10s %5s %9s %7s%s\n", bold(stdout), "CHANNEL", "STATE", "MODE", "SEQ",
		       "SHAPE", "DTYPE", "ENCODING", "SLOTS", "SIZE", "READERS", plain(stdout));
	for (size_t i = 0; i < count; i++) {
		char name[2 * SLIP_NAME_MAX];
		(void)snprintf(name, sizeof(name), "%s/%s", names[i].base, names[i].channel);
		slip_channel_info *info = slip_channel_inspect(names[i].base, names[i].channel, names[i].mode);
		if (info == NULL && !json)
			printf("%-28s %s%s%s\n", name, faint(stdout), slip_error_detail(), plain(stdout));
		else if (info != NULL && json)
			print_json(info, first);
		else if (info != NULL) {
			(void)printable(info->encoding);
			print_row(info, name);
		}
		first = first && info == NULL;
		slip_channel_info_free(info);
	}
	if (json)
		printf("\n]\n");
	else if (count == 0)
		fprintf(stderr, "No channels. Start one: slipring pub camera_01 --pattern bars\n");
	free(names);
	return EXIT_OK;
}
