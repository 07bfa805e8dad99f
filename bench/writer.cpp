// writer.cpp - what a frame costs its writer without its bytes: loans and publishing. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

namespace
{

enum { BATCH = 32 };

slip_writer_options stamping(bool stamped)
{
	slip_writer_options options = writer_options();
	options.no_stamps = static_cast<std::uint8_t>(!stamped);
	return options;
}

void loan_and_discard(benchmark::State &state)
{
	const Channel channel(64);
	const slip_array what = bytes_of(nullptr, 64);
	for (auto _ : state)
		require(slip_discard(slip_loan(channel.writer, "a", &what)) == 0, "cannot loan");
}

void loan_and_publish(benchmark::State &state, bool stamped)
{
	Channel channel(64, stamping(stamped));
	for (auto _ : state)
		channel.publish();
}

// A frame that its writer holds on to, as an encoder does its reference picture.
void loan_publish_keep_and_release(benchmark::State &state)
{
	const Channel channel(64);
	const slip_array what = bytes_of(nullptr, 64);
	for (auto _ : state) {
		slip_frame *frame = slip_loan(channel.writer, "a", &what);
		require(frame != nullptr && slip_publish_keep(frame) == 0, "cannot publish");
		require(slip_release(frame) == 0, "cannot release");
	}
}

void publish(benchmark::State &state, int readers, bool stamped)
{
	slip_writer_options options = stamping(stamped);
	options.slots = BATCH * 2 + 2;
	options.max_loans = BATCH;
	Channel channel(64, options);
	channel.publish();
	channel.attach(readers);
	const slip_array what = bytes_of(nullptr, 64);
	slip_frame *loans[BATCH];
	while (state.KeepRunningBatch(BATCH)) {
		for (slip_frame *&loan : loans)
			require((loan = slip_loan(channel.writer, "a", &what)) != nullptr, "cannot loan");
		timed(state, [&] {
			for (slip_frame *loan : loans)
				require(slip_publish(loan) == 0, "cannot publish");
		});
	}
}

} // namespace

void writer_figures(Suite &suite)
{
	for (const int readers : {0, 1, 16, 62})
		suite.figure(
			"writer/publish, " + std::to_string(readers) + (readers == 1 ? " reader" : " readers"), plain_seqlock_write(true),
			[readers](benchmark::State &state) { publish(state, readers, true); }, Timing::PARTS);
	for (const int readers : {0, 62})
		suite.figure(
			"writer/publish unstamped, " + std::to_string(readers) + " readers", plain_seqlock_write(false),
			[readers](benchmark::State &state) { publish(state, readers, false); }, Timing::PARTS);
	suite.figure("writer/loan and publish", plain_clock_read(), [](benchmark::State &state) { loan_and_publish(state, true); });
	suite.figure("writer/loan and publish unstamped", plain_mutex(), [](benchmark::State &state) { loan_and_publish(state, false); });
	suite.figure("writer/loan and discard", plain_pool(), loan_and_discard);
	suite.figure("writer/loan, publish_keep and release", plain_pool(), loan_publish_keep_and_release);
}
