#include "liveness.h"
#include "small_channel.h"

#include "os.h"

TestSuite(liveness, .init = open_channel, .fini = close_channel);

/* Stand before the library's: what happens while a place is waited for, is refused, or is given up. */
static int sleeps;
static int frees_at; /* sleep during which this place comes free; 0: never */
static void *frees;
static int no_anchor; /* errno of taking one; 0: they can be had */
static void (*before_drop)(void);

int __real_slip__os_sleep(int64_t ns);
int __wrap_slip__os_sleep(int64_t ns);
int __wrap_slip__os_sleep(int64_t ns)
{
	(void)ns;
	if (++sleeps == frees_at)
		slip__os_anchor_drop(frees);
	return 0;
}

void *__real_slip__os_anchor(const char *object, struct slip__identity identity, uint64_t byte);
void *__wrap_slip__os_anchor(const char *object, struct slip__identity identity, uint64_t byte);
void *__wrap_slip__os_anchor(const char *object, struct slip__identity identity, uint64_t byte)
{
	if (no_anchor == 0)
		return __real_slip__os_anchor(object, identity, byte);
	errno = no_anchor;
	return NULL;
}

void __real_slip__os_anchor_drop(void *anchor);
void __wrap_slip__os_anchor_drop(void *anchor);
void __wrap_slip__os_anchor_drop(void *anchor)
{
	if (before_drop != NULL)
		before_drop();
	__real_slip__os_anchor_drop(anchor);
}

enum { PLACES = 5 };
static const char *crowded_base;
static slip_writer *crowded;
static struct slip__segment segment;

/* A channel with more places than the suite's. */
static void open_crowded(void)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	slip_channel_name crowded_name;
	slip_array a = bytes_array("x", 1);
	options.max_readers = PLACES;
	options.slots = 4;
	crowded_base = own_base("crowded");
	cr_assert_eq(slip__name_make(crowded_base, "image", &crowded_name), 0);
	crowded = slip_writer_open(crowded_base, &options);
	cr_assert_eq(slip_set_array(crowded, "image", &a), 0);
	cr_assert_eq(slip__segment_open(&crowded_name, NULL, SLIP__VIEW_READER, &segment), 0);
}

static void close_crowded(void)
{
	slip__segment_close(&segment);
	slip_writer_close(crowded);
	cr_assert_eq(objects_with(crowded_base), 0);
}

static uint64_t bit(uint32_t reader)
{
	return UINT64_C(1) << reader;
}

static void mark(uint32_t slot, uint64_t bits)
{
	a64_or_relaxed(slip__pins(&segment.ring, slot), bits);
}

static uint64_t marks(uint32_t slot)
{
	return a64_load_relaxed(slip__pins(&segment.ring, slot));
}

static void spoil_entry(uint32_t reader)
{
	struct slip__reader_entry *e = slip__segment_reader(&segment, reader);
	a32_store_relaxed(&e->pid, 99);
	a32_store_relaxed(&e->flags, 99);
	a64_store_relaxed(&e->got, 99);
	a64_store_relaxed(&e->missed, 99);
	a64_store_relaxed(&e->last_seq, 99);
	a64_store_relaxed(&e->attached_ns, 99);
	for (int i = 0; i < SLIP_AGE_BUCKETS; i++)
		a64_store_relaxed(&e->ages[i], 99);
}

static bool entry_is_spoilt(uint32_t reader)
{
	const struct slip__reader_entry *e = slip__segment_reader(&segment, reader);
	bool spoilt = a32_load_relaxed(&e->pid) == 99 && a32_load_relaxed(&e->flags) == 99 && a64_load_relaxed(&e->got) == 99 &&
		      a64_load_relaxed(&e->missed) == 99 && a64_load_relaxed(&e->last_seq) == 99;
	for (int i = 0; i < SLIP_AGE_BUCKETS; i++)
		spoilt = spoilt && a64_load_relaxed(&e->ages[i]) == 99;
	return spoilt;
}

static uint32_t leaving;

/* Whoever takes its byte next must not find anything of it; nor have anything of its own wiped by it. */
static void expect_all_of_it_gone(void)
{
	const struct slip__reader_entry *e = slip__segment_reader(&segment, leaving);
	cr_assert_eq(a32_load_relaxed(&e->pid), 0);
	cr_assert_eq(a32_load_relaxed(&e->flags), 0);
	cr_assert_eq((a64_load_relaxed(&segment.header->in_order) | a64_load_relaxed(&segment.header->attached)) & bit(leaving), 0);
	for (uint32_t s = 0; s < segment.geometry.slots; s++)
		cr_assert_eq(marks(s) & bit(leaving), 0);
}

Test(liveness, a_reader_begins_with_an_entry_of_its_own_and_leaves_none)
{
	uint32_t first;
	uint32_t mine;
	open_crowded();
	void *one = slip__liveness_take_reader(&segment, &first);
	cr_assert_eq(first, 0);
	for (uint32_t i = 0; i < PLACES; i++)
		spoil_entry(i);
	a64_store_relaxed(&segment.header->in_order, 3);
	a64_store_relaxed(&segment.header->attached, 3);
	int64_t before = slip__os_now();
	void *anchor = slip__liveness_take_reader(&segment, &mine);
	cr_assert_eq(mine, 1);
	const struct slip__reader_entry *e = slip__segment_reader(&segment, mine);
	cr_assert_eq(a32_load_relaxed(&e->pid), (uint32_t)getpid());
	cr_assert_eq(a32_load_relaxed(&e->flags), 0);
	cr_assert_eq(a64_load_relaxed(&e->got), 0);
	cr_assert_eq(a64_load_relaxed(&e->missed), 0);
	cr_assert_eq(a64_load_relaxed(&e->last_seq), 0);
	cr_assert_geq(a64_load_relaxed(&e->attached_ns), (uint64_t)before);
	cr_assert_leq(a64_load_relaxed(&e->attached_ns), (uint64_t)slip__os_now());
	for (int i = 0; i < SLIP_AGE_BUCKETS; i++)
		cr_assert_eq(a64_load_relaxed(&e->ages[i]), 0);
	/* Neither shown yet, nor the neighbours touched. */
	cr_assert_eq(a64_load_relaxed(&segment.header->in_order), 1);
	cr_assert_eq(a64_load_relaxed(&segment.header->attached), 1);
	cr_assert(entry_is_spoilt(0) && entry_is_spoilt(2));
	slip__liveness_show_reader(&segment, mine);
	cr_assert_eq(a64_load_relaxed(&segment.header->attached), 3);
	a32_store_relaxed(&slip__segment_reader(&segment, mine)->flags, SLIP__READER_IN_ORDER);
	a64_store_relaxed(&segment.header->in_order, 3);
	leaving = mine;
	before_drop = expect_all_of_it_gone;
	slip__liveness_drop_reader(&segment, mine, anchor);
	before_drop = NULL;
	cr_assert_eq(a64_load_relaxed(&segment.header->in_order), 1);
	cr_assert_eq(a64_load_relaxed(&segment.header->attached), 1);
	cr_assert(entry_is_spoilt(0) && entry_is_spoilt(2));
	slip__liveness_drop_reader(&segment, first, one);
	close_crowded();
}

Test(liveness, a_newcomer_clears_its_own_place_and_the_deads_but_no_live_ones)
{
	uint32_t first;
	uint32_t mine;
	open_crowded();
	void *one = slip__liveness_take_reader(&segment, &first);
	mark(0, bit(0));
	mark(1, bit(0) | bit(1));
	mark(2, bit(2) | bit(4));
	mark(3, bit(1));
	void *anchor = slip__liveness_take_reader(&segment, &mine);
	cr_assert_eq(mine, 1);
	cr_assert_eq(marks(0), 1);
	cr_assert_eq(marks(1), 1);
	cr_assert_eq(marks(2), 0);
	cr_assert_eq(marks(3), 0);
	slip__slot_clear_own(&segment.ring, 1);
	slip__liveness_drop_reader(&segment, mine, anchor);
	slip__liveness_drop_reader(&segment, first, one);
	close_crowded();
}

Test(liveness, only_those_that_are_asked_about_are_reclaimed)
{
	uint32_t readers[3];
	void *anchors[3];
	open_crowded();
	for (int i = 0; i < 3; i++)
		anchors[i] = slip__liveness_take_reader(&segment, &readers[i]);
	slip__liveness_drop_reader(&segment, 1, anchors[1]);
	mark(0, bit(0) | bit(1) | bit(2) | bit(3) | bit(4));
	spoil_entry(3);
	leaving = 4;
	before_drop = expect_all_of_it_gone;
	cr_assert_eq(slip__liveness_reclaim(&segment, bit(4)), 0, "nobody lives there");
	before_drop = NULL;
	cr_assert_eq(marks(0), bit(0) | bit(1) | bit(2) | bit(3));
	cr_assert(entry_is_spoilt(3));
	cr_assert_eq(slip__liveness_reclaim(&segment, bit(0) | bit(1) | bit(2)), bit(0) | bit(2));
	cr_assert_eq(marks(0), bit(0) | bit(2) | bit(3));
	slip__slot_clear_own(&segment.ring, UINT64_MAX >> 2);
	slip__liveness_drop_reader(&segment, 0, anchors[0]);
	slip__liveness_drop_reader(&segment, 2, anchors[2]);
	close_crowded();
}

Test(liveness, the_place_after_the_last_is_none)
{
	open_crowded();
	/* Behind the table come the ring's lines, and behind the last slot the end. */
	cr_assert_eq((char *)slip__segment_reader(&segment, PLACES), (char *)segment.ring.ring,
		     "the table is followed at once by what is looked at");
	for (uint32_t i = 0; i < segment.ring.ring_length; i++)
		a64_store_relaxed(&segment.ring.ring[i], 99);
	mark(0, bit(PLACES));
	cr_assert_eq(slip__liveness_reclaim(&segment, bit(PLACES)), 0);
	cr_assert_eq(marks(0), 0);
	for (uint32_t i = 0; i < segment.ring.ring_length; i++)
		cr_assert_eq(a64_load_relaxed(&segment.ring.ring[i]), 99);
	close_crowded();
}

Test(liveness, who_only_says_that_it_reads_in_order_is_marked_and_so_is_who_holds_a_slot)
{
	open_crowded();
	a64_store_relaxed(&segment.header->in_order, bit(1));
	a64_store_relaxed(&segment.header->attached, bit(2));
	mark(3, bit(4) | SLIP__PIN_OWN | SLIP__PIN_WRITING);
	cr_assert_eq(slip__liveness_marked(&segment), bit(1) | bit(2) | bit(4));
	/* A ring of one slot less has that one no more. */
	segment.geometry.slots--;
	cr_assert_eq(slip__liveness_marked(&segment), bit(1) | bit(2));
	segment.geometry.slots++;
	a64_store_relaxed(slip__pins(&segment.ring, 3), 0);
	close_crowded();
}

/* The suite's channel has two places. */
static void take_both(struct slip__segment *s, void *anchors[2])
{
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, s), 0);
	for (uint32_t i = 0, mine; i < 2; i++) {
		anchors[i] = slip__liveness_take_reader(s, &mine);
		cr_assert_not_null(anchors[i]);
		cr_assert_eq(mine, i);
	}
}

static void drop_both(struct slip__segment *s, void *const anchors[2])
{
	for (uint32_t i = 0; i < 2; i++)
		slip__liveness_drop_reader(s, i, anchors[i]);
	slip__segment_close(s);
}

Test(liveness, a_full_table_is_asked_nine_times_and_a_place_that_comes_free_is_taken)
{
	enum { ROUNDS = 8 };
	struct slip__segment s;
	uint32_t mine;
	void *anchors[2];
	take_both(&s, anchors);
	cr_assert_eq(sleeps, 0);
	cr_assert_null(slip__liveness_take_reader(&s, &mine));
	cr_assert_eq(errno, EUSERS);
	cr_assert_not_null(strstr(slip_error_detail(), "has its 2 readers attached"));
	cr_assert_eq(sleeps, ROUNDS);
	for (frees_at = 1; frees_at <= ROUNDS; frees_at += ROUNDS - 1) {
		sleeps = 0;
		frees = anchors[1];
		anchors[1] = slip__liveness_take_reader(&s, &mine);
		cr_assert_not_null(anchors[1]);
		cr_assert_eq(mine, 1);
		cr_assert_eq(sleeps, frees_at);
	}
	drop_both(&s, anchors);
}

Test(liveness, what_else_keeps_a_reader_from_a_place_is_told_at_once)
{
	struct slip__segment s;
	uint32_t mine;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	no_anchor = ENOMEM;
	cr_assert_null(slip__liveness_take_reader(&s, &mine));
	cr_assert_eq(errno, ENOMEM);
	cr_assert_eq(sleeps, 0);
	no_anchor = 0;
	slip__segment_close(&s);
}

Test(liveness, a_full_table_of_a_ring_that_was_replaced_is_ENOENT)
{
	struct slip__segment s;
	uint32_t mine;
	void *anchors[2];
	take_both(&s, anchors);
	slip_writer_close(writer);
	open_channel();
	cr_assert_null(slip__liveness_take_reader(&s, &mine));
	cr_assert_eq(errno, ENOENT);
	drop_both(&s, anchors);
}

Test(liveness, reader_places_run_out_with_EUSERS_and_come_back)
{
	struct slip__segment s;
	uint32_t mine;
	void *anchors[2];
	take_both(&s, anchors);
	cr_assert_null(slip__liveness_take_reader(&s, &mine));
	cr_assert_eq(errno, EUSERS);
	slip__liveness_drop_reader(&s, 0, anchors[0]);
	anchors[0] = slip__liveness_take_reader(&s, &mine);
	cr_assert_not_null(anchors[0]);
	cr_assert_eq(mine, 0);
	drop_both(&s, anchors);
}

Test(liveness, a_full_table_of_a_ring_that_is_gone_is_ENOENT)
{
	struct slip__segment s;
	uint32_t mine;
	void *anchors[2];
	take_both(&s, anchors);
	slip_writer_close(writer);
	writer = NULL;
	cr_assert_null(slip__liveness_take_reader(&s, &mine));
	cr_assert_eq(errno, ENOENT);
	drop_both(&s, anchors);
}

Test(liveness, a_dead_readers_marks_are_reclaimed_and_a_live_ones_are_not)
{
	struct slip__segment s;
	uint32_t mine;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	void *anchor = slip__liveness_take_reader(&s, &mine);
	a64_or_relaxed(slip__pins(&s.ring, 0), UINT64_C(1) << mine | UINT64_C(1) << 1); /* place 1 has no owner */
	cr_assert_eq(mine, 0);
	cr_assert_eq(slip__liveness_reclaim(&s, 3), 1);
	cr_assert_eq(a64_load_relaxed(slip__pins(&s.ring, 0)), 1);
	slip__slot_release(&s.ring, 0, 1);
	slip__liveness_drop_reader(&s, mine, anchor);
	slip__segment_close(&s);
}

Test(liveness, marks_of_readers_that_cannot_be_are_cleared)
{
	struct slip__segment s;
	slip_array a = bytes_array("y", 1);
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	/* Two places are all there are. A peer that wrote this may be long dead; every slot would be held for ever. */
	for (uint32_t slot = 0; slot < s.geometry.slots; slot++)
		a64_or_relaxed(slip__pins(&s.ring, slot), UINT64_C(1) << (2 + slot) | UINT64_C(1) << 61);
	cr_assert_eq(slip_set_array(writer, "image", &a), 0, "%s", slip_error_detail());
	for (uint32_t slot = 0; slot < s.geometry.slots; slot++)
		cr_assert_eq(a64_load_relaxed(slip__pins(&s.ring, slot)), 0);
	slip__segment_close(&s);
}

Test(liveness, a_reader_that_has_only_said_that_it_reads_in_order_is_not_yet_attached)
{
	struct slip__segment s;
	uint32_t mine;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	void *anchor = slip__liveness_take_reader(&s, &mine);
	/* It has yet to look which frame it begins with: who counted it now could publish frames that it will not have. */
	a64_or_relaxed(&s.header->in_order, UINT64_C(1) << mine);
	cr_assert_eq(slip__liveness_attached(&s), 0);
	cr_assert_eq(slip_readers_attached(writer, "image"), 0);
	slip__liveness_show_reader(&s, mine);
	cr_assert_eq(slip__liveness_attached(&s), UINT64_C(1) << mine);
	cr_assert_eq(slip_readers_attached(writer, "image"), 1);
	slip__liveness_drop_reader(&s, mine, anchor);
	cr_assert_eq(slip_readers_attached(writer, "image"), 0);
	slip__segment_close(&s);
}

Test(liveness, a_newcomer_clears_what_its_predecessor_left)
{
	struct slip__segment s;
	uint32_t mine;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	a64_or_relaxed(slip__pins(&s.ring, 2), 1);
	void *anchor = slip__liveness_take_reader(&s, &mine);
	cr_assert_eq(mine, 0);
	cr_assert_eq(a64_load_relaxed(slip__pins(&s.ring, 2)), 0);
	slip__liveness_drop_reader(&s, mine, anchor);
	slip__segment_close(&s);
}

Test(liveness, the_writers_byte_says_that_it_lives)
{
	struct slip__segment s;
	cr_assert_eq(slip__segment_open(&name, NULL, SLIP__VIEW_READER, &s), 0);
	cr_assert(slip__liveness_writer_alive(&s));
	cr_assert_null(slip__liveness_take_writer(&s, SLIP__OBJECT_CONTROL));
	cr_assert_eq(errno, EAGAIN);
	slip__segment_close(&s);
}
