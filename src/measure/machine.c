/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include "histogram.h"
#include "transport.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The first line of a file, without its end. False, and nothing written, where there is none or it is empty. */
static bool first_line(const char *path, char *to, size_t size)
{
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return false;
	char line[256] = "";
	const bool read = fgets(line, sizeof(line), file) != NULL;
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	if (!read || line[0] == '\0')
		return false;
	(void)snprintf(to, size, "%s", line);
	return true;
}

static void read_cpu(struct machine *machine)
{
	(void)snprintf(machine->cpu, sizeof(machine->cpu), "unknown");
	FILE *file = fopen("/proc/cpuinfo", "r");
	if (file == NULL)
		return;
	char line[8192];
	while (fgets(line, sizeof(line), file) != NULL) {
		const char *value = strchr(line, ':');
		if (value == NULL)
			continue;
		if (strncmp(line, "model name", 10) == 0)
			(void)snprintf(machine->cpu, sizeof(machine->cpu), "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
		if (strncmp(line, "flags", 5) == 0)
			machine->is_virtual = strstr(value, " hypervisor") != NULL;
	}
	fclose(file);
}

static size_t last_cache(void)
{
	size_t bytes = 0;
	for (int index = 0; index < 8; index++) {
		char path[96];
		char text[32];
		(void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
		if (first_line(path, text, sizeof(text)))
			bytes = strtoull(text, NULL, 10) * (strchr(text, 'M') != NULL ? 1 << 20 : 1 << 10);
	}
	return bytes;
}

/* "always within_size [advise] never": the bracketed word. */
static void read_huge_pages(struct machine *machine)
{
	char line[96];
	(void)snprintf(machine->huge_pages, sizeof(machine->huge_pages), "unknown");
	if (!first_line("/sys/kernel/mm/transparent_hugepage/shmem_enabled", line, sizeof(line)))
		return;
	const char *open = strchr(line, '[');
	if (open != NULL)
		(void)snprintf(machine->huge_pages, sizeof(machine->huge_pages), "%.*s", (int)strcspn(open + 1, "]"), open + 1);
}

static int64_t clock_read(void)
{
	struct histogram *h = calloc(1, sizeof(*h));
	if (h == NULL)
		return 0;
	enum { READS = 64 };
	for (int i = 0; i < 1000; i++) {
		const int64_t start = now_ns();
		for (int j = 1; j < READS; j++)
			(void)now_ns();
		histogram_add(h, (uint64_t)(now_ns() - start));
	}
	const int64_t median = (int64_t)histogram_percentile(h, 50) / READS;
	free(h);
	return median;
}

void machine_read(struct machine *machine)
{
	memset(machine, 0, sizeof(*machine));
	read_cpu(machine);
	struct utsname name;
	if (uname(&name) == 0)
		(void)snprintf(machine->kernel, sizeof(machine->kernel), "%.24s %.64s", name.sysname, name.release);
	if (!first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", machine->clock, sizeof(machine->clock)))
		(void)snprintf(machine->clock, sizeof(machine->clock), "unknown");
	if (!first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", machine->governor, sizeof(machine->governor)))
		(void)snprintf(machine->governor, sizeof(machine->governor), "none to set");
	if (!first_line("/sys/devices/system/cpu/isolated", machine->isolated, sizeof(machine->isolated)))
		(void)snprintf(machine->isolated, sizeof(machine->isolated), "none");
	read_huge_pages(machine);
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set)) {
				if (machine->cpus < (int)(sizeof(machine->cpu_list) / sizeof(machine->cpu_list[0])))
					machine->cpu_list[machine->cpus] = (int)cpu;
				machine->cpus++;
			}
	machine->memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
	machine->cache = last_cache();
	double loads[1];
	if (getloadavg(loads, 1) == 1)
		machine->load = loads[0];
	machine->clock_read_ns = clock_read();
}

int machine_pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}
