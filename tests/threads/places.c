/*
 * Places in the reader table change hands while the writer clears up after the dead: whoever has a place keeps its pins, whoever died
 * leaves none. A reader dies here by letting go of its lock, as the kernel does for it, and of nothing else.
 */
#include "liveness.h"
#include "threads.h"

enum { READERS = 6, PLACES = 4 };

static struct slip__segment segment;
static slip__a64 lives;
static slip__a64 deaths;
static slip__a64 crowded;
static int rounds;

/* Two slots that only this reader marks; nobody else may touch its bit while it has the place. */
static void live_and_die(uint64_t *random)
{
	uint32_t place;
	void *anchor = slip__liveness_take_reader(&segment, &place);
	if (anchor == NULL) {
		CHECK(errno == EUSERS);
		add(&crowded, 1);
		return;
	}
	const uint64_t bit = UINT64_C(1) << place;
	for (uint32_t s = 0; s < segment.geometry.slots; s++)
		CHECK((a64_load_relaxed(slip__pins(&segment.ring, s)) & bit) == 0); /* nothing of the one before */
	a64_or_relaxed(&segment.header->in_order, bit);
	slip__liveness_show_reader(&segment, place);
	uint32_t slots[2] = {(uint32_t)(random_number(random) % segment.geometry.slots), 0};
	slots[1] = (slots[0] + 1) % segment.geometry.slots;
	for (int i = 0; i < 2; i++)
		a64_or_acq_rel(slip__pins(&segment.ring, slots[i]), bit);
	for (uint64_t looks = random_number(random) % 64; looks > 0; looks--)
		for (int i = 0; i < 2; i++)
			CHECK((a64_load_relaxed(slip__pins(&segment.ring, slots[i])) & bit) != 0);
	add(&lives, 1);
	if (random_number(random) % 2 == 0) {
		add(&deaths, 1);
		slip__os_anchor_drop(anchor);
		return;
	}
	for (int i = 0; i < 2; i++)
		slip__slot_release(&segment.ring, slots[i], bit);
	slip__liveness_drop_reader(&segment, place, anchor);
}

static void *be_a_reader(void *number)
{
	uint64_t random = random_state(test_seed(), (uintptr_t)number);
	for (int round = 0; round < rounds; round++)
		live_and_die(&random);
	return NULL;
}

static void *clear_up(void *unused)
{
	(void)unused;
	while (running())
		(void)slip__liveness_reclaim(&segment, slip__liveness_marked(&segment));
	return NULL;
}

int main(void)
{
	rounds = SANITIZED ? 1000 : 10000;
	slip_channel_name name;
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.max_readers = PLACES;
	(void)test_seed();
	CHECK(slip__name_make(own_base("places"), "a", &name) == 0);
	slip_writer *writer = slip_writer_open(name.base, &options);
	slip_array a = bytes_array("x", 1);
	CHECK(slip_set_array(writer, "a", &a) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &segment) == 0);
	pthread_t threads[READERS];
	pthread_t clearing[2];
	for (uintptr_t i = 0; i < READERS; i++)
		pthread_create(&threads[i], NULL, be_a_reader, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_create(&clearing[i], NULL, clear_up, NULL);
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	a32_store_relaxed(&over, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(clearing[i], NULL);
	CHECK(slip_readers_attached(writer, "a") == 0);
	CHECK(slip__liveness_marked(&segment) == 0);
	CHECK(slip__segment_check(&segment) == 0);
	slip__segment_close(&segment);
	slip_writer_close(writer);
	CHECK(objects_with(name.base) == 0);
	CHECK(count_of(&lives) > 0 && count_of(&deaths) > 0);
	printf("places: %llu readers in %d places, %llu of them died there, no pin lost or left; %llu found all taken\n", count_of(&lives),
	       PLACES, count_of(&deaths), count_of(&crowded));
	return 0;
}
