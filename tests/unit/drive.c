#include "drive.h"
#include "support.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <sys/mman.h>

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

Test(drive, a_reader_that_goes_fails_the_run)
{
	end_after = 100;
	struct drive_plan plan = plan_of(500);
	cr_assert_eq(drive(&TOLD, &plan, &result), -1);
}
