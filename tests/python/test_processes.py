"""Processes: forked and spawned, killed and taken over; a child disturbs nothing of its parent's."""

import errno
import multiprocessing
import os
import signal

import numpy as np
import pytest

import children
import slipring
from support import eventually, objects, picture, raises, ring, run_script, same, scripted


@pytest.fixture(params=["fork", "spawn"])
def context(request):
    return multiprocessing.get_context(request.param)


@pytest.fixture
def start(context):
    """Starts processes, and sees at the end that each ended well."""
    started = []

    def run(function, *args):
        started.append(context.Process(target=function, args=args))
        started[-1].start()
        return started[-1]

    yield run
    for process in started:
        process.join(60)
        ended = process.exitcode
        process.kill()
        process.join()
        assert ended == 0


def test_the_writer_in_another_process(base, mode, start):
    count = 30
    start(children.publish, base, mode, count)
    with slipring.Reader(base) as reader, slipring.Writer(f"{base}-back") as back:
        frames, got = reader.frames("a", timeout=60), []
        while not got or got[-1] < count:
            frame = next(frames)
            assert (frame.array == frame.array[0]).all()
            got.append(float(frame.array[0]))
            back.set_array("ready", [1])
            del frame
        assert got == sorted(got) and (mode == "semaphore" or got == [float(n) for n in range(count + 1)])
        back.set_array("done", [1])
        assert list(frames) == []


def test_the_reader_in_another_process(base, mode, start, context, make_writer):
    count = 30
    results = context.Queue()
    writer = make_writer(mode=mode, **ring(mode, slots=64))
    writer.set_array("a", np.full(50, 0.0))
    process = start(children.collect, base, mode, float(count), results)
    assert results.get(timeout=60) == (0.0, True)
    for number in range(1, count + 1):
        eventually(lambda: not raises(BlockingIOError, writer.set_array, "a", np.full(50, float(number))))
    got = [0.0]
    while got[-1] < count:
        number, whole = results.get(timeout=60)
        assert whole and number > got[-1]
        got.append(number)
    assert mode == "semaphore" or len(got) == count + 1
    process.join(60)


def test_inherited_objects_are_refused_in_a_forked_child_and_the_parent_goes_on(base, mode):
    context = multiprocessing.get_context("fork")
    with slipring.Writer(base, mode=mode) as writer, slipring.Reader(base) as reader:
        writer.set_array("a", picture(1))
        frame, results, loan = reader.latest("a"), context.Queue(), writer.loan("a", (6, 8, 3), "u1")
        process = context.Process(target=children.use_inherited, args=(writer, reader, frame, loan, results))
        process.start()
        outcome, left_alone, closed = results.get(timeout=60)
        process.join()
        assert process.exitcode == 0
        assert outcome == ["ChildProcessError"] * len(outcome)
        assert left_alone == [None, False, None, None] and closed == [True] * 4
        assert len(objects(base)) == 2
        assert same(frame.array, picture(1))
        loan.array[...] = picture(2)
        loan.publish()
        assert same(reader.get_array("a"), picture(2))


ENDS = {
    "exits": "sys.exit(0)",
    "is cut short": "os._exit(0)",
    "drops everything": "del writer, reader, frame, view, loan, iterator; gc.collect(); sys.exit(0)",
    "closes everything": "reader.close(); writer.close(); sys.exit(0)",
    "drops the frame last": "reader.close(); del reader; del view; del frame; gc.collect(); sys.exit(0)",
    "leaves by with": "writer.__exit__(None, None, None); reader.__exit__(None, None, None); sys.exit(0)",
    "opens its own": "assert slipring.Reader(base).get_array('a').tolist() == [1, 1, 1]; sys.exit(0)",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_forked_child_that_ends_disturbs_nothing_and_unlinks_nothing(base, mode, end):
    run_script(
        f"""
        import gc, os, sys, numpy, slipring
        from support import objects
        base, mode = sys.argv[1:]
        writer, reader = slipring.Writer(base, mode=mode), slipring.Reader(base)
        writer.set_array("a", numpy.ones(3))
        frame, iterator = reader.latest("a"), reader.frames("a")
        view = frame.array[1:]
        loan = writer.loan("b", (3,), "u1")
        loan.array[...] = 7
        before = objects(base)
        child = os.fork()
        if child == 0:
            {end}
        assert os.waitpid(child, 0)[1] == 0
        assert objects(base) == before, (objects(base), before)
        assert view.tolist() == [1, 1]
        loan.publish()
        assert reader.get_array("b").tolist() == [7, 7, 7]
        if mode == "lock-free":
            assert reader.stats("a").leases == 1
            assert slipring.inspect(base, "a")["readers"][0]["leases"] == 1
            assert writer.readers_attached("a") == 1
        for i in range(40):
            writer.set_array("a", numpy.full(3, float(i)))
            assert reader.get_array("a").tolist() == [i] * 3
        assert frame.array.tolist() == [1, 1, 1]
        assert reader.writer_alive("a")
    """,
        base,
        mode,
    )
    assert objects(base) == []


def test_a_frame_got_before_a_fork_can_be_read_in_the_child(base):
    run_script(
        """
        import os, sys, numpy, slipring
        with slipring.Writer(sys.argv[1]) as writer, slipring.Reader(sys.argv[1]) as reader:
            writer.set_array("a", numpy.arange(5))
            frame = reader.latest("a")
            array = frame.array
            child = os.fork()
            if child == 0:
                os._exit(array.tolist() != [0, 1, 2, 3, 4])
            assert os.waitpid(child, 0)[1] == 0
            del array, frame
    """,
        base,
    )


def test_there_is_no_resource_tracker_and_no_helper_process(base, mode):
    run_script(
        """
        import os, sys, threading
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy's own threads
        import numpy, slipring
        writer, reader = slipring.Writer(sys.argv[1], mode=sys.argv[2]), slipring.Reader(sys.argv[1])
        writer.set_image(numpy.zeros((4, 5, 3), "u1"))
        frame = reader.latest()
        with writer.loan("a", (3,), "u1") as loan:
            loan.array[...] = 1
        assert frame is not None and reader.wait_for_array("a", 0)
        assert "multiprocessing.resource_tracker" not in sys.modules
        assert "multiprocessing.shared_memory" not in sys.modules
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children") as children:
                assert children.read() == ""
        assert threading.enumerate() == [threading.main_thread()] and len(os.listdir("/proc/self/task")) == 1
    """,
        base,
        mode,
    )


def test_the_package_imports_little():
    run_script("""
        import sys, slipring
        heavy = {"asyncio", "multiprocessing", "torch", "cv2", "posix_ipc"} & set(sys.modules)
        assert not heavy - {"asyncio"}, heavy
    """)


WRITER = """
    import sys, time, numpy, slipring
    writer = slipring.Writer(sys.argv[1], mode=sys.argv[2])
    for number in range(1, 4):
        writer.set_array("a", numpy.full(50, float(number)))
    loan = writer.loan("a", (50,), "f8")
    loan.array[...] = -1
    print("ready", flush=True)
    sys.stdin.read()
"""


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_writer_is_EOWNERDEAD_and_a_new_one_goes_on(base, reader):
    with scripted(WRITER, base, "lock-free") as process:
        frame = reader.next("a", 60)
        assert frame.seq == 3
        epoch = frame.epoch
        kill(process)
    with pytest.raises(OSError, match="dead") as error:
        reader.next("a", 60)
    assert error.value.errno == errno.EOWNERDEAD
    assert eventually(lambda: not reader.writer_alive("a"))
    assert (frame.array == 3).all() and same(reader.get_array("a"), np.full(50, 3.0))
    with slipring.Writer(base) as writer:
        writer.set_array("a", np.full(50, 4.0))
        following = reader.next("a", 60)
        assert (following.seq, following.missed, following.epoch) == (4, 0, epoch)
        assert (following.array == 4).all() and (frame.array == 3).all()


def test_frames_ends_with_EOWNERDEAD_when_the_writer_was_killed(base, reader):
    frames = reader.frames("a", 60)
    with scripted(WRITER, base, "lock-free") as process:
        assert next(frames).seq == 3
        kill(process)
    with pytest.raises(OSError) as error:
        next(frames)
    assert error.value.errno == errno.EOWNERDEAD
    with slipring.Writer(base) as writer:
        writer.set_array("a", np.full(50, 4.0))
        assert next(reader.frames("a", 60)).seq == 4


def test_a_killed_writer_is_replaced_in_both_modes(base, mode, either_reader):
    with scripted(WRITER, base, mode) as process:
        assert same(either_reader.get_array("a"), np.full(50, 3.0))
        kill(process)
    with slipring.Writer(base, mode=mode) as writer:
        writer.set_array("a", np.full(50, 4.0))
        assert either_reader.wait("a", 60)
        assert same(either_reader.get_array("a"), np.full(50, 4.0))


def test_outwait_dead_writer_waits_for_the_next_one(base, make_reader):
    reader = make_reader(outwait_dead_writer=True)
    with scripted(WRITER, base, "lock-free") as process:
        assert reader.next("a", 60).seq == 3
        kill(process)
    assert raises(TimeoutError, reader.next, "a", 1.5)
    with slipring.Writer(base) as writer:
        writer.set_array("a", np.full(50, 4.0))
        assert reader.next("a", 60).seq == 4


def test_a_killed_readers_leases_come_back(base, make_writer):
    writer = make_writer(slots=3, leases_per_reader=2, max_loans=1)
    writer.set_array("a", [1])
    with scripted(
        """
        import sys, slipring
        reader = slipring.Reader(sys.argv[1])
        held = [reader.latest("a")]
        print("ready", flush=True)
        sys.stdin.readline()
        held.append(reader.latest("a").array[:1])
        print("both", flush=True)
        sys.stdin.read()
    """,
        base,
    ) as process:
        writer.set_array("a", [2])
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "both\n"
        assert writer.readers_attached("a") == 1
        writer.set_array("a", [3])
        with pytest.raises(BlockingIOError):
            writer.set_array("a", [4])
        os.kill(process.pid, signal.SIGSTOP)
        assert raises(BlockingIOError, writer.set_array, "a", [4])
        kill(process)
    eventually(lambda: writer.readers_attached("a") == 0)
    for number in range(20):
        writer.set_array("a", [number])
    assert slipring.inspect(base, "a")["readers"] == []


def test_a_killed_process_leaves_what_the_next_writer_cleans_up(base, mode):
    with scripted(WRITER, base, mode) as process:
        kill(process)
    assert objects(base)
    with slipring.Writer(base, mode=mode) as writer:
        eventually(lambda: not raises(OSError, writer.set_array, "a", np.zeros(50)))
    assert objects(base) == []
