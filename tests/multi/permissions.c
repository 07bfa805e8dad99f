/*
 * Who may do what: permissions of the payload, observers, umasks, users and roles as a matrix, in both modes. What is expected is computed from the
 * documented rules alone (slipring/writer.h, docs/semaphore-mode.md), and each cell is tried by a process of that user. Needs root.
 */
#include "permissions/people.h"

enum role { GET, OBSERVE, SECOND_WRITER, INFO, TAKE_OVER, LIST_LEFTOVERS, COLLECT, ROLES };

static const char *const ROLE_NAMES[ROLES] = {"get", "observe", "write too", "info", "take over", "gc lists", "gc removes"};

static const struct person *const PEOPLE[] = {&OWNER, &MEMBER, &STRANGER, &ROOT};
enum { PEOPLE_COUNT = sizeof(PEOPLE) / sizeof(PEOPLE[0]) };

static const mode_t UMASKS[] = {0, 022, 077, 0777};
enum { UMASK_COUNT = sizeof(UMASKS) / sizeof(UMASKS[0]) };

static const struct setting {
	mode_t permissions;
	mode_t observers;
} SETTINGS[] = {
	{0600, 0}, {0640, 0},	 {0660, 0},    {0620, 0},    {0604, 0},	   {0644, 0},	 {0664, 0},
	{0666, 0}, {0640, 0040}, {0644, 0004}, {0644, 0040}, {0644, 0044}, {0664, 0004}, {0646, 0040},
};
enum { SETTING_COUNT = sizeof(SETTINGS) / sizeof(SETTINGS[0]) };

/* Of one setting, mode and umask. -1: not among what gc lists. */
static struct outcomes {
	struct answer of[PEOPLE_COUNT][ROLES];
} * outcomes;

static const char BASE[] = "matrix";
static struct answer *made; /* by the writer */

static slip_writer *open_writer(slip_mode mode, const struct setting *setting)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.mode = mode;
	options.permissions = setting->permissions;
	options.observers = setting->observers;
	options.lock_timeout_ns = 100000000;
	return slip_writer_open(BASE, &options);
}

/* Two channels: "a" to be taken over, "b" to be collected. */
static void publish_both(slip_mode mode, const struct setting *setting, mode_t mask)
{
	umask(mask);
	slip_writer *writer = open_writer(mode, setting);
	slip_array array = bytes_array("x", 1);
	(void)answer(made, slip_set_array(writer, "a", &array) == 0 && slip_set_array(writer, "b", &array) == 0);
}

static int try_to_read(slip_mode mode, bool observer, struct answer *a)
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	options.mode = mode;
	options.observer = observer;
	slip_reader *reader = slip_reader_open(BASE, &options);
	if (reader == NULL)
		return answer(a, false);
	slip_frame *frame = slip_get_array(reader, "a");
	(void)answer(a, frame != NULL);
	if (frame != NULL)
		CHECK(*(const char *)frame->data == 'x' && slip_release(frame) == 0);
	slip_reader_close(reader);
	return 0;
}

static void try_to_write(slip_mode mode, const struct setting *setting, struct answer *a)
{
	slip_writer *writer = open_writer(mode, setting);
	slip_array array = bytes_array("x", 1);
	(void)answer(a, slip_set_array(writer, "a", &array) == 0);
	slip_writer_close(writer);
}

static void try_while_it_lives(slip_mode mode, const struct setting *setting, struct answer *answers)
{
	try_to_read(mode, false, &answers[GET]);
	try_to_read(mode, true, &answers[OBSERVE]);
	try_to_write(mode, setting, &answers[SECOND_WRITER]);
	slip_channel_info *info = slip_channel_inspect(BASE, "a", mode);
	(void)answer(&answers[INFO], info != NULL);
	if (info != NULL)
		CHECK(info->owner == OWNER_UID && info->permissions == setting->permissions && info->state == SLIP_CHANNEL_LIVE);
	slip_channel_info_free(info);
	/* The names are everybody's to see, and a live channel is never left over. */
	slip_channel_name *names;
	slip_leftover *leftovers;
	size_t count;
	CHECK(slip_list_channels(BASE, &names, &count) == 0 && count == 2);
	free(names);
	CHECK(slip_gc_list(BASE, &leftovers, &count) == 0 && count == 0);
	free(leftovers);
}

/* Whether gc lists channel b, and what comes of removing it. */
static void try_to_collect(struct answer *answers)
{
	slip_leftover *leftovers;
	size_t count;
	CHECK(slip_gc_list(BASE, &leftovers, &count) == 0);
	answers[LIST_LEFTOVERS].err = -1;
	answers[COLLECT].err = -1;
	for (size_t i = 0; i < count; i++) {
		if (strstr(leftovers[i].object, "@b@control") == NULL && strstr(leftovers[i].object, "_b_shm") == NULL)
			continue;
		answers[LIST_LEFTOVERS].err = 0;
		(void)answer(&answers[COLLECT], slip_gc_remove(&leftovers[i]) == 0);
	}
	free(leftovers);
}

/* ---- what the documents say ---- */

static int expected(slip_mode mode, const struct setting *s, const struct person *who, enum role role)
{
	bool ring = mode == SLIP_MODE_LOCK_FREE;
	/* "The control object gets the write bit beside each read bit", but not for observers; so does the semaphore. */
	mode_t control = s->permissions | (s->permissions & (mode_t)~s->observers & 0444) >> 1;
	bool reads = may(who, s->permissions, 04);
	bool marks = may(who, control, 06);
	bool owns = who->uid == OWNER_UID;
	switch (role) {
	case GET: return reads && marks ? 0 : EACCES;
	case OBSERVE: return !ring ? ENOTSUP : reads ? 0 : EACCES;
	case INFO: return reads ? 0 : EACCES;
	/* Of a ring another user's channel is never taken over, not by root either. */
	case SECOND_WRITER: return !marks ? EACCES : ring && !owns ? EPERM : EBUSY;
	/* A semaphore channel starts from fresh objects, for whom the directory lets remove the old ones. */
	case TAKE_OVER: return !marks ? EACCES : owns || (!ring && who->uid == 0) ? 0 : EPERM;
	case LIST_LEFTOVERS: return reads ? 0 : -1;
	case COLLECT: return !reads ? -1 : !marks ? EACCES : owns || who->uid == 0 ? 0 : EPERM;
	default: return -2;
	}
}

static const char *cell(int err)
{
	return err == -1 ? "-" : errno_name(err);
}

/* A refusal names the channel or object, and whose it is where that is why. */
static bool says_enough(const struct answer *a)
{
	char owner[24];
	(void)snprintf(owner, sizeof(owner), "user %u", OWNER_UID);
	if (a->err == ENOTSUP)
		return strstr(a->detail, "observers") != NULL;
	return a->err <= 0 || (strstr(a->detail, BASE) != NULL && (a->err == EBUSY || strstr(a->detail, owner) != NULL));
}

static unsigned cells, wrong;

static void compare(slip_mode mode, const struct setting *s, mode_t mask, bool print)
{
	for (int p = 0; p < PEOPLE_COUNT; p++) {
		if (print)
			printf("%s%04o %04o  %-9s", p == 0 ? "\n" : "", s->permissions, s->observers, PEOPLE[p]->name);
		for (int role = 0; role < ROLES; role++) {
			const struct answer *a = &outcomes->of[p][role];
			int right = expected(mode, s, PEOPLE[p], (enum role)role);
			bool good = a->err == right && says_enough(a);
			cells++;
			wrong += !good;
			if (print)
				printf("  %-10s", cell(a->err));
			if (!good)
				fprintf(stderr, "wrong: %04o observers %04o umask %04o %s, %s: %s, expected %s; said: %s\n", s->permissions,
					s->observers, mask, PEOPLE[p]->name, ROLE_NAMES[role], errno_name(a->err), cell(right), a->detail);
		}
		if (print)
			printf("\n");
	}
}

/* ---- one setting ---- */

static void run(slip_mode mode, const struct setting *s, mode_t mask, bool print)
{
	pid_t writer;
	memset(outcomes, 0, sizeof(*outcomes));
	START_AS(writer, &OWNER, publish_both(mode, s, mask));
	if (made->err != 0)
		fprintf(stderr, "the writer: %s\n", made->detail);
	CHECK(made->err == 0);
	for (int p = 0; p < PEOPLE_COUNT; p++)
		AS(PEOPLE[p], try_while_it_lives(mode, s, outcomes->of[p]));
	kill_and_reap(writer);
	/* Those who must not first; then the owner, which leaves another dead channel for root. */
	static const int ORDER[] = {2, 1, 3, 0};
	for (int i = 0; i < PEOPLE_COUNT; i++) {
		int p = ORDER[i];
		/* Each in turn meets a channel a of the owner's, and b of which is not sure that it is there. */
		if (PEOPLE[p] == &ROOT || PEOPLE[p] == &OWNER) {
			START_AS(writer, &OWNER, publish_both(mode, s, mask));
			CHECK(made->err == 0);
			kill_and_reap(writer);
		}
		AS(PEOPLE[p], try_to_write(mode, s, &outcomes->of[p][TAKE_OVER]));
		AS(PEOPLE[p], try_to_collect(outcomes->of[p]));
	}
	compare(mode, s, mask, print);
	/* What is left is channel a, where only those took over who may not; its owner clears up. */
	AS(&OWNER, try_to_write(mode, s, &outcomes->of[0][TAKE_OVER]));
	CHECK(objects_with(BASE) == 0);
}

/* Every set of permissions and observers: which are taken is told in writer.h. */
static unsigned check_options(void)
{
	unsigned taken = 0;
	for (mode_t permissions = 1; permissions <= 0777; permissions++)
		for (mode_t observers = 0; observers <= 077; observers++) {
			const struct setting s = {permissions, observers};
			bool right = (permissions & (mode_t)~0666) == 0 && (permissions & 0600) == 0600 &&
				     (observers & (mode_t)~0044) == 0 && (observers & permissions) == observers &&
				     (observers >> 1 & permissions) == 0;
			slip_writer *writer = open_writer(SLIP_MODE_LOCK_FREE, &s);
			CHECK(writer != NULL ? right : !right && errno == EINVAL);
			slip_writer_close(writer);
			taken += writer != NULL;
		}
	return taken;
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: needs root to act as owner, member of the group and stranger; nothing of the matrix was shown\n");
		return SKIPPED;
	}
	printf("of 32,704 pairs of permissions and observers %u are taken, the others EINVAL\n\n", check_options());
	char path[32];
	bool apart = own_directory(path, "");
	outcomes = shared_memory(sizeof(*outcomes));
	made = shared_memory(sizeof(*made));
	static const slip_mode MODES[] = {SLIP_MODE_LOCK_FREE, SLIP_MODE_SEMAPHORE};
	for (int m = 0; m < 2; m++) {
		printf("%s%s mode. payload's mode, observers', who;  - : not listed; the same under umask 0, 022, 077, 0777\n",
		       m > 0 ? "\n" : "", m == 0 ? "lock-free" : "semaphore");
		printf("mode obs.  %-9s", "");
		for (int role = 0; role < ROLES; role++)
			printf("  %-10s", ROLE_NAMES[role]);
		printf("\n");
		for (int i = 0; i < SETTING_COUNT; i++)
			for (int u = 0; u < UMASK_COUNT && (m == 0 || SETTINGS[i].observers == 0); u++)
				run(MODES[m], &SETTINGS[i], UMASKS[u], u == 0);
	}
	give_directory_back(path);
	printf("\npermissions: %u cells checked (%d settings of which %d without observers, 2 modes, %d umasks, %d users, %d roles), %u "
	       "wrong%s\n",
	       cells, SETTING_COUNT, 8, UMASK_COUNT, PEOPLE_COUNT, ROLES, wrong, apart ? "" : "; in /dev/shm itself: no mount namespace");
	return wrong == 0 ? 0 : 1;
}
