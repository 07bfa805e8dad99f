/* SPDX-License-Identifier: Apache-2.0 */
#include "sem_inspect.h"
#include "existing_program.h"
#include "lock.h"
#include "name.h"

TestSuite(sem_inspect, .init = name_base, .fini = expect_nothing_left);

static size_t list(slip_channel_name *first)
{
	slip_channel_name *names;
	size_t count;
	cr_assert_eq(slip_list_channels(base, &names, &count), 0);
	if (count > 0)
		*first = names[0];
	free(names);
	return count;
}

static slip_channel_info inspect(void)
{
	slip_channel_info *info = slip_channel_inspect(base, "image", SLIP_MODE_DEFAULT);
	cr_assert_not_null(info, "%s", slip_error_detail());
	slip_channel_info copy = *info;
	slip_channel_info_free(info);
	return copy;
}

Test(sem_inspect, lists_and_describes_both_modes)
{
	slip_channel_name name;
	slip_writer *semaphore = semaphore_writer(0);
	slip_writer *ring = slip_writer_open(base, NULL);
	cr_assert_eq(list(&name), 0);
	cr_assert_null(slip_channel_inspect(base, "image", SLIP_MODE_DEFAULT));
	cr_assert_eq(errno, ENOENT);
	cr_assert_eq(set_value(semaphore, 1), 0);
	cr_assert_eq(list(&name), 1);
	cr_assert_eq(name.mode, SLIP_MODE_SEMAPHORE);
	slip_channel_info info = inspect();
	cr_assert_eq(info.name.mode, SLIP_MODE_SEMAPHORE);
	cr_assert_eq(info.state, SLIP_CHANNEL_LIVE);
	cr_assert_eq(info.capacity, PAYLOAD);
	cr_assert_eq(info.payload_bytes, 64 + PAYLOAD);
	cr_assert_eq(info.ndim, 2);
	cr_assert_eq(info.shape[1], COLUMNS);
	cr_assert_str_eq(info.encoding, "8UC1");
	cr_assert_eq(info.lock_value, 1);
	cr_assert_eq(info.permissions, 0600);
	cr_assert(info.last_capture_realtime_ns > 0);
	cr_assert_eq(set_value(ring, 1), 0);
	cr_assert_eq(list(&name), 2);
	cr_assert_eq(name.mode, SLIP_MODE_LOCK_FREE);
	cr_assert_eq(inspect().name.mode, SLIP_MODE_LOCK_FREE);
	slip_writer_close(ring);
	slip_writer_close(semaphore);
}

Test(sem_inspect, another_programs_channel_is_of_unknown_state_and_never_left_over)
{
	slip_channel_name name;
	slip_leftover *left;
	size_t count;
	struct existing e = existing_writer();
	existing_set(&e, 2.5, 1);
	cr_assert_eq(sem_wait(e.lock), 0);
	cr_assert_eq(list(&name), 1);
	slip_channel_info info = inspect();
	cr_assert_eq(info.state, SLIP_CHANNEL_UNKNOWN);
	cr_assert_eq(info.lock_value, 0);
	cr_assert_eq(info.last_capture_realtime_ns, 2500000000);
	cr_assert_eq(slip_gc_list(base, &left, &count), 0);
	cr_assert_eq(count, 0);
	free(left);
	slip_leftover pretended = {{0}, {0}, 0};
	(void)snprintf(pretended.object, sizeof(pretended.object), "%s_image_shm", base);
	cr_assert_eq(slip_gc_remove(&pretended), -1);
	cr_assert_eq(errno, EBUSY);
	existing_close(&e);
}

Test(sem_inspect, a_dead_writer_of_ours_leaves_what_gc_finds_and_removes)
{
	slip_leftover *left;
	size_t count = 0;
	slip_writer *living = semaphore_writer(0);
	slip_array array = bytes_array("x", 1);
	cr_assert_eq(slip_set_array(living, "b_c", &array), 0);
	pid_t pid = fork();
	if (pid == 0) {
		slip_writer *writer = semaphore_writer(0);
		(void)set_value(writer, 1);
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	while (count == 0) {
		cr_assert_eq(slip_gc_list(base, &left, &count), 0);
		if (count == 0)
			free(left);
	}
	cr_assert(strstr(left[0].reason, "dead") != NULL);
	cr_assert_eq(left[0].bytes, 64 + PAYLOAD + 32);
	cr_assert_eq(inspect().state, SLIP_CHANNEL_DEAD);
	cr_assert_eq(slip_gc_remove(&left[0]), 0, "%s", slip_error_detail());
	cr_assert_eq(slip_gc_remove(&left[0]), -1);
	cr_assert_eq(errno, ENOENT);
	free(left);
	cr_assert_eq(objects_with(base), 2, "the living one's stay");
	slip_writer_close(living);
}

/* What a writer leaves that dies between making or removing the one and the other; so does a gc. */
Test(sem_inspect, a_semaphore_left_alone_is_found_and_removed)
{
	slip_leftover *left;
	size_t count = 0;
	slip_channel_name name;
	slip_writer *living = semaphore_writer(0);
	slip_array array = bytes_array("x", 1);
	cr_assert_eq(slip_set_array(living, "b_c", &array), 0);
	pid_t pid = fork();
	if (pid == 0) {
		slip_writer *writer = semaphore_writer(0);
		(void)set_value(writer, 1);
		shm_unlink(object_of("shm"));
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	for (int tries = 0; count == 0 && tries < 1000; tries++) {
		cr_assert_eq(slip_gc_list(base, &left, &count), 0);
		if (count == 0) {
			free(left);
			pause_ms(1);
		}
	}
	cr_assert_eq(count, 1);
	cr_assert(strstr(left[0].object, "_sem") != NULL && strstr(left[0].reason, "died") != NULL);
	cr_assert_eq(left[0].bytes, 32);
	cr_assert_eq(list(&name), 1, "no channel");
	cr_assert_eq(slip_gc_remove(&left[0]), 0, "%s", slip_error_detail());
	cr_assert_eq(slip_gc_remove(&left[0]), -1);
	cr_assert_eq(errno, ENOENT);
	(void)snprintf(left[0].object, sizeof(left[0].object), "sem.%s_b_c_sem", base);
	cr_assert_eq(slip_gc_remove(&left[0]), -1, "a living one's");
	cr_assert_eq(errno, EBUSY);
	free(left);
	cr_assert_eq(objects_with(base), 2, "the living one's stay");
	slip_writer_close(living);
}

Test(sem_inspect, a_semaphore_of_ours_says_where_the_base_name_ends)
{
	slip_writer *writer = semaphore_writer(0);
	slip_array array = bytes_array("x", 1);
	char file[256];
	slip_channel_name name;
	cr_assert_eq(slip_set_array(writer, "b_c", &array), 0);
	(void)snprintf(file, sizeof(file), "%s_b_c_shm", base);
	cr_assert_eq(slip__sem_channel_of(file, NULL, &name), 0);
	cr_assert_str_eq(name.base, base);
	cr_assert_str_eq(name.channel, "b_c");
	cr_assert_eq(slip__sem_channel_of(file, base, &name), 0);
	char longer[128];
	(void)snprintf(longer, sizeof(longer), "%s_b", base);
	cr_assert_eq(slip__sem_channel_of(file, longer, &name), -1, "not a base of ours");
	slip_writer_close(writer);
}

Test(sem_inspect, a_channel_of_another_base_is_none_of_this_one)
{
	char file[256];
	char other[128];
	slip_channel_name name;
	(void)snprintf(file, sizeof(file), "%s_image_shm", base);
	(void)snprintf(other, sizeof(other), "%s", base);
	other[0] = other[0] == 'x' ? 'y' : 'x'; /* as long */
	cr_assert_eq(slip__sem_channel_of(file, base, &name), 0);
	cr_assert_eq(slip__sem_channel_of(file, other, &name), -1);
	cr_assert_eq(slip__sem_channel_of(file, "no", &name), -1, "shorter");
}

Test(sem_inspect, a_length_of_the_base_name_that_does_not_fit_the_object_is_no_channel)
{
	slip_writer *writer = semaphore_writer(0);
	struct slip__lock lock;
	slip_channel_name name;
	slip_leftover named = {.reason = "forged"};
	(void)set_value(writer, 1);
	cr_assert_eq(slip__name_make(base, "image", &name), 0);
	cr_assert_eq(slip__lock_open(&lock, &name), 0);
	uint32_t was = a32_load_relaxed(&lock.semaphore->maker);
	a32_store_relaxed(&lock.semaphore->maker, SLIP__LOCK_MADE + SLIP_NAME_MAX - 1);
	(void)snprintf(named.object, sizeof(named.object), "%s_image_shm", base);
	cr_assert_eq(slip_gc_remove(&named), -1);
	cr_assert_eq(errno, ENOENT);
	cr_assert_eq(objects_with(base), 2, "nothing was removed");
	a32_store_relaxed(&lock.semaphore->maker, was);
	slip__lock_close(&lock);
	slip_writer_close(writer);
}
