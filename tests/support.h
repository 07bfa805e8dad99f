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

/* Of random tests: what SLIPRING_SEED says, or one that is chosen, printed, and put there for children. Its delays take it too (interleave.h). */
static inline uint64_t test_seed(void)
{
	const char *given = getenv("SLIPRING_SEED");
	if (given != NULL)
		return strtoull(given, NULL, 0);
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	uint64_t seed = ((uint64_t)t.tv_nsec ^ (uint64_t)getpid() << 20) % 1000000000;
	char text[32];
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
	(void)setenv("SLIPRING_SEED", text, 0);
	fprintf(stderr, "SLIPRING_SEED=%s\n", text);
	return seed;
}

#ifdef SLIP_DELAYS
enum { DELAYED = 1 };
__attribute__((constructor)) static inline void seed_delays(void)
{
	(void)test_seed();
}
#else
enum { DELAYED = 0 };
#endif

/* Sanitizers make everything five to twenty times slower, and random delays around each atomic operation some of it: fewer rounds there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = DELAYED };
#endif
#else
enum { SANITIZED = DELAYED };
#endif

static inline void pause_ms(int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	(void)nanosleep(&t, NULL);
}

#endif
