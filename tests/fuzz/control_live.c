/* A live writer and its readers, whose control is changed between their calls, and in the middle of a loan. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.at = data, .left = size};
	fuzz_begin();
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.slots = 4;
	o.max_readers = 3;
	slip_writer *writer = slip_writer_open("fuzz", &o);
	slip_array a = fuzz_array(FUZZ_WORDS);
	CHECK(slip_set_array(writer, "a", &a) == 0);
	struct slip__segment g;
	slip_channel_name name;
	CHECK(slip__name_make("fuzz", "a", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_HEIR, &g) == 0);
	slip_reader_options ro = SLIP_READER_OPTIONS_INIT;
	slip_reader *reader = slip_reader_open("fuzz", &ro);
	ro.observer = 1;
	slip_reader *observer = slip_reader_open("fuzz", &ro);
	slip_frame *held[FUZZ_HELD] = {NULL};
	slip_frame *seen[FUZZ_HELD] = {NULL};
	slip_frame *loans[3] = {NULL};
	slip_frame *kept = NULL;
	for (int i = 0; i < 24 && s.left > 0; i++) {
		uint64_t what = take(&s, 1);
		slip_frame **loan = &loans[what / 16 % 3];
		slip_array large = fuzz_array(FUZZ_LARGE);
		switch (what % 12) {
		case 0:
		case 1:
		case 2: hostile_change(&s, g.header, &g.geometry); break;
		case 3: (void)slip_set_array(writer, "a", &a); break;
		case 4:
			if (*loan == NULL && (*loan = slip_loan(writer, "a", &a)) != NULL)
				memset((*loan)->data, 1, (*loan)->size);
			break;
		case 5:
			if (*loan != NULL && slip_publish(*loan) == 0)
				*loan = NULL;
			break;
		case 6:
			if (*loan != NULL)
				CHECK(slip_discard(*loan) == 0);
			*loan = NULL;
			break;
		case 7:
			if (kept != NULL)
				CHECK(slip_release(kept) == 0);
			kept = NULL;
			if (*loan != NULL && slip_publish_keep(*loan) == 0) {
				kept = *loan;
				*loan = NULL;
			}
			break;
		case 8: (void)slip_set_array(writer, "a", &large); break;
		case 9: (void)slip_readers_attached(writer, "a"); break;
		case 10: fuzz_read(&s, observer, seen); break;
		default: fuzz_read(&s, reader, held); break;
		}
	}
	slip_writer_close(writer);
	if (kept != NULL)
		CHECK(slip_release(kept) == 0);
	slip_reader_close(reader);
	slip_reader_close(observer);
	fuzz_release(held);
	fuzz_release(seen);
	slip__segment_close(&g);
	fuzz_expect_recovery();
	fuzz_end();
	return 0;
}
