/*
 * death.h - kills a child after every instruction of slipring's in one call, and looks each time at what that leaves.
 *
 * A case is a body (what the child does) and a judge (what must hold then). The body calls traced_mark before and after the call, and before that as often as
 * its parent has something to do (prepare) on the way there. The call is first stepped through once, and the address of each instruction in
 * libslipring.so is noted; then there is a child for each, killed when it comes to that instruction as often as the first did: that is after the
 * one before it, and whatever the C library and the kernel did in between. An instruction that repeats itself (rep movs) counts once.
 *
 * Where a case has a first one, another child dies in that before: after each instruction of its call that changed something in shared memory, in turn.
 *
 *   death_NAME [--full] [--every N] [TEXT [POINT]]
 *     --full   every instruction; otherwise each Nth (of a second death: fewer), from one on that SLIPRING_SEED says
 *     TEXT     the cases that have it in their names; POINT: that point alone, as a failure names it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_DEATH_H
#define SLIP_TESTS_DEATH_H

#include "steps.h"

#include <sys/stat.h>

/* In memory that the workers share. */
struct death_sum {
	slip__a64 points;    /* kills after instructions of slipring's */
	slip__a64 elsewhere; /* kills after those of other libraries */
	slip__a64 missed;    /* an instruction that another child did not come to, or ended before */
	slip__a64 skipped;   /* left out by the short form */
	slip__a64 cases;
	slip__a64 next;
	/* What the judges saw. */
	slip__a64 verified; /* frames */
	slip__a64 claimed;  /* slots filled again */
	slip__a64 torn;
	slip__a64 lost;
	slip__a64 repeated;
	slip__a64 slots_lost;
	slip__a64 left_over;
	slip__a64 unsound; /* rings that segment_check refuses */
};

static struct death_sum *death_sum;

/* Where a worker is, so that a failure can be had again. */
static struct {
	const char *what;
	size_t point;
	size_t change;
	uint64_t at; /* from where slipring's code begins; 0: elsewhere */
} death_now;

static inline void death_say_where(void)
{
	if (death_now.what == NULL)
		return;
	fprintf(stderr, "in \"%s\", point %zu (libslipring.so's code + 0x%llx; 0: elsewhere), after %zu changes by one that died before\n",
		death_now.what, death_now.point, (unsigned long long)death_now.at, death_now.change);
}

/* What must not be is counted, and said. */
static inline void death_count(slip__a64 *counter, bool bad, const char *what)
{
	if (!bad)
		return;
	add(counter, 1);
	fprintf(stderr, "%s: ", what);
	death_say_where();
}

/* A frame whose words say its number. */
static inline void death_verify(const slip_frame *f)
{
	add(&death_sum->verified, 1);
	death_count(&death_sum->torn, whole_words(f->data, f->size / 8) != f->seq, "torn");
}

/* The oracle over a ring at rest: its words can be, nobody holds anything, and its table has so many readers. */
static inline void death_check_ring(const char *base, const char *channel, int readers)
{
	slip_channel_name name;
	struct slip__segment segment;
	CHECK(slip__name_make(base, channel, &name) == 0);
	CHECK(slip__segment_open(&name, NULL, SLIP__VIEW_CONTROL, &segment) == 0);
	death_count(&death_sum->unsound, slip__segment_check(&segment) != 0, "segment_check");
	for (uint32_t s = 0; s < segment.geometry.slots; s++)
		death_count(&death_sum->slots_lost, a64_load_relaxed(slip__pins(&segment.ring, s)) != 0, "a slot is held by nobody");
	uint64_t places = a64_load_relaxed(&segment.header->attached) | a64_load_relaxed(&segment.header->in_order);
	death_count(&death_sum->slots_lost, __builtin_popcountll(places) != readers, "a place is held by nobody");
	slip__segment_close(&segment);
}

/* Nothing stands in the directory any more. */
static inline void death_check_directory(void)
{
	DIR *directory = opendir(death_directory);
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		death_count(&death_sum->left_over, true, entry->d_name);
		CHECK(unlinkat(dirfd(directory), entry->d_name, 0) == 0);
	}
	closedir(directory);
}

/* ---- a run ---- */

struct death_form {
	bool full;
	size_t every;
	size_t seed;
	const char *text;
	size_t point; /* 0: all */
};

enum { DEATH_RARELY = 61 }; /* of second deaths: every so manieth point, and in the short form one change */

/* All points of a case, as far as the form goes; those of a first death have been chosen. */
static inline void death_run_points(struct death_case *c, const struct death_form *form, size_t stride, uint64_t *endings, uint64_t *missed)
{
	struct death_trace trace = {0};
	death_now.point = 0;
	death_record(c, false, &trace);
	death_now.point = trace.count + 1;
	death_now.at = 0;
	endings[c->judge(c->context)]++;
	add(&death_sum->points, 1);
	size_t killed = 1;
	for (size_t i = form->seed % stride; i < trace.count; i += stride) {
		if (form->point != 0 && form->point != i + 1)
			continue;
		death_now.point = i + 1;
		death_now.at = death_is_ours(&trace, trace.visits[i].at) ? trace.visits[i].at - trace.from : 0;
		bool there = false;
		/* Where time plays a part it may come there another time. */
		for (int tries = 0; !there && tries < 4; tries++) {
			pid_t pid = death_begin(c);
			there = death_reach(pid, &trace.visits[i]);
			traced_kill(pid);
			endings[c->judge(c->context)]++;
		}
		*missed += !there;
		add(death_is_ours(&trace, trace.visits[i].at) ? &death_sum->points : &death_sum->elsewhere, 1);
		killed++;
	}
	add(&death_sum->skipped, trace.count + 1 - killed);
	free(trace.visits);
}

/* The visits at which a first death happens: before the call, and after each change by it. */
static inline void death_find_changes(struct death_case *c, struct death_trace *changes)
{
	death_keep(changes, &(struct death_visit){.at = 0, .nth = 0});
	death_record(c->first, true, changes);
	(void)c->judge(c->context);
}

static inline void death_run(struct death_case *c, const struct death_form *form)
{
	uint64_t endings[DEATH_ENDINGS] = {0};
	uint64_t missed = 0;
	death_now.what = c->what;
	size_t changes = 0;
	if (c->first == NULL) {
		death_run_points(c, form, form->every, endings, &missed);
	} else {
		struct death_trace trace = {0};
		death_find_changes(c, &trace);
		changes = trace.count - 1;
		size_t step = form->full || form->point != 0 ? 1 : trace.count;
		for (size_t i = form->seed % step; i < trace.count; i += step) {
			c->visit = trace.visits[i];
			death_now.change = i;
			/* A clean one is the case that matters most; of the others there are many. */
			death_run_points(c, form, changes == 0 || form->point != 0 ? form->every : form->every * DEATH_RARELY, endings,
					 &missed);
		}
		free(trace.visits);
	}
	char line[512];
	int at = snprintf(line, sizeof(line), "%s:", c->what);
	uint64_t kills = 0;
	for (int i = 0; i < DEATH_ENDINGS; i++)
		kills += endings[i];
	at += snprintf(line + at, sizeof(line) - (size_t)at, " %llu kills", (unsigned long long)kills);
	if (changes > 0)
		at += snprintf(line + at, sizeof(line) - (size_t)at, " after one that died after %zu changes", changes);
	for (int i = 0; i < DEATH_ENDINGS; i++)
		if (endings[i] > 0 && c->endings[i] != NULL)
			at += snprintf(line + at, sizeof(line) - (size_t)at, ", %llu %s", (unsigned long long)endings[i], c->endings[i]);
	if (missed > 0)
		(void)snprintf(line + at, sizeof(line) - (size_t)at, "; %llu not reached again", (unsigned long long)missed);
	printf("%s\n", line);
	(void)fflush(stdout);
	add(&death_sum->missed, missed);
	add(&death_sum->cases, 1);
	death_now.what = NULL;
}

/* One of several that share the cases out among them. In a directory of its own, so that what is left over can be counted. */
static inline int death_worker(struct death_case *cases, size_t count, const struct death_form *form)
{
	(void)snprintf(death_directory, sizeof(death_directory), "/dev/shm/slipring-death-%d", (int)getpid());
	CHECK(mkdir(death_directory, 0700) == 0);
	CHECK(setenv("SLIPRING_DIR", death_directory, 1) == 0);
	CHECK(atexit(death_say_where) == 0);
	struct death_form own = *form;
	for (size_t i; (i = atomic_fetch_add_explicit(&death_sum->next, 1, memory_order_relaxed)) < count;) {
		own.seed = form->seed + i;
		if (form->text == NULL || strstr(cases[i].what, form->text) != NULL)
			death_run(&cases[i], &own);
	}
	CHECK(rmdir(death_directory) == 0);
	return 0;
}

#define DEATH_FIGURE(name) (unsigned long long)a64_load_relaxed(&death_sum->name)

static inline int death_main(int argc, char **argv, struct death_case *cases, size_t count, size_t every, const char *of)
{
	struct death_form form = {.every = every};
	int arg = 1;
	for (; arg < argc && argv[arg][0] == '-'; arg++) {
		form.full = form.full || strcmp(argv[arg], "--full") == 0;
		if (strcmp(argv[arg], "--every") == 0 && arg + 1 < argc)
			form.every = strtoul(argv[++arg], NULL, 10);
	}
	if (form.full)
		form.every = 1;
	if (arg < argc)
		form.text = argv[arg++];
	if (arg < argc) {
		form.point = strtoul(argv[arg], NULL, 10);
		form.every = 1;
	}
	form.seed = test_seed();
	death_sum = shared_memory(sizeof(*death_sum));
	long workers = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pids[64];
	int started = 0;
	for (; started < workers && started < 64; started++)
		SPAWN(pids[started], (exit(death_worker(cases, count, &form)), 0));
	int failed = 0;
	for (int i = 0; i < started; i++) {
		int status;
		CHECK(waitpid(pids[i], &status, 0) == pids[i]);
		failed += status != 0;
	}
	printf("kill points: %llu in slipring's code%s, %llu in other libraries', in %llu cases of %s (%llu left out, %llu not reached "
	       "again): %llu frames verified, %llu slots filled again; %llu torn, %llu lost, %llu repeated, %llu slots lost, %llu left "
	       "over, "
	       "%llu rings unsound\n",
	       DEATH_FIGURE(points), form.full ? "" : " (--full: all)", DEATH_FIGURE(elsewhere), DEATH_FIGURE(cases), of,
	       DEATH_FIGURE(skipped), DEATH_FIGURE(missed), DEATH_FIGURE(verified), DEATH_FIGURE(claimed), DEATH_FIGURE(torn),
	       DEATH_FIGURE(lost), DEATH_FIGURE(repeated), DEATH_FIGURE(slots_lost), DEATH_FIGURE(left_over), DEATH_FIGURE(unsound));
	/* A run that mostly misses shows nothing. */
	CHECK(DEATH_FIGURE(missed) * 50 <= DEATH_FIGURE(points) + DEATH_FIGURE(elsewhere));
	CHECK(DEATH_FIGURE(torn) + DEATH_FIGURE(lost) + DEATH_FIGURE(repeated) + DEATH_FIGURE(slots_lost) + DEATH_FIGURE(left_over) +
		      DEATH_FIGURE(unsound) ==
	      0);
	CHECK(failed == 0);
	return 0;
}

#endif
