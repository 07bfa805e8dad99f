// liveness.cpp - asking who lives: a system call or two for each. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

namespace
{

void readers_attached(benchmark::State &state, int readers)
{
	Channel channel(64);
	channel.publish();
	channel.attach(readers);
	for (auto _ : state)
		require(slip_readers_attached(channel.writer, "a") == readers, "not all are there");
}

void writer_alive(benchmark::State &state)
{
	Channel channel(64);
	channel.publish();
	channel.attach(1);
	for (auto _ : state)
		require(slip_writer_alive(channel.readers[0], "a") == 1, "the writer is not there");
}

} // namespace

void liveness_figures(Suite &suite)
{
	for (const int readers : {1, 16, 62})
		suite.figure("liveness/readers_attached, " + std::to_string(readers), plain_lock_query(readers),
			     [readers](benchmark::State &state) { readers_attached(state, readers); });
	suite.figure("liveness/writer_alive", plain_lock_query(1), writer_alive);
}
