/* SPDX-License-Identifier: Apache-2.0 */
#include "registry.h"

#include "error.h"
#include "tsan.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-bp.h>

#include <urcu/rculfhash.h>

/*
 * ThreadSanitizer does not see into liburcu, so the two edges that liburcu makes are told to it in this file: from adding an attachment to finding it,
 * and from the end of a read section to the end of a grace period.
 */

enum { TABLE_SIZE = 64 };

struct slip__attachment {
	struct cds_lfht_node node;
	slip__a32 users; /* 0: on its way out; nobody may join */
	enum slip__segment_view view;
	uint64_t process;
	struct slip__segment segment;
};

/* The attachments of one process. A forked child starts a new table; its parent's stays with the handles that it cannot use. */
struct table {
	uint64_t process;
	struct cds_lfht *entries;
};

static slip__aptr current_table;			       /* struct table */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER; /* of making it, adding, replacing and removing */

static char grace; /* its address stands for grace periods, towards ThreadSanitizer */

struct key {
	const slip_channel_name *name;
	enum slip__segment_view view;
};

static unsigned long hash_of(const struct key *key)
{
	unsigned long hash = 14695981039346656037UL + (unsigned long)key->view; /* FNV-1a, 64 bits */
	const char *parts[] = {key->name->base, "@", key->name->channel};
	for (size_t part = 0; part < 3; part++)
		for (const char *c = parts[part]; *c != '\0'; c++)
			hash = (hash ^ (unsigned char)*c) * 1099511628211UL;
	return hash;
}

static struct slip__attachment *attachment_of(struct cds_lfht_node *node)
{
	return (struct slip__attachment *)(void *)((char *)node - offsetof(struct slip__attachment, node));
}

static int matches(struct cds_lfht_node *node, const void *wanted)
{
	const struct slip__attachment *attachment = attachment_of(node);
	const struct key *key = wanted;
	TSAN_ACQUIRE(attachment);
	return attachment->view == key->view && strcmp(attachment->segment.name.base, key->name->base) == 0 &&
	       strcmp(attachment->segment.name.channel, key->name->channel) == 0;
}

static bool join(struct slip__attachment *attachment)
{
	uint32_t users = a32_load_relaxed(&attachment->users);
	while (users != 0)
		if (a32_cas_acq_rel(&attachment->users, &users, users + 1)) /* @USERS */
			return true;
	return false;
}

static struct slip__attachment *look_up(struct cds_lfht *entries, const struct key *key)
{
	struct slip__attachment *found = NULL;
	struct cds_lfht_iter iterator;
	urcu_bp_read_lock();
	cds_lfht_lookup(entries, hash_of(key), matches, key, &iterator);
	struct cds_lfht_node *node = cds_lfht_iter_get_node(&iterator);
	if (node != NULL && join(attachment_of(node)))
		found = attachment_of(node);
	TSAN_RELEASE(&grace);
	urcu_bp_read_unlock();
	return found;
}

static bool is_current(const struct slip__attachment *attachment)
{
	char object[SLIP_OBJECT_MAX];
	slip__object_name(&attachment->segment.name, SLIP__OBJECT_CONTROL, 0, object);
	return slip__os_leads_to(object, attachment->segment.identity) != 0;
}

static void wait_for_readers(void)
{
	urcu_bp_synchronize_rcu();
	TSAN_ACQUIRE(&grace);
}

/* liburcu counts threads; a forked child has only one. The table's lock must not be one that a lost thread held. */
static void before_fork(void)
{
	pthread_mutex_lock(&table_lock);
	urcu_bp_before_fork();
}

static void after_fork_in_parent(void)
{
	urcu_bp_after_fork_parent();
	pthread_mutex_unlock(&table_lock);
}

static void after_fork_in_child(void)
{
	urcu_bp_after_fork_child();
	pthread_mutex_unlock(&table_lock);
}

static struct table *make_table(uint64_t process)
{
	struct table *table = malloc(sizeof(*table));
	struct cds_lfht *entries = cds_lfht_new_flavor(TABLE_SIZE, TABLE_SIZE, TABLE_SIZE, 0, &urcu_bp_flavor, NULL);
	if (table == NULL || entries == NULL) {
		free(table);
		if (entries != NULL)
			(void)cds_lfht_destroy(entries, NULL);
		return slip__fail_null(ENOMEM, "no memory for the table of attachments");
	}
	*table = (struct table){.process = process, .entries = entries};
	return table;
}

static struct table *table_of_process(void)
{
	static bool handlers_set;
	uint64_t process = slip__os_process_token();
	struct table *table = aptr_load_acquire(&current_table); /* @TABLE */
	if (table != NULL && table->process == process)
		return table;
	pthread_mutex_lock(&table_lock);
	table = aptr_load_relaxed(&current_table);
	if (table == NULL || table->process != process) {
		table = make_table(process);
		if (!handlers_set && pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0)
			handlers_set = true;
		if (table != NULL)
			aptr_store_release(&current_table, table); /* @TABLE */
	}
	pthread_mutex_unlock(&table_lock);
	return table;
}

/* Takes an attachment without users out of the world. */
static void destroy(struct slip__attachment *attachment)
{
	if (attachment->process == slip__os_process_token()) {
		struct table *table = table_of_process();
		pthread_mutex_lock(&table_lock);
		/* Fails where a newer one replaced it, which is as good. */
		(void)cds_lfht_del(table->entries, &attachment->node);
		pthread_mutex_unlock(&table_lock);
		wait_for_readers();
	}
	slip__segment_close(&attachment->segment);
	free(attachment);
}

void slip__registry_detach(struct slip__attachment *attachment)
{
	if (a32_sub_acq_rel(&attachment->users, 1) == 1) /* @USERS */
		destroy(attachment);
}

/* Under the table's lock. */
static struct slip__attachment *map_and_add(const struct table *table, const struct key *key)
{
	struct slip__attachment *fresh = calloc(1, sizeof(*fresh));
	if (fresh == NULL)
		return slip__fail_null(ENOMEM, "no memory for an attachment to %s/%s", key->name->base, key->name->channel);
	if (slip__segment_open(key->name, NULL, key->view, &fresh->segment) != 0) {
		int err = errno;
		free(fresh);
		errno = err;
		return NULL;
	}
	fresh->view = key->view;
	fresh->process = table->process;
	a32_store_relaxed(&fresh->users, 1);
	cds_lfht_node_init(&fresh->node);
	TSAN_RELEASE(fresh);
	urcu_bp_read_lock();
	/* Whom it replaces leaves with its last user. */
	(void)cds_lfht_add_replace(table->entries, hash_of(key), matches, key, &fresh->node);
	TSAN_RELEASE(&grace);
	urcu_bp_read_unlock();
	return fresh;
}

struct slip__attachment *slip__registry_attach(const slip_channel_name *name, enum slip__segment_view view)
{
	struct key key = {.name = name, .view = view};
	const struct table *table = table_of_process();
	if (table == NULL)
		return NULL;
	struct slip__attachment *attachment = look_up(table->entries, &key);
	if (attachment != NULL && is_current(attachment))
		return attachment;
	if (attachment != NULL)
		slip__registry_detach(attachment);
	pthread_mutex_lock(&table_lock);
	/* Another thread may have been here first. */
	attachment = look_up(table->entries, &key);
	struct slip__attachment *stale = NULL;
	if (attachment != NULL && !is_current(attachment)) {
		stale = attachment;
		attachment = NULL;
	}
	if (attachment == NULL)
		attachment = map_and_add(table, &key);
	int err = errno;
	pthread_mutex_unlock(&table_lock);
	if (stale != NULL)
		slip__registry_detach(stale);
	errno = err;
	return attachment;
}

const struct slip__segment *slip__registry_segment(const struct slip__attachment *attachment)
{
	return &attachment->segment;
}
