// follow.cpp - what it takes a reader to find a channel: attaching, and going on to the ring that its writer grew or made anew.
// SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

namespace
{

// Up to the first frame. With another handle in the process the channel is mapped already.
void attach(benchmark::State &state, std::int64_t bytes, bool mapped)
{
	Channel channel(bytes);
	channel.publish();
	channel.attach(mapped ? 1 : 0);
	for (auto _ : state) {
		slip_reader *reader = nullptr;
		timed(state, [&] {
			reader = slip_reader_open(channel.base.c_str(), nullptr);
			Channel::get(reader);
		});
		slip_reader_close(reader);
	}
}

void attach_and_leave(benchmark::State &state)
{
	Channel channel(64);
	channel.publish();
	for (auto _ : state) {
		slip_reader *reader = slip_reader_open(channel.base.c_str(), nullptr);
		Channel::get(reader);
		slip_reader_close(reader);
	}
}

slip_writer_options small()
{
	slip_writer_options options = writer_options();
	options.capacity = 4096;
	return options;
}

void follow_growth(benchmark::State &state)
{
	for (auto _ : state) {
		Channel channel(64, small());
		channel.publish();
		channel.attach(1);
		const slip_array larger = bytes_of(nullptr, 64 << 10);
		require(slip_publish(slip_loan(channel.writer, "a", &larger)) == 0, "cannot grow");
		timed(state, [&] { Channel::get(channel.readers[0]); });
	}
}

void follow_restart(benchmark::State &state)
{
	for (auto _ : state) {
		Channel channel(64, small());
		channel.publish();
		channel.attach(1);
		slip_writer_close(channel.writer);
		channel.writer = slip_writer_open(channel.base.c_str(), nullptr);
		require(channel.writer != nullptr, "cannot open a writer");
		channel.publish();
		timed(state, [&] { Channel::get(channel.readers[0]); });
	}
}

} // namespace

void follow_figures(Suite &suite)
{
	for (const std::int64_t bytes : {std::int64_t{64}, FULL_HD})
		suite.figure(
			"follow/open a reader and get, " + named(bytes), plain_object_map(),
			[bytes](benchmark::State &state) { attach(state, bytes, false); }, Timing::PARTS);
	suite.figure(
		"follow/open another reader and get", plain_object_map(), [](benchmark::State &state) { attach(state, 64, true); },
		Timing::PARTS);
	suite.figure("follow/open a reader, get and close", plain_object_map(), attach_and_leave);
	suite.figure("follow/get after growth", plain_object_map(), follow_growth, Timing::PARTS);
	suite.figure("follow/get after a restart", plain_object_map(), follow_restart, Timing::PARTS);
}
