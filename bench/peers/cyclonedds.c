/* cyclonedds.c - Cyclone DDS between processes: over loopback UDP, and by iceoryx's shared memory. SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"
#include "roudi.h"

#include <dds/dds.h>
#include <dds/ddsc/dds_loan_api.h>
#include <dds/version.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The library's configuration, not told by its headers: without shared memory it is linked to no iceoryx, and this file is not built. */
#define DDS_HAS_SHM 1
#include <dds/ddsc/dds_loan_api.h>
#include <dds/ddsi/ddsi_serdata.h>

#define SECOND INT64_C(1000000000)

/* Memory for frames, shared memory only: no more than this where fewer do, for many readers of large frames. */
static const size_t POOL_WISH = (size_t)512 << 20;

enum {
	CHUNK_HEADERS = 512, /* iceoryx's and the library's, and what alignment takes */
	PATIENCE_S = 5	     /* for a frame's memory: more means that a reader is gone */
};

struct peer {
	const struct transport_setup *setup;
	struct roudi *roudi; /* NULL: over UDP */
	uint32_t ops[4];
	dds_topic_descriptor_t type;
	dds_entity_t participant, writer, reader, waitset;
	void *sample;		   /* taken over UDP */
	struct ddsi_serdata *data; /* taken from shared memory */
};

static const char *version(void)
{
	return DDS_VERSION;
}

static int fault(const char *what, dds_return_t code)
{
	errno = 0;
	return complain("%s: %s", what, dds_strretcode(-code));
}

/* An array of octets of the frame's size, as idlc describes it, without keys. */
static void describe(struct peer *peer)
{
	peer->ops[0] = DDS_OP_ADR | DDS_OP_TYPE_ARR | DDS_OP_SUBTYPE_1BY;
	peer->ops[1] = 0;
	peer->ops[2] = (uint32_t)peer->setup->size;
	peer->ops[3] = DDS_OP_RTS;
	const dds_topic_descriptor_t type = {
		.m_size = (uint32_t)peer->setup->size,
		.m_align = 8, /* no less than a stamp's */
		.m_flagset = DDS_TOPIC_FIXED_SIZE,
		.m_typename = "frame",
		.m_nops = 2,
		.m_ops = peer->ops,
		.m_meta = "",
	};
	memcpy(&peer->type, &type, sizeof(type));
}

static void *make_udp(const struct transport_setup *setup)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	if (peer == NULL) {
		complain("no memory");
		return NULL;
	}
	peer->setup = setup;
	describe(peer);
	return peer;
}

/* A reader's queue, the history behind it and the writer's hold as many frames as are under way; small ones may be plenty. */
static int chunks_for(const struct transport_setup *setup)
{
	const size_t under_way = (size_t)setup->under_way;
	const size_t readers = (size_t)setup->readers;
	const size_t least = 3 * under_way + readers + 4;
	const size_t most = 256 + 2 * (under_way + 1) * readers;
	const size_t afford = POOL_WISH / (setup->size + CHUNK_HEADERS);
	return (int)(afford < least ? least : afford < most ? afford : most);
}

static void *make_shm(const struct transport_setup *setup)
{
	struct peer *peer = make_udp(setup);
	if (peer == NULL)
		return NULL;
	peer->roudi = roudi_start(setup->size + CHUNK_HEADERS, chunks_for(setup), 1 + setup->readers);
	if (peer->roudi != NULL)
		return peer;
	free(peer);
	return NULL;
}

static void destroy(void *self)
{
	struct peer *peer = self;
	if (peer->roudi != NULL)
		roudi_stop(peer->roudi);
	free(peer);
}

/*
 * Loopback only, and out of sight of other runs. Its guide's advice for large data: messages and fragments as large as UDP's, and large
 * socket buffers (the kernel grants no more than net.core.rmem_max).
 */
static int configure(const struct peer *peer)
{
	char config[1024];
	snprintf(config, sizeof(config),
		 "<Domain id='any'><General><Interfaces><NetworkInterface "
		 "address='127.0.0.1'/></Interfaces><AllowMulticast>false</AllowMulticast>"
		 "<MaxMessageSize>65500B</MaxMessageSize><FragmentSize>63000B</FragmentSize></General>"
		 "<Discovery><Tag>%s</Tag><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>%d</MaxAutoParticipantIndex>"
		 "<Peers><Peer address='127.0.0.1'/></Peers></Discovery>"
		 "<Internal><SocketReceiveBufferSize max='64MB'/><SocketSendBufferSize max='64MB'/></Internal>"
		 "<SharedMemory><Enable>%s</Enable><LogLevel>error</LogLevel></SharedMemory></Domain>",
		 peer->setup->name, 64 + peer->setup->readers, peer->roudi != NULL ? "true" : "false");
	return setenv("CYCLONEDDS_URI", config, 1) == 0 ? 0 : complain("no memory");
}

/* end: the writer is 0, readers follow. */
static dds_entity_t join(struct peer *peer, int end)
{
	char runtime[40];
	snprintf(runtime, sizeof(runtime), "iceoryx_rt_%d_", (int)getpid());
	if (peer->roudi != NULL)
		roudi_join(peer->roudi, end, runtime);
	if (configure(peer) != 0)
		return -1;
	peer->participant = dds_create_participant(DDS_DOMAIN_DEFAULT, NULL, NULL);
	if (peer->participant < 0)
		return fault("participant", peer->participant);
	const dds_entity_t topic = dds_create_topic(peer->participant, &peer->type, "frames", NULL, NULL);
	return topic >= 0 ? topic : fault("topic", topic);
}

static dds_qos_t *qos_for(const struct transport_setup *setup)
{
	dds_qos_t *qos = dds_create_qos();
	dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_SECS(PATIENCE_S));
	dds_qset_durability(qos, DDS_DURABILITY_VOLATILE);
	dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, setup->under_way);
	dds_qset_writer_data_lifecycle(qos, false);
	return qos;
}

/* A transport is not another that did what it could not. */
static int check_shared(const struct peer *peer, dds_entity_t entity)
{
	if (dds_is_shared_memory_available(entity) == (peer->roudi != NULL))
		return 0;
	errno = 0;
	return complain("shared memory is %s", peer->roudi != NULL ? "not in use" : "in use");
}

static int open_writer(void *self)
{
	struct peer *peer = self;
	const dds_entity_t topic = join(peer, 0);
	if (topic < 0)
		return -1;
	dds_qos_t *qos = qos_for(peer->setup);
	peer->writer = dds_create_writer(peer->participant, topic, qos, NULL);
	dds_delete_qos(qos);
	return peer->writer >= 0 ? check_shared(peer, peer->writer) : fault("writer", peer->writer);
}

static int send_copy(void *self, const void *frame)
{
	const dds_return_t code = dds_write(((struct peer *)self)->writer, frame);
	return code == DDS_RETCODE_OK ? 0 : fault("write", code);
}

/* There is none while readers hold all. */
static void *loan(void *self)
{
	const struct peer *peer = self;
	const int64_t until = now_ns() + PATIENCE_S * SECOND;
	void *frame;
	while (dds_loan_sample(peer->writer, &frame) != DDS_RETCODE_OK)
		if (!spin_on(until)) {
			complain("no frame can be had");
			return NULL;
		}
	return frame;
}

static int publish(void *self, void *frame)
{
	return send_copy(self, frame);
}

static int open_reader(void *self, int number)
{
	struct peer *peer = self;
	const dds_entity_t topic = join(peer, 1 + number);
	if (topic < 0)
		return -1;
	dds_qos_t *qos = qos_for(peer->setup);
	peer->reader = dds_create_reader(peer->participant, topic, qos, NULL);
	dds_delete_qos(qos);
	if (peer->reader < 0)
		return fault("reader", peer->reader);
	const dds_entity_t condition = dds_create_readcondition(peer->reader, DDS_ANY_STATE);
	peer->waitset = dds_create_waitset(peer->participant);
	const dds_return_t code = dds_waitset_attach(peer->waitset, condition, 0);
	return code == DDS_RETCODE_OK ? check_shared(peer, peer->reader) : fault("waitset", code);
}

/* NULL: nothing there. From shared memory, dds_take would copy; what dds_takecdr gives refers to the frame where it lies. */
static const void *take(struct peer *peer)
{
	dds_sample_info_t info;
	if (peer->roudi == NULL) {
		const dds_return_t count = dds_take(peer->reader, &peer->sample, &info, 1, 1);
		if (count > 0 && info.valid_data)
			return peer->sample;
		if (count > 0)
			dds_return_loan(peer->reader, &peer->sample, 1);
		if (count < 0)
			fault("take", count);
		return NULL;
	}
	const dds_return_t count = dds_takecdr(peer->reader, &peer->data, 1, &info, DDS_ANY_STATE);
	if (count > 0 && info.valid_data && peer->data->iox_chunk != NULL)
		return peer->data->iox_chunk;
	if (count > 0)
		ddsi_serdata_unref(peer->data);
	if (count < 0)
		fault("take", count);
	if (count > 0 && info.valid_data)
		complain("a frame came, but not through shared memory");
	return NULL;
}

static const void *receive(void *self, int64_t limit_ns)
{
	struct peer *peer = self;
	const int64_t until = now_ns() + limit_ns;
	for (;;) {
		const void *frame = take(peer);
		if (frame != NULL || failed())
			return frame;
		if (peer->setup->waiting == WAIT_SPIN) {
			if (!spin_on(until))
				return NULL;
			continue;
		}
		const int64_t left = until - now_ns();
		if (left <= 0)
			return NULL;
		const dds_return_t code = dds_waitset_wait(peer->waitset, NULL, 0, left);
		if (code < 0) {
			fault("wait", code);
			return NULL;
		}
	}
}

static void release(void *self, const void *frame)
{
	struct peer *peer = self;
	(void)frame;
	if (peer->roudi == NULL)
		dds_return_loan(peer->reader, &peer->sample, 1);
	else
		ddsi_serdata_unref(peer->data);
}

static void close_end(void *self)
{
	dds_delete(((struct peer *)self)->participant);
}

static const struct transport udp = {
	.name = "Cyclone DDS",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_FANOUT,
	.largest = UINT32_MAX - 4096,
	.how = "UDP over loopback, reliable, keep last, fragments of 63 kB; sleeps in a waitset",
	.version = version,
	.make = make_udp,
	.destroy = destroy,
	.open_writer = open_writer,
	.send = send_copy,
	.close_writer = close_end,
	.open_reader = open_reader,
	.receive = receive,
	.release = release,
	.close_reader = close_end,
};

static const struct transport shm = {
	.name = "Cyclone DDS, shared memory",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_LOAN | CAN_FANOUT,
	.largest = UINT32_MAX - 4096,
	.how = "iceoryx, fixed-size type, loans, reliable, keep last; sleeps in a waitset",
	.version = version,
	.make = make_shm,
	.destroy = destroy,
	.open_writer = open_writer,
	.send = send_copy,
	.loan = loan,
	.publish = publish,
	.close_writer = close_end,
	.open_reader = open_reader,
	.receive = receive,
	.release = release,
	.close_reader = close_end,
};

const struct transport *const PEERS[] = {&udp, &shm, NULL};
