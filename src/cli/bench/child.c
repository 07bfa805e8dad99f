/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parent.h"

bool measure_in_child(const struct bench_settings *settings, const struct bench_case *it, int cpu, bench_measure *work,
		      struct drive_result *result)
{
	struct drive_result *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return complain("no memory") == 0;
	fflush(NULL);
	const pid_t parent = getpid();
	const pid_t pid = fork();
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		end_with_parent(parent);
		if (cpu >= 0 && machine_pin(cpu) != 0)
			_exit(complain("cannot run on CPU %d", cpu) != 0);
		_exit(work(settings, it, shared) ? 0 : 1);
	}
	int status = 1;
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	memcpy(result, shared, sizeof(*result));
	munmap(shared, sizeof(*shared));
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
