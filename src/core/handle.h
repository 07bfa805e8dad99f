/*
 * handle.h - what a public handle is made of, and what every public call checks first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CORE_HANDLE_H
#define SLIP_CORE_HANDLE_H

#include "mode.h"

#include <pthread.h>

struct slip_writer {
	uint64_t process;
	char base[SLIP_NAME_MAX];
	slip_writer_options options;
	pthread_mutex_t making; /* of a channel, while several threads use the handle */
	slip__aptr channels;	/* struct slip__writer_channel; grows at its head, shrinks never */
};

struct slip_reader {
	uint64_t process;
	char base[SLIP_NAME_MAX];
	slip_reader_options options;
	struct slip__reader_channel *channels;
};

/* ECHILD where the handle or frame was made before a fork. */
int slip__handle_check(uint64_t process);

/* An option struct with its size first, into one of ours that is zeroed. EINVAL where it is of a newer version. */
int slip__options_copy(const char *what, void *to, size_t to_size, const void *from);

/* The channel of a reader's; attached to nothing at first. NULL with EINVAL, ENAMETOOLONG, ENOMEM, ECHILD. */
struct slip__reader_channel *slip__reader_find(slip_reader *reader, const char *channel);

#endif
