// sem.cpp - semaphore mode: copies in and out under a lock that nobody else wants. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

namespace
{

slip_writer_options semaphore_writer()
{
	slip_writer_options options = writer_options();
	options.mode = SLIP_MODE_SEMAPHORE;
	return options;
}

void set(benchmark::State &state, std::int64_t bytes)
{
	const Buffer source(bytes);
	Channel channel(bytes, semaphore_writer());
	const slip_array what = bytes_of(source.get(), bytes);
	for (auto _ : state)
		channel.set(what);
}

slip_reader *attach(Channel &channel, std::int64_t bytes)
{
	const Buffer source(bytes);
	channel.set(bytes_of(source.get(), bytes));
	slip_reader_options options = reader_options();
	options.mode = SLIP_MODE_SEMAPHORE;
	channel.attach(1, options);
	return channel.readers[0];
}

void get_and_release(benchmark::State &state, std::int64_t bytes)
{
	Channel channel(bytes, semaphore_writer());
	slip_reader *reader = attach(channel, bytes);
	for (auto _ : state)
		Channel::get(reader);
}

void wait_ready(benchmark::State &state)
{
	Channel channel(64, semaphore_writer());
	slip_reader *reader = attach(channel, 64);
	channel.publish();
	for (auto _ : state)
		require(slip_wait(reader, "a", 0) == 0, "cannot wait");
}

// Up to the objects being there.
void create(benchmark::State &state, std::int64_t bytes)
{
	for (auto _ : state) {
		std::unique_ptr<Channel> channel;
		timed(state, [&] { channel = std::make_unique<Channel>(bytes, semaphore_writer()); });
	}
}

} // namespace

void sem_figures(Suite &suite)
{
	for (const std::int64_t bytes : {std::int64_t{64}, std::int64_t{64 << 10}, VGA, FULL_HD, UHD})
		suite.figure("sem/set, " + named(bytes), plain_locked_memcpy(bytes),
			     [bytes](benchmark::State &state) { set(state, bytes); });
	for (const std::int64_t bytes : {std::int64_t{64}, std::int64_t{64 << 10}, VGA, FULL_HD, UHD})
		suite.figure("sem/get and release, " + named(bytes), plain_locked_duplicate(bytes),
			     [bytes](benchmark::State &state) { get_and_release(state, bytes); });
	suite.figure("sem/slip_wait, a frame is there", plain_semaphore(), wait_ready);
	suite.figure(
		"sem/create, 64 KiB", plain_object_make(64 << 10, Memory::TOUCHED),
		[](benchmark::State &state) { create(state, 64 << 10); }, Timing::PARTS);
}
