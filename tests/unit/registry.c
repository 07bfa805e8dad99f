#include "registry.h"
#include "small_channel.h"

/* The newest frame's first byte, by an attachment's mapping. */
static char newest_byte(const struct slip__attachment *attachment)
{
	const struct slip__segment *s = slip__registry_segment(attachment);
	struct slip__place place;
	cr_assert_eq(slip__slot_latest(&s->ring, &place), SLIP__FOUND);
	return *slip__segment_bytes(s, place.slot);
}

TestSuite(registry, .init = open_channel, .fini = close_channel);

Test(registry, the_registry_shares_one_mapping)
{
	struct slip__attachment *a = slip__registry_attach(&name, SLIP__VIEW_READER);
	struct slip__attachment *b = slip__registry_attach(&name, SLIP__VIEW_READER);
	struct slip__attachment *c = slip__registry_attach(&name, SLIP__VIEW_OBSERVER);
	cr_assert_not_null(a);
	cr_assert_eq(a, b);
	cr_assert_neq(a, c);
	slip__registry_detach(c);
	slip__registry_detach(b);
	slip__registry_detach(a);
	cr_assert_null(slip__registry_attach(&(slip_channel_name){.base = "no", .channel = "such"}, SLIP__VIEW_READER));
	cr_assert_eq(errno, ENOENT);
}

Test(registry, a_replaced_channel_is_mapped_anew_while_the_old_mapping_is_in_use)
{
	struct slip__attachment *old = slip__registry_attach(&name, SLIP__VIEW_READER);
	cr_assert_not_null(old);
	slip_writer_close(writer);
	cr_assert_null(slip__registry_attach(&name, SLIP__VIEW_READER));
	cr_assert_eq(errno, ENOENT);
	writer = slip_writer_open(name.base, NULL);
	slip_array a = bytes_array("y", 1);
	cr_assert_eq(slip_set_array(writer, "image", &a), 0);
	struct slip__attachment *fresh = slip__registry_attach(&name, SLIP__VIEW_READER);
	cr_assert_not_null(fresh);
	cr_assert_neq(fresh, old);
	cr_assert_neq(slip__registry_segment(fresh)->geometry.epoch, slip__registry_segment(old)->geometry.epoch);
	cr_assert_eq(newest_byte(old), 'x');
	slip__registry_detach(old);
	slip__registry_detach(fresh);
}

Test(registry, a_child_starts_with_a_table_of_its_own)
{
	struct slip__attachment *mine = slip__registry_attach(&name, SLIP__VIEW_READER);
	pid_t child = fork();
	if (child == 0) {
		struct slip__attachment *own = slip__registry_attach(&name, SLIP__VIEW_READER);
		int good = own != NULL && own != mine;
		slip__registry_detach(own);
		slip__registry_detach(mine);
		_exit(good ? 0 : 1);
	}
	int status;
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
	cr_assert_eq(newest_byte(mine), 'x');
	slip__registry_detach(mine);
}
