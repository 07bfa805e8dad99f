#include "segment.h"
#include "support.h"

#include <criterion/criterion.h>

static slip_channel_name name;
static struct slip__segment made;

static void make_segment(void)
{
	struct slip__plan plan = {.slots = 5,
				  .max_readers = 3,
				  .leases_per_reader = 1,
				  .max_loans = 1,
				  .capacity = 5000,
				  .permissions = 0644,
				  .observers = 0004,
				  .epoch = 9,
				  .generation = 1,
				  .first_seq = 1};
	cr_assert_eq(slip__name_make(own_base("segment"), "image", &name), 0);
	cr_assert_eq(slip__segment_make(&name, &plan, &made), 0, "%s", slip_error_detail());
	char from[SLIP_OBJECT_MAX];
	char to[SLIP_OBJECT_MAX];
	slip__object_name(&name, SLIP__OBJECT_NEW, made.geometry.id, from);
	slip__object_name(&name, SLIP__OBJECT_CONTROL, 0, to);
	cr_assert_eq(slip__os_rename(from, to, false), 0);
}

static void remove_segment(void)
{
	slip__segment_unlink(&made);
	slip__segment_close(&made);
	cr_assert_eq(objects_with(name.base), 0);
}

TestSuite(segment, .init = make_segment, .fini = remove_segment);

Test(segment, opens_as_it_was_made)
{
	struct slip__segment opened;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &opened), 0, "%s", slip_error_detail());
	cr_assert_eq(memcmp(&opened.geometry, &made.geometry, sizeof(made.geometry)), 0);
	cr_assert_eq(opened.geometry.capacity, 8192);
	cr_assert_eq(opened.geometry.ring_length, 8);
	cr_assert_eq(slip__segment_check(&opened), 0);
	slip__segment_close(&opened);
}

Test(segment, permissions_are_exact_and_observers_cannot_write)
{
	cr_assert_eq(slip__segment_control_mode(0644, 0004), 0664);
	cr_assert_eq(slip__segment_control_mode(0600, 0), 0600);
	cr_assert_eq(slip__segment_control_mode(0444, 0), 0666);
	cr_assert_eq(made.permissions, 0644);
	struct slip__file file;
	slip__os_stat_fd(made.fd, &file);
	cr_assert_eq(file.permissions, 0664);
}

static void expect_refused(int err)
{
	struct slip__segment opened;
	errno = 0;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &opened), -1);
	cr_assert_eq(errno, err, "%s", slip_error_detail());
	cr_assert(strlen(slip_error_detail()) > 0);
}

Test(segment, a_header_that_cannot_be_is_refused)
{
	struct slip__geometry *shared = &made.header->geometry;
	const struct slip__geometry good = *shared;
	shared->magic++;
	expect_refused(EBADMSG);
	*shared = good;
	shared->layout_version++;
	expect_refused(EPROTONOSUPPORT);
	*shared = good;
	shared->byte_order = 0x04030201;
	expect_refused(EPROTONOSUPPORT);
	*shared = good;
	shared->slots = 6; /* one more than there is room for */
	expect_refused(EBADMSG);
	*shared = good;
	shared->capacity *= 2;
	expect_refused(EBADMSG);
	*shared = good;
	shared->slots_at += 64;
	expect_refused(EBADMSG);
	*shared = good;
	shared->max_readers = 63;
	expect_refused(EBADMSG);
	*shared = good;
	shared->payload_inode++;
	expect_refused(EBADMSG);
	*shared = good;
}

Test(segment, every_flipped_byte_of_the_header_is_refused_or_harmless)
{
	unsigned char *bytes = (unsigned char *)&made.header->geometry;
	for (size_t i = 0; i < sizeof(struct slip__geometry); i++)
		for (int bit = 0; bit < 8; bit++) {
			bytes[i] = (unsigned char)(bytes[i] ^ (1 << bit));
			struct slip__segment opened;
			if (slip__segment_open(&name, NULL, SLIP__VIEW_READER, &opened) == 0) {
				/* What was accepted can be walked without leaving the mapping. */
				(void)slip__segment_check(&opened);
				slip__segment_close(&opened);
			}
			bytes[i] = (unsigned char)(bytes[i] ^ (1 << bit));
		}
}

Test(segment, check_names_the_word_that_is_wrong)
{
	cr_assert_eq(slip__segment_check(&made), 0);
	a64_store_relaxed(slip__seq(&made.ring, 2), 7);
	cr_assert_eq(slip__segment_check(&made), -1);
	cr_assert(strstr(slip_error_detail(), "slot 2") != NULL, "%s", slip_error_detail());
	a64_store_relaxed(slip__seq(&made.ring, 2), 0);
	a64_store_relaxed(&made.header->head, UINT64_C(3) << 16 | 900);
	cr_assert_eq(slip__segment_check(&made), -1);
}

Test(segment, a_plan_too_large_is_an_overflow_and_one_without_room_leaves_nothing)
{
	struct slip__geometry geometry;
	struct slip__plan plan = {.slots = 1024, .max_readers = 62, .capacity = (uint64_t)INT64_MAX / 2};
	cr_assert_eq(slip__segment_lay_out(&plan, &geometry), -1);
	cr_assert_eq(errno, EOVERFLOW);
}

static void expect_wrong(const char *word)
{
	cr_assert_eq(slip__segment_check(&made), -1, "%s", word);
	cr_assert_eq(errno, EBADMSG);
	cr_assert_not_null(strstr(slip_error_detail(), word), "%s", slip_error_detail());
}

Test(segment, check_finds_each_word_that_contradicts_another)
{
	/* A ring of two frames: seq 1 in slot 1, seq 2 in slot 3. */
	const uint32_t slots[] = {1, 3};
	for (uint32_t i = 0; i < 2; i++) {
		a64_store_relaxed(slip__pins(&made.ring, slots[i]), SLIP__PIN_WRITING);
		(void)slip__slot_publish(&made.ring, slots[i], i + 1, false, i + 1);
	}
	cr_assert_eq(slip__segment_check(&made), 0, "%s", slip_error_detail());
	a64_store_relaxed(slip__pins(&made.ring, 0), UINT64_C(1) << made.geometry.max_readers);
	expect_wrong("held by a reader beyond 3");
	a64_store_relaxed(slip__pins(&made.ring, 0), 0);
	a64_store_relaxed(slip__pins(&made.ring, 1), SLIP__PIN_WRITING);
	expect_wrong("slot 1 is being filled, but readable as seq 1");
	a64_store_relaxed(slip__pins(&made.ring, 1), 0);
	a64_store_relaxed(slip__seq(&made.ring, 4), 1);
	expect_wrong("slots 1 and 4 both have seq 1");
	a64_store_relaxed(slip__seq(&made.ring, 1), 0);
	expect_wrong("the ring does not lead to slot 4 for seq 1");
	a64_store_relaxed(slip__seq(&made.ring, 1), 1);
	a64_store_relaxed(slip__seq(&made.ring, 4), 0);
	a64_store_relaxed(slip__seq(&made.ring, 3), 0);
	expect_wrong("head says that slot 3 has seq 2; it has 0");
	a64_store_relaxed(slip__seq(&made.ring, 3), 2);
	made.geometry.first_seq = 2; /* seq 1 is from before this ring */
	expect_wrong("slot 1 has seq 1; head is at 2");
	made.geometry.first_seq = 1;
	a64_store_relaxed(&made.ring.ring[1], UINT64_C(1) << 16 | 2);
	expect_wrong("the ring does not lead to slot 1 for seq 1");
	a64_store_relaxed(&made.ring.ring[1], UINT64_C(1) << 16 | 1);
	/* WRITING over what nobody may read is no fault. */
	a64_store_relaxed(slip__pins(&made.ring, 0), SLIP__PIN_WRITING);
	cr_assert_eq(slip__segment_check(&made), 0, "%s", slip_error_detail());
	a64_store_relaxed(slip__pins(&made.ring, 0), 0);
	a64_store_relaxed(slip__seq(&made.ring, 3), 2);
	cr_assert_eq(slip__segment_check(&made), 0, "%s", slip_error_detail());
}

Test(segment, a_payload_with_a_second_name_is_read_but_not_written_to)
{
	char object[SLIP_OBJECT_MAX];
	char path[2][512];
	struct slip__segment opened;
	slip__object_name(&name, SLIP__OBJECT_PAYLOAD, made.geometry.id, object);
	(void)snprintf(path[0], sizeof(path[0]), "%s/%s", slip__os_directory(), object);
	(void)snprintf(path[1], sizeof(path[1]), "%s/%s-second", slip__os_directory(), name.base);
	cr_assert_eq(link(path[0], path[1]), 0);
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &opened), 0, "%s", slip_error_detail());
	cr_assert_eq(slip__segment_map_payload(&opened, SLIP__READ_WRITE), -1);
	cr_assert_eq(errno, EPERM);
	slip__segment_close(&opened);
	cr_assert_eq(unlink(path[1]), 0);
}

Test(segment, a_payload_of_another_user_is_refused)
{
	char object[SLIP_OBJECT_MAX];
	char path[512];
	slip__object_name(&name, SLIP__OBJECT_PAYLOAD, made.geometry.id, object);
	(void)snprintf(path, sizeof(path), "%s/%s", slip__os_directory(), object);
	if (chown(path, 65534, (gid_t)-1) != 0)
		cr_skip_test("giving a file to another user needs root");
	expect_refused(EPERM);
}
