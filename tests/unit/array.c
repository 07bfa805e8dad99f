#include "array.h"
#include "support.h"

#include <criterion/criterion.h>

static slip_array image(const void *data)
{
	slip_array a = SLIP_ARRAY_INIT;
	a.data = data;
	a.dtype = SLIP_U8;
	a.ndim = 3;
	a.shape[0] = 4;
	a.shape[1] = 5;
	a.shape[2] = 3;
	return a;
}

Test(array, contiguous_strides_are_filled_in)
{
	struct slip__array array;
	slip_array a = image("");
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_COPIED, &array), 0);
	cr_assert_eq(array.bytes, 60);
	cr_assert_eq(array.strides[0], 15);
	cr_assert_eq(array.strides[2], 1);
	cr_assert(array.source_contiguous);
}

Test(array, a_scalar_is_one_element_and_an_empty_array_none)
{
	struct slip__array array;
	slip_array a = image("");
	a.ndim = 0;
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_COPIED, &array), 0);
	cr_assert_eq(array.bytes, 1);
	a = image(NULL);
	a.shape[1] = 0;
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_COPIED, &array), 0);
	cr_assert_eq(array.bytes, 0);
}

Test(array, a_loan_may_ask_for_a_row_pitch)
{
	struct slip__array array;
	slip_array a = image(NULL);
	a.strides[0] = 64;
	a.strides[1] = 3;
	a.strides[2] = 1;
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_LOANED, &array), 0);
	cr_assert_eq(array.bytes, 3 * 64 + 15);
	cr_assert_not(array.contiguous);
	a.strides[0] = 14; /* rows would overlap */
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_LOANED, &array), -1);
	cr_assert_eq(errno, EINVAL);
	a.strides[0] = -64;
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_LOANED, &array), -1);
}

Test(array, bad_input_names_what_is_wrong)
{
	struct slip__array array;
	slip_array a = image("");
	a.ndim = 9;
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_COPIED, &array), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert(strstr(slip_error_detail(), "9 dimensions") != NULL, "%s", slip_error_detail());
	a = image("");
	a.shape[1] = -1;
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_COPIED, &array), -1);
	cr_assert_eq(errno, EINVAL);
	a = image("");
	a.shape[0] = a.shape[1] = INT64_MAX / 2;
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_COPIED, &array), -1);
	cr_assert_eq(errno, EOVERFLOW);
	a = image(NULL);
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_COPIED, &array), -1);
	cr_assert_eq(errno, EINVAL);
	a = image("");
	a.encoding = "an encoding that is too long";
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_COPIED, &array), -1);
	cr_assert_eq(errno, EINVAL);
	a = image("");
	a.metadata = "";
	a.metadata_size = SLIP_METADATA_MAX + 1;
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_COPIED, &array), -1);
	cr_assert_eq(errno, EMSGSIZE);
	a = image("");
	a.struct_size = 8;
	cr_assert_eq(slip__array_check(&a, SLIP__ARRAY_COPIED, &array), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(slip__array_check(NULL, SLIP__ARRAY_COPIED, &array), -1);
}

Test(array, fits_refuses_strides_that_lead_outside)
{
	int64_t shape[] = {4, 5};
	int64_t strides[] = {5, 1};
	cr_assert(slip__array_fits(1, 2, shape, strides, 20));
	cr_assert_not(slip__array_fits(1, 2, shape, strides, 19));
	strides[0] = INT64_MAX;
	cr_assert_not(slip__array_fits(1, 2, shape, strides, 20));
	strides[0] = -5;
	cr_assert_not(slip__array_fits(1, 2, shape, strides, 20));
}

Test(array, negative_extents_and_strides_fit_nowhere)
{
	const int64_t shape[2] = {2, 3};
	const int64_t strides[2] = {3, 1};
	const int64_t negative[2] = {-2, 3};
	const int64_t backwards[2] = {3, -1};
	cr_assert(slip__array_fits(1, 2, shape, strides, 6));
	cr_assert_not(slip__array_fits(1, 2, negative, strides, 6));
	cr_assert_not(slip__array_fits(1, 2, shape, backwards, 6));
	cr_assert_not(slip__array_fits(1, 2, shape, strides, 5));
}
