/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"
#include "existing_program.h"

static slip_channel_name name;
static struct slip__lock writer;

static void open_writer(void)
{
	name_base();
	memset(&name, 0, sizeof(name));
	memcpy(name.base, base, strlen(base));
	memcpy(name.channel, "image", 5);
	cr_assert_eq(slip__lock_make(&writer, &name, 0600), 0, "%s", slip_error_detail());
}

static void close_writer(void)
{
	slip__lock_close(&writer);
	expect_nothing_left();
}

TestSuite(lock, .init = open_writer, .fini = close_writer);

static int value(void)
{
	return slip__os_semaphore_value(writer.semaphore);
}

/* A child that does something with a lock of its own and is killed in the middle. */
static void die_after(void (*act)(struct slip__lock *lock))
{
	pid_t pid = fork();
	if (pid == 0) {
		struct slip__lock lock;
		if (slip__lock_open(&lock, &name) == 0)
			act(&lock);
		raise(SIGKILL);
	}
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
}

static void take(struct slip__lock *lock)
{
	(void)slip__lock_take(lock, 0);
}

/* The last moment of a take, and of a give, at which nothing tells who has the lock. */
static void take_without_a_note(struct slip__lock *lock)
{
	(void)slip__lock_take(lock, 0);
	a32_store_relaxed(&lock->semaphore->holder, 0);
}

static void try_in_vain(struct slip__lock *lock)
{
	a64_or_relaxed(&lock->semaphore->trying, UINT64_C(1) << lock->seat);
}

Test(lock, excludes_and_comes_back)
{
	struct slip__lock reader;
	cr_assert_eq(slip__lock_open(&reader, &name), 0);
	cr_assert_eq(slip__lock_take(&reader, 0), 0);
	cr_assert(reader.excluded);
	cr_assert_eq(slip__lock_take(&writer, 0), -1);
	cr_assert_eq(errno, EAGAIN);
	slip__lock_give(&reader);
	cr_assert_eq(value(), 1);
	cr_assert_eq(slip__lock_take(&writer, 0), 0);
	slip__lock_give(&writer);
	cr_assert_eq(value(), 1);
	cr_assert_eq(a64_load_relaxed(&writer.semaphore->trying), 0);
	cr_assert_eq(a32_load_relaxed(&writer.semaphore->holder), 0);
	slip__lock_close(&reader);
}

Test(lock, what_was_not_taken_is_not_posted)
{
	struct slip__lock reader;
	sem_t *other = sem_open(object_of("sem"), 0);
	cr_assert_eq(sem_trywait(other), 0);
	cr_assert_eq(slip__lock_open(&reader, &name), 0);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(slip__lock_take(&reader, i * 1000), -1);
		cr_assert_eq(errno, EAGAIN);
		cr_assert_eq(value(), 0);
	}
	cr_assert_eq(a64_load_relaxed(&writer.semaphore->trying), 0);
	slip__lock_close(&reader);
	cr_assert_eq(value(), 0);
	sem_post(other);
	sem_close(other);
}

Test(lock, a_waiting_one_gets_it_when_it_is_posted)
{
	sem_t *other = sem_open(object_of("sem"), 0);
	cr_assert_eq(sem_trywait(other), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct slip__lock lock;
		_exit(slip__lock_open(&lock, &name) == 0 && slip__lock_take(&lock, SLIP_FOREVER) == 0 && (slip__lock_give(&lock), true)
			      ? 0
			      : 1);
	}
	while (a64_load_relaxed(&writer.semaphore->trying) == 0)
		pause_ms(1);
	sem_post(other);
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_assert_eq(value(), 1);
	sem_close(other);
}

Test(lock, a_reader_killed_with_it_is_found_and_its_lock_taken_over)
{
	struct slip__lock reader;
	die_after(take);
	cr_assert_eq(value(), 0);
	cr_assert_eq(slip__lock_open(&reader, &name), 0);
	cr_assert(slip__lock_holder_is_dead(&reader));
	cr_assert_eq(slip__lock_take(&reader, SLIP_FOREVER), 0, "the kernel lets go of the dead one's seat within milliseconds");
	slip__lock_give(&reader);
	cr_assert_eq(value(), 1);
	cr_assert_eq(a64_load_relaxed(&writer.semaphore->trying), 0);
	slip__lock_close(&reader);
	die_after(take);
	cr_assert_eq(slip__lock_take(&writer, SLIP_FOREVER), 0, "by the writer as well");
	slip__lock_give(&writer);
	cr_assert_eq(value(), 1);
}

static void (*before_look)(void);
static void (*after_look)(void);

/* Linked with --wrap: what happens between a look whether a seat's owner lives and what is done about it. */
int __real_slip__os_is_locked(int fd, uint64_t byte);
int __wrap_slip__os_is_locked(int fd, uint64_t byte);
int __wrap_slip__os_is_locked(int fd, uint64_t byte)
{
	void (*before)(void) = before_look;
	void (*after)(void) = after_look;
	before_look = NULL;
	after_look = NULL;
	if (before != NULL)
		before();
	int locked = __real_slip__os_is_locked(fd, byte);
	if (after != NULL)
		after();
	return locked;
}

static struct slip__lock heir;
static struct slip__lock newcomer;

static void inherit_give_and_take_again(void)
{
	cr_assert_eq(slip__lock_take(&heir, 0), 0);
	slip__lock_give(&heir);
	cr_assert_eq(slip__lock_open(&newcomer, &name), 0);
	cr_assert_eq(slip__lock_take(&newcomer, 0), 0);
}

Test(lock, a_dead_ones_lock_is_not_taken_from_the_newcomer_on_its_seat)
{
	cr_assert_eq(slip__lock_open(&heir, &name), 0);
	uint32_t next_seat = heir.seat + 1;
	die_after(take);
	cr_assert_eq(a32_load_relaxed(&writer.semaphore->holder), next_seat + 1);
	after_look = inherit_give_and_take_again;
	cr_assert_eq(slip__lock_take(&writer, 0), -1);
	cr_assert_eq(errno, EAGAIN);
	cr_assert_eq(newcomer.seat, next_seat);
	cr_assert_eq(a32_load_relaxed(&writer.semaphore->holder), next_seat + 1);
	slip__lock_give(&newcomer);
	cr_assert_eq(value(), 1);
	slip__lock_close(&newcomer);
	slip__lock_close(&heir);
}

static void leave_in_good_order(void)
{
	a64_and_relaxed(&heir.semaphore->trying, ~(UINT64_C(1) << heir.seat));
	slip__lock_close(&heir);
}

static void sit_down_and_try(void)
{
	cr_assert_eq(slip__lock_open(&newcomer, &name), 0);
	try_in_vain(&newcomer);
}

Test(lock, a_newcomers_mark_is_not_cleared_for_its_predecessors)
{
	cr_assert_eq(slip__lock_open(&heir, &name), 0);
	try_in_vain(&heir);
	before_look = leave_in_good_order;
	after_look = sit_down_and_try;
	cr_assert_eq(slip__lock_take(&writer, 0), 0);
	cr_assert(a64_load_relaxed(&writer.semaphore->trying) & (UINT64_C(1) << newcomer.seat));
	slip__lock_give(&writer);
	slip__lock_close(&newcomer);
}

Test(lock, a_writer_killed_with_it_keeps_it)
{
	struct slip__lock reader;
	cr_assert_eq(slip__lock_take(&writer, 0), 0);
	slip__lock_close(&writer); /* as its death would */
	cr_assert_eq(slip__lock_open(&reader, &name), 0);
	cr_assert_eq(slip__lock_take(&reader, 1000), -1);
	cr_assert_eq(errno, EAGAIN);
	cr_assert(strstr(slip_error_detail(), "died while it wrote") != NULL, "%s", slip_error_detail());
	slip__lock_close(&reader);
}

Test(lock, a_death_between_taking_and_noting_is_told_from_a_foreign_holder)
{
	sem_t *other = sem_open(object_of("sem"), 0);
	cr_assert_eq(sem_trywait(other), 0);
	cr_assert_eq(slip__lock_take(&writer, 1000), -1);
	cr_assert_not(slip__lock_may_be_lost(&writer), "somebody else's, and alive for all we know");
	sem_post(other);
	sem_close(other);
	die_after(take_without_a_note);
	while (!slip__lock_may_be_lost(&writer))
		pause_ms(1);
	cr_assert_eq(slip__lock_take(&writer, 1000), -1);
	cr_assert_eq(value(), 0, "nothing was posted that may not have been taken");
	cr_assert(slip__lock_may_be_lost(&writer));
}

Test(lock, who_died_while_trying_is_forgotten_by_the_next_that_has_it)
{
	die_after(try_in_vain);
	while (!slip__lock_may_be_lost(&writer))
		pause_ms(1);
	cr_assert_eq(slip__lock_take(&writer, 0), 0);
	cr_assert_not(slip__lock_may_be_lost(&writer));
	slip__lock_give(&writer);
	cr_assert_eq(a64_load_relaxed(&writer.semaphore->trying), 0);
}

Test(lock, a_dead_ones_seat_is_not_given_away_while_it_tells_something)
{
	struct slip__lock reader;
	die_after(take);
	cr_assert_eq(slip__lock_open(&reader, &name), 0);
	cr_assert_eq(reader.seat, 2, "seat 1 is the dead one's");
	slip__lock_close(&reader);
}

/* Linked with --wrap: a seat's predecessor is seen to have died while it tried, between looking at its mark and taking its byte. */
static bool marked_meanwhile;
void *__real_slip__os_anchor(const char *object, struct slip__identity identity, uint64_t byte);
void *__wrap_slip__os_anchor(const char *object, struct slip__identity identity, uint64_t byte);
void *__wrap_slip__os_anchor(const char *object, struct slip__identity identity, uint64_t byte)
{
	if (marked_meanwhile)
		a64_or_relaxed(&writer.semaphore->trying, UINT64_C(1) << byte);
	marked_meanwhile = false;
	return __real_slip__os_anchor(object, identity, byte);
}

Test(lock, a_seat_that_came_to_tell_something_meanwhile_is_passed_over)
{
	struct slip__lock reader;
	marked_meanwhile = true;
	cr_assert_eq(slip__lock_open(&reader, &name), 0);
	cr_assert_eq(reader.seat, 2);
	a64_and_relaxed(&writer.semaphore->trying, ~UINT64_C(2));
	slip__lock_close(&reader);
}

Test(lock, posts_too_many_are_found_and_taken_away)
{
	sem_t *other = sem_open(object_of("sem"), 0);
	sem_post(other);
	sem_post(other);
	cr_assert_eq(value(), 3);
	cr_assert_eq(slip__lock_take(&writer, 0), 0);
	cr_assert_not(writer.excluded);
	cr_assert_eq(writer.extra, 2);
	cr_assert_eq(value(), 0);
	slip__lock_give(&writer);
	cr_assert_eq(value(), 1);
	cr_assert_eq(slip__lock_take(&writer, 0), 0);
	cr_assert(writer.excluded);
	slip__lock_give(&writer);
	sem_close(other);
}

Test(lock, an_empty_file_is_not_there_yet_and_a_short_one_cannot_be)
{
	struct slip__lock reader;
	char path[256];
	(void)snprintf(path, sizeof(path), "/dev/shm/sem.%s_image_sem", base);
	cr_assert_eq(truncate(path, 0), 0);
	cr_assert_eq(slip__lock_open(&reader, &name), -1);
	cr_assert_eq(errno, ENOENT);
	cr_assert_eq(truncate(path, 31), 0);
	cr_assert_eq(slip__lock_open(&reader, &name), -1);
	cr_assert_eq(errno, EBADMSG);
	cr_assert(strstr(slip_error_detail(), "31 bytes") != NULL, "%s", slip_error_detail());
	cr_assert_eq(truncate(path, 32), 0);
}

Test(lock, says_who_made_it_and_whether_that_one_lives)
{
	struct slip__lock look;
	cr_assert_eq(slip__lock_look(&look, &name), 0);
	cr_assert_eq(slip__lock_made_for(&look), strlen(base));
	cr_assert(slip__lock_writer_alive(&look));
	cr_assert_not(slip__lock_holder_is_dead(&look));
	slip__lock_close(&writer);
	cr_assert_not(slip__lock_writer_alive(&look));
	slip__lock_close(&look);
	sem_unlink(object_of("sem"));
	sem_t *other = sem_open(object_of("sem"), O_CREAT, 0600, 1);
	cr_assert_eq(slip__lock_look(&look, &name), 0);
	cr_assert_eq(slip__lock_made_for(&look), 0);
	slip__lock_close(&look);
	sem_close(other);
}

Test(lock, more_readers_than_seats_work_without_one)
{
	static struct slip__lock readers[70];
	for (int i = 0; i < 70; i++)
		cr_assert_eq(slip__lock_open(&readers[i], &name), 0, "%d: %s", i, slip_error_detail());
	cr_assert_eq(readers[62].seat, 63);
	cr_assert_eq(readers[69].seat, SLIP__SEAT_NONE);
	cr_assert_eq(slip__lock_take(&readers[69], 0), 0);
	cr_assert_eq(slip__lock_take(&readers[0], 0), -1);
	slip__lock_give(&readers[69]);
	cr_assert_eq(value(), 1);
	for (int i = 0; i < 70; i++)
		slip__lock_close(&readers[i]);
}
