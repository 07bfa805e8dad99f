// wait.cpp - waits that need no sleep, and waking where nobody sleeps. What a wake-up takes between processes is bench/peers' matter.
// SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

#include <cerrno>

namespace
{

enum { CHANNELS = 16 };

// A frame that the handle has not had is there all the time.
void wait_ready(benchmark::State &state, int (*wait)(slip_reader *, const char *, std::int64_t))
{
	Channel channel(64);
	channel.publish();
	channel.attach(1);
	channel.publish();
	for (auto _ : state)
		require(wait(channel.readers[0], "a", SLIP_FOREVER) == 0, "cannot wait");
}

void wait_for_nothing(benchmark::State &state)
{
	Channel channel(64);
	channel.publish();
	channel.attach(1);
	for (auto _ : state)
		require(slip_wait(channel.readers[0], "a", 0) == -1 && errno == ETIMEDOUT, "there is a frame");
}

void wait_any(benchmark::State &state, std::size_t count, bool ready)
{
	std::vector<std::unique_ptr<Channel>> channels;
	std::vector<slip_wait_item> items(count);
	for (slip_wait_item &item : items) {
		channels.push_back(std::make_unique<Channel>(64));
		Channel &channel = *channels.back();
		channel.publish();
		channel.attach(1);
		if (ready)
			channel.publish();
		item = {channel.readers[0], "a", 0, nullptr};
	}
	for (auto _ : state) {
		const int found = slip_wait_any(items.data(), items.size(), 0);
		require(ready ? found == static_cast<int>(count) : found == -1 && errno == ETIMEDOUT, "cannot wait");
	}
}

void wake(benchmark::State &state)
{
	const std::unique_ptr<slip_waker, decltype(&slip_waker_close)> waker(slip_waker_open(), slip_waker_close);
	require(waker != nullptr, "cannot open a waker");
	for (auto _ : state)
		slip_waker_wake(waker.get());
}

std::uint64_t wakes_of(const Channel &channel)
{
	slip_writer_stats stats = slip_sized<slip_writer_stats>();
	require(slip_writer_get_stats(channel.writer, "a", &stats) == 0, "no stats");
	return stats.wakes;
}

// A reader said that it would sleep and has gone on since: the publish makes its system call, and finds nobody.
void publish_with_a_wake(benchmark::State &state)
{
	std::vector<std::unique_ptr<Channel>> channels;
	for (int i = 0; i < CHANNELS; i++) {
		channels.push_back(std::make_unique<Channel>(64));
		channels.back()->publish();
		channels.back()->attach(1);
	}
	const slip_array what = bytes_of(nullptr, 64);
	slip_frame *loans[CHANNELS];
	std::uint64_t rounds = 0;
	for (; state.KeepRunningBatch(CHANNELS); rounds++) {
		for (std::size_t i = 0; i < CHANNELS; i++) {
			Channel::get(channels[i]->readers[0]);
			require(slip_wait(channels[i]->readers[0], "a", 300000) == -1 && errno == ETIMEDOUT, "there is a frame");
			loans[i] = slip_loan(channels[i]->writer, "a", &what);
			require(loans[i] != nullptr, "cannot loan");
		}
		timed(state, [&] {
			for (slip_frame *loan : loans)
				require(slip_publish(loan) == 0, "cannot publish");
		});
	}
	for (const auto &channel : channels)
		/* A reader that was held up past its limit has not slept: one in ten may. */
		if (wakes_of(*channel) < rounds - rounds / 10)
			throw std::logic_error("too many publishes made no system call");
}

} // namespace

void wait_figures(Suite &suite)
{
	suite.figure("wait/slip_wait, a frame is there", plain_semaphore(), [](benchmark::State &state) { wait_ready(state, slip_wait); });
	suite.figure("wait/slip_wait_for_array, a frame is there", plain_semaphore(),
		     [](benchmark::State &state) { wait_ready(state, slip_wait_for_array); });
	suite.figure("wait/slip_wait, nothing new, limit 0", plain_semaphore_refused(), wait_for_nothing);
	for (const int count : {1, 8, 64}) {
		const std::string name = "wait/slip_wait_any, " + std::to_string(count) + (count == 1 ? " channel" : " channels");
		suite.figure(name + ", all ready", plain_poll(count, true),
			     [count](benchmark::State &state) { wait_any(state, static_cast<std::size_t>(count), true); });
	}
	suite.figure("wait/slip_wait_any, 8 channels, none ready, limit 0", plain_poll(8, false),
		     [](benchmark::State &state) { wait_any(state, 8, false); });
	suite.figure("wait/publish and wake, nobody asleep any more", plain_seqlock_write_and_wake(), publish_with_a_wake, Timing::PARTS,
		     CHANNELS * 100);
	suite.figure("wait/waker_wake, nobody asleep", plain_futex_wake(), wake);
}
