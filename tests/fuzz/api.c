/* Names, options and descriptions of arrays of any bytes, in C and as text of the command line. SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"
#include "fuzz.h"

static void fill(struct script *s, void *to, size_t size)
{
	unsigned char *bytes = to;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)take(s, 1);
}

static void text(struct script *s, char *to, size_t room)
{
	size_t length = take(s, 1) % room;
	fill(s, to, length);
	to[length] = '\0';
}

static void command_line(struct script *s)
{
	char argument[64];
	struct target target;
	uint64_t count;
	double real;
	int64_t width, height;
	slip_array array = SLIP_ARRAY_INIT;
	slip_mode mode;
	mode_t permissions;
	slip_dtype dtype;
	text(s, argument, sizeof(argument));
	if (parse_target("fuzz", argument, "image", &target))
		CHECK(memchr(target.base, 0, sizeof(target.base)) != NULL && memchr(target.channel, 0, sizeof(target.channel)) != NULL);
	if (parse_count("fuzz", "--n", argument, 3, 1000, &count))
		CHECK(count >= 3 && count <= 1000);
	if (parse_real("fuzz", "--n", argument, 0.5, 10, &real))
		CHECK(real >= 0.5 && real <= 10);
	if (parse_size("fuzz", argument, &width, &height))
		CHECK(width > 0 && height > 0);
	if (parse_shape("fuzz", argument, &array))
		CHECK(array.ndim >= 0 && array.ndim <= SLIP_MAX_DIMS);
	(void)parse_mode("fuzz", argument, &mode);
	(void)parse_permissions("fuzz", "--mode", argument, &permissions);
	if (slip_dtype_parse(argument, &dtype) == 0) {
		char name[32];
		CHECK(slip_dtype_size(dtype) > 0 && slip_dtype_name(dtype, name, sizeof(name)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { MOST = 1 << 20 };
	static unsigned char elements[MOST];
	struct script s = {.at = data, .left = size};
	fuzz_begin();
	command_line(&s);
	char base[128], channel[128], encoding[32], frame_id[80];
	text(&s, base, sizeof(base));
	text(&s, channel, sizeof(channel));
	text(&s, encoding, sizeof(encoding));
	text(&s, frame_id, sizeof(frame_id));
	uint64_t how = take(&s, 1);
	slip_writer_options wo = SLIP_WRITER_OPTIONS_INIT;
	slip_reader_options ro = SLIP_READER_OPTIONS_INIT;
	if (how & 1) {
		/* As many bytes as there are: options of other versions may be longer or shorter, or claim to be. */
		unsigned char options[sizeof(wo) + 64] = {0};
		fill(&s, options, sizeof(options));
		uint64_t claimed = take(&s, 1) % (sizeof(options) + 1);
		memcpy(options, &claimed, sizeof(claimed));
		memcpy(&wo, options, sizeof(wo));
		wo.lock_timeout_ns %= 1000;
		wo.prefault = 0;
	}
	if (how & 2) {
		fill(&s, &ro, sizeof(ro));
		ro.struct_size = take(&s, 1) % (sizeof(ro) + 1);
		ro.spin_ns %= 1000;
		ro.lock_timeout_ns %= 1000;
	}
	slip_array a = SLIP_ARRAY_INIT;
	a.dtype = (slip_dtype){.code = (uint8_t)take(&s, 1), .bits = (uint8_t)take(&s, 1), .lanes = (uint16_t)take(&s, 1)};
	a.ndim = (int32_t)(int8_t)take(&s, 1);
	for (int i = 0; i < SLIP_MAX_DIMS; i++) {
		uint64_t wide = take(&s, 1);
		a.shape[i] = (int64_t)take(&s, wide & 1 ? 8 : 1);
		a.strides[i] = wide & 2 ? (int64_t)take(&s, wide & 4 ? 8 : 2) : 0;
	}
	a.encoding = encoding;
	a.frame_id = frame_id;
	a.metadata = elements;
	a.metadata_size = take(&s, 2) % 300;
	slip_writer *writer = slip_writer_open(how & 4 ? base : "fuzz", &wo);
	const char *named = how & 8 ? channel : "a";
	slip_reader *reader = slip_reader_open(how & 4 ? base : "fuzz", &ro);
	slip_frame *loan = slip_loan(writer, named, &a);
	if (loan != NULL) {
		if (loan->size > 0)
			((unsigned char *)loan->data)[loan->size - 1] = 1;
		(void)slip_publish(loan);
	}
	slip_frame *f = reader != NULL ? slip_get_array(reader, named) : NULL;
	if (f != NULL) {
		fuzz_touch(f);
		(void)slip_release(f);
	}
	/* Copied in from elements, whose strides would leave them. */
	memset(a.strides, 0, sizeof(a.strides));
	a.data = elements;
	size_t bytes = slip_dtype_size(a.dtype);
	for (int i = 0; i < a.ndim && i < SLIP_MAX_DIMS; i++)
		if (a.shape[i] < 0 || __builtin_mul_overflow(bytes, (size_t)a.shape[i], &bytes) || bytes > MOST)
			bytes = MOST + 1;
	if (bytes <= MOST)
		(void)slip_set_array(writer, named, &a);
	slip_writer_close(writer);
	slip_reader_close(reader);
	fuzz_end();
	return 0;
}
