/*
 * exit.c - in the coverage build _exit writes what was reached, as exit does: most children of the tests end by it. Those of Python go through the
 * interpreter's: python/sitecustomize.py.
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
