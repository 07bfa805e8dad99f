// observe.cpp - what a frame costs a reader that marks nothing, and so gets a copy of its own. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

namespace
{

void get_and_release(benchmark::State &state, std::int64_t bytes)
{
	slip_reader_options options = reader_options();
	options.observer = 1;
	const Buffer source(bytes);
	Channel channel(bytes);
	channel.set(bytes_of(source.get(), bytes));
	channel.attach(1, options);
	for (auto _ : state)
		Channel::get(channel.readers[0]);
}

} // namespace

void observe_figures(Suite &suite)
{
	for (const std::int64_t bytes : {std::int64_t{64}, std::int64_t{64 << 10}, VGA, FULL_HD})
		suite.figure("observe/get and release, " + named(bytes), plain_duplicate(bytes),
			     [bytes](benchmark::State &state) { get_and_release(state, bytes); });
}
