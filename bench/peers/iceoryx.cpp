// iceoryx.cpp - classic iceoryx between processes: untyped publisher and subscribers. SPDX-License-Identifier: Apache-2.0
#include "peer.h"
#include "roudi.h"

#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/iceoryx_posh_types.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <iceoryx_versions.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace
{

using namespace iox::popo;

constexpr std::size_t chunk_headers = 256; // and what alignment takes
constexpr std::size_t alignment = 64;
constexpr std::int64_t patience = 5000000000; // for a frame's memory: more means that a reader holds all

struct peer {
	const transport_setup *setup;
	roudi *daemon;
	std::unique_ptr<UntypedPublisher> publisher;
	std::unique_ptr<UntypedSubscriber> subscriber;
	std::unique_ptr<WaitSet<1>> waits;
};

peer *of(void *self)
{
	return static_cast<peer *>(self);
}

const char *version()
{
	return ICEORYX_LATEST_RELEASE_VERSION;
}

std::size_t queue(const transport_setup *setup)
{
	return std::min<std::size_t>(setup->under_way, iox::MAX_SUBSCRIBER_QUEUE_CAPACITY);
}

// Each subscriber may have a queue of its own and read a frame; the publisher writes one and keeps one.
int chunks_for(const transport_setup *setup)
{
	constexpr std::size_t wish = std::size_t{512} << 20;
	const std::size_t readers = setup->readers;
	const std::size_t least = queue(setup) + readers + 3;
	const std::size_t most = (queue(setup) + 1) * readers + 3;
	const std::size_t afford = wish / (setup->size + chunk_headers);
	return static_cast<int>(std::max(least, std::min(most, afford)));
}

void *make(const transport_setup *setup)
{
	roudi *daemon = roudi_start(setup->size + chunk_headers, chunks_for(setup), 1 + setup->readers);
	if (daemon == nullptr)
		return nullptr;
	auto *p = new peer{};
	p->setup = setup;
	p->daemon = daemon;
	return p;
}

void destroy(void *self)
{
	roudi_stop(of(self)->daemon);
	delete of(self);
}

// end: the writer is 0, readers follow.
void join(peer *p, int end)
{
	const std::string name = std::string(p->setup->name) + "-" + std::to_string(end);
	roudi_join(p->daemon, end, name.c_str());
	iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kFatal, iox::log::LogLevelOutput::kHideLogLevel);
	iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name));
}

iox::capro::ServiceDescription service(const peer *p)
{
	return {"slipring", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, p->setup->name), "frame"};
}

int open_writer(void *self)
{
	peer *p = of(self);
	join(p, 0);
	PublisherOptions options;
	options.historyCapacity = 0;
	options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy::DISCARD_OLDEST_DATA;
	p->publisher = std::make_unique<UntypedPublisher>(service(p), options);
	return 0;
}

// There is none while readers hold all.
void *loan(void *self)
{
	const peer *p = of(self);
	const std::int64_t until = now_ns() + patience;
	for (;;) {
		auto frame = p->publisher->loan(static_cast<std::uint32_t>(p->setup->size), alignment);
		if (!frame.has_error())
			return frame.value();
		if (!spin_on(until)) {
			errno = 0;
			complain("no frame can be had");
			return nullptr;
		}
	}
}

int publish(void *self, void *frame)
{
	of(self)->publisher->publish(frame);
	return 0;
}

int send_copy(void *self, const void *frame)
{
	void *to = loan(self);
	if (to == nullptr)
		return -1;
	std::memcpy(to, frame, of(self)->setup->size);
	return publish(self, to);
}

void close_writer(void *self)
{
	of(self)->publisher.reset();
}

int open_reader(void *self, int reader)
{
	peer *p = of(self);
	join(p, 1 + reader);
	SubscriberOptions options;
	options.queueCapacity = queue(p->setup);
	options.historyRequest = 0;
	options.queueFullPolicy = QueueFullPolicy::DISCARD_OLDEST_DATA;
	p->subscriber = std::make_unique<UntypedSubscriber>(service(p), options);
	if (p->setup->waiting == WAIT_SPIN)
		return 0;
	p->waits = std::make_unique<WaitSet<1>>();
	errno = 0;
	return p->waits->attachState(*p->subscriber, SubscriberState::HAS_DATA).has_error() ? complain("no wait set") : 0;
}

const void *receive(void *self, std::int64_t limit_ns)
{
	peer *p = of(self);
	const std::int64_t until = now_ns() + limit_ns;
	for (;;) {
		auto taken = p->subscriber->take();
		if (!taken.has_error())
			return taken.value();
		if (taken.get_error() != ChunkReceiveResult::NO_CHUNK_AVAILABLE) {
			errno = 0;
			complain("take failed");
			return nullptr;
		}
		if (p->waits == nullptr) {
			if (!spin_on(until))
				return nullptr;
			continue;
		}
		const std::int64_t left = until - now_ns();
		if (left <= 0)
			return nullptr;
		p->waits->timedWait(iox::units::Duration::fromNanoseconds(left));
	}
}

void release(void *self, const void *frame)
{
	of(self)->subscriber->release(frame);
}

void close_reader(void *self)
{
	of(self)->waits.reset();
	of(self)->subscriber.reset();
}

const transport iceoryx = {
	.name = "iceoryx",
	.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_LOAN | CAN_FANOUT,
	.largest = UINT32_MAX - 4096,
	.how = "untyped publisher and subscribers, loans, oldest discarded; sleeps in a WaitSet",
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

} // namespace

extern "C" const transport *const PEERS[] = {&iceoryx, nullptr};
