/*
 * Semaphore mode: a writer and a reader killed after every instruction of slipring's and of the C library's, the lock in their hands or not. Nobody, a
 * program without slipring among them, reads a torn frame; nobody is stuck beyond time limits; nothing is posted that was not taken; a new writer and
 * a new reader go on; nothing is left over.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "death.h"

#include <semaphore.h>

enum { WORDS = 64, TRIES = 400 };

enum state {
	FREE,
	TAKEN,	      /* by a program without slipring */
	POSTED_TWICE, /* by one */
	READER_DIED,  /* a reader of ours, somewhere in its get */
	STATES
};

static const char *const STATE_NAMES[STATES] = {
	"",
	", the lock taken by another program",
	", the lock posted once too often by another program",
	", a reader having died in its get",
};

enum call {
	NONE,
	CREATE,
	SET,
	SET_ANOTHER_SHAPE,
	LOAN_AND_PUBLISH,
	CLOSE_WRITER,
	TAKE_OVER,
	COLLECT,
	OPEN_AND_GET,
	GET,
	GET_WITH_TIME,
	WAIT,
	WAIT_IN_VAIN,
	CLOSE_READER,
	CALLS
};

static const char *const CALL_NAMES[CALLS] = {
	"nothing",
	"open and first set",
	"set",
	"set another shape",
	"loan and publish",
	"close the writer",
	"take over",
	"gc",
	"open and get",
	"get",
	"get, with a time limit",
	"wait",
	"wait in vain",
	"close the reader",
};

struct scene {
	enum state state;
	enum call first; /* of a writer that died before */
	enum call call;
	struct death_case *its_case;
	slip_writer *writer;	/* the parent's, where the child reads */
	slip_reader *bystander; /* the parent's */
	uint64_t last;		/* number that the bystander had last */
	bool ready;		/* all of this is there */
	bool taken;		/* by the parent, as a program without slipring */
	unsigned judged;
};

static const char BASE[] = "death";

#define LIMIT_NS INT64_C(5000000)

static slip_writer *open_writer(void)
{
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.mode = SLIP_MODE_SEMAPHORE;
	o.lock_timeout_ns = LIMIT_NS;
	slip_writer *writer = slip_writer_open(BASE, &o);
	CHECK(writer != NULL);
	return writer;
}

static slip_reader *open_reader(int64_t lock_timeout_ns)
{
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.mode = SLIP_MODE_SEMAPHORE;
	o.lock_timeout_ns = lock_timeout_ns;
	slip_reader *reader = slip_reader_open(BASE, &o);
	CHECK(reader != NULL);
	return reader;
}

static slip_array words_array(uint64_t *data, size_t words, uint64_t number)
{
	slip_array a = SLIP_ARRAY_INIT;
	a.data = data;
	a.dtype = SLIP_F64; /* any of eight bytes */
	a.ndim = 1;
	a.shape[0] = (int64_t)words;
	fill_words(data, words, number);
	return a;
}

static int set(slip_writer *writer, uint64_t number)
{
	uint64_t data[WORDS];
	slip_array a = words_array(data, WORDS, number);
	return slip_set_array(writer, "a", &a);
}

static bool reads(enum call call)
{
	return call >= OPEN_AND_GET;
}

/* Whether the child has set the channel up itself. */
static bool sets_up(enum call call)
{
	return call == SET || call == SET_ANOTHER_SHAPE || call == LOAN_AND_PUBLISH || call == CLOSE_WRITER || call == NONE;
}

/* ---- the child ---- */

static void collect(void)
{
	slip_leftover *left = NULL;
	size_t count = 0;
	if (slip_gc_list(NULL, &left, &count) == 0)
		for (size_t i = 0; i < count; i++)
			(void)slip_gc_remove(&left[i]);
	free(left);
}

static int life(enum call call)
{
	static uint64_t data[2 * WORDS];
	slip_array a = words_array(data, call == SET_ANOTHER_SHAPE ? 2 * WORDS : WORDS, 2);
	slip_writer *writer = NULL;
	slip_reader *reader = NULL;
	slip_frame *loan = NULL;
	if (reads(call) && call != OPEN_AND_GET) {
		reader = open_reader(call == GET_WITH_TIME ? LIMIT_NS : 0);
		slip_frame *f = slip_get_array(reader, "a");
		CHECK(f != NULL && slip_release(f) == 0);
	}
	if (sets_up(call)) {
		writer = open_writer();
		CHECK(set(writer, 1) == 0);
	}
	if (call == LOAN_AND_PUBLISH) {
		loan = slip_loan(writer, "a", &a);
		CHECK(loan != NULL);
		memcpy(loan->data, data, sizeof(data) / 2);
	}
	traced_mark(); /* the lock is brought into its state */
	traced_mark();
	switch (call) {
	case CREATE:
	case TAKE_OVER: (void)slip_set_array(open_writer(), "a", &a); break;
	case SET:
	case SET_ANOTHER_SHAPE: (void)slip_set_array(writer, "a", &a); break;
	case LOAN_AND_PUBLISH: (void)slip_publish(loan); break;
	case CLOSE_WRITER: slip_writer_close(writer); break;
	case OPEN_AND_GET: (void)slip_get_array(open_reader(0), "a"); break;
	case GET:
	case GET_WITH_TIME: (void)slip_get_array(reader, "a"); break;
	case WAIT: (void)slip_wait_for_array(reader, "a", 0); break;
	case WAIT_IN_VAIN: (void)slip_wait(reader, "a", 2000000); break;
	case CLOSE_READER: slip_reader_close(reader); break;
	case COLLECT: collect(); break;
	default: break;
	}
	traced_mark();
	return 0;
}

static int first_life(void *context)
{
	return life(((const struct scene *)context)->first);
}

static int last_life(void *context)
{
	return life(((const struct scene *)context)->call);
}

static int dying_readers_life(void *context)
{
	(void)context;
	return life(GET);
}

/* ---- the parent, as a program without slipring ---- */

/* What stands under a name, mapped; NULL where nothing does, or less than that. */
static void *map_object(const char *object, size_t size)
{
	char path[256];
	struct stat s;
	(void)snprintf(path, sizeof(path), "%s/%s", death_directory, object);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	void *memory =
		fstat(fd, &s) == 0 && (size_t)s.st_size >= size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

enum { HEADER = 64, SEMAPHORE = 32 };

static sem_t *map_semaphore(void)
{
	return map_object("sem.death_a_sem", SEMAPHORE);
}

static int value_of(sem_t *semaphore)
{
	int value = 0;
	CHECK(sem_getvalue(semaphore, &value) == 0);
	return value;
}

/* By the format's rules alone: take the lock, copy, post. What it can take is whole. */
static void strangers_get(void)
{
	sem_t *semaphore = map_semaphore();
	unsigned char *memory = map_object("death_a_shm", HEADER + WORDS * 8);
	if (semaphore != NULL && memory != NULL && sem_trywait(semaphore) == 0) {
		uint64_t words[WORDS];
		memcpy(words, memory + HEADER, sizeof(words));
		CHECK(sem_post(semaphore) == 0);
		add(&death_sum->verified, 1);
		/* All zero: its writer has made it, and set nothing. */
		bool zero = words[0] == 0 && memcmp(words, words + 1, sizeof(words) - 8) == 0;
		death_count(&death_sum->torn, !zero && whole_words(words, WORDS) == 0, "torn, for another program");
	}
	if (semaphore != NULL)
		(void)munmap(semaphore, SEMAPHORE);
	if (memory != NULL)
		(void)munmap(memory, HEADER + WORDS * 8);
}

static void change_lock(struct scene *s, bool take)
{
	sem_t *semaphore = map_semaphore();
	CHECK(semaphore != NULL);
	if (take)
		CHECK(sem_trywait(semaphore) == 0);
	else
		CHECK(sem_post(semaphore) == 0);
	s->taken = take;
	(void)munmap(semaphore, SEMAPHORE);
}

static void check_value(int most, const char *what)
{
	sem_t *semaphore = map_semaphore();
	if (semaphore == NULL)
		return;
	death_count(&death_sum->repeated, value_of(semaphore) > most, what);
	(void)munmap(semaphore, SEMAPHORE);
}

/* ---- the parent, with slipring ---- */

/* What the bystander gets, if anything, is whole, and never older than what it had. */
static void look(struct scene *s)
{
	slip_frame *f = slip_get_array(s->bystander, "a");
	if (f == NULL) {
		CHECK(errno == EAGAIN || errno == ENOENT || errno == EPIPE || errno == EOWNERDEAD);
		return;
	}
	uint64_t number = whole_words(f->data, f->size / 8);
	add(&death_sum->verified, 1);
	death_count(&death_sum->torn, number == 0, "torn");
	death_count(&death_sum->repeated, number != 0 && number < s->last, "an older frame");
	s->last = number;
	CHECK(slip_release(f) == 0);
}

static void get_ready(struct scene *s)
{
	s->last = 0;
	s->bystander = open_reader(0);
	s->writer = reads(s->call) ? open_writer() : NULL;
	if (s->writer != NULL)
		CHECK(set(s->writer, 1) == 0);
	s->taken = false;
	s->ready = true;
	look(s);
}

static void prepare(void *context, int stage)
{
	struct scene *s = context;
	if (stage < 0) {
		if (!s->ready)
			get_ready(s);
		return;
	}
	look(s);
	if (s->state == TAKEN)
		change_lock(s, true);
	if (s->state == POSTED_TWICE)
		change_lock(s, false);
	if (s->state == READER_DIED)
		death_of_the_first(s->its_case);
}

/* The dying reader's. To record what it does it needs somebody who has set a frame. */
static void prepare_reader(void *context, int stage)
{
	struct scene *s = context;
	if (stage >= 0 || s->ready)
		return;
	get_ready(s);
	if (s->writer == NULL) {
		s->writer = open_writer();
		CHECK(set(s->writer, 1) == 0);
	}
}

enum ending { OLD_FRAME, NEW_FRAME, NO_FRAME, LOCKED };

static int judge(void *context)
{
	struct scene *s = context;
	s->ready = false;
	/* Nothing is posted that was not taken. */
	if (s->call == COLLECT && s->judged++ % 2 == 0) {
		collect();
		death_check_directory();
	}
	check_value(s->taken ? 0 : s->state == POSTED_TWICE ? 2 : 1, "posted without having been taken");
	strangers_get();
	look(s);
	if (s->taken)
		change_lock(s, false);
	strangers_get();

	errno = 0;
	slip_frame *f = slip_get_array(s->bystander, "a");
	int ending = f != NULL ? (whole_words(f->data, f->size / 8) == 2 ? NEW_FRAME : OLD_FRAME) : errno == EAGAIN ? LOCKED : NO_FRAME;
	CHECK(f == NULL || slip_release(f) == 0);
	/* The living writer, or the next one, goes on within its time limit, and perhaps that of its fresh objects. */
	slip_writer *writer = s->writer != NULL ? s->writer : open_writer();
	int tries = 1;
	for (; set(writer, 3) != 0; tries++) {
		CHECK((errno == EAGAIN || errno == EBUSY) && tries < TRIES);
		look(s);
	}
	death_count(&death_sum->lost, tries > 3, "a set is kept waiting");
	add(&death_sum->claimed, 1);
	for (tries = 0; s->last != 3; tries++) {
		CHECK(tries < TRIES);
		if (tries > 0)
			pause_ms(1);
		look(s);
	}
	slip_reader *newcomer = open_reader(0);
	f = slip_get_array(newcomer, "a");
	CHECK(f != NULL);
	death_count(&death_sum->torn, whole_words(f->data, f->size / 8) != 3, "torn");
	CHECK(slip_release(f) == 0);
	strangers_get();
	/* And the lock is one again, free. */
	sem_t *semaphore = map_semaphore();
	CHECK(semaphore != NULL);
	death_count(&death_sum->slots_lost, value_of(semaphore) != 1, "the lock is not free");
	(void)munmap(semaphore, SEMAPHORE);
	slip_reader_close(newcomer);
	slip_reader_close(s->bystander);
	slip_writer_close(writer);
	death_check_directory();
	return ending;
}

/* ---- the cases ---- */

enum { MOST_CASES = 64 };

static struct death_case cases[MOST_CASES];
static struct death_case firsts[MOST_CASES];
static struct scene scenes[MOST_CASES];
static char names[MOST_CASES][160];
static size_t case_count;

static void add_case(enum state state, enum call first, enum call call)
{
	CHECK(case_count < MOST_CASES);
	const size_t i = case_count++;
	struct death_case *c = &cases[i];
	scenes[i] = (struct scene){.state = state, .first = first, .call = call, .its_case = c};
	if (first != NONE)
		(void)snprintf(names[i], sizeof(names[i]), "%s; then %s", CALL_NAMES[first], CALL_NAMES[call]);
	else
		(void)snprintf(names[i], sizeof(names[i]), "%s%s", CALL_NAMES[call], STATE_NAMES[state]);
	*c = (struct death_case){
		.what = names[i],
		.body = last_life,
		.prepare = prepare,
		.stages = 1,
		.before = true,
		.everywhere = call != CREATE && call != TAKE_OVER && call != COLLECT && call != OPEN_AND_GET,
		.judge = judge,
		.endings = {"leaving the frame before", "leaving its frame", "leaving no frame", "leaving the lock taken"},
		.context = &scenes[i],
	};
	const bool after = call == TAKE_OVER || call == COLLECT;
	if (state == READER_DIED || after)
		c->first = &firsts[i];
	if (state == READER_DIED) {
		firsts[i] = *c;
		firsts[i].body = dying_readers_life;
		firsts[i].prepare = prepare_reader;
		firsts[i].everywhere = false;
		firsts[i].first = NULL;
		c->first_later = true;
	}
	if (after) {
		firsts[i] = *c;
		firsts[i].body = first_life;
		firsts[i].everywhere = first == SET;
		firsts[i].first = NULL;
	}
}

int main(int argc, char **argv)
{
	for (unsigned call = CREATE; call < CALLS; call++)
		add_case(FREE, NONE, call);
	static const enum call with_lock[] = {SET, LOAN_AND_PUBLISH, OPEN_AND_GET, GET, GET_WITH_TIME};
	for (unsigned state = TAKEN; state < STATES; state++)
		for (size_t i = 0; i < sizeof(with_lock) / sizeof(with_lock[0]); i++)
			add_case(state, NONE, with_lock[i]);
	for (unsigned first = CREATE; first < TAKE_OVER; first++)
		for (unsigned call = TAKE_OVER; call <= COLLECT; call++)
			add_case(FREE, first, call);
	return death_main(argc, argv, cases, case_count, 13, "semaphore mode");
}
