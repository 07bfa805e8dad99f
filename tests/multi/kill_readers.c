/* Readers killed at random instants leave nothing: no torn frame for the others, no pin, no object. */
#include "processes.h"

enum { READERS = 4, WORDS = 512 };

int main(void)
{
	const int kills = SANITIZED ? 100 : 1000;
	char base[64];
	(void)snprintf(base, sizeof(base), "%s", own_base("killr"));
	struct tally *tally = shared_memory(sizeof(*tally));
	/* Enough slots for the living; what the dead hold must come back. */
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = READERS * 2 + 2;
	options.max_loans = 1;
	slip_writer *writer = slip_writer_open(base, &options);
	CHECK(publish_numbered(writer, "a", WORDS) == 0);
	pid_t children[READERS];
	for (int i = 0; i < READERS; i++)
		SPAWN(children[i], read_and_verify(base, "a", i % 2 == 0, tally));
	uint64_t refused = 0;
	srandom(1);
	for (int killed = 0; killed < kills; killed++) {
		for (long frames = random() % 400; frames >= 0; frames--) {
			int err = publish_numbered(writer, "a", WORDS);
			CHECK(err == 0 || err == EAGAIN);
			refused += err != 0;
		}
		int i = (int)(random() % READERS);
		kill_and_reap(children[i]);
		SPAWN(children[i], read_and_verify(base, "a", i % 2 == 0, tally));
	}
	for (int i = 0; i < READERS; i++)
		kill_and_reap(children[i]);
	/* The kernel lets go of a dead process's lock a moment after the process can be waited for. */
	wait_for_readers(writer, "a", 0);
	CHECK(publish_numbered(writer, "a", WORDS) == 0);
	expect_nothing_held(base, "a");
	slip_writer_close(writer);
	CHECK(objects_with(base) == 0);
	printf("%d readers killed, %llu publishes refused while the kernel let go of them\n", kills, (unsigned long long)refused);
	expect_good(tally, "the others");
	CHECK(a64_load_relaxed(&tally->verified) > 0);
	return 0;
}
