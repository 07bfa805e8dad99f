/* SPDX-License-Identifier: Apache-2.0 */
/* Reads every picture of a camera until its writer closes it: reader BASE. Starts before or after the writer. */
#include <errno.h>
#include <slipring/slipring.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	const char *base = argc > 1 ? argv[1] : "camera_01";
	slip_reader *reader = slip_reader_open(base, NULL);
	if (reader == NULL || slip_wait_for_array(reader, "image", INT64_C(10000000000)) != 0) {
		fprintf(stderr, "no picture within ten seconds: %s\n", slip_error_detail());
		slip_reader_close(reader);
		return 1;
	}
	unsigned long long frames = 0;
	unsigned long long missed = 0;
	slip_frame *frame;
	while ((frame = slip_next(reader, "image", SLIP_FOREVER)) != NULL) {
		/* The pixels are in shared memory, read-only, and stay as they are until slip_release. */
		const unsigned char *pixels = frame->data;
		if (frames++ % 10 == 0)
			printf("seq %llu: %lld x %lld %s, first byte %u\n", (unsigned long long)frame->seq, (long long)frame->shape[1],
			       (long long)frame->shape[0], frame->encoding, pixels[0]);
		missed += frame->missed;
		slip_release(frame);
	}
	int good = errno == EPIPE; /* the writer closed the channel */
	printf("%llu frames, %llu missed: %s\n", frames, missed, slip_error_detail());
	slip_reader_close(reader);
	return good ? 0 : 1;
}
