#include <slipring/slipring.h>
#include <stdio.h>

int main(void)
{
	static unsigned char pixels[480 * 640 * 3];
	slip_writer *writer = slip_writer_open("install-test", NULL);
	slip_array image = SLIP_ARRAY_INIT;
	image.data = pixels;
	image.dtype = SLIP_U8;
	image.ndim = 3;
	image.shape[0] = 480;
	image.shape[1] = 640;
	image.shape[2] = 3;
	slip_reader *reader = slip_reader_open("install-test", NULL);
	slip_frame *frame = slip_set_image(writer, &image) == 0 ? slip_get_image(reader) : NULL;
	if (frame == NULL) {
		fprintf(stderr, "%s\n", slip_error_detail());
		return 1;
	}
	printf("slipring %s: seq %llu, %zu bytes\n", slip_version(), (unsigned long long)frame->seq, frame->size);
	slip_release(frame);
	slip_reader_close(reader);
	slip_writer_close(writer);
	return 0;
}
