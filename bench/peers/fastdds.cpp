// fastdds.cpp - Fast DDS between processes: data-sharing delivery, with loans on both sides. SPDX-License-Identifier: Apache-2.0
#include "peer.h"

#include <fastdds/dds/core/LoanableSequence.hpp>
#include <fastdds/dds/core/condition/WaitSet.hpp>
#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/log/Log.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TopicDataType.hpp>
#include <fastdds/dds/topic/TypeSupport.hpp>
#include <fastdds/rtps/transport/UDPv4TransportDescriptor.h>
#include <fastrtps/config.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <new>
#include <sstream>
#include <string>

namespace
{

using namespace eprosima::fastdds::dds;
using eprosima::fastrtps::Duration_t;
using eprosima::fastrtps::rtps::InstanceHandle_t;
using eprosima::fastrtps::rtps::SerializedPayload_t;
using eprosima::fastrtps::types::ReturnCode_t;

constexpr std::uint32_t header = SerializedPayload_t::representation_header_size;
constexpr std::int64_t second = 1000000000;
constexpr std::int64_t patience = 5 * second; // for a frame's memory: more means that a reader is gone

// A frame as a plain bounded type: an array of octets, whose CDR form is what lies in memory.
class FrameType : public TopicDataType
{
      public:
	explicit FrameType(std::size_t size) : size_(static_cast<std::uint32_t>(size))
	{
		setName("frame");
		m_typeSize = header + size_;
		m_isGetKeyDefined = false;
		auto_fill_type_information(false);
		auto_fill_type_object(false);
	}

	bool serialize(void *data, SerializedPayload_t *payload) override
	{
		if (payload->max_size < m_typeSize)
			return false;
		const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
		payload->encapsulation = little ? CDR_LE : CDR_BE;
		const std::uint8_t representation[header] = {0, static_cast<std::uint8_t>(little), 0, 0};
		std::memcpy(payload->data, representation, header);
		std::memcpy(payload->data + header, data, size_);
		payload->length = m_typeSize;
		return true;
	}

	bool deserialize(SerializedPayload_t *payload, void *data) override
	{
		if (payload->length != m_typeSize)
			return false;
		std::memcpy(data, payload->data + header, size_);
		return true;
	}

	std::function<std::uint32_t()> getSerializedSizeProvider(void *) override
	{
		return [size = m_typeSize] { return size; };
	}

	void *createData() override
	{
		return ::operator new(size_);
	}

	void deleteData(void *data) override
	{
		::operator delete(data);
	}

	bool getKey(void *, InstanceHandle_t *, bool) override
	{
		return false;
	}

	bool is_bounded() const override
	{
		return true;
	}

	bool is_plain() const override
	{
		return true;
	}

	bool construct_sample(void *) const override
	{
		return true;
	}

      private:
	std::uint32_t size_;
};

// What the processes share.
struct shared {
	std::atomic<int> matched; // readers that know of the writer
	struct end {
		char file[80]; // that it has in /dev/shm: destroy() removes that of one that was killed
	} ends[];	       // the writer's, then the readers'
};

struct peer {
	const transport_setup *setup;
	struct shared *shared;
	bool met; // the writer: all readers know of it, and it of them
	DomainParticipant *participant;
	Topic *topic;
	Publisher *publisher;
	DataWriter *writer;
	Subscriber *subscriber;
	DataReader *reader;
	StatusCondition *condition;
	std::unique_ptr<WaitSet> waits;
	LoanableSequence<stamp> frames; // of one: the loan's memory is as long as the frame
	SampleInfoSeq infos;
};

peer *of(void *self)
{
	return static_cast<peer *>(self);
}

std::size_t shared_size(const transport_setup *setup)
{
	return sizeof(shared) + sizeof(shared::end) * static_cast<std::size_t>(1 + setup->readers);
}

const char *version()
{
	return FASTRTPS_VERSION_STR;
}

void *make(const transport_setup *setup)
{
	void *memory = mmap(nullptr, shared_size(setup), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		complain("no memory");
		return nullptr;
	}
	auto *p = new peer{};
	p->setup = setup;
	p->shared = static_cast<struct shared *>(memory);
	return p;
}

void destroy(void *self)
{
	peer *p = of(self);
	for (int end = 0; end <= p->setup->readers; end++)
		if (p->shared->ends[end].file[0] != 0)
			shm_unlink(p->shared->ends[end].file);
	munmap(p->shared, shared_size(p->setup));
	delete p;
}

template <typename Guid> void remember(peer *p, int end, const Guid &guid)
{
	std::ostringstream file;
	file << "/fast_datasharing_" << guid.guidPrefix << "_" << guid.entityId;
	std::snprintf(p->shared->ends[end].file, sizeof(p->shared->ends[end].file), "%s", file.str().c_str());
}

template <typename Condition> bool wait_for(Condition condition)
{
	const std::int64_t until = now_ns() + patience;
	while (!condition()) {
		if (now_ns() > until)
			return false;
		const timespec a_while = {0, 10000};
		nanosleep(&a_while, nullptr);
	}
	return true;
}

// Discovery and acknowledgements go over loopback: frames never do, and nothing is left in /dev/shm by a process that is killed.
int join(peer *p)
{
	Log::SetVerbosity(Log::Kind::Error);
	DomainParticipantQos qos = PARTICIPANT_QOS_DEFAULT;
	auto udp = std::make_shared<eprosima::fastdds::rtps::UDPv4TransportDescriptor>();
	udp->interfaceWhiteList.emplace_back("127.0.0.1");
	qos.transport().use_builtin_transports = false;
	qos.transport().user_transports.push_back(udp);
	p->participant = DomainParticipantFactory::get_instance()->create_participant(0, qos);
	if (p->participant == nullptr)
		return complain("no participant");
	TypeSupport type(new FrameType(p->setup->size));
	if (type.register_type(p->participant) != ReturnCode_t::RETCODE_OK)
		return complain("no type");
	p->topic = p->participant->create_topic(p->setup->name, type.get_type_name(), TOPIC_QOS_DEFAULT);
	return p->topic != nullptr ? 0 : complain("no topic");
}

template <typename Qos> void set(const peer *p, Qos &qos)
{
	qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
	qos.durability().kind = VOLATILE_DURABILITY_QOS;
	qos.history().kind = KEEP_LAST_HISTORY_QOS;
	qos.history().depth = p->setup->under_way;
	qos.resource_limits().max_instances = 1;
	qos.resource_limits().max_samples = p->setup->under_way;
	qos.resource_limits().max_samples_per_instance = p->setup->under_way;
	qos.data_sharing().on("");
}

int open_writer(void *self)
{
	peer *p = of(self);
	if (join(p) != 0)
		return -1;
	p->publisher = p->participant->create_publisher(PUBLISHER_QOS_DEFAULT);
	DataWriterQos qos = DATAWRITER_QOS_DEFAULT;
	set(p, qos);
	qos.reliability().max_blocking_time = Duration_t(5, 0);
	// Frames that no reader has acknowledged take no new one: the more there are, and the sooner they are, the less the writer waits.
	qos.resource_limits().extra_samples = p->setup->under_way + 2;
	qos.reliable_writer_qos().times.initialHeartbeatDelay = Duration_t(0, 0);
	qos.reliable_writer_qos().times.heartbeatPeriod = Duration_t(0, 10000000);
	p->writer = p->publisher != nullptr ? p->publisher->create_datawriter(p->topic, qos) : nullptr;
	if (p->writer == nullptr)
		return complain("no writer");
	remember(p, 0, p->writer->guid());
	return 0;
}

// A frame for a reader that does not know of its writer yet is never acknowledged, and never free again: once, the writer waits for all.
bool meet(peer *p)
{
	if (p->met)
		return true;
	p->met = wait_for([p] {
		PublicationMatchedStatus status;
		p->writer->get_publication_matched_status(status);
		return status.current_count >= p->setup->readers && p->shared->matched >= p->setup->readers;
	});
	errno = 0;
	return p->met || complain("a reader and its writer did not find one another") == 0;
}

int send(void *self, const void *frame)
{
	if (!meet(of(self)))
		return -1;
	errno = 0;
	return of(self)->writer->write(const_cast<void *>(frame)) ? 0 : complain("write failed");
}

// There is none while all await their acknowledgement: the loan does not wait for it as write() would.
void *loan(void *self)
{
	peer *p = of(self);
	void *frame = nullptr;
	if (!meet(p))
		return nullptr;
	if (wait_for([p, &frame] { return p->writer->loan_sample(frame) == ReturnCode_t::RETCODE_OK; }))
		return frame;
	errno = 0;
	complain("no frame can be had");
	return nullptr;
}

int publish(void *self, void *frame)
{
	return of(self)->writer->write(frame) ? 0 : complain("write failed");
}

int open_reader(void *self, int number)
{
	peer *p = of(self);
	if (join(p) != 0)
		return -1;
	p->subscriber = p->participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT);
	DataReaderQos qos = DATAREADER_QOS_DEFAULT;
	set(p, qos);
	qos.reliable_reader_qos().times.heartbeatResponseDelay = Duration_t(0, 0);
	p->reader = p->subscriber != nullptr ? p->subscriber->create_datareader(p->topic, qos) : nullptr;
	if (p->reader == nullptr)
		return complain("no reader");
	remember(p, 1 + number, p->reader->guid());
	p->condition = &p->reader->get_statuscondition();
	p->condition->set_enabled_statuses(StatusMask::data_available());
	p->waits = std::make_unique<WaitSet>();
	if (p->waits->attach_condition(*p->condition) != ReturnCode_t::RETCODE_OK)
		return complain("no wait set");
	const bool matched = wait_for([p] {
		SubscriptionMatchedStatus status;
		p->reader->get_subscription_matched_status(status);
		return status.current_count > 0;
	});
	errno = 0;
	if (!matched)
		return complain("a reader and its writer did not find one another");
	p->shared->matched++;
	return 0;
}

const void *receive(void *self, std::int64_t limit_ns)
{
	peer *p = of(self);
	const std::int64_t until = now_ns() + limit_ns;
	for (;;) {
		if (p->reader->take(p->frames, p->infos, 1) == ReturnCode_t::RETCODE_OK) {
			if (p->infos[0].valid_data)
				return &p->frames[0];
			p->reader->return_loan(p->frames, p->infos);
		}
		if (p->setup->waiting == WAIT_SPIN) {
			if (!spin_on(until))
				return nullptr;
			continue;
		}
		const std::int64_t left = until - now_ns();
		if (left <= 0)
			return nullptr;
		ConditionSeq active;
		const auto s = static_cast<std::int32_t>(left / second);
		p->waits->wait(active, Duration_t(s, static_cast<std::uint32_t>(left % second)));
	}
}

void release(void *self, const void *)
{
	of(self)->reader->return_loan(of(self)->frames, of(self)->infos);
}

void close_end(void *self)
{
	peer *p = of(self);
	if (p->waits != nullptr)
		p->waits->detach_condition(*p->condition);
	p->waits.reset();
	p->participant->delete_contained_entities();
	DomainParticipantFactory::get_instance()->delete_participant(p->participant);
}

const transport fastdds = {
	.name = "Fast DDS",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_LOAN | CAN_FANOUT,
	.largest = UINT32_MAX - 4096,
	.how = "data sharing, plain type, loans, reliable, keep last; sleeps in a WaitSet",
	.version = version,
	.make = make,
	.destroy = destroy,
	.open_writer = open_writer,
	.send = send,
	.loan = loan,
	.publish = publish,
	.close_writer = close_end,
	.open_reader = open_reader,
	.receive = receive,
	.release = release,
	.close_reader = close_end,
};

} // namespace

extern "C" const transport *const PEERS[] = {&fastdds, nullptr};
