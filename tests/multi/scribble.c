/*
 * A peer that may write writes anything, all the time, while a writer, readers, observers and tools use the channel; in both modes. Nobody crashes, nobody
 * hangs, nobody touches memory outside of its mappings (each lies between inaccessible pages: fuzz/guarded.h), every error is a documented one; and once
 * the scribbler has gone the next writer and reader find a channel that works.
 */
#include "guarded.h"
#include "hostile.h"
#include "processes.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>

enum {
	WATCHDOG_S = 60,
	LIMIT_NS = 1000000,
	CALLS_PER_HANDLE = 300,
	WRITES_PER_HANDLE = 2000,
	WRITES_PER_LOCK = 100,
	ENOUGH = 100,
	FRAME = 40000,
	LARGE_FRAME = 150000,
	SHORT_FRAME = 64
};

/* Of one kind of process. */
struct kind {
	slip__a64 calls;
	slip__a64 good; /* frames published, or got and read to the last byte; looks that found something */
	slip__a64 refused;
	slip__a64 undocumented; /* errors */
};

struct shared {
	slip__a32 over;
	slip__a64 changes;
	slip__a64 rings; /* objects that were scribbled over */
	struct kind writer, latest, in_order, observer, tools;
};

static char base[64];
static slip_mode mode;
static struct shared *shared;

static bool over(void)
{
	return a32_load_relaxed(&shared->over) != 0;
}

/* ---- chance ---- */

static uint64_t chance_state;

static uint64_t chance(void)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return chance_state * UINT64_C(0x9e3779b97f4a7c15);
}

/* A child's begin. Where the test fails, and so ends, it ends too. */
static void begin(uint64_t seed, uint64_t number)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	chance_state = seed * 1000003 + number + 1;
	for (int i = 0; i < 8; i++)
		(void)chance();
}

/* ---- calls, each of which ends ---- */

/* A call that hangs ends its process, and so the test. */
static void call(struct kind *kind)
{
	if (a64_add_relaxed(&kind->calls, 1) % 64 == 0)
		(void)alarm(WATCHDOG_S);
}

static void judge(struct kind *kind, bool good)
{
	static const int DOCUMENTED[] = {EAGAIN, ENOENT,    ETIMEDOUT, EPIPE,		EBADMSG, EUSERS, EMFILE, EOWNERDEAD,
					 EBUSY,	 EOVERFLOW, EINVAL,    EPROTONOSUPPORT, ENOMEM,	 ENOSPC, EPERM,	 ENOTSUP};
	bool documented = good;
	for (size_t i = 0; i < sizeof(DOCUMENTED) / sizeof(DOCUMENTED[0]); i++)
		documented = documented || errno == DOCUMENTED[i];
	if (!documented)
		fprintf(stderr, "scribble: errno %d: %s\n", errno, slip_error_detail());
	(void)a64_add_relaxed(good ? &kind->good : documented ? &kind->refused : &kind->undocumented, 1);
}

static void touch(const slip_frame *f)
{
	volatile uint64_t sum = 0;
	for (size_t at = 0; at < f->size; at += 64)
		sum += ((const unsigned char *)f->data)[at];
	for (size_t at = 0; at < f->metadata_size; at++)
		sum += ((const unsigned char *)f->metadata)[at];
	if (f->size > 0)
		sum += ((const unsigned char *)f->data)[f->size - 1];
	(void)sum;
}

static slip_frame *receive(slip_reader *reader, bool in_order)
{
	int64_t shape[SLIP_MAX_DIMS];
	slip_wait_item item = {.reader = reader, .channel = "a"};
	errno = 0;
	switch (chance() % 16) {
	case 0: return slip_wait(reader, "a", LIMIT_NS) == 0 ? slip_get_array(reader, "a") : NULL;
	case 1: return slip_wait_any(&item, 1, LIMIT_NS) > 0 ? slip_get_array(reader, "a") : NULL;
	case 2: return slip_wait_for_array(reader, "a", LIMIT_NS) == 0 ? slip_get_array(reader, "a") : NULL;
	case 3: return slip_get_shape(reader, "a", shape) >= 0 ? slip_get_array(reader, "a") : NULL;
	case 4: return slip_writer_alive(reader, "a") >= 0 ? slip_get_array(reader, "a") : NULL;
	case 5: return slip_get_array(reader, "a");
	default: return in_order ? slip_next(reader, "a", LIMIT_NS) : slip_get_array(reader, "a");
	}
}

static int read_anything(struct kind *kind, bool observer, bool in_order)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = mode;
	options.observer = observer;
	while (!over()) {
		slip_reader *reader = slip_reader_open(base, &options);
		slip_frame *held = NULL;
		for (int i = 0; i < CALLS_PER_HANDLE && !over(); i++) {
			call(kind);
			slip_frame *f = receive(reader, in_order);
			judge(kind, f != NULL);
			if (f == NULL)
				continue;
			touch(f);
			/* One is held while the next is got. */
			if (held != NULL)
				CHECK(slip_release(held) == 0);
			held = f;
		}
		slip_reader_close(reader);
		if (held != NULL)
			CHECK(slip_release(held) == 0);
	}
	CHECK(guarded_mappings() == 0 && guarded_anchors() == 0);
	return 0;
}

static int look_at_it(void)
{
	struct kind *kind = &shared->tools;
	while (!over()) {
		slip_leftover *leftovers;
		slip_channel_name *names;
		size_t count;
		call(kind);
		slip_channel_info *info = slip_channel_inspect(base, "a", mode);
		judge(kind, info != NULL);
		slip_channel_info_free(info);
		call(kind);
		bool listed = slip_gc_list(base, &leftovers, &count) == 0;
		judge(kind, listed);
		if (listed)
			free(leftovers);
		call(kind);
		listed = slip_list_channels(base, &names, &count) == 0;
		judge(kind, listed);
		if (listed)
			free(names);
	}
	CHECK(guarded_mappings() == 0 && guarded_anchors() == 0);
	return 0;
}

static slip_array array(size_t size)
{
	static unsigned char data[LARGE_FRAME];
	slip_array a = bytes_array(data, (int64_t)(mode == SLIP_MODE_LOCK_FREE ? size : FRAME));
	if (mode == SLIP_MODE_LOCK_FREE) {
		a.metadata = "some metadata";
		a.metadata_size = 13;
		a.frame_id = "left";
	}
	return a;
}

static bool lend_and_end(slip_writer *writer)
{
	slip_array a = array(FRAME);
	slip_frame *loan = slip_loan(writer, "a", &a);
	if (loan == NULL)
		return false;
	memset(loan->data, 1, loan->size);
	if (chance() % 4 == 0)
		return slip_discard(loan) == 0;
	if (chance() % 2 == 0 ? slip_publish(loan) == 0 : slip_publish_keep(loan) == 0 && slip_release(loan) == 0)
		return true;
	int err = errno;
	(void)slip_discard(loan);
	errno = err;
	return false;
}

static bool write_something(slip_writer *writer)
{
	slip_array a = array(chance() % 64 == 0 ? LARGE_FRAME : FRAME);
	slip_array small = array(SHORT_FRAME);
	errno = 0;
	switch (chance() % 8) {
	case 0:
	case 1: return lend_and_end(writer);
	case 2: return slip_readers_attached(writer, "a") >= 0;
	case 3: return slip_set_array(writer, "a", &small) == 0;
	default: return slip_set_array(writer, "a", &a) == 0;
	}
}

/* Handles that are closed, and one that is not: killed in the middle of its life, for the next one to take over what stands there. */
static int write_on(uint64_t lives)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.mode = mode;
	options.lock_timeout_ns = LIMIT_NS;
	/* A lock that was scribbled over is had again by the next handle alone, and each call waits for it. */
	const int writes = mode == SLIP_MODE_SEMAPHORE ? WRITES_PER_LOCK : WRITES_PER_HANDLE;
	while (!over()) {
		slip_writer *writer = slip_writer_open(base, &options);
		for (int i = 0; i < writes && !over(); i++) {
			call(&shared->writer);
			judge(&shared->writer, write_something(writer));
		}
		if (lives-- == 0 && !over())
			raise(SIGKILL);
		slip_writer_close(writer);
	}
	CHECK(guarded_mappings() == 0 && guarded_anchors() == 0);
	return 0;
}

/* ---- the scribbler ---- */

/* What stands under a name now, mapped to be written to. */
struct target {
	char name[SLIP_OBJECT_MAX];
	struct slip__identity identity;
	struct slip__geometry geometry; /* of a control object, from before it was scribbled over */
	unsigned char *bytes;
	size_t size;
};

static void leave(struct target *t)
{
	if (t->bytes != NULL)
		munmap(t->bytes, t->size);
	t->bytes = NULL;
}

static bool map(struct target *t, size_t least)
{
	struct slip__file file;
	int fd = slip__os_open(t->name, SLIP__READ_WRITE, &file);
	if (fd < 0)
		return false;
	t->identity = file.identity;
	t->size = file.size;
	void *bytes = file.size >= least ? mmap(NULL, file.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	slip__os_close(fd);
	if (bytes == MAP_FAILED)
		return false;
	t->bytes = bytes;
	(void)a64_add_relaxed(&shared->rings, 1);
	return true;
}

/* Follows the name, as readers do. */
static bool attach(struct target *t, bool control)
{
	if (t->bytes != NULL && slip__os_leads_to(t->name, t->identity) == 1)
		return true;
	leave(t);
	if (!map(t, control ? sizeof(struct slip__header) : SLIP__SEMAPHORE_BYTES))
		return false;
	if (!control)
		return true;
	memcpy(&t->geometry, t->bytes, sizeof(t->geometry));
	bool good = t->geometry.control_bytes == t->size && t->geometry.slots <= SLIP_MAX_SLOTS && t->geometry.slots > 0;
	if (!good)
		leave(t);
	return good;
}

/* Gives the others time for a call or so, in which the bytes are as they are. */
static void let_them_look(uint64_t calls)
{
	const slip__a64 *counts[] = {&shared->writer.calls, &shared->latest.calls, &shared->in_order.calls, &shared->observer.calls,
				     &shared->tools.calls};
	const slip__a64 *count = counts[chance() % 5];
	uint64_t before = a64_load_relaxed(count);
	for (int i = 0; i < 64 && a64_load_relaxed(count) < before + calls; i++)
		(void)sched_yield();
}

static void scribble_control(struct target *t, struct script *s)
{
	struct hostile_word word = hostile_choose(s, t->bytes, &t->geometry);
	struct hostile_word good = word;
	memcpy(&good.value, t->bytes + word.at, word.bytes);
	hostile_store(t->bytes, &word);
	let_them_look(chance() % 2);
	/* Mostly mended again, so that frames still flow; sometimes left. */
	if (chance() % 32 != 0)
		hostile_store(t->bytes, &good);
}

static void scribble_bytes(struct target *t, struct script *s)
{
	unsigned char good[64];
	size_t size = t->size < sizeof(good) ? t->size : sizeof(good);
	memcpy(good, t->bytes, size);
	hostile_bytes(s, t->bytes, size);
	let_them_look(chance() % 2);
	if (chance() % 32 != 0)
		memcpy(t->bytes, good, size);
}

/* All have had frames, so that it was not an idle channel that was scribbled over. */
static bool enough(void)
{
	const struct kind *kinds[] = {&shared->writer, &shared->latest, &shared->in_order, &shared->observer, &shared->tools};
	bool all = true;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		all = all && a64_load_relaxed(&kinds[i]->good) >= ENOUGH;
	return all;
}

/* At least so many words; returns how many. */
static uint64_t scribble_words(uint64_t changes)
{
	struct target targets[2] = {{.size = 0}, {.size = 0}};
	slip_channel_name name;
	CHECK(slip__name_make(base, "a", &name) == 0);
	if (mode == SLIP_MODE_LOCK_FREE) {
		slip__object_name(&name, SLIP__OBJECT_CONTROL, 0, targets[0].name);
	} else {
		(void)snprintf(targets[0].name, sizeof(targets[0].name), "%s_a_shm", base);
		(void)snprintf(targets[1].name, sizeof(targets[1].name), "sem.%s_a_sem", base);
	}
	uint64_t done = 0;
	while (done < changes || !enough()) {
		struct target *t = &targets[mode == SLIP_MODE_SEMAPHORE ? chance() % 2 : 0];
		uint64_t random[4] = {chance(), chance(), chance(), chance()};
		struct script s = {.at = (const uint8_t *)random, .left = sizeof(random)};
		(void)alarm(WATCHDOG_S);
		if (!attach(t, mode == SLIP_MODE_LOCK_FREE)) {
			(void)sched_yield();
			continue;
		}
		if (mode == SLIP_MODE_LOCK_FREE)
			scribble_control(t, &s);
		else
			scribble_bytes(t, &s);
		done++;
	}
	leave(&targets[0]);
	leave(&targets[1]);
	return done;
}

static int scribble(uint64_t changes)
{
	a64_store_relaxed(&shared->changes, scribble_words(changes));
	return 0;
}

/* ---- all of them ---- */

/* The writer, again and again, until the scribbler is done. */
static uint64_t keep_writing(pid_t scribbler, uint64_t seed)
{
	pid_t writer = 0;
	uint64_t deaths = 0;
	int status;
	for (;;) {
		if (writer == 0)
			SPAWN(writer, (begin(seed, 100 + deaths), write_on(deaths % 3)));
		pid_t ended = waitpid(-1, &status, 0);
		if (ended == writer && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			writer = 0;
			deaths++;
			continue;
		}
		if (WIFSIGNALED(status))
			fprintf(stderr, "scribble: the %s died of signal %d (%s)\n",
				ended == scribbler ? "scribbler"
				: ended == writer  ? "writer"
						   : "readers' or tools' process",
				WTERMSIG(status), WTERMSIG(status) == SIGALRM ? "hung" : strsignal(WTERMSIG(status)));
		CHECK(ended == scribbler && WIFEXITED(status) && WEXITSTATUS(status) == 0);
		break;
	}
	a32_store_release(&shared->over, 1);
	CHECK(waitpid(writer, &status, 0) == writer);
	CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	return deaths;
}

static void expect_recovery(void)
{
	slip_writer_options wo = SLIP_WRITER_OPTIONS_INIT;
	slip_reader_options ro = SLIP_READER_OPTIONS_INIT;
	wo.mode = ro.mode = mode;
	slip_writer *writer = slip_writer_open(base, &wo);
	slip_array a = array(FRAME);
	CHECK(slip_set_array(writer, "a", &a) == 0);
	slip_reader *reader = slip_reader_open(base, &ro);
	slip_frame *f = slip_get_array(reader, "a");
	CHECK(f != NULL && f->size == FRAME);
	CHECK(slip_release(f) == 0);
	slip_reader_close(reader);
	slip_writer_close(writer);
	CHECK(objects_with(base) == 0);
}

static void say(const char *what, const struct kind *k)
{
	printf("  %-9s %9llu calls, %9llu good, %9llu refused\n", what, (unsigned long long)a64_load_relaxed(&k->calls),
	       (unsigned long long)a64_load_relaxed(&k->good), (unsigned long long)a64_load_relaxed(&k->refused));
	CHECK(a64_load_relaxed(&k->undocumented) == 0);
}

static uint64_t words; /* scribbled, in both modes */

/* Returns the calls that were made. */
static uint64_t run(slip_mode which, uint64_t changes, uint64_t seed)
{
	bool ring = which == SLIP_MODE_LOCK_FREE;
	mode = which;
	memset(shared, 0, sizeof(*shared));
	(void)snprintf(base, sizeof(base), "%s", own_base(ring ? "scribble" : "scribble-sem"));
	pid_t children[6];
	SPAWN(children[0], (begin(seed, 0), read_anything(&shared->latest, false, false)));
	SPAWN(children[1], (begin(seed, 1), read_anything(&shared->in_order, false, ring)));
	SPAWN(children[2], (begin(seed, 2), read_anything(&shared->observer, ring, false)));
	SPAWN(children[3], (begin(seed, 3), read_anything(&shared->observer, ring, ring)));
	SPAWN(children[4], (begin(seed, 4), look_at_it()));
	SPAWN(children[5], (begin(seed, 5), scribble(changes)));
	uint64_t deaths = keep_writing(children[5], seed);
	for (int i = 0; i < 5; i++)
		expect_clean_end(children[i]);
	expect_recovery();
	printf("%s: %llu words of %llu objects scribbled over, %llu writers killed\n", ring ? "lock-free" : "semaphore",
	       (unsigned long long)changes, (unsigned long long)a64_load_relaxed(&shared->rings), (unsigned long long)deaths);
	const struct kind *kinds[] = {&shared->writer, &shared->latest, &shared->in_order, &shared->observer, &shared->tools};
	static const char *const NAMES[] = {"writer", "latest", "in order", "observers", "tools"};
	uint64_t calls = 0;
	for (size_t i = 0; i < 5; i++) {
		say(i == 3 && !ring ? "others" : NAMES[i], kinds[i]);
		calls += a64_load_relaxed(&kinds[i]->calls);
	}
	words += a64_load_relaxed(&shared->changes);
	return calls;
}

int main(int argc, char **argv)
{
	uint64_t changes = SANITIZED ? 5000 : 20000;
	if (argc == 2 && strcmp(argv[1], "--full") == 0)
		changes *= 20;
	uint64_t seed = test_seed();
	shared = shared_memory(sizeof(*shared));
	uint64_t calls = run(SLIP_MODE_LOCK_FREE, changes, seed);
	calls += run(SLIP_MODE_SEMAPHORE, changes / 4, seed);
	printf("scribble: %llu words scribbled, %llu calls, 0 crashes, 0 hangs, 0 accesses outside of a mapping\n",
	       (unsigned long long)words, (unsigned long long)calls);
	return 0;
}
