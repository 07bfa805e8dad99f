"""Frames: what one says of itself, and how long its lease lives - through slices, views, exits, the collector."""

import ctypes
import errno
import gc
import pickle
import re
import weakref

import numpy as np
import pytest

import slipring
from slipring import _core
from support import address, picture, run_script, same

SLOTS = 8


@pytest.fixture(autouse=True)
def no_collector():
    """A lease ends with its last reference, not when the collector comes by."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def frame_of(writer, reader):
    """Publishes a picture and gets it."""

    def make(seed=1, **more):
        writer.set_array("image", picture(seed), **more)
        return reader.latest()

    return make


@pytest.fixture
def leases(reader, base):
    """Leases held, by the reader's own count, which must agree with what can be seen from outside."""

    def count():
        held = reader.stats("image").leases
        [seen] = slipring.inspect(base)["readers"]
        assert seen["leases"] == held
        return held

    return count


@pytest.fixture
def churn(writer):
    """Overwrites every slot that is free, some times over."""

    def run():
        for seed in range(100, 100 + 4 * SLOTS):
            writer.set_array("image", picture(seed))

    return run


# ---- what it says ----


def test_describes_itself(writer, reader):
    writer.set_array("image", picture(1, (6, 8, 3), "int16"), 2.5, encoding="e", frame_id="f", metadata=b"m")
    frame = reader.latest()
    assert (frame.seq, frame.missed, frame.timestamp, frame.capture_realtime_ns) == (1, 0, 2.5, 2_500_000_000)
    assert (frame.encoding, frame.frame_id, frame.metadata) == ("e", "f", b"m")
    assert (frame.shape, frame.strides, frame.dtype) == ((6, 8, 3), (48, 6, 2), np.dtype("int16"))
    assert (frame.ndim, frame.size, frame.nbytes, len(frame)) == (3, 144, 288, 6)
    assert (frame.private, frame.released) == (False, False)
    assert frame.publish_ns > 0 and frame.epoch == writer.stats("image").epoch
    assert isinstance(frame.metadata, bytes) and isinstance(frame.dtype, np.dtype)


def test_repr_shows_what_matters(frame_of):
    frame = frame_of()
    assert (
        "Frame" in repr(frame)
        and "uint8" in repr(frame)
        and re.search(r"\b1\b.*6\D+8\D+3|6\D+8\D+3.*\b1\b", repr(frame))
    )
    frame.release()
    assert "released" in repr(frame)


def test_nothing_of_it_can_be_set(frame_of):
    frame = frame_of()
    names = (
        "array seq epoch missed timestamp capture_ns publish_ns capture_realtime_ns encoding frame_id metadata shape "
        "strides dtype ndim size nbytes private released".split()
    )
    for name in names:
        with pytest.raises(AttributeError):
            setattr(frame, name, getattr(frame, name))


def test_a_scalar_has_no_length(writer, reader):
    writer.set_array("a", np.float64(3))
    frame = reader.latest("a")
    assert (frame.shape, frame.ndim, frame.size, frame.nbytes) == ((), 0, 1, 8)
    with pytest.raises(TypeError):
        len(frame)


def test_each_object_can_be_referred_to_weakly(frame_of, base):
    frame, writer, reader = frame_of(), slipring.Writer(f"{base}-2"), slipring.Reader(f"{base}-2")
    loan = writer.loan("a", (3,), "u1")
    gone = []
    references = [weakref.ref(thing, gone.append) for thing in (frame, loan, writer, reader)]
    del frame, loan, writer, reader
    assert gone == references and [reference() for reference in references] == [None] * 4


def test_the_collector_sees_what_each_object_holds(frame_of, reader, writer):
    frame, name, stamp = frame_of(), "".join(["b", "c"]), float("1234.5")
    loan = writer.loan(name, (3,), "u1", stamp)
    for holder, held in ((frame, reader), (loan, writer), (loan, name), (loan, stamp)):
        assert any(each is holder for each in gc.get_referrers(held))
    for thing in (frame, loan, reader, writer):
        assert any(each is thing for each in gc.get_referrers(type(thing)))
    for opened in (reader, writer):
        assert any(each is opened for each in gc.get_referrers(opened.base))
    for type_ in (slipring.Writer, slipring.Loan, slipring.Frame, _core.Reader, _core.Waker):
        assert any(each is _core for each in gc.get_referrers(type_))


def test_cannot_be_made_or_pickled_but_its_array_can(frame_of, reader, writer):
    frame = frame_of()
    with pytest.raises(TypeError):
        type(frame)()
    for thing in (frame, reader, writer, writer.loan("a", (3,), "u1")):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
    assert same(pickle.loads(pickle.dumps(frame.array)), picture(1))


# ---- the array ----


def test_the_array_is_on_shared_memory_without_a_copy(frame_of):
    frame = frame_of()
    assert same(frame.array, picture(1))
    assert type(frame.array) is np.ndarray
    assert address(frame.array) == address(frame.array) == address(np.asarray(frame))
    assert frame.array.flags.c_contiguous and frame.array.flags.aligned and not frame.array.flags.owndata


def test_two_readers_meet_in_one_place(writer, make_reader):
    writer.set_array("image", picture(1))
    first, second = make_reader().latest(), make_reader().latest()
    assert address(first.array) == address(second.array)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a[1:],
        lambda a: a.T,
        lambda a: a.reshape(-1),
        lambda a: a.view("i1"),
        lambda a: a[...],
        lambda a: np.asarray(memoryview(a)),
        lambda a: a.view(np.recarray),
    ],
)
def test_no_view_of_it_can_be_written_or_made_writable(frame_of, view):
    array = view(frame_of().array)
    assert not array.flags.writeable
    with pytest.raises(ValueError):
        array[...] = 0
    with pytest.raises(ValueError):
        array.flags.writeable = True
    with pytest.raises(ValueError):
        np.add(array, 1, out=array, casting="unsafe")


def test_it_becomes_an_array_as_numpy_asks(frame_of):
    frame = frame_of()
    inside = address(frame.array)
    for array in (
        np.asarray(frame),
        frame.__array__(),
        frame.__array__(np.dtype("uint8")),
        frame.__array__(copy=False),
    ):
        assert address(array) == inside and not array.flags.writeable
    for array in (np.array(frame), frame.__array__(copy=True), frame.__array__(np.dtype("uint8"), copy=True)):
        assert address(array) != inside and array.flags.writeable and same(array, picture(1))
    for array in (
        np.asarray(frame, "float64"),
        frame.__array__(np.dtype("float64")),
        frame.__array__("float64", copy=None),
    ):
        assert same(array, picture(1).astype("float64"))
    with pytest.raises(ValueError):
        frame.__array__(np.dtype("float64"), copy=False)


def test_arithmetic_goes_through_numpy(frame_of):
    frame = frame_of()
    assert np.add(frame, 1).sum() == (picture(1) + 1).sum()
    assert np.stack([frame, frame]).shape == (2, 6, 8, 3)


def test_it_is_a_read_only_buffer(frame_of):
    frame = frame_of()
    with memoryview(frame) as view:
        assert view.readonly
        assert (view.shape, view.strides, view.ndim, view.itemsize, view.format, view.nbytes) == (
            (6, 8, 3),
            (24, 3, 1),
            3,
            1,
            "B",
            144,
        )
        assert view.tobytes() == picture(1).tobytes()
        assert address(np.asarray(view)) == address(frame.array)
        with pytest.raises(TypeError):
            view[0, 0, 0] = 1
    assert bytes(frame) == picture(1).tobytes()
    with pytest.raises((TypeError, BufferError)):
        __import__("io").BytesIO(b"x").readinto(frame)


# ---- the lease ----


SIMPLE, WRITABLE, FORMAT, ND, STRIDES = 0, 1, 4, 8, 0x18
C, FORTRAN, ANY = 0x20 | STRIDES, 0x40 | STRIDES, 0x80 | STRIDES


class Buffer(ctypes.Structure):
    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
        ("internal", ctypes.c_void_p),
    ]


def exported(thing, flags):
    """What the buffer protocol gives for a request: format, shape, strides; it raises what that raises."""
    buffer = Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(thing), ctypes.byref(buffer), flags)
    shape = buffer.shape[: buffer.ndim] if buffer.shape else None
    strides = buffer.strides[: buffer.ndim] if buffer.strides else None
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
    return buffer.format, shape, strides


def test_the_buffer_protocol_gives_what_is_asked_for_and_no_more(writer, reader, leases):
    writer.set_array("image", np.arange(6, dtype="u2").reshape(2, 3))
    frame = reader.latest()
    assert exported(frame, SIMPLE) == (None, None, None)
    assert exported(frame, FORMAT) == (b"H", None, None)
    assert exported(frame, ND) == (None, [2, 3], None)
    assert exported(frame, STRIDES | FORMAT) == (b"H", [2, 3], [6, 2])
    assert exported(frame, C) == exported(frame, ANY) == (None, [2, 3], [6, 2])
    for flags, said in ((WRITABLE, "read-only"), (FORTRAN, "Fortran")):
        with pytest.raises(BufferError, match=said):
            exported(frame, flags)
    writer.set_array("image", np.arange(4))
    assert exported(reader.latest(), FORTRAN) == (None, [4], [8])
    del frame
    assert leases() == 0


def test_padded_rows_are_refused_to_those_who_cannot_take_them(writer, reader):
    with writer.loan("image", (2, 3), "u1", strides=(16, 1)) as loan:
        loan.array[...] = 1
        for flags in (SIMPLE, ND, C, ANY):
            with pytest.raises(BufferError, match="padded"):
                exported(loan, flags)
    frame = reader.latest()
    for flags in (SIMPLE, ND, C, ANY):
        with pytest.raises(BufferError, match="padded"):
            exported(frame, flags)
    assert exported(frame, STRIDES) == (None, [2, 3], [16, 1])
    with pytest.raises(BufferError, match="Fortran"):
        exported(frame, FORTRAN)


def test_a_frame_does_not_change_while_it_is_held(frame_of, churn):
    frame = frame_of()
    churn()
    assert same(frame.array, picture(1))


VIEWS = {
    "array": lambda f: f.array,
    "slice": lambda f: f.array[2:4],
    "slice of a slice": lambda f: f.array[2:4][:, 1:][0],
    "transpose": lambda f: f.array.T,
    "reshape": lambda f: f.array.reshape(-1),
    "iterator's item": lambda f: next(iter(f.array)),
    "other dtype": lambda f: f.array.view("int8"),
    "broadcast": lambda f: np.broadcast_to(f.array, (2, 6, 8, 3)),
    "as_strided": lambda f: np.lib.stride_tricks.as_strided(f.array, (3,), (1,), writeable=False),
    "asarray": np.asarray,
    "__array__": lambda f: f.__array__(),
    "memoryview": memoryview,
    "memoryview of the array": lambda f: memoryview(f.array),
    "slice of a memoryview": lambda f: memoryview(f.array)[1:3],
    "cast memoryview": lambda f: memoryview(f).cast("B"),
    "array of a memoryview": lambda f: np.asarray(memoryview(f)),
    "frombuffer": lambda f: np.frombuffer(f, "u1"),
    "from_dlpack": np.from_dlpack,
    "from_dlpack, sliced": lambda f: np.from_dlpack(f)[1:],
    "flat iterator": lambda f: f.array.flat,
    "subclass": lambda f: f.array.view(np.recarray),
}
if np.lib.NumpyVersion(np.__version__) < "2.1.0":  # asks for no version, and gets a copy
    VIEWS = {name: view for name, view in VIEWS.items() if "from_dlpack" not in name}


def content(view):
    if isinstance(view, np.flatiter):
        view = view.base
    return view.tobytes() if isinstance(view, (memoryview, np.ndarray)) else bytes(view)


@pytest.mark.parametrize("view_of", VIEWS.values(), ids=VIEWS.keys())
def test_each_kind_of_view_keeps_the_lease_and_its_end_ends_it(frame_of, leases, churn, view_of):
    frame = frame_of()
    view = view_of(frame)
    before = content(view)
    with pytest.raises(BufferError):
        frame.release()
    assert not frame.released
    del frame
    assert leases() == 1
    churn()
    assert content(view) == before
    del view
    assert leases() == 0


@pytest.mark.parametrize("view_of", VIEWS.values(), ids=VIEWS.keys())
def test_release_works_once_the_view_is_gone(frame_of, leases, view_of):
    frame = frame_of()
    view = view_of(frame)
    with pytest.raises(BufferError):
        frame.release()
    del view
    frame.release()
    assert frame.released and leases() == 0


@pytest.mark.parametrize("view_of", VIEWS.values(), ids=VIEWS.keys())
def test_leaving_a_with_block_while_a_view_lives_leaves_the_lease_to_the_view(frame_of, leases, churn, view_of):
    with frame_of() as frame:
        view = view_of(frame)
        before = content(view)
    assert leases() == 1
    churn()
    assert content(view) == before
    del view
    assert leases() == 0
    del frame


def test_leaving_a_with_block_releases(frame_of, leases):
    with frame_of() as frame:
        assert leases() == 1
        assert frame.array.sum() == picture(1).sum()
    assert frame.released and leases() == 0


def test_leaving_a_with_block_by_an_exception_releases_and_passes_it_on(frame_of, leases):
    with pytest.raises(KeyError), frame_of() as frame:
        raise KeyError
    assert frame.released and leases() == 0


def test_dropping_a_frame_releases_it_at_once(frame_of, leases):
    frame = frame_of()
    assert frame.array.sum() == picture(1).sum()
    assert leases() == 1
    del frame
    assert leases() == 0


def test_no_cycle_is_left_behind(frame_of, leases):
    frame = frame_of()
    array = frame.array
    gone = weakref.ref(array)
    del frame, array
    assert gone() is None
    assert leases() == 0


def test_the_order_in_which_views_go_does_not_matter(frame_of, leases):
    for order in (0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0):
        frame = frame_of()
        parts = [frame, frame.array[1:], memoryview(frame)]
        del frame
        for number in order:
            assert leases() == 1
            parts[number] = None
        assert leases() == 0


def test_a_cycle_is_released_by_the_collector(frame_of, leases):
    cycle = [frame_of(), frame_of(2).array]
    cycle.append(cycle)
    assert leases() == 2
    del cycle
    gc.collect()
    assert leases() == 0


def test_release_is_no_error_twice_and_ends_access(frame_of, leases):
    frame = frame_of()
    frame.release()
    frame.release()
    assert frame.released and leases() == 0
    for access in (
        lambda: frame.array,
        lambda: memoryview(frame),
        frame.__array__,
        frame.__dlpack__,
        lambda: np.asarray(frame)[0],
    ):
        with pytest.raises((ValueError, BufferError)):
            access()
    with frame:
        pass


def test_what_describes_a_frame_survives_its_release(frame_of):
    frame = frame_of(metadata=b"abc", encoding="e", frame_id="f", timestamp=1.5)
    frame.release()
    assert (frame.seq, frame.shape, frame.dtype, frame.timestamp) == (1, (6, 8, 3), np.dtype("u1"), 1.5)
    assert (frame.encoding, frame.frame_id) == ("e", "f")
    with pytest.raises(ValueError, match="released"):  # it is in shared memory
        frame.metadata


def test_one_frame_got_twice_is_one_lease(frame_of, reader, leases):
    first, second = frame_of(), reader.latest()
    assert leases() == 1
    first.release()
    assert leases() == 1 and same(second.array, picture(1))
    second.release()
    assert leases() == 0


def test_more_leases_than_allowed_are_refused_and_come_back(frame_of, reader, leases):
    held = [frame_of(1), frame_of(2).array[1:]]
    with pytest.raises(OSError, match="2") as error:
        frame_of(3)
    assert error.value.errno == errno.EMFILE
    assert leases() == 2
    held.pop()
    assert same(reader.latest().array, picture(3))


def test_getting_copies_in_a_loop_never_runs_out(writer, reader, leases):
    for seed in range(50):
        writer.set_array("image", picture(seed))
        assert same(reader.get_image(), picture(seed))
        assert same(reader.get_image(copy=False), picture(seed))
    assert leases() == 0


# ---- what it outlives ----


@pytest.mark.parametrize("order", [("reader", "writer"), ("writer", "reader")])
def test_a_frame_and_its_views_outlive_reader_and_writer(base, order, mode):
    ends = {"writer": slipring.Writer(base, mode=mode), "reader": slipring.Reader(base)}
    ends["writer"].set_array("image", picture(1))
    frame = ends["reader"].latest()
    view, buffer = frame.array[1:], memoryview(frame)
    for name in order:
        ends.pop(name).close()
    gc.collect()
    assert same(frame.array, picture(1)) and same(view, picture(1)[1:]) and buffer.tobytes() == picture(1).tobytes()
    del frame, buffer
    assert same(view, picture(1)[1:])


def test_a_frame_held_past_the_readers_close_still_holds_its_slot(base, writer, churn):
    with slipring.Reader(base) as reader:
        writer.set_array("image", picture(1))
        view = reader.latest().array[1:]
    churn()
    assert same(view, picture(1)[1:])
    assert slipring.inspect(base)["readers"][0]["leases"] == 1
    del view
    assert slipring.inspect(base)["readers"] == []


def test_a_frame_outlives_growth_and_the_next_writer(base, reader):
    with slipring.Writer(base) as writer:
        writer.set_array("image", picture(1))
        view = reader.latest().array
        writer.set_array("image", picture(2, (600, 80, 3)))
        reader.get_image()
    with slipring.Writer(base) as writer:
        writer.set_array("image", picture(3, (60, 80, 3)))
        assert reader.latest().seq == 1
        assert same(view, picture(1))


def test_frames_alive_at_the_end_of_the_interpreter_are_no_trouble(base):
    run_script(
        """
        import sys, numpy, slipring
        writer, reader = slipring.Writer(sys.argv[1]), slipring.Reader(sys.argv[1])
        writer.set_image(numpy.zeros((4, 5, 3), "u1"))
        frame = reader.latest()
        sys.kept = [frame, frame.array[1:], memoryview(frame)]
        sys.kept.append(sys.kept)
        loan = writer.loan("a", (4,), "u1")
        sys.loaned = [loan, loan.array]
    """,
        base,
    )


def test_private_frames_live_the_same_life(writer, make_reader):
    writer.set_array("image", picture(1))
    frame = make_reader(observer=True).latest()
    view = frame.array[1:]
    with pytest.raises(BufferError):
        frame.release()
    del frame
    assert same(view, picture(1)[1:])
    view[...] = 3
    assert (view == 3).all()
