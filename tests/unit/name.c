#include "name.h"
#include "support.h"

#include <criterion/criterion.h>

Test(name, accepts_letters_digits_and_a_few_signs)
{
	cr_assert_eq(slip__name_check("base", "camera_01"), 0);
	cr_assert_eq(slip__name_check("base", "a.b-c:d+e"), 0);
	cr_assert_eq(slip__name_check("base", "..."), 0);
}

Test(name, refuses_the_rest_with_the_right_errno)
{
	const char *bad[] = {"", ".", "..", "a/b", "a b", "a@b", "caf\xc3\xa9", "a\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		cr_assert_eq(slip__name_check("base", bad[i]), -1, "'%s'", bad[i]);
		cr_assert_eq(errno, EINVAL);
	}
	cr_assert_eq(slip__name_check("base", NULL), -1);
	char name[200];
	memset(name, 'a', sizeof(name));
	name[100] = '\0';
	cr_assert_eq(slip__name_check("base", name), 0);
	name[100] = 'a';
	name[101] = '\0';
	cr_assert_eq(slip__name_check("base", name), -1);
	cr_assert_eq(errno, ENAMETOOLONG);
}

Test(name, objects_of_different_channels_differ)
{
	slip_channel_name one;
	slip_channel_name two;
	char a[SLIP_OBJECT_MAX];
	char b[SLIP_OBJECT_MAX];
	cr_assert_eq(slip__name_make("a", "b_c", &one), 0);
	cr_assert_eq(slip__name_make("a_b", "c", &two), 0);
	slip__object_name(&one, SLIP__OBJECT_CONTROL, 0, a);
	slip__object_name(&two, SLIP__OBJECT_CONTROL, 0, b);
	cr_assert_str_neq(a, b);
}

Test(name, objects_parse_back)
{
	slip_channel_name name;
	slip__name_make("cam.1", "image", &name);
	for (int kind = SLIP__OBJECT_CONTROL; kind <= SLIP__OBJECT_NEW; kind++) {
		char file[SLIP_OBJECT_MAX];
		struct slip__object object;
		uint64_t id = kind == SLIP__OBJECT_CONTROL ? 0 : UINT64_C(0x0123456789abcdef);
		slip__object_name(&name, (enum slip__object_kind)kind, id, file);
		cr_assert_eq(slip__object_parse(file, &object), 0, "%s", file);
		cr_assert_eq((int)object.kind, kind);
		cr_assert_eq(object.id, id);
		cr_assert_str_eq(object.channel.base, "cam.1");
		cr_assert_str_eq(object.channel.channel, "image");
	}
}

Test(name, other_files_are_not_ours)
{
	const char *files[] = {"sem.cam_image_sem",
			       "cam_image_shm",
			       "slipring@a@b",
			       "slipring@a@b@control2",
			       "slipring@@b@control",
			       "slipring@a@b@payload.12",
			       "slipring@a@b@payload.0123456789ABCDEF",
			       "slipring@a b@c@control"};
	struct slip__object object;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		cr_assert_eq(slip__object_parse(files[i], &object), -1, "%s", files[i]);
}

Test(name, what_is_none_is_not_allowed_wherever_it_comes_from)
{
	char long_name[SLIP_NAME_MAX + 1];
	memset(long_name, 'a', SLIP_NAME_MAX);
	long_name[SLIP_NAME_MAX] = '\0';
	cr_assert(slip__name_allowed("a"));
	cr_assert(slip__name_allowed("..."));
	cr_assert_not(slip__name_allowed(""));
	cr_assert_not(slip__name_allowed("."));
	cr_assert_not(slip__name_allowed(".."));
	cr_assert_not(slip__name_allowed("a/b"));
	cr_assert_not(slip__name_allowed(long_name));
	cr_assert(slip__name_allowed(long_name + 1));
}
