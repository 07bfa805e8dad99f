/*
 * Waiting for several channels works on a kernel without futex_waitv (ENOSYS), and in a container whose filter does not know it (EPERM),
 * too: a filter makes the call fail here as it fails there.
 */
#include "support.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { FUTEX_WAITV = 449, WAIT_NS = 1000000 };

static char base[64];
static pthread_barrier_t waiting;

static void *publish_later(void *unused)
{
	(void)unused;
	slip_writer *writer = slip_writer_open(base, NULL);
	slip_array a = bytes_array("x", 1);
	CHECK(slip_set_array(writer, "one", &a) == 0 && slip_set_array(writer, "two", &a) == 0);
	pthread_barrier_wait(&waiting); /* both had their first frame */
	pthread_barrier_wait(&waiting); /* the reader took them */
	pause_ms(20);
	CHECK(slip_set_array(writer, "two", &a) == 0);
	pthread_barrier_wait(&waiting);
	slip_writer_close(writer);
	return NULL;
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool take_away_waitv(int err)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAITV, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = 4, .filter = program};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static int wait_without(int err)
{
	if (!take_away_waitv(err)) {
		printf("skipped: no permission to filter system calls\n");
		(void)fflush(stdout);
		return 77;
	}
	errno = 0;
	CHECK(syscall(FUTEX_WAITV, NULL, 0, 0, NULL, 0) == -1 && errno == err);
	(void)snprintf(base, sizeof(base), "%s", own_base("no-waitv"));
	pthread_barrier_init(&waiting, NULL, 2);
	pthread_t writer;
	pthread_create(&writer, NULL, publish_later, NULL);
	slip_reader *reader = slip_reader_open(base, NULL);
	pthread_barrier_wait(&waiting);
	CHECK(slip_release(slip_get_array(reader, "one")) == 0);
	CHECK(slip_release(slip_get_array(reader, "two")) == 0);
	slip_wait_item items[2] = {{.reader = reader, .channel = "one"}, {.reader = reader, .channel = "two"}};
	int64_t before = now();
	CHECK(slip_wait_any(items, 2, WAIT_NS) == -1 && errno == ETIMEDOUT);
	CHECK(now() - before >= WAIT_NS);
	pthread_barrier_wait(&waiting);
	CHECK(slip_wait_any(items, 2, SLIP_FOREVER) == 1);
	CHECK(!items[0].ready && items[1].ready);
	pthread_barrier_wait(&waiting);
	pthread_join(writer, NULL);
	slip_reader_close(reader);
	CHECK(objects_with(base) == 0);
	return 0;
}

int main(void)
{
	static const int ERRNOS[] = {ENOSYS, EPERM};
	for (size_t i = 0; i < sizeof(ERRNOS) / sizeof(ERRNOS[0]); i++) {
		int status;
		pid_t pid = fork(); /* a filter stays */
		CHECK(pid >= 0);
		if (pid == 0)
			exit(wait_without(ERRNOS[i]));
		CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
		if (WEXITSTATUS(status) != 0)
			return WEXITSTATUS(status);
	}
	printf("several channels waited for without futex_waitv\n");
	return 0;
}
