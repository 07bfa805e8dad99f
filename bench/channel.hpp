// channel.hpp - a writer and its readers, for a benchmark: arrays, pictures, channels. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "suite.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

constexpr std::int64_t VGA = 640 * 480 * 3, FULL_HD = 1920 * 1080 * 3, UHD = 3840 * 2160 * 3;

// A size as a name says it.
inline std::string named(std::int64_t bytes)
{
	switch (bytes) {
	case VGA: return "640x480x3";
	case FULL_HD: return "1920x1080x3";
	case UHD: return "3840x2160x3";
	default: break;
	}
	return bytes < 1024 ? std::to_string(bytes) + " B" : std::to_string(bytes >> 10) + " KiB";
}

inline slip_array array_of(const void *data, slip_dtype dtype, std::initializer_list<std::int64_t> shape)
{
	slip_array array = SLIP_ARRAY_INIT;
	array.data = data;
	array.dtype = dtype;
	for (const std::int64_t extent : shape)
		array.shape[array.ndim++] = extent;
	return array;
}

inline slip_array bytes_of(const void *data, std::int64_t size)
{
	return array_of(data, SLIP_U8, {size});
}

inline std::int64_t bytes_in(const slip_array &array)
{
	auto bytes = static_cast<std::int64_t>(slip_dtype_size(array.dtype));
	for (int i = 0; i < array.ndim; i++)
		bytes *= array.shape[i];
	return bytes;
}

// Whole pages, touched, as a ring's are.
class Buffer
{
      public:
	explicit Buffer(std::int64_t size)
	{
		const auto rounded = static_cast<std::size_t>((size + 4095) / 4096 * 4096);
		memory_.reset(std::aligned_alloc(4096, rounded));
		if (memory_ == nullptr)
			throw std::bad_alloc();
		std::memset(memory_.get(), 1, rounded);
	}

	void *get() const
	{
		return memory_.get();
	}

      private:
	struct Free {
		void operator()(void *memory) const
		{
			std::free(memory);
		}
	};
	std::unique_ptr<void, Free> memory_;
};

inline std::string fresh_base()
{
	static int made = 0;
	return "bench-" + std::to_string(getpid()) + "-" + std::to_string(made++);
}

inline slip_writer_options writer_options()
{
	slip_writer_options options = SLIP_WRITER_OPTIONS_INIT;
	options.prefault = 1;
	return options;
}

inline slip_reader_options reader_options()
{
	slip_reader_options options = SLIP_READER_OPTIONS_INIT;
	return options;
}

// Writes the channel "a"; its readers are attached, each with a place of its own, and not asleep.
class Channel
{
      public:
	explicit Channel(std::int64_t size, slip_writer_options options = writer_options()) : base(fresh_base())
	{
		writer = slip_writer_open(base.c_str(), &options);
		require(writer != nullptr, "cannot open a writer");
		const slip_array what = bytes_of(nullptr, size);
		if (slip_channel_create(writer, "a", &what) != 0) {
			slip_writer_close(writer);
			require(false, "cannot make a channel");
		}
	}
	Channel(const Channel &) = delete;
	Channel &operator=(const Channel &) = delete;
	~Channel()
	{
		for (slip_reader *reader : readers)
			slip_reader_close(reader);
		slip_writer_close(writer);
	}

	void set(const slip_array &what)
	{
		require(slip_set_array(writer, "a", &what) == 0, "cannot publish");
	}

	// A frame of 64 bytes.
	void publish()
	{
		const slip_array what = bytes_of(nullptr, 64);
		require(slip_publish(slip_loan(writer, "a", &what)) == 0, "cannot publish");
	}

	// A frame must be there.
	void attach(int count, slip_reader_options options = reader_options())
	{
		for (int i = 0; i < count; i++) {
			readers.push_back(slip_reader_open(base.c_str(), &options));
			require(readers.back() != nullptr, "cannot open a reader");
			get(readers.back());
		}
	}

	static void get(slip_reader *reader)
	{
		slip_frame *frame = slip_get_array(reader, "a");
		require(frame != nullptr, "cannot get a frame");
		require(slip_release(frame) == 0, "cannot release a frame");
	}

	const std::string base;
	slip_writer *writer;
	std::vector<slip_reader *> readers;
};
