/* SPDX-License-Identifier: Apache-2.0 */
#include "torture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* splitmix64 */
uint64_t draw(uint64_t *random)
{
	uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t below(uint64_t *random, uint64_t bound)
{
	return draw(random) % bound;
}

bool chance(uint64_t *random, uint64_t one_in)
{
	return below(random, one_in) == 0;
}

void pause_ns(int64_t ns)
{
	struct timespec t = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
	(void)nanosleep(&t, NULL);
}

void count(const struct life *life, enum count what, uint64_t n)
{
	atomic_fetch_add_explicit(&life->board->places[life->place].counts[what], n, memory_order_relaxed);
}

void get_on(const struct life *life)
{
	atomic_fetch_add_explicit(&life->board->places[life->place].progress, 1, memory_order_relaxed);
}

enum phase phase_of(const struct life *life)
{
	return (enum phase)atomic_load_explicit(&life->board->phase, memory_order_relaxed);
}

const struct stream *stream_of(const struct life *life)
{
	return &life->plan->streams[life->stream];
}

struct stream_board *stream_board_of(const struct life *life)
{
	return &life->board->streams[life->stream];
}

static void note(const struct life *life, enum failure how, uint64_t epoch, uint64_t seq, const char *text)
{
	struct board *b = life->board;
	uint32_t none = 0;
	atomic_fetch_add_explicit(&b->failures[how], 1, memory_order_relaxed);
	if (!atomic_compare_exchange_strong(&b->failed, &none, 1))
		return;
	b->failed_how = how;
	b->failed_stream = life->stream;
	b->failed_pid = (uint32_t)getpid();
	b->failed_incarnation = life->incarnation;
	b->failed_epoch = epoch;
	b->failed_seq = seq;
	(void)snprintf(b->failed_role, sizeof(b->failed_role), "%s", life->role);
	(void)snprintf(b->failed_text, sizeof(b->failed_text), "%s", text);
	atomic_store_explicit(&b->failed, 2, memory_order_release);
}

void fail(const struct life *life, enum failure how, uint64_t epoch, uint64_t seq, const char *format, ...)
{
	char text[320];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	note(life, how, epoch, seq, text);
}

void fail_call(const struct life *life, const char *call)
{
	int err = errno;
	fail(life, FAILED_WRONG, 0, 0, "%s failed, which it may not here: %s (errno %d); %s", call, strerror(err), err,
	     slip_error_detail());
}
