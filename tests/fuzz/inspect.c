/*
 * ls, info, gc and doctor over a directory whose files have any names and bytes. What they print for people has no control characters: no frame and no
 * file's name may speak to a terminal. What they print for programs is ASCII.
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
	FILE *kept[2] = {stdout, stderr};
	stdout = stderr = open_memstream(&text, &size);
	CHECK(stdout != NULL);
	optind = 0;
	(void)command(argc, argv);
	CHECK(fclose(stdout) == 0);
	stdout = kept[0];
	stderr = kept[1];
	for (size_t i = 0; i < size; i++)
		CHECK(((unsigned char)text[i] >= ' ' && text[i] != 0x7f) || text[i] == '\n');
	free(text);
}

/* A file of the input's own, named like ours, nearly so, or not at all. */
static void put_another(struct script *s)
{
	static const char *const PATTERNS[] = {"slipring@fuzz@%s@control",
					       "slipring@fuzz@a@new.%s",
					       "slipring@%s@a@payload.0011223344556677",
					       "fuzz_%s_shm",
					       "sem.fuzz_%s_sem",
					       "slipring@%s",
					       "%s",
					       "slipring@fuzz@image@%s",
					       "fuzz_image_shm%s"};
	char part[24] = {0};
	char name[128];
	char path[300];
	size_t length = take(s, 1) % (sizeof(part) - 1);
	for (size_t i = 0; i < length; i++) {
		char c = (char)take(s, 1);
		part[i] = c == '\0' || c == '/' ? 'x' : c;
	}
	(void)snprintf(name, sizeof(name), PATTERNS[take(s, 1) % (sizeof(PATTERNS) / sizeof(PATTERNS[0]))], part);
	(void)snprintf(path, sizeof(path), "%s/%s", fuzz_directory, name);
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	uint64_t kind = take(s, 1);
	if (kind % 8 == 1 || kind % 8 == 2) {
		int made = kind % 8 == 1 ? mkfifo(path, 0600) : symlink(part, path);
		CHECK(made == 0 || errno == EEXIST || errno == ENOENT);
		return;
	}
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, kind % 8 == 3 ? 0 : 0600); /* a FIFO of before would not open */
	size_t size = take(s, 1);
	size = size < s->left ? size : s->left;
	CHECK(fd < 0 || write(fd, s->at, size) == (ssize_t)size);
	if (fd >= 0)
		close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.at = data, .left = size};
	fuzz_begin();
	uint64_t how = take(&s, 1);
	fuzz_put(&s);
	for (int files = 0; files < 3 && s.left > 0; files++)
		put_another(&s);
	run(cmd_ls, "ls", NULL, NULL);
	run(cmd_ls, "ls", "--json", NULL);
	run(cmd_info, "info", "fuzz/a", NULL);
	run(cmd_info, "info", "--json", "fuzz/a");
	run(cmd_info, "info", "fuzz", NULL);
	if (how % 16 == 1)
		run(cmd_doctor, "doctor", NULL, NULL);
	run(cmd_gc, "gc", how & 16 ? "--yes" : "--json", NULL);
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
