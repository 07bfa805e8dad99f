/* place.c - where this runs: clock and CPUs; container, namespaces, filters. SPDX-License-Identifier: Apache-2.0 */
#include "../text.h"
#include "doctor.h"
#include "machine.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool first_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return false;
	const bool read = fgets(line, (int)size, file) != NULL;
	fclose(file);
	if (read)
		line[strcspn(line, "\n")] = '\0';
	return read;
}

const char *status_field(const char *name, char *value, size_t size)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");
	value[0] = '\0';
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		size_t length = strlen(name);
		if (strncmp(line, name, length) != 0 || line[length] != ':')
			continue;
		const char *at = line + length + 1;
		at += strspn(at, " \t");
		(void)snprintf(value, size, "%.*s", (int)strcspn(at, "\n"), at);
		break;
	}
	if (file != NULL)
		fclose(file);
	return value;
}

bool wanted_base(const struct patient *patient, const char *base)
{
	for (int i = 0; i < patient->base_count; i++)
		if (strcmp(patient->bases[i], base) == 0)
			return true;
	return patient->base_count == 0;
}

/* ---- containers ---- */

static const char *container(void)
{
	static const struct {
		const char *sign;
		const char *name;
	} FILES[] = {{"/.dockerenv", "docker"}, {"/run/.containerenv", "podman"}},
	  PATHS[] = {{"kubepods", "kubernetes"}, {"docker", "docker"}, {"libpod", "podman"}, {"lxc", "lxc"}, {"containerd", "containerd"}};
	for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++)
		if (access(FILES[i].sign, F_OK) == 0)
			return FILES[i].name;
	char line[512];
	const char *found = NULL;
	FILE *file = fopen("/proc/self/cgroup", "r");
	while (file != NULL && found == NULL && fgets(line, sizeof(line), file) != NULL)
		for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
			if (strstr(line, PATHS[i].sign) != NULL)
				found = PATHS[i].name;
	if (file != NULL)
		fclose(file);
	return found;
}

/* The first PID namespace of a machine has this number. */
static bool own_pids(void)
{
	char link[64] = "";
	ssize_t length = readlink("/proc/self/ns/pid", link, sizeof(link) - 1);
	return length > 0 && strcmp(link, "pid:[4026531836]") != 0;
}

static bool maps_all_users(void)
{
	char line[128];
	unsigned long inside;
	unsigned long outside;
	unsigned long count;
	if (!first_line("/proc/self/uid_map", line, sizeof(line)))
		return access("/proc/self/uid_map", F_OK) != 0; /* an empty map has nobody */
	return sscanf(line, "%lu %lu %lu", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 && count >= 4294967295UL;
}

void check_place(struct report *report, struct patient *patient)
{
	char text[64];
	patient->runtime = container();
	patient->filtered = strcmp(status_field("Seccomp", text, sizeof(text)), "2") == 0;
	bool pids = own_pids();
	bool users = !maps_all_users();
	if (patient->runtime != NULL)
		report_add(report, "container", STATUS_OK,
			   "%s; channels are shared with whom /dev/shm is shared (docker and podman: --ipc=host, or "
			   "--ipc=container:NAME, or -v)",
			   patient->runtime);
	else
		report_add(report, "container", STATUS_OK, pids || users ? "namespaces of its own" : "none");
	report_text(report, "runtime", patient->runtime != NULL ? patient->runtime : "");
	report_flag(report, "own_pids", pids);
	report_flag(report, "own_users", users);
	report_flag(report, "seccomp_filter", patient->filtered);
	report_number(report, "user", geteuid());
	if (pids)
		report_more(
			report,
			"processes are counted apart here: numbers that others noted are not ours (who lives is told by locks, which are)");
	if (users)
		report_more(report, "users are mapped: those who are not here appear as user 65534");
	if (patient->filtered)
		report_more(report, "a seccomp filter is in force");
}

/* ---- the machine ---- */

static void check_clock(struct report *report, const struct machine *m)
{
	static const char *const FAST[] = {"tsc", "kvm-clock",	      "hyperv_clocksource_tsc_page", "arch_sys_counter",
					   "xen", "riscv_clocksource"};
	bool known = false;
	for (size_t i = 0; i < sizeof(FAST) / sizeof(FAST[0]); i++)
		known = known || strcmp(m->clock, FAST[i]) == 0;
	report_add(report, "clock", STATUS_OK, "%s, %lld ns a reading", m->clock, (long long)m->clock_read_ns);
	report_text(report, "source", m->clock);
	report_number(report, "reading_ns", (uint64_t)m->clock_read_ns);
	if (m->clock_read_ns > 250)
		report_advise(report, STATUS_NOTE,
			      "That is a system call a reading%s, and each publish makes one: the no_stamps option leaves it out. "
			      "/sys/devices/system/clocksource/clocksource0/available_clocksource has others",
			      known ? "" : " of a slow clock");
}

void check_machine(struct report *report)
{
	struct machine m;
	char memory[16], cache[16];
	machine_read(&m);
	check_clock(report, &m);
	report_add(report, "CPUs", STATUS_OK, "%d that this process may use (%s%s); load %.1f", m.cpus, m.cpu,
		   m.is_virtual ? ", virtual" : "", m.load);
	report_number(report, "cpus", (uint64_t)m.cpus);
	report_text(report, "model", m.cpu);
	report_flag(report, "virtual", m.is_virtual);
	report_text(report, "isolated", m.isolated);
	if (m.cpus == 1)
		report_more(report, "spinning (spin_ns) only takes time from the writer on one CPU");
	if (m.load > 2.0 * m.cpus)
		report_more(report, "more runs than there are CPUs for: waits take as long as others' turns");
	report_add(report, "governor", STATUS_OK, "%s", m.governor);
	report_text(report, "governor", m.governor);
	if (strcmp(m.governor, "powersave") == 0 || strcmp(m.governor, "conservative") == 0)
		report_advise(report, STATUS_NOTE, "A CPU that woke up slow makes wake-ups late: cpupower frequency-set -g performance");
	report_add(report, "memory", STATUS_OK, "%s; last-level cache %s", human_size(m.memory, memory), human_size(m.cache, cache));
	report_number(report, "memory", m.memory);
	report_number(report, "cache", m.cache);
}

/* ---- names ---- */

const char *what_stands(const char *path, char text[96])
{
	struct stat status;
	const char *kind;
	if (lstat(path, &status) != 0) {
		(void)snprintf(text, 96, "%s", errno == ENOENT ? "nothing" : strerror(errno));
		return text;
	}
	switch (status.st_mode & S_IFMT) {
	case S_IFREG: kind = "file"; break;
	case S_IFLNK: kind = "symbolic link"; break;
	case S_IFDIR: kind = "directory"; break;
	case S_IFIFO: kind = "FIFO"; break;
	case S_IFSOCK: kind = "socket"; break;
	default: kind = "device"; break;
	}
	(void)snprintf(text, 96, "user %u's %s, mode %04o", status.st_uid, kind, (unsigned)(status.st_mode & 07777));
	return text;
}
