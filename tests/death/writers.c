/*
 * A writer killed after every instruction of slipring's in each of its calls, with the ring in each state: the next writer goes on, in the same epoch,
 * with the next number; who read along loses nothing; no slot is lost, nothing is left over.
 */
#include "death.h"

enum { SLOTS = 4, WORDS = 8, MORE_WORDS = 4096 };

#define SECOND INT64_C(1000000000)

enum state { EMPTY, ONE, FULL, ALL_BUT_ONE_LEASED, ALL_LEASED, RETIRED, SHARED, STATES };

static const char *const STATE_NAMES[STATES] = {
	"empty",	  "one frame", "full", "all slots but one leased", "every slot leased", "a generation retired, a lease in it",
	"a lease shared",
};

enum call {
	SET,
	LOAN_AND_PUBLISH,
	PUBLISH_ONE_OF_TWO,
	DISCARD,
	KEEP_AND_RELEASE,
	GROW,
	PUBLISH_AFTER_GROWTH,
	CLOSE,
	CREATE,
	TAKE_OVER,
	TAKE_OVER_HALF_FILLED,
	TAKE_OVER_NOT_LINKED,
	CALLS
};

static const char *const CALL_NAMES[CALLS] = {
	"set",
	"loan and publish",
	"publish, another loan out",
	"loan and discard",
	"publish_keep and release",
	"grow",
	"publish a loan of before the growth",
	"close",
	"create",
	"take over",
	"take over from one that died filling",
	"take over from one that died before it linked",
};

struct scene {
	enum state state;
	enum call call;
	char base[64];
	slip_reader *bystander; /* the parent's; reads in order from the first frame on */
	slip_frame *held[SLOTS + 1];
	int held_count;
	uint64_t last; /* seq that the bystander had last */
	uint64_t epoch;
	uint64_t before; /* frames published before the call */
};

static slip_writer_options options_of(void)
{
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.slots = SLOTS;
	o.max_readers = 4;
	o.leases_per_reader = SLOTS + 1;
	o.max_loans = SLOTS;
	return o;
}

static slip_writer *open_writer(const char *base)
{
	slip_writer_options o = options_of();
	slip_writer *writer = slip_writer_open(base, &o);
	CHECK(writer != NULL);
	return writer;
}

static slip_array words_array(size_t words)
{
	slip_array a = SLIP_ARRAY_INIT;
	a.dtype = SLIP_U64;
	a.ndim = 1;
	a.shape[0] = (int64_t)words;
	return a;
}

static slip_frame *loan_numbered(slip_writer *writer, size_t words, uint64_t number)
{
	slip_array a = words_array(words);
	slip_frame *loan = slip_loan(writer, "a", &a);
	if (loan != NULL)
		fill_words(loan->data, words, number);
	return loan;
}

static int frames_in(enum state state)
{
	return state == EMPTY ? 0 : state == ONE ? 1 : 2 * SLOTS + 1;
}

static bool takes_over(enum call call)
{
	return call == TAKE_OVER || call == TAKE_OVER_HALF_FILLED || call == TAKE_OVER_NOT_LINKED;
}

/* Brings the ring into its state, the parent's bystander reading along. Marks twice. */
static void set_up(const struct scene *s, slip_writer *writer)
{
	slip_array a = words_array(WORDS);
	CHECK(slip_channel_create(writer, "a", &a) == 0);
	traced_mark(); /* the bystander comes */
	for (int i = 0; i < frames_in(s->state); i++)
		CHECK(publish_numbered(writer, "a", WORDS) == 0);
	traced_mark(); /* and takes its leases */
	if (s->state == RETIRED)
		CHECK(publish_numbered(writer, "a", 2 * MORE_WORDS) == 0);
}

/* A writer that sets the ring up and dies, as a child of the child, so that its lock is not ours. */
static void set_up_and_die(const struct scene *s)
{
	slip_writer *writer = open_writer(s->base);
	set_up(s, writer);
	if (s->call == TAKE_OVER_HALF_FILLED) {
		slip_frame *loan = loan_numbered(writer, WORDS, 99);
		CHECK(loan != NULL || s->state == ALL_LEASED);
	}
	traced_mark();
}

/* The frame that the call publishes says its number. */
static void call(const struct scene *s, slip_writer *writer, slip_frame *loan, uint64_t number)
{
	uint64_t words[WORDS];
	slip_array a = words_array(WORDS);
	a.data = words;
	fill_words(words, WORDS, number);
	switch (s->call) {
	case SET: (void)slip_set_array(writer, "a", &a); break;
	case LOAN_AND_PUBLISH:
		loan = slip_loan(writer, "a", &a);
		if (loan != NULL) {
			fill_words(loan->data, WORDS, number);
			(void)slip_publish(loan);
		}
		break;
	case PUBLISH_ONE_OF_TWO:
	case PUBLISH_AFTER_GROWTH: (void)slip_publish(loan); break;
	case DISCARD: (void)slip_discard(slip_loan(writer, "a", &a)); break;
	case KEEP_AND_RELEASE:
		loan = slip_loan(writer, "a", &a);
		if (loan != NULL) {
			fill_words(loan->data, WORDS, number);
			(void)slip_publish_keep(loan);
			(void)slip_release(loan);
		}
		break;
	case GROW: {
		static uint64_t more[4 * MORE_WORDS];
		slip_array large = words_array(4 * MORE_WORDS);
		large.data = more;
		fill_words(more, 4 * MORE_WORDS, number);
		(void)slip_set_array(writer, "a", &large);
		break;
	}
	case CLOSE: slip_writer_close(writer); break;
	default: {
		slip_writer_options o = options_of();
		writer = slip_writer_open(s->base, &o);
		(void)slip_set_array(writer, "a", &a);
	}
	}
}

static int writers_life(void *context)
{
	struct scene *s = context;
	slip_writer *writer = NULL;
	slip_frame *loan = NULL;
	uint64_t number = (uint64_t)frames_in(s->state) + (s->state == RETIRED) + 1;
	if (s->call != CREATE && !takes_over(s->call)) {
		writer = open_writer(s->base);
		set_up(s, writer);
		if (s->call == PUBLISH_ONE_OF_TWO) {
			loan = loan_numbered(writer, WORDS, number);
			(void)loan_numbered(writer, WORDS, 0);
		}
		if (s->call == PUBLISH_AFTER_GROWTH) {
			loan = loan_numbered(writer, WORDS, number + 1);
			CHECK(loan != NULL);
			CHECK(publish_numbered(writer, "a", 4 * MORE_WORDS) == 0);
		}
	}
	traced_mark();
	call(s, writer, loan, number);
	traced_mark();
	return 0;
}

static int dying_writers_life(void *context)
{
	set_up_and_die(context);
	return 0;
}

/* ---- the parent's side ---- */

static void hold(struct scene *s, slip_frame *f)
{
	s->held[s->held_count++] = f;
}

/* The bystander's next frame, whole and in order; NULL where there is nothing new. */
static slip_frame *next_of(struct scene *s, int64_t limit)
{
	slip_frame *f = slip_next(s->bystander, "a", limit);
	if (f == NULL) {
		CHECK(errno == ETIMEDOUT || errno == EPIPE || errno == ENOENT);
		return NULL;
	}
	CHECK(whole_words(f->data, f->size / 8) == f->seq);
	if (s->epoch == f->epoch)
		CHECK(f->seq == s->last + 1 + f->missed);
	s->last = f->seq;
	s->epoch = f->epoch;
	return f;
}

static void come(struct scene *s)
{
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.outwait_dead_writer = 1;
	o.mode = SLIP_MODE_LOCK_FREE;
	s->bystander = slip_reader_open(s->base, &o);
	s->held_count = 0;
	s->last = 0;
	s->epoch = 0;
	CHECK(slip_next(s->bystander, "a", 0) == NULL);
}

static void take_leases(struct scene *s)
{
	int frames = 0;
	switch (s->state) {
	case ALL_BUT_ONE_LEASED: frames = SLOTS - 1; break;
	case ALL_LEASED: frames = SLOTS; break;
	case RETIRED:
	case SHARED: frames = 1; break;
	default: break;
	}
	/* The newest ones, so that the slot that is left is not head's. */
	for (slip_frame *f; frames > 0 && (f = next_of(s, 0)) != NULL;) {
		hold(s, f);
		if (s->held_count > frames) {
			CHECK(slip_release(s->held[0]) == 0);
			memmove(&s->held[0], &s->held[1], (size_t)--s->held_count * sizeof(s->held[0]));
		}
	}
	CHECK(s->held_count == frames);
	if (s->state == SHARED) {
		slip_frame *again = slip_get_array(s->bystander, "a");
		CHECK(again != NULL && again->seq == s->held[0]->seq);
		hold(s, again);
	}
}

/* As if the dead writer had not come to link its last frame. */
static void unlink_newest(const struct scene *s)
{
	slip_channel_name name;
	struct slip__segment g;
	struct slip__place place;
	CHECK(slip__name_make(s->base, "a", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_HEIR, &g) == 0);
	CHECK(slip__slot_latest(&g.ring, &place) == SLIP__FOUND);
	uint64_t before = place.seq - 1;
	struct slip__place older;
	CHECK(slip__slot_find(&g.ring, before, &older) == SLIP__FOUND);
	uint64_t oldest = place.seq > g.ring.ring_length ? place.seq - g.ring.ring_length : 0;
	a64_store_relaxed(&g.ring.ring[place.seq % g.ring.ring_length], oldest << 16);
	a64_store_relaxed(g.ring.head, before << 16 | older.slot);
	slip__segment_close(&g);
}

static void prepare(void *context, int stage)
{
	struct scene *s = context;
	if (takes_over(s->call)) {
		/* All of it in a child that dies; the one that is watched then finds what it left. */
		pid_t pid = traced_start(dying_writers_life, s);
		CHECK(traced_to_mark(pid));
		come(s);
		CHECK(traced_to_mark(pid));
		take_leases(s);
		CHECK(traced_to_mark(pid));
		traced_kill(pid);
		if (s->call == TAKE_OVER_NOT_LINKED)
			unlink_newest(s);
		return;
	}
	if (stage <= 0)
		come(s);
	else
		take_leases(s);
}

/* How many slots a writer can fill at once: all but head's. */
static int free_slots(slip_writer *writer)
{
	slip_frame *loans[SLOTS];
	slip_array a = words_array(WORDS);
	int count = 0;
	while (count < SLOTS && (loans[count] = slip_loan(writer, "a", &a)) != NULL)
		count++;
	CHECK(count == SLOTS || errno == EAGAIN);
	for (int i = 0; i < count; i++)
		CHECK(slip_discard(loans[i]) == 0);
	return count;
}

static void judge(void *context)
{
	struct scene *s = context;
	for (int i = 0; i < s->held_count; i++) {
		CHECK(whole_words(s->held[i]->data, s->held[i]->size / 8) == s->held[i]->seq);
		CHECK(slip_release(s->held[i]) == 0);
	}
	/* What the dead one left whole can be read before anybody takes over. */
	slip_frame *f;
	while ((f = next_of(s, 0)) != NULL)
		CHECK(slip_release(f) == 0);
	uint64_t seen = s->last;
	uint64_t epoch = s->epoch;
	slip_writer *heir = open_writer(s->base);
	slip_array a = words_array(WORDS);
	int tries = 0;
	while (slip_channel_create(heir, "a", &a) != 0) {
		CHECK(errno == EBUSY && ++tries < 5000); /* the kernel has yet to drop the dead one's lock */
		pause_ms(1);
	}
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	CHECK(slip_writer_get_stats(heir, "a", &stats) == 0);
	uint64_t before = s->call == CREATE ? 0 : (uint64_t)frames_in(s->state) + (s->state == RETIRED) + (s->call == PUBLISH_AFTER_GROWTH);
	bool may_end = s->call == CLOSE && stats.last_seq == 0;
	uint64_t more = s->call == CLOSE || s->call == DISCARD ? 0 : 1;
	if (may_end) {
		CHECK(stats.epoch != epoch || epoch == 0);
	} else {
		/* None repeated: what the call published, if it did, counts. None lost: no number is left out. */
		CHECK(stats.last_seq >= before && stats.last_seq <= before + more);
		CHECK(stats.last_seq >= seen);
		CHECK(epoch == 0 || stats.epoch == epoch);
	}
	/* The frame that it had finished is there, for one who comes only now, too. */
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.mode = SLIP_MODE_LOCK_FREE;
	slip_reader *newcomer = slip_reader_open(s->base, &o);
	f = slip_get_array(newcomer, "a");
	/* A ring that has just grown is empty until the first frame in it; those who read along have the last one of the old. */
	bool grown_empty = s->call == GROW && stats.last_seq == before;
	CHECK((f != NULL) == (stats.last_seq > 0) || grown_empty);
	bool some = f != NULL;
	if (f != NULL) {
		CHECK(f->seq == stats.last_seq && whole_words(f->data, f->size / 8) == f->seq);
		CHECK(slip_release(f) == 0);
	}
	CHECK(free_slots(heir) == SLOTS - some);
	CHECK(publish_numbered(heir, "a", WORDS) == 0);
	while (s->last != stats.last_seq + 1 || s->epoch != stats.epoch) {
		/* A ring whose writer died between putting its successor in its place and saying so is left at the next look up: within a second. */
		f = next_of(s, 10 * SECOND);
		CHECK(f != NULL);
		CHECK(slip_release(f) == 0);
	}
	f = slip_next(newcomer, "a", 0);
	CHECK(f != NULL && f->seq == stats.last_seq + 1 && whole_words(f->data, f->size / 8) == f->seq);
	CHECK(slip_release(f) == 0);
	expect_nothing_held(s->base, "a");
	slip_reader_close(newcomer);
	slip_reader_close(s->bystander);
	slip_writer_close(heir);
	CHECK(objects_with(s->base) == 0);
}

static bool makes_sense(enum call call, enum state state)
{
	switch (call) {
	case CREATE: return state == EMPTY;
	case TAKE_OVER_NOT_LINKED: return state == FULL || state == ALL_BUT_ONE_LEASED;
	case TAKE_OVER_HALF_FILLED: return state != ALL_LEASED;
	case PUBLISH_ONE_OF_TWO: return state != ALL_LEASED && state != ALL_BUT_ONE_LEASED;
	case PUBLISH_AFTER_GROWTH: return state != ALL_LEASED;
	default: return true;
	}
}

int main(int argc, char **argv)
{
	if (!TRACED_HERE) {
		printf("skipped: single-stepping is written for x86-64\n");
		return SKIPPED;
	}
	bool full = argc > 1 && strcmp(argv[1], "--full") == 0;
	const char *seed = getenv("SLIPRING_SEED");
	size_t first = seed != NULL ? strtoul(seed, NULL, 10) : (size_t)getpid();
	size_t stride = full ? 1 : 61;
	printf("seed %zu (SLIPRING_SEED)\n", first);
	death_own_directory();
	struct death_sum sum = {0};
	for (int call = 0; call < CALLS; call++)
		for (int state = 0; state < STATES; state++) {
			if (!makes_sense(call, state))
				continue;
			struct scene scene = {.call = call, .state = state};
			(void)snprintf(scene.base, sizeof(scene.base), "death");
			char what[128];
			(void)snprintf(what, sizeof(what), "%s: %s", CALL_NAMES[call], STATE_NAMES[state]);
			const struct death_case c = {.what = what,
						     .body = writers_life,
						     .stages = takes_over(call) || call == CREATE ? 0 : 2,
						     .before = takes_over(call) || call == CREATE,
						     .prepare = prepare,
						     .judge = judge,
						     .context = &scene};
			death_run(&c, stride, first++, &sum);
		}
	return death_end("a writer", &sum, full);
}
