/* Names, options and descriptions of arrays of any bytes, in C and as text of the command line. SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"
#include "fuzz.h"

enum { MOST = 1 << 16 };

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
	int64_t width;
	int64_t height;
	slip_array array = SLIP_ARRAY_INIT;
	slip_mode mode;
	mode_t permissions;
	slip_dtype dtype;
	text(s, argument, sizeof(argument));
	FILE *kept = fuzz_hush();
	bool is_target = parse_target("fuzz", argument, "image", &target) == 0;
	bool is_count = parse_count("fuzz", "n", argument, 3, 1000, &count);
	bool is_real = parse_real("fuzz", "n", argument, 0.5, 10, &real);
	bool is_size = parse_size("fuzz", argument, &width, &height);
	bool is_shape = parse_shape("fuzz", argument, &array);
	bool is_octal = parse_permissions("fuzz", "mode", argument, &permissions);
	(void)parse_mode("fuzz", argument, &mode);
	stderr = kept;
	CHECK(!is_target ||
	      (memchr(target.base, 0, sizeof(target.base)) != NULL && memchr(target.channel, 0, sizeof(target.channel)) != NULL));
	CHECK(!is_count || (count >= 3 && count <= 1000));
	CHECK(!is_real || (real >= 0.5 && real <= 10));
	CHECK(!is_size || (width > 0 && height > 0));
	CHECK(!is_shape || (array.ndim >= 0 && array.ndim <= SLIP_MAX_DIMS));
	CHECK(!is_octal || permissions <= 0777);
	if (slip_dtype_parse(argument, &dtype) == 0) {
		char name[32];
		slip_dtype again;
		CHECK(slip_dtype_size(dtype) > 0 && slip_dtype_name(dtype, name, sizeof(name)) == 0);
		CHECK(slip_dtype_parse(name, &again) == 0 && memcmp(&again, &dtype, sizeof(dtype)) == 0);
	}
}

/* As many bytes as there are: those of other versions may be longer or shorter, or claim to be. A piece of memory of just the claimed size. */
static void *options(struct script *s, size_t size)
{
	size_t claimed = sizeof(size_t) + take(s, 1) % (size + 32 - sizeof(size_t));
	unsigned char *bytes = malloc(claimed);
	CHECK(bytes != NULL);
	fill(s, bytes, claimed);
	memcpy(bytes, &claimed, sizeof(claimed));
	return bytes;
}

static slip_writer *open_writer(struct script *s, const char *base)
{
	slip_writer_options *o = options(s, sizeof(*o));
	/* What may take its time on purpose. */
	if (o->struct_size >= offsetof(slip_writer_options, lock_timeout_ns) + sizeof(o->lock_timeout_ns))
		o->lock_timeout_ns %= 1000;
	slip_writer *writer = slip_writer_open(base, o);
	free(o);
	return writer;
}

static slip_reader *open_reader(struct script *s, const char *base)
{
	slip_reader_options *o = options(s, sizeof(*o));
	slip_reader *reader = slip_reader_open(base, o);
	free(o);
	return reader;
}

static bool is_small(const slip_array *a)
{
	size_t bytes = slip_dtype_size(a->dtype);
	for (int i = 0; i < a->ndim && i < SLIP_MAX_DIMS; i++)
		if (a->shape[i] < 0 || __builtin_mul_overflow(bytes, (size_t)a->shape[i], &bytes) || bytes > MOST)
			return false;
	return true;
}

/* Whether strides from the middle of so many elements lead outside of them. */
static bool stays(const slip_array *a)
{
	int64_t low = 0;
	int64_t high = (int64_t)slip_dtype_size(a->dtype);
	for (int i = 0; i < a->ndim; i++) {
		int64_t reach;
		if (a->shape[i] == 0)
			return true;
		if (__builtin_mul_overflow(a->shape[i] - 1, a->strides[i], &reach) || reach > MOST || reach < -MOST)
			return false;
		low += reach < 0 ? reach : 0;
		high += reach > 0 ? reach : 0;
	}
	return low >= -MOST && high <= MOST;
}

static void set_and_get(struct script *s, slip_writer *writer, slip_reader *reader, const char *channel, slip_array *a)
{
	static unsigned char elements[2 * MOST];
	slip_frame *loan = slip_loan(writer, channel, a);
	if (loan != NULL) {
		if (loan->size > 0)
			((unsigned char *)loan->data)[loan->size - 1] = 1;
		(void)slip_frame_set_metadata(loan, elements, take(s, 2) % 300);
		(void)slip_frame_set_capture(loan, (int64_t)take(s, 8), (int64_t)take(s, 8));
		(void)(take(s, 1) & 1 ? slip_publish(loan) : slip_discard(loan));
	}
	a->data = elements + MOST;
	if (a->ndim < 0 || a->ndim > SLIP_MAX_DIMS || !is_small(a))
		return;
	if (!stays(a))
		memset(a->strides, 0, sizeof(a->strides));
	switch (take(s, 1) % 8) {
	case 0: (void)slip_set_image(writer, a); break;
	case 1: (void)slip_set_depth(writer, a); break;
	case 2: (void)slip_set_pointcloud(writer, a); break;
	case 3: (void)slip_set_mask(writer, a); break;
	case 4: (void)slip_channel_create(writer, channel, a); break;
	default: (void)slip_set_array(writer, channel, a); break;
	}
	slip_frame *f = reader != NULL ? slip_get_array(reader, channel) : NULL;
	if (f == NULL)
		return;
	fuzz_use(s, f);
	CHECK(slip_release(f) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.at = data, .left = size};
	fuzz_begin();
	uint64_t how = take(&s, 1);
	if (how & 16)
		command_line(&s);
	char base[128] = "fuzz";
	char channel[128] = "a";
	char encoding[32] = "";
	char frame_id[80] = "";
	if (how & 4)
		text(&s, base, sizeof(base));
	if (how & 8)
		text(&s, channel, sizeof(channel));
	slip_writer *writer = how & 1 ? open_writer(&s, base) : slip_writer_open(base, NULL);
	slip_reader *reader = how & 2 ? open_reader(&s, base) : slip_reader_open(base, NULL);
	for (int i = 0; i < 3 && s.left > 0; i++) {
		slip_array a = SLIP_ARRAY_INIT;
		uint64_t what = take(&s, 1);
		if (what & 1)
			text(&s, encoding, sizeof(encoding));
		if (what & 2)
			text(&s, frame_id, sizeof(frame_id));
		a.dtype = (slip_dtype){.code = (uint8_t)(take(&s, 1) % 8), .bits = (uint8_t)(8 << take(&s, 1) % 5), .lanes = 1};
		if (what & 4)
			a.dtype = (slip_dtype){.code = (uint8_t)take(&s, 1), .bits = (uint8_t)take(&s, 1), .lanes = (uint16_t)take(&s, 1)};
		a.ndim = (int32_t)(take(&s, 1) % 10) - (int32_t)(what >> 3 & 1);
		for (int d = 0; d < SLIP_MAX_DIMS && d < a.ndim; d++) {
			uint64_t wide = take(&s, 1);
			a.shape[d] = (int64_t)take(&s, wide % 16 == 15 ? 8 : 1);
			a.strides[d] = wide & 16 ? (int64_t)(int16_t)take(&s, 2) : wide & 32 ? (int64_t)take(&s, 8) : 0;
		}
		a.encoding = encoding;
		a.frame_id = frame_id;
		a.metadata = encoding;
		a.metadata_size = take(&s, 1) % sizeof(encoding);
		set_and_get(&s, writer, reader, channel, &a);
	}
	slip_writer_close(writer);
	slip_reader_close(reader);
	fuzz_end();
	return 0;
}
