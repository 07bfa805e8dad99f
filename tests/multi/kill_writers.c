/* Writers killed at random instants, in the middle of publishing, growing and starting: the next one goes on in the same epoch. */
#include "processes.h"

static char base[64];

/* A writer's life: takes the channel over and publishes for good; every so often a frame that needs a larger ring. */
static int write_for_good(unsigned seed, uint64_t *size)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = 6;
	slip_writer *writer = slip_writer_open(base, &options);
	slip_array a = bytes_array(NULL, 64);
	srandom(seed);
	while (slip_channel_create(writer, "a", &a) != 0) {
		if (errno != EBUSY) /* the dead one's lock is not free yet */
			return 1;
		pause_ms(1);
	}
	for (;;) {
		if (random() % 500 == 0 && *size < 100000)
			*size += *size / 2;
		int err = publish_numbered(writer, "a", *size);
		if (err != 0 && err != EAGAIN) {
			fprintf(stderr, "writer: errno %d: %s\n", err, slip_error_detail());
			return 2;
		}
	}
}

int main(void)
{
	const int kills = SANITIZED ? 40 : 200;
	(void)snprintf(base, sizeof(base), "%s", own_base("killw"));
	struct tally *tallies = shared_memory(2 * sizeof(*tallies));
	uint64_t *size = shared_memory(sizeof(*size));
	*size = 8;
	pid_t readers[2];
	for (int i = 0; i < 2; i++)
		SPAWN(readers[i], read_and_verify(base, "a", i == 0, &tallies[i]));
	slip_reader *watcher = slip_reader_open(base, NULL);
	uint64_t epoch = 0;
	uint64_t last = 0;
	srandom(2);
	for (int killed = 0; killed < kills; killed++) {
		pid_t writer;
		SPAWN(writer, write_for_good((unsigned)killed, size));
		/* Some die before they got anywhere. */
		struct timespec instant = {.tv_nsec = random() % (killed % 4 == 0 ? 1000000 : 20000000)};
		(void)nanosleep(&instant, NULL);
		kill_and_reap(writer);
		slip_frame *f = slip_get_array(watcher, "a");
		if (f == NULL)
			continue;
		CHECK(epoch == 0 || f->epoch == epoch);
		CHECK(f->seq >= last);
		epoch = f->epoch;
		last = f->seq;
		(void)slip_release(f);
	}
	slip_reader_close(watcher);
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = 6;
	slip_writer *writer = slip_writer_open(base, &options);
	int err;
	while ((err = publish_numbered(writer, "a", 8)) == EBUSY || err == EAGAIN)
		pause_ms(1);
	CHECK(err == 0);
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	CHECK(slip_writer_get_stats(writer, "a", &stats) == 0);
	CHECK(stats.epoch == epoch);
	CHECK(stats.last_seq > last);
	slip_writer_close(writer);
	for (int i = 0; i < 2; i++)
		expect_clean_end(readers[i]);
	printf("%d writers killed, %llu frames published, frames of %llu bytes at the end\n", kills, (unsigned long long)stats.last_seq,
	       (unsigned long long)*size * 8);
	expect_good(&tallies[0], "in order");
	expect_good(&tallies[1], "latest");
	CHECK(a64_load_relaxed(&tallies[0].verified) > 0 && a64_load_relaxed(&tallies[1].verified) > 0);
	CHECK(objects_with(base) == 0);
	return 0;
}
