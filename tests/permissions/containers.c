/*
 * What a container does to the two ends of a channel: PID, user, IPC and mount namespaces of their own, a shared memory directory that is tiny, full of
 * files, read-only or not there. All of it in private namespaces, of which nothing remains. Needs root.
 */
#include "people.h"

#include <fcntl.h>
#include <sys/resource.h>

static char directory[32];
static unsigned shown;
static bool user_namespaces = true;

/* One thing shown. */
#define SHOW(condition)                                                                                                                    \
	do {                                                                                                                               \
		CHECK(condition);                                                                                                          \
		shown++;                                                                                                                   \
	} while (0)

#define SHOW_SAYS(err, text)                                                                                                               \
	do {                                                                                                                               \
		int says_err = errno;                                                                                                      \
		if (says_err != (err) || strstr(slip_error_detail(), text) == NULL)                                                        \
			fprintf(stderr, "%s where %s and '%s' was expected: %s\n", errno_name(says_err), #err, text, slip_error_detail()); \
		errno = says_err;                                                                                                          \
		SHOW(errno == (err) && strstr(slip_error_detail(), text) != NULL);                                                         \
	} while (0)

static const slip_mode MODES[] = {SLIP_MODE_LOCK_FREE, SLIP_MODE_SEMAPHORE};

/* What processes tell each other. */
struct board {
	slip__a64 ready;
	slip__a64 pid; /* as this test's PID namespace counts */
	slip__a64 asked;
	slip__a64 done;
	slip__a64 err;
	struct answer answer;
	struct tally tally;
};
static struct board *board;

static void reset(void)
{
	memset(board, 0, sizeof(*board));
}

static void wait_until(const slip__a64 *word, uint64_t at_least)
{
	for (int i = 0; i < 20000 && a64_load_relaxed(word) < at_least; i++)
		pause_ms(1);
	CHECK(a64_load_relaxed(word) >= at_least);
}

static int set_byte(slip_writer *writer, const char *channel, size_t size)
{
	static char bytes[8 << 20];
	CHECK(size <= sizeof(bytes));
	slip_array array = bytes_array(bytes, (int64_t)size);
	return slip_set_array(writer, channel, &array);
}

static slip_writer *writer_with(slip_mode mode, mode_t permissions, uint32_t slots)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.mode = mode;
	options.permissions = permissions;
	options.slots = slots;
	options.lock_timeout_ns = 50000000;
	return slip_writer_open("box", &options);
}

static slip_reader *reader_with(slip_mode mode, bool observer)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = mode;
	options.observer = observer;
	return slip_reader_open("box", &options);
}

/* 0 or the errno; the sentence goes to the board. */
static int get_once(slip_mode mode, bool observer)
{
	slip_reader *reader = reader_with(mode, observer);
	slip_frame *frame = slip_get_array(reader, "a");
	(void)answer(&board->answer, frame != NULL);
	if (frame != NULL)
		CHECK(slip_release(frame) == 0);
	slip_reader_close(reader);
	return board->answer.err;
}

static int set_once(slip_mode mode)
{
	slip_writer *writer = writer_with(mode, 0666, 0);
	(void)answer(&board->answer, set_byte(writer, "a", 1) == 0);
	slip_writer_close(writer);
	return board->answer.err;
}

/* ---- PID namespaces ---- */

/* Body as the first process of a PID namespace of its own; the caller dies with it. */
static int run_apart(int (*body)(void))
{
	CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	CHECK(unshare(CLONE_NEWPID) == 0);
	pid_t init;
	SPAWN(init, (prctl(PR_SET_PDEATHSIG, SIGKILL), body()));
	int status;
	CHECK(waitpid(init, &status, 0) == init);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Numbers 2 to 41 come and go, so that what follows has one that a younger namespace lacks. */
static void use_up_numbers(void)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid;
		SPAWN(pid, 0);
		CHECK(waitpid(pid, NULL, 0) == pid);
	}
}

/* The number that the namespace of /proc gives us, which is this test's. */
static void tell_pid(void)
{
	char text[16] = "";
	CHECK(readlink("/proc/self", text, sizeof(text) - 1) > 0);
	a64_store_relaxed(&board->pid, strtoull(text, NULL, 10));
}

static int serve(void)
{
	slip_writer *writer = writer_with(SLIP_MODE_LOCK_FREE, 0666, 3);
	for (uint64_t n = 0;;) {
		if (a64_load_relaxed(&board->asked) == n) {
			pause_ms(1);
			continue;
		}
		n++;
		a64_store_relaxed(&board->err, (uint64_t)publish_numbered(writer, "a", 64));
		add(&board->done, 1);
	}
	return 0;
}

static int writer_in_pids(void)
{
	use_up_numbers();
	pid_t pid;
	SPAWN(pid, (tell_pid(), add(&board->ready, 1), serve()));
	int status;
	CHECK(waitpid(pid, &status, 0) == pid);
	return 0;
}

static int ask_for_frame(void)
{
	add(&board->asked, 1);
	wait_until(&board->done, a64_load_relaxed(&board->asked));
	return (int)a64_load_relaxed(&board->err);
}

static int reader_in_pids(void)
{
	return get_once(SLIP_MODE_LOCK_FREE, false);
}

static int second_writer_in_pids(void)
{
	return set_once(SLIP_MODE_LOCK_FREE);
}

/* Holds two frames, which is all but head's slot, until it is killed. */
static int holder_in_pids(void)
{
	slip_reader *reader = reader_with(SLIP_MODE_LOCK_FREE, false);
	CHECK(slip_get_array(reader, "a") != NULL);
	add(&board->ready, 1);
	while (slip_next(reader, "a", 10000000000) == NULL)
		;
	tell_pid();
	add(&board->ready, 1);
	for (;;)
		pause();
}

static int collect_in_pids(void)
{
	slip_leftover *leftovers;
	size_t count;
	CHECK(slip_gc_list(NULL, &leftovers, &count) == 0);
	for (size_t i = 0; i < count; i++)
		CHECK(slip_gc_remove(&leftovers[i]) == 0);
	free(leftovers);
	return (int)count;
}

static int apart(int (*body)(void))
{
	pid_t pid;
	int status;
	SPAWN(pid, run_apart(body));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Until the writer's death is seen. */
static int reader_until_death(void)
{
	slip_reader *reader = reader_with(SLIP_MODE_LOCK_FREE, false);
	slip_frame *frame = slip_get_array(reader, "a");
	CHECK(frame != NULL && slip_release(frame) == 0);
	add(&board->ready, 1);
	while ((frame = slip_next(reader, "a", 10000000000)) != NULL)
		CHECK(slip_release(frame) == 0);
	return errno;
}

static int successor_in_pids(void)
{
	slip_writer *writer = writer_with(SLIP_MODE_LOCK_FREE, 0666, 3);
	slip_writer_stats stats = {.struct_size = sizeof(stats)};
	CHECK(publish_numbered(writer, "a", 64) == 0 && slip_writer_get_stats(writer, "a", &stats) == 0);
	a64_store_relaxed(&board->done, stats.last_seq);
	slip_writer_close(writer);
	return 0;
}

static void show_pid_namespaces(void)
{
	pid_t box;
	pid_t holder;
	pid_t mourner;
	reset();
	SPAWN(box, run_apart(writer_in_pids));
	wait_until(&board->ready, 1);
	pid_t writer = (pid_t)a64_load_relaxed(&board->pid);
	SHOW(ask_for_frame() == 0);
	SHOW(apart(reader_in_pids) == 0);
	SHOW(apart(second_writer_in_pids) == EBUSY);
	SHOW(strstr(board->answer.detail, "which is none here: it runs in another container") != NULL);
	SHOW(apart(collect_in_pids) == 0);
	/* A reader in a third namespace holds all that can be held, and is killed. */
	SPAWN(holder, run_apart(holder_in_pids));
	wait_until(&board->ready, 2);
	SHOW(ask_for_frame() == 0);
	wait_until(&board->ready, 3);
	SHOW(ask_for_frame() == 0);
	SHOW(ask_for_frame() == EAGAIN);
	SHOW(kill((pid_t)a64_load_relaxed(&board->pid), SIGKILL) == 0);
	CHECK(waitpid(holder, NULL, 0) == holder);
	for (int i = 0; i < 10; i++)
		SHOW(ask_for_frame() == 0);
	/* The writer is killed under a reader's eyes, and its successor is in another namespace. */
	SPAWN(mourner, run_apart(reader_until_death));
	wait_until(&board->ready, 4);
	uint64_t published = a64_load_relaxed(&board->done) - 1; /* one was refused */
	SHOW(kill(writer, SIGKILL) == 0);
	CHECK(waitpid(box, NULL, 0) == box);
	int status;
	CHECK(waitpid(mourner, &status, 0) == mourner);
	SHOW(WIFEXITED(status) && WEXITSTATUS(status) == EOWNERDEAD);
	SHOW(apart(successor_in_pids) == 0);
	SHOW(a64_load_relaxed(&board->done) == published + 1);
	SHOW(files_in(directory) == 0);
	/* A whole container is killed, and another one's gc clears up. */
	reset();
	SPAWN(box, run_apart(writer_in_pids));
	wait_until(&board->ready, 1);
	SHOW(ask_for_frame() == 0);
	writer = (pid_t)a64_load_relaxed(&board->pid);
	kill_and_reap(box); /* its namespace goes with it */
	for (int i = 0; i < 20000 && kill(writer, 0) == 0; i++)
		pause_ms(1);
	int collected = apart(collect_in_pids);
	if (collected != 1)
		fprintf(stderr, "gc collected %d, files %d\n", collected, files_in(directory));
	SHOW(collected == 1);
	SHOW(files_in(directory) == 0);
	printf("PID namespaces: frames pass, a second writer is told that the first one's number is none here, the dead are found and "
	       "their slots come back, a "
	       "takeover keeps the numbers, gc spares the living\n");
}

/* ---- user namespaces ---- */

/* In a user namespace of its own, with the map; "" leaves everybody, ourselves too, as user 65534. */
static bool enter_users(const struct person *who, const char *map)
{
	become(who);
	if (unshare(CLONE_NEWUSER) != 0)
		return false;
	if (map[0] == '\0')
		return true;
	int fd = open("/proc/self/uid_map", O_WRONLY);
	bool good = fd >= 0 && write(fd, map, strlen(map)) == (ssize_t)strlen(map);
	close(fd);
	return good;
}

enum { NO_NAMESPACE = 254 };

static int write_in_users(const struct person *who, const char *map, uid_t seen_as)
{
	if (!enter_users(who, map))
		return NO_NAMESPACE;
	CHECK(geteuid() == seen_as);
	return set_once(SLIP_MODE_LOCK_FREE);
}

static int read_in_users(const struct person *who, const char *map)
{
	if (!enter_users(who, map))
		return NO_NAMESPACE;
	slip_channel_info *info = slip_channel_inspect("box", "a", SLIP_MODE_DEFAULT);
	CHECK(info != NULL && info->owner == 65534);
	slip_channel_info_free(info);
	return get_once(SLIP_MODE_LOCK_FREE, false);
}

static void die_as_owner(void)
{
	slip_writer *writer = writer_with(SLIP_MODE_LOCK_FREE, 0666, 0);
	CHECK(set_byte(writer, "a", 1) == 0);
}

static int status_of(pid_t pid)
{
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define CHILD(result, body)                                                                                                                \
	do {                                                                                                                               \
		pid_t child_pid;                                                                                                           \
		SPAWN(child_pid, body);                                                                                                    \
		(result) = status_of(child_pid);                                                                                           \
	} while (0)

static void show_user_namespaces(void)
{
	pid_t writer;
	int result;
	char as_root[32];
	(void)snprintf(as_root, sizeof(as_root), "0 %d 1", STRANGER_UID);
	START_AS(writer, &OWNER, die_as_owner());
	CHILD(result, read_in_users(&STRANGER, as_root));
	if (result == NO_NAMESPACE) {
		printf("user namespaces: none may be made here; what they do to owners was not shown\n");
		user_namespaces = false;
		kill_and_reap(writer);
		AS(&OWNER, set_once(SLIP_MODE_LOCK_FREE));
		return;
	}
	SHOW(result == 0);
	CHILD(result, read_in_users(&STRANGER, ""));
	SHOW(result == 0);
	CHILD(result, write_in_users(&STRANGER, as_root, 0));
	SHOW(result == EPERM);
	CHILD(result, write_in_users(&STRANGER, "", 65534));
	SHOW(result == EPERM); /* though owner and caller look alike there */
	kill_and_reap(writer);
	CHILD(result, write_in_users(&STRANGER, as_root, 0));
	SHOW(result == EPERM);
	CHILD(result, write_in_users(&STRANGER, "", 65534));
	SHOW(result == EPERM);
	/* The owner, as root of a namespace of its own, is the owner still. */
	(void)snprintf(as_root, sizeof(as_root), "0 %d 1", OWNER_UID);
	CHILD(result, write_in_users(&OWNER, as_root, 0));
	SHOW(result == 0);
	SHOW(files_in(directory) == 0);
	printf("user namespaces: who looks like the owner, because neither has a number there, takes nothing over; who is the owner does, "
	       "whatever its number is "
	       "there\n");
}

/* ---- IPC and mount namespaces ---- */

static int read_in(int flags)
{
	CHECK(unshare(flags) == 0);
	if (flags & CLONE_NEWNS)
		CHECK(mount("tmpfs", directory, "tmpfs", 0, "mode=1777") == 0);
	return get_once(SLIP_MODE_DEFAULT, false);
}

static void show_other_namespaces(void)
{
	for (int m = 0; m < 2; m++) {
		slip_writer *writer = writer_with(MODES[m], 0600, 0);
		int result;
		CHECK(set_byte(writer, "a", 1) == 0);
		CHILD(result, read_in(CLONE_NEWIPC));
		SHOW(result == 0);
		CHILD(result, read_in(CLONE_NEWNS));
		SHOW(result == ENOENT);
		slip_writer_close(writer);
	}
	SHOW(files_in(directory) == 0);
	printf("IPC namespaces: no matter; a /dev/shm of its own: no channel there (yet)\n");
}

/* ---- room ---- */

static void remount(const char *options)
{
	CHECK(mount("tmpfs", directory, "tmpfs", MS_REMOUNT, options) == 0);
}

static void show_size(slip_mode mode, const char *tiny, size_t frame)
{
	remount(tiny);
	slip_writer *writer = writer_with(mode, 0600, 0);
	SHOW(set_byte(writer, "a", frame) == -1);
	SHOW_SAYS(ENOSPC, "no room");
	SHOW(files_in(directory) == 0);
	remount("size=64m");
	SHOW(set_byte(writer, "a", frame) == 0);
	/* Filled up by somebody else: what is there goes on, a second channel finds no room until there is. */
	char path[64];
	(void)snprintf(path, sizeof(path), "%s/ballast", directory);
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
	off_t size = 0;
	while (fallocate(fd, 0, size, 65536) == 0)
		size += 65536;
	while (fallocate(fd, 0, size, 4096) == 0)
		size += 4096;
	CHECK(fd >= 0 && errno == ENOSPC);
	SHOW(set_byte(writer, "a", frame) == 0);
	SHOW(set_byte(writer, "b", frame) == -1);
	SHOW_SAYS(ENOSPC, "no room");
	SHOW(set_byte(writer, "a", frame) == 0);
	CHECK(unlink(path) == 0);
	close(fd);
	SHOW(set_byte(writer, "b", frame) == 0);
	slip_writer_close(writer);
	SHOW(files_in(directory) == 0);
}

static void show_inodes(void)
{
	for (int m = 0; m < 2; m++) {
		remount("nr_inodes=2"); /* the directory has one of them */
		slip_writer *writer = writer_with(MODES[m], 0600, 0);
		SHOW(set_byte(writer, "a", 1) == -1);
		SHOW_SAYS(ENOSPC, "inodes");
		SHOW(files_in(directory) == 0);
		remount("nr_inodes=3");
		SHOW(set_byte(writer, "a", 1) == 0);
		if (MODES[m] == SLIP_MODE_LOCK_FREE) {
			SHOW(set_byte(writer, "a", 8192) == -1 && errno == ENOSPC); /* growth takes another two */
			SHOW(set_byte(writer, "a", 1) == 0);
			SHOW(files_in(directory) == 2);
			remount("nr_inodes=5");
			SHOW(set_byte(writer, "a", 8192) == 0);
		}
		slip_writer_close(writer);
		SHOW(files_in(directory) == 0);
	}
	remount("nr_inodes=1000");
	printf("no inodes: ENOSPC that says so, nothing left, the old ring works on, and it grows once there are some\n");
}

static void show_room(void)
{
	for (int m = 0; m < 2; m++) {
		show_size(MODES[m], "size=1m", 2 << 20);
		show_size(MODES[m], "size=64k", 128 << 10);
	}
	remount("size=100m");
	printf("a tiny or full directory: ENOSPC, nothing left, and all is well once there is room\n");
	show_inodes();
}

/* ---- read-only, and not there ---- */

/* As docker run -v /dev/shm:/dev/shm:ro. Returns what SHOW has counted. */
static int see_read_only(void)
{
	CHECK(unshare(CLONE_NEWNS) == 0 && mount(directory, directory, NULL, MS_BIND, NULL) == 0);
	CHECK(mount(NULL, directory, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
	shown = 0;
	for (int m = 0; m < 2; m++) {
		slip_writer *writer = writer_with(MODES[m], 0600, 0);
		SHOW(set_byte(writer, "b", 1) == -1);
		SHOW_SAYS(EROFS, directory);
		slip_writer_close(writer);
		SHOW(get_once(MODES[m], false) == EROFS && strstr(board->answer.detail, directory) != NULL);
		slip_channel_info *info = slip_channel_inspect("box", "a", MODES[m]);
		SHOW(info != NULL && info->state == SLIP_CHANNEL_LIVE);
		slip_channel_info_free(info);
	}
	SHOW(get_once(SLIP_MODE_LOCK_FREE, true) == 0);
	slip_leftover *leftovers;
	size_t count;
	SHOW(slip_gc_list(NULL, &leftovers, &count) == 0 && count == 0);
	free(leftovers);
	return (int)shown;
}

static void show_read_only(void)
{
	slip_writer *writers[2];
	int result;
	for (int m = 0; m < 2; m++) {
		writers[m] = writer_with(MODES[m], 0666, 0);
		CHECK(set_byte(writers[m], "a", 1) == 0);
	}
	CHILD(result, see_read_only());
	SHOW(result == 10);
	shown += (unsigned)result;
	for (int m = 0; m < 2; m++) {
		SHOW(set_byte(writers[m], "a", 1) == 0);
		slip_writer_close(writers[m]);
	}
	SHOW(files_in(directory) == 0);
	printf("read-only: EROFS for whoever has to write, who only looks, looks\n");
}

static void show_directory(const char *path, int err)
{
	CHECK(setenv("SLIPRING_DIR", path, 1) == 0);
	for (int m = 0; m < 2; m++) {
		slip_writer *writer = writer_with(MODES[m], 0600, 0);
		SHOW(set_byte(writer, "a", 1) == -1);
		SHOW_SAYS(err, path);
		slip_writer_close(writer);
		slip_reader *reader = reader_with(MODES[m], false);
		SHOW(slip_get_array(reader, "a") == NULL);
		SHOW_SAYS(err, path);
		slip_reader_close(reader);
	}
	slip_channel_name *names;
	slip_leftover *leftovers;
	size_t count;
	SHOW(slip_list_channels(NULL, &names, &count) == -1);
	SHOW_SAYS(err, path);
	SHOW(slip_gc_list(NULL, &leftovers, &count) == -1);
	SHOW_SAYS(err, path);
	CHECK(setenv("SLIPRING_DIR", directory, 1) == 0);
}

static int closed_directory(const char *path)
{
	become(&STRANGER);
	shown = 0;
	show_directory(path, EACCES);
	return (int)shown;
}

static void show_no_directory(void)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "%s/none", directory);
	show_directory(path, ENOENT);
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	CHECK(fd >= 0);
	show_directory(path, ENOTDIR);
	CHECK(close(fd) == 0 && unlink(path) == 0 && mkdir(path, 0700) == 0);
	int result;
	CHILD(result, closed_directory(path));
	SHOW(result == 12);
	shown += (unsigned)result;
	CHECK(rmdir(path) == 0);
	printf("no directory, no directory but a file, one that is closed to us: the errno, and a sentence that names it, from writer, "
	       "reader, list and gc\n");
}

/* ---- memory ---- */

static int lock_without_limit(void)
{
	become(&OWNER);
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	const struct rlimit none = {0, 0};
	CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	options.lock_memory = 1;
	slip_writer *writer = slip_writer_open("box", &options);
	CHECK(set_byte(writer, "a", 1) == -1 && (errno == EPERM || errno == ENOMEM));
	CHECK(strstr(slip_error_detail(), "ulimit -l") != NULL);
	slip_writer_close(writer);
	return files_in(directory);
}

static void show_memory(void)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.huge_pages = 1;
	options.prefault = 1;
	slip_writer *writer = slip_writer_open("box", &options);
	SHOW(set_byte(writer, "a", 3 << 20) == 0); /* whether the kernel has such pages for shared memory or not */
	SHOW(get_once(SLIP_MODE_LOCK_FREE, false) == 0);
	slip_writer_close(writer);
	int result = 0;
	if (!SANITIZED) /* whose mlock does nothing */
		CHILD(result, lock_without_limit());
	SHOW(result == 0);
	SHOW(files_in(directory) == 0);
	printf("huge pages asked for where there may be none: works; mlock beyond the limit: an error that says how to raise it, nothing "
	       "left\n");
}

int main(void)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* or children print it again */
	if (geteuid() != 0) {
		printf("skipped: needs root to make namespaces and mounts; nothing of containers was shown\n");
		return SKIPPED;
	}
	if (!own_directory(directory, "size=100m")) {
		give_directory_back(directory);
		printf("skipped: no permission to mount a tmpfs in a mount namespace; nothing of containers was shown\n");
		return SKIPPED;
	}
	board = shared_memory(sizeof(*board));
	show_pid_namespaces();
	show_user_namespaces();
	show_other_namespaces();
	show_room();
	show_read_only();
	show_no_directory();
	show_memory();
	give_directory_back(directory);
	printf("containers: %u checks in PID, user, IPC and mount namespaces%s, 0 failed\n", shown,
	       user_namespaces ? "" : " (but for user namespaces)");
	return 0;
}
