/* SPDX-License-Identifier: Apache-2.0 */
#include "segment.h"

#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t power = 1;
	while (power < at_least)
		power *= 2;
	return power;
}

int slip__segment_lay_out(const struct slip__plan *plan, struct slip__geometry *g)
{
	uint64_t page = slip__os_page_size();
	memset(g, 0, sizeof(*g));
	g->magic = SLIP__MAGIC;
	g->layout_version = SLIP__LAYOUT_VERSION;
	g->byte_order = SLIP__BYTE_ORDER;
	g->word_bits = 64;
	g->page_bytes = (uint32_t)page;
	g->epoch = plan->epoch;
	g->generation = plan->generation;
	g->first_seq = plan->first_seq;
	g->slots = plan->slots;
	g->ring_length = power_of_two(plan->slots);
	g->max_readers = plan->max_readers;
	g->leases_per_reader = plan->leases_per_reader;
	g->max_loans = plan->max_loans;
	g->history = plan->history;
	g->permissions = plan->permissions;
	g->observers = plan->observers;
	/* An empty array needs no byte, but a place of its own all the same. */
	uint64_t capacity = plan->capacity > 0 ? plan->capacity : 1;
	if (capacity > (uint64_t)INT64_MAX / 2 / plan->slots)
		return slip__fail(EOVERFLOW, "%u slots of %llu bytes pass what a file can hold", plan->slots, (unsigned long long)capacity);
	g->capacity = round_up(capacity, page);
	g->slot_stride = g->capacity;
#ifdef SLIP_GUARD_PAGES
	g->slot_stride += page; /* a test build: writing past a slot is a SIGSEGV */
#endif
	g->readers_at = sizeof(struct slip__header);
	g->ring_at = g->readers_at + g->max_readers * sizeof(struct slip__reader_entry);
	g->slots_at = round_up(g->ring_at + g->ring_length * sizeof(slip__a64), SLIP__LINE);
	g->control_bytes = round_up(g->slots_at + g->slots * sizeof(struct slip__slot), page);
	g->payload_bytes = g->slots * g->slot_stride;
	return 0;
}

/* Whether a geometry read from shared memory is one that slip__segment_lay_out makes. */
static int check_geometry(const char *object, const struct slip__geometry *g, uint64_t control_bytes)
{
	if (g->magic != SLIP__MAGIC)
		return slip__fail(EBADMSG, "%s does not begin with slipring's magic number (0x%016llx found)", object,
				  (unsigned long long)g->magic);
	if (g->byte_order != SLIP__BYTE_ORDER || g->word_bits != 64)
		return slip__fail(EPROTONOSUPPORT, "%s was made with byte order 0x%08x and %u-bit words; this is 0x%08x and 64", object,
				  g->byte_order, g->word_bits, SLIP__BYTE_ORDER);
	if (g->layout_version != SLIP__LAYOUT_VERSION)
		return slip__fail(EPROTONOSUPPORT, "%s has layout version %u; this library speaks %d: update the older side", object,
				  g->layout_version, SLIP__LAYOUT_VERSION);
	if (g->page_bytes != slip__os_page_size())
		return slip__fail(EPROTONOSUPPORT, "%s was made for pages of %u bytes", object, g->page_bytes);
	if (g->slots < 2 || g->slots > SLIP_MAX_SLOTS || g->max_readers < 1 || g->max_readers > SLIP_MAX_READERS ||
	    g->leases_per_reader < 1 || g->leases_per_reader > SLIP_MAX_LEASES || g->max_loans < 1 || g->max_loans > SLIP_MAX_LOANS ||
	    g->history >= g->slots || g->id == 0 || g->epoch == 0 || g->generation == 0 || g->generation == UINT64_MAX ||
	    g->first_seq == 0 || g->first_seq > SLIP__SEQ_MAX)
		return slip__fail(EBADMSG, "%s has a header that cannot be (%u slots, %u readers, first seq %llu)", object, g->slots,
				  g->max_readers, (unsigned long long)g->first_seq);
	struct slip__plan plan = {.slots = g->slots, .max_readers = g->max_readers, .capacity = g->capacity};
	struct slip__geometry expected;
	if (slip__segment_lay_out(&plan, &expected) != 0)
		return slip__fail(EBADMSG, "%s says that a slot has %llu bytes", object, (unsigned long long)g->capacity);
	/* Guard pages are the maker's choice. */
	bool stride_fits = g->slot_stride == g->capacity || g->slot_stride == g->capacity + g->page_bytes;
	if (g->capacity != expected.capacity || !stride_fits || g->ring_length != expected.ring_length ||
	    g->readers_at != expected.readers_at || g->ring_at != expected.ring_at || g->slots_at != expected.slots_at ||
	    g->control_bytes != expected.control_bytes || g->payload_bytes != g->slots * g->slot_stride)
		return slip__fail(EBADMSG, "%s has offsets or sizes that do not fit its %u slots of %llu bytes", object, g->slots,
				  (unsigned long long)g->capacity);
	if (control_bytes != g->control_bytes)
		return slip__fail(EBADMSG, "%s has %llu bytes; its header says %llu", object, (unsigned long long)control_bytes,
				  (unsigned long long)g->control_bytes);
	return 0;
}

mode_t slip__segment_control_mode(mode_t permissions, mode_t observers)
{
	mode_t may_mark = permissions & (mode_t)~observers & 0444;
	return permissions | may_mark >> 1;
}

static int write_control(int fd, const struct slip__geometry *geometry)
{
	/* The words of a fresh control are all 0, as the file's pages are; only the geometry needs writing. */
	return slip__os_write(fd, geometry, sizeof(*geometry));
}

/* Maps what the view asks for; the descriptors stay the caller's. */
static int map_control(struct slip__segment *s, int fd, enum slip__access access)
{
	s->header = slip__os_map(fd, s->geometry.control_bytes, access);
	if (s->header == NULL)
		return -1;
	char *base = (char *)s->header;
	s->ring = (struct slip__ring){
		.head = &s->header->head,
		.ring = (slip__a64 *)(void *)(base + s->geometry.ring_at),
		.fw = &s->header->fw,
		.slots = base + s->geometry.slots_at,
		.slot_bytes = sizeof(struct slip__slot),
		.slot_count = s->geometry.slots,
		.ring_length = s->geometry.ring_length,
	};
	return 0;
}

static int map_payload(struct slip__segment *s, int fd, enum slip__access access)
{
	const struct slip__geometry *g = &s->geometry;
	s->payload = slip__os_map(fd, g->payload_bytes, access);
	if (s->payload == NULL)
		return -1;
	for (uint32_t i = 0; g->slot_stride > g->capacity && i < g->slots; i++)
		slip__os_guard(s->payload + i * g->slot_stride + g->capacity, g->slot_stride - g->capacity);
	return 0;
}

/* Links a made file; a random name that exists already would be a name chosen by somebody. */
static int link_new(int fd, const slip_channel_name *name, enum slip__object_kind kind, uint64_t id)
{
	char object[SLIP_OBJECT_MAX];
	slip__object_name(name, kind, id, object);
	return slip__os_link(fd, object);
}

static void unlink_object(const slip_channel_name *name, enum slip__object_kind kind, uint64_t id)
{
	char object[SLIP_OBJECT_MAX];
	slip__object_name(name, kind, id, object);
	int kept = errno;
	(void)slip__os_unlink(object);
	errno = kept;
}

int slip__segment_make(const slip_channel_name *name, const struct slip__plan *plan, struct slip__segment *s)
{
	memset(s, 0, sizeof(*s));
	s->name = *name;
	s->fd = -1;
	struct slip__geometry *g = &s->geometry;
	if (slip__segment_lay_out(plan, g) != 0 || slip__os_random(&g->id) != 0)
		return -1;
	g->id |= 1;
	g->made_realtime_ns = slip__os_realtime();
	struct slip__file file;
	int payload = slip__os_make(g->payload_bytes, plan->permissions);
	if (payload < 0)
		return -1;
	s->fd = slip__os_make(g->control_bytes, slip__segment_control_mode(plan->permissions, plan->observers));
	int done = -1;
	if (s->fd < 0 || slip__os_stat_fd(payload, &file) != 0)
		goto out;
	g->payload_inode = file.identity.inode;
	s->permissions = file.permissions;
	s->owner = file.owner;
	if (slip__os_stat_fd(s->fd, &file) != 0 || write_control(s->fd, g) != 0 || map_control(s, s->fd, SLIP__READ_WRITE) != 0 ||
	    map_payload(s, payload, SLIP__READ_WRITE) != 0)
		goto out;
	s->identity = file.identity;
	/* control first: while its temporary name stands, its lock tells that the payload is not left over. */
	if (link_new(s->fd, name, SLIP__OBJECT_NEW, g->id) != 0)
		goto out;
	if (link_new(payload, name, SLIP__OBJECT_PAYLOAD, g->id) != 0) {
		unlink_object(name, SLIP__OBJECT_NEW, g->id);
		goto out;
	}
	done = 0;
out:
	slip__os_close(payload);
	if (done != 0)
		slip__segment_close(s);
	return done;
}

int slip__segment_map_payload(struct slip__segment *s, enum slip__access access)
{
	char object[SLIP_OBJECT_MAX];
	slip__object_name(&s->name, SLIP__OBJECT_PAYLOAD, s->geometry.id, object);
	struct slip__file file;
	int fd = slip__os_open(object, access, &file);
	if (fd < 0)
		return -1;
	int done = -1;
	if (file.owner != s->owner)
		slip__fail(EPERM, "%s belongs to user %u, its control to user %u", object, file.owner, s->owner);
	else if (access == SLIP__READ_WRITE && file.links > 1)
		/* Whoever may write to control may have made it name any file, by a link; but ours have one name. */
		slip__fail(EPERM, "%s is a file that has %u names; it will not be written to", object, file.links);
	else if (file.identity.inode != s->geometry.payload_inode || file.size != s->geometry.payload_bytes)
		slip__fail(EBADMSG, "%s is not the payload that control names (%llu bytes, %llu expected)", object,
			   (unsigned long long)file.size, (unsigned long long)s->geometry.payload_bytes);
	else
		done = map_payload(s, fd, access);
	s->permissions = file.permissions;
	slip__os_close(fd);
	return done;
}

/* Reads the geometry through a private copy and maps control. s->fd is open. */
static int open_control(struct slip__segment *s, const char *object, const struct slip__file *file, enum slip__access access)
{
	s->identity = file->identity;
	s->owner = file->owner;
	s->permissions = file->permissions;
	if (file->size < sizeof(struct slip__header))
		return slip__fail(EBADMSG, "%s has %llu bytes; a header alone has %zu", object, (unsigned long long)file->size,
				  sizeof(struct slip__header));
	void *peek = slip__os_map(s->fd, sizeof(struct slip__header), SLIP__READ_ONLY);
	if (peek == NULL)
		return -1;
	memcpy(&s->geometry, peek, sizeof(s->geometry));
	slip__os_unmap(peek, sizeof(struct slip__header));
	if (check_geometry(object, &s->geometry, file->size) != 0)
		return -1;
	return map_control(s, s->fd, access);
}

int slip__segment_open(const slip_channel_name *name, const char *object, enum slip__segment_view view, struct slip__segment *s)
{
	char own[SLIP_OBJECT_MAX];
	if (object == NULL) {
		slip__object_name(name, SLIP__OBJECT_CONTROL, 0, own);
		object = own;
	}
	memset(s, 0, sizeof(*s));
	s->name = *name;
	struct slip__file file;
	bool marks = view == SLIP__VIEW_WRITER || view == SLIP__VIEW_READER || view == SLIP__VIEW_HEIR;
	s->fd = slip__os_open(object, marks ? SLIP__READ_WRITE : SLIP__READ_ONLY, &file);
	if (s->fd < 0)
		return -1;
	if (open_control(s, object, &file, marks ? SLIP__READ_WRITE : SLIP__READ_ONLY) != 0)
		goto failed;
	if (view == SLIP__VIEW_CONTROL || view == SLIP__VIEW_HEIR)
		return 0;
	if (slip__segment_map_payload(s, view == SLIP__VIEW_WRITER ? SLIP__READ_WRITE : SLIP__READ_ONLY) == 0)
		return 0;
	/* A payload that is gone while control still stands: control is on its way out too, or was damaged. */
	if (errno == ENOENT && slip__os_leads_to(object, s->identity))
		slip__fail(ENOENT, "%s names a payload that does not exist (any more)", object);
failed:
	slip__segment_close(s);
	return -1;
}

void slip__segment_prefault(const struct slip__segment *segment, bool write)
{
	for (uint32_t i = 0; i < segment->geometry.slots; i++)
		slip__os_prefault(slip__segment_bytes(segment, i), segment->geometry.capacity, write);
}

void slip__segment_close(struct slip__segment *s)
{
	int kept = errno;
	slip__os_unmap(s->header, s->geometry.control_bytes);
	slip__os_unmap(s->payload, s->geometry.payload_bytes);
	slip__os_close(s->fd);
	s->header = NULL;
	s->payload = NULL;
	s->fd = -1;
	errno = kept;
}

void slip__segment_unlink(const struct slip__segment *s)
{
	char object[SLIP_OBJECT_MAX];
	slip__object_name(&s->name, SLIP__OBJECT_CONTROL, 0, object);
	/* Whoever unlinks holds byte 0 of what the name leads to, so that nobody can put another one there in between. */
	if (slip__os_leads_to(object, s->identity) == 1)
		unlink_object(&s->name, SLIP__OBJECT_CONTROL, 0);
	unlink_object(&s->name, SLIP__OBJECT_PAYLOAD, s->geometry.id);
	unlink_object(&s->name, SLIP__OBJECT_NEW, s->geometry.id);
}

static int check_slot(const struct slip__segment *s, uint32_t slot, uint64_t head_seq)
{
	uint64_t pins = a64_load_relaxed(slip__pins(&s->ring, slot));
	uint64_t seq = a64_load_relaxed(slip__seq(&s->ring, slot));
	uint64_t readers = pins & ~(SLIP__PIN_WRITING | SLIP__PIN_OWN);
	if (s->geometry.max_readers < 62 && readers >> s->geometry.max_readers != 0)
		return slip__fail(EBADMSG, "slot %u is held by a reader beyond %u (pins 0x%016llx)", slot, s->geometry.max_readers,
				  (unsigned long long)pins);
	if ((pins & SLIP__PIN_WRITING) && seq != 0)
		return slip__fail(EBADMSG, "slot %u is being filled, but readable as seq %llu", slot, (unsigned long long)seq);
	if (seq != 0 && (seq < s->geometry.first_seq || seq > head_seq))
		return slip__fail(EBADMSG, "slot %u has seq %llu; head is at %llu", slot, (unsigned long long)seq,
				  (unsigned long long)head_seq);
	for (uint32_t other = 0; seq != 0 && other < slot; other++)
		if (a64_load_relaxed(slip__seq(&s->ring, other)) == seq)
			return slip__fail(EBADMSG, "slots %u and %u both have seq %llu", other, slot, (unsigned long long)seq);
	struct slip__place place;
	/* What a reader still holds may be older than the ring's list. */
	bool listed = seq != 0 && seq + s->geometry.ring_length > head_seq;
	if (listed && (slip__slot_find(&s->ring, seq, &place) != SLIP__FOUND || place.slot != slot))
		return slip__fail(EBADMSG, "the ring does not lead to slot %u for seq %llu", slot, (unsigned long long)seq);
	return 0;
}

int slip__segment_check(const struct slip__segment *s)
{
	struct slip__place head = {.seq = s->geometry.first_seq - 1, .slot = 0};
	enum slip__found found = slip__slot_latest(&s->ring, &head);
	if (found == SLIP__BROKEN)
		return slip__fail(EBADMSG, "head leads to slot %u of %u", head.slot, s->geometry.slots);
	if (found == SLIP__FOUND && a64_load_relaxed(slip__seq(&s->ring, head.slot)) != head.seq)
		return slip__fail(EBADMSG, "head says that slot %u has seq %llu; it has %llu", head.slot, (unsigned long long)head.seq,
				  (unsigned long long)a64_load_relaxed(slip__seq(&s->ring, head.slot)));
	for (uint32_t slot = 0; slot < s->geometry.slots; slot++)
		if (check_slot(s, slot, head.seq) != 0)
			return -1;
	return 0;
}
