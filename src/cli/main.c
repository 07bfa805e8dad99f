/* main.c - the slipring command: finds the command asked for. SPDX-License-Identifier: Apache-2.0 */
#include "options.h"
#include "text.h"

#include <string.h>

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} COMMANDS[] = {
	{"pub", cmd_pub, "publish a video, images, arrays or a test pattern"},
	{"sub", cmd_sub, "receive frames: verify, measure, write them out"},
	{"ls", cmd_ls, "list channels"},
	{"info", cmd_info, "show one channel: geometry, who holds what, counters"},
	{"gc", cmd_gc, "list, and with --yes remove, what dead processes left"},
	{"doctor", cmd_doctor, "look whether machine and channels are well, and say what to do"},
	{"bench", cmd_bench, "measure latency, fan-out, throughput and attaching, beside the machine's limits"},
	{"torture", cmd_torture, "kill, stop and starve writers and readers and check every byte: a proof on this machine"},
};

static void help(FILE *to)
{
	fprintf(to, "%sslipring%s - frames between processes of one machine, through shared memory\n\nUsage: slipring COMMAND ...\n\n",
		bold(to), plain(to));
	for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
		fprintf(to, "  %s%-8s%s %s\n", bold(to), COMMANDS[i].name, plain(to), COMMANDS[i].summary);
	fprintf(to, "\nTry it, in two terminals:\n"
		    "  slipring pub camera_01 --pattern counter --size 1280x720 --fps 60\n"
		    "  slipring sub camera_01 --verify --stats\n\n"
		    "With ffmpeg:\n"
		    "  ffmpeg -re -i clip.mp4 -f yuv4mpegpipe -strict -1 - | slipring pub camera_01\n"
		    "  slipring sub camera_01 -o - | ffplay -\n\n"
		    "Each command has its own --help and man page (man slipring-pub). Exit status: 0 good, 1 failed, 2 wrong usage.\n"
		    "SLIPRING_DIR names another directory than /dev/shm.\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	if (strcmp(name, "--version") == 0) {
		printf("slipring %s (layout %u)\n", slip_version(), slip_layout_version());
		return EXIT_OK;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		help(stdout);
		return EXIT_OK;
	}
	for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
		if (strcmp(name, COMMANDS[i].name) == 0)
			return COMMANDS[i].run(argc - 1, argv + 1);
	if (name[0] == '\0') {
		help(stderr);
		return EXIT_USAGE;
	}
	return say_usage("", "there is no command '%s'; pub, sub, ls, info, gc, doctor, bench and torture exist", name);
}
