/* What is written of a run and of a machine. SPDX-License-Identifier: Apache-2.0 */
#include "result.h"
#include "json.h"
#include "support.h"

#include <criterion/criterion.h>

/* Of three frames, and of none. */
static struct drive_result result;

static const char *no_version(void)
{
	return "";
}

/* What was written; free it. */
static char *text_of(const struct drive_plan *plan)
{
	char *text = NULL;
	size_t size;
	const struct transport transport = {.name = "a \"pipe\"", .how = "back\\slash, tab\t, \x7f", .version = no_version};
	FILE *to = open_memstream(&text, &size);
	drive_json(to, &transport, plan, &result);
	cr_assert_eq(fclose(to), 0);
	return text;
}

Test(result, a_run_is_one_line_of_JSON)
{
	struct drive_plan plan = {.setup = {.size = 64, .readers = 2, .waiting = WAIT_SLEEP, .loan = true},
				  .writer_cpu = 1,
				  .reader_cpus = {2, 3},
				  .reader_cpu_count = 2,
				  .interval_ns = 1000,
				  .read_all = true};
	for (uint64_t ns = 10; ns <= 30; ns += 10)
		histogram_add(&result.latency, ns);
	result.sent = 3;
	result.got = 5;
	result.missed = 1;
	result.least_got = 2;
	result.seconds = 0.5;
	char *text = text_of(&plan);
	const char *begin = "{\"transport\":\"a \\\"pipe\\\"\",\"version\":\"\",\"how\":\"back\\\\slash, tab\\u0009, "
			    "\\u007f\",\"size\":64,\"waiting\":\"sleep\","
			    "\"give\":\"loan\",\"readers\":2,\"interval_ns\":1000,\"read_all\":true,\"one_by_one\":false,\"writer_cpu\":1,"
			    "\"reader_cpus\":[2,3],"
			    "\"sent\":3,\"got\":5,\"missed\":1,\"torn\":0,\"least_got\":2,\"seconds\":0.500000,\"latency\":{\"count\":3,"
			    "\"min\":10,\"p50\":20,";
	cr_assert_eq(strncmp(text, begin, strlen(begin)), 0, "%s", text);
	cr_assert_not_null(strstr(text, "\"cells\":[[10,1],[20,1],[30,1]]},\"cost\":null,\"last\":null}"), "%s", text);
	cr_assert_null(strchr(text, '\n'));
	free(text);
	plan = (struct drive_plan){.setup = {.size = 64, .waiting = WAIT_SPIN}, .writer_cpu = -1, .one_by_one = true};
	text = text_of(&plan);
	cr_assert_not_null(
		strstr(text,
		       "\"waiting\":\"spin\",\"give\":\"copy\",\"readers\":0,\"interval_ns\":0,\"read_all\":false,\"one_by_one\":true"),
		"%s", text);
	cr_assert_not_null(strstr(text, "\"writer_cpu\":-1,\"reader_cpus\":[]"), "%s", text);
	free(text);
}
