"""Threads: a reader each; two on one are refused, never a crash; waiting lets others run; frames end anywhere."""

import importlib.util
import queue
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import slipring
from slipring import _core
from support import DIRECTORY, eventually, picture, raises, run_script, same

THREADS = 4


def in_threads(*functions):
    """Runs them side by side; their results, or the first one's exception."""
    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(function) for function in functions]]


def test_who_asks_for_an_array_while_numpy_is_loaded_gets_one_too(base, writer, monkeypatch):
    """Loading lets others run; here they come in the middle of it for certain."""
    spec = importlib.util.spec_from_file_location(_core.__name__, _core.__file__)
    module = importlib.util.module_from_spec(spec)  # one that has not loaded numpy
    spec.loader.exec_module(module)
    writer.set_array("a", [1, 2])
    reader, others = module.Reader(base), module.Reader(base)

    class Numpy(types.ModuleType):
        inner = None

        def __getattr__(self, name):
            if name == "asarray" and self.inner is None:
                self.inner = ()
                self.inner = others.get_array("a").tolist()
            return getattr(np, name)

    monkeypatch.setitem(sys.modules, "numpy", Numpy("numpy"))
    assert reader.get_array("a").tolist() == [1, 2] == sys.modules["numpy"].inner
    reader.close()
    others.close()


def test_a_reader_for_each_thread(base, make_writer):
    count = 200
    writer = make_writer(slots=THREADS * 2 + 2)
    writer.set_array("a", np.full(1000, 0))

    def read():
        with slipring.Reader(base) as reader:
            last, total = 0, 0
            while last < count + 1:
                frame = reader.next("a", timeout=60)
                assert (frame.array == frame.array[0]).all()
                total, last = total + 1 + frame.missed, frame.seq
            return total

    def write():
        eventually(lambda: writer.readers_attached("a") == THREADS)
        for number in range(count):
            eventually(lambda: not raises(BlockingIOError, writer.set_array, "a", np.full(1000, number)))

    assert in_threads(write, *[read] * THREADS)[1:] == [count + 1] * THREADS


def test_a_second_thread_on_a_reader_is_told_so_and_the_first_goes_on(base, mode, either_writer, either_reader):
    def wait():
        # The main thread may be inside for an instant; only then is this one refused.
        return eventually(lambda: got if (got := attempt()) is not None else None)

    def attempt():
        try:
            return either_reader.wait("image", 60)
        except RuntimeError:
            return None

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        calls = [
            either_reader.latest,
            lambda: either_reader.next(timeout=0),
            either_reader.get_image,
            lambda: either_reader.get_array("a", copy=False),
            lambda: either_reader.get_shape("a"),
            lambda: either_reader.wait("a", 0),
            lambda: either_reader.wait_for_array("a", 0),
            lambda: next(either_reader.frames("a", 0)),
            lambda: either_reader.writer_alive("image"),
            lambda: either_reader.stats("a"),
            either_reader.close,
            lambda: slipring.wait_any([(either_reader, "a")], 0),
        ]
        try:
            eventually(lambda: raises(RuntimeError, either_reader.latest))
            for number, call in enumerate(calls):
                with pytest.raises(RuntimeError, match="one reader per thread"):
                    call()
                    pytest.fail(f"call {number} went through")
        finally:
            either_writer.set_image(picture(1))
        assert waiting.result() is True
    assert same(either_reader.get_image(), picture(1))


def test_wait_any_keeps_its_readers_to_itself_meanwhile(writer, make_reader):
    first, second = make_reader(), make_reader()
    with ThreadPoolExecutor(1) as pool:

        def attempt():
            try:
                return slipring.wait_any([(first, "a"), (second, "b")], 60)
            except RuntimeError:
                return None

        waiting = pool.submit(eventually, attempt)
        try:
            eventually(lambda: raises(RuntimeError, first.latest))
            eventually(lambda: raises(RuntimeError, second.latest))
        finally:
            writer.set_array("b", [1])
        assert waiting.result() == [(second, "b")]
    assert first.latest() is None and second.get_array("b").tolist() == [1]


WAITS = {
    "next": lambda reader: reader.next("a", 60).seq,
    "frames": lambda reader: next(reader.frames("a", 60)).seq,
    "wait": lambda reader: reader.wait("a", 60),
    "wait_for_array": lambda reader: reader.wait_for_array("a", 60),
    "wait_any": lambda reader: len(slipring.wait_any([(reader, "a"), (reader, "b")], 60)),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
@pytest.mark.parametrize("spin", [0, 0.01])
def test_waiting_lets_other_threads_run(writer, make_reader, wait, spin):
    """Were the GIL held, the other thread could not publish and the wait would run out of time."""
    reader, begun = make_reader(spin=spin), threading.Event()

    def publish():
        begun.wait()
        eventually(lambda: raises(RuntimeError, reader.latest, "b"))
        writer.set_array("a", [1])

    def waiting():
        begun.set()
        return eventually(lambda: attempt())

    def attempt():
        try:
            return wait(reader)
        except RuntimeError:
            return None

    assert in_threads(waiting, publish)[0] == 1


@pytest.mark.skipif(str(DIRECTORY) != "/dev/shm", reason="the C library's semaphores are in /dev/shm only")
def test_waiting_on_a_lock_lets_other_threads_run(base, make_writer, make_reader):
    """Semaphore mode: another process's hold on the lock does not stop this process's other threads."""
    posix_ipc = pytest.importorskip("posix_ipc")
    writer = make_writer(mode="semaphore", lock_timeout=60)
    writer.set_array("a", [1.0])
    lock = posix_ipc.Semaphore(f"/{base}_a_sem")
    lock.acquire(0)

    def post():
        for _ in range(100):
            pass
        lock.release()
        lock.close()

    in_threads(lambda: writer.set_array("a", [2.0]), post)
    assert make_reader().get_array("a").tolist() == [2.0]


def test_frames_may_be_released_by_other_threads(writer, make_reader):
    reader, frames = make_reader(), queue.Queue()

    def consume():
        for number, frame in enumerate(iter(frames.get, None)):
            assert (frame.array == frame.seq).all()
            if number % 3 == 0:
                frame.release()
            elif number % 3 == 1:
                view = frame.array[1:]
                del frame
                assert view.size == 9
                del view
            frame = None
            done.release()

    done = threading.Semaphore(0)

    def produce():
        for seq in range(1, 301):
            writer.set_array("a", np.full(10, seq))
            frames.put(reader.next("a", 60))
            done.acquire()
        frames.put(None)

    in_threads(consume, produce)
    assert reader.stats("a").leases == 0


def test_a_frame_of_a_reader_that_is_busy_waiting_can_be_released(writer, make_reader):
    reader = make_reader()
    writer.set_array("a", [1])
    frame = reader.next("a")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(WAITS["next"], reader)
        try:
            assert frame.array.tolist() == [1]
            frame.release()
            assert frame.released
        finally:
            writer.set_array("a", [2])
        assert waiting.result() == 2


def test_one_frame_shared_by_threads(writer, reader):
    writer.set_image(picture(1))
    frame = reader.latest()

    def use():
        for _ in range(300):
            assert frame.array[1:].shape == (5, 8, 3)
            assert memoryview(frame).nbytes == 144
            assert raises((BufferError, AssertionError), hold_and_release)

    def hold_and_release():
        view = frame.array
        frame.release()
        assert view is None

    in_threads(*[use] * THREADS)
    frame.release()
    assert reader.stats("image").leases == 0


def test_a_writer_serialises_its_threads(base, make_writer, mode):
    writer = make_writer(mode=mode)
    count = 100

    def write(number):
        for _ in range(count):
            writer.set_array("a", np.full(1000, number))

    with slipring.Reader(base) as reader:
        in_threads(*[lambda number=number: write(float(number)) for number in range(THREADS)])
        got = reader.get_array("a")
        assert (got == got[0]).all()
    assert writer.stats("a").published == THREADS * count


def test_loans_of_several_threads(make_writer, make_reader):
    writer = make_writer(max_loans=THREADS)

    def write(number):
        for _ in range(100):
            with writer.loan("a", (100,), "u1") as loan:
                loan.array[...] = number

    in_threads(*[lambda number=number: write(number) for number in range(THREADS)])
    frame = make_reader().latest("a")
    assert frame.seq == THREADS * 100 and (frame.array == frame.array[0]).all()


def test_many_threads_on_one_reader_and_one_writer_are_refused_or_served_never_a_crash(base, mode):
    run_script(
        """
        import sys, threading, numpy, slipring
        from support import DIRECTORY, ring
        base, mode = sys.argv[1:]
        writer, reader = slipring.Writer(base, mode=mode, **ring(mode, slots=16)), slipring.Reader(base)
        sys.setswitchinterval(1e-5)
        served, refused, wrong = [], [], []
        allowed = (RuntimeError, TimeoutError, BlockingIOError, OSError)
        calls = [lambda: reader.get_array("a"), lambda: reader.latest("a"), lambda: reader.next("a", 0.001),
                 lambda: reader.stats("a"), lambda: reader.get_shape("a"), lambda: reader.wait("a", 0.001),
                 lambda: slipring.wait_any([(reader, "a")], 0.001), lambda: next(reader.frames("a", 0.001)),
                 lambda: repr(reader), lambda: reader.get_array("a", copy=False)]

        def work(number):
            for i in range(150):
                try:
                    calls[(number + i) % len(calls)]()
                    writer.set_array("a", numpy.full(100 + i * (mode == "lock-free"), float(number)))
                    served.append(1)
                except allowed:
                    refused.append(1)
                except BaseException as error:
                    wrong.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not wrong, wrong
        assert served
        reader.get_array("a")
        reader.close()
        writer.close()
    """,
        base,
        mode,
    )


def test_closing_while_others_use_it_is_an_error_never_a_crash(base, mode):
    run_script(
        """
        import sys, threading, numpy, slipring
        base, mode = sys.argv[1:]
        sys.setswitchinterval(1e-5)  # or close() would meet the reader inside a call each time
        for _ in range(20):
            writer, reader = slipring.Writer(base, mode=mode), slipring.Reader(base)
            begun = threading.Barrier(3)

            def publish():
                begun.wait()
                try:
                    for i in range(1000):
                        writer.set_array("a", numpy.full(1000, float(i)))
                except (ValueError, BlockingIOError):
                    pass

            def read():
                begun.wait()
                try:
                    while True:
                        reader.wait("a", 0.01)
                        reader.get_array("a")
                except (ValueError, BrokenPipeError):
                    pass

            threads = [threading.Thread(target=publish), threading.Thread(target=read)]
            [thread.start() for thread in threads]
            begun.wait()
            writer.close()
            while not reader.closed:
                try:
                    reader.close()
                except RuntimeError:
                    pass
            [thread.join() for thread in threads]
    """,
        base,
        mode,
    )


def test_a_signal_handler_runs_during_a_wait_and_the_wait_goes_on(base, mode):
    """PEP 475: the handler publishes what the main thread is waiting for."""
    run_script(
        """
        import signal, sys, numpy, slipring
        base, mode = sys.argv[1:]
        writer, reader = slipring.Writer(base, mode=mode), slipring.Reader(base)
        calls = [lambda: reader.wait("a", 60), lambda: reader.wait_for_array("b", 60),
                 lambda: slipring.wait_any([(reader, "c")], 60), lambda: next(reader.frames("d", 60))]
        if mode == "lock-free":
            calls.append(lambda: reader.next("e", None))
        fired = 0
        for name, call in zip("abcde", calls):
            ticks = 0

            def handler(*_):
                global ticks
                ticks += 1
                if ticks == 3:
                    writer.set_array(name, numpy.zeros(3))

            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
            assert call(), name
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert ticks >= 3, name
    """,
        base,
        mode,
    )


def test_an_exception_of_a_signal_handler_ends_a_wait(base, mode):
    run_script(
        """
        import signal, sys, numpy, slipring
        base, mode = sys.argv[1:]
        writer, reader = slipring.Writer(base, mode=mode), slipring.Reader(base)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        calls = [lambda: reader.wait("a"), lambda: reader.wait_for_array("a"),
                 lambda: slipring.wait_any([(reader, "a")]),
                 lambda: next(reader.frames("a")), lambda: reader.next("a")]
        for call in calls:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            try:
                call()
            except KeyboardInterrupt:
                continue
            raise AssertionError("went through")
        writer.set_array("a", numpy.zeros(3))
        assert reader.get_array("a").tolist() == [0, 0, 0]
    """,
        base,
        mode,
    )
