/*
 * Every system call that slipring makes fails once, with each errno that it can give. The call of the library that made it fails with an errno that is
 * passed on or documented and says what was wrong, or succeeds because it does not matter there; nothing is left over; the same call then succeeds.
 *
 * A scenario's call is run once to see which system calls it makes, and then by a child for each of them and each of its errnos: that one system call is
 * not made, but fails (ptrace). Prints what came of it, per system call and errno.
 */
#include "errnos.h"
#include "multi/processes.h"
#include "traced.h"

#include <pthread.h>
#include <sys/stat.h>

enum { WORDS = 8, MORE_WORDS = 4096, MOST_CALLS = 512, LIMIT_S = 30 };

static const char BASE[] = "faults";
static char directory[64];

/* ---- what slipring's code allocates: these stand in for the C library's (--wrap) where it is linked into this program ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

static slip__a64 allocations;

void *__wrap_malloc(size_t size)
{
	add(&allocations, 1);
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	add(&allocations, 1);
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	if (memory == NULL)
		add(&allocations, 1);
	return __real_realloc(memory, size);
}

void __wrap_free(void *memory)
{
	if (memory != NULL)
		add(&allocations, (uint64_t)-1);
	__real_free(memory);
}

/* ---- what a child has, and counts ---- */

struct stage {
	slip_writer *writer;
	slip_reader *reader;
	slip_frame *frame;
	slip_waker *waker;
	pthread_t sleeper;
	bool sleeps;
};

struct holdings {
	int objects;
	int descriptors;
	int mappings; /* of objects in the directory */
	uint64_t allocations;
};

static struct holdings holdings(void)
{
	struct holdings h = {.objects = objects_with("") - 2};
	char line[512];
	DIR *fds = opendir("/proc/self/fd");
	CHECK(fds != NULL);
	while (readdir(fds) != NULL)
		h.descriptors++;
	closedir(fds);
	FILE *maps = fopen("/proc/self/maps", "r");
	CHECK(maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL)
		h.mappings += strstr(line, directory) != NULL;
	(void)fclose(maps);
	h.allocations = a64_load_relaxed(&allocations);
	return h;
}

static slip_array words_array(size_t words)
{
	static uint64_t data[MORE_WORDS];
	slip_array a = SLIP_ARRAY_INIT;
	a.data = data;
	a.dtype = SLIP_F64; /* any of eight bytes, in both modes */
	a.ndim = 1;
	a.shape[0] = (int64_t)words;
	fill_words(data, words, 7);
	return a;
}

static slip_mode mode;
static bool extras;

static slip_writer *writer_of(struct stage *t)
{
	slip_writer_options o = SLIP_WRITER_OPTIONS_INIT;
	o.mode = mode;
	o.slots = mode == SLIP_MODE_LOCK_FREE ? 4 : 0;
	o.lock_timeout_ns = mode == SLIP_MODE_SEMAPHORE ? 50000000 : 0;
	o.huge_pages = o.prefault = o.lock_memory = extras;
	if (t->writer == NULL)
		t->writer = slip_writer_open(BASE, &o);
	return t->writer;
}

static slip_reader *reader_of(struct stage *t, slip_mode how, bool observer)
{
	slip_reader_options o = SLIP_READER_OPTIONS_INIT;
	o.mode = how;
	o.observer = observer;
	if (t->reader == NULL)
		t->reader = slip_reader_open(BASE, &o);
	return t->reader;
}

static int set(struct stage *t, size_t words)
{
	slip_array a = words_array(words);
	return slip_set_array(writer_of(t), "a", &a);
}

static int whole(slip_frame *f)
{
	if (f == NULL)
		return -1;
	CHECK(whole_words(f->data, f->size / 8) == 7);
	return slip_release(f);
}

/* ---- the scenarios: what is set up, and the call; 0, or -1 with errno ---- */

static void nothing(struct stage *t)
{
	(void)t;
}

static void channel(struct stage *t)
{
	CHECK(set(t, WORDS) == 0);
}

/* A channel with a reader that has its frame, on it: nothing new is there. */
static void attached(struct stage *t)
{
	channel(t);
	CHECK(whole(slip_get_array(reader_of(t, mode, false), "a")) == 0);
}

static void two_channels(struct stage *t)
{
	slip_array a = words_array(WORDS);
	attached(t);
	CHECK(slip_set_array(t->writer, "b", &a) == 0);
	CHECK(whole(slip_get_array(t->reader, "b")) == 0);
}

static void grown(struct stage *t)
{
	attached(t);
	CHECK(set(t, MORE_WORDS) == 0);
}

static void succeeded(struct stage *t)
{
	attached(t);
	slip_writer_close(t->writer);
	t->writer = NULL;
	channel(t);
}

static void holding(struct stage *t)
{
	channel(t);
	t->frame = slip_get_array(reader_of(t, mode, false), "a");
	CHECK(t->frame != NULL);
	slip_reader_close(t->reader);
	t->reader = NULL;
}

/* A dead writer's channel. */
static void orphaned(struct stage *t)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(set(t, WORDS) == 0);
		(void)raise(SIGKILL);
	}
	CHECK(waitpid(pid, NULL, 0) == pid);
}

static void *sleep_for_next(void *context)
{
	return slip_next(context, "a", INT64_C(20000000000));
}

static void asleep(struct stage *t)
{
	attached(t);
	slip_channel_name name;
	struct slip__segment g;
	CHECK(slip__name_make(BASE, "a", &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_CONTROL, &g) == 0);
	CHECK(pthread_create(&t->sleeper, NULL, sleep_for_next, t->reader) == 0);
	t->sleeps = true;
	while ((a32_load_relaxed(g.ring.fw) & 1) == 0)
		pause_ms(1);
	slip__segment_close(&g);
}

static int do_create(struct stage *t)
{
	slip_array a = words_array(WORDS);
	return writer_of(t) == NULL ? -1 : slip_channel_create(t->writer, "a", &a);
}

static int do_set(struct stage *t)
{
	return writer_of(t) == NULL ? -1 : set(t, WORDS);
}

static int do_grow(struct stage *t)
{
	return set(t, MORE_WORDS);
}

static int do_close_writer(struct stage *t)
{
	slip_writer_close(t->writer);
	t->writer = NULL;
	return 0;
}

static int do_close_reader(struct stage *t)
{
	slip_reader_close(t->reader);
	t->reader = NULL;
	return 0;
}

static int do_release(struct stage *t)
{
	if (t->frame == NULL)
		return 0;
	slip_frame *f = t->frame;
	t->frame = NULL;
	return slip_release(f);
}

static int do_get(struct stage *t)
{
	return reader_of(t, mode, false) == NULL ? -1 : whole(slip_get_array(t->reader, "a"));
}

static int do_get_either(struct stage *t)
{
	return reader_of(t, SLIP_MODE_DEFAULT, false) == NULL ? -1 : whole(slip_get_array(t->reader, "a"));
}

static int do_observe(struct stage *t)
{
	return reader_of(t, mode, true) == NULL ? -1 : whole(slip_get_array(t->reader, "a"));
}

static int do_next(struct stage *t)
{
	return whole(slip_next(t->reader, "a", 0));
}

/* Nothing comes: being out of time is what it should end with. */
static int in_vain(int done)
{
	return done != 0 && errno == ETIMEDOUT ? 0 : done;
}

static int do_wait(struct stage *t)
{
	return in_vain(slip_wait(t->reader, "a", 2000000));
}

static int do_wait_any(struct stage *t)
{
	slip_wait_item items[] = {{.reader = t->reader, .channel = "a"}, {.reader = t->reader, .channel = "b"}};
	return in_vain(slip_wait_any(items, 2, 2000000));
}

static int do_wake(struct stage *t)
{
	if (t->waker == NULL)
		t->waker = slip_waker_open();
	if (t->waker == NULL)
		return -1;
	slip_waker_wake(t->waker);
	return 0;
}

static int do_list(struct stage *t)
{
	(void)t;
	slip_channel_name *names;
	size_t count;
	if (slip_list_channels(BASE, &names, &count) != 0)
		return -1;
	free(names);
	return 0;
}

static int do_inspect(struct stage *t)
{
	(void)t;
	slip_channel_info *info = slip_channel_inspect(BASE, "a", mode);
	slip_channel_info_free(info);
	return info != NULL ? 0 : -1;
}

static int do_gc(struct stage *t)
{
	(void)t;
	slip_leftover *leftovers;
	size_t count;
	if (slip_gc_list(BASE, &leftovers, &count) != 0)
		return -1;
	int done = 0;
	int err = 0;
	for (size_t i = 0; i < count; i++)
		if (slip_gc_remove(&leftovers[i]) != 0 && errno != ENOENT) {
			done = -1;
			err = errno;
		}
	free(leftovers);
	errno = err;
	return done;
}

struct scenario {
	const char *what;
	slip_mode mode;
	void (*set_up)(struct stage *t);
	int (*call)(struct stage *t);
	bool extras;
};

static const struct scenario SCENARIOS[] = {
	{"create a channel", SLIP_MODE_LOCK_FREE, nothing, do_create, false},
	{"create one, prefaulted, locked, of huge pages", SLIP_MODE_LOCK_FREE, nothing, do_create, true},
	{"set", SLIP_MODE_LOCK_FREE, channel, do_set, false},
	{"set, a reader asleep", SLIP_MODE_LOCK_FREE, asleep, do_set, false},
	{"grow", SLIP_MODE_LOCK_FREE, attached, do_grow, false},
	{"take over", SLIP_MODE_LOCK_FREE, orphaned, do_set, false},
	{"close a writer", SLIP_MODE_LOCK_FREE, channel, do_close_writer, false},
	{"open a reader and get", SLIP_MODE_LOCK_FREE, channel, do_get, false},
	{"the same without a mode", SLIP_MODE_LOCK_FREE, channel, do_get_either, false},
	{"get after growth", SLIP_MODE_LOCK_FREE, grown, do_get, false},
	{"next after growth", SLIP_MODE_LOCK_FREE, grown, do_next, false},
	{"observe", SLIP_MODE_LOCK_FREE, channel, do_observe, false},
	{"wait", SLIP_MODE_LOCK_FREE, attached, do_wait, false},
	{"wait on two channels", SLIP_MODE_LOCK_FREE, two_channels, do_wait_any, false},
	{"close a reader", SLIP_MODE_LOCK_FREE, attached, do_close_reader, false},
	{"release the last lease of a closed reader", SLIP_MODE_LOCK_FREE, holding, do_release, false},
	{"wake a waker", SLIP_MODE_LOCK_FREE, nothing, do_wake, false},
	{"list channels", SLIP_MODE_LOCK_FREE, channel, do_list, false},
	{"inspect", SLIP_MODE_LOCK_FREE, attached, do_inspect, false},
	{"remove leftovers", SLIP_MODE_LOCK_FREE, orphaned, do_gc, false},
	{"semaphore mode: first set", SLIP_MODE_SEMAPHORE, nothing, do_set, false},
	{"semaphore mode: set", SLIP_MODE_SEMAPHORE, channel, do_set, false},
	{"semaphore mode: take over", SLIP_MODE_SEMAPHORE, orphaned, do_set, false},
	{"semaphore mode: close a writer", SLIP_MODE_SEMAPHORE, channel, do_close_writer, false},
	{"semaphore mode: open a reader and get", SLIP_MODE_SEMAPHORE, channel, do_get, false},
	{"semaphore mode: the same without a mode", SLIP_MODE_SEMAPHORE, channel, do_get_either, false},
	{"semaphore mode: get", SLIP_MODE_SEMAPHORE, attached, do_get, false},
	{"semaphore mode: get from the writer's successor", SLIP_MODE_SEMAPHORE, succeeded, do_get, false},
	{"semaphore mode: wait", SLIP_MODE_SEMAPHORE, attached, do_wait, false},
	{"semaphore mode: close a reader", SLIP_MODE_SEMAPHORE, attached, do_close_reader, false},
	{"semaphore mode: inspect", SLIP_MODE_SEMAPHORE, attached, do_inspect, false},
	{"semaphore mode: remove leftovers", SLIP_MODE_SEMAPHORE, orphaned, do_gc, false},
};

/* ---- one child ---- */

/* What it says of itself, in memory that it shares with its parent. */
struct report {
	int err;		       /* of the call; 0: it succeeded */
	bool left;		       /* what could not be removed, for gc */
	struct holdings before, after; /* the call */
	struct holdings first, last;   /* the whole */
	char detail[256];
};

static const struct scenario *scenario;
static struct report *report;

static int life(void *context)
{
	(void)context;
	struct stage t = {0};
	(void)alarm(LIMIT_S);
	/* What a process keeps for good (the registry, liburcu's tables and its page a thread, for want of which it ends the process) is there before anything is counted. */
	for (int i = 0; i < 2; i++) {
		struct stage warm = {0};
		mode = i == 0 ? SLIP_MODE_LOCK_FREE : SLIP_MODE_SEMAPHORE;
		attached(&warm);
		slip_reader_close(warm.reader);
		slip_writer_close(warm.writer);
		CHECK(objects_with("") == 2);
	}
	mode = scenario->mode;
	extras = scenario->extras;
	report->first = holdings();
	scenario->set_up(&t);
	report->before = holdings();
	traced_mark();
	int done = scenario->call(&t);
	traced_mark();
	int err = done == 0 ? 0 : errno;
	(void)snprintf(report->detail, sizeof(report->detail), "%s", slip_error_detail());
	report->after = holdings();
	report->err = err;
	/* The handle is as good as before: the same again. */
	for (int i = 0; err != 0 && i < 3 && (done = scenario->call(&t)) != 0; i++)
		pause_ms(60);
	if (done != 0) {
		fprintf(stderr, "the same call again: errno %d: %s\n", errno, slip_error_detail());
		return 3;
	}
	if (t.sleeps) {
		void *frame;
		CHECK(pthread_join(t.sleeper, &frame) == 0);
		CHECK(whole(frame) == 0);
	}
	CHECK(t.frame == NULL || slip_release(t.frame) == 0);
	slip_reader_close(t.reader);
	/* Whatever a close could not remove, the next writer does. */
	if (t.writer == NULL)
		CHECK(do_set(&t) == 0);
	slip_writer_close(t.writer);
	slip_waker_close(t.waker);
	/* What could not be removed is found later, and by nobody mistaken for something alive. */
	report->left = objects_with("") > 2;
	CHECK(!report->left || do_gc(&t) == 0);
	report->last = holdings();
	return 0;
}

struct outcome {
	unsigned passed_on; /* the call failed with this errno */
	unsigned other;	    /* with another one */
	unsigned ignored;   /* it succeeded */
	unsigned left;	    /* one of these, and an object stayed, which the next writer or gc removed */
};

static struct outcome outcomes[sizeof(CALL_ERRNOS) / sizeof(CALL_ERRNOS[0])][ERRNOS_MOST];
static unsigned bad;

static void complain(long position, const char *name, int err, const char *what)
{
	bad++;
	printf("BAD  %s: %s (call %ld) fails with %s: %s (errno %s: %s; objects %d -> %d, descriptors %d -> %d, mappings %d -> %d, "
	       "allocations %llu -> %llu)\n",
	       scenario->what, name, position, strerrorname_np(err), what, report->err == 0 ? "0" : strerrorname_np(report->err),
	       report->detail, report->before.objects, report->after.objects, report->before.descriptors, report->after.descriptors,
	       report->before.mappings, report->after.mappings, (unsigned long long)report->first.allocations,
	       (unsigned long long)report->last.allocations);
}

static void sweep(void)
{
	DIR *dir = opendir(directory);
	CHECK(dir != NULL);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		(void)unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
}

static void judge(long position, const struct call_errnos *call, int index, int status)
{
	int err = call->errnos[index];
	struct outcome *o = &outcomes[call - CALL_ERRNOS][index];
	const struct holdings *b = &report->before;
	const struct holdings *a = &report->after;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		complain(position, call->name, err, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "does not go on");
	else if (report->err != 0 && report->detail[0] == '\0')
		complain(position, call->name, err, "says nothing");
	else if (report->last.objects != 0 || report->last.descriptors != report->first.descriptors ||
		 report->last.mappings != report->first.mappings)
		complain(position, call->name, err, "leaves something over in the end");
	else if (report->err != 0 && a->objects > b->objects && call->number != SYS_newfstatat)
		complain(position, call->name, err, "leaves an object");
	else if (report->left || (report->err != 0 && a->objects > b->objects))
		o->left++; /* what cannot be looked at is not removed: it might be another's */
	else if (report->err == err)
		o->passed_on++;
	else if (report->err != 0)
		o->other++;
	else
		o->ignored++;
}

/* Runs the scenario's call with one system call (by position; -1: none) failing. Notes their numbers, if asked. */
static int run(long position, int err, long *numbers, long *count)
{
	memset(report, 0, sizeof(*report));
	pid_t pid = traced_start(life, NULL);
	CHECK(traced_to_mark(pid));
	int status;
	long at = 0;
	for (enum traced_stop stop; (stop = traced_go(pid, TRACED_CALL, &status)) == TRACED_SYSCALL; at++) {
		if (numbers != NULL) {
			CHECK(at < MOST_CALLS);
			numbers[at] = traced_call(pid);
		}
		if (at == position) {
			/* Linux lets go of a descriptor and of whole mappings whatever it says of it: these are made, and lie. */
			long number = traced_call(pid);
			bool gone = number == SYS_unlink && err == ENOENT; /* somebody else was faster */
			traced_fail_call(pid, err, number == SYS_close || number == SYS_munmap || gone);
		} else if (traced_go(pid, TRACED_CALL, &status) == TRACED_ENDED)
			break;
	}
	if (count != NULL)
		*count = at;
	if (WIFSTOPPED(status) && traced_go(pid, TRACED_ON, &status) != TRACED_ENDED)
		CHECK(!"a mark after the call");
	return status;
}

int main(void)
{
	if (!TRACED_HERE) {
		printf("skipped: having system calls fail is written for x86-64\n");
		return SKIPPED;
	}
	(void)snprintf(directory, sizeof(directory), "/dev/shm/slipring-faults-%d", (int)getpid());
	CHECK(mkdir(directory, 0700) == 0 && setenv("SLIPRING_DIR", directory, 1) == 0);
	report = shared_memory(sizeof(*report));
	static long numbers[MOST_CALLS];
	unsigned long failures = 0;
	size_t scenarios = sizeof(SCENARIOS) / sizeof(SCENARIOS[0]);
	for (size_t i = 0; i < scenarios; i++) {
		scenario = &SCENARIOS[i];
		long count = 0;
		int status = run(-1, 0, numbers, &count);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || report->err != 0) {
			printf("%s does not work by itself: status 0x%x, errno %d: %s\n", scenario->what, status, report->err,
			       report->detail);
			return 1;
		}
		uint64_t kept = report->last.allocations - report->first.allocations;
		printf("%3ld system calls  %s\n", count, scenario->what);
		(void)fflush(stdout);
		for (long at = 0; at < count; at++) {
			const struct call_errnos *call = errnos_of(numbers[at]);
			if (call == NULL) {
				printf("system call %ld is not in errnos.h\n", numbers[at]);
				return 1;
			}
			for (int e = 0; e < ERRNOS_MOST && call->errnos[e] != 0; e++) {
				status = run(at, call->errnos[e], NULL, NULL);
				judge(at, call, e, status);
				if (report->last.allocations - report->first.allocations != kept)
					complain(at, call->name, call->errnos[e], "leaks memory");
				sweep();
				failures++;
			}
		}
	}
	CHECK(rmdir(directory) == 0);
	unsigned pairs = 0;
	printf("\n%-16s %-12s %10s %14s %8s %9s\n", "system call", "fails with", "passed on", "another errno", "ignored", "for later");
	for (size_t c = 0; c < sizeof(CALL_ERRNOS) / sizeof(CALL_ERRNOS[0]); c++)
		for (int e = 0; e < ERRNOS_MOST; e++) {
			const struct outcome *o = &outcomes[c][e];
			if (o->passed_on + o->other + o->ignored + o->left == 0)
				continue;
			pairs++;
			printf("%-16s %-12s %10u %14u %8u %9u\n", CALL_ERRNOS[c].name, strerrorname_np(CALL_ERRNOS[c].errnos[e]),
			       o->passed_on, o->other, o->ignored, o->left);
		}
	printf("faults: %lu failures in %zu scenarios, %u pairs of system call and errno, %u bad\n", failures, scenarios, pairs, bad);
	return bad != 0;
}
