/*
 * Readers attach, and leave with a frame that another thread releases, while the writer closes, starts again and grows all the time: a
 * mapping is exchanged while its last lease is released elsewhere, and a handle closes while its frame is.
 */
#include "threads.h"

enum { READERS = 40, RELEASERS = 2, WORDS = 2000 };

static char base[64];
static slip__a64 verified;
static slip__a64 elsewhere;

static void *come_and_go(void *unused)
{
	(void)unused;
	while (running()) {
		slip_reader *r = slip_reader_open(base, NULL);
		slip_frame *f = slip_get_array(r, "a");
		CHECK(f != NULL || errno == ENOENT || errno == EPIPE);
		if (f == NULL) {
			slip_reader_close(r);
			pause_ms(1);
			continue;
		}
		CHECK(whole_words(f->data, f->size / 8) == f->seq);
		add(&verified, 1);
		/* Whether before, behind or in the middle of the handle's end. */
		bool first = f->seq % 2 == 0 && hand_over(f);
		slip_reader_close(r);
		if (!first && !hand_over(f))
			CHECK(slip_release(f) == 0);
	}
	return NULL;
}

static void *release_elsewhere(void *unused)
{
	(void)unused;
	while (running()) {
		add(&elsewhere, release_handed_over());
		(void)sched_yield();
	}
	return NULL;
}

static uint64_t write_and_close(uint64_t *random)
{
	static uint64_t words[WORDS];
	slip_writer *writer = slip_writer_open(base, NULL);
	uint64_t frames = 1 + random_number(random) % 4;
	for (uint64_t q = 1; q <= frames; q++) {
		size_t count = 1 + random_number(random) % WORDS; /* some of them more than the ring has room for */
		fill_words(words, count, q);
		slip_array a = words_array(words, count);
		while (slip_set_array(writer, "a", &a) != 0)
			CHECK(errno == EAGAIN);
	}
	slip_writer_close(writer);
	return frames;
}

int main(void)
{
	const int epochs = SANITIZED ? 150 : 500;
	uint64_t random = random_state(test_seed(), 0);
	uint64_t frames = 0;
	pthread_t threads[READERS + RELEASERS];
	(void)snprintf(base, sizeof(base), "%s", own_base("attach"));
	for (int i = 0; i < READERS + RELEASERS; i++)
		pthread_create(&threads[i], NULL, i < READERS ? come_and_go : release_elsewhere, NULL);
	for (int epoch = 0; epoch < epochs; epoch++)
		frames += write_and_close(&random);
	a32_store_relaxed(&over, 1);
	for (int i = 0; i < READERS + RELEASERS; i++)
		pthread_join(threads[i], NULL);
	add(&elsewhere, release_handed_over());
	CHECK(objects_with(base) == 0);
	CHECK(count_of(&verified) > 0 && count_of(&elsewhere) > 0);
	printf("attach: %d epochs, %llu frames; %llu handles of %d threads got one, %llu of these were released elsewhere\n", epochs,
	       (unsigned long long)frames, count_of(&verified), READERS, count_of(&elsewhere));
	return 0;
}
