/* SPDX-License-Identifier: Apache-2.0 */
/* Publishes a picture thirty times a second: writer BASE FRAMES. The library copies it into shared memory. */
#include <slipring/slipring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int main(int argc, char **argv)
{
	const char *base = argc > 1 ? argv[1] : "camera_01";
	int frames = argc > 2 ? atoi(argv[2]) : 300;
	static unsigned char pixels[480][640][3];
	slip_writer *writer = slip_writer_open(base, NULL);
	if (writer == NULL) {
		fprintf(stderr, "cannot open a writer: %s\n", slip_error_detail());
		return 1;
	}
	slip_array image = SLIP_ARRAY_INIT;
	image.data = pixels;
	image.dtype = SLIP_U8;
	image.ndim = 3;
	image.shape[0] = 480;
	image.shape[1] = 640;
	image.shape[2] = 3;
	image.encoding = "rgb8";
	for (int i = 0; i < frames; i++) {
		memset(pixels, i % 256, sizeof(pixels));
		if (slip_set_image(writer, &image) != 0) {
			fprintf(stderr, "cannot publish: %s\n", slip_error_detail());
			slip_writer_close(writer);
			return 1;
		}
		nanosleep(&(struct timespec){.tv_nsec = 33333333}, NULL);
	}
	slip_writer_close(writer);
	return 0;
}
