/* Readers and observers of a channel whose control says anything. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.at = data, .left = size};
	fuzz_begin();
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	uint64_t how = take(&s, 1);
	o.observer = how & 1;
	o.mode = how & 2 ? SLIP_MODE_DEFAULT : SLIP_MODE_LOCK_FREE;
	o.outwait_dead_writer = how >> 2 & 1;
	o.prefault = how >> 3 & 1;
	fuzz_put(&s);
	slip_reader *reader = slip_reader_open("fuzz", &o);
	CHECK(reader != NULL);
	slip_frame *held[FUZZ_HELD] = {NULL};
	for (int i = 0; i < 12 && s.left > 0; i++)
		fuzz_read(&s, reader, held);
	slip_reader_close(reader);
	fuzz_release(held);
	fuzz_end();
	return 0;
}
