/*
 * exit.c - in the coverage build _exit writes what was reached, as exit does: most children of the tests end by it. Those of Python go through the
 * interpreter's, which python/sitecustomize.py has call slip_coverage_dump first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}

__attribute__((visibility("default"))) void slip_coverage_dump(void);
void slip_coverage_dump(void)
{
	__gcov_dump();
}
