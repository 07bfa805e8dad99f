/* 64 writers race for one name: exactly one wins each round; what a killed winner leaves is taken over by exactly one. */
#include "processes.h"

enum { WRITERS = 64 };

struct arena {
	slip__a32 go; /* the round that may start */
	slip__a64 won;
	slip__a64 lost;
	slip__a64 odd;
};

static char base[64];

static int contend(struct arena *arena, uint32_t round, bool die)
{
	slip_writer *writer = slip_writer_open(base, NULL);
	slip_array a = bytes_array("x", 1);
	while (a32_load_acquire(&arena->go) < round)
		pause_ms(1);
	int result = slip_set_array(writer, "a", &a);
	if (result == 0)
		add(&arena->won, 1);
	else if (errno == EBUSY)
		add(&arena->lost, 1);
	else {
		fprintf(stderr, "errno %d: %s\n", errno, slip_error_detail());
		add(&arena->odd, 1);
	}
	/* Whoever has won holds on until all have tried. */
	while (a64_load_relaxed(&arena->won) + a64_load_relaxed(&arena->lost) + a64_load_relaxed(&arena->odd) < WRITERS)
		pause_ms(1);
	if (result == 0 && die)
		raise(SIGKILL);
	slip_writer_close(writer);
	return 0;
}

int main(void)
{
	const uint32_t rounds = SANITIZED ? 4 : 20;
	(void)snprintf(base, sizeof(base), "%s", own_base("race"));
	struct arena *arena = shared_memory(sizeof(*arena));
	for (uint32_t round = 1; round <= rounds; round++) {
		pid_t children[WRITERS];
		a64_store_relaxed(&arena->won, 0);
		a64_store_relaxed(&arena->lost, 0);
		for (int i = 0; i < WRITERS; i++)
			SPAWN(children[i], contend(arena, round, round % 2 == 1));
		a32_store_release(&arena->go, round);
		for (int i = 0; i < WRITERS; i++)
			CHECK(waitpid(children[i], NULL, 0) == children[i]);
		CHECK(a64_load_relaxed(&arena->odd) == 0);
		/* A lock of the round before may not be free yet; then all have lost, which is right as well. */
		CHECK(a64_load_relaxed(&arena->won) <= 1);
		CHECK(a64_load_relaxed(&arena->won) + a64_load_relaxed(&arena->lost) == WRITERS);
		if (a64_load_relaxed(&arena->won) == 0) {
			round--;
			a32_store_release(&arena->go, round);
			pause_ms(5);
		}
	}
	slip_writer *writer = slip_writer_open(base, NULL);
	slip_array a = bytes_array("x", 1);
	while (slip_set_array(writer, "a", &a) != 0)
		CHECK(errno == EBUSY);
	slip_writer_close(writer);
	CHECK(objects_with(base) == 0);
	printf("%u rounds of %d writers, one winner each\n", rounds, WRITERS);
	return 0;
}
