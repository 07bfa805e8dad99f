/*
 * A process forks while its threads read, write and attach: in the child every call on a handle of its parent's is ECHILD, a handle of its
 * own works, and what the child closes disturbs the parent in nothing.
 */
#include "threads.h"

#include <sys/wait.h>

enum { READERS = 3, WORDS = 64 };

static char base[64];
static slip__a64 verified;

static void *read_on(void *unused)
{
	(void)unused;
	while (running()) {
		slip_reader *r = slip_reader_open(base, NULL);
		uint64_t last = 0;
		for (int i = 0; i < 50; i++) {
			slip_frame *f = slip_next(r, "a", 1000000);
			if (f == NULL) {
				CHECK(errno == ETIMEDOUT || errno == ENOENT);
				continue;
			}
			CHECK(f->seq > last);
			last = f->seq;
			verify_and_release(f);
			add(&verified, 1);
		}
		slip_reader_close(r);
	}
	return NULL;
}

static void *write_on(void *writer)
{
	uint64_t words[WORDS];
	uint64_t last = 0;
	while (running()) {
		fill_words(words, WORDS, last + 1);
		slip_array a = words_array(words, WORDS);
		bool done = slip_set_array(writer, "a", &a) == 0;
		CHECK(done || errno == EAGAIN);
		last += done;
		if (last % 64 == 0)
			pause_ms(1);
	}
	return NULL;
}

static bool is_refused(bool failed)
{
	bool refused = failed && errno == ECHILD;
	errno = 0;
	return refused;
}

/* 0: as it must be. */
static int be_a_child(slip_writer *writer, slip_reader *reader, slip_frame *frame)
{
	slip_array a = bytes_array("x", 1);
	slip_wait_item item = {.reader = reader, .channel = "a"};
	errno = 0;
	if (!is_refused(slip_set_array(writer, "a", &a) != 0) || !is_refused(slip_loan(writer, "a", &a) == NULL) ||
	    !is_refused(slip_readers_attached(writer, "a") < 0))
		return 1;
	if (!is_refused(slip_get_array(reader, "a") == NULL) || !is_refused(slip_next(reader, "a", SLIP_FOREVER) == NULL) ||
	    !is_refused(slip_wait(reader, "a", SLIP_FOREVER) != 0) || !is_refused(slip_wait_any(&item, 1, SLIP_FOREVER) < 0) ||
	    !is_refused(slip_get_ndim(reader, "a") < 0))
		return 2;
	if (!is_refused(slip_release(frame) != 0))
		return 3;
	slip_reader *own = slip_reader_open(base, NULL);
	for (int i = 0; i < 3; i++) {
		slip_frame *f = slip_next(own, "a", 1000000000);
		if (f == NULL || whole_words(f->data, WORDS) != f->seq || slip_release(f) != 0)
			return 4;
	}
	slip_reader_close(reader);
	slip_writer_close(writer);
	slip_reader_close(own);
	return 0;
}

int main(void)
{
	const int forks = SANITIZED ? 60 : 300;
	(void)test_seed();
	(void)snprintf(base, sizeof(base), "%s", own_base("fork"));
	slip_writer *writer = slip_writer_open(base, NULL);
	slip_reader *reader = slip_reader_open(base, NULL);
	pthread_t threads[READERS + 1];
	for (int i = 0; i < READERS; i++)
		pthread_create(&threads[i], NULL, read_on, NULL);
	pthread_create(&threads[READERS], NULL, write_on, writer);
	for (int i = 0; i < forks; i++) {
		slip_frame *held = slip_next(reader, "a", SLIP_FOREVER);
		CHECK(held != NULL);
		fflush(NULL);
		pid_t child = fork();
		if (child == 0)
			_exit(be_a_child(writer, reader, held));
		int status;
		CHECK(child > 0 && waitpid(child, &status, 0) == child);
		if (status != 0)
			fprintf(stderr, "child %d: status 0x%x\n", i, (unsigned)status);
		CHECK(status == 0);
		verify_and_release(held);
	}
	a32_store_relaxed(&over, 1);
	for (int i = 0; i < READERS + 1; i++)
		pthread_join(threads[i], NULL);
	CHECK(slip_readers_attached(writer, "a") == 1);
	slip_reader_close(reader);
	slip_writer_close(writer);
	CHECK(objects_with(base) == 0);
	printf("fork: %d children of a process with %d threads, %llu frames verified by its threads meanwhile\n", forks, READERS + 1,
	       count_of(&verified));
	return 0;
}
