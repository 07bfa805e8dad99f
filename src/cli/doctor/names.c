/* names.c - what the dead left, and what stands under slipring's names without being slipring's. SPDX-License-Identifier: Apache-2.0 */
#include "../text.h"
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- leftovers ---- */

static void add_leftover(struct report *report, const struct patient *patient, const slip_leftover *l)
{
	char path[PATH_MAX];
	char what[96];
	char size[16];
	struct stat status;
	(void)snprintf(path, sizeof(path), "%s/%s", patient->directory, l->object);
	if (lstat(path, &status) != 0)
		return;
	report_add(report, "left over", STATUS_NOTE, "%s, %s: %s; %s", l->object, human_size(l->bytes, size), l->reason,
		   what_stands(path, what));
	report_text(report, "object", l->object);
	report_text(report, "reason", l->reason);
	report_number(report, "bytes", l->bytes);
	report_number(report, "owner", status.st_uid);
	if (status.st_uid == geteuid() || geteuid() == 0)
		report_advise(report, STATUS_NOTE, "The next writer takes it over or removes it; so does: slipring gc --yes");
	else
		report_advise(report, STATUS_NOTE,
			      "User %u's next writer takes it over or removes it; so does, as that user or as root: slipring gc --yes",
			      status.st_uid);
}

static size_t add_leftovers(struct report *report, const struct patient *patient, const char *base)
{
	slip_leftover *leftovers;
	size_t count;
	if (slip_gc_list(base, &leftovers, &count) != 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		add_leftover(report, patient, &leftovers[i]);
	free(leftovers);
	return count;
}

void check_leftovers(struct report *report, const struct patient *patient)
{
	if (access(patient->directory, R_OK | X_OK) != 0)
		return; /* what that means for channels has been said */
	size_t count = patient->base_count == 0 ? add_leftovers(report, patient, NULL) : 0;
	for (int i = 0; i < patient->base_count; i++)
		count += add_leftovers(report, patient, patient->bases[i]);
	if (count == 0)
		report_add(report, "left over", STATUS_OK, "nothing by the dead that you may judge");
}

/* ---- foreign names ---- */

/* Takes the name in front of the next '@' of *at. */
static bool take(const char **at, char *name, size_t size)
{
	const char *end = strchr(*at, '@');
	if (end == NULL || end == *at || (size_t)(end - *at) >= size)
		return false;
	(void)snprintf(name, size, "%.*s", (int)(end - *at), *at);
	*at = end + 1;
	return true;
}

static void add_foreign(struct report *report, const struct patient *patient, const char *file, enum status status, const char *why,
			const char *advice)
{
	char path[PATH_MAX];
	char what[96];
	struct stat found;
	(void)snprintf(path, sizeof(path), "%s/%s", patient->directory, file);
	report_add(report, "foreign name", status, "%s is %s: %s", file, what_stands(path, what), why);
	report_text(report, "object", file);
	/* Somebody else chose the name, and this will be pasted into a shell. */
	static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:+@";
	if (file[strspn(file, PLAIN)] == '\0')
		report_advise(report, status, "%s rm %s", advice, path);
	else if (lstat(path, &found) == 0)
		report_advise(report, status, "%s find %s -maxdepth 1 -inum %llu -delete", advice, patient->directory,
			      (unsigned long long)found.st_ino);
}

static void look_at_ring_name(struct report *report, const struct patient *patient, const char *file, const struct stat *status)
{
	char base[SLIP_NAME_MAX];
	char channel[SLIP_NAME_MAX];
	char end;
	unsigned long long id;
	const char *at = file + strlen("slipring@");
	bool split = take(&at, base, sizeof(base)) && take(&at, channel, sizeof(channel));
	if (split ? !wanted_base(patient, base) : patient->base_count > 0)
		return;
	if (split && strcmp(at, "control") == 0)
		return; /* a channel's, which is looked at as one */
	if (split && (sscanf(at, "payload.%16llx%c", &id, &end) == 1 || sscanf(at, "new.%16llx%c", &id, &end) == 1)) {
		if (!S_ISREG(status->st_mode))
			add_foreign(report, patient, file, STATUS_NOTE,
				    "slipring makes plain files, under random numbers, so this is in nobody's way", "To be rid of it:");
		return;
	}
	add_foreign(report, patient, file, STATUS_NOTE, "slipring makes no such name", "To be rid of it:");
}

/* One of slipring's by a dead writer, which has been said. */
static bool is_left_over(const char *file)
{
	slip_leftover *leftovers;
	size_t count;
	bool found = false;
	if (slip_gc_list(NULL, &leftovers, &count) != 0)
		return false;
	for (size_t i = 0; i < count && !found; i++)
		found = strcmp(leftovers[i].object, file) == 0;
	free(leftovers);
	return found;
}

/* A semaphore without its memory, or something else under its name. */
static void look_at_semaphore_name(struct report *report, const struct patient *patient, const char *file, const struct stat *status)
{
	char path[PATH_MAX];
	size_t length = strlen(file) - strlen("sem._sem");
	bool wanted = patient->base_count == 0;
	for (int i = 0; i < patient->base_count && !wanted; i++) {
		size_t base = strlen(patient->bases[i]);
		wanted = base < length && strncmp(file + 4, patient->bases[i], base) == 0 && file[4 + base] == '_';
	}
	if (!wanted)
		return;
	if (!S_ISREG(status->st_mode)) {
		add_foreign(report, patient, file, STATUS_PROBLEM, "no semaphore channel can be made under this name",
			    "Its owner, or root:");
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/%.*s_shm", patient->directory, (int)length, file + 4);
	if (access(path, F_OK) != 0 && errno == ENOENT && !is_left_over(file))
		add_foreign(report, patient, file, STATUS_NOTE,
			    "a semaphore without its shared memory, as a program leaves it that is killed while it starts",
			    "Its next writer replaces it; or, if nothing starts just now:");
}

static bool has_ends(const char *file, const char *begin, const char *end)
{
	size_t length = strlen(file);
	return length > strlen(begin) + strlen(end) && strncmp(file, begin, strlen(begin)) == 0 &&
	       strcmp(file + length - strlen(end), end) == 0;
}

void check_names(struct report *report, const struct patient *patient)
{
	size_t before = report->count;
	DIR *directory = opendir(patient->directory);
	if (directory == NULL)
		return;
	for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		struct stat status;
		const char *file = entry->d_name;
		if (fstatat(dirfd(directory), file, &status, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (strncmp(file, "slipring@", strlen("slipring@")) == 0)
			look_at_ring_name(report, patient, file, &status);
		else if (has_ends(file, "sem.", "_sem"))
			look_at_semaphore_name(report, patient, file, &status);
	}
	closedir(directory);
	if (report->count == before)
		report_add(report, "foreign name", STATUS_OK, "nothing stands under names of slipring's that it did not make");
}
