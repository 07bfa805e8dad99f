/* replay.c - runs a fuzz target over the files of its corpus: what libFuzzer found once stays a test of every build. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

/* A copy of just the file's size, so that reading past it is seen. */
static uint8_t *load(int fd, size_t *size)
{
	struct stat status;
	CHECK(fstat(fd, &status) == 0 && status.st_size >= 0);
	*size = (size_t)status.st_size;
	uint8_t *input = malloc(*size + (*size == 0));
	CHECK(input != NULL && read(fd, input, *size) == (ssize_t)*size);
	return input;
}

int main(int argc, char **argv)
{
	CHECK(argc == 2);
	DIR *corpus = opendir(argv[1]);
	CHECK(corpus != NULL);
	size_t inputs = 0;
	size_t bytes = 0;
	for (struct dirent *e; (e = readdir(corpus)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		int fd = openat(dirfd(corpus), e->d_name, O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		size_t size;
		uint8_t *input = load(fd, &size);
		close(fd);
		(void)LLVMFuzzerTestOneInput(input, size);
		free(input);
		inputs++;
		bytes += size;
	}
	closedir(corpus);
	CHECK(inputs > 0);
	printf("%zu inputs of %zu bytes replayed\n", inputs, bytes);
	return 0;
}
