/*
 * rest.h - the end of a storm: all come to rest, and then nothing may be left; and what of storm.h it needs beside that.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_CLI_TORTURE_REST_H
#define SLIP_CLI_TORTURE_REST_H

#include "storm.h"

/* Readers end, writers hold nothing, which is looked at; then they close, which is looked at too. After a failure all are killed instead. */
void storm_come_to_rest(struct storm *storm);

void storm_watch(struct storm *storm);
void storm_reap(struct storm *storm);
void storm_continue_all(struct storm *storm);
void storm_fail(const struct storm *storm, enum failure how, int place, const char *text);

#endif
