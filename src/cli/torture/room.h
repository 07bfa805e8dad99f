/*
 * room.h - what the kernel may lend: a small tmpfs of our own to fill up, and clocks that are shifted for some children. Both are private to this
 * process and its children; nothing of the machine is changed.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CLI_TORTURE_ROOM_H
#define SLIP_CLI_TORTURE_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct room {
	char path[64]; /* "": there is none */
	int ballast;   /* a file without a name in it */
	bool full;
	char why_not[160];
};

struct clocks {
	int plain; /* a time namespace with our own clocks; -1: none */
	char why_not[160];
};

/* Before anything else, and with one thread. What cannot be had is said in why_not. */
void private_namespaces(void);
void room_make(struct room *room, size_t bytes);
void room_remove(struct room *room);
bool room_fill(struct room *room, size_t leave);
void room_empty(struct room *room);

void clocks_make(struct clocks *clocks);
/* The children that are forked between the two have CLOCK_MONOTONIC off by so many seconds. false: not this time. */
bool clocks_shift(const struct clocks *clocks, int64_t seconds);
void clocks_shift_back(const struct clocks *clocks);

#endif
