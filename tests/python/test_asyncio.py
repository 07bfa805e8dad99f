"""asyncio: aframes waits without a thread of its own, in order, on many channels, and can be cancelled at any time."""

import asyncio
import errno
import gc
import signal
import threading

import pytest

import slipring
from slipring import _aio, _core
from support import native_threads, picture, raises, run_script, same, scripted

LONG = 60


def put(writer, *seeds, channel="image"):
    for seed in seeds:
        writer.set_array(channel, picture(seed))


async def until(condition, tries=2000):
    """Lets the loop run until something is so, so many times at most."""
    for _ in range(tries):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError(f"never came true in {tries} tries")


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def first(aiterator):
    return asyncio.ensure_future(aiterator.__anext__())


def test_every_frame_in_order_until_the_writer_closes(base, reader):
    async def main():
        with slipring.Writer(base) as writer:
            put(writer, 1)
            frames = reader.aframes(timeout=LONG)
            assert frames.__aiter__() is frames
            got = [(await frames.__anext__()).seq]
            put(writer, 2, 3)
            async for frame in frames:
                got.append(frame.seq)
                assert frame.missed == 0 and same(frame.array, picture(frame.seq))
                del frame
                if got[-1] in (3, 5, 7):
                    asyncio.get_running_loop().call_soon(put, writer, got[-1] + 1, got[-1] + 2)
                if got[-1] == 9:
                    writer.close()
            return got

    assert asyncio.run(main()) == list(range(1, 10))


def test_frames_that_come_while_it_waits(writer, reader):
    async def main():
        async def publish():
            for seed in range(1, 51):
                put(writer, seed)
                await until(lambda: seed in got)

        put(writer, 0)
        got, publisher = [], None
        async for frame in reader.aframes(timeout=LONG):
            publisher = publisher or asyncio.create_task(publish())
            got.append(frame.seq - 1)
            if frame.seq == 51:
                break
        await publisher
        return got

    assert asyncio.run(main()) == list(range(51))


def test_in_both_modes_it_gives_newer_frames_and_ends_at_close(base, mode):
    async def main():
        with slipring.Reader(base) as reader:
            frames, got = reader.aframes(timeout=LONG), []
            waiting = first(frames)
            with slipring.Writer(base, mode=mode) as writer:
                for seed in range(5):
                    put(writer, seed)
                    got.append((await waiting).array.copy())
                    waiting = first(frames)
            with pytest.raises(StopAsyncIteration):
                await waiting
            return got

    assert all(same(array, picture(seed)) for seed, array in enumerate(asyncio.run(main())))


def test_it_has_a_place_of_its_own_in_the_stream(writer, reader):
    async def main():
        put(writer, 1)
        one, other = reader.aframes(timeout=LONG), reader.aframes(timeout=LONG)
        assert (await one.__anext__()).seq == (await other.__anext__()).seq == reader.next().seq == 1
        put(writer, 2, 3)
        assert [(await one.__anext__()).seq, (await one.__anext__()).seq] == [2, 3]
        assert [reader.next(timeout=0).seq, reader.next(timeout=0).seq] == [2, 3]
        assert [(await other.__anext__()).seq, (await other.__anext__()).seq] == [2, 3]

    asyncio.run(main())


def test_several_channels_at_once(writer, reader):
    names, count = [f"c{i}" for i in range(8)], 20

    async def collect(name):
        got = []
        async for frame in reader.aframes(name, timeout=LONG):
            got.append((frame.seq, int(frame.array[0, 0, 0])))
            if frame.seq == count:
                return got

    async def publish(tasks):
        for seed in range(count):
            for name in names:
                put(writer, seed, channel=name)
            await asyncio.sleep(0)
            if seed + 1 < count:  # with the last one the iterators, and their readers, are gone
                await until(lambda: all(reader_is_at(name, seed + 1) for name in names))

    def reader_is_at(name, seq):
        return (
            slipring.inspect(writer.base, name)["readers"][:1]
            and slipring.inspect(writer.base, name)["readers"][0]["last_seq"] >= seq
        )

    async def main():
        tasks = [asyncio.create_task(collect(name)) for name in names]
        await publish(tasks)
        return await asyncio.gather(*tasks)

    expected = [(seed + 1, int(picture(seed)[0, 0, 0])) for seed in range(count)]
    assert asyncio.run(main()) == [expected] * len(names)


def test_no_thread_for_each_wait(base, make_reader):
    """Before any writer, and while nothing new comes."""

    async def main():
        before = threading.enumerate(), native_threads()
        readers = [make_reader() for _ in range(4)]
        with slipring.Writer(base) as writer:
            put(writer, 1, channel="c0")
            iterators = [reader.aframes(f"c{i}") for reader in readers for i in range(5)]
            for iterator in iterators[::5]:
                assert (await iterator.__anext__()).seq == 1
            tasks = [first(iterator) for iterator in iterators]
            for _ in range(20):
                await asyncio.sleep(0.005)
            assert not any(task.done() for task in tasks) and len(tasks) == 20
            assert len(threading.enumerate()) <= len(before[0]) + 1
            assert native_threads() <= before[1] + 1
            for i in range(5):
                put(writer, 2, channel=f"c{i}")
            return [(await task).seq for task in tasks]

    assert asyncio.run(main()) == [2, 1, 1, 1, 1] * 4


def test_other_tasks_run_while_it_waits(reader):
    async def main():
        task = first(reader.aframes())
        turns = 0
        for _ in range(1000):
            await asyncio.sleep(0)
            turns += 1
        assert not task.done()
        await cancelled(task)
        return turns

    assert asyncio.run(main()) == 1000


def failing_once(function, *errors):
    """The function, but its first calls raise."""
    left = list(errors)

    def call(*args, **kwargs):
        if left:
            raise left.pop(0)
        return function(*args, **kwargs)

    return call


def test_a_wait_that_cannot_begin_says_so_and_the_next_one_begins(writer, reader, monkeypatch):
    async def main():
        frames = reader.aframes(timeout=LONG)
        for name in ("Waker", "start"):
            with pytest.raises(MemoryError, match=name):
                await frames.__anext__()
        task = first(frames)
        await asyncio.sleep(0)
        put(writer, 1)
        assert (await task).seq == 1

    monkeypatch.setattr(_aio, "_waits", _aio._Waits())
    monkeypatch.setattr(_core, "Waker", failing_once(_core.Waker, MemoryError("Waker")))
    monkeypatch.setattr(threading.Thread, "start", failing_once(threading.Thread.start, MemoryError("start")))
    asyncio.run(main())


def test_a_wait_that_fails_ends_for_those_who_wait_and_no_others(writer, reader, monkeypatch):
    async def main():
        frames = reader.aframes(timeout=LONG)
        with pytest.raises(MemoryError, match="first"):
            await frames.__anext__()
        task = first(frames)
        await asyncio.sleep(0)
        put(writer, 1)
        assert (await task).seq == 1

    def wait_any(items, *timeout, wait=failing_once(_core.wait_any, MemoryError("first"))):
        return wait(items, *timeout) if len(items) > 1 else real(items, *timeout)

    real = _core.wait_any
    monkeypatch.setattr(_aio, "_waits", _aio._Waits())
    monkeypatch.setattr(_core, "wait_any", wait_any)
    asyncio.run(main())


def test_a_thread_that_fails_with_nobody_waiting_is_replaced(writer, reader, monkeypatch):
    async def main():
        frames = reader.aframes(timeout=LONG)
        await until(lambda: _aio._waits._waker is None)
        task = first(frames)
        await asyncio.sleep(0)
        put(writer, 1)
        assert (await task).seq == 1

    def wait_any(items, *timeout, wait=failing_once(_core.wait_any, MemoryError())):
        return wait(items, *timeout) if len(items) == 1 else real(items, *timeout)

    real = _core.wait_any
    monkeypatch.setattr(_aio, "_waits", _aio._Waits())
    monkeypatch.setattr(_core, "wait_any", wait_any)
    asyncio.run(first_wait(reader))
    asyncio.run(main())


async def first_wait(reader):
    """Has the thread begin, and leaves it with nobody to wait for."""
    with pytest.raises(TimeoutError):
        await reader.aframes("none", timeout=0.001).__anext__()


def test_cancelling_loses_nothing_and_the_reader_goes_on(writer, reader):
    async def main():
        put(writer, 1)
        frames = reader.aframes(timeout=LONG)
        assert (await frames.__anext__()).seq == 1
        for _ in range(10):
            task = first(frames)
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            await cancelled(task)
        put(writer, 2)
        assert reader.latest().seq == 2
        again = reader.aframes(timeout=LONG)
        assert (await again.__anext__()).seq == 2

    asyncio.run(main())


def test_wait_for_with_a_time_limit(writer, reader):
    async def main():
        frames = reader.aframes()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(frames.__anext__(), 0.01)
        put(writer, 1)
        return (await asyncio.wait_for(reader.aframes().__anext__(), LONG)).seq

    assert asyncio.run(main()) == 1


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_runs_out_of_time(either_writer, either_reader, timeout):
    async def main():
        with pytest.raises(TimeoutError):
            await either_reader.aframes(timeout=timeout).__anext__()
        put(either_writer, 1)
        got = await either_reader.aframes(timeout=LONG).__anext__()
        frames = either_reader.aframes(timeout=timeout)
        assert same(got.array, picture(1)) and same((await frames.__anext__()).array, picture(1))
        with pytest.raises(TimeoutError):
            await frames.__anext__()

    asyncio.run(main())


def test_a_loop_that_is_left_early_gives_everything_back(writer, reader):
    async def main():
        put(writer, 1)
        async for frame in reader.aframes():
            assert frame.seq == 1
            break
        del frame

    asyncio.run(main())
    gc.collect()
    assert all(seen["leases"] == 0 for seen in slipring.inspect(writer.base)["readers"])
    for seed in range(20):
        put(writer, seed)


def test_the_loop_may_end_while_others_wait(writer, reader):
    async def main():
        tasks = [first(reader.aframes(f"c{i}")) for i in range(5)]
        await asyncio.sleep(0.01)
        return tasks

    for _ in range(3):
        tasks = asyncio.run(main())
        assert all(task.cancelled() for task in tasks)
    put(writer, 1)
    assert reader.latest().seq == 1


def test_loops_in_two_threads(base, writer):
    count = 30

    def run(name):
        async def main():
            got = []
            with slipring.Reader(base) as reader:
                async for frame in reader.aframes(name, timeout=LONG):
                    got.append(frame.seq)
                    if frame.seq == count:
                        return got
                    put(writer, frame.seq, channel=name)

        results[name] = asyncio.run(main())

    results = {}
    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for name in "ab":
        put(writer, 0, channel=name)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {"a": list(range(1, count + 1)), "b": list(range(1, count + 1))}


def test_frames_from_a_thread_reach_the_loop(writer, reader):
    async def main():
        frames = reader.aframes(timeout=LONG)
        task = first(frames)
        await asyncio.sleep(0.01)
        await asyncio.get_running_loop().run_in_executor(None, put, writer, 1)
        return (await task).seq

    assert asyncio.run(main()) == 1


def test_a_killed_writer_is_EOWNERDEAD(base, reader):
    async def main():
        with scripted(
            """
            import sys, numpy, slipring
            writer = slipring.Writer(sys.argv[1])
            writer.set_image(numpy.zeros((6, 8, 3), "u1"))
            print("ready", flush=True)
            sys.stdin.read()
        """,
            base,
        ) as process:
            frames = reader.aframes(timeout=LONG)
            assert (await frames.__anext__()).seq == 1
            task = first(frames)
            await asyncio.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            with pytest.raises(OSError) as error:
                await task
            assert error.value.errno == errno.EOWNERDEAD

    asyncio.run(main())
    with slipring.Writer(base) as writer:
        put(writer, 1)


def test_closing_the_reader_ends_what_waits_on_it(base):
    async def main():
        reader = slipring.Reader(base)
        task = first(reader.aframes(timeout=LONG))
        await asyncio.sleep(0.01)
        reader.close()
        with pytest.raises((ValueError, StopAsyncIteration)):
            await task
        with pytest.raises(ValueError, match="closed"):
            await reader.aframes().__anext__()

    asyncio.run(main())


def test_wants_a_running_loop_and_a_name(reader):
    with pytest.raises(RuntimeError):
        reader.aframes().__anext__().send(None)
    assert raises(TypeError, reader.aframes, 1) or raises(TypeError, asyncio.run, wait_once(reader, 1))


async def wait_once(reader, name):
    await reader.aframes(name).__anext__()


def test_a_process_that_used_it_ends_clean(base):
    run_script(
        """
        import asyncio, sys, numpy, slipring
        async def main():
            with slipring.Writer(sys.argv[1]) as writer, slipring.Reader(sys.argv[1]) as reader:
                writer.set_image(numpy.zeros((6, 8, 3), "u1"))
                frames = reader.aframes()
                assert (await frames.__anext__()).seq == 1
                asyncio.ensure_future(frames.__anext__())
                await asyncio.sleep(0.01)
        asyncio.run(main())
        kept = slipring.Reader(sys.argv[1]).aframes()
    """,
        base,
    )
