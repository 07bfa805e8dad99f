/*
 * Semaphore mode: a writer and a reader killed after every instruction of slipring's, the lock in their hands or not. Nobody reads a torn frame, nobody is
 * stuck beyond time limits, a new writer and a new reader go on, and nothing is left over.
 */
#include "death.h"

enum { WORDS = 8, MORE_WORDS = 1024, TRIES = 400 };

enum call { CREATE, SET, GROW, TAKE_OVER, CLOSE_WRITER, OPEN_AND_GET, GET, CLOSE_READER, CALLS };

static const char *const CALL_NAMES[CALLS] = {
	"open and first set", "set", "set a larger one", "take over", "close the writer", "open and get", "get", "close the reader",
};

struct scene {
	enum call call;
	slip_writer *writer;	/* the parent's, where the child reads */
	slip_reader *bystander; /* the parent's */
	uint64_t last;		/* number that the bystander had last */
};

static const char BASE[] = "death";

static slip_writer *open_writer(void)
{
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.mode = SLIP_MODE_SEMAPHORE;
	o.lock_timeout_ns = 5000000;
	slip_writer *writer = slip_writer_open(BASE, &o);
	CHECK(writer != NULL);
	return writer;
}

static slip_reader *open_reader(void)
{
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.mode = SLIP_MODE_SEMAPHORE;
	slip_reader *reader = slip_reader_open(BASE, &o);
	CHECK(reader != NULL);
	return reader;
}

static int set(slip_writer *writer, size_t words, uint64_t number)
{
	static uint64_t data[MORE_WORDS];
	slip_array a = SLIP_ARRAY_INIT;
	a.data = data;
	a.dtype = SLIP_F64; /* any of eight bytes */
	a.ndim = 1;
	a.shape[0] = (int64_t)words;
	fill_words(data, words, number);
	return slip_set_array(writer, "a", &a);
}

static bool reads(enum call call)
{
	return call >= OPEN_AND_GET;
}

static int life(void *context)
{
	const struct scene *s = context;
	slip_writer *writer = NULL;
	slip_reader *reader = NULL;
	if (s->call == GET || s->call == CLOSE_READER) {
		reader = open_reader();
		slip_frame *f = slip_get_array(reader, "a");
		CHECK(f != NULL && slip_release(f) == 0);
	}
	if (s->call == SET || s->call == GROW || s->call == CLOSE_WRITER) {
		writer = open_writer();
		CHECK(set(writer, WORDS, 1) == 0);
		traced_mark();
	}
	traced_mark();
	switch (s->call) {
	case CREATE:
	case TAKE_OVER: (void)set(open_writer(), WORDS, 2); break;
	case SET: (void)set(writer, WORDS, 2); break;
	case GROW: (void)set(writer, MORE_WORDS, 2); break;
	case CLOSE_WRITER: slip_writer_close(writer); break;
	case OPEN_AND_GET: (void)slip_get_array(open_reader(), "a"); break;
	case GET: (void)slip_release(slip_get_array(reader, "a")); break;
	default: slip_reader_close(reader); break;
	}
	traced_mark();
	return 0;
}

/* What the bystander gets, if anything, is whole, and never older than what it had. */
static void look(struct scene *s)
{
	slip_frame *f = slip_get_array(s->bystander, "a");
	if (f == NULL) {
		CHECK(errno == EAGAIN || errno == ENOENT || errno == EPIPE || errno == EOWNERDEAD);
		return;
	}
	uint64_t number = whole_words(f->data, f->size / 8);
	CHECK(number != 0 && number >= s->last);
	s->last = number;
	CHECK(slip_release(f) == 0);
}

static int dying_writers_life(void *context)
{
	(void)context;
	CHECK(set(open_writer(), WORDS, 1) == 0);
	traced_mark();
	return 0;
}

static void prepare(void *context, int stage)
{
	struct scene *s = context;
	if (stage < 0) {
		s->last = 0;
		s->bystander = open_reader();
		s->writer = reads(s->call) ? open_writer() : NULL;
		if (s->writer != NULL)
			CHECK(set(s->writer, WORDS, 1) == 0);
		if (s->call == TAKE_OVER) {
			pid_t pid = traced_start(dying_writers_life, NULL);
			CHECK(traced_to_mark(pid));
			traced_kill(pid);
		}
	}
	look(s);
}

static void judge(void *context)
{
	struct scene *s = context;
	look(s);
	slip_writer *writer = s->writer != NULL ? s->writer : open_writer();
	int tries = 0;
	while (set(writer, WORDS, 3) != 0) {
		CHECK((errno == EAGAIN || errno == EBUSY || errno == ETIMEDOUT) && ++tries < TRIES);
		look(s);
	}
	tries = 0;
	while (s->last != 3) {
		CHECK(++tries < TRIES);
		look(s);
		pause_ms(1);
	}
	slip_reader *newcomer = open_reader();
	slip_frame *f = slip_get_array(newcomer, "a");
	CHECK(f != NULL && whole_words(f->data, f->size / 8) == 3);
	CHECK(slip_release(f) == 0);
	slip_reader_close(newcomer);
	slip_reader_close(s->bystander);
	slip_writer_close(writer);
	CHECK(objects_with("") == 2); /* . and .. */
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
	size_t stride = full ? 1 : 31;
	printf("seed %zu (SLIPRING_SEED)\n", first);
	death_own_directory();
	struct death_sum sum = {0};
	for (int call = 0; call < CALLS; call++) {
		struct scene scene = {.call = call};
		const struct death_case c = {.what = CALL_NAMES[call],
					     .body = life,
					     .stages = call == SET || call == GROW || call == CLOSE_WRITER ? 1 : 0,
					     .before = true,
					     .prepare = prepare,
					     .judge = judge,
					     .context = &scene};
		death_run(&c, stride, first++, &sum);
	}
	return death_end("semaphore mode", &sum, full);
}
