// copy.cpp - copying a frame in, beside memcpy of the same bytes into as many buffers as the ring goes round. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>

namespace
{

struct Free {
	void operator()(void *memory) const
	{
		std::free(memory);
	}
};
using Buffer = std::unique_ptr<void, Free>;

Buffer buffer_of(std::int64_t size)
{
	const auto rounded = static_cast<std::size_t>((size + 4095) / 4096 * 4096);
	Buffer buffer(std::aligned_alloc(4096, rounded));
	std::memset(buffer.get(), 1, rounded); // touched, as the ring is
	return buffer;
}

void copy_in(benchmark::State &state)
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.history = static_cast<std::uint32_t>(state.range(1) - 1);
	Channel channel(state.range(0), options);
	const Buffer source = buffer_of(state.range(0));
	const slip_array what = bytes_of(source.get(), state.range(0));
	for (auto _ : state)
		require(slip_set_array(channel.writer, "a", &what) == 0, "cannot publish");
	state.SetBytesProcessed(state.iterations() * state.range(0));
}

void plain_memcpy(benchmark::State &state)
{
	const Buffer source = buffer_of(state.range(0));
	std::vector<Buffer> targets;
	for (int i = 0; i < state.range(1); i++)
		targets.push_back(buffer_of(state.range(0)));
	std::size_t at = 0;
	for (auto _ : state) {
		std::memcpy(targets[at].get(), source.get(), static_cast<std::size_t>(state.range(0)));
		benchmark::ClobberMemory();
		at = at + 1 == targets.size() ? 0 : at + 1;
	}
	state.SetBytesProcessed(state.iterations() * state.range(0));
}

void sizes(benchmark::internal::Benchmark *b)
{
	b->ArgNames({"bytes", "buffers"});
	for (const int buffers : {2, 8})
		for (const int size : {64, 64 << 10, 640 * 480 * 3, 1920 * 1080 * 3, 3840 * 2160 * 3})
			b->Args({size, buffers});
}
BENCHMARK(copy_in)->Apply(sizes);
BENCHMARK(plain_memcpy)->Apply(sizes);

} // namespace
