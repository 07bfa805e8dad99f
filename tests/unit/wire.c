/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"
#include "dtype.h"
#include "name.h"
#include "support.h"

#include <criterion/criterion.h>
#include <math.h>

static struct slip__wire_header good_header(void)
{
	struct slip__wire_header header = {.magic = SLIP__WIRE_MAGIC, .dtype = 5, .ndim = 3, .dims = {4, 3, 2}};
	return header;
}

static int read_header(const struct slip__wire_header *header, uint64_t bytes, slip_frame *view)
{
	errno = 0;
	return slip__wire_read("a_b_shm", header, bytes, view);
}

static void expect_refused(const struct slip__wire_header *header, uint64_t bytes, int err, const char *says)
{
	slip_frame view;
	cr_assert_eq(read_header(header, bytes, &view), -1);
	cr_assert_eq(errno, err);
	cr_assert(says == NULL || strstr(slip_error_detail(), says) != NULL, "%s", slip_error_detail());
}

Test(wire, a_header_says_type_and_shape)
{
	struct slip__wire_header header = good_header();
	slip_frame view;
	cr_assert_eq(read_header(&header, 64 + 96, &view), 0);
	cr_assert(slip__dtype_equal(view.dtype, SLIP_F32));
	cr_assert_eq(view.ndim, 3);
	cr_assert_eq(view.size, 96);
	cr_assert_eq(view.strides[0], 24);
}

Test(wire, an_object_in_the_making_is_not_there_yet)
{
	struct slip__wire_header header = {.magic = 0};
	expect_refused(&header, 0, ENOENT, NULL);
	expect_refused(&header, 64 + 96, ENOENT, NULL);
}

Test(wire, a_header_that_cannot_be_is_EBADMSG_and_names_the_value)
{
	struct slip__wire_header header = good_header();
	expect_refused(&header, 63, EBADMSG, "63 bytes");
	expect_refused(&header, 64 + 95, EBADMSG, "95 bytes");
	header.magic = 0x12345679;
	expect_refused(&header, 64 + 96, EBADMSG, "0x12345679");
	header = good_header();
	header.dtype = 8;
	expect_refused(&header, 64 + 96, EBADMSG, "is 8");
	header = good_header();
	header.ndim = 6;
	expect_refused(&header, 64 + 96, EBADMSG, "6 dimensions");
	header = good_header();
	header.ndim = 5;
	for (int i = 0; i < 5; i++)
		header.dims[i] = UINT32_MAX;
	expect_refused(&header, 64 + 96, EBADMSG, "needs more");
}

static uint64_t state = 88172645463325252;

static uint32_t any_word(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	/* Small and extreme values meet the limits more often than even ones. */
	uint32_t word = (uint32_t)(state >> 16);
	switch (state % 4) {
	case 0: return word % 9;
	case 1: return UINT32_MAX - word % 3;
	default: return word;
	}
}

Test(wire, no_header_whatever_leads_outside_of_its_object)
{
	int read_well = 0;
	for (int round = 0; round < 1000000; round++) {
		struct slip__wire_header header = good_header();
		uint32_t words[16];
		memcpy(words, &header, sizeof(words));
		for (uint32_t changes = any_word() % 4; changes > 0; changes--)
			words[any_word() % 16] = any_word();
		memcpy(&header, words, sizeof(header));
		uint64_t bytes = any_word() % 3 == 0 ? any_word() : any_word() % 256;
		slip_frame view;
		if (read_header(&header, bytes, &view) != 0)
			continue;
		read_well++;
		cr_assert(view.size <= bytes - 64);
		uint64_t product = slip_dtype_size(view.dtype);
		cr_assert(product > 0 && view.ndim >= 0 && view.ndim <= 5);
		for (int i = 0; i < view.ndim; i++)
			product *= (uint64_t)view.shape[i];
		cr_assert_eq(product, view.size);
	}
	cr_assert(read_well > 1000 && read_well < 999000, "both outcomes happen");
}

static slip_array array_of(slip_dtype dtype, int ndim)
{
	slip_array a = SLIP_ARRAY_INIT;
	a.dtype = dtype;
	a.ndim = ndim;
	for (int i = 0; i < ndim; i++)
		a.shape[i] = i + 1;
	return a;
}

static int accepts(const slip_array *given)
{
	struct slip__array array;
	cr_assert_eq(slip__array_check(given, SLIP__ARRAY_LOANED, &array), 0);
	errno = 0;
	return slip__wire_accepts(&array);
}

static void expect_unsupported(slip_array a, const char *says)
{
	cr_assert_eq(accepts(&a), -1);
	cr_assert_eq(errno, ENOTSUP);
	cr_assert(strstr(slip_error_detail(), says) != NULL && strstr(slip_error_detail(), "lock-free mode") != NULL, "%s",
		  slip_error_detail());
}

Test(wire, what_is_written_reads_back)
{
	const slip_dtype types[] = {SLIP_U8, SLIP_I8, SLIP_U16, SLIP_I16, SLIP_I32, SLIP_F32, SLIP_F64, SLIP_BOOL8};
	for (uint32_t t = 0; t < 8; t++)
		for (int ndim = 0; ndim <= 5; ndim++) {
			slip_array a = array_of(types[t], ndim);
			struct slip__array array;
			struct slip__wire_header header;
			slip_frame view;
			cr_assert_eq(accepts(&a), 0);
			cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_LOANED, &array), 0);
			slip__wire_write(&header, &array);
			cr_assert_eq(header.dtype, t, "the number that the format gives it");
			cr_assert_eq(read_header(&header, 64 + array.bytes, &view), 0);
			cr_assert_eq(view.size, array.bytes);
			cr_assert(slip__dtype_equal(view.dtype, types[t]));
			cr_assert_arr_eq(view.shape, array.shape, (size_t)ndim * sizeof(view.shape[0]));
			for (int i = ndim; i < 5; i++)
				cr_assert_eq(header.dims[i], 0);
			for (int i = 0; i < 24; i++)
				cr_assert_eq(header.zero[i], 0);
		}
}

Test(wire, what_the_format_cannot_carry_is_ENOTSUP_and_says_what_to_use)
{
	expect_unsupported(array_of(SLIP_U32, 1), "uint32");
	expect_unsupported(array_of(SLIP_I64, 1), "int64");
	expect_unsupported(array_of(SLIP_F16, 1), "float16");
	expect_unsupported(array_of(SLIP_U8, 6), "this array 6");
	slip_array a = array_of(SLIP_U8, 2);
	a.encoding = "bgr8";
	expect_unsupported(a, "bgr8");
	a = array_of(SLIP_U8, 2);
	a.frame_id = "left";
	expect_unsupported(a, "left");
	a = array_of(SLIP_U8, 2);
	a.metadata = "x";
	a.metadata_size = 1;
	expect_unsupported(a, "metadata");
	a = array_of(SLIP_U8, 1);
	a.shape[0] = (int64_t)UINT32_MAX + 1;
	expect_unsupported(a, "4294967296");
}

static double seconds_of(uint64_t bits)
{
	double seconds;
	memcpy(&seconds, &bits, sizeof(seconds));
	return seconds;
}

static uint64_t bits_of(double seconds)
{
	uint64_t bits;
	memcpy(&bits, &seconds, sizeof(bits));
	return bits;
}

Test(wire, stamps_pass_unchanged)
{
	const double stamps[] = {0, 0.1, 1.5, 1000, 1700000000.123456, 1764000000.9999998, -1.25, -1700000000.25};
	for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++)
		cr_assert(seconds_of(slip__wire_stamp(slip__wire_stamp_ns(bits_of(stamps[i])))) == stamps[i], "%.17g", stamps[i]);
	cr_assert_eq(slip__wire_stamp_ns(bits_of(2.5)), 2500000000);
	cr_assert_eq(slip__wire_stamp_ns(bits_of(-2.5)), -2500000000);
}

Test(wire, a_stamp_that_no_clock_shows_reads_as_0)
{
	const double stamps[] = {INFINITY, -INFINITY, NAN, 1e300, -1e10};
	for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++)
		cr_assert_eq(slip__wire_stamp_ns(bits_of(stamps[i])), 0);
}

static void expect_parsed(const char *file, size_t base_length, const char *base, const char *channel)
{
	slip_channel_name name;
	cr_assert_eq(slip__wire_parse(file, base_length, &name), 0, "%s", file);
	cr_assert_str_eq(name.base, base);
	cr_assert_str_eq(name.channel, channel);
	cr_assert_eq(name.mode, SLIP_MODE_SEMAPHORE);
}

Test(wire, names_are_split_at_the_base_or_at_the_best_guess)
{
	expect_parsed("camera_01_image_shm", 0, "camera_01", "image");
	expect_parsed("a_pointcloud_shm", 0, "a", "pointcloud");
	expect_parsed("a_b_c_shm", 0, "a_b", "c");
	expect_parsed("a_b_c_shm", 1, "a", "b_c");
	slip_channel_name name;
	const char *const none[] = {"",	       "_shm",		"image_shm", "_image_shm", "a_image_sem", "sem.a_image_sem",
				    "a_image", "a b_image_shm", "a__shm"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		cr_assert_eq(slip__wire_parse(none[i], 0, &name), -1, "%s", none[i]);
	cr_assert_eq(slip__wire_parse("a_b_shm", 2, &name), -1);
	cr_assert_eq(slip__wire_parse("a_b_shm", 200, &name), -1);
}

Test(wire, object_names_are_the_formats)
{
	slip_channel_name name = {.base = "camera_01", .channel = "image"};
	char object[SLIP_OBJECT_MAX];
	slip__wire_memory_name(&name, object);
	cr_assert_str_eq(object, "camera_01_image_shm");
	slip__wire_semaphore_name(&name, object);
	cr_assert_str_eq(object, "sem.camera_01_image_sem");
}

Test(wire, names_too_long_for_a_channel_are_none)
{
	slip_channel_name name;
	char file[256];
	(void)snprintf(file, sizeof(file), "%0*d_image_shm", SLIP_NAME_MAX, 0);
	cr_assert_eq(slip__wire_parse(file, SLIP_NAME_MAX, &name), -1);
	(void)snprintf(file, sizeof(file), "b_%0*d_shm", SLIP_NAME_MAX, 0);
	cr_assert_eq(slip__wire_parse(file, 1, &name), -1);
	(void)snprintf(file, sizeof(file), "b_%0*d_shm", SLIP_NAME_MAX - 1, 0);
	cr_assert_eq(slip__wire_parse(file, 1, &name), 0);
}

Test(wire, channels_with_a_meaning_have_the_encoding_that_their_type_says)
{
	static const struct {
		const char *channel;
		int32_t ndim;
		int64_t last;
		const char *encoding;
	} CASES[] = {{"image", 3, 3, "8UC3"}, {"image", 2, 0, "8UC1"}, {"mask", 2, 0, "8UC1"}, {"image", 1, 0, ""}, {"other", 2, 0, ""}};
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		slip_channel_name name;
		slip_frame view = {.dtype = SLIP_U8, .ndim = CASES[i].ndim, .shape = {4, 4, CASES[i].last}};
		cr_assert_eq(slip__name_make("base", CASES[i].channel, &name), 0);
		slip__wire_encoding(&name, &view);
		cr_assert_str_eq(view.encoding, CASES[i].encoding, "%s of %d dimensions: %s", CASES[i].channel, CASES[i].ndim,
				 view.encoding);
	}
	slip_channel_name depth;
	slip_frame view = {.dtype = SLIP_U16, .ndim = 2, .shape = {4, 4}};
	cr_assert_eq(slip__name_make("base", "depth", &depth), 0);
	slip__wire_encoding(&depth, &view);
	cr_assert_str_eq(view.encoding, "16UC1");
}
