/*
 * ls, info and gc over a directory whose files have any names and bytes. What they print for people has no control characters: no frame may speak to a
 * terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/options.h"
#include "fuzz.h"

static void run(int (*command)(int argc, char **argv), char *name, char *a, char *b)
{
	char *argv[] = {name, a, b, NULL};
	int argc = 1 + (a != NULL) + (b != NULL);
	char *text = NULL;
	size_t size = 0;
	FILE *kept = stdout;
	stdout = open_memstream(&text, &size);
	CHECK(stdout != NULL);
	optind = 0;
	(void)command(argc, argv);
	CHECK(fclose(stdout) == 0);
	stdout = kept;
	for (size_t i = 0; i < size; i++)
		CHECK((unsigned char)text[i] >= ' ' || text[i] == '\n');
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.at = data, .left = size};
	fuzz_begin();
	fuzz_put(&s);
	/* A file of the input's own, named like ours, nearly so, or not at all. */
	static const char *const PATTERNS[] = {"slipring@fuzz@%s@control",
					       "slipring@fuzz@a@new.%s",
					       "slipring@%s@a@payload.0011223344556677",
					       "fuzz_%s_shm",
					       "sem.fuzz_%s_sem",
					       "%s"};
	char part[24] = {0};
	size_t length = take(&s, 1) % (sizeof(part) - 1);
	for (size_t i = 0; i < length; i++) {
		char c = (char)take(&s, 1);
		part[i] = c == '\0' || c == '/' ? 'x' : c;
	}
	char name[128];
	(void)snprintf(name, sizeof(name), PATTERNS[take(&s, 1) % 6], part);
	if (name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
		char path[256];
		(void)snprintf(path, sizeof(path), "%s/%s", fuzz_directory, name);
		int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (fd >= 0) {
			CHECK(write(fd, s.at, s.left) == (ssize_t)s.left);
			close(fd);
		}
	}
	run(cmd_ls, "ls", NULL, NULL);
	run(cmd_ls, "ls", "--json", NULL);
	run(cmd_info, "info", "fuzz/a", NULL);
	run(cmd_info, "info", "--json", "fuzz/a");
	run(cmd_gc, "gc", "--dry-run", NULL);
	slip_channel_name *names;
	size_t count;
	if (slip_list_channels(NULL, &names, &count) == 0) {
		for (size_t i = 0; i < count; i++)
			slip_channel_info_free(slip_channel_inspect(names[i].base, names[i].channel, names[i].mode));
		free(names);
	}
	slip_leftover *leftovers;
	if (slip_gc_list(NULL, &leftovers, &count) == 0) {
		for (size_t i = 0; i < count; i++)
			(void)slip_gc_remove(&leftovers[i]);
		free(leftovers);
	}
	fuzz_end();
	return 0;
}
