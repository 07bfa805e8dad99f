/* roudi.c - see roudi.h. SPDX-License-Identifier: Apache-2.0 */
#include "roudi.h"

#include "transport.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

enum { NAME_SIZE = 64 };

static const char READY[] = "RouDi is ready for clients";

struct roudi {
	pid_t pid;
	bool ready;
	int output; /* stays open: writing to a closed pipe would end it */
	int clients;
	char names[][NAME_SIZE]; /* shared with the clients */
};

static size_t size_of(int clients)
{
	return sizeof(struct roudi) + (size_t)clients * NAME_SIZE;
}

/* A memory pool's chunks are a multiple of 8. The configuration is read once, at the start: it need not stay. */
static int write_config(char *path, size_t size, int count)
{
	const int fd = mkstemp(path);
	if (fd < 0)
		return complain("%s", path);
	const int wrote = dprintf(fd, "[general]\nversion = 1\n[[segment]]\n[[segment.mempool]]\nsize = %zu\ncount = %d\n",
				  (size + 63) / 64 * 64, count);
	close(fd);
	return wrote > 0 ? 0 : complain("%s", path);
}

static void be_roudi(const char *config, int output, pid_t parent)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	/* Monitoring ends clients that have not had the CPU for 1.5 s: a loaded machine must not. */
	execlp("iox-roudi", "iox-roudi", "--config-file", config, "--monitoring-mode", "off", "--log-level", "error", (char *)NULL);
	static const char failed_to[] = "iox-roudi cannot be run (Debian's package iceoryx)\n";
	if (write(STDERR_FILENO, failed_to, sizeof(failed_to) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* Reads what it says until it is ready. What it says later goes nowhere: the pipe holds more than its last words. */
static int await_ready(int output)
{
	char said[4096];
	size_t have = 0;
	const int64_t until = now_ns() + 10 * SECOND;
	for (;;) {
		struct pollfd wait = {.fd = output, .events = POLLIN};
		const int64_t left = until - now_ns();
		const int ready = left > 0 ? poll(&wait, 1, (int)(left / 1000000)) : 0;
		if (ready < 0 && errno == EINTR)
			continue;
		const ssize_t got = ready > 0 && have < sizeof(said) - 1 ? read(output, said + have, sizeof(said) - 1 - have) : 0;
		if (got > 0)
			have += (size_t)got;
		said[have] = 0;
		if (strstr(said, READY) != NULL)
			return 0;
		if (got <= 0) {
			errno = 0;
			return complain("iox-roudi did not start: %s", said);
		}
	}
}

struct roudi *roudi_start(size_t size, int count, int clients)
{
	char config[] = "/tmp/slipring-roudi-XXXXXX";
	int ends[2];
	struct roudi *roudi = mmap(NULL, size_of(clients), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (roudi == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0) {
		complain("iox-roudi");
		return NULL;
	}
	roudi->clients = clients;
	roudi->output = ends[0];
	const pid_t parent = getpid();
	const bool configured = write_config(config, size, count) == 0;
	const pid_t pid = configured ? fork() : -1;
	if (pid == 0)
		be_roudi(config, ends[1], parent);
	roudi->pid = pid; /* not by the child: it is shared */
	close(ends[1]);
	roudi->ready = pid > 0 && await_ready(ends[0]) == 0;
	unlink(config);
	if (roudi->ready)
		return roudi;
	roudi_stop(roudi);
	return NULL;
}

void roudi_join(struct roudi *roudi, int client, const char *name)
{
	snprintf(roudi->names[client], NAME_SIZE, "%s", name);
}

static void remove_left(const struct roudi *roudi)
{
	DIR *folder = opendir("/tmp");
	if (folder == NULL)
		return;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		for (int i = 0; i < roudi->clients; i++) {
			const char *name = roudi->names[i];
			if (name[0] != 0 && strncmp(entry->d_name, name, strlen(name)) == 0)
				unlinkat(dirfd(folder), entry->d_name, 0);
		}
	closedir(folder);
}

/*
 * When asked to end, it aborts where clients went without a word: those that were killed, and those that left by _exit(), which runs no
 * destructors. So it is not asked, and what it holds is removed here. It held the lock: nobody else's it can be.
 */
static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	const struct group *group = getgrgid(getegid());
	char segment[NAME_SIZE];
	snprintf(segment, sizeof(segment), "/%s", group != NULL ? group->gr_name : "root");
	shm_unlink("/iceoryx_mgmt");
	shm_unlink(segment);
	unlink("/tmp/roudi");
	unlink("/tmp/roudi.lock");
	unlink("/tmp/iox-unique-roudi.lock");
}

void roudi_stop(struct roudi *roudi)
{
	if (roudi->ready)
		end(roudi->pid);
	else if (roudi->pid > 0) {
		kill(roudi->pid, SIGTERM);
		waitpid(roudi->pid, NULL, 0);
	}
	close(roudi->output);
	remove_left(roudi);
	munmap(roudi, size_of(roudi->clients));
}
