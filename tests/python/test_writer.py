"""Writer: what it takes, what it says of itself, how it ends."""

import gc
import math
import os
import stat
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import slipring
from support import DIRECTORY, objects, picture, run_script, same

SETTERS = {
    "image": picture(1),
    "depth": picture(2, (6, 8), "float32"),
    "pointcloud": picture(3, (20, 4), "float32"),
    "mask": picture(4, (6, 8)),
}


def test_says_what_it_is(base, mode):
    with slipring.Writer(base, mode=mode) as writer:
        assert (writer.base, writer.mode, writer.closed) == (base, mode, False)
        assert base in repr(writer)
        for name, value in (("base", "other"), ("mode", "lock-free"), ("closed", True)):
            with pytest.raises(AttributeError):
                setattr(writer, name, value)
    assert writer.closed
    assert "closed" in repr(writer)


def test_lock_free_is_the_default_mode(writer):
    assert writer.mode == "lock-free"


@pytest.mark.parametrize("channel", SETTERS)
def test_set_and_get_of_each_channel(either_writer, either_reader, channel):
    getattr(either_writer, f"set_{channel}")(SETTERS[channel])
    assert same(getattr(either_reader, f"get_{channel}")(), SETTERS[channel])
    assert same(either_reader.get_array(channel), SETTERS[channel])


def test_set_array_makes_any_channel(either_writer, either_reader):
    either_writer.set_array("odd.name:1+2", np.arange(5, dtype="int16"))
    assert either_reader.get_array("odd.name:1+2").tolist() == [0, 1, 2, 3, 4]


def test_nothing_is_made_before_the_first_frame(base, mode):
    with slipring.Writer(base, mode=mode) as writer:
        assert objects(base) == []
        writer.set_image(picture())
        assert len(objects(base)) == 2
    assert objects(base) == []


def test_create_makes_a_channel_without_a_frame(base, either_writer, either_reader):
    assert either_writer.create("image", (6, 8, 3), "uint8") is None
    assert len(objects(base)) == 2
    assert either_reader.latest() is None
    assert not either_reader.wait_for_array("image", 0)
    either_writer.set_image(picture())
    assert same(either_reader.get_image(), picture())


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32"), np.dtype(">f4")])
def test_create_and_loan_take_what_numpy_takes_for_a_dtype(writer, dtype):
    writer.create("a", (4,), dtype)
    with writer.loan("a", (4,), dtype) as loan:
        assert loan.dtype == np.dtype("float32")


@pytest.mark.parametrize(
    "shape, expected", [(4, (4,)), ([2, 3], (2, 3)), ((), ()), (np.int64(4), (4,)), ((np.int32(2), 3), (2, 3))]
)
def test_create_and_loan_take_what_numpy_takes_for_a_shape(writer, shape, expected):
    writer.create("a", shape, "u1")
    with writer.loan("a", shape, "u1") as loan:
        assert loan.shape == expected


class WithArray:
    def __array__(self, dtype=None, copy=None):
        return np.arange(3, dtype="uint8")


@pytest.mark.parametrize(
    "value",
    [np.arange(3, dtype="u1"), memoryview(b"\0\1\2"), bytearray(b"\0\1\2"), WithArray()],
    ids=["ndarray", "memoryview", "bytearray", "__array__"],
)
def test_takes_what_numpy_takes_for_an_array(either_writer, either_reader, value):
    either_writer.set_array("a", value)
    assert same(either_reader.get_array("a"), np.array([0, 1, 2], "u1"))


def test_takes_lists_and_numpy_scalars_as_numpy_does(writer, reader):
    writer.set_array("a", [[1.5, 2], [3, 4]])
    assert same(reader.get_array("a"), np.array([[1.5, 2], [3, 4]]))
    writer.set_array("a", np.float32(7))
    assert reader.get_array("a").shape == ()
    assert reader.get_array("a") == 7


def test_a_subclass_and_a_read_only_array_are_taken(writer, reader):
    array = picture().view(np.recarray)
    array.flags.writeable = False
    writer.set_array("a", array)
    got = reader.get_array("a")
    assert type(got) is np.ndarray and same(got, picture())


def test_the_array_may_be_changed_after_the_call(either_writer, either_reader):
    array = picture()
    either_writer.set_image(array)
    array[...] = 0
    assert same(either_reader.get_image(), picture())


def test_an_empty_array_is_a_good_frame(writer, reader):
    writer.set_pointcloud(np.zeros((0, 4), "f4"))
    assert reader.get_pointcloud().shape == (0, 4)
    assert reader.latest("pointcloud").nbytes == 0


def test_what_is_attached_travels_with_the_frame(writer, reader):
    writer.set_image(picture(), 12.5, encoding="bgr8", frame_id="cam/left", metadata=b"\0any\xff")
    frame = reader.latest()
    assert (frame.encoding, frame.frame_id, frame.metadata) == ("bgr8", "cam/left", b"\0any\xff")
    assert (frame.timestamp, frame.capture_realtime_ns) == (12.5, 12_500_000_000)


def test_text_is_utf8_and_as_long_as_the_library_has_room(writer, reader):
    writer.set_image(picture(), encoding="e" * 15, frame_id="Kamera-Süd" + "x" * 52, metadata=bytes(256))
    frame = reader.latest()
    assert (frame.encoding, frame.frame_id, frame.metadata) == ("e" * 15, "Kamera-Süd" + "x" * 52, bytes(256))


@pytest.mark.parametrize("metadata", [bytearray(b"abc"), memoryview(b"abc"), np.frombuffer(b"abc", "u1")])
def test_metadata_is_anything_of_bytes(writer, reader, metadata):
    writer.set_image(picture(), metadata=metadata)
    assert reader.latest().metadata == b"abc"


def test_without_an_encoding_a_picture_has_the_generic_one(either_writer, either_reader):
    either_writer.set_image(picture())
    either_writer.set_depth(picture(0, (6, 8), "float32"))
    assert (either_reader.latest("image").encoding, either_reader.latest("depth").encoding) == ("8UC3", "32FC1")


def test_a_frame_without_a_timestamp_has_the_present(either_writer, either_reader):
    either_writer.set_image(picture())
    assert abs(either_reader.latest().timestamp - time.time()) < 600


def test_stamps_can_be_turned_off(base, reader):
    with slipring.Writer(base, stamps=False) as writer:
        writer.set_image(picture())
        frame = reader.latest()
        assert (frame.publish_ns, frame.capture_ns) == (0, 0)


@pytest.mark.parametrize("timestamp", [0, 0.0, 1, -1.5, 1e-9, np.float64(2.5), np.float32(0.5), np.int64(3)])
def test_a_timestamp_comes_out_as_it_went_in(writer, reader, timestamp):
    writer.set_image(picture(), timestamp)
    assert reader.latest().timestamp == timestamp
    assert isinstance(reader.latest().timestamp, float)
    writer.set_image(picture(), timestamp=timestamp)
    assert reader.latest().capture_realtime_ns == round(float(timestamp) * 1e9)


@given(timestamp=st.floats(1e8, 8e9))
def test_timestamps_of_this_age_are_exact(writer, reader, timestamp):
    writer.set_array("a", np.zeros(1, "u1"), timestamp)
    assert reader.latest("a").timestamp == timestamp


@pytest.mark.parametrize("timestamp", [math.nan, math.inf, -math.inf, 1e300, 1e10])
def test_a_timestamp_that_cannot_be_is_refused(either_writer, either_reader, timestamp):
    with pytest.raises((ValueError, OverflowError)):
        either_writer.set_image(picture(), timestamp)
    assert either_reader.latest() is None


def test_stats_count(writer, reader):
    for seed in range(5):
        writer.set_image(picture(seed))
    stats = writer.stats("image")
    assert stats._fields == ("published", "refused", "wakes", "grown", "last_seq", "epoch")
    assert (stats.published, stats.refused, stats.grown, stats.last_seq) == (5, 0, 0, 5)
    assert stats.epoch == reader.latest().epoch
    writer.set_image(picture(0, (60, 80, 3)))
    assert writer.stats("image").grown == 1
    with pytest.raises(FileNotFoundError, match="other"):
        writer.stats("other")


def test_every_slot_held_is_refused_counted_and_nothing_is_lost(make_writer, make_reader):
    writer = make_writer(slots=3, leases_per_reader=3)
    reader = make_reader()
    held = []
    for seed in range(3):
        writer.set_image(picture(seed))
        held.append(reader.latest())
    with pytest.raises(BlockingIOError, match="image"):
        writer.set_image(picture(3))
    assert writer.stats("image").refused == 1
    assert all(same(frame.array, picture(seed)) for seed, frame in enumerate(held))
    held.pop(0)
    writer.set_image(picture(4))
    assert reader.latest().seq == 4


def test_readers_attached_are_counted(writer, make_reader):
    assert writer.readers_attached("image") == 0
    writer.set_image(picture())
    readers = [make_reader() for _ in range(3)]
    for reader in readers:
        reader.get_image()
    assert writer.readers_attached("image") == 3
    make_reader(observer=True).get_image()
    readers[0].close()
    assert writer.readers_attached("image") == 2


def test_larger_frames_grow_the_ring_and_readers_follow(writer, reader):
    for n in (1, 100, 10_000, 1_000_000):
        writer.set_array("a", np.full(n, n, "u4"))
        assert same(reader.get_array("a"), np.full(n, n, "u4"))


def test_capacity_makes_room_ahead(make_writer):
    writer = make_writer(capacity=1 << 20)
    writer.set_array("a", np.zeros(1, "u1"))
    writer.set_array("a", np.zeros(1 << 20, "u1"))
    assert writer.stats("a").grown == 0
    assert slipring.inspect(writer.base, "a")["capacity"] >= 1 << 20


def test_options_reach_the_library(make_writer, base):
    writer = make_writer(
        slots=5, max_readers=7, leases_per_reader=3, max_loans=2, history=4, prefault=True, huge_pages=True
    )
    writer.set_image(picture())
    info = slipring.inspect(base)
    assert [info[key] for key in ("slots", "max_readers", "leases_per_reader", "max_loans", "history")] == [
        5,
        7,
        3,
        2,
        4,
    ]


@pytest.mark.parametrize("limit", [0, 0.5, None])
def test_each_limit_of_the_lock_will_do_where_it_is_free(make_writer, either_reader, mode, limit):
    writer = make_writer(mode=mode, lock_timeout=limit)
    writer.set_image(picture(1))
    assert same(either_reader.get_image(), picture(1))


@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o644])
def test_permissions_are_exact(make_writer, base, permissions):
    mask = os.umask(0o077)
    try:
        make_writer(permissions=permissions).set_image(picture())
    finally:
        os.umask(mask)
    payload = next(name for name in objects(base) if "payload" in name)
    assert stat.S_IMODE((DIRECTORY / payload).stat().st_mode) == permissions


def test_close_is_idempotent_and_ends_every_call(base, mode):
    writer = slipring.Writer(base, mode=mode)
    writer.set_image(picture())
    writer.close()
    writer.close()
    calls = [
        lambda: writer.set_image(picture()),
        lambda: writer.set_depth(picture(0, (2, 2), "f4")),
        lambda: writer.set_pointcloud(picture(0, (4, 4), "f4")),
        lambda: writer.set_mask(picture(0, (2, 2))),
        lambda: writer.set_array("a", picture()),
        lambda: writer.create("a", (1,), "u1"),
        lambda: writer.loan("a", (1,), "u1"),
        lambda: writer.readers_attached("image"),
        lambda: writer.stats("image"),
        writer.__enter__,
    ]
    for call in calls:
        with pytest.raises(ValueError, match="the writer is closed"):
            call()
    writer.__exit__(None, None, None)


def test_with_closes_on_an_exception_too(base, mode):
    with pytest.raises(KeyError), slipring.Writer(base, mode=mode) as writer:
        assert isinstance(writer, slipring.Writer)
        writer.set_image(picture())
        raise KeyError
    assert writer.closed and objects(base) == []


def test_a_writer_that_is_dropped_closes(base, mode):
    writer = slipring.Writer(base, mode=mode)
    writer.set_image(picture())
    assert objects(base)
    del writer
    gc.collect()
    assert objects(base) == []


def test_a_writer_still_open_when_the_interpreter_ends_closes(base, mode):
    run_script(
        """
        import sys, numpy, slipring
        writer = slipring.Writer(sys.argv[1], mode=sys.argv[2])
        writer.set_image(numpy.zeros((4, 5, 3), "u1"))
        reader = slipring.Reader(sys.argv[1])
        frame = reader.latest()
        view = frame.array[1:]
        iterator = reader.frames()
    """,
        base,
        mode,
    )
    assert objects(base) == []


def test_a_second_writer_is_refused_until_the_first_has_closed(make_writer):
    first, second = make_writer(), make_writer()
    first.set_image(picture())
    with pytest.raises(OSError, match=str(os.getpid())) as error:
        second.set_image(picture())
    assert error.value.errno == 16
    first.close()
    second.set_image(picture())


def test_channels_whose_joined_names_are_equal_are_apart(base):
    with slipring.Writer(base) as a, slipring.Writer(f"{base}_b") as b:
        a.set_array("b_c", [1])
        b.set_array("c", [2])
        with slipring.Reader(base) as reader, slipring.Reader(f"{base}_b") as other:
            assert (reader.get_array("b_c").item(), other.get_array("c").item()) == (1, 2)


def test_a_writer_can_be_subclassed(base):
    class Camera(slipring.Writer):
        def __init__(self, name):
            super().__init__(name)
            self.count = 0

        def shoot(self):
            self.count += 1
            self.set_image(picture(self.count))

    with Camera(base) as camera, slipring.Reader(base) as reader:
        camera.shoot()
        assert same(reader.get_image(), picture(1))
