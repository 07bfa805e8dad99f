/* SPDX-License-Identifier: Apache-2.0 */
#include "content.h"
#include "reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS = 4, READS = 16 };

enum job_kind { RELEASE, WAKE, READ, END };

struct job {
	enum job_kind kind;
	struct held held;
};

struct helper {
	struct life life; /* its own generator */
	slip_waker *waker;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct job jobs[JOBS];
	int count;
};

static void release(const struct helper *h, const struct held *held)
{
	uint64_t number;
	if (!content_read(held->frame->data, held->frame->size, &number) || number != held->number)
		fail(&h->life, FAILED_TORN, 0, content_seq(held->number), "a frame changed while it was held");
	if (slip_release(held->frame) != 0)
		fail_call(&h->life, "slip_release in another thread");
	count(&h->life, COUNT_ELSEWHERE, 1);
}

/* A handle of its own, over the mapping that the process has already. */
static void read_some(struct helper *h)
{
	struct reading r;
	if (!reading_open(&r, &h->life, h->life.stream, false))
		return;
	for (int i = 0; i < READS && phase_of(&h->life) == PHASE_STORM; i++) {
		slip_frame *f = slip_get_array(r.reader, r.channel);
		if (f != NULL) {
			(void)verify(&r, f, false);
			(void)slip_release(f);
		} else if (!may_not_come(&r, "slip_get_array")) {
			break;
		}
		pause_ns((int64_t)below(&h->life.random, NS_PER_MS));
	}
	slip_reader_close(r.reader);
}

static void *work(void *context)
{
	struct helper *h = context;
	for (;;) {
		pthread_mutex_lock(&h->lock);
		while (h->count == 0)
			pthread_cond_wait(&h->news, &h->lock);
		struct job job = h->jobs[0];
		h->count--;
		memmove(&h->jobs[0], &h->jobs[1], (size_t)h->count * sizeof(job));
		pthread_mutex_unlock(&h->lock);
		switch (job.kind) {
		case RELEASE: release(h, &job.held); break;
		case WAKE: slip_waker_wake(h->waker); break;
		case READ: read_some(h); break;
		case END: return NULL;
		}
	}
}

/* false: no more fit. */
static bool give(struct helper *h, struct job job)
{
	if (h == NULL)
		return false;
	pthread_mutex_lock(&h->lock);
	const bool fits = h->count < JOBS;
	if (fits)
		h->jobs[h->count++] = job;
	pthread_cond_signal(&h->news);
	pthread_mutex_unlock(&h->lock);
	return fits;
}

struct helper *helper_start(struct life *life)
{
	struct helper *h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	h->life = *life;
	h->life.random = draw(&life->random);
	h->life.role = "reader's second thread";
	h->life.witness = false;
	h->waker = slip_waker_open();
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->news, NULL);
	if (h->waker != NULL && pthread_create(&h->thread, NULL, work, h) == 0)
		return h;
	slip_waker_close(h->waker);
	free(h);
	return NULL;
}

void helper_end(struct helper *h)
{
	if (h == NULL)
		return;
	while (!give(h, (struct job){.kind = END}))
		pause_ns(NS_PER_MS / 10);
	pthread_join(h->thread, NULL);
	slip_waker_close(h->waker);
	pthread_cond_destroy(&h->news);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

bool helper_release(struct helper *h, const struct held *held)
{
	return give(h, (struct job){.kind = RELEASE, .held = *held});
}

void helper_wake(struct helper *h)
{
	(void)give(h, (struct job){.kind = WAKE});
}

void helper_read(struct helper *h)
{
	(void)give(h, (struct job){.kind = READ});
}

slip_waker *helper_waker(struct helper *h)
{
	return h != NULL ? h->waker : NULL;
}
