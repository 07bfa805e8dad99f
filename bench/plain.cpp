// plain.cpp - plain equivalents that need no file: words, locks, waking, waiting. Shared memory here is an anonymous shared mapping.
// SPDX-License-Identifier: Apache-2.0
#include "plain.hpp"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstring>
#include <ctime>
#include <memory>
#include <new>
#include <vector>

namespace
{

enum { FRAME = 64, BUFFERS = 8 };

// Zeroed memory that processes could share, as a T.
template <typename T> class Shared
{
      public:
	Shared() : memory_(mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
	{
		if (memory_ == MAP_FAILED)
			throw std::bad_alloc();
		value_ = new (memory_) T();
	}
	Shared(const Shared &) = delete;
	Shared &operator=(const Shared &) = delete;
	~Shared()
	{
		munmap(memory_, sizeof(T));
	}

	T *operator->() const
	{
		return value_;
	}

      private:
	void *memory_;
	T *value_;
};

struct Pool {
	Pool()
	{
		pthread_mutexattr_t attributes;
		pthread_mutexattr_init(&attributes);
		pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
		pthread_mutex_init(&mutex, &attributes);
		pthread_mutexattr_destroy(&attributes);
	}

	int take()
	{
		pthread_mutex_lock(&mutex);
		const int taken = count > 0 ? free[--count] : -1;
		pthread_mutex_unlock(&mutex);
		return taken;
	}

	void give(int buffer)
	{
		pthread_mutex_lock(&mutex);
		free[count++] = buffer;
		pthread_mutex_unlock(&mutex);
	}

	pthread_mutex_t mutex;
	int count = BUFFERS;
	int free[BUFFERS] = {0, 1, 2, 3, 4, 5, 6, 7};
};

struct Seqlock {
	void write(const void *frame, bool stamped)
	{
		const std::uint64_t seq = sequence.load(std::memory_order_relaxed);
		sequence.store(seq + 1, std::memory_order_relaxed);
		std::atomic_thread_fence(std::memory_order_release);
		if (stamped)
			clock_gettime(CLOCK_MONOTONIC, &when);
		copy(words, frame);
		sequence.store(seq + 2, std::memory_order_release);
	}

	void read(void *frame) const
	{
		std::uint64_t before;
		do {
			before = sequence.load(std::memory_order_acquire);
			for (std::size_t i = 0; i < FRAME / 8; i++)
				static_cast<std::uint64_t *>(frame)[i] = words[i].load(std::memory_order_relaxed);
			std::atomic_thread_fence(std::memory_order_acquire);
		} while (before % 2 != 0 || sequence.load(std::memory_order_relaxed) != before);
	}

	static void copy(std::atomic<std::uint64_t> *to, const void *from)
	{
		for (std::size_t i = 0; i < FRAME / 8; i++)
			to[i].store(static_cast<const std::uint64_t *>(from)[i], std::memory_order_relaxed);
	}

	std::atomic<std::uint64_t> sequence{0};
	timespec when;
	std::atomic<std::uint64_t> words[FRAME / 8];
};

struct Semaphore {
	Semaphore()
	{
		sem_init(&lock, 1, 1);
	}
	sem_t lock;
};

std::uint32_t futex_wake(std::atomic<std::uint32_t> *word)
{
	return static_cast<std::uint32_t>(syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0));
}

struct Waking {
	Seqlock frame;
	std::atomic<std::uint32_t> word{0};
};

} // namespace

Plain plain_clock_read()
{
	return {"plain/clock read", [](benchmark::State &state) {
			timespec time;
			for (auto _ : state) {
				clock_gettime(CLOCK_MONOTONIC, &time);
				benchmark::DoNotOptimize(time);
			}
		}};
}

Plain plain_mutex()
{
	return {"plain/mutex, lock and unlock", [](benchmark::State &state) {
			const Shared<Pool> pool;
			for (auto _ : state) {
				pthread_mutex_lock(&pool->mutex);
				pthread_mutex_unlock(&pool->mutex);
			}
		}};
}

Plain plain_pool()
{
	return {"plain/free list under a mutex, take and give", [](benchmark::State &state) {
			const Shared<Pool> pool;
			for (auto _ : state)
				pool->give(pool->take());
		}};
}

Plain plain_seqlock_write(bool stamped)
{
	return {stamped ? "plain/seqlock, write 64 B and the time" : "plain/seqlock, write 64 B", [stamped](benchmark::State &state) {
			const Shared<Seqlock> lock;
			const std::uint64_t frame[FRAME / 8] = {1, 2, 3, 4, 5, 6, 7, 8};
			for (auto _ : state) {
				lock->write(frame, stamped);
				benchmark::ClobberMemory();
			}
		}};
}

Plain plain_seqlock_read()
{
	return {"plain/seqlock, read 64 B", [](benchmark::State &state) {
			const Shared<Seqlock> lock;
			std::uint64_t frame[FRAME / 8];
			for (auto _ : state) {
				lock->read(frame);
				benchmark::DoNotOptimize(frame);
			}
		}};
}

Plain plain_seqlock_write_and_read()
{
	return {"plain/seqlock, write and read 64 B and the time", [](benchmark::State &state) {
			const Shared<Seqlock> lock;
			std::uint64_t frame[FRAME / 8] = {1, 2, 3, 4, 5, 6, 7, 8};
			for (auto _ : state) {
				lock->write(frame, true);
				lock->read(frame);
				benchmark::DoNotOptimize(frame);
			}
		}};
}

Plain plain_seqlock_write_and_wake()
{
	return {"plain/seqlock, write 64 B and the time, futex wake", [](benchmark::State &state) {
			const Shared<Waking> waking;
			const std::uint64_t frame[FRAME / 8] = {1, 2, 3, 4, 5, 6, 7, 8};
			for (auto _ : state) {
				waking->frame.write(frame, true);
				waking->word.fetch_add(1);
				benchmark::DoNotOptimize(futex_wake(&waking->word));
			}
		}};
}

Plain plain_futex_wake()
{
	return {"plain/futex wake", [](benchmark::State &state) {
			const Shared<Waking> waking;
			for (auto _ : state)
				benchmark::DoNotOptimize(futex_wake(&waking->word));
		}};
}

Plain plain_semaphore()
{
	return {"plain/sem_wait and sem_post", [](benchmark::State &state) {
			const Shared<Semaphore> semaphore;
			for (auto _ : state) {
				sem_wait(&semaphore->lock);
				sem_post(&semaphore->lock);
			}
		}};
}

Plain plain_semaphore_refused()
{
	return {"plain/sem_trywait, refused", [](benchmark::State &state) {
			const Shared<Semaphore> semaphore;
			sem_wait(&semaphore->lock);
			for (auto _ : state)
				benchmark::DoNotOptimize(sem_trywait(&semaphore->lock));
		}};
}

Plain plain_poll(int count, bool ready)
{
	const std::string name = "plain/poll of " + std::to_string(count) + (count == 1 ? " eventfd, " : " eventfds, ");
	return {name + (ready ? "ready" : "not ready"), [count, ready](benchmark::State &state) {
			std::vector<pollfd> polled;
			for (int i = 0; i < count; i++)
				polled.push_back({eventfd(ready ? 1 : 0, EFD_CLOEXEC), POLLIN, 0});
			for (auto _ : state)
				benchmark::DoNotOptimize(poll(polled.data(), polled.size(), 0));
			for (const pollfd &one : polled)
				close(one.fd);
		}};
}
