/*
 * metadata.h - what slipring pub puts into a frame's user metadata, as text that anybody can read:
 *   xxh3=0123456789abcdef fps=60/1 size=1920x1080 y4m=420jpeg aspect=1:1 interlace=p extra=YSCSS=420JPEG|COLORRANGE=LIMITED
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CLI_METADATA_H
#define SLIP_CLI_METADATA_H

#include <slipring/slipring.h>
#include <stdbool.h>
#include <stdint.h>

/* How a stream is to be shown; what a YUV4MPEG2 header says. Zero or "" where unknown. */
struct video {
	uint32_t rate;	/* frames ... */
	uint32_t scale; /* ... in so many seconds */
	int64_t width;
	int64_t height;
	char colour[16]; /* the C tag's value */
	char aspect[16];
	char interlace; /* the I tag's value, or 0 */
	char extra[96]; /* the X tags' values, joined by '|' */
};

/* Sets a loan's metadata: its checksum and video. false with the library's error. */
bool metadata_write(slip_frame *loan, const struct video *video);

/* Reads it back. What is not there stays zero. *checksum is only set where true is returned. */
void metadata_video(const slip_frame *frame, struct video *video);
bool metadata_checksum(const slip_frame *frame, uint64_t *checksum);

/* XXH3, 64 bits, of the frame's bytes. */
uint64_t frame_checksum(const slip_frame *frame);

#endif
