// suite.hpp - figures and their plain equivalents, for Google Benchmark. A figure cannot be registered without what stands beside it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>
#include <slipring/slipring.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>

using Body = std::function<void(benchmark::State &)>;

enum class Timing {
	LOOP, // the whole loop
	PARTS // what the body hands to timed(): the rest of the loop only makes ready for it
};

// Something that a program would do without slipring. Its name is its identity: the same one stands beside several figures.
struct Plain {
	std::string name;
	Body body;
	Timing timing = Timing::LOOP;
};

class Suite
{
      public:
	// "MODULE/WHAT", beside its plain equivalent, which is registered with the first figure that names it. iterations: how many, where making
	// ready takes so much longer than what is timed that Google Benchmark's choice would be too long; 0 leaves it to that.
	void figure(const std::string &name, const Plain &beside, Body body, Timing timing = Timing::LOOP, std::int64_t iterations = 0);

      private:
	void add(const std::string &name, const std::string &label, Body body, Timing timing, std::int64_t iterations);

	std::set<std::string> names_;
};

// Ends the benchmark that runs, not the program: what was made in shared memory is removed on the way out.
inline void require(bool good, const char *what)
{
	if (!good)
		throw std::runtime_error(std::string(what) + ": " + slip_error_detail());
}

// Counts the time of one call only. About one clock read is in it, so short work comes in batches (state.KeepRunningBatch).
template <typename Work> void timed(benchmark::State &state, Work work)
{
	const auto start = std::chrono::steady_clock::now();
	work();
	const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
	state.SetIterationTime(spent.count());
}

// One for each module of src/core that has a figure.
void copy_figures(Suite &suite);
void follow_figures(Suite &suite);
void frame_figures(Suite &suite);
void generation_figures(Suite &suite);
void inspect_figures(Suite &suite);
void liveness_figures(Suite &suite);
void observe_figures(Suite &suite);
void reader_figures(Suite &suite);
void sem_figures(Suite &suite);
void wait_figures(Suite &suite);
void writer_figures(Suite &suite);
