/* gstreamer.c - GStreamer between processes: appsrc into shmsink, shmsrc into appsink. SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <dirent.h>
#include <errno.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

enum { PATIENCE_S = 5, FOLDER_SIZE = 32 };

struct peer {
	const struct transport_setup *setup;
	char folder[FOLDER_SIZE]; /* of the socket */
	pid_t *writer;		  /* shared by the processes: who made the area in /dev/shm */
	GstElement *pipeline;
	GstAppSrc *source;
	GstAppSink *sink;
	GstAllocator *allocator; /* shmsink's: what lies in its memory is not copied again */
	GstBuffer *loaned;
	GstSample *held;
	GstMapInfo map;
};

static const char *version(void)
{
	static char text[32];
	guint major, minor, micro, nano;
	gst_version(&major, &minor, &micro, &nano);
	(void)snprintf(text, sizeof(text), "%u.%u.%u", major, minor, micro);
	return text;
}

static int fault(const char *what)
{
	errno = 0;
	return complain("GStreamer: %s", what);
}

static void *make(const struct transport_setup *setup)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	void *shared = mmap(NULL, sizeof(*peer->writer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (peer == NULL || shared == MAP_FAILED) {
		complain("no memory");
		free(peer);
		return NULL;
	}
	peer->setup = setup;
	peer->writer = shared;
	(void)snprintf(peer->folder, sizeof(peer->folder), "/tmp/slipring-gst-XXXXXX");
	if (mkdtemp(peer->folder) != NULL)
		return peer;
	complain("%s", peer->folder);
	munmap(shared, sizeof(*peer->writer));
	free(peer);
	return NULL;
}

/* shmsink names its memory shmpipe.PID.N, and removes it unless it is killed. */
static void remove_area(pid_t writer)
{
	char prefix[32];
	(void)snprintf(prefix, sizeof(prefix), "shmpipe.%5d.", (int)writer);
	DIR *folder = opendir("/dev/shm");
	if (folder == NULL)
		return;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
}

static void destroy(void *self)
{
	struct peer *peer = self;
	char path[FOLDER_SIZE + 8];
	(void)snprintf(path, sizeof(path), "%s/socket", peer->folder);
	unlink(path);
	rmdir(peer->folder);
	if (*peer->writer != 0)
		remove_area(*peer->writer);
	munmap(peer->writer, sizeof(*peer->writer));
	free(peer);
}

/* Says what an element said on the bus, if any did. */
static bool has_fault(const struct peer *peer)
{
	GstBus *bus = gst_element_get_bus(peer->pipeline);
	GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
	gst_object_unref(bus);
	if (message == NULL)
		return false;
	GError *error = NULL;
	gst_message_parse_error(message, &error, NULL);
	fault(error->message);
	g_error_free(error);
	gst_message_unref(message);
	return true;
}

static int start(struct peer *peer, const char *description)
{
	GError *error = NULL;
	gst_init(NULL, NULL);
	peer->pipeline = gst_parse_launch(description, &error);
	if (error != NULL)
		return fault(error->message);
	if (gst_element_set_state(peer->pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE)
		return 0;
	return has_fault(peer) ? -1 : fault("the pipeline does not start");
}

/* Asked of shmsink as an element before it would ask. */
static int find_allocator(struct peer *peer)
{
	GstElement *sink = gst_bin_get_by_name(GST_BIN(peer->pipeline), "out");
	GstPad *pad = gst_element_get_static_pad(sink, "sink");
	GstCaps *caps = gst_caps_new_empty_simple("application/octet-stream");
	GstQuery *query = gst_query_new_allocation(caps, FALSE);
	if (gst_pad_query(pad, query) && gst_query_get_n_allocation_params(query) > 0)
		gst_query_parse_nth_allocation_param(query, 0, &peer->allocator, NULL);
	gst_query_unref(query);
	gst_caps_unref(caps);
	gst_object_unref(pad);
	gst_object_unref(sink);
	return peer->allocator != NULL ? 0 : fault("shmsink offers no memory");
}

static int open_writer(void *self)
{
	struct peer *peer = self;
	const struct transport_setup *setup = peer->setup;
	char description[512];
	*peer->writer = getpid();
	(void)snprintf(description, sizeof(description),
		       "appsrc name=in is-live=true format=bytes block=true max-buffers=%d caps=application/octet-stream ! "
		       "shmsink name=out socket-path=%s/socket shm-size=%zu wait-for-connection=false sync=false async=false",
		       setup->under_way, peer->folder, (size_t)(setup->under_way + setup->readers + 3) * (setup->size + 4096));
	if (start(peer, description) != 0)
		return -1;
	peer->source = GST_APP_SRC(gst_bin_get_by_name(GST_BIN(peer->pipeline), "in"));
	return find_allocator(peer);
}

/* There is none while readers hold all. */
static void *loan(void *self)
{
	struct peer *peer = self;
	const int64_t until = now_ns() + PATIENCE_S * SECOND;
	GstMemory *memory;
	while ((memory = gst_allocator_alloc(peer->allocator, peer->setup->size, NULL)) == NULL)
		if (!spin_on(until)) {
			fault("no memory for a frame");
			return NULL;
		}
	peer->loaned = gst_buffer_new();
	gst_buffer_append_memory(peer->loaned, memory);
	if (!gst_buffer_map(peer->loaned, &peer->map, GST_MAP_WRITE)) {
		fault("a frame cannot be written");
		return NULL;
	}
	return peer->map.data;
}

static int publish(void *self, void *frame)
{
	struct peer *peer = self;
	(void)frame;
	gst_buffer_unmap(peer->loaned, &peer->map);
	return gst_app_src_push_buffer(peer->source, peer->loaned) == GST_FLOW_OK ? 0 : fault("a frame was not taken");
}

static int send_copy(void *self, const void *frame)
{
	const struct peer *peer = self;
	void *to = loan(self);
	if (to == NULL)
		return -1;
	memcpy(to, frame, peer->setup->size);
	return publish(self, to);
}

static void stop(struct peer *peer)
{
	gst_element_set_state(peer->pipeline, GST_STATE_NULL);
	gst_object_unref(peer->pipeline);
}

static void close_writer(void *self)
{
	struct peer *peer = self;
	gst_object_unref(peer->source);
	stop(peer);
}

static int open_reader(void *self, int number)
{
	struct peer *peer = self;
	char description[512];
	(void)number;
	(void)snprintf(description, sizeof(description),
		       "shmsrc socket-path=%s/socket is-live=true do-timestamp=false ! "
		       "appsink name=to sync=false async=false max-buffers=%d drop=false emit-signals=false enable-last-sample=false",
		       peer->folder, peer->setup->under_way);
	if (start(peer, description) != 0)
		return -1;
	peer->sink = GST_APP_SINK(gst_bin_get_by_name(GST_BIN(peer->pipeline), "to"));
	return 0;
}

static const void *receive(void *self, int64_t limit_ns)
{
	struct peer *peer = self;
	const int64_t until = now_ns() + limit_ns;
	const bool sleeps = peer->setup->waiting == WAIT_SLEEP;
	while ((peer->held = gst_app_sink_try_pull_sample(peer->sink, sleeps ? (GstClockTime)limit_ns : 0)) == NULL)
		if (sleeps || !spin_on(until)) {
			(void)has_fault(peer);
			return NULL;
		}
	GstBuffer *buffer = gst_sample_get_buffer(peer->held);
	if (gst_buffer_map(buffer, &peer->map, GST_MAP_READ) && peer->map.size == peer->setup->size)
		return peer->map.data;
	fault("a frame came that is not one whole frame");
	return NULL;
}

static void release(void *self, const void *frame)
{
	struct peer *peer = self;
	(void)frame;
	gst_buffer_unmap(gst_sample_get_buffer(peer->held), &peer->map);
	gst_sample_unref(peer->held);
}

static void close_reader(void *self)
{
	struct peer *peer = self;
	gst_object_unref(peer->sink);
	stop(peer);
}

static const struct transport gstreamer = {
	.name = "GStreamer shmsink",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_LOAN | CAN_FANOUT,
	.how = "appsrc ! shmsink and shmsrc ! appsink, frames in shmsink's own memory; two threads in each process",
	.version = version,
	.make = make,
	.destroy = destroy,
	.open_writer = open_writer,
	.send = send_copy,
	.loan = loan,
	.publish = publish,
	.close_writer = close_writer,
	.open_reader = open_reader,
	.receive = receive,
	.release = release,
	.close_reader = close_reader,
};

const struct transport *const PEERS[] = {&gstreamer, NULL};
