#include "error.h"
#include "support.h"

#include <criterion/criterion.h>
#include <pthread.h>

Test(error, a_failure_leaves_errno_and_a_sentence)
{
	cr_assert_str_eq(slip_error_detail(), "");
	cr_assert_eq(slip__fail(EINVAL, "the value is %d", 7), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_str_eq(slip_error_detail(), "the value is 7");
	cr_assert_null(slip__fail_null(ENOMEM, "none"));
	cr_assert_eq(slip__fail_silently(EAGAIN), -1);
	cr_assert_str_eq(slip_error_detail(), "none");
}

static void *other(void *unused)
{
	(void)unused;
	return strlen(slip_error_detail()) == 0 ? NULL : "set";
}

Test(error, each_thread_has_its_own)
{
	slip__fail(EINVAL, "mine");
	pthread_t thread;
	void *result;
	pthread_create(&thread, NULL, other, NULL);
	pthread_join(thread, &result);
	cr_assert_null(result);
}

Test(error, a_long_sentence_is_cut_not_overrun)
{
	char text[2000];
	memset(text, 'x', sizeof(text));
	text[1999] = '\0';
	slip__fail(EINVAL, "%s", text);
	cr_assert_lt(strlen(slip_error_detail()), 512);
}
