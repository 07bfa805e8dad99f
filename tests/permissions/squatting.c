/*
 * Another user makes slipring's names first, as all that a name can be: nothing is followed, opened for long, overwritten or hung on; each refusal has its
 * errno and says whose the object is. In a sticky directory as /dev/shm is; then in one where anybody may remove and replace. Needs root.
 */
#include "people.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

enum squat {
	PRIVATE_FILE,
	EMPTY_FILE,
	OTHER_FILE,
	LEASED_FILE,
	SYMLINK,
	DANGLING,
	LOOP,
	FIFO,
	DIRECTORY,
	SOCKET,
	DEVICE,
	HARD_LINK,
	SQUATS
};
static const char *const SQUAT_NAMES[SQUATS] = {"a file closed to others",
						"an empty file",
						"a file of bytes",
						"a file with a lease",
						"a link to a file of ours",
						"a dangling link",
						"a link to itself",
						"a FIFO",
						"a directory",
						"a socket",
						"a device",
						"a hard link to a file of ours"};

enum name { CONTROL, SEM_MEMORY, SEM_SEMAPHORE, NAMES };
static const char *const NAME_NAMES[NAMES] = {"control", "memory, semaphore mode", "semaphore"};
static const char *const OBJECTS[NAMES] = {"slipring@squat@a@control", "squat_a_shm", "sem.squat_a_sem"};

enum act { WRITE, GET, OBSERVE, INFO, ACTS };
static const char *const ACT_NAMES[ACTS] = {"write", "get", "observe", "info"};

static const char VICTIM_BYTES[] = "what the owner keeps in a file of its own, in the same directory";
static char directory[32];
static char victim[64];
static int command = -1; /* the slipring command */
static unsigned cells, wrong, command_runs;

static const char *in_directory(const char *object)
{
	static char path[2][300];
	static int turn;
	turn = !turn;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", directory, object);
	return path[turn];
}

/* ---- the file that must stay as it is ---- */

static void make_victim(void)
{
	int fd = open(victim, O_CREAT | O_EXCL | O_WRONLY, 0600);
	CHECK(fd >= 0 && write(fd, VICTIM_BYTES, sizeof(VICTIM_BYTES)) == sizeof(VICTIM_BYTES));
	CHECK(fchown(fd, OWNER_UID, SHARED_GID) == 0 && fchmod(fd, 0640) == 0);
	close(fd);
}

static void expect_victim_whole(nlink_t links)
{
	char bytes[sizeof(VICTIM_BYTES) + 1];
	struct stat status;
	int fd = open(victim, O_RDONLY);
	CHECK(fd >= 0 && fstat(fd, &status) == 0);
	CHECK(status.st_uid == OWNER_UID && (status.st_mode & 07777) == 0640 && status.st_nlink == links);
	CHECK(read(fd, bytes, sizeof(bytes)) == sizeof(VICTIM_BYTES) && memcmp(bytes, VICTIM_BYTES, sizeof(VICTIM_BYTES)) == 0);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	CHECK(fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
	close(fd);
}

/* ---- making things ---- */

static void make_file(const char *path, mode_t mode, size_t bytes)
{
	char rubbish[4096];
	memset(rubbish, 'r', sizeof(rubbish));
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	CHECK(fd >= 0 && fchmod(fd, mode) == 0);
	CHECK(write(fd, rubbish, bytes) == (ssize_t)bytes);
	close(fd);
}

static void lease(const char *path)
{
	int fd = open(path, O_RDWR);
	signal(SIGIO, SIG_IGN);
	CHECK(fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
}

static void make(enum squat squat, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	umask(0);
	switch (squat) {
	case PRIVATE_FILE: make_file(path, 0600, 4096); break;
	case EMPTY_FILE: make_file(path, 0666, 0); break;
	case OTHER_FILE: make_file(path, 0666, 4096); break;
	case LEASED_FILE:
		make_file(path, 0666, 4096);
		lease(path);
		break;
	case SYMLINK: CHECK(symlink(victim, path) == 0); break;
	case DANGLING: CHECK(symlink(in_directory("made-by-following"), path) == 0); break;
	case LOOP: CHECK(symlink(path, path) == 0); break;
	case FIFO: CHECK(mkfifo(path, 0666) == 0); break;
	case DIRECTORY: CHECK(mkdir(path, 0777) == 0); break;
	case SOCKET:
		(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
		CHECK(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof(address)) == 0);
		break;
	default: CHECK(false);
	}
}

/* What the stranger may not make is made for it. False: not here. */
static bool make_as_root(enum squat squat, const char *path)
{
	if (squat == HARD_LINK)
		return link(victim, path) == 0;
	return mknod(path, S_IFCHR | 0666, makedev(1, 3)) == 0 && chmod(path, 0666) == 0 && chown(path, STRANGER_UID, OTHER_GID) == 0;
}

/* ---- what the owner's side makes of it ---- */

static void act(enum act what, slip_mode mode, struct answer *a)
{
	slip_writer_options writer_options = SLIP_WRITER_OPTIONS_INIT;
	slip_reader_options reader_options = SLIP_READER_OPTIONS_INIT;
	writer_options.mode = mode;
	reader_options.mode = mode;
	reader_options.observer = what == OBSERVE && mode == SLIP_MODE_LOCK_FREE;
	alarm(20); /* a hang is the death of this process, which its parent sees */
	if (what == WRITE) {
		slip_writer *writer = slip_writer_open("squat", &writer_options);
		slip_array array = bytes_array("x", 1);
		(void)answer(a, slip_set_array(writer, "a", &array) == 0);
		slip_writer_close(writer);
	} else if (what == INFO) {
		slip_channel_info *info = slip_channel_inspect("squat", "a", mode);
		(void)answer(a, info != NULL);
		slip_channel_info_free(info);
	} else {
		slip_reader *reader = slip_reader_open("squat", &reader_options);
		slip_frame *frame = slip_get_array(reader, "a");
		(void)answer(a, frame != NULL);
		if (frame != NULL)
			(void)slip_release(frame);
		slip_reader_close(reader);
	}
}

/* Looking for leftovers and removing what is listed: never a stranger's. */
static void collect(void)
{
	slip_leftover *leftovers;
	slip_channel_name *names;
	size_t count;
	alarm(20);
	CHECK(slip_list_channels(NULL, &names, &count) == 0);
	free(names);
	CHECK(slip_gc_list(NULL, &leftovers, &count) == 0);
	for (size_t i = 0; i < count; i++)
		(void)slip_gc_remove(&leftovers[i]);
	free(leftovers);
}

static int run_command(const char *const *arguments, char *output, size_t room)
{
	int status;
	int out[2];
	CHECK(pipe(out) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		become(&OWNER);
		alarm(20);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		close(out[0]);
		fexecve(command, (char *const *)(uintptr_t)arguments, environ);
		_exit(126);
	}
	close(out[1]);
	size_t length = 0;
	for (ssize_t n; length + 1 < room && (n = read(out[0], output + length, room - length - 1)) > 0;)
		length += (size_t)n;
	output[length] = '\0';
	close(out[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) != 126);
	command_runs++;
	return WEXITSTATUS(status);
}

/* The tools look at it, end, and name it; doctor's status says that a channel is blocked. */
static void run_commands(enum name name, const char *object)
{
	static char text[1 << 16];
	static const char *const LS[] = {"slipring", "ls", NULL};
	static const char *const INFO_ARGS[] = {"slipring", "info", "squat/a", NULL};
	static const char *const GC[] = {"slipring", "gc", "--yes", NULL};
	static const char *const DOCTOR[] = {"slipring", "doctor", "squat", "--json", NULL};
	if (command < 0)
		return;
	CHECK(run_command(LS, text, sizeof(text)) == 0);
	CHECK(run_command(INFO_ARGS, text, sizeof(text)) <= 1);
	CHECK(run_command(GC, text, sizeof(text)) <= 1);
	int status = run_command(DOCTOR, text, sizeof(text));
	CHECK(status <= 1);
	if (object != NULL)
		CHECK(strstr(text, object) != NULL || strstr(text, "squat/a") != NULL);
	if (name == CONTROL && strstr(text, "\"check\":\"squat/a\",\"status\":\"problem\"") != NULL)
		CHECK(status == 1);
}

/* ---- what the documents say ---- */

static int expected(enum name name, enum squat squat, enum act what)
{
	bool link = squat == SYMLINK || squat == DANGLING || squat == LOOP;
	/* A semaphore without its memory is a channel that is not there; an empty memory is one in the making. */
	if (what != WRITE && (name == SEM_SEMAPHORE || (name == SEM_MEMORY && squat == EMPTY_FILE)))
		return ENOENT;
	if (what == WRITE && squat == HARD_LINK)
		return 0; /* a file of our own, that is no channel: its name goes, and the file itself stays */
	if (what == WRITE && name == SEM_MEMORY)
		return EPERM; /* this format's writers remove what is there, which the sticky directory forbids */
	if (link)
		return ELOOP;
	if (squat == PRIVATE_FILE)
		return EACCES;
	if (squat == EMPTY_FILE || squat == OTHER_FILE || squat == HARD_LINK)
		return what == WRITE ? EPERM : EBADMSG;
	return EPERM;
}

static bool says_enough(int err, enum squat squat, enum name name, const char *detail)
{
	char owner[24];
	(void)snprintf(owner, sizeof(owner), "user %u", squat == HARD_LINK ? OWNER_UID : STRANGER_UID);
	if (err == 0 || err == ENOENT)
		return true;
	return strstr(detail, OBJECTS[name]) != NULL && (err == EBADMSG || strstr(detail, owner) != NULL);
}

/* ---- one squatted name ---- */

static void try_squat(enum name name, enum squat squat)
{
	const char *path = in_directory(OBJECTS[name]);
	struct answer *a = shared_memory(ACTS * sizeof(*a));
	struct stat before;
	struct stat after;
	pid_t stranger = 0;
	bool by_root = squat == HARD_LINK || squat == DEVICE;
	if (by_root && !make_as_root(squat, path)) {
		printf("%-24s %-30s  cannot be made here\n", NAME_NAMES[name], SQUAT_NAMES[squat]);
		munmap(a, ACTS * sizeof(*a));
		return;
	}
	if (!by_root)
		START_AS(stranger, &STRANGER, make(squat, path));
	CHECK(lstat(path, &before) == 0);
	slip_mode mode = name == CONTROL ? SLIP_MODE_LOCK_FREE : SLIP_MODE_SEMAPHORE;
	if (squat != HARD_LINK) { /* the owner's own, whose name gc would take away */
		AS(&OWNER, collect());
		CHECK(lstat(path, &after) == 0 && after.st_ino == before.st_ino);
		run_commands(name, OBJECTS[name]);
	}
	/* Writing last: it removes a hard link of our own. */
	static const enum act ORDER[] = {GET, OBSERVE, INFO, WRITE};
	printf("%-24s %-30s", NAME_NAMES[name], SQUAT_NAMES[squat]);
	for (int i = 0; i < ACTS; i++) {
		AS(&OWNER, act(ORDER[i], mode, &a[ORDER[i]]));
		int right = expected(name, squat, ORDER[i]);
		bool good = a[ORDER[i]].err == right && says_enough(right, squat, name, a[ORDER[i]].detail);
		cells++;
		wrong += !good;
		printf("  %-8s", errno_name(a[ORDER[i]].err));
		if (!good)
			fprintf(stderr, "wrong: %s: %s, %s: %s, expected %s; said: %s\n", NAME_NAMES[name], SQUAT_NAMES[squat],
				ACT_NAMES[ORDER[i]], errno_name(a[ORDER[i]].err), errno_name(right), a[ORDER[i]].detail);
	}
	printf("\n");
	bool gone = lstat(path, &after) != 0;
	CHECK(squat == HARD_LINK ? gone
				 : !gone && after.st_ino == before.st_ino && after.st_mode == before.st_mode &&
					   after.st_size == before.st_size && after.st_uid == before.st_uid);
	if (stranger > 0)
		kill_and_reap(stranger);
	if (!gone)
		CHECK(squat == DIRECTORY ? rmdir(path) == 0 : unlink(path) == 0);
	expect_victim_whole(1);
	CHECK(files_in(directory) == 1);
	munmap(a, ACTS * sizeof(*a));
}

/* ---- names with a random number, foreseen ---- */

static unsigned foreseen; /* calls that are still answered by what the stranger knows */
static const uint64_t NUMBER = UINT64_C(0x5151515151515151);

/* The C library's, for the library under test: getrandom as an attacker wishes it to be, a number of times. */
ssize_t getrandom(void *to, size_t size, unsigned flags)
{
	(void)flags;
	static uint64_t next = 1;
	uint64_t value = foreseen > 0 ? NUMBER : (next += 2) << 20 | (uint64_t)getpid() << 1;
	foreseen -= foreseen > 0;
	memcpy(to, &value, size < sizeof(value) ? size : sizeof(value));
	return (ssize_t)size;
}

static void write_foreseen(struct answer *a)
{
	foreseen = 4;
	act(WRITE, SLIP_MODE_LOCK_FREE, a);
}

static void try_numbered(const char *kind)
{
	struct answer *a = shared_memory(sizeof(*a));
	char object[64];
	(void)snprintf(object, sizeof(object), "slipring@squat@a@%s.%016llx", kind, (unsigned long long)NUMBER | 1);
	for (enum squat squat = 0; squat < SQUATS; squat++) {
		const char *path = in_directory(object);
		struct stat before;
		struct stat after;
		pid_t stranger = 0;
		if (squat == DEVICE || squat == HARD_LINK || squat == LEASED_FILE)
			continue;
		START_AS(stranger, &STRANGER, make(squat, path));
		CHECK(lstat(path, &before) == 0);
		AS(&OWNER, write_foreseen(a));
		cells++;
		wrong += a->err != 0;
		if (a->err != 0)
			fprintf(stderr, "wrong: %s is %s: %s: %s\n", kind, SQUAT_NAMES[squat], errno_name(a->err), a->detail);
		AS(&OWNER, collect());
		CHECK(lstat(path, &after) == 0 && after.st_ino == before.st_ino && after.st_mode == before.st_mode &&
		      after.st_size == before.st_size);
		run_commands(SEM_MEMORY, S_ISREG(before.st_mode) ? NULL : object); /* of a plain file it is not known whose it was to be */
		kill_and_reap(stranger);
		CHECK(squat == DIRECTORY ? rmdir(path) == 0 : unlink(path) == 0);
		CHECK(files_in(directory) == 1);
		expect_victim_whole(1);
	}
	printf("%s.ID foreseen and taken: another number is taken, and the writer works\n", kind);
	munmap(a, sizeof(*a));
}

/* ---- a payload that is another file of ours ---- */

static void die_with_a_ring(void)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.permissions = 0666;
	slip_writer *writer = slip_writer_open("squat", &options);
	slip_array array = bytes_array("x", 1);
	CHECK(slip_set_array(writer, "a", &array) == 0);
}

static void take_the_ring_over(struct answer *a)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.permissions = 0666;
	slip_writer *writer = slip_writer_open("squat", &options);
	slip_array array = bytes_array("x", 1);
	int err = 0;
	for (int i = 0; i < 16 && err == 0; i++)
		err = answer(a, slip_set_array(writer, "a", &array) == 0);
	slip_writer_close(writer);
}

/* Whoever may write to control may let it name any payload: here a hard link to another file of the owner's, of the right size. */
static void rename_payload(const char *path)
{
	struct stat status;
	int fd = open(in_directory(OBJECTS[CONTROL]), O_RDWR);
	struct slip__geometry *geometry = mmap(NULL, sizeof(*geometry), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(geometry != MAP_FAILED && stat(path, &status) == 0);
	geometry->id = NUMBER | 1;
	geometry->payload_inode = status.st_ino;
}

static void try_renamed_payload(void)
{
	struct answer *a = shared_memory(sizeof(*a));
	struct slip__geometry geometry;
	char other[300];
	char object[64];
	pid_t writer;
	(void)snprintf(other, sizeof(other), "%s", in_directory("other-file"));
	(void)snprintf(object, sizeof(object), "slipring@squat@a@payload.%016llx", (unsigned long long)NUMBER | 1);
	START_AS(writer, &OWNER, die_with_a_ring());
	kill_and_reap(writer);
	int fd = open(in_directory(OBJECTS[CONTROL]), O_RDONLY);
	CHECK(fd >= 0 && read(fd, &geometry, sizeof(geometry)) == sizeof(geometry));
	close(fd);
	fd = open(other, O_CREAT | O_EXCL | O_RDWR, 0600);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)geometry.payload_bytes) == 0 && fchown(fd, OWNER_UID, SHARED_GID) == 0);
	CHECK(link(other, in_directory(object)) == 0); /* for the stranger, where fs.protected_hardlinks is 1 */
	AS(&STRANGER, rename_payload(other));
	AS(&OWNER, take_the_ring_over(a));
	char *bytes = mmap(NULL, geometry.payload_bytes, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(bytes != MAP_FAILED);
	uint64_t changed = 0;
	for (uint64_t i = 0; i < geometry.payload_bytes; i++)
		changed += bytes[i] != 0;
	cells++;
	wrong += a->err != 0 || changed != 0;
	if (a->err != 0 || changed != 0)
		fprintf(stderr, "wrong: a payload that is another file: %s: %s; %llu of that file's bytes changed\n", errno_name(a->err),
			a->detail, (unsigned long long)changed);
	munmap(bytes, geometry.payload_bytes);
	close(fd);
	CHECK(unlink(other) == 0);
	AS(&OWNER, collect());
	CHECK(files_in(directory) == 1);
	printf("a control made to name another file of the owner's as its payload: not written to, a new ring begins\n");
	munmap(a, sizeof(*a));
}

/* ---- in the middle ---- */

static slip__a64 *stop;

/* Up to a quarter of a millisecond. */
static void idle(unsigned *seed)
{
	const struct timespec pause = {.tv_nsec = rand_r(seed) % 250000};
	(void)nanosleep(&pause, NULL);
}

static void squat_and_leave(const char *const *objects, size_t count, bool replace)
{
	static const enum squat KINDS[] = {OTHER_FILE, SYMLINK, DANGLING, FIFO, PRIVATE_FILE, EMPTY_FILE};
	unsigned seed = 1;
	umask(0);
	for (unsigned i = 0; a64_load_relaxed(stop) == 0; i++) {
		const char *path = in_directory(objects[i % count]);
		if (replace)
			(void)unlink(path);
		/* Any of them may be refused, since the owner is at it too. */
		switch (KINDS[i / count % (sizeof(KINDS) / sizeof(KINDS[0]))]) {
		case OTHER_FILE: close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0666)); break;
		case SYMLINK: (void)!symlink(victim, path); break;
		case DANGLING: (void)!symlink(in_directory("made-by-following"), path); break;
		case FIFO: (void)mkfifo(path, 0666); break;
		default: close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600)); break;
		}
		idle(&seed);
		(void)unlink(path);
		idle(&seed);
	}
}

static bool clear_refusal(int err)
{
	return err == 0 || err == EACCES || err == EPERM || err == ELOOP || err == EBADMSG || err == EBUSY || err == ENOENT || err == EPIPE;
}

struct race {
	slip__a64 good;
	slip__a64 refused;
	slip__a64 unclear;
};

static void race_through(slip_mode mode, unsigned rounds, struct race *race)
{
	struct answer *a = shared_memory(sizeof(*a));
	for (unsigned i = 0; i < rounds; i++) {
		act(i % 3 == 2 ? GET : WRITE, mode, a);
		alarm(0);
		add(a->err == 0 ? &race->good : clear_refusal(a->err) ? &race->refused : &race->unclear, 1);
		if (!clear_refusal(a->err))
			fprintf(stderr, "in the race: %s: %s\n", errno_name(a->err), a->detail);
	}
}

static void try_race(slip_mode mode, bool sticky, unsigned rounds)
{
	struct race *race = shared_memory(sizeof(*race));
	pid_t stranger;
	CHECK(chmod(directory, sticky ? 01777 : 0777) == 0);
	a64_store_relaxed(stop, 0);
	SPAWN(stranger,
	      (become(&STRANGER),
	       squat_and_leave(mode == SLIP_MODE_LOCK_FREE ? OBJECTS : OBJECTS + 1, mode == SLIP_MODE_LOCK_FREE ? 1 : 2, !sticky), 0));
	AS(&OWNER, race_through(mode, rounds, race));
	a64_store_relaxed(stop, 1);
	expect_clean_end(stranger);
	CHECK(a64_load_relaxed(&race->unclear) == 0);
	CHECK(access(in_directory("made-by-following"), F_OK) != 0);
	expect_victim_whole(1);
	CHECK(chmod(directory, 01777) == 0);
	/* And when the stranger is gone, all is well. */
	AS(&OWNER, collect());
	struct answer *a = shared_memory(sizeof(*a));
	AS(&OWNER, act(WRITE, mode, a));
	if (a->err != 0)
		fprintf(stderr, "after the race: %s\n", a->detail);
	CHECK(a->err == 0);
	printf("%s, %s: %llu calls succeeded, %llu were refused with a clear errno, %llu otherwise; files left: %d\n",
	       mode == SLIP_MODE_LOCK_FREE ? "lock-free" : "semaphore",
	       sticky ? "names taken at any moment" : "in a directory where anybody may replace them",
	       (unsigned long long)a64_load_relaxed(&race->good), (unsigned long long)a64_load_relaxed(&race->refused),
	       (unsigned long long)a64_load_relaxed(&race->unclear), files_in(directory) - 1);
	cells += rounds;
	munmap(a, sizeof(*a));
	munmap(race, sizeof(*race));
}

int main(int argc, char **argv)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* or children print it again */
	if (geteuid() != 0) {
		printf("skipped: needs root to act as several users; no squatted name was shown\n");
		return SKIPPED;
	}
	unsigned rounds = argc > 1 && strcmp(argv[1], "--full") == 0 ? 3000 : SANITIZED ? 60 : 400;
	if (getenv("SLIPRING") != NULL)
		command = open(getenv("SLIPRING"), O_RDONLY);
	(void)own_directory(directory, "");
	(void)snprintf(victim, sizeof(victim), "%s/victim", directory);
	stop = shared_memory(sizeof(*stop));
	make_victim();
	char hard[8] = "?";
	FILE *setting = fopen("/proc/sys/fs/protected_hardlinks", "r");
	if (setting != NULL) {
		(void)!fgets(hard, sizeof(hard), setting);
		fclose(setting);
	}
	hard[strcspn(hard, "\n")] = '\0';
	printf("%-24s %-30s  %-8s  %-8s  %-8s  %-8s\n", "name", "is a stranger's", "get", "observe", "info", "write");
	for (int name = 0; name < NAMES; name++)
		for (int squat = 0; squat < SQUATS; squat++)
			try_squat((enum name)name, (enum squat)squat);
	printf("(hard links were made by root; fs.protected_hardlinks is %s: a stranger %s make one)\n", hard,
	       hard[0] == '1' ? "cannot" : "could");
	try_numbered("new");
	try_numbered("payload");
	try_renamed_payload();
	for (int sticky = 1; sticky >= 0; sticky--) {
		try_race(SLIP_MODE_LOCK_FREE, sticky != 0, rounds);
		try_race(SLIP_MODE_SEMAPHORE, sticky != 0, rounds);
	}
	CHECK(unlink(victim) == 0);
	give_directory_back(directory);
	printf("squatting: %u cells checked, %u wrong; %u runs of ls, info, gc and doctor over squatted names%s; the file that links led "
	       "to: whole\n",
	       cells, wrong, command_runs, command < 0 ? " (SLIPRING does not name the command)" : "");
	return wrong == 0 ? 0 : 1;
}
