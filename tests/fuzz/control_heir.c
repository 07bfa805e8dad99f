/* A writer that takes over a channel whose control says anything, grows it, and closes it; a reader along. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.at = data, .left = size};
	fuzz_begin();
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	uint64_t how = take(&s, 1);
	o.slots = how & 1 ? 4 : 0;
	o.max_readers = how & 2 ? 3 : 0;
	o.history = (uint32_t)(how >> 2 & 3);
	fuzz_put(&s);
	slip_reader *reader = slip_reader_open("fuzz", NULL);
	slip_frame *held[FUZZ_HELD] = {NULL};
	if (how & 0x10)
		fuzz_read(&s, reader, held);
	slip_writer *writer = slip_writer_open("fuzz", &o);
	CHECK(writer != NULL);
	slip_frame *loan = NULL;
	for (int i = 0; i < 8; i++) {
		slip_array a = fuzz_array(take(&s, 1) % 8 == 1 ? FUZZ_LARGE : FUZZ_WORDS);
		switch (take(&s, 1) % 5) {
		case 0:
		case 1: (void)slip_set_array(writer, "a", &a); break;
		case 2:
			if (loan != NULL && slip_publish(loan) != 0)
				CHECK(slip_discard(loan) == 0);
			loan = slip_loan(writer, "a", &a);
			if (loan != NULL)
				memset(loan->data, 1, loan->size);
			break;
		case 3:
			if (loan != NULL)
				(void)slip_discard(loan);
			loan = NULL;
			break;
		default: (void)slip_readers_attached(writer, "a"); break;
		}
		fuzz_read(&s, reader, held);
	}
	fuzz_release(held);
	slip_reader_close(reader);
	if (loan != NULL)
		(void)slip_discard(loan);
	fuzz_expect_published(writer);
	slip_writer_close(writer);
	fuzz_expect_recovery();
	fuzz_end();
	return 0;
}
