/* support.h - what the tests share. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_TESTS_SUPPORT_H
#define SLIP_TESTS_SUPPORT_H

#include <dirent.h>
#include <errno.h>
#include <slipring/slipring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* For plain programs: says what did not hold, with the library's sentence, and ends. */
#define CHECK(condition)                                                                                                                   \
	do {                                                                                                                               \
		if (!(condition)) {                                                                                                        \
			fprintf(stderr, "%s:%d: %s does not hold (errno %d, %s; last detail: %s)\n", __FILE__, __LINE__, #condition,       \
				errno, strerror(errno), slip_error_detail());                                                              \
			exit(1);                                                                                                           \
		}                                                                                                                          \
	} while (0)

/* A base name of this test alone. */
static inline const char *own_base(const char *name)
{
	static _Thread_local char base[64];
	(void)snprintf(base, sizeof(base), "test-%s-%d", name, (int)getpid());
	return base;
}

static inline slip_array bytes_array(const void *data, int64_t size)
{
	slip_array array = SLIP_ARRAY_INIT;
	array.data = data;
	array.dtype = SLIP_U8;
	array.ndim = 1;
	array.shape[0] = size;
	return array;
}

/* Objects in the shared memory directory whose name holds a text. */
static inline int objects_with(const char *text)
{
	const char *path = getenv("SLIPRING_DIR") != NULL ? getenv("SLIPRING_DIR") : "/dev/shm";
	DIR *directory = opendir(path);
	int count = 0;
	for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
		count += strstr(entry->d_name, text) != NULL;
	if (directory != NULL)
		closedir(directory);
	return count;
}

/* A frame's content: its number, mixed over all bytes, so that parts of two frames never look whole. */
static inline void fill_words(uint64_t *words, size_t count, uint64_t number)
{
	for (size_t i = 0; i < count; i++)
		words[i] = number * UINT64_C(0x9e3779b97f4a7c15) + i;
}

/* The number that words were filled with, or 0 where they are of several. */
static inline uint64_t whole_words(const uint64_t *words, size_t count)
{
	/* The factor's inverse modulo 2^64. */
	uint64_t number = words[0] * UINT64_C(0xf1de83e19937733d);
	for (size_t i = 0; i < count; i++)
		if (words[i] != number * UINT64_C(0x9e3779b97f4a7c15) + i)
			return 0;
	return number;
}

static inline void pause_ms(int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	(void)nanosleep(&t, NULL);
}

#endif
