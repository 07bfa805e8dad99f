/* Lack of room is ENOSPC, leaves nothing behind, and what worked before works on. Needs a tmpfs of its own: a mount namespace. */
#include "processes.h"

#include <sched.h>
#include <sys/mount.h>

static int files_in(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

int main(void)
{
	char path[] = "/tmp/slipring-enospc-XXXXXX";
	CHECK(mkdtemp(path) != NULL);
	bool own_mounts = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
	/* Fails in a chroot, whose root is no mount; the one below is taken away again in any case. */
	(void)mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (!own_mounts || mount("tmpfs", path, "tmpfs", 0, "size=1m") != 0) {
		rmdir(path);
		printf("skipped: no permission to mount a small tmpfs\n");
		return SKIPPED;
	}
	setenv("SLIPRING_DIR", path, 1);
	slip_writer *writer = slip_writer_open("enospc", NULL);
	slip_array large = bytes_array(NULL, 1 << 20);
	CHECK(slip_channel_create(writer, "a", &large) == -1 && errno == ENOSPC);
	CHECK(strstr(slip_error_detail(), "no room") != NULL);
	CHECK(files_in(path) == 0);
	slip_array small = bytes_array("x", 1);
	CHECK(slip_set_array(writer, "a", &small) == 0);
	CHECK(files_in(path) == 2);
	/* Growth that finds no room leaves the old ring as it was. */
	static char data[1 << 20];
	large.data = data;
	CHECK(slip_set_array(writer, "a", &large) == -1 && errno == ENOSPC);
	CHECK(files_in(path) == 2);
	slip_reader *reader = slip_reader_open("enospc", NULL);
	CHECK(slip_set_array(writer, "a", &small) == 0);
	slip_frame *f = slip_get_array(reader, "a");
	CHECK(f != NULL && f->seq == 2);
	CHECK(slip_release(f) == 0);
	slip_reader_close(reader);
	slip_writer_close(writer);
	CHECK(files_in(path) == 0);
	umount(path);
	rmdir(path);
	printf("ENOSPC at making and at growing: nothing left, the old ring works on\n");
	return 0;
}
