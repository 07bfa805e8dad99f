/*
 * aeron.c - Aeron over shared memory (aeron:ipc) as two peers: messages that are offered (copied into its log), and messages that are
 * written in place in the log (tryClaim; Aeron has that only for what fits one fragment).
 *
 * The media driver is a process of its own from make to destroy. It sees to the log while frames flow: it moves the writer's limit and
 * zeroes what all readers have read, which is why a reader has to keep its position until it is done with a frame.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../peer.h"

#include <aeronc.h>
#include <aeronmd.h>

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

enum {
	STREAM = 1,
	MTU = 65504,	      /* the greatest that Aeron takes: the fewest fragments */
	FRAGMENT = MTU - 32,  /* less the header of a fragment */
	MESSAGE = 16 << 20,   /* the greatest message, with a term at least 8 times that */
	TERM_LEAST = 4 << 20, /* of 64 KiB to 1 GiB; three such terms make a log, and it should stay in a cache where frames are small */
	FRAGMENTS_A_POLL = 16
};

struct aeron_peer {
	const struct transport_setup *setup;
	char directory[80];
	char channel[80];
	pid_t driver;
	int line; /* to the driver: it ends when this is shut */
	aeron_context_t *context;
	aeron_t *client;
	aeron_exclusive_publication_t *publication;
	aeron_buffer_claim_t claim;
	void *unheard; /* in place of a claim, while there is no reader */
	aeron_subscription_t *subscription;
	aeron_image_t *image;
	aeron_controlled_fragment_assembler_t *assembler; /* of messages of several fragments */
	const void *frame;
};

static int complain_of(const char *what)
{
	errno = 0; /* errmsg has it */
	return complain("Aeron: %s: %s", what, aeron_errmsg());
}

/* The driver. */

static int start_driver(const char *directory, aeron_driver_context_t **context, aeron_driver_t **driver)
{
	if (aeron_driver_context_init(context) < 0 || aeron_driver_context_set_dir(*context, directory) < 0 ||
	    aeron_driver_context_set_dir_delete_on_start(*context, true) < 0 ||
	    aeron_driver_context_set_dir_delete_on_shutdown(*context, true) < 0 ||
	    aeron_driver_context_set_threading_mode(*context, AERON_THREADING_MODE_SHARED) < 0 ||
	    aeron_driver_context_set_shared_idle_strategy(*context, "backoff") < 0 ||
	    aeron_driver_context_set_term_buffer_sparse_file(*context, false) < 0 || aeron_driver_init(driver, *context) < 0 ||
	    aeron_driver_start(*driver, false) < 0)
		return complain_of("starting the media driver");
	return 0;
}

/* Says one byte when it is up, and ends when the other side of the line is shut or gone, whatever signal the terminal sends. */
static void be_driver(const char *directory, int line)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	aeron_driver_context_t *context = NULL;
	aeron_driver_t *driver = NULL;
	char byte = 0;
	int status = start_driver(directory, &context, &driver);
	if (status == 0 && write(line, &byte, 1) == 1)
		while (read(line, &byte, 1) < 0 && errno == EINTR)
			;
	if (driver != NULL)
		aeron_driver_close(driver);
	if (context != NULL)
		aeron_driver_context_close(context);
	_exit(status == 0 ? 0 : 1);
}

static int launch_driver(struct aeron_peer *peer)
{
	int line[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0)
		return complain("Aeron: socketpair");
	peer->driver = fork();
	if (peer->driver == 0) {
		close(line[0]);
		be_driver(peer->directory, line[1]);
	}
	close(line[1]);
	peer->line = line[0];
	if (peer->driver < 0)
		return complain("Aeron: fork");
	char byte;
	ssize_t got;
	while ((got = read(peer->line, &byte, 1)) < 0 && errno == EINTR)
		;
	errno = 0;
	return got == 1 ? 0 : complain("Aeron: the media driver did not start");
}

static int delete_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status, (void)kind, (void)where;
	return remove(path);
}

static void destroy(void *self)
{
	struct aeron_peer *peer = self;
	if (peer->driver > 0) {
		shutdown(peer->line, SHUT_RDWR);
		waitpid(peer->driver, NULL, 0);
	}
	if (peer->line >= 0)
		close(peer->line);
	/* There only when the driver could not clear up. */
	if (access(peer->directory, F_OK) == 0 && nftw(peer->directory, delete_entry, 8, FTW_DEPTH | FTW_PHYS) != 0)
		complain("Aeron: %s", peer->directory);
	free(peer);
}

/* A term holds 8 messages (Aeron's condition), and twice what may be under way (the writer is held up half a term ahead of a reader). */
static size_t term_length(const struct transport_setup *setup)
{
	const size_t stride = setup->size + (setup->size / FRAGMENT + 1) * 64;
	const size_t wanted = (size_t)(setup->under_way + 1) * 2 * stride;
	size_t term = TERM_LEAST;
	while (term < (size_t)1 << 30 && (term < wanted || term / 8 < setup->size))
		term *= 2;
	return term;
}

static void *make(const struct transport_setup *setup)
{
	struct aeron_peer *peer = calloc(1, sizeof(*peer));
	if (peer == NULL) {
		complain("Aeron: memory");
		return NULL;
	}
	peer->setup = setup;
	peer->line = -1;
	snprintf(peer->directory, sizeof(peer->directory), "/dev/shm/%s_aeron", setup->name);
	snprintf(peer->channel, sizeof(peer->channel), "aeron:ipc?term-length=%zu|mtu=%d", term_length(setup), MTU);
	if (launch_driver(peer) < 0) {
		destroy(peer);
		return NULL;
	}
	return peer;
}

/* The clients. */

static void on_error(void *nothing, int code, const char *message)
{
	(void)nothing, (void)code;
	errno = 0;
	complain("Aeron: %s", message);
}

static int connect_client(struct aeron_peer *peer)
{
	if (aeron_context_init(&peer->context) < 0 || aeron_context_set_dir(peer->context, peer->directory) < 0 ||
	    aeron_context_set_error_handler(peer->context, on_error, NULL) < 0 ||
	    aeron_context_set_pre_touch_mapped_memory(peer->context, true) < 0 || aeron_init(&peer->client, peer->context) < 0 ||
	    aeron_start(peer->client) < 0)
		return complain_of("connecting to the media driver");
	return 0;
}

static void disconnect_client(struct aeron_peer *peer)
{
	if (peer->client != NULL)
		aeron_close(peer->client);
	if (peer->context != NULL)
		aeron_context_close(peer->context);
}

/* What the driver does for us takes it milliseconds. */
static void give_it_time(void)
{
	usleep(1000);
}

static int open_writer(void *self)
{
	struct aeron_peer *peer = self;
	peer->unheard = malloc(peer->setup->size);
	if (peer->unheard == NULL)
		return complain("Aeron: memory");
	aeron_async_add_exclusive_publication_t *adding;
	if (connect_client(peer) < 0)
		return -1;
	if (aeron_async_add_exclusive_publication(&adding, peer->client, peer->channel, STREAM) < 0)
		return complain_of(peer->channel);
	int done;
	while ((done = aeron_async_add_exclusive_publication_poll(&peer->publication, adding)) == 0)
		give_it_time(); /* the client ends this itself with an error when no driver answers */
	return done > 0 ? 0 : complain_of(peer->channel);
}

static void close_writer(void *self)
{
	struct aeron_peer *peer = self;
	if (peer->publication != NULL)
		aeron_exclusive_publication_close(peer->publication, NULL, NULL);
	disconnect_client(peer);
	free(peer->unheard);
}

/* Offers a frame, or claims room for one; again while readers or the driver are behind. 1: done; 0: no reader; -1: failed. */
static int pass(struct aeron_peer *peer, const void *frame)
{
	const int64_t until = now_ns() + 5 * SECOND;
	for (;;) {
		const int64_t position =
			frame != NULL ? aeron_exclusive_publication_offer(peer->publication, frame, peer->setup->size, NULL, NULL)
				      : aeron_exclusive_publication_try_claim(peer->publication, peer->setup->size, &peer->claim);
		if (position >= 0)
			return 1;
		if (position == AERON_PUBLICATION_NOT_CONNECTED)
			return 0;
		if (position != AERON_PUBLICATION_BACK_PRESSURED && position != AERON_PUBLICATION_ADMIN_ACTION)
			return complain_of("passing a message on");
		if (!spin_on(until)) {
			errno = 0;
			return complain("Aeron: a reader holds the writer up for 5 s");
		}
	}
}

static int send_frame(void *self, const void *frame)
{
	return pass(self, frame) < 0 ? -1 : 0;
}

static void *loan(void *self)
{
	struct aeron_peer *peer = self;
	const int claimed = pass(peer, NULL);
	if (claimed < 0)
		return NULL;
	return claimed > 0 ? peer->claim.data : peer->unheard;
}

static int publish(void *self, void *frame)
{
	struct aeron_peer *peer = self;
	return frame == peer->unheard || aeron_buffer_claim_commit(&peer->claim) == 0 ? 0 : complain_of("committing a claim");
}

static bool in_one_fragment(const struct aeron_peer *peer)
{
	return peer->setup->size <= FRAGMENT;
}

/* A message of one fragment is read where it lies in the log: the position stays before it until release. */
static aeron_controlled_fragment_handler_action_t on_fragment(void *self, const uint8_t *data, size_t length, aeron_header_t *header)
{
	(void)header;
	struct aeron_peer *peer = self;
	peer->frame = length == peer->setup->size ? data : NULL;
	return AERON_ACTION_ABORT;
}

static aeron_controlled_fragment_handler_action_t on_read(void *self, const uint8_t *data, size_t length, aeron_header_t *header)
{
	(void)self, (void)data, (void)length, (void)header;
	return AERON_ACTION_BREAK;
}

/* A longer one is put together in the assembler's memory, which lasts until its next fragment comes. */
static aeron_controlled_fragment_handler_action_t on_message(void *self, const uint8_t *data, size_t length, aeron_header_t *header)
{
	on_fragment(self, data, length, header);
	return AERON_ACTION_BREAK;
}

static int open_reader(void *self, int reader)
{
	(void)reader;
	struct aeron_peer *peer = self;
	aeron_async_add_subscription_t *adding;
	if (connect_client(peer) < 0)
		return -1;
	if (aeron_controlled_fragment_assembler_create(&peer->assembler, on_message, peer) < 0)
		return complain_of("the assembler");
	if (aeron_async_add_subscription(&adding, peer->client, "aeron:ipc", STREAM, NULL, NULL, NULL, NULL) < 0)
		return complain_of("subscribing");
	int done;
	while ((done = aeron_async_add_subscription_poll(&peer->subscription, adding)) == 0)
		give_it_time();
	if (done < 0)
		return complain_of("subscribing");
	const int64_t until = now_ns() + 5 * SECOND;
	while ((peer->image = aeron_subscription_image_at_index(peer->subscription, 0)) == NULL) {
		if (now_ns() > until)
			return complain("Aeron: the writer's stream does not show up");
		give_it_time();
	}
	return 0;
}

static const void *receive(void *self, int64_t limit_ns)
{
	struct aeron_peer *peer = self;
	const int64_t until = now_ns() + limit_ns;
	peer->frame = NULL;
	for (;;) {
		const int fragments = in_one_fragment(peer)
					      ? aeron_image_controlled_poll(peer->image, on_fragment, peer, 1)
					      : aeron_image_controlled_poll(peer->image, aeron_controlled_fragment_assembler_handler,
									    peer->assembler, FRAGMENTS_A_POLL);
		if (fragments < 0)
			complain_of("polling");
		if (peer->frame != NULL || fragments < 0)
			return peer->frame;
		if (fragments == 0 && !spin_on(until))
			return NULL;
	}
}

static void release(void *self, const void *frame)
{
	(void)frame;
	struct aeron_peer *peer = self;
	if (in_one_fragment(peer))
		aeron_image_controlled_poll(peer->image, on_read, peer, 1);
}

static void close_reader(void *self)
{
	struct aeron_peer *peer = self;
	if (peer->image != NULL)
		aeron_subscription_image_release(peer->subscription, peer->image);
	if (peer->subscription != NULL)
		aeron_subscription_close(peer->subscription, NULL, NULL);
	if (peer->assembler != NULL)
		aeron_controlled_fragment_assembler_delete(peer->assembler);
	disconnect_client(peer);
}

static const struct transport aeron_offer = {
	.name = "Aeron",
	.can = CAN_SPIN | CAN_COPY | CAN_FANOUT,
	.largest = MESSAGE,
	.how = "aeron:ipc, exclusive publication, offer, mtu 65504; readers copy messages of several fragments together",
	.version = aeron_version_text,
	.make = make,
	.destroy = destroy,
	.open_writer = open_writer,
	.send = send_frame,
	.close_writer = close_writer,
	.open_reader = open_reader,
	.receive = receive,
	.release = release,
	.close_reader = close_reader,
};

static const struct transport aeron_claim = {
	.name = "Aeron tryClaim",
	.can = CAN_SPIN | CAN_LOAN | CAN_FANOUT,
	.largest = FRAGMENT,
	.how = "aeron:ipc, exclusive publication, tryClaim, mtu 65504; read in place",
	.version = aeron_version_text,
	.make = make,
	.destroy = destroy,
	.open_writer = open_writer,
	.loan = loan,
	.publish = publish,
	.close_writer = close_writer,
	.open_reader = open_reader,
	.receive = receive,
	.release = release,
	.close_reader = close_reader,
};

const struct transport *const PEERS[] = {&aeron_offer, &aeron_claim, NULL};
