// channel.hpp - a writer of one channel for a benchmark, and readers that only sit there. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <slipring/slipring.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

inline void require(bool good, const char *what)
{
	if (good)
		return;
	std::fprintf(stderr, "%s: %s\n", what, slip_error_detail());
	std::exit(1);
}

inline slip_array bytes_of(const void *data, std::int64_t size)
{
	slip_array array = SLIP_ARRAY_INIT;
	array.data = data;
	array.dtype = SLIP_U8;
	array.ndim = 1;
	array.shape[0] = size;
	return array;
}

class Channel {
      public:
	Channel(std::int64_t size, slip_writer_options options) : base_("bench-" + std::to_string(getpid()))
	{
		options.prefault = 1;
		writer = slip_writer_open(base_.c_str(), &options);
		require(writer != nullptr, "cannot open a writer");
		const slip_array what = bytes_of(nullptr, size);
		require(slip_channel_create(writer, "a", &what) == 0, "cannot make a channel");
	}
	Channel(const Channel &) = delete;
	Channel &operator=(const Channel &) = delete;
	~Channel()
	{
		for (slip_reader *reader : readers_)
			slip_reader_close(reader);
		slip_writer_close(writer);
	}

	// Attached, each with a place of its own; not asleep.
	void attach(int count)
	{
		for (int i = 0; i < count; i++) {
			slip_reader *reader = slip_reader_open(base_.c_str(), nullptr);
			require(reader != nullptr, "cannot open a reader");
			slip_frame *frame = slip_get_array(reader, "a");
			require(frame != nullptr, "cannot get a frame");
			slip_release(frame);
			readers_.push_back(reader);
		}
	}

	slip_reader *reader() const
	{
		return readers_.front();
	}

	slip_writer *writer;

      private:
	std::string base_;
	std::vector<slip_reader *> readers_;
};
