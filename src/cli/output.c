/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include "input.h"
#include "options.h"
#include "text.h"

#include <errno.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool parse_format(const char *text, enum format *format)
{
	static const char *const NAMES[] = {"auto", "y4m", "pnm", "npy", "raw"};
	for (int i = 0; i < 5; i++)
		if (strcmp(text, NAMES[i]) == 0) {
			*format = (enum format)i;
			return true;
		}
	say_usage("sub", "--format is '%s'; expected y4m, pnm, npy or raw", text);
	return false;
}

static bool ends_with(const char *path, const char *ending)
{
	size_t length = strlen(path);
	return length >= strlen(ending) && strcmp(path + length - strlen(ending), ending) == 0;
}

bool output_open(struct output *o, const char *path, enum format format)
{
	memset(o, 0, sizeof(*o));
	o->format = format;
	if (format == FORMAT_AUTO && ends_with(path, ".y4m"))
		o->format = FORMAT_Y4M;
	if (format == FORMAT_AUTO && (ends_with(path, ".pnm") || ends_with(path, ".ppm") || ends_with(path, ".pgm")))
		o->format = FORMAT_PNM;
	if (format == FORMAT_AUTO && ends_with(path, ".npy"))
		o->format = FORMAT_NPY;
	if (format == FORMAT_AUTO && ends_with(path, ".raw"))
		o->format = FORMAT_RAW;
	bool standard = strcmp(path, "-") == 0;
	o->name = standard ? "standard output" : path;
	o->file = standard ? stdout : fopen(path, "wb");
	if (o->file == NULL)
		return say_error("cannot write %s: %s", path, strerror(errno)) == 0;
	return true;
}

static enum wrote failed(const struct output *o)
{
	const int err = errno;
	__fpurge(o->file); /* closing it would wait once more for a pipe that nobody reads */
	if (err == EPIPE || (err == EINTR && stopped()))
		return WROTE_CLOSED;
	say_error("cannot write to %s: %s", o->name, strerror(err));
	return WROTE_FAILED;
}

static bool is_video(const slip_frame *frame, const struct video *video)
{
	return video->width > 0 && video->colour[0] != '\0' && frame->ndim == 2;
}

static bool is_image(const slip_frame *frame)
{
	bool depth = frame->dtype.code == SLIP_UINT && (frame->dtype.bits == 8 || frame->dtype.bits == 16) && frame->dtype.lanes == 1;
	return depth && frame->size > 0 && (frame->ndim == 2 || (frame->ndim == 3 && (frame->shape[2] == 1 || frame->shape[2] == 3)));
}

static bool is_little_endian(void)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
}

/* The frame's elements, C-contiguous, in memory of ours that may be changed. */
static unsigned char *own_copy(struct output *o, const slip_frame *frame, size_t *bytes)
{
	if (o->scratch_bytes < frame->size) {
		free(o->scratch);
		o->scratch = malloc(frame->size);
		o->scratch_bytes = o->scratch != NULL ? frame->size : 0;
	}
	int64_t copied = o->scratch != NULL ? slip_copy(frame, o->scratch, o->scratch_bytes) : -1;
	if (copied < 0 && frame->size > 0)
		return NULL;
	*bytes = copied > 0 ? (size_t)copied : 0;
	return o->scratch;
}

static bool same_video(const struct video *a, const struct video *b)
{
	return a->width == b->width && a->height == b->height && strcmp(a->colour, b->colour) == 0;
}

static bool write_y4m_header(struct output *o, const slip_frame *frame)
{
	struct video video;
	metadata_video(frame, &video);
	if (!is_video(frame, &video)) {
		say_error("this frame (%s) is no Y4M video that slipring pub published; use --format pnm or npy", frame->encoding);
		errno = 0;
		return false;
	}
	if (o->started && same_video(&o->video, &video))
		return true;
	if (o->started)
		say_error("the video changed to %lldx%lld %s; a new header follows in the stream", (long long)video.width,
			  (long long)video.height, video.colour);
	o->video = video;
	fprintf(o->file, "YUV4MPEG2 W%lld H%lld F%u:%u", (long long)video.width, (long long)video.height, video.rate != 0 ? video.rate : 30,
		video.rate != 0 ? video.scale : 1);
	if (video.interlace != 0)
		fprintf(o->file, " I%c", video.interlace);
	if (video.aspect[0] != '\0')
		fprintf(o->file, " A%s", video.aspect);
	fprintf(o->file, " C%s", video.colour);
	char *save;
	for (char *tag = strtok_r(video.extra, "|", &save); tag != NULL; tag = strtok_r(NULL, "|", &save))
		fprintf(o->file, " X%s", tag);
	fputc('\n', o->file);
	return true;
}

static bool write_pnm_header(const struct output *o, const slip_frame *frame)
{
	if (!is_image(frame)) {
		say_error("a frame of %d dimensions and encoding '%s' is no PNM image; use --format npy", frame->ndim, frame->encoding);
		errno = 0;
		return false;
	}
	bool colour = frame->ndim == 3 && frame->shape[2] == 3;
	fprintf(o->file, "P%c\n%lld %lld\n%d\n", colour ? '6' : '5', (long long)frame->shape[1], (long long)frame->shape[0],
		frame->dtype.bits == 16 ? 65535 : 255);
	return true;
}

/* numpy's letter for a type, or 0 where it has none. */
static char npy_kind(slip_dtype dtype)
{
	static const struct {
		uint8_t code;
		char kind;
	} KINDS[] = {{SLIP_UINT, 'u'}, {SLIP_INT, 'i'}, {SLIP_FLOAT, 'f'}, {SLIP_COMPLEX, 'c'}, {SLIP_BOOL, 'b'}};
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
		if (KINDS[i].code == dtype.code && dtype.lanes == 1)
			return KINDS[i].kind;
	return 0;
}

static bool write_npy_header(const struct output *o, const slip_frame *frame)
{
	char kind = npy_kind(frame->dtype);
	if (kind == 0) {
		say_error("numpy files have no name for this frame's dtype; use --format raw");
		errno = 0;
		return false;
	}
	char header[256];
	int at = snprintf(header, sizeof(header), "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (",
			  frame->dtype.bits == 8 ? '|'
			  : is_little_endian()	 ? '<'
						 : '>',
			  kind, frame->dtype.bits / 8);
	for (int32_t i = 0; i < frame->ndim; i++)
		at += snprintf(header + at, sizeof(header) - (size_t)at, "%lld,%s", (long long)frame->shape[i],
			       i + 1 < frame->ndim ? " " : "");
	at += snprintf(header + at, sizeof(header) - (size_t)at, "), }");
	/* Magic, version and length take 10 bytes; the whole is a multiple of 64, ended by a newline. */
	int padded = (10 + at + 1 + 63) / 64 * 64 - 10;
	fprintf(o->file, "\x93NUMPY%c%c%c%c%s%*s\n", 1, 0, padded & 0xff, padded >> 8, header, padded - 1 - at, "");
	return true;
}

static bool write_header(struct output *o, const slip_frame *frame)
{
	if (o->format == FORMAT_Y4M)
		return write_y4m_header(o, frame) && fputs("FRAME\n", o->file) >= 0;
	if (o->format == FORMAT_PNM)
		return write_pnm_header(o, frame);
	return o->format == FORMAT_RAW || write_npy_header(o, frame);
}

/* stdio would go on with what is left when a signal ends a write in the middle: to a pipe that nobody reads, for ever. */
static bool write_all(int file, const unsigned char *data, size_t bytes)
{
	while (bytes > 0) {
		const ssize_t written = write(file, data, bytes);
		if (written < 0)
			return false;
		data += written;
		bytes -= (size_t)written;
		if (bytes > 0 && stopped()) {
			errno = EINTR;
			return false;
		}
	}
	return true;
}

enum wrote output_write(struct output *o, const slip_frame *frame)
{
	struct video video;
	if (o->format == FORMAT_AUTO) {
		metadata_video(frame, &video);
		o->format = is_video(frame, &video) ? FORMAT_Y4M : is_image(frame) ? FORMAT_PNM : FORMAT_NPY;
	}
	size_t bytes = 0;
	unsigned char *data = own_copy(o, frame, &bytes);
	if (data == NULL && frame->size > 0) {
		say_error("no memory for a frame of %zu bytes", frame->size);
		return WROTE_FAILED;
	}
	errno = 0;
	if (!write_header(o, frame))
		return errno != 0 ? failed(o) : WROTE_FAILED;
	/* PNM has the big byte first, Y4M the little one. */
	bool wide = frame->dtype.bits == 16 && o->format != FORMAT_NPY && o->format != FORMAT_RAW;
	if (wide && (o->format == FORMAT_PNM) == is_little_endian())
		swap_samples(data, bytes, 2);
	if (fflush(o->file) != 0 || !write_all(fileno(o->file), data, bytes))
		return failed(o);
	o->started = true;
	return WROTE;
}

bool output_close(struct output *o)
{
	free(o->scratch);
	/* Each frame was flushed; what a file system says at the end is its alone. */
	const bool done = o->file == stdout || fclose(o->file) == 0;
	if (!done)
		say_error("cannot write to %s: %s", o->name, strerror(errno));
	o->file = NULL;
	return done;
}
