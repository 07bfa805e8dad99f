// suite.cpp - registers what suite.hpp says, and the program's start: what a run was made of goes into its result.
// SPDX-License-Identifier: Apache-2.0
#include "suite.hpp"

#include "machine.h"

void Suite::figure(const std::string &name, const Plain &beside, Body body, Timing timing, std::int64_t iterations)
{
	// ratios.py reads the label.
	add(name, "beside:" + beside.name, std::move(body), timing, iterations);
	if (names_.count(beside.name) == 0)
		add(beside.name, "plain", beside.body, beside.timing, 0);
}

void Suite::add(const std::string &name, const std::string &label, Body body, Timing timing, std::int64_t iterations)
{
	if (!names_.insert(name).second)
		throw std::logic_error("two benchmarks are called '" + name + "'");
	auto *registered = benchmark::RegisterBenchmark(name.c_str(), [label, body = std::move(body)](benchmark::State &state) {
		try {
			body(state);
			state.SetLabel(label);
		} catch (const std::exception &failure) {
			state.SkipWithError(failure.what());
		}
	});
	if (timing == Timing::PARTS)
		registered->UseManualTime();
	if (iterations > 0)
		registered->Iterations(iterations);
}

int main(int count, char **arguments)
{
	Suite suite;
	for (const auto add : {writer_figures, reader_figures, frame_figures, copy_figures, wait_figures, follow_figures, observe_figures,
			       generation_figures, liveness_figures, sem_figures, inspect_figures})
		add(suite);
	static machine where; // its list of CPUs is long
	machine_read(&where);
	benchmark::AddCustomContext("cpu", where.cpu);
	benchmark::AddCustomContext("kernel", where.kernel);
	benchmark::AddCustomContext("slipring", slip_version());
	benchmark::AddCustomContext("compiler", __VERSION__);
#ifndef NDEBUG
	benchmark::AddCustomContext("assertions", "on");
#endif
	benchmark::Initialize(&count, arguments);
	if (benchmark::ReportUnrecognizedArguments(count, arguments))
		return 2;
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return 0;
}
