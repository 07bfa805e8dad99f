/* text.h - what a person or a machine reads: errors, colour, JSON strings, sizes. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_CLI_TEXT_H
#define SLIP_CLI_TEXT_H

#include "json.h"

#include <slipring/slipring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses, the same for every command; told in the man pages. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* "slipring: ..." on stderr. Returns EXIT_FAILED, or EXIT_USAGE with a pointer to --help. */
int say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
int say_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What others wrote may speak to a terminal: control characters, and bytes that are no UTF-8, become '?', in place. */
char *printable(char *text);

/* What the library's last failure was, after what was being done. Returns EXIT_FAILED. */
int say_library_error(const char *doing);

/* Terminal codes, or "" where the stream is no terminal or NO_COLOR is set. */
const char *bold(FILE *to);
const char *faint(FILE *to);
const char *alarm_colour(FILE *to);
const char *plain(FILE *to);

/* "6.2 MB"; into text, which has room for 16. */
const char *human_size(uint64_t bytes, char text[16]);

/* "1080x1920x3", "scalar"; into text, which has room for 128. */
const char *shape_text(int32_t ndim, const int64_t *shape, char text[128]);

/* "lock-free", "semaphore". */
const char *mode_name(slip_mode mode);

/* "live", "dead", "closed", "unknown". */
const char *state_name(slip_channel_state state);

/* "412 ns", "3.1 us", "12 ms"; into text, which has room for 16. */
const char *human_ns(uint64_t ns, char text[16]);

#endif
