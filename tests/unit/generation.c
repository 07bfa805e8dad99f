#include "generation.h"
#include "support.h"
#include "wait.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static slip_channel_name name;

static void make_name(void)
{
	cr_assert_eq(slip__name_make(own_base("generation"), "a", &name), 0);
}

static void expect_nothing_left(void)
{
	cr_assert_eq(objects_with(name.base), 0);
}

TestSuite(generation, .init = make_name, .fini = expect_nothing_left);

/* A writer that publishes one frame and dies. */
static void publish_and_die(void)
{
	pid_t child = fork();
	if (child == 0) {
		slip_writer *w = slip_writer_open(name.base, NULL);
		slip_array a = bytes_array("1", 1);
		raise(slip_set_array(w, "a", &a) == 0 ? SIGKILL : SIGTERM);
	}
	int status;
	waitpid(child, &status, 0);
	cr_assert_eq(WTERMSIG(status), SIGKILL);
}

static slip_writer *take_over(void)
{
	slip_writer *w = slip_writer_open(name.base, NULL);
	slip_array a = bytes_array("x", 1);
	while (slip_channel_create(w, "a", &a) != 0)
		cr_assert_eq(errno, EBUSY, "%s", slip_error_detail());
	return w;
}

static void *sleep_until_ready(void *segment)
{
	const struct slip__segment *s = segment;
	const struct slip__watch watch = {.ring = &s->ring, .state = &s->header->state, .after = 1};
	/* Without ever looking up: only a wake ends it. */
	return slip__wait(&watch, 1, 0, INT64_MAX, INT64_MAX) == SLIP__WOKEN_READY ? segment : NULL;
}

Test(generation, a_takeover_wakes_those_whom_a_writer_that_died_before_its_wake_left_asleep)
{
	struct slip__segment s;
	pthread_t sleeper;
	publish_and_die();
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_HEIR, &s), 0);
	pthread_create(&sleeper, NULL, sleep_until_ready, &s);
	while (!(a32_load_relaxed(s.ring.fw) & 1))
		pause_ms(1);
	pause_ms(20); /* until it is in the kernel; earlier, the test would pass without showing anything */
	const uint16_t order[] = {0, 1, 2, 3, 4, 5, 6, 7};
	const struct slip__claim claim = {.order = order, .count = 8, .head = 1, .history = 1, .passes = 1};
	int32_t slot = slip__slot_claim(&s.ring, &claim);
	cr_assert_neq(slot, SLIP__NO_SLOT);
	cr_assert(slip__slot_publish(&s.ring, (uint32_t)slot, 2, false, 99)); /* and dies before the wake */
	slip_writer *heir = take_over();
	void *woken;
	pthread_join(sleeper, &woken);
	cr_assert_not_null(woken);
	slip__segment_close(&s);
	slip_writer_close(heir);
}

#ifndef __SANITIZE_ADDRESS__
/* The address space that this process uses now, and so much more. */
static void limit_memory(size_t more)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	cr_assert(file != NULL && fscanf(file, "%lu", &pages) == 1);
	fclose(file);
	struct rlimit limit = {.rlim_cur = pages * 4096 + more, .rlim_max = RLIM_INFINITY};
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

Test(generation, a_takeover_that_lacks_memory_leaves_the_channel_to_the_next)
{
	const int64_t size = 64 << 20;
	uint64_t epoch = 0;
	pid_t child = fork();
	if (child == 0) {
		slip_writer *w = slip_writer_open(name.base, NULL);
		slip_array a = bytes_array(NULL, size);
		slip_frame *loan = slip_loan(w, "a", &a);
		raise(loan != NULL && slip_publish(loan) == 0 ? SIGKILL : SIGTERM);
	}
	int status;
	waitpid(child, &status, 0);
	cr_assert_eq(WTERMSIG(status), SIGKILL);
	child = fork();
	if (child == 0) {
		limit_memory(16 << 20);
		slip_writer *w = slip_writer_open(name.base, NULL);
		slip_array a = bytes_array("x", 1);
		int err = 0;
		while (slip_channel_create(w, "a", &a) != 0 && (err = errno) == EBUSY)
			;
		_exit(err == ENOMEM ? 0 : 1);
	}
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
	slip_channel_info *info = slip_channel_inspect(name.base, "a", SLIP_MODE_DEFAULT);
	cr_assert_not_null(info, "the channel is gone");
	epoch = info->epoch;
	slip_channel_info_free(info);
	slip_writer *heir = take_over();
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_writer_get_stats(heir, "a", &stats), 0);
	cr_assert_eq(stats.epoch, epoch);
	cr_assert_eq(stats.last_seq, 1);
	slip_writer_close(heir);
}
#endif

Test(generation, what_a_dead_writer_left_beside_its_ring_is_swept)
{
	publish_and_die();
	char file[SLIP_OBJECT_MAX];
	for (int kind = SLIP__OBJECT_PAYLOAD; kind <= SLIP__OBJECT_NEW; kind++) {
		slip__object_name(&name, (enum slip__object_kind)kind, 77, file);
		int fd = slip__os_make(4096, 0600);
		cr_assert_eq(slip__os_link(fd, file), 0);
		slip__os_close(fd);
	}
	cr_assert_eq(objects_with(name.base), 4);
	slip_writer *heir = take_over();
	cr_assert_eq(objects_with(name.base), 2);
	slip_writer_close(heir);
}

Test(generation, other_options_make_a_new_generation_of_the_same_epoch)
{
	publish_and_die();
	slip_reader *r = slip_reader_open(name.base, NULL);
	slip_frame *f = slip_get_array(r, "a");
	uint64_t epoch = f->epoch;
	slip_release(f);
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = 20;
	slip_writer *w = slip_writer_open(name.base, &options);
	slip_array a = bytes_array("2", 1);
	while (slip_set_array(w, "a", &a) != 0)
		cr_assert_eq(errno, EBUSY);
	f = slip_get_array(r, "a");
	cr_assert_not_null(f, "%s", slip_error_detail());
	cr_assert_eq(f->epoch, epoch);
	cr_assert_eq(f->seq, 2);
	slip_release(f);
	slip_reader_close(r);
	slip_writer_close(w);
}

Test(generation, a_damaged_control_of_a_dead_writer_ends_the_epoch)
{
	struct slip__segment s;
	publish_and_die();
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_HEIR, &s), 0);
	a64_store_relaxed(&s.header->head, UINT64_C(1) << 40 | 999);
	slip_writer *w = take_over();
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_writer_get_stats(w, "a", &stats), 0);
	cr_assert_neq(stats.epoch, s.geometry.epoch);
	cr_assert_eq(stats.last_seq, 0);
	slip__segment_close(&s);
	slip_writer_close(w);
}

Test(generation, rubbish_under_the_name_is_replaced_once_nobody_holds_it)
{
	char file[SLIP_OBJECT_MAX];
	slip__object_name(&name, SLIP__OBJECT_CONTROL, 0, file);
	int fd = slip__os_make(100, 0600);
	cr_assert_eq(slip__os_link(fd, file), 0);
	slip__os_close(fd);
	slip_reader *r = slip_reader_open(name.base, NULL);
	cr_assert_null(slip_get_array(r, "a"));
	cr_assert_eq(errno, EBADMSG);
	slip_writer *w = take_over();
	slip_array a = bytes_array("x", 1);
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	slip_frame *f = slip_get_array(r, "a");
	cr_assert_not_null(f);
	slip_release(f);
	slip_reader_close(r);
	slip_writer_close(w);
}

Test(generation, a_foreign_read_lock_on_a_dead_writers_byte_is_named_for_what_it_is)
{
	char object[SLIP_OBJECT_MAX];
	struct slip__file file;
	publish_and_die();
	slip__object_name(&name, SLIP__OBJECT_CONTROL, 0, object);
	int fd = slip__os_open(object, SLIP__READ_ONLY, &file);
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = SLIP__BYTE_WRITER, .l_len = 1};
	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	slip_writer *w = slip_writer_open(name.base, NULL);
	slip_array a = bytes_array("x", 1);
	cr_assert_eq(slip_channel_create(w, "a", &a), -1);
	cr_assert_eq(errno, EBUSY);
	cr_assert_not_null(strstr(slip_error_detail(), "read lock"), "%s", slip_error_detail());
	slip_writer_close(w);
	slip__os_close(fd);
	slip_writer_close(take_over());
}

/* Stand before the library's: memory that is short at one moment. */
static bool no_room;
static bool no_locked_memory;

int __real_slip__os_make(uint64_t size, mode_t permissions);
int __wrap_slip__os_make(uint64_t size, mode_t permissions);
int __wrap_slip__os_make(uint64_t size, mode_t permissions)
{
	if (!no_room)
		return __real_slip__os_make(size, permissions);
	no_room = false;
	errno = ENOSPC;
	return -1;
}

int __real_slip__os_lock_memory(void *address, size_t size);
int __wrap_slip__os_lock_memory(void *address, size_t size);
int __wrap_slip__os_lock_memory(void *address, size_t size)
{
	(void)address;
	(void)size;
	errno = ENOMEM;
	return no_locked_memory ? -1 : 0;
}

Test(generation, a_ring_that_cannot_grow_by_half_grows_by_what_is_needed)
{
	static char bytes[120000];
	slip_writer *w = slip_writer_open(name.base, NULL);
	slip_array a = bytes_array(bytes, 100000);
	cr_assert_eq(slip_set_array(w, "a", &a), 0);
	no_room = true;
	a = bytes_array(bytes, 120000);
	cr_assert_eq(slip_set_array(w, "a", &a), 0, "%s", slip_error_detail());
	cr_assert_not(no_room);
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_writer_get_stats(w, "a", &stats), 0);
	cr_assert_eq(stats.grown, 1);
	cr_assert_eq(stats.last_seq, 2);
	slip_writer_close(w);
}

Test(generation, a_takeover_that_may_not_lock_its_memory_leaves_the_channel_to_the_next)
{
	publish_and_die();
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.lock_memory = true;
	slip_writer *w = slip_writer_open(name.base, &options);
	slip_array a = bytes_array("x", 1);
	no_locked_memory = true;
	while (slip_channel_create(w, "a", &a) != 0 && errno == EBUSY)
		;
	cr_assert_eq(errno, ENOMEM, "%s", slip_error_detail());
	no_locked_memory = false;
	cr_assert_eq(slip_set_array(w, "a", &a), 0, "%s", slip_error_detail());
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	cr_assert_eq(slip_writer_get_stats(w, "a", &stats), 0);
	cr_assert_eq(stats.last_seq, 2, "after the dead one's");
	slip_writer_close(w);
}

Test(generation, a_takeover_with_other_options_makes_a_ring_of_its_own_and_goes_on_counting)
{
	slip_writer_options options[10];
	for (int i = 0; i < 10; i++)
		options[i] = (slip_writer_options)SLIP_WRITER_OPTIONS_INIT;
	options[1].slots = 12;
	options[2].max_readers = 3;
	options[3].leases_per_reader = 1;
	options[4].max_loans = 2;
	options[5].history = 2;
	options[6].capacity = 100000;
	options[7].permissions = 0644;
	options[8].observers = 0040;
	options[8].permissions = 0640;
	/* And options[9], with a frame that does not fit. */
	static char large[200000];
	for (int i = 0; i < 10; i++) {
		publish_and_die();
		slip_writer *w = slip_writer_open(name.base, &options[i]);
		slip_array a = bytes_array(large, i == 9 ? sizeof(large) : 1);
		while (slip_channel_create(w, "a", &a) != 0)
			cr_assert_eq(errno, EBUSY, "%s", slip_error_detail());
		slip_channel_info *info = slip_channel_inspect(name.base, "a", SLIP_MODE_DEFAULT);
		cr_assert_not_null(info, "%s", slip_error_detail());
		cr_assert_eq(info->generation, i == 0 ? 1 : 2, "option %d: generation %llu", i, (unsigned long long)info->generation);
		slip_channel_info_free(info);
		cr_assert_eq(slip_set_array(w, "a", &a), 0);
		slip_writer_stats stats = {.struct_size = sizeof(stats)};
		cr_assert_eq(slip_writer_get_stats(w, "a", &stats), 0);
		cr_assert_eq(stats.last_seq, 2);
		slip_writer_close(w);
	}
}
