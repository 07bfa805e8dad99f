/*
 * Observers may look and no more: what they do leaves no trace, and what they try with raw system calls is refused. What the kernel lets any reader of a
 * file do all the same (read locks, moving a futex's sleepers) harms neither a writer nor readers that are there. Needs root.
 */
#include "people.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>

static char directory[32];
static char objects[2][300]; /* control, payload */
static const char *const OBJECT_NAMES[] = {"control", "payload"};
static unsigned cells, wrong;

/* ---- a writer of the owner's that publishes when it is told to ---- */

struct desk {
	slip__a64 asked;
	slip__a64 done;
	slip__a64 failed;
	slip__a64 ready; /* of whoever says so */
	struct answer answer;
};
static struct desk *desk;

static void serve(void)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.permissions = 0640;
	options.observers = 0040;
	options.max_readers = 8;
	slip_writer *writer = slip_writer_open("look", &options);
	for (uint64_t n = a64_load_relaxed(&desk->done);;) {
		if (a64_load_relaxed(&desk->asked) == n) {
			pause_ms(1);
			continue;
		}
		n++;
		slip_array array = bytes_array(&n, sizeof(n));
		if (slip_set_array(writer, "a", &array) != 0) {
			fprintf(stderr, "the writer: %s\n", slip_error_detail());
			add(&desk->failed, 1);
		}
		add(&desk->done, 1);
	}
}

static void publish(void)
{
	add(&desk->asked, 1);
	for (int i = 0; i < 20000 && a64_load_relaxed(&desk->done) != a64_load_relaxed(&desk->asked); i++)
		pause_ms(1);
	CHECK(a64_load_relaxed(&desk->done) == a64_load_relaxed(&desk->asked) && a64_load_relaxed(&desk->failed) == 0);
}

static void wait_ready(uint64_t count)
{
	for (int i = 0; i < 20000 && a64_load_relaxed(&desk->ready) < count; i++)
		pause_ms(1);
	CHECK(a64_load_relaxed(&desk->ready) >= count);
}

static pid_t start_writer(void)
{
	pid_t pid;
	SPAWN(pid, (become(&OWNER), serve(), 0));
	return pid;
}

static void find_objects(void)
{
	DIR *all = opendir(directory);
	CHECK(all != NULL);
	for (struct dirent *entry; (entry = readdir(all)) != NULL;)
		if (strncmp(entry->d_name, "slipring@look@a@", 16) == 0)
			(void)snprintf(objects[entry->d_name[16] == 'p'], sizeof(objects[0]), "%s/%s", directory, entry->d_name);
	closedir(all);
	CHECK(objects[0][0] != '\0' && objects[1][0] != '\0');
}

/* ---- no trace ---- */

struct picture {
	struct stat status[2];
	size_t size[2];
	char *bytes[2];
};

static void take_picture(struct picture *p)
{
	for (int i = 0; i < 2; i++) {
		int fd = open(objects[i], O_RDONLY);
		CHECK(fd >= 0 && fstat(fd, &p->status[i]) == 0);
		p->size[i] = (size_t)p->status[i].st_size;
		p->bytes[i] = malloc(p->size[i]);
		CHECK(pread(fd, p->bytes[i], p->size[i], 0) == (ssize_t)p->size[i]);
		close(fd);
	}
}

static void drop_picture(struct picture *p)
{
	free(p->bytes[0]);
	free(p->bytes[1]);
}

static void expect_same(const struct picture *before)
{
	struct picture now;
	take_picture(&now);
	for (int i = 0; i < 2; i++) {
		const struct stat *a = &before->status[i];
		const struct stat *b = &now.status[i];
		CHECK(now.size[i] == before->size[i] && memcmp(now.bytes[i], before->bytes[i], now.size[i]) == 0);
		CHECK(a->st_ino == b->st_ino && a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
		      a->st_nlink == b->st_nlink);
		CHECK(a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec);
	}
	drop_picture(&now);
}

/* Of control's bytes, those with a lock on them; byte 0 is the writer's. */
static int locked_bytes(void)
{
	int count = 0;
	int fd = open(objects[0], O_RDONLY);
	CHECK(fd >= 0);
	for (int byte = 1; byte <= SLIP_MAX_READERS; byte++) {
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
		CHECK(fcntl(fd, F_OFD_GETLK, &lock) == 0);
		count += lock.l_type != F_UNLCK;
	}
	close(fd);
	return count;
}

static slip_reader *observer(void)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.observer = 1;
	return slip_reader_open("look", &options);
}

static void look_around(void)
{
	slip_reader *reader = observer();
	int64_t shape[SLIP_MAX_DIMS];
	for (int i = 0; i < 50; i++) {
		slip_frame *frame = slip_get_array(reader, "a");
		CHECK(frame != NULL && frame->seq == 1 && (frame->flags & SLIP_FRAME_PRIVATE));
		CHECK(slip_release(frame) == 0);
	}
	CHECK(slip_wait(reader, "a", 5000000) == -1 && errno == ETIMEDOUT);
	CHECK(slip_next(reader, "a", 5000000) == NULL && errno == ETIMEDOUT);
	CHECK(slip_get_shape(reader, "a", shape) == 1 && slip_writer_alive(reader, "a") == 1);
	slip_channel_info_free(slip_channel_inspect("look", "a", SLIP_MODE_DEFAULT));
	add(&desk->ready, 1);
	for (;;)
		pause();
}

static void show_no_trace(void)
{
	struct picture before;
	pid_t pid;
	take_picture(&before);
	uint64_t ready = a64_load_relaxed(&desk->ready);
	SPAWN(pid, (become(&MEMBER), look_around(), 0));
	wait_ready(ready + 1);
	CHECK(locked_bytes() == 0); /* while it is attached */
	expect_same(&before);
	kill_and_reap(pid);
	expect_same(&before);
	drop_picture(&before);
	printf("an observer's 50 frames, waits and questions: not a bit of control or payload changed, no lock taken\n");
}

/* ---- attempts ---- */

static char own_file[320]; /* of the member's */

static int try_map(int fd, size_t size, int protection)
{
	void *memory = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -1;
	int done = protection == PROT_READ ? mprotect(memory, size, PROT_READ | PROT_WRITE) : 0;
	int err = errno;
	munmap(memory, size);
	errno = err;
	return done;
}

static int try_remove_pages(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	int done = madvise(memory, size, MADV_REMOVE);
	int err = errno;
	munmap(memory, size);
	errno = err;
	return done;
}

static int reopen(int fd)
{
	char self[40];
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_RDWR);
}

static int lock_for_writing(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	return fcntl(fd, F_OFD_SETLK, &lock);
}

enum attempt {
	OPEN_RW,
	OPEN_WO,
	OPEN_TRUNC,
	OPEN_READ_TRUNC,
	TRUNCATE,
	CHMOD,
	CHOWN,
	UNLINK,
	RENAME_AWAY,
	RENAME_OVER,
	SET_TIMES, /* by its name */
	MAP_WRITE,
	MAP_THEN_PROTECT,
	REMOVE_PAGES,
	FTRUNCATE,
	FALLOCATE,
	WRITE,
	PUNCH,
	FCHMOD,
	REOPEN,
	WRITE_LOCK,
	LEASE,
	SEAL, /* by a descriptor */
	ATTEMPTS
};
static const struct {
	const char *name;
	int errnos[2]; /* either */
} ATTEMPT[ATTEMPTS] = {
	[OPEN_RW] = {"open to write", {EACCES}},
	[OPEN_WO] = {"open write-only", {EACCES}},
	[OPEN_TRUNC] = {"open and truncate", {EACCES}},
	[OPEN_READ_TRUNC] = {"open to read and truncate", {EACCES}},
	[TRUNCATE] = {"truncate", {EACCES}},
	[CHMOD] = {"chmod", {EPERM}},
	[CHOWN] = {"chown", {EPERM}},
	[UNLINK] = {"unlink", {EPERM}},
	[RENAME_AWAY] = {"rename away", {EPERM}},
	[RENAME_OVER] = {"rename over it", {EPERM}},
	[SET_TIMES] = {"set its times", {EACCES}},
	[MAP_WRITE] = {"map to write", {EACCES}},
	[MAP_THEN_PROTECT] = {"map, then mprotect", {EACCES}},
	[REMOVE_PAGES] = {"madvise(MADV_REMOVE)", {EACCES}},
	[FTRUNCATE] = {"ftruncate", {EINVAL}},
	[FALLOCATE] = {"fallocate", {EBADF}},
	[WRITE] = {"write", {EBADF}},
	[PUNCH] = {"punch a hole", {EBADF}},
	[FCHMOD] = {"fchmod", {EPERM}},
	[REOPEN] = {"reopen through /proc", {EACCES}},
	[WRITE_LOCK] = {"a write lock", {EBADF}},
	[LEASE] = {"a lease", {EACCES}},
	[SEAL] = {"a seal", {EPERM, EINVAL}},
};

static int attempt(enum attempt what, const char *path, int fd, size_t size)
{
	char elsewhere[700];
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s.away", path);
	switch (what) {
	case OPEN_RW: return open(path, O_RDWR);
	case OPEN_WO: return open(path, O_WRONLY);
	case OPEN_TRUNC: return open(path, O_RDWR | O_TRUNC);
	case OPEN_READ_TRUNC: return open(path, O_RDONLY | O_TRUNC);
	case TRUNCATE: return truncate(path, 0);
	case CHMOD: return chmod(path, 0666);
	case CHOWN: return chown(path, MEMBER_UID, (gid_t)-1);
	case UNLINK: return unlink(path);
	case RENAME_AWAY: return rename(path, elsewhere);
	case RENAME_OVER: return rename(own_file, path);
	case SET_TIMES: return utimensat(AT_FDCWD, path, NULL, 0);
	case MAP_WRITE: return try_map(fd, size, PROT_READ | PROT_WRITE);
	case MAP_THEN_PROTECT: return try_map(fd, size, PROT_READ);
	case REMOVE_PAGES: return try_remove_pages(fd, size);
	case FTRUNCATE: return ftruncate(fd, 0);
	case FALLOCATE: return fallocate(fd, 0, 0, (off_t)size * 2);
	case WRITE: return (int)pwrite(fd, "x", 1, 0);
	case PUNCH: return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
	case FCHMOD: return fchmod(fd, 0666);
	case REOPEN: return reopen(fd);
	case WRITE_LOCK: return lock_for_writing(fd);
	case LEASE: return fcntl(fd, F_SETLEASE, F_RDLCK);
	case SEAL: return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
	default: return 0;
	}
}

static int attempt_all(int *errnos)
{
	close(open(own_file, O_CREAT | O_EXCL | O_WRONLY, 0600));
	for (int i = 0; i < 2; i++) {
		struct stat status;
		int fd = open(objects[i], O_RDONLY);
		CHECK(fd >= 0 && fstat(fd, &status) == 0);
		for (int what = 0; what < ATTEMPTS; what++)
			errnos[i * ATTEMPTS + what] = attempt((enum attempt)what, objects[i], fd, (size_t)status.st_size) == -1 ? errno : 0;
		close(fd);
	}
	return unlink(own_file);
}

static void try_attempts(void)
{
	struct picture before;
	pid_t pid;
	int *errnos = shared_memory(2 * ATTEMPTS * sizeof(*errnos));
	(void)snprintf(own_file, sizeof(own_file), "%s/own-file", directory);
	take_picture(&before);
	SPAWN(pid, (become(&MEMBER), attempt_all(errnos)));
	expect_clean_end(pid);
	printf("%-28s %-10s %-10s\n", "an observer's attempt", OBJECT_NAMES[0], OBJECT_NAMES[1]);
	for (int what = 0; what < ATTEMPTS; what++) {
		printf("%-28s", ATTEMPT[what].name);
		for (int i = 0; i < 2; i++) {
			int err = errnos[i * ATTEMPTS + what];
			cells++;
			bool good = err != 0 && (err == ATTEMPT[what].errnos[0] || err == ATTEMPT[what].errnos[1]);
			wrong += !good;
			printf(" %-10s%s", errno_name(err), good ? "" : "(wrong)");
		}
		printf("\n");
	}
	expect_same(&before);
	drop_picture(&before);
	munmap(errnos, 2 * ATTEMPTS * sizeof(*errnos));
}

static void mark(bool as_reader)
{
	slip_writer *writer = slip_writer_open("look", NULL);
	slip_reader *reader = slip_reader_open("look", NULL);
	slip_array array = bytes_array("x", 1);
	(void)answer(&desk->answer, as_reader ? slip_get_array(reader, "a") != NULL : slip_set_array(writer, "a", &array) == 0);
}

/* ---- what reading permission is enough for ---- */

static int read_lock(int fd, int byte)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	return fcntl(fd, F_OFD_SETLK, &lock);
}

/* All bytes that nobody holds, then the writer's as soon as its death frees it. */
static void hold_read_locks(void)
{
	int fd = open(objects[0], O_RDONLY);
	for (int byte = 1; byte <= SLIP_MAX_READERS; byte++)
		(void)read_lock(fd, byte); /* refused where a live reader has its own */
	CHECK(read_lock(fd, 0) == -1 && errno == EAGAIN);
	add(&desk->ready, 1);
	while (read_lock(fd, 0) != 0)
		sched_yield();
	add(&desk->ready, 1);
	for (;;)
		pause();
}

/* A reader of the owner's, there from before: each frame comes, and the writer's death is seen for what it is. */
static int read_on(void)
{
	slip_reader *reader = slip_reader_open("look", NULL);
	slip_frame *frame = slip_get_array(reader, "a");
	CHECK(frame != NULL && slip_release(frame) == 0);
	add(&desk->ready, 1);
	uint64_t last = 0;
	for (;;) {
		frame = slip_next(reader, "a", 10000000000);
		if (frame == NULL)
			break;
		last = frame->seq;
		CHECK(slip_release(frame) == 0);
		add(&desk->ready, 1);
	}
	(void)answer(&desk->answer, false);
	if (desk->answer.err != EOWNERDEAD)
		fprintf(stderr, "the reader ends with %s after seq %llu: %s\n", errno_name(desk->answer.err), (unsigned long long)last,
			desk->answer.detail);
	return desk->answer.err == EOWNERDEAD ? 0 : 1;
}

static void open_writer_again(void)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.permissions = 0640;
	options.observers = 0040;
	options.max_readers = 8;
	slip_writer *writer = slip_writer_open("look", &options);
	slip_array array = bytes_array("x", 1);
	(void)answer(&desk->answer, slip_set_array(writer, "a", &array) == 0);
	slip_writer_close(writer);
}

/* Returns when the writer is dead, and nobody else holds anything. */
static void show_read_locks(pid_t writer)
{
	pid_t reader;
	pid_t hostile;
	uint64_t ready = a64_load_relaxed(&desk->ready);
	SPAWN(reader, (become(&OWNER), read_on()));
	wait_ready(ready + 1);
	SPAWN(hostile, (become(&MEMBER), hold_read_locks(), 0));
	wait_ready(ready + 2);
	for (uint64_t i = 0; i < 5; i++) {
		publish();
		wait_ready(ready + 3 + i);
	}
	AS(&OWNER, mark(true));
	CHECK(desk->answer.err == EUSERS);
	ready = a64_load_relaxed(&desk->ready);
	kill_and_reap(writer);
	wait_ready(ready + 1);
	expect_clean_end(reader);
	AS(&OWNER, open_writer_again());
	if (desk->answer.err != EBUSY || strstr(desk->answer.detail, "read lock") == NULL)
		fprintf(stderr, "a writer beside read locks: %s: %s\n", errno_name(desk->answer.err), desk->answer.detail);
	CHECK(desk->answer.err == EBUSY && strstr(desk->answer.detail, "read lock") != NULL);
	kill_and_reap(hostile);
	AS(&OWNER, open_writer_again());
	CHECK(desk->answer.err == 0);
	printf("read locks of an observer's on all lock bytes: the writer and its readers go on, its death is seen; newcomers are kept out "
	       "(EUSERS, EBUSY), "
	       "until the observer ends\n");
}

static int wait_for_one(void)
{
	slip_reader *reader = slip_reader_open("look", NULL);
	slip_frame *frame = slip_get_array(reader, "a");
	CHECK(frame != NULL);
	uint64_t seq = frame->seq;
	CHECK(slip_release(frame) == 0);
	add(&desk->ready, 1);
	frame = slip_next(reader, "a", 60000000000);
	CHECK(frame != NULL && frame->seq == seq + 1);
	return slip_release(frame);
}

/* Wakes the sleepers of control's futex for nothing, then moves them to a word of its own, where no writer will wake them. Counts those moved. */
static int disturb(slip__a64 *moved)
{
	int fd = open(objects[0], O_RDONLY);
	struct slip__header *header = mmap(NULL, sizeof(*header), PROT_READ, MAP_SHARED, fd, 0);
	uint32_t *elsewhere = shared_memory(4096);
	CHECK(header != MAP_FAILED);
	for (int i = 0; i < 20000 && a64_load_relaxed(moved) == 0; i++) {
		if (i % 4 == 0)
			(void)syscall(SYS_futex, &header->fw, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
		long count = syscall(SYS_futex, &header->fw, FUTEX_REQUEUE, 0, (void *)(intptr_t)INT32_MAX, elsewhere, 0);
		if (count > 0)
			add(moved, (uint64_t)count);
		pause_ms(1);
	}
	return 0;
}

static void show_moved_sleepers(void)
{
	pid_t reader;
	pid_t hostile;
	slip__a64 *moved = shared_memory(sizeof(*moved));
	uint64_t ready = a64_load_relaxed(&desk->ready);
	SPAWN(reader, (become(&OWNER), wait_for_one()));
	wait_ready(ready + 1);
	SPAWN(hostile, (become(&MEMBER), disturb(moved)));
	expect_clean_end(hostile);
	publish();
	expect_clean_end(reader);
	printf("a sleeping reader woken for nothing, then moved to another futex by an observer (%llu moved): it looks up by itself, and "
	       "gets the next frame\n",
	       (unsigned long long)a64_load_relaxed(moved));
	munmap(moved, sizeof(*moved));
}

int main(void)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* or children print it again */
	if (geteuid() != 0) {
		printf("skipped: needs root to act as owner and observer; that observers cannot disturb was not shown\n");
		return SKIPPED;
	}
	(void)own_directory(directory, "");
	desk = shared_memory(sizeof(*desk));
	pid_t writer = start_writer();
	publish();
	find_objects();
	show_no_trace();
	try_attempts();
	AS(&MEMBER, mark(true));
	CHECK(desk->answer.err == EACCES && strstr(desk->answer.detail, "observer") != NULL);
	AS(&MEMBER, mark(false));
	CHECK(desk->answer.err == EACCES);
	show_moved_sleepers();
	show_read_locks(writer);
	CHECK(files_in(directory) == 0);
	give_directory_back(directory);
	printf("observers: %u attempts by raw system calls, %u not refused as they must be; no trace, nobody disturbed\n", cells, wrong);
	return wrong == 0 ? 0 : 1;
}
