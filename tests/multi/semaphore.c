/*
 * semaphore.c - semaphore mode under fire: readers of ours are killed at any moment, then writers, while another program that knows nothing of slipring
 * reads along. No frame is torn, nobody is stuck, nothing stays.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "processes.h"

#include <fcntl.h>
#include <semaphore.h>
#include <sys/stat.h>

enum { WORDS = 4096, READER_KILLS = SANITIZED ? 100 : 400, WRITER_KILLS = SANITIZED ? 30 : 100, READERS = 3 };

static const char *base;

static slip_writer *open_writer(void)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	slip_writer *writer = slip_writer_open(base, &options);
	CHECK(writer != NULL);
	return writer;
}

static int publish(slip_writer *writer, uint64_t number)
{
	static uint64_t words[WORDS];
	slip_array a = SLIP_ARRAY_INIT;
	a.data = words;
	a.dtype = SLIP_F64; /* any of eight bytes */
	a.ndim = 1;
	a.shape[0] = WORDS;
	fill_words(words, WORDS, number);
	return slip_set_array(writer, "a", &a) == 0 ? 0 : errno;
}

/* Until stop is set, with what may be missing or contended left out. */
static int read_along(const slip__a32 *stop, struct tally *tally)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	options.lock_timeout_ns = 1000000;
	slip_reader *reader = slip_reader_open(base, &options);
	CHECK(reader != NULL);
	while (a32_load_relaxed(stop) == 0) {
		slip_frame *f = slip_get_array(reader, "a");
		if (f == NULL && errno != EAGAIN && errno != ENOENT && errno != EPIPE) {
			fprintf(stderr, "reader: errno %d: %s\n", errno, slip_error_detail());
			add(&tally->failed, 1);
			break;
		}
		if (f == NULL)
			continue;
		add(whole_words(f->data, WORDS) != 0 ? &tally->verified : &tally->torn, 1);
		CHECK(slip_release(f) == 0);
	}
	slip_reader_close(reader);
	return 0;
}

static ino_t semaphore_now(void)
{
	char path[128];
	struct stat status;
	(void)snprintf(path, sizeof(path), "/dev/shm/sem.%s_a_sem", base);
	return stat(path, &status) == 0 ? status.st_ino : 0;
}

/*
 * As an existing program does it, but that it opens the names again now and then, and uses only what belongs together: one writer's semaphore beside the next
 * one's memory excludes nobody, which is the format's, not the lock's.
 */
static int read_along_without_slipring(const slip__a32 *stop, struct tally *tally)
{
	static uint64_t words[WORDS];
	char name[128];
	while (a32_load_relaxed(stop) == 0) {
		ino_t before = semaphore_now();
		(void)snprintf(name, sizeof(name), "/%s_a_sem", base);
		sem_t *lock = sem_open(name, 0);
		(void)snprintf(name, sizeof(name), "/%s_a_shm", base);
		int fd = shm_open(name, O_RDWR, 0);
		struct stat status;
		bool whole = fd >= 0 && fstat(fd, &status) == 0 && status.st_size == (off_t)(64 + sizeof(words));
		void *memory = whole ? mmap(NULL, 64 + sizeof(words), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
		bool belong = before != 0 && semaphore_now() == before;
		for (int i = 0; i < 50 && belong && lock != SEM_FAILED && memory != MAP_FAILED; i++) {
			struct timespec limit;
			clock_gettime(CLOCK_REALTIME, &limit);
			limit.tv_sec += 1;
			if (sem_timedwait(lock, &limit) != 0)
				break;
			double stamp;
			memcpy(&stamp, (char *)memory + 32, sizeof(stamp));
			memcpy(words, (char *)memory + 64, sizeof(words));
			(void)sem_post(lock);
			if (stamp != 0)
				add(whole_words(words, WORDS) != 0 ? &tally->verified : &tally->torn, 1);
		}
		if (memory != MAP_FAILED)
			munmap(memory, 64 + sizeof(words));
		if (fd >= 0)
			close(fd);
		if (lock != SEM_FAILED)
			sem_close(lock);
	}
	return 0;
}

struct shared {
	slip__a32 stop;
	slip__a32 unused;
	struct tally ours;
	struct tally theirs;
};

static void start(struct shared *s, pid_t readers[READERS], pid_t *other)
{
	a32_store_relaxed(&s->stop, 0);
	for (int i = 0; i < READERS; i++)
		SPAWN(readers[i], read_along(&s->stop, &s->ours));
	SPAWN(*other, read_along_without_slipring(&s->stop, &s->theirs));
}

static void end(struct shared *s, const pid_t readers[READERS], pid_t other, const char *what)
{
	a32_store_relaxed(&s->stop, 1);
	for (int i = 0; i < READERS; i++)
		expect_clean_end(readers[i]);
	expect_clean_end(other);
	CHECK(objects_with(base) == 0);
	expect_good(&s->ours, what);
	expect_good(&s->theirs, "  an existing program beside them");
	CHECK(a64_load_relaxed(&s->ours.verified) > 0 && a64_load_relaxed(&s->theirs.verified) > 0);
}

static void kill_readers(struct shared *s)
{
	pid_t readers[READERS];
	pid_t other;
	uint64_t number = 1;
	slip_writer *writer = open_writer();
	CHECK(publish(writer, number++) == 0);
	start(s, readers, &other);
	for (int kills = 0; kills < READER_KILLS; kills++) {
		int victim = kills % READERS;
		for (int i = 0; i < 20; i++)
			CHECK(publish(writer, number++) == 0); /* within its second, whoever died with the lock */
		kill_and_reap(readers[victim]);
		SPAWN(readers[victim], read_along(&s->stop, &s->ours));
	}
	CHECK(publish(writer, number) == 0);
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	CHECK(slip_writer_get_stats(writer, "a", &stats) == 0);
	printf("%d readers killed; %llu frames, %llu refused, %llu times fresh objects\n", READER_KILLS,
	       (unsigned long long)stats.published, (unsigned long long)stats.refused, (unsigned long long)stats.grown);
	CHECK(stats.refused == 0);
	slip_writer_close(writer);
	end(s, readers, other, "readers that are killed");
}

static int write_on(void)
{
	slip_writer *writer = open_writer();
	for (uint64_t number = 1;; number++) {
		int err = publish(writer, number);
		CHECK(err == 0 || err == EAGAIN);
	}
}

static void kill_writers(struct shared *s)
{
	pid_t readers[READERS];
	pid_t other;
	start(s, readers, &other);
	for (int kills = 0; kills < WRITER_KILLS; kills++) {
		pid_t writer;
		SPAWN(writer, write_on());
		uint64_t before = a64_load_relaxed(&s->ours.verified);
		/* Alive until somebody has read from it, so that the next one is seen to go on. */
		for (int i = 0; i < 20000 && a64_load_relaxed(&s->ours.verified) < before + 5; i++)
			pause_ms(1);
		CHECK(a64_load_relaxed(&s->ours.verified) >= before + 5);
		kill_and_reap(writer);
	}
	slip_writer *writer = open_writer();
	CHECK(publish(writer, 1) == 0);
	printf("%d writers killed\n", WRITER_KILLS);
	slip_writer_close(writer);
	end(s, readers, other, "writers that are killed");
}

int main(void)
{
	struct shared *s = shared_memory(sizeof(*s));
	base = own_base("semaphore");
	kill_readers(s);
	kill_writers(s);
	return 0;
}
