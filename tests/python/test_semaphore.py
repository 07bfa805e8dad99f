"""
Semaphore mode: against itself and, both ways, against peer.py, which behaves as the programs in the field do.

What both modes have in common is shown beside the rest, by tests with a mode; here is what is this mode's own.
"""

import asyncio
import errno
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import slipring
from support import DIRECTORY, HERE, SEMAPHORE_DTYPES, eventually, objects, picture, raises, same, scripted

posix_ipc = pytest.importorskip("posix_ipc")
if str(DIRECTORY) != "/dev/shm":
    pytest.skip("the C library's semaphores are in /dev/shm only", allow_module_level=True)
peer = pytest.importorskip("peer")


@pytest.fixture
def writer(make_writer):
    return make_writer(mode="semaphore")


@pytest.fixture
def reader(make_reader):
    return make_reader(mode="semaphore")


@pytest.fixture
def peer_writer(base):
    with peer.PeerWriter(base) as writer:
        yield writer


@pytest.fixture
def peer_reader(base):
    with peer.PeerReader(base) as reader:
        yield reader


@pytest.fixture
def run_peer():
    """Runs peer.py's command line; what still runs at the end is killed."""
    started = []

    def run(*arguments, **popen):
        popen = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, **popen}
        started.append(subprocess.Popen([sys.executable, str(HERE / "peer.py"), *map(str, arguments)], **popen))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def arrays(dtype):
    """One of each number of dimensions."""
    return [picture(dims + 1, (3, 2, 4, 1, 2)[:dims], dtype) for dims in range(6)]


def number(value, size=20_000):
    """A frame that is full of its number, and large enough to be met half way."""
    return np.full(size, float(value))


# ---- both directions ----


@pytest.mark.parametrize("dtype", SEMAPHORE_DTYPES)
def test_what_a_peer_writes_is_read_here(peer_writer, reader, dtype):
    for dims, array in enumerate(arrays(dtype)):
        assert peer_writer.set(f"c{dims}", array, 1234.5 + dims)
        frame = reader.latest(f"c{dims}")
        assert same(frame.array, array) and same(reader.get_array(f"c{dims}"), array)
        assert (frame.timestamp, frame.shape, frame.dtype) == (1234.5 + dims, array.shape, array.dtype)


@pytest.mark.parametrize("dtype", SEMAPHORE_DTYPES)
def test_what_is_written_here_is_read_by_a_peer(writer, peer_reader, dtype):
    for dims, array in enumerate(arrays(dtype)):
        writer.set_array(f"c{dims}", array, 1234.5 + dims)
        got, timestamp = peer_reader.get(f"c{dims}")
        assert got.dtype == array.dtype and (got == array).all() and timestamp == 1234.5 + dims


@pytest.mark.parametrize("dtype", SEMAPHORE_DTYPES)
def test_the_bytes_are_the_same_as_a_peers(base, writer, peer_reader, dtype):
    with peer.PeerWriter(f"{base}-peer") as twin, peer.PeerReader(f"{base}-peer") as other:
        for dims, array in enumerate(arrays(dtype)):
            writer.set_array(f"c{dims}", array, 7.25)
            twin.set(f"c{dims}", array, 7.25)
            assert peer_reader.raw(f"c{dims}") == other.raw(f"c{dims}")


def test_each_of_the_four_channels_both_ways(writer, reader, base, peer_reader):
    for name, array in dict(
        image=picture(1), depth=picture(2, (6, 8), "f4"), pointcloud=picture(3, (9, 3), "f4"), mask=picture(4, (6, 8))
    ).items():
        getattr(writer, f"set_{name}")(array)
        assert (peer_reader.get(name)[0] == array).all()
        assert same(getattr(reader, f"get_{name}")(), array)


def test_any_layout_goes_in(writer, peer_reader):
    array = picture(1, (4, 6, 3), ">f4")[::-1, ::2].T
    writer.set_array("a", array)
    assert (peer_reader.get("a")[0] == array).all()


@given(timestamp=st.floats(1e8, 8e9))
def test_timestamps_pass_exactly_both_ways(writer, reader, peer_reader, peer_writer, timestamp):
    writer.set_array("a", [1.0], timestamp)
    assert peer_reader.get("a")[1] == timestamp == reader.latest("a").timestamp
    peer_writer.set("b", np.array([1.0]), timestamp)
    assert reader.latest("b").timestamp == timestamp


def test_many_frames_between_processes_in_order_and_whole(base, writer, reader, run_peer):
    """The peer's processes on the other side, each way: numbers only rise, and no frame is torn."""
    count = 100
    process = run_peer(
        "write",
        f"{base}",
        "in",
        "--dtype",
        "float64",
        "--shape",
        "5000",
        "--count",
        count,
        "--interval",
        0.002,
        "--hold",
    )
    assert process.stdout.readline() == "ready\n"
    seen = []
    while not seen or seen[-1] < 1000 + count - 1:
        reader.wait("in", 60)
        if (frame := reader.latest("in")) is not None:
            assert (frame.array == frame.timestamp - 1000).all()
            seen.append(frame.timestamp)
    assert seen == sorted(set(seen))
    assert process.stdout.readline() == "held\n"
    assert reader.get_array("in") is None
    process.communicate("\n", timeout=60)
    assert process.returncode == 0

    writer.set_array("out", number(0), 1.0)
    process = run_peer("read", base, "out", "--count", 20, "--timeout", 60)
    lines = []
    thread = threading.Thread(target=lambda: lines.extend(process.stdout))
    thread.start()
    for value in range(1, 100_000):
        writer.set_array("out", number(value), float(value))
        if process.poll() is not None:
            break
    thread.join()
    assert process.returncode == 0 and len(lines) == 20
    assert all('"equal": true' in line for line in lines)


# ---- what a frame is ----


def test_a_frame_is_a_private_copy(writer, reader):
    writer.set_image(picture(1))
    frame = reader.latest()
    assert frame.private and frame.array.flags.writeable
    writer.set_image(picture(2))
    assert same(frame.array, picture(1))
    frame.array[...] = 0
    assert same(reader.get_image(), picture(2))
    assert not reader.get_image(copy=False) is None


def test_frames_cost_no_leases(writer, reader):
    held = []
    for seed in range(50):
        writer.set_image(picture(seed))
        held.append(reader.latest())
    assert all(same(frame.array, picture(seed)) for seed, frame in enumerate(held))
    assert reader.stats("image").leases == 0


def test_the_encoding_is_told_from_the_channel(peer_writer, reader):
    peer_writer.set("image", picture(1))
    peer_writer.set("depth", picture(1, (6, 8), "f4"))
    assert (reader.latest().encoding, reader.latest("depth").encoding) == ("8UC3", "32FC1")


def test_nothing_is_a_frame_before_the_first_one(peer_writer, reader):
    """Every step of a peer's first set: nothing yet, and no error."""

    def nothing():
        assert reader.latest("a") is None and reader.get_array("a") is None
        assert not reader.wait("a", 0) and not reader.wait_for_array("a", 0)

    nothing()
    peer_writer.create_semaphore("a")
    nothing()
    peer_writer.create_memory("a")
    nothing()
    peer_writer.size_memory("a", 64 + 3)
    nothing()
    peer_writer.fill_header("a", (3,), "u1")
    nothing()
    peer_writer.set("a", np.array([1, 2, 3], "u1"))
    assert reader.get_array("a").tolist() == [1, 2, 3]
    assert reader.wait_for_array("a", 0)


@pytest.mark.parametrize(
    "forged",
    [
        dict(dtype=8),
        dict(dtype=2**32 - 1),
        dict(ndim=6),
        dict(ndim=2**32 - 1),
        dict(magic=0x12345679),
        dict(dims=[2**32 - 1] * 5, ndim=5),
        dict(dims=[4, 0, 0, 0, 0]),
        dict(dims=[2**31, 2**31, 4, 0, 0], ndim=3),
    ],
    ids=repr,
)
def test_a_header_that_lies_is_refused_never_followed(peer_writer, make_reader, forged):
    peer_writer.create_semaphore("a")
    peer_writer.create_memory("a")
    peer_writer.fill_header("a", (3,), "u1", timestamp=1.0, **forged)
    for reader in (make_reader(mode="semaphore"), make_reader()):
        with pytest.raises(OSError, match="a") as error:
            reader.latest("a")
        assert error.value.errno == errno.EBADMSG
    peer_writer.unlink("a")
    assert reader.latest("a") is None


# ---- the lock ----


@pytest.mark.parametrize("side", ["peer's", "ours"])
def test_contention_is_None_at_once_and_counted(base, writer, reader, peer_writer, side):
    channel = {"peer's": "a", "ours": "image"}[side]
    peer_writer.set("a", np.array([1.0])) if side == "peer's" else writer.set_image(picture(1))
    assert reader.latest(channel) is not None
    with peer.Peer(base) as holder:
        assert holder.hold(channel, 0)
        assert reader.latest(channel) is None
        assert reader.get_array(channel) is None
        assert reader.get_array(channel, copy=False) is None
        assert reader.stats(channel).contended == 3
        assert reader.get_shape(channel) is not None
        holder.unhold(channel)
        assert reader.latest(channel) is not None
        assert holder.value(channel) == 1


def test_a_reader_may_wait_for_the_lock(base, make_reader, peer_writer):
    peer_writer.set("a", np.array([1.0]))
    reader, begun = make_reader(mode="semaphore", lock_timeout=60), threading.Event()
    assert peer_writer.hold("a", 0)

    def post():
        begun.wait()
        eventually(lambda: raises(RuntimeError, reader.latest, "b"))
        peer_writer.unhold("a")

    thread = threading.Thread(target=post)
    thread.start()
    begun.set()
    got = eventually(lambda: attempt(reader))
    thread.join()
    assert got == [1.0]


def attempt(reader):
    try:
        return reader.get_array("a").tolist()
    except RuntimeError:
        return None


@pytest.mark.parametrize("limit", [0.01, 0.001])
def test_a_set_that_runs_out_of_time_says_so_and_posts_nothing(base, make_writer, reader, limit):
    writer = make_writer(mode="semaphore", lock_timeout=limit)
    writer.set_array("a", [1.0])
    with peer.Peer(base) as holder:
        assert holder.hold("a", 0)
        for _ in range(3):
            with pytest.raises(BlockingIOError, match="a"):
                writer.set_array("a", [2.0])
            with pytest.raises(BlockingIOError), writer.loan("a", (1,), "f8") as loan:
                loan.array[...] = 3
            assert holder.value("a") == 0
        assert writer.stats("a").refused == 6
        holder.unhold("a")
        writer.set_array("a", [4.0])
        assert holder.value("a") == 1
    assert reader.get_array("a").tolist() == [4.0]


@pytest.mark.parametrize("extra", [1, 3])
def test_a_value_above_1_is_found_and_repaired_by_either_side(base, writer, reader, extra):
    writer.set_array("a", [1.0])
    reader.get_array("a")
    with peer.Peer(base) as other:
        for use in (lambda: writer.set_array("a", [2.0]), lambda: reader.get_array("a")):
            for _ in range(extra):
                other.unhold("a")
            assert other.value("a") == 1 + extra
            use()
            assert other.value("a") == 1
    assert reader.get_array("a").tolist() == [2.0]


def test_a_peer_that_posts_what_it_never_took_is_survived(base, reader):
    with peer.PeerWriter(base, faulty=True) as faulty, peer.Peer(base) as holder:
        faulty.set("a", np.array([1.0]))
        for value in range(2, 12):
            holder.hold("a", 0)
            assert not faulty.set("a", np.array([0.0]), timeout=0)
            holder.unhold("a")
            assert holder.value("a") == 2
            reader.get_array("a")
            assert holder.value("a") == 1
            faulty.set("a", np.array([float(value)]))
            assert reader.get_array("a").tolist() == [value]


def test_a_lock_whose_holder_was_killed_is_None_then_refused_then_started_afresh(base, make_writer, reader, run_peer):
    """The holder is another program's process, which left no trace: a new writer starts from fresh objects."""
    first = make_writer(mode="semaphore", lock_timeout=0.01)
    first.set_array("a", [1.0])
    assert reader.get_array("a").tolist() == [1.0]
    process = run_peer("hold", base, "a", stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.wait()
    for _ in range(3):
        assert reader.latest("a") is None
        assert raises(BlockingIOError, first.set_array, "a", [2.0])
    first.close()
    with slipring.Writer(base, mode="semaphore") as second:
        second.set_array("a", [3.0])
        assert reader.get_array("a").tolist() == [3.0]


# Processes that take the lock all the time.
KILLED = {
    "writer": """
        import itertools, sys, numpy, slipring
        writer = slipring.Writer(sys.argv[1], mode="semaphore")
        for number in itertools.count():
            writer.set_array("a", numpy.full(200_000, float(number)))
            number == 0 and print("ready", flush=True)
    """,
    "reader": """
        import sys, slipring
        reader = slipring.Reader(sys.argv[1], mode="semaphore")
        print("ready", flush=True)
        while True:
            reader.latest("a")
    """,
}


def test_writers_killed_under_the_lock_leave_no_torn_frame_and_no_stuck_channel(base, reader):
    for _ in range(8):
        with scripted(KILLED["writer"], base) as process:
            for _ in range(20):
                frame = eventually(lambda: reader.latest("a"))
                assert (frame.array == frame.array[0]).all()
            process.send_signal(signal.SIGKILL)
            process.wait()
        frame = reader.latest("a")
        assert frame is None or (frame.array == frame.array[0]).all()
    with slipring.Writer(base, mode="semaphore") as writer:
        writer.set_array("a", [1.0])
        assert reader.get_array("a").tolist() == [1.0]


def test_readers_killed_under_the_lock_hold_nobody_up(base, make_writer, reader):
    writer = make_writer(mode="semaphore", lock_timeout=20)
    for value in range(8):
        writer.set_array("a", np.full(200_000, float(value)))
        with scripted(KILLED["reader"], base) as process:
            for _ in range(20):
                writer.set_array("a", np.full(200_000, float(value)))
            process.send_signal(signal.SIGKILL)
            process.wait()
        writer.set_array("a", np.full(200_000, value + 0.5))
        frame = eventually(lambda: reader.latest("a"))
        assert (frame.array == value + 0.5).all()


# ---- restart ----


def test_a_peers_restart_is_followed_and_its_shape_may_change(base, reader):
    for seed in range(5):
        with peer.PeerWriter(base) as writer:
            writer.set("a", picture(seed, (3 + seed, 4)))
            assert same(reader.get_array("a"), picture(seed, (3 + seed, 4)))
            assert reader.get_shape("a") == (3 + seed, 4)
        assert reader.get_array("a") is None and reader.get_shape("a") is None


def test_a_writer_that_takes_over_from_a_dead_peer_is_followed(base, writer, reader):
    left = peer.PeerWriter(base)
    left.set("a", np.array([1.0, 2.0]))
    left.close(unlink=False)
    assert reader.get_array("a").tolist() == [1.0, 2.0]
    writer.set_array("a", [3.0])
    assert reader.get_array("a").tolist() == [3.0]
    assert reader.stats("a").generations == 2


def test_an_orphan_is_not_shown_for_ever(base, reader, peer_writer, peer_reader):
    peer_writer.set("a", np.array([1.0]))
    assert reader.get_array("a") is not None and peer_reader.get("a") is not None
    peer_writer.unlink("a")
    assert reader.get_array("a") is None
    assert peer_reader.get("a") is not None, "the fault that is not copied"
    peer_writer.set("a", np.array([2.0]))
    assert reader.get_array("a").tolist() == [2.0]


def test_a_clean_end_removes_both_names_and_only_its_own(base, peer_reader):
    with slipring.Writer(base, mode="semaphore") as writer:
        writer.set_array("a", [1.0])
        assert objects(base) == [f"{base}_a_shm", f"sem.{base}_a_sem"]
        assert all((DIRECTORY / name).stat().st_mode & 0o777 == 0o600 for name in objects(base))
        with peer.PeerWriter(base) as usurper:
            usurper.set("a", np.array([2.0]))
            with pytest.raises(OSError, match="a") as error:
                writer.set_array("a", [3.0])
            assert error.value.errno == errno.EBUSY
            writer.close()
            assert peer_reader.get("a")[0].tolist() == [2.0]


# ---- waiting ----


def later(*actions):
    """Runs them in a thread, each once the one before is done."""
    thread = threading.Thread(target=lambda: [action() for action in actions])
    thread.start()
    return thread


def test_waiting_for_a_peer(base, reader, peer_writer):
    for wait in (
        lambda: reader.wait_for_array("a", 60),
        lambda: reader.wait("a", 60),
        lambda: slipring.wait_any([(reader, "a"), (reader, "b")], 60) == [(reader, "a")],
    ):
        thread = later(lambda: peer_writer.set("a", np.array([1.0])))
        assert wait()
        thread.join()
        assert eventually(lambda: reader.get_array("a"))


def test_frames_follows_a_peer_until_its_end(base, make_reader):
    reader, got = make_reader(), []
    with peer.PeerWriter(base) as writer:
        frames = reader.frames("a", timeout=60)
        for value in range(10):
            writer.set("a", np.array([float(value)]), 1000.0 + value)
            got.append(next(frames).timestamp)
    assert got == [1000.0 + value for value in range(10)]
    assert list(frames) == []


def test_aframes_follows_a_peer_until_its_end(base, make_reader):
    async def main():
        reader, got = make_reader(), []
        with peer.PeerWriter(base) as writer:
            frames = reader.aframes("a", timeout=60)
            for value in range(10):
                writer.set("a", np.array([float(value)]), 1000.0 + value)
                got.append((await frames.__anext__()).timestamp)
        return got, [frame async for frame in frames]

    assert asyncio.run(main()) == ([1000.0 + value for value in range(10)], [])


def test_frames_rides_out_contention(base, reader, peer_writer):
    """A lock that is held is no end and no error for who waits: the frame comes once it is posted."""
    peer_writer.set("a", np.array([1.0]), 1.0)
    assert peer_writer.hold("a", 0)
    thread = later(lambda: eventually(lambda: raises(RuntimeError, reader.stats, "a")), lambda: peer_writer.unhold("a"))

    def attempt():
        try:
            return next(reader.frames("a", timeout=60)).array.tolist()
        except RuntimeError:
            return None

    assert eventually(attempt) == [1.0]
    thread.join()


# ---- side by side ----


def test_both_modes_stand_side_by_side_and_lock_free_comes_first(base, make_reader, peer_reader):
    either, lock_free, semaphore = make_reader(), make_reader(mode="lock-free"), make_reader(mode="semaphore")
    with slipring.Writer(base, mode="semaphore") as old:
        old.set_array("a", [1.0])
        assert either.get_array("a").tolist() == [1.0] and lock_free.get_array("a") is None
        with slipring.Writer(base) as new:
            new.set_array("a", [2.0])
            assert make_reader().get_array("a").tolist() == [2.0]
            assert (lock_free.get_array("a").item(), semaphore.get_array("a").item()) == (2.0, 1.0)
            assert peer_reader.get("a")[0].item() == 1.0
            assert slipring.channels(base) == [(base, "a", "lock-free"), (base, "a", "semaphore")]
            assert slipring.inspect(base, "a")["slots"] == 8
            assert slipring.inspect(base, "a", "semaphore")["shape"] == (1,)
        assert eventually(lambda: either.get_array("a")).item() == 1.0
        assert make_reader().get_array("a").item() == 1.0
        assert slipring.channels(base) == [(base, "a", "semaphore")]


def test_a_reader_without_a_mode_moves_over_when_the_writer_does(base, make_reader):
    reader = make_reader()
    for step, mode in enumerate(["semaphore", "lock-free", "semaphore", "lock-free"]):
        with slipring.Writer(base, mode=mode) as writer:
            writer.set_array("a", [float(step)])
            eventually(lambda: reader.get_array("a") is not None)
            assert reader.get_array("a").item() == step
        assert reader.get_array("a") is None


def test_a_peers_channels_are_listed(base, peer_writer):
    peer_writer.set("image", picture(1))
    assert slipring.channels(base) == [(base, "image", "semaphore")]
    info = slipring.inspect(base)
    assert (info["shape"], np.dtype(info["dtype"])) == ((6, 8, 3), np.uint8)


# ---- what it cannot do ----


def not_supported(call, *said):
    with pytest.raises(OSError) as error:
        call()
    assert type(error.value) is OSError and error.value.errno == errno.ENOTSUP
    assert all(text in str(error.value) for text in said), str(error.value)


def test_next_is_not_supported(base, writer, reader, make_reader):
    writer.set_array("a", [1.0])
    for each in (reader, make_reader()):
        not_supported(lambda: each.next("a", 0), "a")
        not_supported(lambda: each.next("a", 60), "a")


@pytest.mark.parametrize("more", [dict(encoding="rgb8"), dict(frame_id="left"), dict(metadata=b"x")], ids=repr)
def test_what_the_format_has_no_room_for(base, writer, more):
    for call in (
        lambda: writer.set_image(picture(), **more),
        lambda: writer.set_array("a", picture(), **more),
        lambda: writer.loan("a", (3,), "u1", **more),
    ):
        not_supported(call, *more)
    assert objects(base) == []


def test_metadata_of_a_loan(writer):
    with writer.loan("a", (3,), "u1") as loan:
        with pytest.raises(OSError) as error:
            loan.metadata = b"x"
        assert error.value.errno == errno.ENOTSUP
        loan.array[...] = 1
        loan.timestamp = 5.0
    assert loan.published


@pytest.mark.parametrize("dtype", ["uint32", "uint64", "int64", "float16", "complex64", "complex128"])
def test_dtypes_the_format_lacks(base, writer, dtype):
    for call in (lambda: writer.set_array("a", np.zeros(3, dtype)), lambda: writer.loan("a", (3,), dtype)):
        not_supported(call, dtype)
    assert objects(base) == []


def test_six_dimensions(base, writer):
    not_supported(lambda: writer.set_array("a", np.zeros((1,) * 6)), "6")
    assert objects(base) == []


@pytest.mark.parametrize("option", ["slots", "max_readers", "leases_per_reader", "history", "capacity"])
def test_options_of_a_ring(base, option):
    not_supported(lambda: slipring.Writer(base, mode="semaphore", **{option: 3}), option, "3")


def test_observing_and_counting_readers(base, writer):
    not_supported(lambda: slipring.Reader(base, mode="semaphore", observer=True))
    writer.set_array("a", [1.0])
    not_supported(lambda: writer.readers_attached("a"), "a")


def test_whether_a_peer_lives(peer_writer, reader):
    peer_writer.set("a", np.array([1.0]))
    not_supported(lambda: reader.writer_alive("a"), "a")


@pytest.mark.parametrize(
    "change",
    [np.zeros((3, 5), "f4"), np.zeros((3,), "f4"), np.zeros((3, 4), "f8"), np.zeros((3, 4), "u1")],
    ids=["shape", "dimensions", "larger dtype", "smaller dtype"],
)
def test_a_channel_keeps_its_first_shape_and_dtype(writer, reader, change):
    writer.set_array("a", np.ones((3, 4), "f4"))
    for call in (
        lambda: writer.set_array("a", change),
        lambda: writer.create("a", change.shape, change.dtype),
        lambda: writer.loan("a", change.shape, change.dtype),
    ):
        with pytest.raises(ValueError, match="a"):
            call()
    assert same(reader.get_array("a"), np.ones((3, 4), "f4"))
