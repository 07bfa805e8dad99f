/* SPDX-License-Identifier: Apache-2.0 */
#include "rest.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { LOOK_NS = 2 * NS_PER_MS };

static bool has_failed(const struct storm *storm)
{
	return atomic_load(&storm->board->failed) != 0;
}

/* Until a condition holds, or somebody turns out to be stuck. */
static void wait_until(struct storm *storm, bool (*holds)(const struct storm *storm))
{
	while (!holds(storm) && !has_failed(storm)) {
		pause_ns(LOOK_NS);
		storm_reap(storm);
		storm_watch(storm);
	}
}

static bool all_recovered(const struct storm *storm)
{
	return storm_pending(storm) == 0;
}

static bool no_reader(const struct storm *storm)
{
	for (int i = 0; i < storm->place_count; i++)
		if (storm->places[i].pid != 0 && storm->places[i].reader >= 0)
			return false;
	return true;
}

static bool writers_idle(const struct storm *storm)
{
	for (int i = 0; i < storm->place_count; i++)
		if (storm->places[i].reader < 0 && atomic_load(&storm->board->places[i].idle) == 0)
			return false;
	return true;
}

static bool nobody(const struct storm *storm)
{
	for (int i = 0; i < storm->place_count; i++)
		if (storm->places[i].pid != 0)
			return false;
	return true;
}

/* Nobody takes the place of these, so that what they held comes back by the writers' doing alone. */
static void kill_last_readers(struct storm *storm)
{
	for (int i = 0; i < storm->place_count && !has_failed(storm); i++) {
		struct process *p = &storm->places[i];
		if (p->reader <= 0 || p->reader % 2 == 0 || p->pid == 0)
			continue;
		kill(p->pid, SIGKILL);
		p->pid = 0; /* reaped as one that was killed */
		storm->killed_readers++;
	}
}

static void phase(struct storm *storm, enum phase next)
{
	atomic_store(&storm->board->phase, next);
	/* Who has waited for its turn has not been stuck. */
	for (int i = 0; i < storm->place_count; i++)
		storm->places[i].progress_ns = now_ns();
	for (int s = 0; s < storm->plan->stream_count; s++)
		storm->streams[s].witnessed_ns = next == PHASE_STORM ? now_ns() : INT64_MAX / 2;
}

/* The directory of a stream. */
static void enter(const struct storm *storm, bool narrow, const char *usual)
{
	if (narrow)
		setenv("SLIPRING_DIR", storm->room.path, 1);
	else if (usual != NULL)
		setenv("SLIPRING_DIR", usual, 1);
	else
		unsetenv("SLIPRING_DIR");
}

/* With its writer idle and no reader left, nobody holds a slot or the lock. */
static void look_at_stream(struct storm *storm, int s)
{
	const struct stream *stream = &storm->plan->streams[s];
	const int place = s * (storm->plan->readers + 1);
	char text[320];
	slip_channel_info *info =
		slip_channel_inspect(storm->plan->base, stream->channel, stream->semaphore ? SLIP_MODE_SEMAPHORE : SLIP_MODE_LOCK_FREE);
	if (info == NULL) {
		(void)snprintf(text, sizeof(text), "at the end it cannot be looked at: %s", slip_error_detail());
		storm_fail(storm, FAILED_WRONG, place, text);
		return;
	}
	size_t held = info->reader_count;
	for (size_t i = 0; i < info->slot_count; i++)
		held += info->slot_info[i].pins != 0;
	if (stream->semaphore)
		held += info->lock_value != 1 || info->lock_holder_dead != 0;
	if (held > 0) {
		(void)snprintf(
			text, sizeof(text),
			"at the end, with nobody there, %zu readers are attached, %zu slots or locks are held, the lock's value is %d",
			info->reader_count, held - info->reader_count, info->lock_value);
		storm_fail(storm, FAILED_LEAKED, place, text);
	}
	storm->leaked_slots += held;
	slip_channel_info_free(info);
}

/* After everybody closed, no file may have our name. */
static void look_at_directory(struct storm *storm, const char *path)
{
	char text[320];
	slip_leftover *leftovers = NULL;
	size_t count = 0;
	if (slip_gc_list(storm->plan->base, &leftovers, &count) == 0 && count > 0) {
		(void)snprintf(text, sizeof(text), "%zu objects are left over in %.80s, the first: %.60s", count, path,
			       leftovers[0].reason);
		storm_fail(storm, FAILED_LEAKED, 0, text);
	}
	free(leftovers);
	DIR *directory = opendir(path);
	for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
		if (strstr(entry->d_name, storm->plan->base) == NULL)
			continue;
		storm->leaked_objects++;
		(void)snprintf(text, sizeof(text), "%.150s is left in %.40s", entry->d_name, path);
		storm_fail(storm, FAILED_LEAKED, 0, text);
	}
	if (directory != NULL)
		closedir(directory);
}

static const char *usual_path(const char *usual)
{
	return usual != NULL && usual[0] != '\0' ? usual : "/dev/shm";
}

static void look_at_streams(struct storm *storm, const char *usual)
{
	for (int s = 0; s < storm->plan->stream_count; s++) {
		enter(storm, storm->plan->streams[s].narrow, usual);
		look_at_stream(storm, s);
	}
	enter(storm, false, usual);
}

static void look_at_directories(struct storm *storm, const char *usual)
{
	look_at_directory(storm, usual_path(usual));
	if (storm->room.path[0] == '\0')
		return;
	enter(storm, true, usual);
	look_at_directory(storm, storm->room.path);
	enter(storm, false, usual);
}

/* After a failure: nobody is waited for, and what is left is removed. */
static void end_all(struct storm *storm)
{
	for (int i = 0; i < storm->place_count; i++)
		if (storm->places[i].pid != 0)
			kill(storm->places[i].pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	slip_leftover *leftovers = NULL;
	size_t count = 0;
	/* The kernel lets go of a dead process's locks a moment after it can be waited for. */
	for (int round = 0; round < 100; round++) {
		if (slip_gc_list(storm->plan->base, &leftovers, &count) != 0)
			return;
		for (size_t i = 0; i < count; i++)
			(void)slip_gc_remove(&leftovers[i]);
		free(leftovers);
		pause_ns(LOOK_NS);
	}
}

void storm_come_to_rest(struct storm *storm)
{
	const char *set = getenv("SLIPRING_DIR");
	char *usual = set != NULL ? strdup(set) : NULL;
	room_empty(&storm->room);
	storm_continue_all(storm);
	phase(storm, PHASE_STORM);
	wait_until(storm, all_recovered);
	kill_last_readers(storm);
	phase(storm, PHASE_READERS_END);
	wait_until(storm, no_reader);
	phase(storm, PHASE_WRITERS_IDLE);
	wait_until(storm, writers_idle);
	if (!has_failed(storm))
		look_at_streams(storm, usual);
	phase(storm, PHASE_WRITERS_CLOSE);
	wait_until(storm, nobody);
	if (!has_failed(storm))
		look_at_directories(storm, usual);
	else
		end_all(storm);
	free(usual);
}
