// frame.cpp - what a frame's description costs. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

namespace
{

void described_loan(benchmark::State &state)
{
	const Channel channel(64);
	const char metadata[SLIP_METADATA_MAX] = {1};
	slip_array what = array_of(nullptr, SLIP_U8, {4, 4, 4});
	what.encoding = "bgra8";
	what.frame_id = "camera_front_optical_frame";
	what.metadata = metadata;
	what.metadata_size = sizeof(metadata);
	for (auto _ : state)
		require(slip_discard(slip_loan(channel.writer, "a", &what)) == 0, "cannot loan");
}

void set_metadata(benchmark::State &state)
{
	const Channel channel(64);
	const char metadata[SLIP_METADATA_MAX] = {1};
	const slip_array what = bytes_of(nullptr, 64);
	slip_frame *loan = slip_loan(channel.writer, "a", &what);
	require(loan != nullptr, "cannot loan");
	for (auto _ : state)
		require(slip_frame_set_metadata(loan, metadata, sizeof(metadata)) == 0, "cannot set metadata");
	slip_discard(loan);
}

} // namespace

void frame_figures(Suite &suite)
{
	suite.figure("frame/loan and discard, with encoding, frame_id and 256 B of metadata", plain_pool(), described_loan);
	suite.figure("frame/set_metadata, 256 B", plain_memcpy(SLIP_METADATA_MAX, 1), set_metadata);
}
