/* What is found out about a machine, and what is said where nothing can be. SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"
#include "support.h"

#include <criterion/criterion.h>
#include <sched.h>

/* Stand before the C library's: files that there are not, or that say what they are told to. */
static const char *content; /* of every file; NULL: none can be opened */
static bool told, no_memory;

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	if (!told)
		return __real_fopen(path, mode);
	return content != NULL ? fmemopen((void *)(uintptr_t)content, strlen(content), "r") : NULL;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : __real_calloc(count, size);
}

static struct machine machine;

Test(machine, the_one_that_this_runs_on_has_a_kernel_CPUs_and_memory)
{
	machine_read(&machine);
	cr_assert_eq(strncmp(machine.kernel, "Linux ", 6), 0);
	cr_assert_gt(machine.cpus, 0);
	cr_assert_gt(machine.memory, 1 << 20);
	cr_assert_gt(machine.clock_read_ns, 0);
	cr_assert_eq(machine_pin(machine.cpu_list[0]), 0);
	machine_read(&machine);
	cr_assert_eq(machine.cpus, 1);
	cr_assert_eq(machine_pin(CPU_SETSIZE - 1), -1, "no such CPU");
}

Test(machine, what_no_file_says_is_unknown)
{
	told = true;
	no_memory = true;
	machine_read(&machine);
	cr_assert_str_eq(machine.cpu, "unknown");
	cr_assert_str_eq(machine.clock, "unknown");
	cr_assert_str_eq(machine.governor, "none to set");
	cr_assert_str_eq(machine.isolated, "none");
	cr_assert_str_eq(machine.huge_pages, "unknown");
	cr_assert_eq(machine.cache, 0);
	cr_assert_eq(machine.clock_read_ns, 0);
	/* Neither does an empty line. */
	content = "\n";
	machine_read(&machine);
	cr_assert_str_eq(machine.cpu, "unknown");
	cr_assert_str_eq(machine.huge_pages, "unknown");
	no_memory = false;
}

Test(machine, files_are_read_as_the_kernel_writes_them)
{
	told = true;
	content = "model name\t: A CPU\nno colon\nflags\t\t: fpu hypervisor sse\n";
	machine_read(&machine);
	cr_assert_str_eq(machine.cpu, "A CPU");
	cr_assert(machine.is_virtual);
	content = "flags\t\t: fpu sse\n";
	machine_read(&machine);
	cr_assert_not(machine.is_virtual);
	content = "always within_size [advise] never\n";
	machine_read(&machine);
	cr_assert_str_eq(machine.huge_pages, "advise");
	content = "32768K\n";
	machine_read(&machine);
	cr_assert_eq(machine.cache, 32 << 20);
	content = "32M\n";
	machine_read(&machine);
	cr_assert_eq(machine.cache, 32 << 20);
}
