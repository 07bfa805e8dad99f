/* SPDX-License-Identifier: Apache-2.0 */
#include "wait.h"

#include "error.h"
#include "os.h"

#include <errno.h>

enum { POLL_NS = 1000000, SPIN_CHECKS = 32 };

void slip__wait_alarm(slip__a32 *alarm)
{
	a32_store_release(alarm, 1); /* @ALARM */
	slip__os_futex_wake_all(alarm);
}

bool slip__wait_ready(const struct slip__watch *watch)
{
	struct slip__place place;
	if (watch->alarm != NULL)
		return a32_load_acquire(watch->alarm) != 0; /* @ALARM: what the waker did before is there */
	enum slip__found found = slip__slot_latest(watch->ring, &place);
	if (found == SLIP__BROKEN)
		return true;
	if (found == SLIP__FOUND && place.seq > watch->after) {
		slip__slot_expect(watch->ring, place.slot);
		return true;
	}
	return a32_load_acquire(watch->state) != 0; /* @STATE: what was published before it is in head */
}

static bool any_ready(const struct slip__watch *watches, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slip__wait_ready(&watches[i]))
			return true;
	return false;
}

int64_t slip__wait_deadline(int64_t now, int64_t timeout_ns)
{
	if (timeout_ns < 0 || timeout_ns > INT64_MAX - now)
		return INT64_MAX;
	return now + timeout_ns;
}

static bool spin(const struct slip__watch *watches, size_t count, int64_t until)
{
	do
		for (int i = 0; i < SPIN_CHECKS; i++) {
			if (any_ready(watches, count))
				return true;
			cpu_relax();
		}
	while (slip__os_now() < until);
	return false;
}

enum sleep_way { SLEEP_NOT, SLEEP_ON_ALL, SLEEP_POLL };

/* Marks every word as slept on. The channels are looked at between reading a word and marking it: otherwise a wake is lost. */
static enum sleep_way prepare(const struct slip__watch *watches, size_t count, struct slip__futex *futexes)
{
	if (count > SLIP__FUTEX_MANY)
		return SLEEP_POLL;
	for (size_t i = 0; i < count; i++) {
		if (watches[i].alarm != NULL) {
			futexes[i] = (struct slip__futex){.word = watches[i].alarm, .expected = 0};
			continue;
		}
		if (watches[i].silent)
			return SLEEP_POLL;
		uint32_t seen = slip__slot_fw(watches[i].ring);
		if (slip__wait_ready(&watches[i]) || !slip__slot_may_sleep(watches[i].ring, seen, &futexes[i].expected))
			return SLEEP_NOT;
		futexes[i].word = watches[i].ring->fw;
	}
	return count == 0 ? SLEEP_POLL : SLEEP_ON_ALL;
}

static int sleep_on(const struct slip__futex *futexes, size_t count, int64_t until)
{
	if (count == 1)
		return slip__os_futex_wait(futexes[0].word, futexes[0].expected, until);
	return slip__os_futex_wait_many(futexes, count, until);
}

static int poll_until(int64_t until)
{
	int64_t left = until - slip__os_now();
	if (left <= 0)
		return slip__fail_silently(ETIMEDOUT);
	return slip__os_sleep(left < POLL_NS ? left : POLL_NS);
}

enum slip__woken slip__wait(const struct slip__watch *watches, size_t count, int64_t spin_until, int64_t look_at, int64_t deadline)
{
	struct slip__futex futexes[SLIP__FUTEX_MANY];
	int64_t until = look_at < deadline ? look_at : deadline;
	if (spin_until > 0 && spin(watches, count, spin_until < until ? spin_until : until))
		return SLIP__WOKEN_READY;
	for (;;) {
		if (any_ready(watches, count))
			return SLIP__WOKEN_READY;
		int64_t now = slip__os_now();
		if (now >= deadline) {
			/* A look, not a wait: going to sleep to be woken at once takes a hundred times as long. */
			(void)slip__fail_silently(ETIMEDOUT);
			return SLIP__WOKEN_FAILED;
		}
		/* Here, because whoever changes fw or wakes all the time keeps us from sleeping that long. */
		if (now >= look_at)
			return SLIP__WOKEN_LOOK;
		enum sleep_way way = prepare(watches, count, futexes);
		if (way == SLEEP_NOT)
			continue;
		int slept = way == SLEEP_ON_ALL ? sleep_on(futexes, count, until) : poll_until(until);
		/* A kernel before 5.16 (ENOSYS), a container's filter (EPERM): that is no end of the wait. */
		if (slept != 0 && errno != ETIMEDOUT && errno != EINTR)
			slept = poll_until(until);
		if (slept == 0)
			continue;
		if (any_ready(watches, count))
			return SLIP__WOKEN_READY;
		if (errno == ETIMEDOUT && until < deadline)
			return SLIP__WOKEN_LOOK;
		return SLIP__WOKEN_FAILED;
	}
}
