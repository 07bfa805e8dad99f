/* output.h - writing received frames as YUV4MPEG2, PNM, .npy or raw bytes. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_CLI_OUTPUT_H
#define SLIP_CLI_OUTPUT_H

#include "metadata.h"

#include <slipring/slipring.h>
#include <stdbool.h>
#include <stdio.h>

enum format { FORMAT_AUTO, FORMAT_Y4M, FORMAT_PNM, FORMAT_NPY, FORMAT_RAW };

struct output {
	FILE *file;
	const char *name;
	enum format format; /* AUTO until the first frame where the name does not tell */
	bool started;
	struct video video; /* of the Y4M header that was written */
	unsigned char *scratch;
	size_t scratch_bytes;
};

enum wrote { WROTE, WROTE_CLOSED /* the reader of a pipe went away: no error */, WROTE_FAILED /* said so already */ };

/* "y4m", "pnm", "npy", "raw"; false after a message. */
bool parse_format(const char *text, enum format *format);

/* path "-" is stdout. The format is taken from the path's ending where it is AUTO. false after a message. */
bool output_open(struct output *output, const char *path, enum format format);
enum wrote output_write(struct output *output, const slip_frame *frame);
/* false after a message where the last bytes could not be written. */
bool output_close(struct output *output);

#endif
