"""Reader: latest, next, frames, waiting, questions; the channel that comes late, restarts, grows and closes."""

import contextlib
import errno

import numpy as np
import pytest

import slipring
from support import MODES, eventually, picture, raises, same

GETTERS = ["image", "depth", "pointcloud", "mask"]


def put(writer, *seeds, channel="image"):
    for seed in seeds:
        writer.set_array(channel, picture(seed))


def test_says_what_it_is(base, mode):
    with slipring.Reader(base, mode=mode) as reader:
        assert (reader.base, reader.closed) == (base, False)
        assert base in repr(reader)
        for name, value in (("base", "other"), ("closed", True)):
            with pytest.raises(AttributeError):
                setattr(reader, name, value)
    assert reader.closed
    assert "closed" in repr(reader)


def test_opens_before_any_writer_and_works_when_one_comes(either_reader, make_writer, mode):
    assert either_reader.latest() is None
    assert all(getattr(either_reader, f"get_{name}")() is None for name in GETTERS)
    assert either_reader.get_array("a") is None
    assert either_reader.get_array("a", copy=False) is None
    assert (either_reader.get_shape("a"), either_reader.get_dtype("a"), either_reader.get_ndim("a")) == (
        None,
        None,
        None,
    )
    put(make_writer(mode=mode), 1)
    assert same(either_reader.get_image(), picture(1))


def test_a_reader_without_a_mode_takes_what_is_there(reader, make_writer, mode):
    put(make_writer(mode=mode), 1)
    assert same(reader.get_image(), picture(1))


def test_latest_is_the_newest_and_then_the_same_again(writer, reader):
    put(writer, 1, 2, 3)
    first, again = reader.latest(), reader.latest("image")
    assert (first.seq, first.missed, again.seq, again.missed) == (3, 0, 3, 0)  # what came before it attached is not missed
    assert same(first.array, picture(3)) and same(again.array, picture(3))


def test_latest_shows_each_new_frame(either_writer, either_reader):
    for seed in range(20):
        put(either_writer, seed)
        assert same(either_reader.latest().array, picture(seed))


@pytest.mark.parametrize("channel", GETTERS)
def test_a_copy_is_the_callers_own(either_writer, either_reader, channel):
    shape = {"image": (6, 8, 3), "mask": (6, 8), "depth": (6, 8), "pointcloud": (6, 8)}[channel]
    getattr(either_writer, f"set_{channel}")(picture(1, shape, "f4"))
    for got in (getattr(either_reader, f"get_{channel}")(), getattr(either_reader, f"get_{channel}")(copy=True)):
        assert got.flags.writeable and got.flags.c_contiguous
        got[...] = 0
    assert same(either_reader.get_array(channel), picture(1, shape, "f4"))
    assert either_reader.stats(channel).leases == 0


def test_a_copy_outlives_everything(base, mode):
    with slipring.Writer(base, mode=mode) as writer, slipring.Reader(base) as reader:
        put(writer, 1)
        got = reader.get_image()
    assert same(got, picture(1))


@pytest.mark.parametrize("channel", GETTERS)
def test_without_a_copy_it_is_a_read_only_view_that_keeps_its_lease(writer, reader, channel):
    getattr(writer, f"set_{channel}")(picture(1, (6, 8)))
    view = getattr(reader, f"get_{channel}")(copy=False)
    assert not view.flags.writeable
    assert reader.stats(channel).leases == 1
    for seed in range(2, 30):
        getattr(writer, f"set_{channel}")(picture(seed, (6, 8)))
    assert same(view, picture(1, (6, 8)))
    del view
    assert reader.stats(channel).leases == 0


def test_next_gives_every_frame_in_order(writer, reader):
    put(writer, 1)
    assert reader.next().seq == 1
    put(writer, 2, 3, 4)
    for seed in (2, 3, 4):
        frame = reader.next(timeout=0)
        assert (frame.seq, frame.missed) == (seed, 0) and same(frame.array, picture(seed))
        del frame
    with pytest.raises(TimeoutError, match="image"):
        reader.next("image", 0)


def test_next_says_how_many_it_missed(writer, reader):
    put(writer, 1)
    reader.next().release()
    put(writer, *range(2, 50))
    frame = reader.next()
    assert frame.missed == frame.seq - 2 > 0
    assert reader.stats("image").missed == frame.missed


def test_a_new_reader_begins_with_the_newest_frame(writer, make_reader):
    put(writer, 1, 2, 3)
    assert make_reader().next(timeout=0).seq == 3


def test_channels_of_a_reader_are_apart(writer, reader):
    put(writer, 1, 2, channel="a")
    put(writer, 3, channel="b")
    assert (reader.next("a").seq, reader.next("b").seq) == (2, 1)
    assert raises(TimeoutError, reader.next, "a", 0) and raises(TimeoutError, reader.next, "c", 0)


@pytest.mark.parametrize("timeout", [0, 0.0, 0.001, 1e-9, np.float64(0.001)])
def test_waits_end_at_their_time_limit(either_writer, either_reader, timeout):
    assert either_reader.wait("image", timeout) is False
    assert either_reader.wait_for_array("image", timeout) is False
    put(either_writer, 1)
    assert either_reader.wait("image", timeout) is True
    assert either_reader.wait_for_array("image", timeout) is True
    either_reader.get_image()
    assert either_reader.wait("image", timeout) is False
    assert either_reader.wait_for_array("image", timeout) is True


@pytest.mark.parametrize("call", ["next", "frames"])
def test_running_out_of_time_is_a_TimeoutError(writer, reader, call):
    for timeout in (0, 0.001):
        with pytest.raises(TimeoutError, match="image"):
            reader.next("image", timeout) if call == "next" else next(reader.frames("image", timeout))
    put(writer, 1)
    assert (reader.next() if call == "next" else next(reader.frames())).seq == 1


def test_frames_gives_every_frame_in_order_and_ends_at_close(base, reader):
    with slipring.Writer(base) as writer:
        put(writer, 1)
        frames = reader.frames()
        assert iter(frames) is frames
        assert next(frames).seq == 1
        put(writer, *range(2, 6))
    assert [frame.seq for frame in frames] == [2, 3, 4, 5]
    assert raises(StopIteration, next, frames)


def test_frames_in_both_modes_gives_each_newer_frame_until_the_writer_closes(base, mode):
    with slipring.Reader(base) as reader:
        frames = reader.frames(timeout=20)
        with slipring.Writer(base, mode=mode) as writer:
            for seed in range(5):
                put(writer, seed)
                assert same(next(frames).array, picture(seed))
        assert list(frames) == []


def test_frames_in_both_modes_runs_out_of_time(base, either_writer, either_reader):
    frames = either_reader.frames(timeout=0.001)
    assert raises(TimeoutError, next, frames)
    put(either_writer, 1)
    assert same(next(either_reader.frames(timeout=20)).array, picture(1))
    assert raises(TimeoutError, next, either_reader.frames(timeout=0.001))


def test_the_frame_of_the_loop_before_may_still_be_held(writer, reader):
    put(writer, 1)
    kept = None
    for frame in reader.frames(timeout=0):
        kept = frame
        put(writer, frame.seq + 1)
        if frame.seq == 20:
            break
    assert same(kept.array, picture(20))


def test_a_loop_that_is_left_gives_everything_back(writer, reader):
    put(writer, 1)
    for frame in reader.frames():
        break
    del frame
    assert reader.stats("image").leases == 0
    put(writer, 2)
    assert reader.next(timeout=0).seq == 2


def test_after_a_close_what_was_published_is_had_and_then_nothing(base, make_reader):
    reader, late = make_reader(), make_reader()
    with slipring.Writer(base) as writer:
        put(writer, 1)
        assert reader.next().seq == 1
        put(writer, 2)
    assert reader.next(timeout=0).seq == 2
    with pytest.raises(BrokenPipeError, match="image"):
        reader.next(timeout=20)
    assert reader.latest() is None and reader.get_image() is None
    assert late.latest() is None


def test_a_handle_goes_on_with_the_next_writer(base, either_reader, mode):
    for seed in range(5):
        with slipring.Writer(base, mode=mode) as writer:
            shape = (6 + seed, 8, 3)
            writer.set_image(picture(seed, shape))
            assert either_reader.wait("image", 20)
            assert same(either_reader.get_image(), picture(seed, shape))
        assert either_reader.get_image() is None


def test_a_clean_close_starts_a_new_epoch(base, reader):
    epochs = []
    for _ in range(3):
        with slipring.Writer(base) as writer:
            put(writer, 1, 2)
            frame = reader.latest()
            assert frame.seq == 2
            epochs.append(frame.epoch)
            del frame
    assert len(set(epochs)) == 3


def test_shape_and_dtype_may_change_from_frame_to_frame(writer, reader):
    for array in (picture(1), np.arange(5.0), np.array(True), np.zeros((2,) * 8, "c16")):
        writer.set_image(array) if array.ndim == 3 else writer.set_array("image", array)
        assert same(reader.next(timeout=0).array, array)
        assert (reader.get_shape("image"), reader.get_dtype("image"), reader.get_ndim("image")) == (
            array.shape,
            array.dtype,
            array.ndim,
        )


def test_questions_tell_of_the_latest_frame_and_take_no_lease(either_writer, either_reader):
    either_writer.set_array("a", np.zeros((3, 4), "float32"))
    assert either_reader.get_shape("a") == (3, 4)
    assert either_reader.get_dtype("a") == np.dtype("float32") and isinstance(either_reader.get_dtype("a"), np.dtype)
    assert either_reader.get_ndim("a") == 2
    assert either_reader.stats("a").leases == 0
    either_writer.set_array("s", np.float64(1))
    assert (either_reader.get_shape("s"), either_reader.get_ndim("s")) == ((), 0)


def test_writer_alive(base, either_reader, mode):
    with pytest.raises(FileNotFoundError):
        either_reader.writer_alive("image")
    with slipring.Writer(base, mode=mode) as writer:
        put(writer, 1)
        assert either_reader.writer_alive("image") is True
    assert (
        raises((FileNotFoundError, BrokenPipeError), either_reader.writer_alive, "image")
        or either_reader.writer_alive("image") is False
    )


def test_stats_count(writer, reader):
    put(writer, 1)
    reader.next().release()
    put(writer, *range(2, 11))
    frame = reader.latest()
    stats = reader.stats("image")
    assert stats._fields == ("got", "missed", "last_seq", "generations", "epoch", "leases", "contended")
    assert stats == (2, 8, 10, 1, frame.epoch, 1, 0)
    writer.set_image(picture(0, (60, 80, 3)))
    reader.get_image()
    assert reader.stats("image").generations == 2


def test_an_observer_gets_private_copies_and_is_not_seen(writer, make_reader):
    put(writer, 1)
    observer = make_reader(observer=True)
    frame = observer.latest()
    assert frame.private and frame.array.flags.writeable
    frame.array[...] = 0
    assert same(observer.get_image(), picture(1))
    assert writer.readers_attached("image") == 0


def test_a_spinning_reader_gets_the_same_frames(writer, make_reader):
    reader = make_reader(spin=0.0001, prefault=True, stamps=False)
    put(writer, 1)
    assert reader.next(timeout=0.001).seq == 1
    assert raises(TimeoutError, reader.next, "image", 0.001)


def test_limits_may_be_none(either_writer, make_reader, mode):
    reader = make_reader(mode=mode, spin=None, lock_timeout=None)
    put(either_writer, 1)
    assert reader.wait("image", None) is True and reader.get_image() is not None


def test_close_is_idempotent_and_ends_every_call(base, either_writer):
    put(either_writer, 1)
    reader = slipring.Reader(base)
    reader.get_image()
    iterator = reader.frames()
    reader.close()
    reader.close()
    calls = [
        reader.latest,
        lambda: reader.next(timeout=0),
        lambda: next(reader.frames()),
        lambda: next(iterator),
        reader.get_image,
        reader.get_depth,
        reader.get_pointcloud,
        reader.get_mask,
        lambda: reader.get_array("image"),
        lambda: reader.get_array("image", copy=False),
        lambda: reader.get_shape("image"),
        lambda: reader.get_dtype("image"),
        lambda: reader.get_ndim("image"),
        lambda: reader.wait_for_array("image", 0),
        lambda: reader.wait("image", 0),
        lambda: reader.writer_alive("image"),
        lambda: reader.stats("image"),
        reader.__enter__,
        lambda: slipring.wait_any([(reader, "image")], 0),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(ValueError, match="closed"):
            call()
            pytest.fail(f"call {number} went through")
    reader.__exit__(None, None, None)


# ---- several at once ----


def test_wait_any_gives_those_that_are_ready(base, make_writer, make_reader, mode):
    writer = make_writer(mode=mode)
    first, second = make_reader(), make_reader()
    items = [(first, "a"), (second, "a"), (first, "b"), (second, "none")]
    assert slipring.wait_any(items, 0) == []
    assert slipring.wait_any(items, 0.001) == []
    put(writer, 1, channel="a")
    ready = slipring.wait_any(items, 20)
    assert ready == items[:2] and ready[0][0] is first
    first.get_array("a")
    put(writer, 1, channel="b")
    assert slipring.wait_any(items, timeout=20) == items[1:3]


def test_wait_any_takes_both_modes_in_one_call(base, make_reader):
    with slipring.Writer(base, mode="lock-free") as one, slipring.Writer(base, mode="semaphore") as other:
        put(one, 1, channel="a")
        put(other, 1, channel="b")
        reader = make_reader()
        assert slipring.wait_any([(reader, "a"), (reader, "b")], 20) == [(reader, "a"), (reader, "b")]


@pytest.mark.parametrize("count", [0, 129])
def test_wait_any_takes_1_to_128_items(reader, count):
    with pytest.raises(ValueError, match=str(count)):
        slipring.wait_any([(reader, f"c{i}") for i in range(count)], 0)
    assert slipring.wait_any([(reader, f"c{i}") for i in range(128)], 0) == []


@pytest.mark.parametrize("items", [None, 1, [1], [(1, "a")], [("a", "b")], "ab", [()]])
def test_wait_any_wants_pairs_of_reader_and_name(items):
    with pytest.raises(TypeError):
        slipring.wait_any(items, 0)


def test_wait_any_takes_any_iterable_of_pairs_it_can_read(writer, reader):
    put(writer, 1)
    assert slipring.wait_any(((reader, "image"),), 0) == [(reader, "image")]


# ---- looking ----


def test_channels_lists_what_exists(base, make_writer):
    put(make_writer(mode="lock-free"), 1, channel="image")
    put(make_writer(mode="lock-free"), 1, channel="a")
    assert slipring.channels(base) == [(base, "a", "lock-free"), (base, "image", "lock-free")]
    assert slipring.channels(base)[0]._fields == ("base", "channel", "mode")
    assert slipring.channels(base)[0] in slipring.channels()
    assert slipring.channels(base + "x") == []


def test_channels_names_the_mode(base, either_writer, mode):
    put(either_writer, 1)
    assert slipring.channels(base) == [(base, "image", mode)]


def test_inspect_shows_who_holds_what(base, writer, reader):
    put(writer, 1, 2)
    frame = reader.latest()
    info = slipring.inspect(base)
    expected = dict(
        last_seq=2,
        slots=8,
        published=2,
        refused=0,
        leases_per_reader=2,
        epoch=frame.epoch,
        permissions=0o600,
        shape=(6, 8, 3),
        encoding="",
    )
    assert {key: info[key] for key in expected} == expected
    assert np.dtype(info["dtype"]) == np.dtype("uint8")
    [seen] = info["readers"]
    assert (seen["leases"], seen["got"], seen["missed"], seen["last_seq"]) == (1, 1, 0, 2)
    assert bool(seen["alive"]) and not bool(seen["in_order"])
    assert len(info["slot_info"]) == 8
    del frame
    assert slipring.inspect(base, "image", "lock-free")["readers"][0]["leases"] == 0


def test_inspect_is_of_plain_types(base, either_writer):
    put(either_writer, 1)

    def plain(value):
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(item) for key, item in value.items())
        if isinstance(value, (list, tuple)):
            return all(map(plain, value))
        return value is None or type(value) in (int, float, str, bool, bytes)

    info = slipring.inspect(base)
    assert plain({key: value for key, value in info.items() if key != "dtype"}), info


def test_inspect_in_both_modes_tells_of_the_newest_frame(base, either_writer, mode):
    either_writer.set_array("a", np.zeros((3, 4), "f4"))
    info = slipring.inspect(base, "a")
    assert (info["shape"], np.dtype(info["dtype"]), info["ndim"]) == ((3, 4), np.dtype("f4"), 2)
    assert slipring.inspect(base, "a", mode=mode)["shape"] == (3, 4)
    other = MODES[1 - MODES.index(mode)]
    assert raises(FileNotFoundError, slipring.inspect, base, "a", other)


def test_inspect_of_a_channel_without_a_frame(base, writer):
    writer.create("a", (3,), "u1")
    info = slipring.inspect(base, "a")
    assert [info[key] for key in ("shape", "dtype", "ndim", "last_seq", "state")] == [None, None, None, 0, "live"]


def test_inspect_of_a_channel_that_was_closed_while_it_is_read(base, make_writer, reader):
    writer = make_writer()
    writer.set_array("a", [1])
    frame = reader.latest("a")
    writer.close()
    with contextlib.suppress(FileNotFoundError):  # its objects may be gone already
        assert slipring.inspect(base, "a")["state"] == "closed"
    assert frame.array.tolist() == [1]


def test_channels_of_no_name_in_particular_are_all(base, writer):
    writer.set_array("a", [1])
    for said in ((), (None,)):
        assert (base, "a") in [channel[:2] for channel in slipring.channels(*said)]
    assert raises(TypeError, slipring.channels, 1)


def test_the_package_says_its_versions():
    assert slipring.__version__.count(".") == 2
    assert slipring.layout_version == 1


# ---- the dead ----


def test_outwait_dead_writer_goes_on_waiting(base, make_reader):
    reader = make_reader(outwait_dead_writer=True)
    assert raises(TimeoutError, reader.next, "image", 0.001)


def test_places_for_readers_run_out_and_come_back(make_writer, make_reader):
    put(make_writer(max_readers=2), 1)
    readers = [make_reader() for _ in range(3)]
    frames = [reader.latest() for reader in readers[:2]]
    with pytest.raises(OSError, match="2") as error:
        readers[2].latest()
    assert error.value.errno == errno.EUSERS
    del frames
    readers[0].close()
    assert eventually(lambda: not raises(OSError, readers[2].latest))
