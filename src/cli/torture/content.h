/*
 * content.h - what frames hold: a number over every byte, and a description that follows from the number, so that parts of two frames never look
 * whole. The number says of which stream, by which incarnation of its writer and with which seq.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CLI_TORTURE_CONTENT_H
#define SLIP_CLI_TORTURE_CONTENT_H

#include <slipring/slipring.h>
#include <stdbool.h>
#include <stdint.h>

enum { CONTENT_BLOCK = 512 }; /* frames are planned in so many bytes */

struct content {
	slip_array array;
	char frame_id[SLIP_FRAME_ID_MAX];
	uint64_t metadata[SLIP_METADATA_MAX / 8];
};

/* incarnation below 2^24, seq below 2^36 */
uint64_t content_number(int stream, uint32_t incarnation, uint64_t seq);
int content_stream(uint64_t number);
uint32_t content_incarnation(uint64_t number);
uint64_t content_seq(uint64_t number);

/* An array without data for a frame of about so many bytes; pitched: its rows may be apart. The array points into content. */
void content_describe(uint64_t number, size_t bytes, bool pitched, struct content *content);
/* The same for semaphore mode: as plain as that, and equal for all frames of an incarnation and a size. */
void content_describe_plain(uint64_t number, size_t bytes, struct content *content);

void content_fill(void *data, size_t size, uint64_t number);

/* The number that bytes were filled with. false: they are of several. */
bool content_read(const void *data, size_t size, uint64_t *number);

/* What of a frame's description does not follow from its number; NULL: all does. */
const char *content_differs(const slip_frame *frame, uint64_t number, bool plain);

#endif
