// read.cpp - what a frame costs its reader without looking at it. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"

#include <benchmark/benchmark.h>

namespace
{

// The same frame again and again.
void get_and_release(benchmark::State &state)
{
	Channel channel(state.range(0), SLIP_WRITER_OPTIONS_INIT);
	std::vector<char> bytes(static_cast<std::size_t>(state.range(0)));
	const slip_array what = bytes_of(bytes.data(), state.range(0));
	require(slip_set_array(channel.writer, "a", &what) == 0, "cannot publish");
	channel.attach(1);
	for (auto _ : state)
		require(slip_release(slip_get_array(channel.reader(), "a")) == 0, "cannot get a frame");
}
BENCHMARK(get_and_release)->ArgName("bytes")->Arg(64)->Arg(64 << 10)->Arg(640 * 480 * 3)->Arg(1920 * 1080 * 3)->Arg(3840 * 2160 * 3);

// A new frame each time; the publish is in it.
void publish_next_and_release(benchmark::State &state)
{
	Channel channel(64, SLIP_WRITER_OPTIONS_INIT);
	const slip_array what = bytes_of("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", 64);
	require(slip_set_array(channel.writer, "a", &what) == 0, "cannot publish");
	channel.attach(1);
	for (auto _ : state) {
		require(slip_publish(slip_loan(channel.writer, "a", &what)) == 0, "cannot publish");
		require(slip_release(slip_next(channel.reader(), "a", 0)) == 0, "cannot get a frame");
	}
}
BENCHMARK(publish_next_and_release);

} // namespace
