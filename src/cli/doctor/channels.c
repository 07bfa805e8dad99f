/* channels.c - each channel: who writes it, who reads it, what you may do with it, what it runs short of. SPDX-License-Identifier: Apache-2.0 */
#include "../text.h"
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_LOOKS = 5, LOCK_PAUSE_NS = 1000000 };

static void path_in(const struct patient *patient, const char *object, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/%s", patient->directory, object);
}

static void control_path(const struct patient *patient, const slip_channel_name *name, char path[PATH_MAX])
{
	char object[SLIP_OBJECT_MAX];
	if (name->mode == SLIP_MODE_SEMAPHORE)
		(void)snprintf(object, sizeof(object), "%s_%s_shm", name->base, name->channel);
	else
		(void)snprintf(object, sizeof(object), "slipring@%s@%s@control", name->base, name->channel);
	path_in(patient, object, path);
}

static bool allows(const char *path, int how)
{
	return faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0;
}

/* ---- what cannot be looked at ---- */

static void say_unusable(struct report *report, const struct patient *patient, const slip_channel_name *name, const char *label)
{
	char path[PATH_MAX];
	char what[96];
	int err = errno;
	struct stat status;
	control_path(patient, name, path);
	if (lstat(path, &status) != 0)
		return; /* closed, or retired and removed, since it was listed */
	if (err == ENOENT) {
		if (name->mode != SLIP_MODE_SEMAPHORE)
			return;
		report_add(report, label, STATUS_NOTE, "half made: %s, %s", path, what_stands(path, what));
		report_number(report, "owner", status.st_uid);
		report_advise(report, STATUS_NOTE,
			      "A program of that format's is about to start, or was killed while it did. User %u's next writer replaces it",
			      status.st_uid);
		return;
	}
	if (err == EACCES && S_ISREG(status.st_mode)) {
		report_add(report, label, STATUS_OK, "closed to you: %s", what_stands(path, what));
		report_number(report, "owner", status.st_uid);
		return;
	}
	report_add(report, label, STATUS_PROBLEM, "%s", slip_error_detail());
	report_text(report, "error", strerrorname_np(err) != NULL ? strerrorname_np(err) : "?");
	report_number(report, "owner", status.st_uid);
	if (err == EPROTONOSUPPORT)
		report_advise(report, STATUS_PROBLEM, "Another version of slipring made it: update the older side");
	else if (status.st_uid == geteuid() || geteuid() == 0)
		report_advise(report, STATUS_PROBLEM, "No channel can be made under this name meanwhile: rm %s%s",
			      S_ISDIR(status.st_mode) ? "-r " : "", path);
	else
		report_advise(report, STATUS_PROBLEM,
			      "No channel can be made under this name meanwhile: let user %u or root remove %s, or use another base name",
			      status.st_uid, path);
}

/* ---- rights ---- */

/* The payload that control names: of those there may be, the one of its size. */
static void payload_path(const struct patient *patient, const slip_channel_info *c, char path[PATH_MAX])
{
	char prefix[SLIP_OBJECT_MAX];
	struct stat status;
	int length = snprintf(prefix, sizeof(prefix), "slipring@%s@%s@payload.", c->name.base, c->name.channel);
	DIR *directory = opendir(patient->directory);
	path[0] = '\0';
	for (const struct dirent *entry; directory != NULL && path[0] == '\0' && (entry = readdir(directory)) != NULL;) {
		if (strncmp(entry->d_name, prefix, (size_t)length) != 0)
			continue;
		path_in(patient, entry->d_name, path);
		if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode) || (uint64_t)status.st_size != c->payload_bytes)
			path[0] = '\0';
	}
	if (directory != NULL)
		closedir(directory);
}

static void say_rights(struct report *report, const struct patient *patient, const slip_channel_info *c)
{
	char control[PATH_MAX];
	char payload[PATH_MAX];
	char semaphore[PATH_MAX];
	bool ring = c->name.mode == SLIP_MODE_LOCK_FREE;
	control_path(patient, &c->name, control);
	bool marks;
	bool sees;
	if (ring) {
		payload_path(patient, c, payload);
		marks = allows(control, R_OK | W_OK);
		sees = allows(control, R_OK) && allows(payload, R_OK);
	} else {
		char object[SLIP_OBJECT_MAX];
		(void)snprintf(object, sizeof(object), "sem.%s_%s_sem", c->name.base, c->name.channel);
		path_in(patient, object, semaphore);
		marks = allows(semaphore, R_OK | W_OK);
		sees = allows(control, R_OK);
	}
	bool reads = sees && marks;
	bool observes = ring && sees;
	bool writes = c->owner == geteuid() && marks;
	report_more(report, "user %u's, mode %04o: you may %s%s%s", (unsigned)c->owner, (unsigned)c->permissions,
		    reads ? "read it" : "not read it", ring ? (observes ? ", observe it" : ", not observe it") : "",
		    writes ? ", write it" : ", not write it");
	report_number(report, "owner", c->owner);
	report_number(report, "mode_bits", c->permissions);
	report_flag(report, "may_read", reads);
	report_flag(report, "may_observe", observes);
	report_flag(report, "may_write", writes);
}

/* ---- a ring ---- */

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Locks of slipring's are write locks. Read locks, for which reading permission is enough, keep newcomers out and stand for nobody. */
static unsigned read_locks(const char *path)
{
	unsigned count = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	for (int byte = 0; fd >= 0 && byte <= SLIP_MAX_READERS; byte++) {
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
		count += fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_RDLCK;
	}
	if (fd >= 0)
		close(fd);
	return count;
}

static void say_locks(struct report *report, const struct patient *patient, const slip_channel_info *c)
{
	char path[PATH_MAX];
	control_path(patient, &c->name, path);
	unsigned count = read_locks(path);
	report_number(report, "foreign_locks", count);
	if (count == 0)
		return;
	report_more(report, "somebody who is no slipring holds read locks on %u of its lock bytes", count);
	report_advise(report, STATUS_PROBLEM,
		      "They keep new readers and the next writer out. Find who: lsof %s; or let its owner remove the objects once its "
		      "writer is gone, and "
		      "start afresh",
		      path);
}

/* Of pins (inspect.h): the writer's own lease, and its mark while it fills the slot. */
#define OWN (UINT64_C(1) << 62)
#define FILLING (UINT64_C(1) << 63)

static void say_slots(struct report *report, const slip_channel_info *c)
{
	unsigned held = 0;
	unsigned free = 0;
	unsigned dead = 0;
	uint64_t holders = OWN;
	const slip_reader_info *most = NULL;
	for (size_t i = 0; i < c->reader_count; i++) {
		dead += c->readers[i].alive ? 0 : c->readers[i].leases;
		holders |= c->readers[i].alive ? UINT64_C(1) << c->readers[i].index : 0;
		if (c->readers[i].leases > 0 && (most == NULL || c->readers[i].leases > most->leases))
			most = &c->readers[i];
	}
	/* What is being filled is the writer's to publish, and from the dead it takes what it needs. */
	for (size_t i = 0; i < c->slot_count; i++) {
		const bool is_held = (c->slot_info[i].pins & FILLING) == 0 && (c->slot_info[i].pins & holders) != 0;
		held += is_held;
		free += !is_held && (c->last_seq == 0 || c->slot_info[i].seq != c->last_seq);
	}
	report_number(report, "slots", c->slots);
	report_number(report, "slots_held", held);
	report_number(report, "slots_free", free);
	report_number(report, "slots_of_dead", dead);
	report_number(report, "refused", c->refused);
	if (dead > 0)
		report_more(report, "readers that died hold %u slot%s: the writer takes them back when it runs short", dead,
			    dead == 1 ? "" : "s");
	if (free <= 1 && c->slots > 2 && held > 1) {
		report_more(report, "%u of %u slots are held", held, c->slots);
		if (most != NULL)
			report_more(report, "most by reader %u (process %u, %s): %u", most->index, most->pid,
				    most->alive ? "alive" : "dead", most->leases);
		report_advise(report, free == 0 ? STATUS_PROBLEM : STATUS_NOTE,
			      "The writer gets EAGAIN while every slot is held: let readers release earlier, or give it more slots (leases "
			      "held at once + "
			      "loans + 1)");
	} else if (c->refused > 0) {
		report_advise(report, STATUS_NOTE,
			      "%" PRIu64
			      " frames were refused because every slot was held: more slots (leases held at once + loans + 1), or "
			      "earlier releases",
			      c->refused);
	}
}

static void say_ring(struct report *report, const struct patient *patient, const slip_channel_info *c, const char *label)
{
	char size[16], age[16];
	unsigned alive = 0;
	for (size_t i = 0; i < c->reader_count; i++)
		alive += c->readers[i].alive != 0;
	report_add(report, label, STATUS_OK, "%s",
		   c->state == SLIP_CHANNEL_LIVE   ? "live"
		   : c->state == SLIP_CHANNEL_DEAD ? "its writer is dead"
						   : "closed, about to go");
	report_text(report, "mode", "lock-free");
	report_text(report, "state", state_name(c->state));
	report_number(report, "bytes", c->control_bytes + c->payload_bytes);
	report_number(report, "readers", alive);
	report_number(report, "last_seq", c->last_seq);
	report_number(report, "writer_pid", c->writer_pid);
	if (c->state == SLIP_CHANNEL_LIVE && c->writer_pid != 0 && kill((pid_t)c->writer_pid, 0) != 0 && errno == ESRCH)
		report_more(report, "its writer noted process %u, which is none here: it runs in another PID namespace", c->writer_pid);
	report_more(report, "%u slots of %s, %u reader%s, seq %" PRIu64, c->slots, human_size(c->capacity, size), alive,
		    alive == 1 ? "" : "s", c->last_seq);
	if (c->last_publish_ns > 0 && c->state == SLIP_CHANNEL_LIVE) {
		int64_t ago = now() - c->last_publish_ns;
		report_number(report, "last_publish_age_ns", ago > 0 ? (uint64_t)ago : 0);
		report_more(report, "last frame %s ago", human_ns(ago > 0 ? (uint64_t)ago : 0, age));
	}
	say_rights(report, patient, c);
	say_slots(report, c);
	say_locks(report, patient, c);
	/* Without readers it is left over, and told of as that. */
	if (c->state == SLIP_CHANNEL_DEAD && alive > 0)
		report_advise(report, STATUS_NOTE,
			      "Start its writer again: it goes on where the dead one ended, and its readers keep what they hold");
}

/* ---- semaphore mode ---- */

/* Taken at each of a few looks: its holder is slow, or dead. */
static bool stays_taken(const slip_channel_info *c)
{
	for (int i = 0; i < LOCK_LOOKS; i++) {
		slip_channel_info *again = slip_channel_inspect(c->name.base, c->name.channel, SLIP_MODE_SEMAPHORE);
		bool taken = again != NULL && again->lock_value == 0;
		slip_channel_info_free(again);
		if (!taken)
			return false;
		const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

static void say_semaphore(struct report *report, const struct patient *patient, const slip_channel_info *c, const char *label)
{
	char size[16], shape[128], dtype[24] = "";
	(void)slip_dtype_name(c->dtype, dtype, sizeof(dtype));
	report_add(report, label, STATUS_OK, "%s",
		   c->state == SLIP_CHANNEL_LIVE   ? "live"
		   : c->state == SLIP_CHANNEL_DEAD ? "its writer is dead"
						   : "another program's: whether it lives cannot be told");
	report_text(report, "mode", "semaphore");
	report_text(report, "state", state_name(c->state));
	report_number(report, "bytes", c->control_bytes + c->payload_bytes);
	report_number(report, "lock_value", (uint64_t)c->lock_value);
	report_flag(report, "lock_holder_dead", c->lock_holder_dead != 0);
	report_more(report, "%s %s, %s", shape_text(c->ndim, c->shape, shape), dtype, human_size(c->capacity, size));
	say_rights(report, patient, c);
	if (c->lock_value > 1) {
		report_more(report, "its semaphore is at %d, where 1 is most", c->lock_value);
		report_advise(
			report, STATUS_PROBLEM,
			"Somebody posts what it did not take, so that frames may be torn for other programs; slipring takes the surplus "
			"away when it is next inside, and shows no such frame");
	} else if (c->lock_holder_dead) {
		report_advise(
			report, STATUS_NOTE,
			"A process of slipring's died with its lock: the next one of slipring's repairs that; other programs hang until "
			"then");
	} else if (c->lock_value == 0 && stays_taken(c)) {
		report_more(report, "its lock stays taken");
		report_advise(
			report, STATUS_NOTE,
			"If that lasts, who took it has died and was not of slipring's: start its writer again, which begins with fresh "
			"objects");
	}
}

void check_channels(struct report *report, struct patient *patient)
{
	slip_channel_name *names;
	size_t count;
	size_t before = report->count;
	if (slip_list_channels(NULL, &names, &count) != 0) {
		report_add(report, "channels", STATUS_NOTE, "not to be looked for: %s", slip_error_detail());
		return;
	}
	for (size_t i = 0; i < count; i++) {
		char label[2 * SLIP_NAME_MAX + 16];
		if (!wanted_base(patient, names[i].base))
			continue;
		(void)snprintf(label, sizeof(label), "%s/%s", names[i].base, names[i].channel);
		slip_channel_info *info = slip_channel_inspect(names[i].base, names[i].channel, names[i].mode);
		if (info == NULL) {
			say_unusable(report, patient, &names[i], label);
			continue;
		}
		uint64_t bytes = info->control_bytes + info->payload_bytes;
		patient->held += bytes;
		if (names[i].mode == SLIP_MODE_LOCK_FREE && bytes > patient->largest)
			patient->largest = bytes;
		if (names[i].mode == SLIP_MODE_SEMAPHORE)
			say_semaphore(report, patient, info, label);
		else
			say_ring(report, patient, info, label);
		slip_channel_info_free(info);
	}
	free(names);
	if (report->count == before)
		report_add(report, "channels", STATUS_OK, "none");
}
