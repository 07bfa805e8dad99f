/*
 * A reader killed after every instruction of slipring's in each of its calls: the writer goes on, has every slot again, and other readers, that of the
 * same frame among them, lose nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "death.h"

#include <pthread.h>

enum { SLOTS = 4, WORDS = 8, MORE_WORDS = 1024, DYING = 3 };

enum state { EMPTY, ONE, FULL, ALL_BUT_ONE_LEASED, RETIRED, SHARED, LEFT_BY_THE_DEAD, STATES };

static const char *const STATE_NAMES[STATES] = {
	"empty",
	"one frame",
	"full",
	"all slots but one leased",
	"a generation retired",
	"the frame held by others too",
	"all other places and two slots left by the dead",
};

enum call {
	ATTACH,
	ATTACH_EITHER,
	GET,
	NEXT,
	NEXT_WOKEN,
	WAIT,
	WAIT_IN_VAIN,
	WAIT_MANY,
	SHAPE,
	RELEASE,
	RELEASE_SHARED,
	DETACH,
	DETACH_HOLDING,
	OBSERVE,
	CALLS
};

static const char *const CALL_NAMES[CALLS] = {
	"open and get",
	"open without a mode and get",
	"get",
	"next",
	"next, asleep and woken",
	"wait",
	"wait in vain, asleep",
	"wait on two channels in vain",
	"shape, dtype, stats",
	"get and release",
	"get twice, release twice",
	"close",
	"close with a lease out, then release",
	"an observer's get",
};

struct scene {
	enum state state;
	enum call call;
	slip_writer *writer;	/* the parent's, as is */
	slip_reader *bystander; /* this; reads in order from the first frame on */
	slip_frame *held[SLOTS];
	int held_count;
	uint64_t last;
	pid_t dying[DYING]; /* other readers */
	/* Publishes when the child sleeps, or the call is over. */
	pthread_t waker;
	bool wakes;
	slip__a32 over;
};

static const char BASE[] = "death";

static slip_array words_array(size_t words)
{
	slip_array a = SLIP_ARRAY_INIT;
	a.dtype = SLIP_U64;
	a.ndim = 1;
	a.shape[0] = (int64_t)words;
	return a;
}

static bool attaches(enum call call)
{
	return call == ATTACH || call == ATTACH_EITHER || call == OBSERVE;
}

/* ---- the child ---- */

static void call(enum call call, slip_reader *reader, slip_frame *frame)
{
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	int64_t shape[SLIP_MAX_DIMS];
	slip_dtype dtype;
	slip_reader_stats stats = {.struct_size = sizeof(stats)};
	slip_wait_item items[2] = {{.reader = reader, .channel = "a"}, {.reader = reader, .channel = "b"}};
	slip_frame *again;
	switch (call) {
	case ATTACH:
	case OBSERVE: o.mode = SLIP_MODE_LOCK_FREE; o.observer = call == OBSERVE; /* fallthrough */
	case ATTACH_EITHER: (void)slip_get_array(slip_reader_open(BASE, &o), "a"); break;
	case GET: (void)slip_get_array(reader, "a"); break;
	case NEXT: (void)slip_next(reader, "a", 0); break;
	case NEXT_WOKEN: (void)slip_next(reader, "a", SLIP_FOREVER); break;
	case WAIT: (void)slip_wait(reader, "a", 0); break;
	case WAIT_IN_VAIN: (void)slip_wait(reader, "a", 200000); break;
	case WAIT_MANY: (void)slip_wait_any(items, 2, 200000); break;
	case SHAPE:
		(void)slip_get_shape(reader, "a", shape);
		(void)slip_get_dtype(reader, "a", &dtype);
		(void)slip_reader_get_stats(reader, "a", &stats);
		break;
	case RELEASE: (void)slip_release(slip_get_array(reader, "a")); break;
	case RELEASE_SHARED:
		frame = slip_get_array(reader, "a");
		again = slip_get_array(reader, "a");
		(void)slip_release(frame);
		(void)slip_release(again);
		break;
	case DETACH: slip_reader_close(reader); break;
	case DETACH_HOLDING:
		slip_reader_close(reader);
		(void)slip_release(frame);
		break;
	default: break;
	}
}

static int readers_life(void *context)
{
	const struct scene *s = context;
	slip_reader *reader = NULL;
	slip_frame *frame = NULL;
	if (!attaches(s->call)) {
		slip_reader_options o = SLIP_READER_OPTIONS_INIT;
		o.mode = SLIP_MODE_LOCK_FREE;
		reader = slip_reader_open(BASE, &o);
		/* Attached, in order; what there is so far it has had. */
		slip_frame *f = slip_next(reader, "a", 0);
		if (f != NULL)
			CHECK(slip_release(f) == 0);
		traced_mark();
		if (s->call == DETACH_HOLDING)
			frame = slip_get_array(reader, "a");
		if (s->call == WAIT_IN_VAIN || s->call == WAIT_MANY || s->call == NEXT_WOKEN)
			while ((f = slip_next(reader, "a", 0)) != NULL)
				CHECK(slip_release(f) == 0);
	}
	traced_mark();
	call(s->call, reader, frame);
	traced_mark();
	return 0;
}

/* Holds two of the newest frames when it is killed. */
static int dead_readers_life(void *context)
{
	(void)context;
	slip_reader *reader = slip_reader_open(BASE, NULL);
	CHECK(slip_next(reader, "a", 0) == NULL);
	traced_mark();
	CHECK(slip_next(reader, "a", 0) != NULL && slip_get_array(reader, "a") != NULL);
	traced_mark();
	return 0;
}

/* ---- the parent ---- */

static slip_frame *next_of(struct scene *s)
{
	slip_frame *f = slip_next(s->bystander, "a", 0);
	if (f == NULL) {
		CHECK(errno == ETIMEDOUT);
		return NULL;
	}
	death_verify(f);
	death_count(&death_sum->repeated, f->seq < s->last + 1 + f->missed, "repeated");
	death_count(&death_sum->lost, f->seq > s->last + 1 + f->missed, "lost");
	s->last = f->seq;
	return f;
}

static void begin(struct scene *s)
{
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.slots = SLOTS;
	/* No more than there will be, so that one that attaches has to clear what the dead left. */
	o.max_readers = attaches(s->call) ? 1 + DYING : 2 + DYING;
	o.leases_per_reader = SLOTS;
	o.max_loans = SLOTS;
	s->writer = slip_writer_open(BASE, &o);
	slip_array a = words_array(WORDS);
	CHECK(slip_channel_create(s->writer, "a", &a) == 0 && slip_channel_create(s->writer, "b", &a) == 0);
	slip_reader_options r = SLIP_READER_OPTIONS_INIT;
	r.mode = SLIP_MODE_LOCK_FREE;
	s->bystander = slip_reader_open(BASE, &r);
	s->held_count = 0;
	s->last = 0;
	s->wakes = false;
	CHECK(next_of(s) == NULL);
	for (int i = 0; s->state == LEFT_BY_THE_DEAD && i < DYING; i++) {
		s->dying[i] = traced_start(dead_readers_life, s);
		CHECK(traced_to_mark(s->dying[i]));
	}
}

static void *wake(void *context)
{
	struct scene *s = context;
	slip_channel_name name;
	struct slip__segment segment;
	CHECK(slip__name_make(BASE, "a", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_CONTROL, &segment) == 0);
	while (((a32_load_relaxed(segment.ring.fw) & 1) == 0 || !death_child_sleeps()) && a32_load_acquire(&s->over) == 0) {
		struct timespec t = {.tv_nsec = 20000};
		(void)nanosleep(&t, NULL);
	}
	slip__segment_close(&segment);
	CHECK(publish_numbered(s->writer, "a", WORDS) == 0);
	return NULL;
}

/* The ring's state; where the child is attached already, it is as behind as the state says. */
static void fill(struct scene *s)
{
	int frames = s->state == EMPTY ? 0 : s->state == ONE ? 1 : 2 * SLOTS + 1;
	for (int i = 0; i < frames; i++)
		CHECK(publish_numbered(s->writer, "a", WORDS) == 0);
	int keep = s->state == ALL_BUT_ONE_LEASED ? SLOTS - 1 : s->state == SHARED ? 1 : 0;
	for (slip_frame *f; keep > 0 && (f = next_of(s)) != NULL;) {
		s->held[s->held_count++] = f;
		if (s->held_count > keep) {
			CHECK(slip_release(s->held[0]) == 0);
			memmove(&s->held[0], &s->held[1], (size_t)--s->held_count * sizeof(s->held[0]));
		}
	}
	if (s->state == RETIRED)
		CHECK(publish_numbered(s->writer, "a", MORE_WORDS) == 0);
	for (int i = 0; s->state == LEFT_BY_THE_DEAD && i < DYING; i++) {
		CHECK(traced_to_mark(s->dying[i]));
		traced_kill(s->dying[i]);
	}
	if (s->call == NEXT_WOKEN) {
		s->wakes = true;
		a32_store_relaxed(&s->over, 0);
		CHECK(pthread_create(&s->waker, NULL, wake, s) == 0);
	}
}

static void prepare(void *context, int stage)
{
	struct scene *s = context;
	if (stage < 0)
		begin(s);
	if ((stage < 0) == attaches(s->call))
		fill(s);
}

enum ending { LEFT_NOTHING, LEFT_PLACE, LEFT_LEASE };

static int free_slots(slip_writer *writer)
{
	slip_frame *loans[SLOTS];
	slip_array a = words_array(WORDS);
	int count = 0;
	while (count < SLOTS && (loans[count] = slip_loan(writer, "a", &a)) != NULL)
		count++;
	for (int i = 0; i < count; i++)
		CHECK(slip_discard(loans[i]) == 0);
	return count;
}

/* What the dead one left in the table and on the slots. */
static int look_for_traces(const struct scene *s)
{
	slip_channel_name name;
	struct slip__segment segment;
	CHECK(slip__name_make(BASE, "a", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_CONTROL, &segment) == 0);
	const uint64_t bystander = s->state == RETIRED ? 0 : 1; /* it came first; to the new ring it has yet to come */
	uint64_t pins = 0;
	for (uint32_t i = 0; i < segment.geometry.slots; i++)
		pins |= a64_load_relaxed(slip__pins(&segment.ring, i)) & ~bystander;
	uint64_t marks = (a64_load_relaxed(&segment.header->attached) | a64_load_relaxed(&segment.header->in_order)) & ~bystander;
	slip__segment_close(&segment);
	return pins != 0 ? LEFT_LEASE : marks != 0 ? LEFT_PLACE : LEFT_NOTHING;
}

static int judge(void *context)
{
	struct scene *s = context;
	if (s->wakes) {
		a32_store_release(&s->over, 1);
		CHECK(pthread_join(s->waker, NULL) == 0);
	}
	const int ending = look_for_traces(s);
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	/* What others hold stays as it is. */
	for (int i = 0; i < s->held_count; i++)
		death_verify(s->held[i]);
	for (int i = 0; i < s->held_count; i++)
		CHECK(slip_release(s->held[i]) == 0);
	/* The writer never waits for the dead; what it held is there again when the kernel has let go of it. */
	int tries = 0;
	int claimed;
	CHECK(slip_writer_get_stats(s->writer, "a", &stats) == 0);
	while ((claimed = free_slots(s->writer)) != SLOTS - (stats.last_seq > 0) && ++tries < 2000)
		pause_ms(1);
	add(&death_sum->claimed, (uint64_t)claimed);
	death_count(&death_sum->slots_lost, claimed != SLOTS - (stats.last_seq > 0), "slots that cannot be filled");
	for (int i = 0; i < SLOTS + 1; i++) {
		CHECK(publish_numbered(s->writer, "a", WORDS) == 0);
		slip_frame *f;
		while ((f = next_of(s)) != NULL)
			CHECK(slip_release(f) == 0);
	}
	CHECK(slip_writer_get_stats(s->writer, "a", &stats) == 0);
	death_count(&death_sum->lost, s->last != stats.last_seq, "the bystander's last");
	/* Nobody takes the dead for an attached reader. */
	CHECK(slip_readers_attached(s->writer, "a") == 1);
	slip_reader *newcomer = slip_reader_open(BASE, NULL);
	slip_frame *f = slip_get_array(newcomer, "a");
	CHECK(f != NULL);
	death_verify(f);
	death_count(&death_sum->lost, f->seq != stats.last_seq, "another frame than the newest");
	CHECK(slip_readers_attached(s->writer, "a") == 2);
	CHECK(slip_release(f) == 0);
	slip_reader_close(newcomer);
	death_check_ring(BASE, "a", 1);
	slip_reader_close(s->bystander);
	slip_writer_close(s->writer);
	death_check_directory();
	return ending;
}

static bool makes_sense(enum call call, enum state state)
{
	switch (call) {
	case DETACH_HOLDING:
	case RELEASE:
	case RELEASE_SHARED: return state != EMPTY;
	case NEXT_WOKEN:
	case WAIT_IN_VAIN: return state != ALL_BUT_ONE_LEASED && state != SHARED;
	case WAIT_MANY: return state == FULL || state == EMPTY;
	default: return true;
	}
}

int main(int argc, char **argv)
{
	static struct death_case cases[CALLS * STATES];
	static struct scene scenes[CALLS * STATES];
	static char names[CALLS * STATES][128];
	size_t count = 0;
	for (unsigned call = 0; call < CALLS; call++)
		for (unsigned state = 0; state < STATES; state++) {
			if (!makes_sense(call, state))
				continue;
			scenes[count] = (struct scene){.call = call, .state = state};
			(void)snprintf(names[count], sizeof(names[count]), "%s: %s", CALL_NAMES[call], STATE_NAMES[state]);
			cases[count] = (struct death_case){.what = names[count],
							   .body = readers_life,
							   .stages = attaches(call) ? 0 : 1,
							   .before = true,
							   .prepare = prepare,
							   .judge = judge,
							   .endings = {"left nothing", "left a place", "left a lease"},
							   .context = &scenes[count]};
			count++;
		}
	return death_main(argc, argv, cases, count, 13, "readers");
}
