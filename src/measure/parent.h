/* parent.h - children that do not outlive whoever started them. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_MEASURE_PARENT_H
#define SLIP_MEASURE_PARENT_H

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* In a child of that process (getpid() before the fork: in a container it may be 1): it is killed when its parent ends. */
static inline void end_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* it has ended already, and nobody would end us */
}

#endif
