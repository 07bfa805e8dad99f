/* Frames got by one thread and released by others, shared leases among them: counts survive, no pin is lost or left. */
#include "atomic.h"
#include "support.h"

#include <pthread.h>

enum { RELEASERS = 3, FRAMES = 20000, QUEUE = 8 };

static slip__aptr queue[QUEUE];
static slip__a32 over;

static void *release_all(void *unused)
{
	(void)unused;
	for (;;) {
		bool last_look = a32_load_acquire(&over) != 0;
		for (int i = 0; i < QUEUE; i++) {
			void *frame = atomic_exchange_explicit(&queue[i], NULL, memory_order_acq_rel);
			if (frame != NULL)
				CHECK(slip_release(frame) == 0);
		}
		if (last_look)
			return NULL;
	}
}

static void hand_over(slip_frame *frame)
{
	for (;;)
		for (int i = 0; i < QUEUE; i++)
			if (aptr_load_relaxed(&queue[i]) == NULL && aptr_cas_acq_rel(&queue[i], NULL, frame) == frame)
				return;
}

int main(void)
{
	const char *base = own_base("release");
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.leases_per_reader = 6;
	options.slots = 12;
	slip_writer *writer = slip_writer_open(base, &options);
	slip_reader *reader = slip_reader_open(base, NULL);
	pthread_t threads[RELEASERS];
	for (int i = 0; i < RELEASERS; i++)
		pthread_create(&threads[i], NULL, release_all, NULL);
	uint64_t shared = 0;
	for (uint64_t n = 1; n <= FRAMES; n++) {
		uint64_t words[4];
		fill_words(words, 4, n);
		slip_array a = bytes_array(words, sizeof(words));
		CHECK(slip_set_array(writer, "a", &a) == 0);
		for (int again = 0; again < 3; again++) {
			slip_frame *f = slip_get_array(reader, "a");
			if (f == NULL) {
				CHECK(errno == EMFILE);
				continue;
			}
			shared += again > 0;
			CHECK(whole_words(f->data, 4) == n);
			hand_over(f);
		}
	}
	a32_store_release(&over, 1);
	for (int i = 0; i < RELEASERS; i++)
		pthread_join(threads[i], NULL);
	slip_channel_info *info = slip_channel_inspect(base, "a", SLIP_MODE_DEFAULT);
	CHECK(info != NULL);
	for (size_t i = 0; i < info->slot_count; i++)
		CHECK(info->slot_info[i].pins == 0);
	slip_channel_info_free(info);
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	CHECK(slip_reader_get_stats(reader, "a", &stats) == 0);
	CHECK(stats.leases == 0);
	slip_reader_close(reader);
	slip_writer_close(writer);
	CHECK(objects_with(base) == 0);
	printf("%d frames, %llu more of them shared, all released by other threads\n", FRAMES, (unsigned long long)shared);
	return 0;
}
