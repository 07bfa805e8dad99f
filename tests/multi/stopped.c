/* 62 stopped readers that hold a frame each do not hold the writer up; the bound on slots is exact. */
#include "processes.h"

enum { READERS = 62, WORDS = 16 };

static char base[64];

/* Takes the latest frame, says so, and waits to be stopped, or told to end. */
static int hold(int said, int told)
{
	slip_reader *reader = slip_reader_open(base, NULL);
	slip_frame *f = slip_get_array(reader, "a");
	char byte = f != NULL;
	if (write(said, &byte, 1) != 1 || f == NULL || read(told, &byte, 1) != 1)
		return 1;
	if (whole_words(f->data, WORDS) != f->seq || slip_release(f) != 0)
		return 2;
	slip_reader_close(reader);
	return 0;
}

static slip_writer *open_writer(uint32_t slots)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = slots;
	options.leases_per_reader = 1;
	options.max_loans = 1;
	return slip_writer_open(base, &options);
}

/* Starts readers that hold 62 different frames and stops them. */
static void start_and_stop(slip_writer *writer, pid_t *children, int told)
{
	int said[2];
	CHECK(pipe(said) == 0);
	for (int i = 0; i < READERS; i++) {
		char byte;
		CHECK(publish_numbered(writer, "a", WORDS) == 0);
		SPAWN(children[i], hold(said[1], told));
		CHECK(read(said[0], &byte, 1) == 1 && byte == 1);
		CHECK(kill(children[i], SIGSTOP) == 0);
	}
	close(said[0]);
	close(said[1]);
}

static void end_all(const pid_t *children, int tell)
{
	for (int i = 0; i < READERS; i++) {
		CHECK(kill(children[i], SIGCONT) == 0);
		CHECK(write(tell, "x", 1) == 1);
	}
	for (int i = 0; i < READERS; i++)
		expect_clean_end(children[i]);
}

int main(void)
{
	(void)snprintf(base, sizeof(base), "%s", own_base("stopped"));
	pid_t children[READERS];
	int tell[2];
	CHECK(pipe(tell) == 0);
	slip_writer_stats stats = {.struct_size = sizeof(stats)};

	/* N = L + W + 1 */
	slip_writer *writer = open_writer(READERS + 1 + 1);
	start_and_stop(writer, children, tell[0]);
	for (int i = 0; i < 10000; i++)
		CHECK(publish_numbered(writer, "a", WORDS) == 0);
	CHECK(slip_writer_get_stats(writer, "a", &stats) == 0);
	CHECK(stats.published == READERS + 10000 && stats.refused == 0);
	end_all(children, tell[1]);
	wait_for_readers(writer, "a", 0);
	expect_nothing_held(base, "a");
	slip_writer_close(writer);

	/* One below: 62 held, and head, which readers must find. */
	writer = open_writer(READERS + 1);
	start_and_stop(writer, children, tell[0]);
	CHECK(publish_numbered(writer, "a", WORDS) == 0);
	CHECK(publish_numbered(writer, "a", WORDS) == EAGAIN);
	CHECK(slip_writer_get_stats(writer, "a", &stats) == 0);
	CHECK(stats.published == READERS + 1 && stats.refused == 1);
	kill_and_reap(children[0]);
	SPAWN(children[0], 0);
	int err;
	while ((err = publish_numbered(writer, "a", WORDS)) == EAGAIN)
		pause_ms(1); /* until the kernel has let go of the dead reader */
	CHECK(err == 0);
	end_all(children, tell[1]);
	slip_writer_close(writer);
	CHECK(objects_with(base) == 0);
	printf("62 stopped readers: 10,000 publishes with 64 slots, EAGAIN with 63\n");
	return 0;
}
