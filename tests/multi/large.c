/* A frame of 1 GiB passes, and one of a byte after it. */
#include "processes.h"

int main(void)
{
	const int64_t size = SANITIZED ? INT64_C(64) << 20 : INT64_C(1) << 30;
	const char *base = own_base("large");
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = 2;
	slip_writer *writer = slip_writer_open(base, &options);
	slip_array a = bytes_array(NULL, size);
	slip_frame *loan = slip_loan(writer, "a", &a);
	if (loan == NULL && errno == ENOSPC) {
		printf("skipped: no room for 2 GiB of shared memory\n");
		return SKIPPED;
	}
	CHECK(loan != NULL);
	for (int64_t at = 0; at < size; at += 1 << 20)
		((unsigned char *)loan->data)[at] = (unsigned char)(at >> 20);
	((unsigned char *)loan->data)[size - 1] = 99;
	CHECK(slip_publish(loan) == 0);
	slip_reader *reader = slip_reader_open(base, NULL);
	slip_frame *f = slip_get_array(reader, "a");
	CHECK(f != NULL && f->size == (size_t)size);
	for (int64_t at = 0; at < size; at += 1 << 20)
		CHECK(((unsigned char *)f->data)[at] == (unsigned char)(at >> 20));
	CHECK(((unsigned char *)f->data)[size - 1] == 99);
	CHECK(slip_release(f) == 0);
	a = bytes_array("x", 1);
	CHECK(slip_set_array(writer, "a", &a) == 0);
	f = slip_get_array(reader, "a");
	CHECK(f != NULL && f->size == 1 && *(char *)f->data == 'x');
	CHECK(slip_release(f) == 0);
	slip_reader_close(reader);
	slip_writer_close(writer);
	CHECK(objects_with(base) == 0);
	printf("%lld bytes in one frame\n", (long long)size);
	return 0;
}
