#include "leftover.h"
#include "small_channel.h"

TestSuite(leftover, .init = open_channel, .fini = close_channel);

Test(leftover, leftovers_are_what_nobody_holds)
{
	struct slip__object control = {.channel = name, .kind = SLIP__OBJECT_CONTROL};
	cr_assert_null(slip__leftover_reason(&control));
	cr_assert_eq(slip__leftover_remove(&control), -1);
	cr_assert_eq(errno, EBUSY);
	struct slip__object stray = {.channel = name, .kind = SLIP__OBJECT_PAYLOAD, .id = 77};
	char file[SLIP_OBJECT_MAX];
	slip__object_name(&name, SLIP__OBJECT_PAYLOAD, 77, file);
	int fd = slip__os_make(4096, 0600);
	cr_assert_eq(slip__os_link(fd, file), 0);
	slip__os_close(fd);
	cr_assert_not_null(slip__leftover_reason(&stray));
	slip__leftover_sweep(&name);
	cr_assert_eq(slip__leftover_remove(&stray), -1);
	cr_assert_eq(errno, ENOENT);
}

Test(leftover, a_leftover_is_kept_while_a_reader_is_attached)
{
	slip_reader *reader = slip_reader_open(name.base, NULL);
	pid_t child = fork();
	if (child == 0) {
		slip_writer *w = slip_writer_open(name.base, NULL);
		slip_array a = bytes_array("x", 1);
		(void)slip_set_array(w, "second", &a);
		raise(SIGKILL);
	}
	waitpid(child, NULL, 0);
	cr_assert_eq(slip_wait_for_array(reader, "second", 1000000000), 0);
	slip_leftover *leftovers;
	size_t count;
	cr_assert_eq(slip_gc_list(name.base, &leftovers, &count), 0);
	cr_assert_eq(count, 0);
	free(leftovers);
	slip_reader_close(reader);
	cr_assert_eq(slip_gc_list(name.base, &leftovers, &count), 0);
	cr_assert_eq(count, 1);
	cr_assert_eq(slip_gc_remove(&leftovers[0]), 0);
	free(leftovers);
}

static slip_reader *late;
static bool late_attached;

/* Linked with --wrap: what comes between finding that nobody holds an object and removing it. */
int __real_slip__os_unlink(const char *object);
int __wrap_slip__os_unlink(const char *object);
int __wrap_slip__os_unlink(const char *object)
{
	slip_reader *comes = late;
	late = NULL;
	if (comes != NULL)
		late_attached = slip_wait_for_array(comes, "second", 0) == 0;
	return __real_slip__os_unlink(object);
}

Test(leftover, no_reader_comes_to_sit_at_what_is_being_removed)
{
	pid_t child = fork();
	if (child == 0) {
		slip_writer *w = slip_writer_open(name.base, NULL);
		slip_array a = bytes_array("x", 1);
		(void)slip_set_array(w, "second", &a);
		raise(SIGKILL);
	}
	waitpid(child, NULL, 0);
	slip_reader *reader = slip_reader_open(name.base, NULL);
	slip_leftover *leftovers;
	size_t count;
	cr_assert_eq(slip_gc_list(name.base, &leftovers, &count), 0);
	cr_assert_eq(count, 1);
	late = reader;
	cr_assert_eq(slip_gc_remove(&leftovers[0]), 0);
	cr_assert_null(late);
	cr_assert_not(late_attached);
	free(leftovers);
	slip_reader_close(reader);
}
