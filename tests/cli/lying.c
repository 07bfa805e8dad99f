/*
 * lying.c - linked into the slipring command, has the library fail or lie: LYING=NAME:N (wish.h). Names are those of the functions, which then fail with EIO
 * (or the errno that LYING_ERRNO has), or "frame.X", "stats.X" and "info.X": X of what the library tells is another than what it is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "torture/content.h"

#include "wish.h"

#include <dirent.h>
#include <signal.h>
#include <slipring/slipring.h>
#include <stdarg.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>

enum { SYS_FUTEX_WAITV = 449 };

static int error = EIO;

__attribute__((constructor)) static void choose(void)
{
	wish_read(getenv("LYING"));
	const char *number = getenv("LYING_ERRNO");
	if (number != NULL)
		error = atoi(number);
}

static bool lies(const char *what)
{
	return wished(what, error);
}

FAILS(slip_writer *, slip_writer_open, NULL, error, (const char *base, const slip_writer_options *options), (base, options))
FAILS(int, slip_channel_create, -1, error, (slip_writer * w, const char *channel, const slip_array *what), (w, channel, what))
FAILS(slip_frame *, slip_loan, NULL, error, (slip_writer * w, const char *channel, const slip_array *what), (w, channel, what))
FAILS(int, slip_publish, -1, error, (slip_frame * frame), (frame))
FAILS(int, slip_publish_keep, -1, error, (slip_frame * frame), (frame))
FAILS(int, slip_set_array, -1, error, (slip_writer * w, const char *channel, const slip_array *what), (w, channel, what))
FAILS(int, slip_frame_set_metadata, -1, error, (slip_frame * frame, const void *metadata, size_t size), (frame, metadata, size))
FAILS(int, slip_wait, -1, error, (slip_reader * r, const char *channel, int64_t timeout_ns), (r, channel, timeout_ns))
FAILS(int, slip_wait_for_array, -1, error, (slip_reader * r, const char *channel, int64_t timeout_ns), (r, channel, timeout_ns))
FAILS(int, slip_writer_alive, -1, error, (slip_reader * r, const char *channel), (r, channel))
FAILS(int, slip_gc_remove, -1, error, (const slip_leftover *leftover), (leftover))
FAILS(int, slip_list_channels, -1, error, (const char *base, slip_channel_name **names, size_t *count), (base, names, count))
FAILS(int, slip_get_shape, -1, error, (slip_reader * r, const char *channel, int64_t shape[SLIP_MAX_DIMS]), (r, channel, shape))
FAILS(int, slip_get_dtype, -1, error, (slip_reader * r, const char *channel, slip_dtype *dtype), (r, channel, dtype))
FAILS(int, slip_wait_any, -1, error, (slip_wait_item * items, size_t count, int64_t timeout_ns), (items, count, timeout_ns))
FAILS(int, slip_discard, -1, error, (slip_frame * frame), (frame))
FAILS(int, slip_discard_keep, -1, error, (slip_frame * frame), (frame))
FAILS(int, slip_readers_attached, 1, error, (slip_writer * w, const char *channel), (w, channel))
FAILS(int64_t, slip_copy, -1, error, (const slip_frame *frame, void *to, size_t size), (frame, to, size))
FAILS(bool, content_read, false, error, (const void *data, size_t size, uint64_t *number), (data, size, number))

/* ---- frames ---- */

/* What lies is a copy, put in the frame's place until that is released. */
static _Thread_local slip_frame *lied;
static _Thread_local slip_frame truth;
static _Thread_local struct content told;
static _Thread_local unsigned char bytes[1 << 19];
static _Thread_local slip_frame earlier; /* the first frame of this handle and epoch, its bytes and metadata in these */
static _Thread_local const slip_reader *earlier_reader;
static _Thread_local unsigned char earlier_bytes[1 << 19];
static _Thread_local unsigned char earlier_metadata[SLIP_METADATA_MAX];

/* The frame as if it were of that number: all that torture would have given it. */
static void forge(slip_frame *f, uint64_t number)
{
	content_describe(number, f->size, false, &told);
	const slip_array *a = &told.array;
	f->dtype = a->dtype;
	f->ndim = a->ndim;
	size_t size = slip_dtype_size(a->dtype);
	for (int32_t i = a->ndim - 1; i >= 0; i--) {
		f->shape[i] = a->shape[i];
		f->strides[i] = (int64_t)size;
		size *= (size_t)a->shape[i];
	}
	f->size = size;
	f->metadata = a->metadata;
	f->metadata_size = a->metadata_size;
	(void)snprintf(f->encoding, sizeof(f->encoding), "%s", a->encoding != NULL ? a->encoding : "");
	(void)snprintf(f->frame_id, sizeof(f->frame_id), "%s", told.frame_id);
	f->capture_ns = a->capture_ns;
	f->capture_realtime_ns = a->capture_realtime_ns;
	content_fill(bytes, size, number);
	f->data = bytes;
}

/* A handle got this frame after another of the same epoch. Only of those are lies told: about a handle's first frame nobody could know better. */
static bool goes_on(const slip_reader *r, const slip_frame *f)
{
	if (earlier_reader == r && earlier.epoch == f->epoch && earlier.data != NULL)
		return f->seq > earlier.seq;
	earlier_reader = r;
	earlier = *f;
	earlier.data = memcpy(earlier_bytes, f->data, f->size);
	if (f->metadata_size > 0)
		earlier.metadata = memcpy(earlier_metadata, f->metadata, f->metadata_size);
	return false;
}

static slip_frame *tell(const slip_reader *r, slip_frame *f, const char *channel)
{
	if (strcmp(wish.name, "frame.wire") == 0 && strncmp(channel, "semaphore", 9) != 0)
		return f;
	if (f == NULL || strncmp(wish.name, "frame.", 6) != 0 || f->size > sizeof(bytes) || lied != NULL)
		return f;
	if (!goes_on(r, f) || !lies(wish.name))
		return f;
	const char *what = wish.name + 6;
	lied = f;
	truth = *f;
	uint64_t number = 0;
	if (strcmp(what, "bytes") == 0) {
		f->data = memcpy(bytes, f->data, f->size);
		bytes[f->size / 2] ^= 1;
	} else if (strcmp(what, "short") == 0) {
		f->size = 4;
	} else if (strcmp(what, "dtype") == 0) {
		f->dtype.lanes = 2;
	} else if (strcmp(what, "shape") == 0) {
		f->shape[f->ndim++] = 1;
	} else if (strcmp(what, "order") == 0) { /* of dimensions */
		f->shape[f->ndim - 1] /= 2;
		f->shape[0] *= 2;
	} else if (strcmp(what, "frame_id") == 0) {
		f->frame_id[0] ^= 1;
	} else if (strcmp(what, "encoding") == 0) {
		f->encoding[0] ^= 1;
	} else if (strcmp(what, "metadata") == 0) {
		f->metadata_size++;
	} else if (strcmp(what, "capture") == 0) {
		f->capture_realtime_ns++;
	} else if (strcmp(what, "seq") == 0) {
		f->seq++;
	} else if (strcmp(what, "missed") == 0) {
		f->missed++;
	} else if (strcmp(what, "epoch") == 0) {
		f->epoch ^= 1;
	} else if (strcmp(what, "new") == 0) { /* an epoch, and nothing else is wrong about it */
		f->epoch ^= 1;
		f->missed = f->seq - 1;
	} else if (strcmp(what, "earlier") == 0 || strcmp(what, "wire") == 0) {
		*f = earlier;
	} else if (strcmp(what, "writer") == 0 && __real_content_read(f->data, f->size, &number)) {
		forge(f, content_number(content_stream(number), content_incarnation(number) + 1, f->seq));
	}
	return f;
}

slip_reader *__real_slip_reader_open(const char *base, const slip_reader_options *options);
slip_reader *__wrap_slip_reader_open(const char *base, const slip_reader_options *options);
slip_reader *__wrap_slip_reader_open(const char *base, const slip_reader_options *options)
{
	earlier_reader = NULL; /* another may come to lie where that one lay */
	return lies("slip_reader_open") ? NULL : __real_slip_reader_open(base, options);
}

slip_frame *__real_slip_get_array(slip_reader *r, const char *channel);
slip_frame *__wrap_slip_get_array(slip_reader *r, const char *channel);
slip_frame *__wrap_slip_get_array(slip_reader *r, const char *channel)
{
	if (lies("crash"))
		abort();
	return lies("slip_get_array") ? NULL : tell(r, __real_slip_get_array(r, channel), channel);
}

slip_frame *__real_slip_next(slip_reader *r, const char *channel, int64_t timeout_ns);
slip_frame *__wrap_slip_next(slip_reader *r, const char *channel, int64_t timeout_ns);
slip_frame *__wrap_slip_next(slip_reader *r, const char *channel, int64_t timeout_ns)
{
	return lies("slip_next") ? NULL : tell(r, __real_slip_next(r, channel, timeout_ns), channel);
}

int __real_slip_release(slip_frame *f);
int __wrap_slip_release(slip_frame *f);
int __wrap_slip_release(slip_frame *f)
{
	if (f == lied && f != NULL) {
		*f = truth;
		lied = NULL;
	}
	return lies("slip_release") ? -1 : __real_slip_release(f);
}

/* ---- what is told of channels ---- */

int __real_slip_writer_get_stats(slip_writer *w, const char *channel, slip_writer_stats *s);
int __wrap_slip_writer_get_stats(slip_writer *w, const char *channel, slip_writer_stats *s);
int __wrap_slip_writer_get_stats(slip_writer *w, const char *channel, slip_writer_stats *s)
{
	if (lies("slip_writer_get_stats"))
		return -1;
	const int got = __real_slip_writer_get_stats(w, channel, s);
	static bool again;
	if (!again && s->last_seq > 5) { /* a successor, of whoever was killed */
		s->epoch ^= lies("successor.epoch");
		s->last_seq += lies("successor.later") ? 9 : 0;
		s->last_seq -= lies("successor.earlier") ? 3 : 0;
	}
	again = true;
	s->published += lies("stats.published");
	s->last_seq += lies("stats.later") ? 9 : 0;
	s->last_seq -= s->last_seq > 1 && lies("stats.earlier") ? 2 : 0;
	s->epoch ^= lies("stats.epoch");
	return got;
}

slip_channel_info *__real_slip_channel_inspect(const char *base, const char *channel, slip_mode mode);
slip_channel_info *__wrap_slip_channel_inspect(const char *base, const char *channel, slip_mode mode);
slip_channel_info *__wrap_slip_channel_inspect(const char *base, const char *channel, slip_mode mode)
{
	if (lies("slip_channel_inspect"))
		return NULL;
	slip_channel_info *info = __real_slip_channel_inspect(base, channel, mode);
	if (info == NULL)
		return NULL;
	if (lies("info.closed"))
		info->state = SLIP_CHANNEL_CLOSED;
	if (lies("info.posted"))
		info->lock_value = 2;
	if (lies("info.taken"))
		info->lock_value = 0;
	if (lies("info.dead"))
		info->lock_holder_dead = 1;
	if (lies("info.held") && info->slot_count > 0)
		info->slot_info[0].pins = UINT64_C(3) << 62;
	if (lies("info.short")) { /* the writer is at one slot, the dead hold the others */
		for (size_t i = 0; i < info->slot_count; i++)
			if (info->slot_info[i].seq != info->last_seq)
				info->slot_info[i].pins = UINT64_C(1) << (i == 0 ? 63 : 61);
	}
	return info;
}

/* ---- time ---- */

int64_t __real_now_ns(void);
int64_t __wrap_now_ns(void);
int64_t __wrap_now_ns(void)
{
	static _Thread_local int64_t ahead;
	if (lies("clock") || lies("clock and no frames"))
		ahead += INT64_C(100000000000);
	return __real_now_ns() + ahead;
}

/* Readers that seem to stay are waited for by a count of rounds. */
void __real_pause_ns(int64_t ns);
void __wrap_pause_ns(int64_t ns);
void __wrap_pause_ns(int64_t ns)
{
	if (strcmp(wish.name, "slip_readers_attached") != 0 || atomic_load(&wish.calls) == 0)
		__real_pause_ns(ns);
}

int __real_kill(pid_t pid, int signal);
int __wrap_kill(pid_t pid, int signal);
int __wrap_kill(pid_t pid, int signal)
{
#ifdef SLIP_COVERAGE
	/* Once a lie was told, whoever is to be killed may end by itself, and then writes what it reached. */
	const char *note = getenv("FAILING_NOTE");
	siginfo_t info = {.si_pid = 0};
	if (signal == SIGKILL && note != NULL && access(note, F_OK) == 0)
		for (int i = 0; i < 300 && info.si_pid == 0; i++) {
			if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
				break;
			usleep(1000);
		}
#endif
	return __real_kill(pid, signal);
}

int __real_slip_reader_get_stats(slip_reader *r, const char *channel, slip_reader_stats *s);
int __wrap_slip_reader_get_stats(slip_reader *r, const char *channel, slip_reader_stats *s);
int __wrap_slip_reader_get_stats(slip_reader *r, const char *channel, slip_reader_stats *s)
{
	if (lies("slip_reader_get_stats"))
		return -1;
	const int got = __real_slip_reader_get_stats(r, channel, s);
	s->last_seq += lies("reader.seq");
	return got;
}

/* Something that was left over, or a file that nobody knows. */
int __real_slip_gc_list(const char *base, slip_leftover **list, size_t *count);
int __wrap_slip_gc_list(const char *base, slip_leftover **list, size_t *count);
int __wrap_slip_gc_list(const char *base, slip_leftover **list, size_t *count)
{
	if (lies("slip_gc_list"))
		return -1;
	const int got = __real_slip_gc_list(base, list, count);
	if (got == 0 && *count == 0 && lies("left")) {
		free(*list);
		*list = calloc(1, sizeof(**list));
		*count = *list != NULL;
		if (*list != NULL)
			(void)snprintf((*list)->object, sizeof((*list)->object), "gone");
	}
	return got;
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
	if (strcmp(wish.name, "strange") == 0 && getenv("SLIPRING_DIR") != NULL && strcmp(path, getenv("SLIPRING_DIR")) == 0) {
		char file[256];
		(void)snprintf(file, sizeof(file), "%s/slipring@torture-%d@strange", path, (int)getpid());
		if (lies("strange"))
			(void)close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		DIR *directory = __real_opendir(path);
		return directory;
	}
	return __real_opendir(path);
}

/* ---- the machine ---- */

/* FAKE_ROOT: what a file of the kernel's says stands below it, where it is there. */
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	const char *root = getenv("FAKE_ROOT");
	char fake[512];
	(void)snprintf(fake, sizeof(fake), "%s%s", root != NULL ? root : "", path);
	return __real_fopen(root != NULL && path[0] == '/' && access(fake, F_OK) == 0 ? fake : path, mode);
}

/* An old kernel, without futex_waitv; FAKE_RELEASE is what it says of itself. */
int __real_uname(struct utsname *to);
int __wrap_uname(struct utsname *to);
int __wrap_uname(struct utsname *to)
{
	const char *release = getenv("FAKE_RELEASE");
	if (lies("uname"))
		return -1;
	const int got = __real_uname(to);
	if (release != NULL)
		(void)snprintf(to->release, sizeof(to->release), "%s", release);
	return got;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	va_list arguments;
	long a[6];
	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	if (number == SYS_FUTEX_WAITV && getenv("FAKE_RELEASE") != NULL) {
		errno = ENOSYS;
		return -1;
	}
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* A lock that others do not see. */
int __real_fcntl(int file, int command, ...);
int __wrap_fcntl(int file, int command, ...);
int __wrap_fcntl(int file, int command, ...)
{
	va_list arguments;
	va_start(arguments, command);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	if (command == F_OFD_SETLK && lies("lock.refused"))
		return -1;
	const int got = __real_fcntl(file, command, argument);
	if (command == F_OFD_GETLK && lies("lock.unseen"))
		((struct flock *)argument)->l_type = F_UNLCK;
	return got;
}

/* Another user than the files'. */
uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
uid_t __wrap_geteuid(void)
{
	return getenv("FAKE_USER") != NULL ? (uid_t)atoi(getenv("FAKE_USER")) : __real_geteuid();
}

/* A directory in which no file may be made, or without room. */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return (flags & O_TMPFILE) == O_TMPFILE && lies("tmpfile") ? -1 : __real_open(path, flags, mode);
}

int __real_statvfs(const char *path, struct statvfs *to);
int __wrap_statvfs(const char *path, struct statvfs *to);
int __wrap_statvfs(const char *path, struct statvfs *to)
{
	const int got = __real_statvfs(path, to);
	if (lies("room"))
		to->f_bavail = 1;
	return got;
}

/* No /proc through which a file could be named, where the direct way is closed. */
int __real_linkat(int from, const char *path, int to, const char *name_there, int flags);
int __wrap_linkat(int from, const char *path, int to, const char *name_there, int flags);
int __wrap_linkat(int from, const char *path, int to, const char *name_there, int flags)
{
	return lies("no proc") ? -1 : __real_linkat(from, path, to, name_there, flags);
}

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
	if (strcmp(wish.name, "no proc") == 0 && strncmp(path, "/proc/", 6) == 0)
		return -1;
	if (getenv("FAKE_ROOT") != NULL && (strcmp(path, "/.dockerenv") == 0 || strcmp(path, "/run/.containerenv") == 0))
		return -1;
	return __real_access(path, mode);
}
