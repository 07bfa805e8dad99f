/* Permissions are exact, whatever the umask; observers need reading only; nobody takes over another user's channel. Needs root. */
#include "processes.h"

#include <grp.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

static char base[64];

/* As another user: 0 where the channel can be read, else the errno. */
static int try_to_read(bool observer)
{
	if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
		return 255;
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.observer = observer;
	slip_reader *reader = slip_reader_open(base, &options);
	slip_frame *f = slip_get_array(reader, "a");
	return f != NULL ? 0 : errno;
}

static int try_to_write(void)
{
	if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
		return 255;
	slip_writer *writer = slip_writer_open(base, NULL);
	slip_array a = bytes_array("y", 1);
	return slip_set_array(writer, "a", &a) == 0 ? 0 : errno;
}

static int outcome(pid_t pid)
{
	int status;
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void expect(mode_t permissions, mode_t observers, int reads, int observes)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.permissions = permissions;
	options.observers = observers;
	slip_writer *writer = slip_writer_open(base, &options);
	slip_array a = bytes_array("x", 1);
	CHECK(slip_set_array(writer, "a", &a) == 0);
	pid_t pid;
	SPAWN(pid, try_to_read(false));
	CHECK(outcome(pid) == reads);
	SPAWN(pid, try_to_read(true));
	CHECK(outcome(pid) == observes);
	SPAWN(pid, try_to_write());
	int err = outcome(pid);
	CHECK(err == EACCES || err == EPERM || err == EBUSY);
	slip_writer_close(writer);
}

static int leave_behind(void)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.permissions = 0666;
	slip_writer *writer = slip_writer_open(base, &options);
	slip_array a = bytes_array("x", 1);
	(void)slip_set_array(writer, "a", &a);
	raise(SIGKILL);
	return 0;
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: needs root to act as other users\n");
		return SKIPPED;
	}
	(void)snprintf(base, sizeof(base), "%s", own_base("permissions"));
	const mode_t masks[] = {0, 077, 0777};
	for (int i = 0; i < 3; i++) {
		umask(masks[i]);
		expect(0600, 0, EACCES, EACCES);
		expect(0666, 0, 0, 0);
		expect(0644, 0, 0, 0); /* a reader marks in control, whose write bit comes by itself */
		expect(0644, 0044, EACCES, 0);
		expect(0640, 0040, EACCES, EACCES);
	}
	/* A dead writer's channel that everybody may write to is still its user's. */
	pid_t pid;
	SPAWN(pid, leave_behind());
	CHECK(waitpid(pid, NULL, 0) == pid);
	SPAWN(pid, try_to_write());
	CHECK(outcome(pid) == EPERM);
	slip_writer *writer = slip_writer_open(base, NULL);
	slip_array a = bytes_array("x", 1);
	while (slip_set_array(writer, "a", &a) != 0)
		CHECK(errno == EBUSY);
	slip_writer_close(writer);
	CHECK(objects_with(base) == 0);
	printf("permissions hold under every umask\n");
	return 0;
}
