// copy.cpp - what a frame's bytes cost: copied in by a writer (and published), copied out by a reader. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

namespace
{

slip_array with_strides(slip_array array, std::initializer_list<std::int64_t> strides)
{
	std::copy(strides.begin(), strides.end(), array.strides);
	return array;
}

const char *name_of(slip_dtype dtype)
{
	return dtype.code == SLIP_FLOAT ? "f32" : dtype.bits == 16 ? "u16" : "u8";
}

std::int64_t item_of(slip_dtype dtype)
{
	return dtype.bits / 8;
}

// The middle of a picture of 1920x1080.
Strided cropped(slip_dtype dtype, std::int64_t channels)
{
	const std::int64_t pixel = channels * item_of(dtype);
	const std::int64_t row = 1920 * pixel;
	return {"1280x720x" + std::to_string(channels) + " " + name_of(dtype) + " cropped from 1920x1080",
		with_strides(array_of(nullptr, dtype, {720, 1280, channels}), {row, pixel, item_of(dtype)}), 1080 * row,
		180 * row + 320 * pixel};
}

Strided transposed(slip_dtype dtype)
{
	const std::int64_t item = item_of(dtype);
	return {std::string("640x480 ") + name_of(dtype) + " transposed",
		with_strides(array_of(nullptr, dtype, {640, 480, 1}), {item, 640 * item, item}), 640 * 480 * item, 0};
}

// Height, width, channels to channels, height, width: as networks want it.
Strided planar(slip_dtype dtype)
{
	const std::int64_t item = item_of(dtype);
	return {std::string("640x480x3 ") + name_of(dtype) + " to planes",
		with_strides(array_of(nullptr, dtype, {3, 480, 640}), {item, 640 * 3 * item, 3 * item}), 640 * 480 * 3 * item, 0};
}

Strided channels_reversed()
{
	return {"640x480x3 u8 BGR to RGB", with_strides(array_of(nullptr, SLIP_U8, {480, 640, 3}), {640 * 3, 3, -1}), VGA, 2};
}

// A ring that goes round so many slots.
slip_writer_options slots_in_turn(int slots)
{
	slip_writer_options options = writer_options();
	options.history = static_cast<std::uint32_t>(slots - 1);
	return options;
}

void copy_in(benchmark::State &state, slip_array what, std::int64_t source_bytes, std::int64_t first, int slots)
{
	Channel channel(bytes_in(what), slots_in_turn(slots));
	const Buffer source(source_bytes);
	what.data = static_cast<const char *>(source.get()) + first;
	for (auto _ : state)
		channel.set(what);
}

void add_contiguous(Suite &suite, const std::string &name, const slip_array &what, int slots)
{
	const std::int64_t bytes = bytes_in(what);
	suite.figure("copy/in, " + name + ", " + std::to_string(slots) + " slots", plain_memcpy(bytes, slots),
		     [what, bytes, slots](benchmark::State &state) { copy_in(state, what, bytes, 0, slots); });
}

void add_strided(Suite &suite, const Strided &strided)
{
	suite.figure("copy/in, " + strided.name + ", 2 slots", plain_gather(strided, 2),
		     [strided](benchmark::State &state) { copy_in(state, strided.array, strided.source_bytes, strided.first, 2); });
}

void copy_out(benchmark::State &state, slip_array what)
{
	const std::int64_t bytes = bytes_in(what);
	const Buffer target(bytes);
	Channel channel(bytes);
	slip_frame *loan = slip_loan(channel.writer, "a", &what);
	require(loan != nullptr, "cannot loan");
	std::memset(loan->data, 1, loan->size);
	require(slip_publish(loan) == 0, "cannot publish");
	channel.attach(1);
	slip_frame *frame = slip_get_array(channel.readers[0], "a");
	require(frame != nullptr, "cannot get a frame");
	for (auto _ : state) {
		benchmark::DoNotOptimize(slip_copy(frame, target.get(), static_cast<std::size_t>(bytes)));
		benchmark::ClobberMemory();
	}
	slip_release(frame);
}

// Its rows have some bytes behind them, as a camera's driver wants it.
Strided padded()
{
	return {"1920x1080x3 u8 with a pitch of 6144 B", with_strides(array_of(nullptr, SLIP_U8, {1080, 1920, 3}), {6144, 3, 1}),
		1080 * 6144, 0};
}

} // namespace

void copy_figures(Suite &suite)
{
	for (const int slots : {2, 8})
		for (const std::int64_t bytes : {std::int64_t{64}, std::int64_t{4 << 10}, std::int64_t{64 << 10}, VGA, FULL_HD, UHD})
			add_contiguous(suite, named(bytes) + " u8", bytes_of(nullptr, bytes), slots);
	add_contiguous(suite, "640x480 u16", array_of(nullptr, SLIP_U16, {480, 640}), 2);
	add_contiguous(suite, "1280x720 f32", array_of(nullptr, SLIP_F32, {720, 1280}), 2);
	add_strided(suite, cropped(SLIP_U8, 3));
	add_strided(suite, cropped(SLIP_U16, 1));
	add_strided(suite, cropped(SLIP_F32, 1));
	for (const slip_dtype dtype : {SLIP_U8, SLIP_U16, SLIP_F32})
		add_strided(suite, transposed(dtype));
	add_strided(suite, planar(SLIP_U8));
	add_strided(suite, planar(SLIP_F32));
	add_strided(suite, channels_reversed());

	for (const std::int64_t bytes : {std::int64_t{64}, std::int64_t{4 << 10}, std::int64_t{64 << 10}, VGA, FULL_HD, UHD})
		suite.figure("copy/out, " + named(bytes) + " u8", plain_memcpy(bytes, 1),
			     [bytes](benchmark::State &state) { copy_out(state, bytes_of(nullptr, bytes)); });
	for (const slip_array &what : {array_of(nullptr, SLIP_U16, {480, 640}), array_of(nullptr, SLIP_F32, {720, 1280})})
		suite.figure(std::string("copy/out, ") + (what.shape[0] == 480 ? "640x480 " : "1280x720 ") + name_of(what.dtype),
			     plain_memcpy(bytes_in(what), 1), [what](benchmark::State &state) { copy_out(state, what); });
	suite.figure("copy/out, " + padded().name, plain_gather(padded(), 1),
		     [](benchmark::State &state) { copy_out(state, padded().array); });
}
