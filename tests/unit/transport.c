/* The transports of src/measure, each through a run, and what they say when something fails. SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"
#include "drive.h"
#include "support.h"
#include "transport_plain.h"
#include "transport_slipring.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static const char *name;
static struct transport_setup setup;

static void name_setup(void)
{
	name = own_base("transport");
	setup = (struct transport_setup){.name = name, .size = 5000, .readers = 1, .under_way = 2};
}

static void expect_nothing_left(void)
{
	cr_assert_eq(objects_with(name), 0);
}

TestSuite(transport, .init = name_setup, .fini = expect_nothing_left);

static void expect_frames(const struct transport *transport, bool loan, enum waiting waiting)
{
	static struct drive_result result;
	struct drive_plan plan = {.setup = setup, .writer_cpu = -1, .interval_ns = 20000, .frames = 100, .one_by_one = true};
	plan.setup.loan = loan;
	plan.setup.waiting = waiting;
	cr_assert_eq(drive(transport, &plan, &result), 0, "%s", transport->name);
	cr_assert_eq(result.sent, 100, "%s", transport->name);
	cr_assert_eq(result.got, 100, "%s", transport->name);
	cr_assert_eq(result.torn, 0, "%s", transport->name);
	cr_assert_not_null(transport->version());
}

Test(transport, each_carries_frames_in_each_way_that_it_can)
{
	static const struct transport *const ALL[] = {
		&TRANSPORT_PLAIN,
#if defined(__x86_64__)
		&TRANSPORT_STREAMING,
#endif
		&TRANSPORT_SLIPRING,
		&TRANSPORT_SEMAPHORE
	};
	for (size_t i = 0; i < sizeof(ALL) / sizeof(ALL[0]); i++)
		for (int waiting = WAIT_SPIN; waiting <= WAIT_SLEEP; waiting++)
			for (int loan = 0; loan <= 1; loan++)
				if (ALL[i]->can & (loan ? CAN_LOAN : CAN_COPY) &&
				    ALL[i]->can & (waiting == WAIT_SPIN ? CAN_SPIN : CAN_SLEEP))
					expect_frames(ALL[i], loan, (enum waiting)waiting);
}

/* Stand before the C library's. */
static bool no_memory, no_maps;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : __real_calloc(count, size);
}

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return no_maps ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}

Test(transport, without_memory_there_is_none)
{
	no_memory = true;
	void *plain = TRANSPORT_PLAIN.make(&setup);
	void *ring = TRANSPORT_SLIPRING.make(&setup);
	no_memory = false;
	no_maps = true;
	void *unmapped = TRANSPORT_PLAIN.make(&setup);
	no_maps = false;
	cr_assert_null(plain);
	cr_assert_null(ring);
	cr_assert_null(unmapped);
	cr_assert(failed());
}

Test(transport, what_fails_is_said)
{
	void *one = TRANSPORT_SLIPRING.make(&setup);
	void *other = TRANSPORT_SLIPRING.make(&setup);
	cr_assert_not(failed());
	cr_assert_eq(TRANSPORT_SLIPRING.open_writer(one), 0);
	cr_assert_eq(TRANSPORT_SLIPRING.open_writer(other), -1, "a second writer");
	cr_assert(failed());
	int loans = 0;
	while (TRANSPORT_SLIPRING.loan(one) != NULL)
		loans++;
	cr_assert_gt(loans, 0, "as many as a writer may have out");
	cr_assert_eq(TRANSPORT_SLIPRING.open_reader(one, 0), 0);
	unsigned char frame[5000] = {0};
	cr_assert_eq(TRANSPORT_SLIPRING.send(one, frame), -1, "every loan is out");
	TRANSPORT_SLIPRING.close_reader(one);
	TRANSPORT_SLIPRING.close_writer(one);
	TRANSPORT_SLIPRING.close_writer(other);
	TRANSPORT_SLIPRING.destroy(other);
	TRANSPORT_SLIPRING.destroy(one);
}

Test(transport, a_name_that_cannot_be_one_and_a_loan_published_twice_are_said)
{
	struct transport_setup bad = setup;
	bad.name = "no/name";
	void *self = TRANSPORT_SLIPRING.make(&bad);
	cr_assert_eq(TRANSPORT_SLIPRING.open_writer(self), -1);
	cr_assert_eq(TRANSPORT_SLIPRING.open_reader(self, 0), -1);
	TRANSPORT_SLIPRING.destroy(self);
	self = TRANSPORT_SLIPRING.make(&setup);
	cr_assert_eq(TRANSPORT_SLIPRING.open_writer(self), 0);
	void *loan = TRANSPORT_SLIPRING.loan(self);
	cr_assert_eq(TRANSPORT_SLIPRING.publish(self, loan), 0);
	cr_assert_eq(TRANSPORT_SLIPRING.publish(self, loan), -1);
	TRANSPORT_SLIPRING.close_writer(self);
	TRANSPORT_SLIPRING.destroy(self);
}

Test(transport, a_channel_that_cannot_be_read_is_said)
{
	static const struct {
		const struct transport *transport;
		const char *before, *after;
	} SPOILT[] = {{&TRANSPORT_SLIPRING, "/slipring@", "@a@control"}, {&TRANSPORT_SEMAPHORE, "/", "_a_shm"}};
	for (size_t i = 0; i < 2; i++) {
		const struct transport *transport = SPOILT[i].transport;
		char object[128];
		char rubbish[8192];
		memset(rubbish, 'r', sizeof(rubbish));
		(void)snprintf(object, sizeof(object), "%s%s%s", SPOILT[i].before, name, SPOILT[i].after);
		void *self = transport->make(&setup);
		void *writer = transport->make(&setup);
		cr_assert_eq(transport->open_writer(writer), 0);
		int fd = shm_open(object, O_RDWR, 0);
		cr_assert_eq(pwrite(fd, rubbish, 64, 0), 64);
		cr_assert_eq(transport->open_reader(self, 0), 0);
		cr_assert_null(transport->receive(self, 0));
		cr_assert(failed(), "%s", transport->name);
		transport->close_reader(self);
		transport->close_writer(writer);
		close(fd);
		transport->destroy(self);
		transport->destroy(writer);
	}
}

Test(transport, nothing_to_receive_is_no_failure)
{
	static const struct transport *const BOTH[] = {&TRANSPORT_SLIPRING, &TRANSPORT_SEMAPHORE};
	for (size_t i = 0; i < 2; i++) {
		void *self = BOTH[i]->make(&setup);
		cr_assert_eq(BOTH[i]->open_reader(self, 0), 0);
		cr_assert_null(BOTH[i]->receive(self, 0));
		void *writer = BOTH[i]->make(&setup);
		cr_assert_eq(BOTH[i]->open_writer(writer), 0);
		cr_assert_null(BOTH[i]->receive(self, 0));
		BOTH[i]->close_writer(writer);
		for (int after_the_end = 0; after_the_end < 2; after_the_end++)
			cr_assert_null(BOTH[i]->receive(self, 1000000));
		cr_assert_not(failed());
		BOTH[i]->close_reader(self);
		BOTH[i]->destroy(writer);
		BOTH[i]->destroy(self);
	}
}

Test(transport, a_frame_whose_lock_is_taken_is_asked_for_until_the_time_is_up)
{
	unsigned char frame[5000] = {0};
	char object[80];
	void *writer = TRANSPORT_SEMAPHORE.make(&setup);
	void *reader = TRANSPORT_SEMAPHORE.make(&setup);
	cr_assert_eq(TRANSPORT_SEMAPHORE.open_writer(writer), 0);
	cr_assert_eq(TRANSPORT_SEMAPHORE.send(writer, frame), 0);
	cr_assert_eq(TRANSPORT_SEMAPHORE.open_reader(reader, 0), 0);
	(void)snprintf(object, sizeof(object), "/%s_a_sem", name);
	sem_t *lock = sem_open(object, 0);
	cr_assert_eq(sem_trywait(lock), 0);
	cr_assert_null(TRANSPORT_SEMAPHORE.receive(reader, 1000000));
	cr_assert_not(failed());
	cr_assert_eq(sem_post(lock), 0);
	const void *got = TRANSPORT_SEMAPHORE.receive(reader, 1000000);
	cr_assert_not_null(got);
	TRANSPORT_SEMAPHORE.release(reader, got);
	cr_assert_eq(sem_close(lock), 0);
	TRANSPORT_SEMAPHORE.close_reader(reader);
	TRANSPORT_SEMAPHORE.close_writer(writer);
	TRANSPORT_SEMAPHORE.destroy(reader);
	TRANSPORT_SEMAPHORE.destroy(writer);
}

Test(transport, a_frame_released_twice_is_said)
{
	unsigned char frame[5000] = {0};
	void *self = TRANSPORT_SLIPRING.make(&setup);
	cr_assert_eq(TRANSPORT_SLIPRING.open_writer(self), 0);
	cr_assert_eq(TRANSPORT_SLIPRING.open_reader(self, 0), 0);
	cr_assert_eq(TRANSPORT_SLIPRING.send(self, frame), 0);
	const void *got = TRANSPORT_SLIPRING.receive(self, 0);
	cr_assert_not_null(got);
	TRANSPORT_SLIPRING.release(self, got);
	cr_assert_not(failed());
	TRANSPORT_SLIPRING.release(self, got);
	cr_assert(failed());
	TRANSPORT_SLIPRING.close_reader(self);
	TRANSPORT_SLIPRING.close_writer(self);
	TRANSPORT_SLIPRING.destroy(self);
}

Test(transport, what_a_killed_writer_left_is_removed)
{
	void *self = TRANSPORT_SLIPRING.make(&setup);
	pid_t child = fork();
	if (child == 0) {
		(void)TRANSPORT_SLIPRING.open_writer(self);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);
	for (int tries = 0; objects_with(name) > 0 && tries < 1000; tries++) {
		/* The kernel lets go of a dead process's lock a moment after the process can be waited for. */
		TRANSPORT_SLIPRING.destroy(self);
		self = TRANSPORT_SLIPRING.make(&setup);
	}
	TRANSPORT_SLIPRING.destroy(self);
}
