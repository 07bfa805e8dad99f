// generation.cpp - making a channel, and a frame that its ring is too small for. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

namespace
{

constexpr std::int64_t SLOTS = 8, PAGE = 4096;

std::int64_t ring_of(std::int64_t frame)
{
	return SLOTS * ((frame + PAGE - 1) / PAGE * PAGE);
}

void create(benchmark::State &state, std::int64_t bytes, bool prefault)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = SLOTS;
	options.prefault = static_cast<std::uint8_t>(prefault);
	for (auto _ : state) {
		std::unique_ptr<Channel> channel;
		timed(state, [&] { channel = std::make_unique<Channel>(bytes, options); });
	}
}

// From half of its bytes; the loan that needs it, up to having it.
void grow(benchmark::State &state, std::int64_t bytes)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.slots = SLOTS;
	const slip_array larger = bytes_of(nullptr, bytes);
	for (auto _ : state) {
		Channel channel(bytes / 2, options);
		channel.publish();
		slip_frame *loan = nullptr;
		timed(state, [&] { loan = slip_loan(channel.writer, "a", &larger); });
		require(loan != nullptr, "cannot grow");
	}
}

} // namespace

void generation_figures(Suite &suite)
{
	for (const std::int64_t bytes : {std::int64_t{64}, std::int64_t{64 << 10}, VGA, FULL_HD})
		suite.figure(
			"generation/create, 8 slots of " + named(bytes), plain_object_make(ring_of(bytes), Memory::ALLOCATED),
			[bytes](benchmark::State &state) { create(state, bytes, false); }, Timing::PARTS);
	suite.figure(
		"generation/create and prefault, 8 slots of 640x480x3", plain_object_make(ring_of(VGA), Memory::TOUCHED),
		[](benchmark::State &state) { create(state, VGA, true); }, Timing::PARTS);
	for (const std::int64_t bytes : {std::int64_t{64 << 10}, VGA})
		suite.figure(
			"generation/grow to 8 slots of " + named(bytes), plain_object_make(ring_of(bytes), Memory::ALLOCATED),
			[bytes](benchmark::State &state) { grow(state, bytes); }, Timing::PARTS);
}
