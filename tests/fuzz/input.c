/* What `slipring pub` reads: Y4M, PNM, npy, raw bytes; and the metadata that it writes into frames. SPDX-License-Identifier: Apache-2.0 */
#include "cli/input.h"
#include "cli/metadata.h"
#include "fuzz.h"

enum { MOST = 1 << 20 };

/* As pub puts it into a loan's metadata, which has room for it, and sub reads it back. */
static void round_trip(const struct video *video)
{
	slip_writer *writer = slip_writer_open("fuzz", NULL);
	slip_array a = fuzz_array(FUZZ_WORDS);
	slip_frame *loan = slip_loan(writer, "a", &a);
	CHECK(loan != NULL && metadata_write(loan, video));
	struct video back;
	metadata_video(loan, &back);
	CHECK(back.width == video->width && back.height == video->height);
	slip_writer_close(writer);
}

static bool read_frame(struct input *input)
{
	if (input->format->next(input) != MORE_FRAME || input->bytes > MOST)
		return false;
	unsigned char *frame = malloc(input->bytes + (input->bytes == 0));
	CHECK(frame != NULL);
	bool good = input->format->read(input, frame);
	free(frame);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.at = data, .left = size};
	fuzz_begin();
	uint64_t how = take(&s, 1);
	slip_array raw = SLIP_ARRAY_INIT;
	raw.dtype = SLIP_U16;
	raw.ndim = 2;
	raw.shape[0] = (int64_t)(how >> 4);
	raw.shape[1] = 3;
	fuzz_file("input", s.at, s.left, NULL);
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/input", fuzz_directory);
	struct input input;
	FILE *kept = fuzz_hush();
	bool good = input_open(&input, path, how & 1 ? &raw : NULL, how & 2 ? "mono16" : NULL, how & 4);
	for (int frames = 0; good && frames < 6; frames++) {
		(void)fuzz_hush();
		good = read_frame(&input) && (frames != 3 || input_rewind(&input));
		stderr = kept;
		if (good)
			round_trip(&input.video);
		input.frame++;
	}
	stderr = kept;
	input_close(&input);
	/* The same bytes as a frame's metadata. */
	slip_frame f = {.metadata = s.at, .metadata_size = s.left > SLIP_METADATA_MAX ? SLIP_METADATA_MAX : s.left};
	struct video video;
	uint64_t checksum;
	metadata_video(&f, &video);
	(void)metadata_checksum(&f, &checksum);
	CHECK(memchr(video.colour, 0, sizeof(video.colour)) != NULL && memchr(video.extra, 0, sizeof(video.extra)) != NULL);
	fuzz_end();
	return 0;
}
