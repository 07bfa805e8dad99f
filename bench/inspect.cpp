// inspect.cpp - looking without taking part. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

#include <slipring/inspect.h>

namespace
{

void list_channels(benchmark::State &state, int count)
{
	const Channel first(64);
	const slip_array what = bytes_of(nullptr, 64);
	for (int i = 1; i < count; i++)
		require(slip_channel_create(first.writer, ("a" + std::to_string(i)).c_str(), &what) == 0, "cannot make a channel");
	for (auto _ : state) {
		slip_channel_name *names = nullptr;
		std::size_t found = 0;
		require(slip_list_channels(first.base.c_str(), &names, &found) == 0, "cannot list channels");
		std::free(names);
		if (found != static_cast<std::size_t>(count))
			throw std::runtime_error("not all channels were listed");
	}
}

void gc_list(benchmark::State &state)
{
	const Channel channel(64);
	for (auto _ : state) {
		slip_leftover *leftovers = nullptr;
		std::size_t found = 0;
		require(slip_gc_list(channel.base.c_str(), &leftovers, &found) == 0 && found == 0, "cannot list leftovers");
		std::free(leftovers);
	}
}

void inspect(benchmark::State &state, int readers)
{
	Channel channel(64);
	channel.publish();
	channel.attach(readers);
	for (auto _ : state) {
		slip_channel_info *info = slip_channel_inspect(channel.base.c_str(), "a", SLIP_MODE_LOCK_FREE);
		require(info != nullptr && info->reader_count == static_cast<std::size_t>(readers), "cannot inspect");
		slip_channel_info_free(info);
	}
}

void inspect_semaphore(benchmark::State &state)
{
	slip_writer_options options = writer_options();
	options.mode = SLIP_MODE_SEMAPHORE;
	Channel channel(64, options);
	channel.publish();
	for (auto _ : state) {
		slip_channel_info *info = slip_channel_inspect(channel.base.c_str(), "a", SLIP_MODE_SEMAPHORE);
		require(info != nullptr, "cannot inspect");
		slip_channel_info_free(info);
	}
}

} // namespace

void inspect_figures(Suite &suite)
{
	for (const int count : {1, 16})
		suite.figure("inspect/list_channels, " + std::to_string(count), plain_directory(),
			     [count](benchmark::State &state) { list_channels(state, count); });
	suite.figure("inspect/gc_list, nothing left over", plain_directory(), gc_list);
	suite.figure("inspect/channel_inspect, 0 readers", plain_object_map(), [](benchmark::State &state) { inspect(state, 0); });
	suite.figure("inspect/channel_inspect, 62 readers", plain_lock_query(62), [](benchmark::State &state) { inspect(state, 62); });
	suite.figure("inspect/channel_inspect, semaphore mode", plain_object_map(), inspect_semaphore);
}
