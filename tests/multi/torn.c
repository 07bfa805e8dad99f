/* No frame is torn and every count of missed frames is right: 1, 8 and 62 readers, small frames and 1080p. */
#include "processes.h"

static uint64_t run(int readers, size_t words, uint64_t frames)
{
	char base[128];
	(void)snprintf(base, sizeof(base), "%s-%d-%zu", own_base("torn"), readers, words);
	struct tally *tally = shared_memory(sizeof(*tally));
	slip_writer *writer = slip_writer_open(base, NULL);
	slip_array a = bytes_array(NULL, (int64_t)words * 8);
	CHECK(slip_channel_create(writer, "a", &a) == 0);
	pid_t children[62];
	for (int i = 0; i < readers; i++)
		SPAWN(children[i], read_and_verify(base, "a", i % 2 == 0, tally));
	wait_for_readers(writer, "a", readers);
	uint64_t refused = 0;
	for (uint64_t published = 0; published < frames;) {
		int err = publish_numbered(writer, "a", words);
		CHECK(err == 0 || err == EAGAIN); /* 8 slots are fewer than 62 readers may hold */
		published += err == 0;
		refused += err != 0;
	}
	slip_writer_close(writer);
	for (int i = 0; i < readers; i++)
		expect_clean_end(children[i]);
	char what[128];
	(void)snprintf(what, sizeof(what), "%llu frames of %zu bytes, %d readers, %llu refused", (unsigned long long)frames, words * 8,
		       readers, (unsigned long long)refused);
	expect_good(tally, what);
	CHECK(a64_load_relaxed(&tally->verified) > 0);
	CHECK(objects_with(base) == 0);
	return frames;
}

int main(void)
{
	const int readers[] = {1, 8, 62};
	const uint64_t small = SANITIZED ? 20000 : 400000;
	const uint64_t large[] = {SANITIZED ? 50 : 1200, SANITIZED ? 30 : 600, SANITIZED ? 10 : 200};
	uint64_t all_small = 0;
	uint64_t all_large = 0;
	for (int i = 0; i < 3; i++) {
		all_small += run(readers[i], 16, small);
		all_large += run(readers[i], 1920 * 1080 * 3 / 8, large[i]);
	}
	printf("published: %llu small, %llu of 1080p\n", (unsigned long long)all_small, (unsigned long long)all_large);
	return 0;
}
