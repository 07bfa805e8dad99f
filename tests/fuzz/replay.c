/* replay.c - runs a fuzz target over the files of its corpus: what libFuzzer found once stays a test of every build. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

int main(int argc, char **argv)
{
	CHECK(argc == 2);
	DIR *corpus = opendir(argv[1]);
	CHECK(corpus != NULL);
	size_t inputs = 0;
	for (struct dirent *e; (e = readdir(corpus)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		static uint8_t bytes[1 << 20];
		int fd = openat(dirfd(corpus), e->d_name, O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		ssize_t size = read(fd, bytes, sizeof(bytes));
		CHECK(size >= 0);
		close(fd);
		/* A copy of just its size, so that reading past it is seen. */
		uint8_t *input = malloc((size_t)size + (size == 0));
		CHECK(input != NULL);
		memcpy(input, bytes, (size_t)size);
		(void)LLVMFuzzerTestOneInput(input, (size_t)size);
		free(input);
		inputs++;
	}
	closedir(corpus);
	CHECK(inputs > 0);
	printf("%zu inputs replayed\n", inputs);
	return 0;
}
