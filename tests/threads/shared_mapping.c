/*
 * The whole library over one mapping of each object (tsan/one_mapping.h), so that ThreadSanitizer sees every word that writers and readers
 * share: writers that copy in, lend, discard, keep, grow and start again, on two channels of one handle, and readers of every kind, all in
 * one process. Every frame is verified.
 */
#include "one_mapping.h"
#include "threads.h"

enum {
	EPOCHS = 6,
	STEPS = 300,	   /* of each channel in an epoch */
	MOST_WORDS = 6000, /* a ring that begins with a page grows some times on the way there */
	LEASES = 3
};

static char base[64];
static slip__a32 writers_left;
static slip__a64 verified;
static slip__a64 published;
static slip__a64 refused;
static slip__a64 generations;
static slip_waker *waker;
static uint64_t seed;

/* ---- what all do ---- */

static void verify(const slip_frame *f)
{
	CHECK(f->size % 8 == 0 && whole_words(f->data, f->size / 8) == f->seq);
	add(&verified, 1);
}

static void see_and_release(slip_frame *f)
{
	add(&verified, 1);
	verify_and_release(f);
}

/* What a reader may be told while writers come and go. */
static void expect_no_news(void)
{
	CHECK(errno == ENOENT || errno == EPIPE || errno == ETIMEDOUT || errno == EMFILE || errno == EUSERS);
}

/* Has another thread release it. */
static void let_go(slip_frame *frame)
{
	if (!hand_over(frame))
		CHECK(slip_release(frame) == 0);
}

static void *release_all(void *unused)
{
	(void)unused;
	while (a32_load_relaxed(&over) < 2) {
		(void)release_handed_over();
		slip_waker_wake(waker);
		pause_ms(0);
	}
	return NULL;
}

/* ---- writing ---- */

struct writing {
	slip_writer *writer;
	const char *channel;
	uint64_t random;
	uint64_t step;
};

static uint64_t next_seq(const struct writing *w)
{
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	CHECK(slip_writer_get_stats(w->writer, w->channel, &stats) == 0);
	return stats.last_seq + 1;
}

static slip_array some_words(struct writing *w, const uint64_t *data)
{
	uint64_t most = 64 + w->step * MOST_WORDS / STEPS;
	slip_array a = SLIP_ARRAY_INIT;
	a.data = data;
	a.dtype = SLIP_U64;
	a.ndim = 1;
	a.shape[0] = (int64_t)(1 + random_number(&w->random) % most);
	return a;
}

static slip_frame *lend(struct writing *w)
{
	slip_array a = some_words(w, NULL);
	slip_frame *loan = slip_loan(w->writer, w->channel, &a);
	CHECK(loan != NULL || errno == EAGAIN || errno == EMFILE);
	add(&refused, loan == NULL);
	return loan;
}

static void publish(const struct writing *w, slip_frame *loan, bool keep)
{
	if (loan == NULL)
		return;
	fill_words(loan->data, loan->size / 8, next_seq(w));
	CHECK(slip_frame_set_metadata(loan, &loan->size, sizeof(loan->size)) == 0);
	if ((keep ? slip_publish_keep(loan) : slip_publish(loan)) == 0) {
		add(&published, 1);
		if (keep)
			let_go(loan);
		return;
	}
	CHECK(errno == EAGAIN); /* the ring has grown since, and has no slot for it */
	add(&refused, 1);
	CHECK(slip_discard(loan) == 0);
}

static void copy_in(struct writing *w)
{
	static _Thread_local uint64_t words[MOST_WORDS + 64];
	slip_array a = some_words(w, words);
	fill_words(words, (size_t)a.shape[0], next_seq(w));
	bool done = slip_set_array(w->writer, w->channel, &a) == 0;
	CHECK(done || errno == EAGAIN || errno == EMFILE);
	add(done ? &published : &refused, 1);
}

static void write_once(struct writing *w)
{
	slip_frame *first;
	switch (random_number(&w->random) % 8) {
	case 0:
		first = lend(w);
		CHECK(first == NULL || slip_discard(first) == 0);
		return;
	case 1:
		first = lend(w);
		if (first != NULL && slip_discard_keep(first) == 0)
			let_go(first);
		return;
	case 2: publish(w, lend(w), true); return;
	case 3: /* two at once, the second one first; it may make the ring grow under
             the other */
		first = lend(w);
		publish(w, lend(w), false);
		publish(w, first, false);
		return;
	case 4: CHECK(slip_readers_attached(w->writer, w->channel) >= 0); return;
	case 5: publish(w, lend(w), false); return;
	default: copy_in(w);
	}
}

static void *write_channel(void *context)
{
	struct writing *w = context;
	for (w->step = 0; w->step < STEPS; w->step++) {
		write_once(w);
		if (w->step % 16 == 0)
			pause_ms(1); /* so that readers fall asleep as well */
	}
	return NULL;
}

/* ---- reading; each kind is a thread ---- */

static slip_reader *open_reader(slip_mode mode, bool observer)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = mode;
	options.observer = observer;
	slip_reader *r = slip_reader_open(base, &options);
	CHECK(r != NULL);
	return r;
}

static void read_latest(slip_mode mode, bool observer)
{
	slip_reader *r = open_reader(mode, observer);
	while (running()) {
		slip_frame *f = slip_get_array(r, "a");
		if (f == NULL) {
			expect_no_news();
			(void)slip_wait(r, "a", 2000000);
			continue;
		}
		slip_frame *again = slip_get_array(r, "a"); /* the same lease where nothing newer came */
		if (again != NULL)
			see_and_release(again);
		see_and_release(f);
	}
	slip_reader_close(r);
}

static void *latest(void *unused)
{
	(void)unused;
	read_latest(SLIP_MODE_LOCK_FREE, false);
	return NULL;
}

static void *observing(void *unused)
{
	(void)unused;
	read_latest(SLIP_MODE_LOCK_FREE, true);
	return NULL;
}

/* Without a mode, so that each time the name leads nowhere semaphore mode is asked too. Numbers and counts of missed frames agree. */
static void *in_order(void *unused)
{
	(void)unused;
	slip_reader *r = open_reader(SLIP_MODE_DEFAULT, false);
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	uint64_t last = 0;
	uint64_t epoch = 0;
	while (running()) {
		slip_frame *f = slip_next(r, "b", 3000000);
		if (f == NULL) {
			expect_no_news();
			continue;
		}
		CHECK(f->epoch != epoch || (f->seq > last && f->missed == f->seq - last - 1));
		last = f->seq;
		epoch = f->epoch;
		see_and_release(f);
	}
	CHECK(slip_reader_get_stats(r, "b", &stats) == 0);
	add(&generations, stats.generations);
	slip_reader_close(r);
	return NULL;
}

/* Holds several frames, and has others release them. */
static void *holding(void *unused)
{
	(void)unused;
	slip_reader *r = open_reader(SLIP_MODE_LOCK_FREE, false);
	while (running()) {
		slip_frame *held[LEASES] = {NULL};
		for (int i = 0; i < LEASES; i++) {
			held[i] = slip_next(r, "a", 1000000);
			if (held[i] == NULL)
				expect_no_news();
		}
		for (int i = 0; i < LEASES; i++) {
			if (held[i] == NULL)
				continue;
			verify(held[i]);
			let_go(held[i]);
		}
	}
	slip_reader_close(r);
	return NULL;
}

/* Its handle goes before its frame does. */
static void *coming_and_going(void *channel)
{
	while (running()) {
		slip_reader *r = open_reader(SLIP_MODE_DEFAULT, false);
		slip_frame *f = NULL;
		for (int i = 0; i < 3; i++) {
			slip_frame *newer = slip_get_array(r, channel);
			if (newer == NULL)
				expect_no_news();
			if (newer == NULL)
				continue;
			if (f != NULL)
				let_go(f);
			f = newer;
		}
		slip_reader_close(r);
		if (f != NULL)
			see_and_release(f);
		else
			pause_ms(1);
	}
	return NULL;
}

static void *waiting(void *unused)
{
	(void)unused;
	slip_reader *r = open_reader(SLIP_MODE_DEFAULT, false);
	slip_wait_item items[3] = {{.reader = r, .channel = "a"}, {.reader = r, .channel = "b"}, {.waker = waker}};
	while (running()) {
		if (slip_wait_any(items, 3, 5000000) < 0)
			expect_no_news();
		for (int i = 0; i < 2; i++) {
			slip_frame *f = items[i].ready ? slip_get_array(r, items[i].channel) : NULL;
			if (f != NULL)
				see_and_release(f);
		}
	}
	slip_reader_close(r);
	return NULL;
}

static void *asking(void *unused)
{
	(void)unused;
	slip_reader *r = open_reader(SLIP_MODE_DEFAULT, false);
	static uint64_t copy[MOST_WORDS + 64];
	while (running()) {
		int64_t shape[SLIP_MAX_DIMS];
		slip_dtype dtype;
		int ndim = slip_get_shape(r, "b", shape);
		CHECK(ndim == 1 || ndim == -1);
		CHECK(ndim < 0 || (shape[0] > 0 && shape[0] < MOST_WORDS + 64));
		CHECK(slip_get_dtype(r, "b", &dtype) != 0 || slip_dtype_size(dtype) == 8);
		(void)slip_writer_alive(r, "b");
		slip_frame *f = slip_get_array(r, "b");
		if (f != NULL) {
			uint64_t size;
			CHECK(slip_copy(f, copy, sizeof(copy)) == (int64_t)f->size && whole_words(copy, f->size / 8) == f->seq);
			if (f->metadata_size > 0) {
				memcpy(&size, f->metadata, sizeof(size));
				CHECK(size == f->size);
			}
			see_and_release(f);
		}
		slip_channel_info *info = slip_channel_inspect(base, "b", SLIP_MODE_DEFAULT);
		if (info == NULL)
			pause_ms(1);
		slip_channel_info_free(info);
	}
	slip_reader_close(r);
	return NULL;
}

/* ---- the runs ---- */

static void write_epochs(void)
{
	for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
		slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
		options.leases_per_reader = LEASES;
		slip_writer *writer = slip_writer_open(base, &options);
		slip_array first = bytes_array(NULL, 8);
		struct writing two[2];
		pthread_t threads[2];
		for (int i = 0; i < 2; i++) {
			two[i] = (struct writing){
				.writer = writer, .channel = i == 0 ? "a" : "b", .random = random_state(seed, 2 * epoch + (uint64_t)i)};
			CHECK(slip_channel_create(writer, two[i].channel, &first) == 0);
		}
		for (int i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, write_channel, &two[i]);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		slip_writer_close(writer);
	}
}

static void run_ring(void)
{
	void *(*const kinds[])(void *) = {latest,	    observing, in_order, holding, coming_and_going,
					  coming_and_going, waiting,   asking,	 latest};
	enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };
	static char a[] = "a";
	static char b[] = "b";
	pthread_t threads[KINDS];
	pthread_t releaser;
	waker = slip_waker_open();
	pthread_create(&releaser, NULL, release_all, NULL);
	for (int i = 0; i < KINDS; i++)
		pthread_create(&threads[i], NULL, kinds[i], i % 2 == 0 ? a : b);
	write_epochs();
	a32_store_relaxed(&over, 1);
	for (int i = 0; i < KINDS; i++)
		pthread_join(threads[i], NULL);
	a32_store_relaxed(&over, 2);
	pthread_join(releaser, NULL);
	(void)release_handed_over();
	slip_waker_close(waker);
}

/* Semaphore mode: the order is that of a semaphore, which ThreadSanitizer knows. */
static void *read_under_lock(void *unused)
{
	(void)unused;
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = SLIP_MODE_SEMAPHORE;
	options.lock_timeout_ns = 20000000;
	slip_reader *r = slip_reader_open(base, &options);
	while (a32_load_relaxed(&writers_left) != 0) {
		slip_frame *f = slip_get_array(r, "locked");
		if (f == NULL) {
			CHECK(errno == ENOENT || errno == EPIPE || errno == EAGAIN);
			(void)slip_wait(r, "locked", 1000000);
			continue;
		}
		CHECK(whole_words(f->data, f->size / 8) > 0);
		add(&verified, 1);
		CHECK(slip_release(f) == 0);
	}
	slip_reader_close(r);
	return NULL;
}

static void run_semaphore(void)
{
	enum { READERS = 3, FRAMES = 200, WORDS = 16384 }; /* long enough that others come while one holds the lock */
	pthread_t threads[READERS];
	a32_store_relaxed(&writers_left, 1);
	for (int i = 0; i < READERS; i++)
		pthread_create(&threads[i], NULL, read_under_lock, NULL);
	for (int epoch = 0; epoch < 3; epoch++) {
		slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
		options.mode = SLIP_MODE_SEMAPHORE;
		slip_writer *writer = slip_writer_open(base, &options);
		for (uint64_t n = 1; n <= FRAMES; n++) {
			static uint64_t words[WORDS];
			fill_words(words, WORDS, n);
			slip_array a = bytes_array(words, sizeof(words));
			while (slip_set_array(writer, "locked", &a) != 0)
				CHECK(errno == EAGAIN); /* the lock not had within its time, on a loaded machine */
			add(&published, 1);
		}
		slip_writer_close(writer);
	}
	a32_store_relaxed(&writers_left, 0);
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	(void)snprintf(base, sizeof(base), "%s", own_base("shared-mapping"));
	seed = test_seed();
	run_ring();
	run_semaphore();
	CHECK(objects_with(base) == 0);
	CHECK(one_mapping_shared() > 0);
	printf("one mapping: %llu frames published, %llu refused, %llu verified, %llu rings followed in order, %lu mappings shared\n",
	       count_of(&published), count_of(&refused), count_of(&verified), count_of(&generations), one_mapping_shared());
	return 0;
}
