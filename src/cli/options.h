/* options.h - reading the command line. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_CLI_OPTIONS_H
#define SLIP_CLI_OPTIONS_H

#include <getopt.h>
#include <slipring/slipring.h>
#include <stdbool.h>
#include <stdint.h>

/* BASE or BASE/CHANNEL. */
struct target {
	char base[SLIP_NAME_MAX];
	char channel[SLIP_NAME_MAX];
};

/* EXIT_OK, or what the command ends with after an error message. */
int parse_target(const char *command, const char *text, const char *default_channel, struct target *target);

/* Each is false after an error message that names the option, the value and what was expected. */
bool parse_count(const char *command, const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *value);
bool parse_real(const char *command, const char *option, const char *text, double least, double most, double *value);
bool parse_size(const char *command, const char *text, int64_t *width, int64_t *height); /* 640x480 */
bool parse_shape(const char *command, const char *text, slip_array *array);		 /* 480,640,3 or 480x640x3 */
bool parse_mode(const char *command, const char *text, slip_mode *mode);		 /* lock-free, semaphore */
bool parse_permissions(const char *command, const char *option, const char *text, mode_t *mode);

/* getopt_long without messages of its own; says what is wrong with an option and returns '?'. */
int next_option(const char *command, int argc, char **argv, const struct option *options);

/* A command's entry; argv[0] is the command's name. Returns the exit status. */
int cmd_pub(int argc, char **argv);
int cmd_sub(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_torture(int argc, char **argv);

/* SIGINT and SIGTERM set it; blocking calls then end with EINTR. SIGPIPE is ignored: writing fails with EPIPE instead. */
void catch_signals(void);
bool stopped(void);

#endif
