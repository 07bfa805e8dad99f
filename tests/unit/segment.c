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
