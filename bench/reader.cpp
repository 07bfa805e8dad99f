// reader.cpp - what a frame costs its reader without looking at it. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

namespace
{

enum { HANDLES = 8 };

// The same frame again and again.
void get_and_release(benchmark::State &state, std::int64_t bytes)
{
	Channel channel(bytes);
	const Buffer source(bytes);
	channel.set(bytes_of(source.get(), bytes));
	channel.attach(1);
	for (auto _ : state)
		require(slip_release(slip_get_array(channel.readers[0], "a")) == 0, "cannot get a frame");
}

void get_what_is_held(benchmark::State &state)
{
	Channel channel(64);
	channel.publish();
	channel.attach(1);
	slip_frame *held = slip_get_array(channel.readers[0], "a");
	for (auto _ : state)
		require(slip_release(slip_get_array(channel.readers[0], "a")) == 0, "cannot get a frame");
	slip_release(held);
}

enum class Part { GET, NEXT, RELEASE };

// One part of getting a frame that the handle has not had: by many handles after each other, all of the same frame.
void part_of_a_new_frame(benchmark::State &state, Part part)
{
	Channel channel(64);
	channel.publish();
	channel.attach(HANDLES);
	slip_frame *frames[HANDLES];
	const auto get = [&] {
		for (int i = 0; i < HANDLES; i++)
			frames[i] = slip_get_array(channel.readers[static_cast<std::size_t>(i)], "a");
	};
	const auto next = [&] {
		for (int i = 0; i < HANDLES; i++)
			frames[i] = slip_next(channel.readers[static_cast<std::size_t>(i)], "a", 0);
	};
	const auto release = [&] {
		for (slip_frame *frame : frames)
			require(slip_release(frame) == 0, "cannot get a frame");
	};
	while (state.KeepRunningBatch(HANDLES)) {
		channel.publish();
		switch (part) {
		case Part::GET:
			timed(state, get);
			release();
			break;
		case Part::NEXT:
			timed(state, next);
			release();
			break;
		case Part::RELEASE:
			get();
			timed(state, release);
			break;
		}
	}
}

// A new frame each time; the publish is in it.
void publish_and_take(benchmark::State &state, bool in_order)
{
	Channel channel(64);
	channel.publish();
	channel.attach(1);
	slip_reader *reader = channel.readers[0];
	for (auto _ : state) {
		channel.publish();
		require(slip_release(in_order ? slip_next(reader, "a", 0) : slip_get_array(reader, "a")) == 0, "cannot get a frame");
	}
}

} // namespace

void reader_figures(Suite &suite)
{
	for (const std::int64_t bytes : {std::int64_t{64}, std::int64_t{64 << 10}, VGA, FULL_HD, UHD})
		suite.figure("reader/get and release, " + named(bytes), plain_mutex(),
			     [bytes](benchmark::State &state) { get_and_release(state, bytes); });
	suite.figure("reader/get and release, held already", plain_mutex(), get_what_is_held);
	suite.figure(
		"reader/get, a new frame", plain_seqlock_read(), [](benchmark::State &state) { part_of_a_new_frame(state, Part::GET); },
		Timing::PARTS);
	suite.figure(
		"reader/next, a new frame", plain_seqlock_read(), [](benchmark::State &state) { part_of_a_new_frame(state, Part::NEXT); },
		Timing::PARTS);
	suite.figure(
		"reader/release", plain_seqlock_read(), [](benchmark::State &state) { part_of_a_new_frame(state, Part::RELEASE); },
		Timing::PARTS);
	suite.figure("reader/publish, get and release", plain_seqlock_write_and_read(),
		     [](benchmark::State &state) { publish_and_take(state, false); });
	suite.figure("reader/publish, next and release", plain_seqlock_write_and_read(),
		     [](benchmark::State &state) { publish_and_take(state, true); });
}
