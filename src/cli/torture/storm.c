/* SPDX-License-Identifier: Apache-2.0 */
#include "storm.h"

#include "../options.h"
#include "../text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parent.h"
#include "rest.h"

enum {
	TICK_NS = 8 * NS_PER_MS,
	STOP_MOST_NS = 120 * NS_PER_MS,
	FULL_MOST_NS = 300 * NS_PER_MS,
	ROOM_LEFT_MOST = 256 << 10,
	SHIFT_MOST_S = 100000,
	TELL_NS = NS_PER_S / 4
};
/* Nobody who is neither stopped nor starved of memory may take so long. No promise is measured by it: it is what is called stuck. */
#define STUCK_NS (INT64_C(60) * NS_PER_S)

uint64_t storm_count(const struct storm *storm, enum count what)
{
	uint64_t sum = 0;
	for (int i = 0; i < storm->place_count; i++)
		sum += atomic_load_explicit(&storm->board->places[i].counts[what], memory_order_relaxed);
	return sum;
}

uint64_t storm_failures(const struct storm *storm)
{
	uint64_t sum = 0;
	for (int i = 0; i < FAILURES; i++)
		sum += atomic_load_explicit(&storm->board->failures[i], memory_order_relaxed);
	return sum;
}

int storm_pending(const struct storm *storm)
{
	int sum = 0;
	for (int s = 0; s < storm->plan->stream_count; s++)
		sum += storm->streams[s].pending_count;
	return sum;
}

void storm_fail(const struct storm *storm, enum failure how, int place, const char *text)
{
	const struct process *p = &storm->places[place];
	struct life life = {.plan = storm->plan, .board = storm->board, .stream = p->stream, .role = p->reader < 0 ? "writer" : "reader"};
	fail(&life, how, 0, 0, "%s", text);
	if (atomic_load(&storm->board->failed) == 2 && storm->board->failed_pid == (uint32_t)getpid())
		storm->board->failed_pid = (uint32_t)p->pid;
}

/* ---- children ---- */

static void on_signal(int number)
{
	(void)number;
}

/* Children inherit it, so that no signal comes before its handler. */
static void handle_signals(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal; /* without SA_RESTART: a wait ends with EINTR */
	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
}

_Noreturn static void be_child(const struct storm *storm, struct life *life, bool writer, pid_t parent)
{
	/* Who ends the supervisor may have sent it to the whole group; whoever outlives it is of no use. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	end_with_parent(parent);
	if (stream_of(life)->narrow)
		setenv("SLIPRING_DIR", storm->room.path, 1);
	_exit(writer ? writer_life(life) : reader_life(life));
}

static void spawn(struct storm *storm, int place)
{
	struct process *p = &storm->places[place];
	struct stream_watch *watch = &storm->streams[p->stream];
	const bool writer = p->reader < 0;
	struct life life = {.plan = storm->plan,
			    .board = storm->board,
			    .stream = p->stream,
			    .place = place,
			    .witness = p->reader == 0,
			    .role = writer	     ? "writer"
				    : p->reader == 0 ? "witness"
						     : "reader",
			    .random = draw(&storm->random)};
	if (writer)
		life.incarnation = ++watch->incarnations;
	p->shifted = p->reader > 0 && chance(&storm->random, 4) &&
		     clocks_shift(&storm->clocks, (int64_t)below(&storm->random, 2 * SHIFT_MOST_S) - SHIFT_MOST_S);
	storm->shifted += p->shifted;
	fflush(NULL);
	const pid_t parent = getpid();
	p->pid = fork();
	if (p->pid == 0)
		be_child(storm, &life, writer, parent);
	if (p->shifted)
		clocks_shift_back(&storm->clocks);
	if (p->pid < 0)
		p->pid = 0; /* tried again at the next tick */
	storm->spawned++;
	p->stopped_until = 0;
	p->progress_ns = now_ns();
}

static void reap(struct storm *storm, bool again)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		int place = 0;
		while (place < storm->place_count && storm->places[place].pid != pid)
			place++;
		const bool known = place < storm->place_count;
		/* One that was killed is in no place any more; what it did before is not excused. */
		const bool crashed = WIFSIGNALED(status) ? known || WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0;
		if (crashed) {
			(void)snprintf(storm->crash, sizeof(storm->crash), "process %d ended by %s %d", (int)pid,
				       WIFSIGNALED(status) ? "signal" : "exit status",
				       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			storm_fail(storm, FAILED_CRASHED, known ? place : 0, storm->crash);
		}
		if (!known)
			continue;
		storm->ended_readers += storm->places[place].reader >= 0;
		storm->places[place].pid = 0;
		if (again && !crashed)
			spawn(storm, place);
	}
	for (int i = 0; again && i < storm->place_count; i++)
		if (storm->places[i].pid == 0)
			spawn(storm, i);
}

/* ---- what is done to them ---- */

/* Moves what has recovered into the histogram. */
static void see_recoveries(struct storm *storm, int s)
{
	struct stream_watch *watch = &storm->streams[s];
	const struct stream_board *board = &storm->board->streams[s];
	const uint32_t seen = atomic_load_explicit(&board->seen_incarnation, memory_order_acquire);
	const int64_t seen_ns = atomic_load_explicit(&board->seen_ns, memory_order_relaxed);
	int kept = 0;
	for (int i = 0; i < watch->pending_count; i++) {
		const struct pending *p = &watch->pending[i];
		if (p->incarnation >= seen)
			watch->pending[kept++] = *p;
		else
			histogram_add(storm->plan->streams[s].semaphore ? &storm->recovery_semaphore : &storm->recovery,
				      seen_ns > p->killed_ns ? (uint64_t)(seen_ns - p->killed_ns) : 0);
	}
	watch->pending_count = kept;
}

static void kill_one(struct storm *storm, int place)
{
	struct process *p = &storm->places[place];
	struct stream_watch *watch = &storm->streams[p->stream];
	if (p->reader < 0) {
		see_recoveries(storm, p->stream);
		if (watch->pending_count == PENDING_MAX)
			return;
		watch->pending[watch->pending_count++] = (struct pending){.incarnation = watch->incarnations, .killed_ns = now_ns()};
	}
	storm->killed_stopped += p->stopped_until != 0;
	kill(p->pid, SIGKILL);
	if (p->reader < 0)
		storm->killed_writers++;
	else
		storm->killed_readers++;
	/* Its successor starts while it dies. */
	spawn(storm, place);
}

static void stop_one(struct storm *storm, struct process *p)
{
	if (p->stopped_until != 0 || (p->reader < 0 && storm->streams[p->stream].pending_count > 0))
		return;
	p->stopped_until = now_ns() + (int64_t)below(&storm->random, STOP_MOST_NS);
	kill(p->pid, SIGSTOP);
	storm->stops++;
}

static void continue_those(struct storm *storm, int64_t now)
{
	for (int i = 0; i < storm->place_count; i++) {
		struct process *p = &storm->places[i];
		if (p->stopped_until == 0 || p->stopped_until > now || p->pid == 0)
			continue;
		kill(p->pid, SIGCONT);
		p->stopped_until = 0;
		p->progress_ns = now;
	}
}

static void fill_or_empty(struct storm *storm, int64_t *next)
{
	uint64_t *r = &storm->random;
	if (storm->room.full) {
		room_empty(&storm->room);
	} else {
		storm->fills += room_fill(&storm->room, chance(r, 2) ? 0 : (size_t)below(r, ROOM_LEFT_MOST));
	}
	*next = now_ns() + (int64_t)below(r, storm->room.full ? FULL_MOST_NS : 2 * FULL_MOST_NS);
	for (int s = 0; s < storm->plan->stream_count; s++)
		if (storm->plan->streams[s].narrow)
			storm->streams[s].witnessed_ns = now_ns();
}

static void strike(struct storm *storm)
{
	uint64_t *r = &storm->random;
	const int place = (int)below(r, (uint64_t)storm->place_count);
	struct process *p = &storm->places[place];
	if (p->pid == 0)
		return;
	const uint64_t what = below(r, 10);
	if (what < 4) {
		if (p->reader != 0)
			kill_one(storm, place);
	} else if (what < 6) {
		if (p->reader != 0)
			stop_one(storm, p);
	} else if (what < 8) {
		kill(p->pid, SIGUSR1);
		storm->signals++;
	} else {
		/* Writers are few among the places: their deaths are what matters most. */
		const int writer = (int)below(r, (uint64_t)storm->plan->stream_count) * (storm->plan->readers + 1);
		if (storm->places[writer].pid != 0)
			kill_one(storm, writer);
	}
}

/* ---- watching ---- */

/* Whoever does not get on for STUCK_NS, though nothing holds it up. */
void storm_watch(struct storm *storm)
{
	const int64_t now = now_ns();
	char text[160];
	for (int i = 0; i < storm->place_count; i++) {
		struct process *p = &storm->places[i];
		const uint64_t progress = atomic_load_explicit(&storm->board->places[i].progress, memory_order_relaxed);
		if (p->pid == 0 || p->stopped_until != 0 || progress != p->progress) {
			p->progress = progress;
			p->progress_ns = now;
		} else if (now - p->progress_ns > STUCK_NS) {
			(void)snprintf(text, sizeof(text), "process %d has been in one call for %lld s", (int)p->pid,
				       (long long)(STUCK_NS / NS_PER_S));
			storm_fail(storm, FAILED_STUCK, i, text);
			p->progress_ns = now;
		}
	}
	for (int s = 0; s < storm->plan->stream_count; s++) {
		struct stream_watch *watch = &storm->streams[s];
		const uint64_t witnessed = atomic_load_explicit(&storm->board->streams[s].witnessed, memory_order_relaxed);
		see_recoveries(storm, s);
		if (witnessed != watch->witnessed) {
			watch->witnessed = witnessed;
			watch->witnessed_ns = now;
		} else if (now - watch->witnessed_ns > STUCK_NS) {
			(void)snprintf(text, sizeof(text), "no frame has come to the witness for %lld s", (long long)(STUCK_NS / NS_PER_S));
			storm_fail(storm, FAILED_STUCK, s * (storm->plan->readers + 1) + 1, text);
			watch->witnessed_ns = now;
		}
	}
}

/* ---- all of it ---- */

static void plan_places(struct storm *storm)
{
	for (int s = 0; s < storm->plan->stream_count; s++) {
		storm->streams[s].witnessed_ns = now_ns();
		for (int reader = -1; reader < storm->plan->readers; reader++)
			storm->places[storm->place_count++] = (struct process){.stream = s, .reader = reader};
	}
	for (int s = 0; s < storm->plan->stream_count; s++)
		atomic_store(&storm->board->streams[s].between, 1);
}

static bool over(const struct storm *storm, const struct extent *extent)
{
	if (stopped() || atomic_load(&storm->board->failed) != 0)
		return true;
	if (extent->seconds > 0 && (double)(now_ns() - storm->begun_ns) / 1e9 >= extent->seconds)
		return true;
	return extent->deaths > 0 && storm->killed_writers + storm->killed_readers >= extent->deaths;
}

bool storm_run(struct storm *storm, const struct extent *extent, storm_told *tell, void *context)
{
	int64_t next_fill = 0;
	int64_t next_told = 0;
	storm->begun_ns = now_ns();
	storm->random = storm->plan->seed;
	handle_signals();
	plan_places(storm);
	for (int i = 0; i < storm->place_count; i++)
		spawn(storm, i);
	while (!over(storm, extent)) {
		pause_ns((int64_t)below(&storm->random, TICK_NS * 2));
		const int64_t now = now_ns();
		reap(storm, true);
		continue_those(storm, now);
		strike(storm);
		if (storm->room.path[0] != '\0' && now >= next_fill)
			fill_or_empty(storm, &next_fill);
		if (now < next_told)
			continue;
		next_told = now + TELL_NS;
		storm_watch(storm);
		tell(storm, context);
	}
	storm_come_to_rest(storm);
	storm->ended_ns = now_ns();
	return true;
}

void storm_reap(struct storm *storm)
{
	reap(storm, false);
}

void storm_continue_all(struct storm *storm)
{
	continue_those(storm, INT64_MAX);
}
