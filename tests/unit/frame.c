#include "frame.h"
#include "support.h"

#include <criterion/criterion.h>

static struct slip__slot slot;

static void describe(slip_frame *view)
{
	slip_array given = SLIP_ARRAY_INIT;
	struct slip__array array;
	given.dtype = SLIP_U16;
	given.ndim = 2;
	given.shape[0] = 3;
	given.shape[1] = 4;
	given.strides[0] = 64;
	given.strides[1] = 2;
	given.encoding = "mono16";
	given.frame_id = "left";
	given.metadata = "hello";
	given.metadata_size = 5;
	cr_assert_eq(slip__array_check(&given, SLIP__ARRAY_LOANED, &array), 0);
	slip__frame_describe(&array, &slot, view);
}

Test(frame, what_is_described_reads_back)
{
	slip_frame out;
	slip_frame in;
	memset(&in, 0, sizeof(in));
	describe(&out);
	cr_assert_eq(slip__frame_read(&slot, 4096, &in), 0, "%s", slip_error_detail());
	cr_assert_eq(in.size, 2 * 64 + 8);
	cr_assert_eq(in.ndim, 2);
	cr_assert_eq(in.shape[1], 4);
	cr_assert_eq(in.strides[0], 64);
	cr_assert_str_eq(in.encoding, "mono16");
	cr_assert_str_eq(in.frame_id, "left");
	cr_assert_eq(in.metadata_size, 5);
	cr_assert_eq(memcmp(in.metadata, "hello", 5), 0);
}

Test(frame, every_flipped_bit_is_refused_or_stays_inside)
{
	slip_frame view;
	describe(&view);
	unsigned char *bytes = (unsigned char *)&slot.bytes;
	for (size_t i = 0; i < sizeof(slot) - offsetof(struct slip__slot, bytes); i++)
		for (int bit = 0; bit < 8; bit++) {
			bytes[i] = (unsigned char)(bytes[i] ^ (1 << bit));
			if (slip__frame_read(&slot, 4096, &view) == 0) {
				cr_assert_leq(view.size, 4096);
				cr_assert_leq(view.metadata_size, SLIP_METADATA_MAX);
				cr_assert(slip__array_fits(slip_dtype_size(view.dtype), view.ndim, view.shape, view.strides, view.size));
				cr_assert_lt(strnlen(view.encoding, SLIP_ENCODING_MAX), SLIP_ENCODING_MAX);
				cr_assert_lt(strnlen(view.frame_id, SLIP_FRAME_ID_MAX), SLIP_FRAME_ID_MAX);
			} else {
				cr_assert_eq(errno, EBADMSG);
			}
			bytes[i] = (unsigned char)(bytes[i] ^ (1 << bit));
		}
}
