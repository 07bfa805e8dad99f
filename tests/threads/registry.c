/*
 * The registry is needed, and holds: threads attach, read and release while the writer changes generation and restarts. Under
 * ThreadSanitizer, without liburcu's grace period an attachment is freed while another thread still looks at it.
 */
#include "atomic.h"
#include "support.h"

#include <pthread.h>

enum { THREADS = 8, GENERATIONS = 60 };

static const char *base;
static slip__a32 over;
static slip__a64 frames;

static void *read_and_leave(void *unused)
{
	(void)unused;
	while (a32_load_relaxed(&over) == 0) {
		slip_reader *reader = slip_reader_open(base, NULL);
		for (int i = 0; i < 3; i++) {
			slip_frame *f = slip_get_array(reader, "a");
			if (f == NULL) {
				CHECK(errno == ENOENT || errno == EPIPE);
				continue;
			}
			CHECK(whole_words(f->data, f->size / 8) == f->size / 8);
			atomic_fetch_add_explicit(&frames, 1, memory_order_relaxed);
			CHECK(slip_release(f) == 0);
		}
		slip_reader_close(reader);
	}
	return NULL;
}

int main(void)
{
	static char own[64];
	(void)snprintf(own, sizeof(own), "%s", own_base("registry"));
	base = own;
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, read_and_leave, NULL);
	static uint64_t words[65536];
	for (int epoch = 0; epoch < 4; epoch++) {
		slip_writer *writer = slip_writer_open(base, NULL);
		size_t count = 64;
		for (int g = 0; g < GENERATIONS / 4; g++) {
			count += count / 2 + 512; /* more than a page, more than half as much again: a new generation */
			if (count > 65536)
				count = 65536;
			fill_words(words, count, count);
			slip_array a = SLIP_ARRAY_INIT;
			a.data = words;
			a.dtype = SLIP_U64;
			a.ndim = 1;
			a.shape[0] = (int64_t)count;
			for (int i = 0; i < 20; i++)
				CHECK(slip_set_array(writer, "a", &a) == 0 || errno == EAGAIN);
			pause_ms(1);
		}
		slip_writer_close(writer);
	}
	a32_store_release(&over, 1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(objects_with(base) == 0);
	printf("%llu frames read by %d threads over restarts and growth\n", (unsigned long long)a64_load_relaxed(&frames), THREADS);
	CHECK(a64_load_relaxed(&frames) > 0);
	return 0;
}
