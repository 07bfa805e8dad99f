/*
 * Who looks at channels and removes what the dead left, killed after every instruction of its call: the next one, or a writer, finishes the job; a channel
 * that lives notices nothing. (What qsort calls back is stepped over with it.)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "aftermath.h"

enum tool { LIST, INSPECT, SWEEP, TOOLS };

static const char *const TOOL_NAMES[TOOLS] = {"list", "inspect", "gc"};

struct shop {
	enum tool tool;
	enum call first; /* what the writer was at that died before */
	slip_writer *living;
	slip_reader *reader;
	unsigned judged;
};

static const char LIVING[] = "living";

static int tools_life(void *context)
{
	const struct shop *s = context;
	slip_channel_name *channels = NULL;
	size_t count;
	traced_mark();
	switch (s->tool) {
	case LIST: (void)slip_list_channels(NULL, &channels, &count); break;
	case INSPECT: (void)slip_channel_inspect(BASE, "a", SLIP_MODE_LOCK_FREE); break;
	default: collect(); break;
	}
	traced_mark();
	return 0;
}

static int dead_writers_life(void *context)
{
	return life(ONE, ((const struct shop *)context)->first);
}

static void publish_and_read(slip_writer *writer, slip_reader *reader, uint64_t *last)
{
	CHECK(publish_numbered(writer, "a", WORDS) == 0);
	slip_frame *f = slip_next(reader, "a", 0);
	CHECK(f != NULL);
	death_verify(f);
	death_count(&death_sum->lost, *last != 0 && f->seq != *last + 1, "lost");
	*last = f->seq;
	CHECK(slip_release(f) == 0);
}

static void open_living(void *context, int stage)
{
	struct shop *s = context;
	uint64_t last = 0;
	if (stage >= 0)
		return;
	slip_array a = words_array(WORDS);
	s->living = slip_writer_open(LIVING, NULL);
	s->reader = slip_reader_open(LIVING, NULL);
	CHECK(slip_channel_create(s->living, "a", &a) == 0);
	publish_and_read(s->living, s->reader, &last);
}

enum finished { BY_GC, BY_A_WRITER };

static int judge_tool(void *context)
{
	struct shop *s = context;
	uint64_t last = 1;
	publish_and_read(s->living, s->reader, &last);
	const int how = s->judged++ % 2 == 0 ? BY_GC : BY_A_WRITER;
	if (how == BY_A_WRITER) {
		slip_writer_stats stats = {.struct_size = sizeof(stats)};
		slip_writer *heir = open_heir(&stats);
		slip_reader *newcomer = open_reader();
		last = 0;
		publish_and_read(heir, newcomer, &last);
		const int claimed = free_slots(heir);
		add(&death_sum->claimed, (uint64_t)claimed);
		death_count(&death_sum->slots_lost, claimed != SLOTS - 1, "slots that cannot be filled");
		death_check_ring(BASE, "a", 1);
		slip_reader_close(newcomer);
		slip_writer_close(heir);
	} else {
		collect();
	}
	last = 2;
	publish_and_read(s->living, s->reader, &last);
	death_check_ring(LIVING, "a", 1);
	slip_reader_close(s->reader);
	slip_writer_close(s->living);
	death_check_directory();
	return how;
}

int main(int argc, char **argv)
{
	static const enum call dying[] = {NONE, CREATE, SET, GROW, CLOSE};
	enum { DYING = sizeof(dying) / sizeof(dying[0]) };
	static struct death_case all[TOOLS * DYING];
	static struct death_case before[TOOLS * DYING];
	static struct shop shops[TOOLS * DYING];
	static char what[TOOLS * DYING][128];
	size_t count = 0;
	for (unsigned tool = 0; tool < TOOLS; tool++)
		for (size_t i = 0; i < DYING; i++, count++) {
			shops[count] = (struct shop){.tool = tool, .first = dying[i]};
			(void)snprintf(what[count], sizeof(what[count]), "%s; then %s", CALL_NAMES[dying[i]], TOOL_NAMES[tool]);
			before[count] = (struct death_case){.body = dead_writers_life,
							    .prepare = open_living,
							    .stages = dying[i] == CREATE ? 0 : 2,
							    .before = true,
							    .context = &shops[count]};
			all[count] = (struct death_case){.what = what[count],
							 .body = tools_life,
							 .judge = judge_tool,
							 .endings = {"finished by gc", "finished by a writer"},
							 .context = &shops[count],
							 .first = &before[count]};
		}
	return death_main(argc, argv, all, count, 29, "tools");
}
