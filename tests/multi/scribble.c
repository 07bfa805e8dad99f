/* A segment scribbled over at random never crashes a reader, an observer, a tool or the writer, nor hangs them past their time limit. */
#include "processes.h"

static char base[64];

static int read_anything(bool observer, bool in_order, const slip__a32 *over)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.observer = observer;
	volatile uint64_t sum = 0;
	while (a32_load_relaxed(over) == 0) {
		slip_reader *reader = slip_reader_open(base, &options);
		for (int i = 0; i < 200 && a32_load_relaxed(over) == 0; i++) {
			slip_frame *f = in_order ? slip_next(reader, "a", 1000000) : slip_get_array(reader, "a");
			if (f == NULL)
				continue;
			/* Every byte that the frame claims to have is there. */
			for (size_t at = 0; at < f->size; at += 64)
				sum += ((const unsigned char *)f->data)[at];
			for (size_t at = 0; at < f->metadata_size; at++)
				sum += ((const unsigned char *)f->metadata)[at];
			(void)slip_release(f);
		}
		slip_reader_close(reader);
	}
	return sum == UINT64_MAX; /* a use, so that the loads are not left out */
}

static int look_at_it(const slip__a32 *over)
{
	while (a32_load_relaxed(over) == 0) {
		slip_channel_info_free(slip_channel_inspect(base, "a", SLIP_MODE_DEFAULT));
		slip_leftover *leftovers;
		size_t count;
		if (slip_gc_list(base, &leftovers, &count) == 0)
			free(leftovers);
		pause_ms(1);
	}
	return 0;
}

int main(void)
{
	const int flips = SANITIZED ? 20000 : 200000;
	(void)snprintf(base, sizeof(base), "%s", own_base("scribble"));
	slip__a32 *over = shared_memory(4096);
	slip_writer *writer = slip_writer_open(base, NULL);
	slip_array a = bytes_array(NULL, 40000);
	a.metadata = "some metadata";
	a.metadata_size = 13;
	a.frame_id = "left";
	static unsigned char data[40000];
	a.data = data;
	CHECK(slip_set_array(writer, "a", &a) == 0);
	slip_channel_name name;
	struct slip__segment segment;
	CHECK(slip__name_make(base, "a", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_HEIR, &segment) == 0);
	pid_t children[5];
	SPAWN(children[0], read_anything(false, false, over));
	SPAWN(children[1], read_anything(false, true, over));
	SPAWN(children[2], read_anything(true, false, over));
	SPAWN(children[3], read_anything(true, true, over));
	SPAWN(children[4], look_at_it(over));
	srandom(3);
	slip__a64 *words = (slip__a64 *)(void *)segment.header;
	uint64_t count = segment.geometry.control_bytes / 8;
	uint64_t published = 0;
	for (int i = 0; i < flips; i++) {
		slip__a64 *word = &words[(uint64_t)random() % count];
		uint64_t good = a64_load_relaxed(word);
		a64_store_relaxed(word, good ^ UINT64_C(1) << random() % 64);
		published += slip_set_array(writer, "a", &a) == 0;
		/* Mostly mended again, so that frames still flow; sometimes left. */
		if (random() % 64 != 0)
			a64_store_relaxed(word, good);
	}
	a32_store_release(over, 1);
	for (int i = 0; i < 5; i++)
		expect_clean_end(children[i]);
	slip__segment_close(&segment);
	slip_writer_close(writer);
	printf("%d bits flipped, %llu frames published meanwhile, nobody crashed\n", flips, (unsigned long long)published);
	/* The scribbled control may say anything; what it says of its dead is not worth keeping. */
	slip_writer *heir = slip_writer_open(base, NULL);
	CHECK(slip_set_array(heir, "a", &a) == 0);
	slip_writer_close(heir);
	CHECK(objects_with(base) == 0);
	return 0;
}
