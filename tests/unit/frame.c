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

static void expect_same(const slip_frame *a, const slip_frame *b)
{
	cr_assert_eq(a->size, b->size);
	cr_assert_eq(a->ndim, b->ndim);
	cr_assert_eq(memcmp(&a->dtype, &b->dtype, sizeof(a->dtype)), 0);
	cr_assert_eq(memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof(a->shape[0])), 0);
	cr_assert_eq(memcmp(a->strides, b->strides, (size_t)a->ndim * sizeof(a->strides[0])), 0);
	cr_assert_eq(a->capture_ns, b->capture_ns);
	cr_assert_eq(a->publish_ns, b->publish_ns);
	cr_assert_eq(a->capture_realtime_ns, b->capture_realtime_ns);
	cr_assert_eq(a->metadata, b->metadata);
	cr_assert_eq(a->metadata_size, b->metadata_size);
	cr_assert_str_eq(a->encoding, b->encoding);
	cr_assert_str_eq(a->frame_id, b->frame_id);
}

/* From what the frame before left in view and kind, whatever bit of the description is another one now, and back. */
Test(frame, reading_again_gives_what_reading_gives)
{
	slip_array given = SLIP_ARRAY_INIT;
	struct slip__array array;
	slip_frame out;
	given.dtype = SLIP_U8;
	given.ndim = 3;
	given.shape[0] = 4;
	given.shape[1] = 5;
	given.shape[2] = 3;
	given.encoding = "rgb8";
	given.metadata = "hello";
	given.metadata_size = 5;
	cr_assert_eq(slip__array_check(&given, SLIP__ARRAY_LOANED, &array), 0);
	memset(&slot, 0, sizeof(slot));
	slip__frame_describe(&array, &slot, &out);
	struct slip__frame_kind kind;
	memset(&kind, 0, sizeof(kind));
	slip_frame again;
	unsigned char *bytes = (unsigned char *)&slot.bytes;
	int same = 0;
	for (size_t i = 0; i < offsetof(struct slip__slot, metadata) - offsetof(struct slip__slot, bytes); i++)
		for (int bit = 0; bit < 8; bit++) {
			memset(&again, 0, sizeof(again));
			cr_assert_eq(slip__frame_read_again(&slot, 4096, &kind, &again), 0);
			bytes[i] = (unsigned char)(bytes[i] ^ (1 << bit));
			slip_frame fresh;
			memset(&fresh, 0, sizeof(fresh));
			int read = slip__frame_read(&slot, 4096, &fresh);
			cr_assert_eq(slip__frame_read_again(&slot, 4096, &kind, &again), read, "byte %zu, bit %d", i, bit);
			if (read == 0) {
				expect_same(&again, &fresh);
				same++;
			}
			bytes[i] = (unsigned char)(bytes[i] ^ (1 << bit));
			kind.flags = 0; /* the next one begins anew */
		}
	cr_assert_gt(same, 0);
}
