#include "drive.h"
#include "machine.h"
#include "support.h"
#include "transport_slipring.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* A transport that does what it is told: loses every so manieth frame, tears others. One place, handed to and fro: no frame is lost by itself. */
enum { SIZE = 3 * 4096 + 64 };

struct told {
	_Atomic uint64_t given, taken; /* frames */
	unsigned char frame[SIZE];
};

static struct told *place;
static uint64_t lose_each, tear_each, end_after;

static const char *no_version(void)
{
	return "";
}

static void *make(const struct transport_setup *setup)
{
	(void)setup;
	place = mmap(NULL, sizeof(*place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return place;
}

static void destroy(void *self)
{
	munmap(self, sizeof(*place));
}

static int open_writer(void *self)
{
	(void)self;
	return 0;
}

static int open_reader(void *self, int reader)
{
	(void)self;
	(void)reader;
	return 0;
}

/* Warm-up frames have seq 0, those that end a run one beyond all. */
static bool is_each(uint64_t seq, uint64_t each)
{
	return each != 0 && seq != 0 && seq < UINT64_MAX && seq % each == 0;
}

static int send_copy(void *self, const void *frame)
{
	struct told *told = self;
	struct stamp stamp;
	memcpy(&stamp, frame, sizeof(stamp));
	if (is_each(stamp.seq, lose_each))
		return 0;
	const int64_t until = now_ns() + INT64_C(1000000000); /* nobody takes it any more: the run is to be given up, not this call */
	while (atomic_load(&told->taken) != atomic_load(&told->given))
		if (!spin_on(until))
			return 0;
	memcpy(told->frame, frame, SIZE);
	if (is_each(stamp.seq, tear_each))
		told->frame[stamp.seq * 97 % (SIZE - sizeof(stamp)) + sizeof(stamp)] ^= 1;
	atomic_fetch_add(&told->given, 1);
	return 0;
}

static const void *receive(void *self, int64_t limit_ns)
{
	struct told *told = self;
	const int64_t until = now_ns() + limit_ns;
	while (atomic_load(&told->taken) == atomic_load(&told->given))
		if (!spin_on(until))
			return NULL;
	struct stamp stamp;
	memcpy(&stamp, told->frame, sizeof(stamp));
	if (end_after != 0 && stamp.seq >= end_after && stamp.seq < UINT64_MAX)
		_exit(1);
	return told->frame;
}

static void release(void *self, const void *frame)
{
	struct told *told = self;
	(void)frame;
	atomic_fetch_add(&told->taken, 1);
}

static void nothing(void *self)
{
	(void)self;
}

static const struct transport TOLD = {
	.name = "told",
	.can = CAN_SPIN | CAN_COPY,
	.how = "",
	.version = no_version,
	.make = make,
	.destroy = destroy,
	.open_writer = open_writer,
	.send = send_copy,
	.close_writer = nothing,
	.open_reader = open_reader,
	.receive = receive,
	.release = release,
	.close_reader = nothing,
};

static struct drive_plan plan_of(uint64_t frames)
{
	return (struct drive_plan){
		.setup = {.name = "told", .size = SIZE, .readers = 1, .under_way = 2},
		.writer_cpu = -1,
		.interval_ns = 20000,
		.frames = frames,
		.read_all = true,
	};
}

static struct drive_result result;

Test(drive, counts_what_comes_whole)
{
	struct drive_plan plan = plan_of(500);
	cr_assert_eq(drive(&TOLD, &plan, &result), 0);
	cr_assert_eq(result.sent, 500);
	cr_assert_eq(result.got, 500);
	cr_assert_eq(result.least_got, 500);
	cr_assert_eq(result.missed, 0);
	cr_assert_eq(result.torn, 0);
	cr_assert_eq(result.latency.total, 500);
	cr_assert_eq(result.cost.total, 500);
	cr_assert_gt(result.latency.min, 0);
}

Test(drive, counts_frames_that_are_lost_also_the_last)
{
	lose_each = 7;
	struct drive_plan plan = plan_of(490);
	cr_assert_eq(drive(&TOLD, &plan, &result), 0);
	cr_assert_eq(result.sent, 490);
	cr_assert_eq(result.missed, 70);
	cr_assert_eq(result.got, 420);
}

Test(drive, counts_frames_with_one_wrong_bit_as_torn)
{
	tear_each = 5;
	struct drive_plan plan = plan_of(500);
	cr_assert_eq(drive(&TOLD, &plan, &result), 0);
	cr_assert_eq(result.got, 500);
	cr_assert_eq(result.torn, 100);
}

Test(drive, one_by_one_waits_for_the_reader_each_time)
{
	struct drive_plan plan = plan_of(200);
	plan.one_by_one = true;
	cr_assert_eq(drive(&TOLD, &plan, &result), 0);
	cr_assert_eq(result.last.total, 200);
	cr_assert_eq(result.missed, 0);
}

/* The frames after a stall were due while it lasted: a histogram that forgot that would have one slow frame and 99 quick ones. */
static int send_after_a_stall(void *self, const void *frame)
{
	struct stamp stamp;
	memcpy(&stamp, frame, sizeof(stamp));
	if (stamp.seq == 10)
		usleep(20000);
	return send_copy(self, frame);
}

Test(drive, a_stall_counts_for_every_frame_that_it_held_up)
{
	struct transport stalling = TOLD;
	stalling.send = send_after_a_stall;
	struct drive_plan plan = plan_of(100);
	plan.interval_ns = 200000;
	cr_assert_eq(drive(&stalling, &plan, &result), 0);
	/* Of the 90 frames behind it, all due within 18 ms, most came later than 2 ms after they were due. */
	cr_assert_gt(histogram_percentile(&result.latency, 50), 2000000);
}

/* Stand before the C library's and transport.c's: a system that lacks something, and a parent whose time flies. */
static bool no_maps, no_memory, no_children, time_flies, interrupted;
static int forks_left = INT_MAX;
static int64_t skew_ns;

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return no_maps ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return no_memory ? NULL : __real_aligned_alloc(alignment, size);
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
	return forks_left-- > 0 ? __real_fork() : -1;
}

pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	skew_ns += time_flies ? INT64_C(1000000000) : 0;
	if (interrupted) {
		interrupted = false;
		errno = EINTR;
		return -1;
	}
	errno = ECHILD;
	return no_children ? -1 : __real_waitpid(pid, status, options);
}

int64_t __real_now_ns(void);
int64_t __wrap_now_ns(void);
int64_t __wrap_now_ns(void)
{
	return __real_now_ns() + skew_ns;
}

static const void *hang(void *self, int64_t limit_ns)
{
	(void)self;
	(void)limit_ns;
	while (pause() != 0)
		;
	return NULL;
}

Test(drive, who_hangs_is_killed_and_fails_the_run)
{
	struct transport hanging = TOLD;
	struct drive_plan plan = plan_of(500);
	hanging.receive = hang;
	time_flies = true;
	cr_assert_eq(drive(&hanging, &plan, &result), -1);
	cr_assert(failed());
	cr_assert_eq(__real_waitpid(-1, NULL, WNOHANG), -1, "nobody is left");
}

static const void *refuse(void *self, int64_t limit_ns)
{
	(void)self;
	(void)limit_ns;
	complain("refused");
	return NULL;
}

static int fail_to_open(void *self)
{
	(void)self;
	return complain("no writer");
}

static void *fail_to_make(const struct transport_setup *setup)
{
	(void)setup;
	return NULL;
}

static int fail_to_open_reader(void *self, int reader)
{
	(void)self;
	return complain("no reader %d", reader);
}

Test(drive, a_transport_that_fails_fails_the_run)
{
	struct drive_plan plan = plan_of(500);
	struct transport failing = TOLD;
	failing.receive = refuse;
	cr_assert_eq(drive(&failing, &plan, &result), -1);
	failing = TOLD;
	failing.open_writer = fail_to_open;
	cr_assert_eq(drive(&failing, &plan, &result), -1);
	failing = TOLD;
	failing.open_reader = fail_to_open_reader;
	cr_assert_eq(drive(&failing, &plan, &result), -1);
	failing = TOLD;
	failing.make = fail_to_make;
	cr_assert_eq(drive(&failing, &plan, &result), -1);
}

static uint64_t fails_at; /* frame that cannot be sent; those before the run are 0 */

static int send_until(void *self, const void *frame)
{
	struct stamp stamp;
	memcpy(&stamp, frame, sizeof(stamp));
	return stamp.seq >= fails_at ? complain("no more") : send_copy(self, frame);
}

static void *lend_nothing(void *self)
{
	(void)self;
	return NULL;
}

static const void *die(void *self, int64_t limit_ns)
{
	(void)self;
	(void)limit_ns;
	raise(SIGKILL);
	return NULL;
}

Test(drive, a_frame_that_cannot_be_passed_on_fails_the_run)
{
	struct drive_plan plan = plan_of(500);
	struct transport failing = TOLD;
	failing.send = send_until;
	for (fails_at = 0; fails_at <= 200; fails_at += 100)
		cr_assert_eq(drive(&failing, &plan, &result), -1);
	fails_at = UINT64_MAX; /* those that say that it is over */
	cr_assert_eq(drive(&failing, &plan, &result), -1);
	plan.setup.loan = true;
	failing.loan = lend_nothing;
	cr_assert_eq(drive(&failing, &plan, &result), -1);
	plan.setup.readers = 0; /* nobody to warm up for */
	cr_assert_eq(drive(&failing, &plan, &result), -1);
}

Test(drive, a_reader_that_is_killed_fails_the_run_and_so_does_one_that_outlives_its_writer)
{
	struct drive_plan plan = plan_of(500);
	struct transport failing = TOLD;
	failing.receive = die;
	cr_assert_eq(drive(&failing, &plan, &result), -1);
	failing.receive = hang;
	failing.send = send_until;
	time_flies = true;
	cr_assert_eq(drive(&failing, &plan, &result), -1);
	cr_assert_eq(__real_waitpid(-1, NULL, WNOHANG), -1, "nobody is left");
}

Test(drive, a_lost_frame_holds_one_by_one_up_for_a_second_only)
{
	struct drive_plan plan = plan_of(10);
	plan.one_by_one = true;
	lose_each = 6;
	cr_assert_eq(drive(&TOLD, &plan, &result), 0);
	cr_assert_eq(result.missed, 1);
	cr_assert_eq(result.last.total, 9);
}

Test(drive, readers_are_counted_one_by_one_on_the_CPUs_that_they_are_given)
{
	struct drive_plan plan = plan_of(100);
	struct machine machine;
	machine_read(&machine);
	plan.setup.name = own_base("drive");
	plan.setup.readers = 2;
	plan.setup.waiting = WAIT_SLEEP;
	plan.reader_cpus[0] = plan.writer_cpu = machine.cpu_list[0];
	plan.reader_cpu_count = 1;
	plan.one_by_one = true;
	no_memory = true; /* for the histogram that a clock's cost is found with: it counts as nothing */
	cr_assert_eq(drive(&TRANSPORT_SLIPRING, &plan, &result), -1);
	no_memory = false;
	interrupted = true;
	cr_assert_eq(drive(&TRANSPORT_SLIPRING, &plan, &result), -1, "interrupted");
	cr_assert_eq(drive(&TRANSPORT_SLIPRING, &plan, &result), 0);
	cr_assert_eq(result.got, 200);
	cr_assert_eq(result.least_got, 100);
}

Test(drive, a_system_that_lacks_something_fails_the_run)
{
	struct drive_plan plan = plan_of(500);
	no_maps = true;
	cr_assert_eq(drive(&TOLD, &plan, &result), -1);
	no_maps = false;
	no_memory = true;
	cr_assert_eq(drive(&TOLD, &plan, &result), -1);
	no_memory = false;
	for (forks_left = 0; forks_left < 2; forks_left++) {
		int forks = forks_left;
		cr_assert_eq(drive(&TOLD, &plan, &result), -1);
		forks_left = forks;
	}
	forks_left = INT_MAX;
	plan.writer_cpu = CPU_SETSIZE - 1;
	cr_assert_eq(drive(&TOLD, &plan, &result), -1, "no such CPU");
	plan.writer_cpu = -1;
	no_children = true;
	cr_assert_eq(drive(&TOLD, &plan, &result), -1);
}

Test(drive, frames_written_in_place_are_whole_too)
{
	struct drive_plan plan = plan_of(200);
	plan.setup.name = own_base("drive");
	plan.setup.loan = true;
	plan.setup.waiting = WAIT_SLEEP;
	plan.one_by_one = true;
	cr_assert_eq(drive(&TRANSPORT_SLIPRING, &plan, &result), 0);
	cr_assert_eq(result.got, 200);
	cr_assert_eq(result.torn, 0);
	cr_assert_eq(objects_with(plan.setup.name), 0);
}

Test(drive, runs_without_readers_and_flat_out_for_a_time)
{
	struct drive_plan plan = plan_of(0);
	plan.setup.name = own_base("drive");
	plan.setup.readers = 0;
	plan.interval_ns = 0;
	plan.duration_ns = 1000000;
	plan.reader_cpu_count = 1;
	cr_assert_eq(drive(&TRANSPORT_SLIPRING, &plan, &result), 0);
	cr_assert_gt(result.sent, 0);
	cr_assert_eq(result.got, 0);
	cr_assert_eq(result.least_got, 0);
}

Test(drive, a_reader_that_goes_fails_the_run)
{
	end_after = 100;
	struct drive_plan plan = plan_of(500);
	cr_assert_eq(drive(&TOLD, &plan, &result), -1);
}
