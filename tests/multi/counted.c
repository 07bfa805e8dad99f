/* A reader in order that the writer counts as attached has every frame from then on: 1000 attach while the writer waits to begin. */
#include "processes.h"

enum { ROUNDS = 1000, FRAMES = 7 };

static int read_all(const char *base, slip_mode mode)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = mode;
	slip_reader *reader = slip_reader_open(base, &options);
	CHECK(reader != NULL);
	for (uint64_t i = 1; i <= FRAMES; i++) {
		slip_frame *f = slip_next(reader, "a", INT64_C(20000000000));
		CHECK(f != NULL);
		CHECK(f->seq == i && f->missed == 0);
		CHECK(slip_release(f) == 0);
	}
	slip_reader_close(reader);
	return 0;
}

int main(void)
{
	static char name[64];
	(void)snprintf(name, sizeof(name), "%s", own_base("counted"));
	for (int round = 0; round < ROUNDS; round++) {
		slip_writer *writer = slip_writer_open(name, NULL);
		slip_array what = bytes_array("x", 1);
		CHECK(slip_channel_create(writer, "a", &what) == 0);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0)
			_exit(read_all(name, round % 2 == 0 ? SLIP_MODE_DEFAULT : SLIP_MODE_LOCK_FREE));
		while (slip_readers_attached(writer, "a") == 0)
			CHECK(waitpid(pid, NULL, WNOHANG) == 0);
		for (int i = 0; i < FRAMES; i++)
			CHECK(slip_set_array(writer, "a", &what) == 0);
		int status;
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		slip_writer_close(writer);
	}
	CHECK(objects_with(name) == 0);
	printf("%d readers were counted, and each had all %d frames published from then on\n", ROUNDS, FRAMES);
	return 0;
}
