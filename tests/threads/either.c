/*
 * Readers without a mode, while a lock-free channel and one of semaphore mode appear and disappear under the same name, one at a time or
 * both.
 */
#include "threads.h"

enum { READERS = 6, WORDS = 64, ENOUGH = 300 };

static char base[64];
static int epochs;
static slip__a64 lock_free;
static slip__a64 locked;

static void verify(slip_frame *f)
{
	uint64_t number = whole_words(f->data, f->size / 8);
	CHECK(f->size == WORDS * sizeof(uint64_t) && number > 0);
	/* The ring's frames are numbered as they are filled; those under the lock by the reader that sees them. */
	bool ring = f->publish_ns != 0;
	CHECK(!ring || number == f->seq);
	add(ring ? &lock_free : &locked, 1);
	CHECK(slip_release(f) == 0);
}

static void expect_no_news(void)
{
	CHECK(errno == ENOENT || errno == EPIPE || errno == ETIMEDOUT || errno == EAGAIN || errno == ENOTSUP);
}

static void *read_either(void *number)
{
	slip_reader *r = slip_reader_open(base, NULL);
	for (uint64_t round = (uintptr_t)number; running(); round++) {
		slip_frame *f = NULL;
		slip_wait_item item = {.reader = r, .channel = "a"};
		switch (round % 4) {
		case 0: f = slip_next(r, "a", 2000000); break;
		case 1:
			if (slip_wait(r, "a", 2000000) == 0)
				f = slip_get_array(r, "a");
			break;
		case 2:
			if (slip_wait_any(&item, 1, 2000000) > 0)
				f = slip_get_array(r, "a");
			break;
		default: f = slip_get_array(r, "a");
		}
		if (f != NULL)
			verify(f);
		else
			expect_no_news();
		if (round % 64 == 63) {
			slip_reader_close(r);
			r = slip_reader_open(base, NULL);
		}
	}
	slip_reader_close(r);
	return NULL;
}

static void *write_epochs(void *context)
{
	const slip_mode mode = *(const slip_mode *)context;
	const slip__a64 *had = mode == SLIP_MODE_SEMAPHORE ? &locked : &lock_free;
	uint64_t random = random_state(test_seed(), mode);
	for (int epoch = 0; epoch < epochs || a64_load_relaxed(had) < ENOUGH; epoch++) {
		slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
		options.mode = mode;
		slip_writer *writer = slip_writer_open(base, &options);
		uint64_t last = 0;
		for (uint64_t tries = 1 + random_number(&random) % 40; tries > 0; tries--) {
			uint64_t words[WORDS];
			fill_words(words, WORDS, last + 1);
			slip_array a = bytes_array(words, sizeof(words)); /* semaphore mode has no words of 64 bits */
			bool done = slip_set_array(writer, "a", &a) == 0;
			CHECK(done || errno == EAGAIN);
			last += done;
			if (tries % 8 == 0)
				pause_ms(1);
		}
		slip_writer_close(writer);
		pause_ms((int)(random_number(&random) % 4));
	}
	return NULL;
}

int main(void)
{
	epochs = SANITIZED ? 60 : 300;
	slip_mode modes[2] = {SLIP_MODE_LOCK_FREE, SLIP_MODE_SEMAPHORE};
	pthread_t readers[READERS];
	pthread_t writers[2];
	(void)test_seed();
	(void)snprintf(base, sizeof(base), "%s", own_base("either"));
	for (uintptr_t i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_either, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_create(&writers[i], NULL, write_epochs, &modes[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	a32_store_relaxed(&over, 1);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	CHECK(objects_with(base) == 0);
	printf("either: %d epochs of each mode at least; readers without a mode verified %llu lock-free frames and %llu under the lock\n",
	       epochs, count_of(&lock_free), count_of(&locked));
	return 0;
}
