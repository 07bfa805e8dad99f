/*
 * wish.h - what failing.c and lying.c share: which call is to fail. A wish is NAME:N in the environment, in each process the N-th call of that name; where it
 * ends in '+', each from there on. The file FAILING_NOTE is made when one does. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_CLI_WISH_H
#define TESTS_CLI_WISH_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	char name[32];
	atomic_long first; /* 0: none */
	bool from_there;
	atomic_long calls;
} wish;

int __real_open(const char *path, int flags, ...);

static void wish_read(const char *text)
{
	const char *colon = text != NULL ? strchr(text, ':') : NULL;
	if (colon == NULL)
		return;
	(void)snprintf(wish.name, sizeof(wish.name), "%.*s", (int)(colon - text), text);
	wish.first = atol(colon + 1);
	wish.from_there = colon[strlen(colon) - 1] == '+';
}

/* This call is one that was wished for; errno is set. */
static bool wished(const char *what, int err)
{
	if (wish.first == 0 || strcmp(what, wish.name) != 0)
		return false;
	const long call = atomic_fetch_add(&wish.calls, 1) + 1;
	if (call != wish.first && (call < wish.first || !wish.from_there))
		return false;
	const char *note = getenv("FAILING_NOTE");
	if (note != NULL)
		(void)close(__real_open(note, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	errno = err;
	return true;
}

/* FAILS(type, name, what it gives, errno, parameters, arguments) */
#define FAILS(type, call, result, err, parameters, arguments)                                                                              \
	type __real_##call parameters;                                                                                                     \
	type __wrap_##call parameters;                                                                                                     \
	type __wrap_##call parameters                                                                                                      \
	{                                                                                                                                  \
		return wished(#call, err) ? (result) : __real_##call arguments;                                                            \
	}

#endif
