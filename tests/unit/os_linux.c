#include "os.h"
#include "support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

static const char *file_name(void)
{
	static char name[64];
	(void)snprintf(name, sizeof(name), "slipring-os-test-%d", (int)getpid());
	return name;
}

/* A linked file of one page; its identity in file. */
static void make_file(struct slip__file *file)
{
	int fd = slip__os_make(4096, 0640);
	cr_assert_geq(fd, 0);
	cr_assert_eq(slip__os_link(fd, file_name()), 0);
	cr_assert_eq(slip__os_stat_fd(fd, file), 0);
	slip__os_close(fd);
}

Test(os, a_made_file_has_exact_permissions_and_size)
{
	struct slip__file file;
	umask(077);
	make_file(&file);
	cr_assert_eq(file.permissions, 0640);
	cr_assert_eq(file.size, 4096);
	cr_assert_eq(slip__os_leads_to(file_name(), file.identity), 1);
	cr_assert_eq(slip__os_unlink(file_name()), 0);
	cr_assert_eq(slip__os_unlink(file_name()), 0);
	cr_assert_eq(slip__os_leads_to(file_name(), file.identity), 0);
}

Test(os, a_name_that_cannot_be_looked_at_is_neither_here_nor_gone)
{
	char path[128];
	struct slip__file file;
	make_file(&file);
	(void)snprintf(path, sizeof(path), "%s/%s-loop", slip__os_directory(), file_name());
	cr_assert_eq(symlink(path, path), 0);
	cr_assert_eq(setenv("SLIPRING_DIR", path, 1), 0);
	cr_assert_eq(slip__os_leads_to(file_name(), file.identity), -1);
	cr_assert_eq(errno, ELOOP);
	cr_assert_eq(unsetenv("SLIPRING_DIR"), 0);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(slip__os_unlink(file_name()), 0);
}

Test(os, linking_never_replaces)
{
	struct slip__file file;
	make_file(&file);
	int fd = slip__os_make(1, 0600);
	cr_assert_eq(slip__os_link(fd, file_name()), -1);
	cr_assert_eq(errno, EEXIST);
	slip__os_close(fd);
	slip__os_unlink(file_name());
}

Test(os, a_symlink_and_a_fifo_are_refused)
{
	char path[128];
	struct slip__file file;
	(void)snprintf(path, sizeof(path), "%s/%s", slip__os_directory(), file_name());
	cr_assert_eq(symlink("/etc/hostname", path), 0);
	cr_assert_eq(slip__os_open(file_name(), SLIP__READ_ONLY, &file), -1);
	cr_assert_eq(errno, ELOOP);
	unlink(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(slip__os_open(file_name(), SLIP__READ_WRITE, &file), -1);
	cr_assert_eq(errno, EPERM);
	unlink(path);
}

Test(os, an_anchor_locks_out_others_and_ends_with_its_mapping)
{
	struct slip__file file;
	make_file(&file);
	void *anchor = slip__os_anchor(file_name(), file.identity, 3);
	cr_assert_not_null(anchor);
	cr_assert_null(slip__os_anchor(file_name(), file.identity, 3));
	cr_assert_eq(errno, EAGAIN);
	void *other = slip__os_anchor(file_name(), file.identity, 4);
	cr_assert_not_null(other);
	int fd = slip__os_open(file_name(), SLIP__READ_ONLY, &file);
	cr_assert_eq(slip__os_is_locked(fd, 3), 1);
	cr_assert_eq(slip__os_is_locked(fd, 5), 0);
	slip__os_anchor_drop(anchor);
	cr_assert_eq(slip__os_is_locked(fd, 3), 0);
	slip__os_anchor_drop(other);
	slip__os_unlink(file_name());
}

Test(os, an_anchor_is_not_inherited_by_a_child)
{
	struct slip__file file;
	make_file(&file);
	void *anchor = slip__os_anchor(file_name(), file.identity, 0);
	int fd = slip__os_open(file_name(), SLIP__READ_ONLY, &file);
	int pipes[2];
	cr_assert_eq(pipe(pipes), 0);
	pid_t child = fork();
	if (child == 0) {
		char byte;
		_exit(read(pipes[0], &byte, 1) == 1 ? 0 : 1);
	}
	slip__os_anchor_drop(anchor);
	cr_assert_eq(slip__os_is_locked(fd, 0), 0, "the child keeps the lock");
	cr_assert_eq(write(pipes[1], "x", 1), 1);
	waitpid(child, NULL, 0);
	slip__os_unlink(file_name());
}

Test(os, an_anchor_on_a_replaced_file_is_refused)
{
	struct slip__file file;
	struct slip__file second;
	make_file(&file);
	slip__os_unlink(file_name());
	make_file(&second);
	cr_assert_null(slip__os_anchor(file_name(), file.identity, 0));
	cr_assert_eq(errno, ENOENT);
	slip__os_unlink(file_name());
}

Test(os, a_futex_wait_ends_with_its_deadline_or_a_changed_word)
{
	slip__a32 word = 5;
	cr_assert_eq(slip__os_futex_wait(&word, 4, INT64_MAX), 0);
	cr_assert_eq(slip__os_futex_wait(&word, 5, slip__os_now() + 1000000), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	struct slip__futex two[2] = {{&word, 5}, {&word, 4}};
	int woken = slip__os_futex_wait_many(two, 2, INT64_MAX);
	cr_assert(woken == 0 || errno == ENOSYS);
}

Test(os, a_child_has_another_process_token)
{
	uint64_t mine = slip__os_process_token();
	cr_assert_eq(mine, slip__os_process_token());
	pid_t child = fork();
	if (child == 0)
		_exit(slip__os_process_token() != mine ? 0 : 1);
	int status;
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
}

Test(os_linux, what_can_never_fit_is_refused_before_any_of_it_is_allocated)
{
	struct statvfs before;
	struct statvfs after;
	cr_assert_eq(statvfs("/dev/shm", &before), 0);
	errno = 0;
	cr_assert_eq(slip__os_make((before.f_blocks + 1) * before.f_frsize + 4096, 0600), -1);
	cr_assert_eq(errno, ENOSPC);
	cr_assert_eq(statvfs("/dev/shm", &after), 0);
	/* Others may use it meanwhile, but not most of it. */
	cr_assert(after.f_bavail > before.f_bavail / 2);
}

Test(os, a_socket_is_refused_and_named)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", slip__os_directory(), file_name());
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	struct slip__file file;
	cr_assert_eq(slip__os_open(file_name(), SLIP__READ_ONLY, &file), -1);
	close(fd);
	unlink(address.sun_path);
}

Test(os, a_path_that_is_too_long_is_refused)
{
	char directory[PATH_MAX];
	memset(directory, 'd', sizeof(directory) - 1);
	directory[0] = '/';
	directory[sizeof(directory) - 1] = '\0';
	cr_assert_eq(setenv("SLIPRING_DIR", directory, 1), 0);
	struct slip__file file;
	cr_assert_eq(slip__os_open(file_name(), SLIP__READ_ONLY, &file), -1);
	cr_assert_eq(errno, ENAMETOOLONG);
	cr_assert_eq(slip__os_link(STDIN_FILENO, file_name()), -1);
	cr_assert_eq(errno, ENAMETOOLONG);
	cr_assert_eq(slip__os_rename(file_name(), file_name(), false), -1);
	cr_assert_eq(errno, ENAMETOOLONG);
	cr_assert_eq(slip__os_unlink(file_name()), -1);
	cr_assert_eq(errno, ENAMETOOLONG);
	cr_assert_eq(slip__os_leads_to(file_name(), (struct slip__identity){0}), 0, "what can be no name leads nowhere");
	cr_assert_eq(setenv("SLIPRING_DIR", "", 1), 0);
	cr_assert_str_eq(slip__os_directory(), "/dev/shm", "an empty one is none");
}

Test(os, a_wait_on_more_words_than_the_kernel_takes_is_refused)
{
	static slip__a32 word;
	struct slip__futex futexes[SLIP__FUTEX_MANY + 1];
	for (size_t i = 0; i <= SLIP__FUTEX_MANY; i++)
		futexes[i] = (struct slip__futex){.word = &word};
	cr_assert_eq(slip__os_futex_wait_many(futexes, SLIP__FUTEX_MANY + 1, INT64_MAX), -1);
	cr_assert_eq(errno, EINVAL);
}

Test(os, a_directory_is_refused_and_so_is_a_device)
{
	char path[128];
	struct slip__file file;
	(void)snprintf(path, sizeof(path), "%s/%s", slip__os_directory(), file_name());
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(slip__os_open(file_name(), SLIP__READ_ONLY, &file), -1);
	cr_assert_not_null(strstr(slip_error_detail(), "directory"), "%s", slip_error_detail());
	rmdir(path);
	if (mknod(path, S_IFCHR | 0600, makedev(1, 3)) != 0)
		return; /* making a device needs root */
	int fd = slip__os_open(file_name(), SLIP__READ_ONLY, &file);
	unlink(path);
	cr_assert_eq(fd, -1);
}

Test(os, what_is_larger_than_a_file_can_be_is_refused)
{
	cr_assert_eq(slip__os_make((uint64_t)INT64_MAX + 1, 0600), -1);
	cr_assert_eq(errno, EOVERFLOW);
}

Test(os, a_guarded_page_ends_who_writes_to_it)
{
	int fd = slip__os_make(2 * slip__os_page_size(), 0600);
	char *two = slip__os_map(fd, 2 * slip__os_page_size(), SLIP__READ_WRITE);
	slip__os_guard(two + slip__os_page_size(), slip__os_page_size());
	pid_t child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		((volatile char *)two)[slip__os_page_size() - 1] = 1;
		((volatile char *)two)[slip__os_page_size()] = 1;
		_exit(0);
	}
	int status;
	waitpid(child, &status, 0);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	cr_assert_eq(two[slip__os_page_size() - 1], 1);
	slip__os_unmap(two, 2 * slip__os_page_size());
	slip__os_close(fd);
}

/* Stand before the C library's: a kernel and a machine that lack something. */
static bool lacking;
static bool lacking_madvise;

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return lacking ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}

int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice)
{
	return lacking_madvise ? -1 : __real_madvise(at, size, advice);
}

ssize_t __real_getrandom(void *to, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t size, unsigned flags)
{
	errno = ENOSYS;
	return lacking ? -1 : __real_getrandom(to, size, flags);
}

long __real_sysconf(int name);
long __wrap_sysconf(int name);
long __wrap_sysconf(int name)
{
	return lacking && (name == _SC_LEVEL3_CACHE_SIZE || name == _SC_LEVEL2_CACHE_SIZE) ? 0 : __real_sysconf(name);
}

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
	return lacking && strncmp(path, "/sys/", 5) == 0 ? -1 : __real_open(path, flags, mode);
}

static void expect_a_token_without_a_page_of_its_own(void)
{
	uint64_t mine = slip__os_process_token();
	cr_assert_neq(mine, 0);
	cr_assert_eq(mine, slip__os_process_token());
}

Test(os, a_process_has_a_token_without_memory_and_random_numbers_too)
{
	(void)slip__os_page_size();
	lacking = true;
	expect_a_token_without_a_page_of_its_own();
	lacking = false;
}

Test(os, and_without_a_kernel_that_wipes_pages)
{
	lacking_madvise = true;
	expect_a_token_without_a_page_of_its_own();
	lacking_madvise = false;
}

Test(os, a_cache_that_nobody_knows_is_a_common_one)
{
	lacking = true;
	cr_assert_eq(slip__os_cache_size(), (size_t)8 << 20);
	lacking = false;
}
