#include "dtype.h"
#include "support.h"

#include <criterion/criterion.h>

static const slip_dtype ALL[] = {
	{SLIP_UINT, 8, 1},   {SLIP_UINT, 16, 1},   {SLIP_UINT, 32, 1},	  {SLIP_UINT, 64, 1},	  {SLIP_INT, 8, 1},
	{SLIP_INT, 16, 1},   {SLIP_INT, 32, 1},	   {SLIP_INT, 64, 1},	  {SLIP_FLOAT, 16, 1},	  {SLIP_FLOAT, 32, 1},
	{SLIP_FLOAT, 64, 1}, {SLIP_BFLOAT, 16, 1}, {SLIP_COMPLEX, 64, 1}, {SLIP_COMPLEX, 128, 1}, {SLIP_BOOL, 8, 1},
};

Test(dtype, names_and_parses_every_type)
{
	for (size_t i = 0; i < sizeof(ALL) / sizeof(ALL[0]); i++) {
		char name[24];
		slip_dtype again;
		cr_assert_eq(slip_dtype_name(ALL[i], name, sizeof(name)), 0);
		cr_assert_eq(slip_dtype_parse(name, &again), 0, "%s", name);
		cr_assert(slip__dtype_equal(ALL[i], again), "%s", name);
		cr_assert_eq(slip_dtype_size(ALL[i]), ALL[i].bits / 8);
	}
}

Test(dtype, lanes_multiply_the_size)
{
	slip_dtype dtype;
	cr_assert_eq(slip_dtype_parse("float32x4", &dtype), 0);
	cr_assert_eq(slip_dtype_size(dtype), 16);
	char name[24];
	slip_dtype_name(dtype, name, sizeof(name));
	cr_assert_str_eq(name, "float32x4");
}

Test(dtype, refuses_what_is_not_a_type)
{
	slip_dtype bad[] = {{9, 8, 1}, {SLIP_UINT, 7, 1}, {SLIP_UINT, 8, 0}, {SLIP_UINT, 8, 17}, {SLIP_FLOAT, 8, 1}, {0, 0, 0}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		cr_assert_eq(slip_dtype_size(bad[i]), 0);
		cr_assert_eq(errno, EINVAL);
	}
	slip_dtype dtype;
	const char *names[] = {"uint7", "float32x0", "float32x99", "float32x4y", "", "uint8 ", "object"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_assert_eq(slip_dtype_parse(names[i], &dtype), -1, "'%s'", names[i]);
	cr_assert_eq(slip_dtype_parse(NULL, &dtype), -1);
}

Test(dtype, encodings_are_those_of_ros)
{
	char encoding[SLIP_ENCODING_MAX];
	slip__dtype_encoding(SLIP_U8, 3, encoding);
	cr_assert_str_eq(encoding, "8UC3");
	slip__dtype_encoding(SLIP_F32, 1, encoding);
	cr_assert_str_eq(encoding, "32FC1");
	slip__dtype_encoding(SLIP_U64, 1, encoding);
	cr_assert_str_eq(encoding, "");
	slip__dtype_encoding(SLIP_U8, 100, encoding);
	cr_assert_str_eq(encoding, "");
}

Test(dtype, names_only_types_and_only_where_the_name_fits)
{
	char name[24];
	cr_assert_eq(slip_dtype_name((slip_dtype){SLIP_UINT, 7, 1}, name, sizeof(name)), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_dtype_name(SLIP_U8, name, sizeof("uint8") - 1), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip_dtype_name(SLIP_U8, name, sizeof("uint8")), 0);
	slip_dtype vector = SLIP_U8;
	vector.lanes = 4;
	cr_assert_not(slip__dtype_equal(vector, SLIP_U8));
	slip_dtype dtype;
	cr_assert_eq(slip_dtype_parse("float32xx", &dtype), -1);
	char encoding[SLIP_ENCODING_MAX];
	slip__dtype_encoding(vector, 1, encoding);
	cr_assert_str_eq(encoding, "");
	slip__dtype_encoding(SLIP_U8, 0, encoding);
	cr_assert_str_eq(encoding, "");
	slip__dtype_encoding((slip_dtype){SLIP_UINT, 7, 1}, 1, encoding);
	cr_assert_str_eq(encoding, "");
}
