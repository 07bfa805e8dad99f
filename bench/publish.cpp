// publish.cpp - what a frame costs its writer without its bytes: loans and publishing. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"

#include <benchmark/benchmark.h>

#include <chrono>

namespace
{

enum { SIZE = 64, BATCH = 32 };

void loan_and_publish(benchmark::State &state)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.no_stamps = static_cast<std::uint8_t>(state.range(0) == 0);
	Channel channel(SIZE, options);
	const slip_array what = bytes_of(nullptr, SIZE);
	for (auto _ : state)
		require(slip_publish(slip_loan(channel.writer, "a", &what)) == 0, "cannot publish");
}
BENCHMARK(loan_and_publish)->ArgName("stamped")->Arg(1)->Arg(0);

// The publish alone: loans are taken by the batch outside of the time measured.
void publish(benchmark::State &state, int readers, bool stamped)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = BATCH * 2 + 2;
	options.max_loans = BATCH;
	options.no_stamps = !stamped;
	Channel channel(SIZE, options);
	const slip_array what = bytes_of("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", SIZE);
	require(slip_set_array(channel.writer, "a", &what) == 0, "cannot publish");
	channel.attach(readers);
	slip_frame *loans[BATCH];
	for (auto _ : state) {
		for (slip_frame *&loan : loans)
			require((loan = slip_loan(channel.writer, "a", &what)) != nullptr, "cannot loan");
		const auto start = std::chrono::steady_clock::now();
		for (slip_frame *loan : loans)
			slip_publish(loan);
		const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
		state.SetIterationTime(spent.count() / BATCH);
	}
}

void publish_to_readers(benchmark::State &state)
{
	publish(state, static_cast<int>(state.range(0)), true);
}
BENCHMARK(publish_to_readers)->ArgName("readers")->Arg(0)->Arg(1)->Arg(16)->Arg(62)->UseManualTime()->Iterations(20000);

void publish_unstamped(benchmark::State &state)
{
	publish(state, 0, false);
}
BENCHMARK(publish_unstamped)->UseManualTime()->Iterations(20000);

void clock_read(benchmark::State &state)
{
	timespec time;
	for (auto _ : state) {
		clock_gettime(CLOCK_MONOTONIC, &time);
		benchmark::DoNotOptimize(time);
	}
}
BENCHMARK(clock_read);

} // namespace
