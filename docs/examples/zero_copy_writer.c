/* SPDX-License-Identifier: Apache-2.0 */
/* Renders straight into shared memory, with rows at multiples of 64 bytes: zero_copy_writer BASE FRAMES. */
#include <slipring/slipring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int main(int argc, char **argv)
{
	const char *base = argc > 1 ? argv[1] : "camera_01";
	int frames = argc > 2 ? atoi(argv[2]) : 300;
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.prefault = 1; /* no page fault in the first frames */
	slip_writer *writer = slip_writer_open(base, &options);
	slip_array what = SLIP_ARRAY_INIT;
	what.dtype = SLIP_U16;
	what.ndim = 2;
	what.shape[0] = 480;
	what.shape[1] = 650;
	what.strides[0] = (650 * 2 + 63) / 64 * 64;
	what.strides[1] = 2;
	what.encoding = "mono16";
	for (int i = 0; writer != NULL && i < frames; i++) {
		slip_frame *loan = slip_loan(writer, "image", &what);
		if (loan == NULL)
			break;
		for (int64_t y = 0; y < loan->shape[0]; y++)
			memset((char *)loan->data + y * loan->strides[0], i % 256, (size_t)loan->shape[1] * 2);
		if (slip_publish(loan) != 0)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		if (i == frames - 1) {
			slip_writer_close(writer);
			return 0;
		}
	}
	fprintf(stderr, "cannot publish: %s\n", slip_error_detail());
	slip_writer_close(writer);
	return 1;
}
