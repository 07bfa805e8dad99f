// plain_object.cpp - plain equivalents of making, finding and asking objects in shared memory. SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"
#include "plain.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

namespace
{

constexpr std::int64_t PAGE = 4096;

std::string failure(const char *what)
{
	return std::string(what) + ": " + std::strerror(errno);
}

// A named object; removed at the end.
class Object
{
      public:
	Object() : name("/" + fresh_base())
	{
	}
	Object(const Object &) = delete;
	Object &operator=(const Object &) = delete;
	~Object()
	{
		clear();
	}

	void make(std::int64_t bytes, Memory memory)
	{
		fd = shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			throw std::runtime_error(failure("cannot make an object"));
		const int error = memory == Memory::ALLOCATED ? posix_fallocate(fd, 0, bytes) : ftruncate(fd, bytes) != 0 ? errno : 0;
		if (error != 0)
			throw std::runtime_error(std::string("no memory for an object: ") + std::strerror(error));
		map(bytes, PROT_READ | PROT_WRITE);
		if (memory == Memory::TOUCHED)
			for (std::int64_t at = 0; at < bytes; at += PAGE)
				static_cast<volatile char *>(mapping)[at] = 1;
	}

	void map(std::int64_t bytes, int protection)
	{
		mapping = mmap(nullptr, static_cast<std::size_t>(bytes), protection, MAP_SHARED, fd, 0);
		if (mapping == MAP_FAILED)
			throw std::runtime_error(failure("cannot map an object"));
		mapped = static_cast<std::size_t>(bytes);
	}

	void clear()
	{
		if (mapped > 0)
			munmap(mapping, mapped);
		if (fd >= 0) {
			close(fd);
			shm_unlink(name.c_str());
		}
		fd = -1;
		mapped = 0;
	}

	const std::string name;
	int fd = -1;
	void *mapping = nullptr;
	std::size_t mapped = 0;
};

} // namespace

Plain plain_object_make(std::int64_t bytes, Memory memory)
{
	const char *how = memory == Memory::ALLOCATED ? "shm_open, fallocate, mmap" : "shm_open, ftruncate, mmap, touch";
	const std::string size = bytes < 1 << 20 ? named(bytes) : std::to_string(bytes >> 20) + " MiB";
	return {"plain/" + std::string(how) + " " + size,
		[bytes, memory](benchmark::State &state) {
			Object object;
			for (auto _ : state) {
				timed(state, [&] { object.make(bytes, memory); });
				object.clear();
			}
		},
		Timing::PARTS};
}

Plain plain_object_map()
{
	return {"plain/shm_open, fstat, mmap, read a word",
		[](benchmark::State &state) {
			Object object;
			object.make(PAGE, Memory::TOUCHED);
			for (auto _ : state) {
				int fd = -1;
				void *mapping = MAP_FAILED;
				struct stat status;
				timed(state, [&] {
					fd = shm_open(object.name.c_str(), O_RDWR | O_CLOEXEC, 0);
					if (fd < 0 || fstat(fd, &status) != 0)
						throw std::runtime_error(failure("cannot open an object"));
					mapping = mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ | PROT_WRITE,
						       MAP_SHARED, fd, 0);
					if (mapping == MAP_FAILED)
						throw std::runtime_error(failure("cannot map an object"));
					benchmark::DoNotOptimize(*static_cast<const volatile char *>(mapping));
				});
				munmap(mapping, static_cast<std::size_t>(status.st_size));
				close(fd);
			}
		},
		Timing::PARTS};
}

Plain plain_lock_query(int count)
{
	return {"plain/fcntl F_OFD_GETLK, " + std::to_string(count) + (count == 1 ? " byte" : " bytes"), [count](benchmark::State &state) {
			Object object;
			object.make(PAGE, Memory::TOUCHED);
			// The locks are another open file description's, as another process's are.
			const int other = shm_open(object.name.c_str(), O_RDWR | O_CLOEXEC, 0);
			struct flock lock = {};
			lock.l_type = F_WRLCK;
			lock.l_whence = SEEK_SET;
			lock.l_len = 1;
			for (lock.l_start = 0; lock.l_start < count; lock.l_start++)
				if (fcntl(other, F_OFD_SETLK, &lock) != 0)
					throw std::runtime_error(failure("cannot lock a byte"));
			for (auto _ : state)
				for (int i = 0; i < count; i++) {
					struct flock query = {};
					query.l_type = F_WRLCK;
					query.l_whence = SEEK_SET;
					query.l_start = i;
					query.l_len = 1;
					benchmark::DoNotOptimize(fcntl(object.fd, F_OFD_GETLK, &query));
				}
			close(other);
		}};
}

Plain plain_directory()
{
	return {"plain/opendir, readdir, closedir of /dev/shm", [](benchmark::State &state) {
			for (auto _ : state) {
				DIR *directory = opendir("/dev/shm");
				if (directory == nullptr)
					throw std::runtime_error(failure("cannot list /dev/shm"));
				while (const dirent *entry = readdir(directory))
					benchmark::DoNotOptimize(entry->d_name[0]);
				closedir(directory);
			}
		}};
}
