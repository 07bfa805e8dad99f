/*
 * boost_mq.cpp - a Boost.Interprocess message queue for each reader: in shared memory, copied in and out under its mutex.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "peer.h"

#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/version.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace
{

using boost::interprocess::message_queue;
namespace posix_time = boost::posix_time;

constexpr int64_t patience_ns = 5000000000; /* of a writer whose queue stays full */

struct queues {
	const transport_setup *setup;
	std::vector<std::string> names;
	/* Each process opens its own. */
	std::vector<std::unique_ptr<message_queue>> open;
	std::vector<unsigned char> frame; /* a reader's */

	explicit queues(const transport_setup *the_setup) : setup(the_setup)
	{
		for (int i = 0; i < setup->readers; i++)
			names.push_back(std::string(setup->name) + "-" + std::to_string(i));
	}
};

queues &of(void *self)
{
	return *static_cast<queues *>(self);
}

/* The library throws; nothing of it may leave this file. */
template <class Result, class Function> Result guarded(const char *what, Result otherwise, Function function)
{
	try {
		return function();
	} catch (const std::exception &e) {
		errno = 0;
		complain("%s: %s", what, e.what());
		return otherwise;
	}
}

posix_time::ptime in(int64_t ns)
{
	return posix_time::microsec_clock::universal_time() + posix_time::microseconds(ns / 1000);
}

void destroy(void *self)
{
	for (const std::string &name : of(self).names)
		message_queue::remove(name.c_str()); /* false where there is none */
	delete &of(self);
}

void *make(const transport_setup *setup)
{
	queues *q = guarded<queues *>("memory", nullptr, [&] { return new queues(setup); });
	if (q == nullptr)
		return nullptr;
	const bool good = guarded("message_queue", false, [&] {
		for (const std::string &name : q->names)
			message_queue(boost::interprocess::create_only, name.c_str(), static_cast<std::size_t>(setup->under_way),
				      setup->size);
		return true;
	});
	if (good)
		return q;
	destroy(q);
	return nullptr;
}

int open_queues(queues &q, std::size_t first, std::size_t count)
{
	return guarded("message_queue", -1, [&] {
		for (std::size_t i = first; i < first + count; i++)
			q.open.push_back(std::make_unique<message_queue>(boost::interprocess::open_only, q.names[i].c_str()));
		return 0;
	});
}

int open_writer(void *self)
{
	return open_queues(of(self), 0, of(self).names.size());
}

void close_queues(void *self)
{
	of(self).open.clear();
}

/* False when it stays full. */
bool put(const queues &q, message_queue &queue, const void *frame)
{
	if (queue.try_send(frame, q.setup->size, 0)) /* once without the clock */
		return true;
	if (q.setup->waiting == WAIT_SLEEP)
		return queue.timed_send(frame, q.setup->size, 0, in(patience_ns));
	const int64_t deadline = now_ns() + patience_ns;
	while (!queue.try_send(frame, q.setup->size, 0))
		if (!spin_on(deadline))
			return false;
	return true;
}

int send_frame(void *self, const void *frame)
{
	const queues &q = of(self);
	return guarded("send", -1, [&] {
		for (std::size_t i = 0; i < q.open.size(); i++)
			if (!put(q, *q.open[i], frame)) {
				errno = 0;
				return complain("reader %zu has taken nothing for 5 s", i);
			}
		return 0;
	});
}

int open_reader(void *self, int reader)
{
	queues &q = of(self);
	if (guarded("memory", -1, [&] { return q.frame.resize(q.setup->size), 0; }) != 0)
		return -1;
	return open_queues(q, static_cast<std::size_t>(reader), 1);
}

bool take(queues &q, int64_t limit_ns)
{
	message_queue &queue = *q.open[0];
	message_queue::size_type size = 0;
	unsigned priority = 0;
	if (q.setup->waiting == WAIT_SLEEP)
		return queue.timed_receive(q.frame.data(), q.frame.size(), size, priority, in(limit_ns)) && size == q.setup->size;
	const int64_t deadline = now_ns() + limit_ns;
	while (!queue.try_receive(q.frame.data(), q.frame.size(), size, priority))
		if (!spin_on(deadline))
			return false;
	return size == q.setup->size;
}

const void *receive(void *self, int64_t limit_ns)
{
	queues &q = of(self);
	return guarded("receive", false, [&] { return take(q, limit_ns); }) ? q.frame.data() : nullptr;
}

void release(void *, const void *)
{
}

void close_reader(void *self)
{
	close_queues(self);
	std::vector<unsigned char>().swap(of(self).frame);
}

const char *version()
{
	static const std::string text = std::to_string(BOOST_VERSION / 100000) + "." + std::to_string(BOOST_VERSION / 100 % 1000) + "." +
					std::to_string(BOOST_VERSION % 100);
	return text.c_str();
}

transport describe()
{
	transport t = {};
	t.name = "Boost mq";
	t.can = CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_FANOUT;
	t.how = "one message_queue per reader, copied in and out under its mutex; a full one holds the writer up";
	t.version = version;
	t.make = make;
	t.destroy = destroy;
	t.open_writer = open_writer;
	t.send = send_frame;
	t.close_writer = close_queues;
	t.open_reader = open_reader;
	t.receive = receive;
	t.release = release;
	t.close_reader = close_reader;
	return t;
}

const transport boost_mq = describe();

} // namespace

extern "C" const struct transport *const PEERS[] = {&boost_mq, nullptr};
