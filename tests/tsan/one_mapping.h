/*
 * one_mapping.h - a build for ThreadSanitizer in which a process maps each shared object once, whoever asks.
 *
 * ThreadSanitizer knows memory by its address. A writer and a reader in one process map the same pages at two, so it sees no race between
 * them. A program that is linked with the target one_mapping (tests/CMakeLists.txt; the linker's --wrap) gets one address for each object, to read and to
 * write, and every plain and atomic access of both sides meets there.
 *
 * What it then sees: every word of control and every byte of payload, in every call of the library, between all threads of the process.
 * What it does not see:
 *  - other processes: their accesses go through memory that this process's shadow does not record. What tests/multi has of races shows in its counts;
 *  - the observers' copies, slip__copy_racing: the one race that is meant, and the one function that it is told to leave out;
 *  - the order that file locks and futexes make: where the library relies on one it says so with an atomic operation. POSIX semaphores it knows;
 *  - what liburcu does inside: registry.c tells it the two edges;
 *  - what a weaker order lets a relaxed load return: it judges the run that happened, in which each load returned the newest value.
 *
 * And what is not as it is without: a reader may write to payload. A test that shows that it may not must not be linked with this.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_ONE_MAPPING_H
#define SLIP_TESTS_ONE_MAPPING_H

/* How often an object was asked for that was mapped already, in this process so far. */
unsigned long one_mapping_shared(void);

#endif
