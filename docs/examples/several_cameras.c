/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for two cameras at once and takes the newest picture of whichever has one: several_cameras FIRST SECOND FRAMES. */
#include <slipring/slipring.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: several_cameras FIRST SECOND FRAMES\n");
		return 2;
	}
	int wanted = atoi(argv[3]);
	slip_wait_item items[2] = {{.reader = slip_reader_open(argv[1], NULL), .channel = "image"},
				   {.reader = slip_reader_open(argv[2], NULL), .channel = "image"}};
	int got[2] = {0, 0};
	if (items[0].reader == NULL || items[1].reader == NULL) {
		fprintf(stderr, "cannot open a reader: %s\n", slip_error_detail());
		return 1;
	}
	while (got[0] < wanted || got[1] < wanted) {
		if (slip_wait_any(items, 2, INT64_C(10000000000)) < 0) {
			fprintf(stderr, "neither camera: %s\n", slip_error_detail());
			return 1;
		}
		for (int i = 0; i < 2; i++) {
			if (!items[i].ready)
				continue;
			slip_frame *frame = slip_get_image(items[i].reader);
			if (frame == NULL) {
				fprintf(stderr, "cannot read from %s: %s\n", argv[1 + i], slip_error_detail());
				return 1;
			}
			got[i]++;
			slip_release(frame);
		}
	}
	printf("%s: %d pictures, %s: %d pictures\n", argv[1], got[0], argv[2], got[1]);
	slip_reader_close(items[0].reader);
	slip_reader_close(items[1].reader);
	return 0;
}
