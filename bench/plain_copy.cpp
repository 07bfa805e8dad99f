// plain_copy.cpp - plain equivalents of copies. Memory is touched before. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

#include <semaphore.h>

namespace
{

std::string in_turn(int buffers)
{
	return buffers == 1 ? "" : ", " + std::to_string(buffers) + " buffers";
}

// As a ring goes round its slots.
class Targets
{
      public:
	Targets(std::int64_t bytes, int count)
	{
		for (int i = 0; i < count; i++)
			buffers_.emplace_back(bytes);
	}

	void *next()
	{
		at_ = at_ + 1 == buffers_.size() ? 0 : at_ + 1;
		return buffers_[at_].get();
	}

      private:
	std::vector<Buffer> buffers_;
	std::size_t at_ = 0;
};

template <typename T> void gather(void *to, const void *from, const slip_array &array)
{
	auto *at = static_cast<T *>(to);
	for (std::int64_t x = 0; x < array.shape[0]; x++)
		for (std::int64_t y = 0; y < array.shape[1]; y++) {
			const char *row = static_cast<const char *>(from) + x * array.strides[0] + y * array.strides[1];
			for (std::int64_t z = 0; z < array.shape[2]; z++)
				*at++ = *reinterpret_cast<const T *>(row + z * array.strides[2]);
		}
}

void gather_rows(void *to, const void *from, const slip_array &array, std::int64_t row_bytes)
{
	for (std::int64_t x = 0; x < array.shape[0]; x++)
		std::memcpy(static_cast<char *>(to) + x * row_bytes, static_cast<const char *>(from) + x * array.strides[0],
			    static_cast<std::size_t>(row_bytes));
}

// Where elements are side by side in a row, its bytes.
std::int64_t whole_row(const slip_array &array, std::int64_t item)
{
	return array.strides[2] == item && array.strides[1] == item * array.shape[2] ? item * array.shape[2] * array.shape[1] : 0;
}

void gather_any(void *to, const void *from, const slip_array &array)
{
	const auto item = static_cast<std::int64_t>(slip_dtype_size(array.dtype));
	if (const std::int64_t row = whole_row(array, item))
		gather_rows(to, from, array, row);
	else if (item == 1)
		gather<std::uint8_t>(to, from, array);
	else if (item == 2)
		gather<std::uint16_t>(to, from, array);
	else
		gather<std::uint32_t>(to, from, array);
}

// The C library maps a large piece afresh only the first time.
void settle_malloc(std::int64_t bytes)
{
	for (int i = 0; i < 2; i++) {
		void *memory = std::malloc(static_cast<std::size_t>(bytes));
		std::memset(memory, 1, static_cast<std::size_t>(bytes));
		benchmark::DoNotOptimize(memory);
		std::free(memory);
	}
}

} // namespace

Plain plain_memcpy(std::int64_t bytes, int buffers)
{
	return {"plain/memcpy " + named(bytes) + in_turn(buffers), [bytes, buffers](benchmark::State &state) {
			const Buffer source(bytes);
			Targets targets(bytes, buffers);
			for (auto _ : state) {
				std::memcpy(targets.next(), source.get(), static_cast<std::size_t>(bytes));
				benchmark::ClobberMemory();
			}
		}};
}

Plain plain_duplicate(std::int64_t bytes)
{
	return {"plain/malloc, memcpy " + named(bytes) + ", free", [bytes](benchmark::State &state) {
			const Buffer source(bytes);
			settle_malloc(bytes);
			for (auto _ : state) {
				void *copy = std::malloc(static_cast<std::size_t>(bytes));
				std::memcpy(copy, source.get(), static_cast<std::size_t>(bytes));
				benchmark::DoNotOptimize(copy);
				benchmark::ClobberMemory();
				std::free(copy);
			}
		}};
}

Plain plain_gather(const Strided &strided, int buffers)
{
	return {"plain/loops, " + strided.name + in_turn(buffers), [strided, buffers](benchmark::State &state) {
			const Buffer source(strided.source_bytes);
			Targets targets(bytes_in(strided.array), buffers);
			for (auto _ : state) {
				gather_any(targets.next(), static_cast<const char *>(source.get()) + strided.first, strided.array);
				benchmark::ClobberMemory();
			}
		}};
}

Plain plain_locked_memcpy(std::int64_t bytes)
{
	return {"plain/sem_wait, memcpy " + named(bytes) + ", sem_post", [bytes](benchmark::State &state) {
			const Buffer source(bytes);
			const Buffer target(bytes);
			sem_t lock;
			sem_init(&lock, 1, 1);
			for (auto _ : state) {
				sem_wait(&lock);
				std::memcpy(target.get(), source.get(), static_cast<std::size_t>(bytes));
				benchmark::ClobberMemory();
				sem_post(&lock);
			}
		}};
}

Plain plain_locked_duplicate(std::int64_t bytes)
{
	return {"plain/malloc, sem_wait, memcpy " + named(bytes) + ", sem_post, free", [bytes](benchmark::State &state) {
			const Buffer source(bytes);
			sem_t lock;
			sem_init(&lock, 1, 1);
			settle_malloc(bytes);
			for (auto _ : state) {
				void *copy = std::malloc(static_cast<std::size_t>(bytes));
				sem_wait(&lock);
				std::memcpy(copy, source.get(), static_cast<std::size_t>(bytes));
				benchmark::DoNotOptimize(copy);
				benchmark::ClobberMemory();
				sem_post(&lock);
				std::free(copy);
			}
		}};
}
