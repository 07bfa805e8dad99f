/*
 * guarded.h - shared memory with nothing beside it. Linked with guarded.c and --wrap of the functions there, each mapping of a program lies
 * between two inaccessible pages, so that an access past either end of it is a SIGSEGV, and what was mapped and not unmapped is counted.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_TESTS_GUARDED_H
#define SLIP_TESTS_GUARDED_H

/* Mappings of objects, and locks (anchors), that are there now. */
int guarded_mappings(void);
int guarded_anchors(void);

#endif
