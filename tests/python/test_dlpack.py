"""DLPack: the capsules to the letter, and the libraries that take them."""

import ctypes
import gc

import numpy as np
import pytest

from support import DTYPES, address, picture, run_script, same

CPU = (1, 0)
READ_ONLY, COPIED = 1, 2
CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class Managed(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    ]


def capsule_function(name, result, *arguments):
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


name_of = capsule_function("PyCapsule_GetName", ctypes.c_char_p, ctypes.py_object)
pointer_of = capsule_function("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
rename = capsule_function("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
USED = {b"dltensor": b"used_dltensor", b"dltensor_versioned": b"used_dltensor_versioned"}


def look(capsule):
    """What a capsule holds."""
    kind = {b"dltensor": Managed, b"dltensor_versioned": Versioned}[name_of(capsule)]
    return kind.from_address(pointer_of(capsule, name_of(capsule)))


def consume(capsule):
    """Takes it over, as a consumer does; the managed tensor, and its end."""
    managed = look(capsule)
    kind, where = type(managed), ctypes.addressof(managed)
    assert rename(capsule, USED[name_of(capsule)]) == 0
    return managed, lambda: ctypes.CFUNCTYPE(None, ctypes.c_void_p)(kind.from_address(where).deleter)(where)


def place(managed):
    return managed.tensor.data + managed.tensor.byte_offset


def array_at(managed, dtype):
    """The elements that a tensor describes, copied."""
    tensor = managed.tensor
    shape = tensor.shape[: tensor.ndim]
    strides = [n * np.dtype(dtype).itemsize for n in tensor.strides[: tensor.ndim]] if tensor.strides else None
    extent = (
        sum((n - 1) * s for n, s in zip(shape, strides or [])) + np.dtype(dtype).itemsize
        if strides
        else int(np.prod(shape)) * np.dtype(dtype).itemsize
    )
    raw = ctypes.string_at(place(managed), extent)
    return np.ndarray(shape, dtype, raw, strides=strides).copy()


@pytest.fixture
def frame_of(writer, reader):
    def make(array):
        writer.set_array("image", array)
        return reader.latest()

    return make


@pytest.fixture
def leases(reader):
    gc.disable()
    yield lambda: reader.stats("image").leases
    gc.enable()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_versioned_capsule_describes_the_frame_to_the_letter(frame_of, dtype):
    frame = frame_of(picture(1, (3, 4, 5), dtype))
    managed = look(capsule := frame.__dlpack__(max_version=(1, 0)))
    tensor = managed.tensor
    assert name_of(capsule) == b"dltensor_versioned"
    assert managed.major == 1
    assert managed.flags == READ_ONLY
    assert place(managed) == address(frame.array)
    assert (tensor.device_type, tensor.device_id) == CPU == frame.__dlpack_device__()
    assert (tensor.code, tensor.bits, tensor.lanes) == (CODES[frame.dtype.kind], frame.dtype.itemsize * 8, 1)
    assert tensor.shape[: tensor.ndim] == [3, 4, 5]
    assert not tensor.strides or tensor.strides[: tensor.ndim] == [20, 5, 1]
    assert same(array_at(managed, dtype), frame.array)


def test_strides_count_elements(writer, reader):
    with writer.loan("image", (3, 4), "u2", strides=(64, 2)) as loan:
        loan.array[...] = 7
        assert look(capsule := loan.__dlpack__(max_version=(1, 0))).tensor.strides[:2] == [32, 1]
        del capsule
    managed = look(capsule := reader.latest().__dlpack__(max_version=(1, 0)))
    assert managed.tensor.strides[:2] == [32, 1]
    assert capsule


def test_a_pitch_of_no_whole_elements_makes_a_copy_or_is_refused(writer, reader):
    with writer.loan("image", (3, 4), "u2", strides=(9, 2)) as loan:
        loan.array[...] = np.arange(12).reshape(3, 4)
        with pytest.raises(BufferError, match="pitch"):
            loan.__dlpack__(max_version=(1, 0), copy=False)
    frame = reader.latest()
    managed = look(capsule := frame.__dlpack__(max_version=(1, 0)))
    assert (managed.flags, managed.tensor.strides[:2]) == (COPIED, [4, 1])
    assert capsule and array_at(managed, "u2").tolist() == frame.array.tolist()


@pytest.mark.parametrize(
    "array", [np.float32(3), np.zeros((0, 3), "u1"), np.zeros((2,) * 8)], ids=["scalar", "empty", "8 dims"]
)
def test_any_number_of_dimensions(frame_of, array):
    tensor = look(capsule := frame_of(array).__dlpack__(max_version=(1, 0))).tensor
    assert (tensor.ndim, tuple(tensor.shape[: tensor.ndim])) == (np.ndim(array), np.shape(array))
    assert capsule


@pytest.mark.parametrize("version", [(1, 0), (1, 1), (1, 99), (2, 0)])
def test_consumers_of_any_version_from_1_get_version_1(frame_of, version):
    frame = frame_of(picture(1))
    managed = look(capsule := frame.__dlpack__(max_version=version))
    assert (name_of(capsule), managed.major) == (b"dltensor_versioned", 1)


@pytest.mark.parametrize("asked", [{}, {"max_version": None}, {"max_version": (0, 8)}, {"copy": True}], ids=repr)
def test_an_unversioned_consumer_cannot_be_told_of_read_only_and_gets_a_copy(frame_of, leases, asked):
    frame = frame_of(picture(1))
    managed = look(capsule := frame.__dlpack__(**asked))
    assert name_of(capsule) == b"dltensor"
    assert place(managed) != address(frame.array)
    assert same(array_at(managed, "u1"), picture(1))
    frame.release()
    assert leases() == 0
    assert same(array_at(managed, "u1"), picture(1))


@pytest.mark.parametrize("asked", [{}, {"max_version": None}, {"max_version": (0, 8)}], ids=repr)
def test_an_unversioned_consumer_that_wants_no_copy_is_refused(frame_of, leases, asked):
    frame = frame_of(picture(1))
    with pytest.raises(BufferError):
        frame.__dlpack__(copy=False, **asked)
    frame.release()
    assert leases() == 0


def test_a_copy_that_is_asked_for_is_flagged_and_writable(frame_of, leases):
    frame = frame_of(picture(1))
    managed = look(capsule := frame.__dlpack__(max_version=(1, 0), copy=True))
    assert managed.flags == COPIED
    assert place(managed) != address(frame.array)
    frame.release()
    assert leases() == 0
    assert same(array_at(managed, "u1"), picture(1))
    assert capsule


@pytest.mark.parametrize("copy", [None, False])
def test_without_a_copy_it_is_the_frame_itself(frame_of, copy):
    frame = frame_of(picture(1))
    assert place(look(frame.__dlpack__(max_version=(1, 0), copy=copy))) == address(frame.array)


def test_a_loan_is_writable_for_both_kinds_of_consumer(writer):
    with writer.loan("image", (6, 8, 3), "u1") as loan:
        versioned = loan.__dlpack__(max_version=(1, 0))
        assert look(versioned).flags == 0
        assert place(look(versioned)) == place(look(loan.__dlpack__())) == address(loan.array)
        assert loan.__dlpack_device__() == CPU
        del versioned


def test_a_private_frame_is_writable(writer, make_reader):
    writer.set_array("image", picture(1))
    frame = make_reader(observer=True).latest()
    assert look(capsule := frame.__dlpack__(max_version=(1, 0))).flags & READ_ONLY == 0
    assert place(look(capsule)) == address(frame.array)


def test_device_and_stream(frame_of):
    frame = frame_of(picture(1))
    for device in (None, CPU):
        assert place(look(frame.__dlpack__(max_version=(1, 0), dl_device=device))) == address(frame.array)
    for device in ((2, 0), (1, 1)):
        with pytest.raises((BufferError, ValueError)):
            frame.__dlpack__(max_version=(1, 0), dl_device=device)
    assert frame.__dlpack__(stream=None)
    with pytest.raises((BufferError, ValueError, RuntimeError)):
        frame.__dlpack__(stream=1)


@pytest.mark.parametrize(
    "arguments",
    [dict(max_version=1), dict(max_version=(1,)), dict(max_version="1.0"), dict(dl_device=1), dict(dl_device=("cpu", 0)), dict(unknown=1)],
    ids=repr,
)
def test_wrong_arguments_are_a_TypeError(frame_of, arguments):
    with pytest.raises((TypeError, ValueError)):
        frame_of(picture(1)).__dlpack__(**arguments)
    with pytest.raises(TypeError):
        frame_of(picture(1)).__dlpack__((1, 0))


# ---- the lease ----


def test_a_capsule_that_nobody_takes_gives_the_lease_back(frame_of, leases):
    frame = frame_of(picture(1))
    capsule = frame.__dlpack__(max_version=(1, 0))
    with pytest.raises(BufferError):
        frame.release()
    del frame
    assert leases() == 1
    del capsule
    assert leases() == 0


def test_a_consumer_holds_the_lease_until_it_calls_the_deleter(frame_of, leases):
    frame = frame_of(picture(1))
    capsule = frame.__dlpack__(max_version=(1, 0))
    managed, delete = consume(capsule)
    where = address(frame.array)
    del frame, capsule
    assert leases() == 1
    assert place(managed) == where and same(array_at(managed, "u1"), picture(1))
    delete()
    assert leases() == 0


def test_a_deleter_may_be_called_without_the_gil(frame_of, leases):
    """As C++ consumers do, from threads of their own: ctypes.CFUNCTYPE lets go of the GIL."""
    import threading

    capsule = frame_of(picture(1)).__dlpack__(max_version=(1, 0))
    _, delete = consume(capsule)
    thread = threading.Thread(target=delete)
    thread.start()
    thread.join()
    assert leases() == 0


def test_a_deleter_may_be_called_when_the_interpreter_is_gone(base):
    run_script(
        """
        import ctypes, sys, numpy, slipring
        from test_dlpack import USED, look, name_of, rename
        with slipring.Writer(sys.argv[1]) as writer, slipring.Reader(sys.argv[1]) as reader:
            writer.set_image(numpy.zeros((4, 5, 3), "u1"))
            capsule = reader.latest().__dlpack__(max_version=(1, 0))
            managed = look(capsule)
            rename(capsule, USED[name_of(capsule)])
            later = ctypes.CDLL(None).__cxa_atexit
            later.argtypes = [ctypes.c_void_p] * 3
            assert later(managed.deleter, ctypes.addressof(managed), None) == 0
    """,
        base,
    )


def test_a_copys_deleter_frees_it(frame_of):
    for asked in ({}, {"max_version": (1, 0), "copy": True}):
        managed, delete = consume(frame_of(picture(1)).__dlpack__(**asked))
        assert same(array_at(managed, "u1"), picture(1))
        delete()


# ---- numpy ----

modern = pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="this numpy asks for no version")


@modern
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_takes_it_without_a_copy_and_read_only(frame_of, dtype):
    frame = frame_of(picture(1, (3, 4), dtype))
    array = np.from_dlpack(frame)
    assert address(array) == address(frame.array)
    assert not array.flags.writeable
    assert same(array, frame.array)


@modern
def test_numpy_says_copy_and_device(frame_of):
    frame = frame_of(picture(1))
    assert address(np.from_dlpack(frame, copy=False, device="cpu")) == address(frame.array)
    copied = np.from_dlpack(frame, copy=True)
    assert address(copied) != address(frame.array) and copied.flags.writeable


def test_numpy_of_any_version_gets_the_values(frame_of):
    assert same(np.from_dlpack(frame_of(picture(1))), picture(1))


# ---- torch ----


@pytest.mark.filterwarnings("ignore:.*not writable.*")
def test_torch_takes_the_array_without_a_copy(frame_of):
    torch = pytest.importorskip("torch")
    frame = frame_of(picture(1))
    tensor = torch.from_numpy(frame.array)
    assert tensor.data_ptr() == address(frame.array)
    assert (tensor.numpy() == picture(1)).all()


@pytest.mark.filterwarnings("ignore:.*not writable.*")
def test_torch_takes_the_frame_by_dlpack(frame_of, leases):
    torch = pytest.importorskip("torch")

    class Spy:
        versions = []

        def __init__(self, frame):
            self.frame = frame

        def __dlpack__(self, **asked):
            self.versions.append(asked.get("max_version"))
            return self.frame.__dlpack__(**asked)

        def __dlpack_device__(self):
            return self.frame.__dlpack_device__()

    frame = frame_of(picture(1))
    tensor = torch.from_dlpack(Spy(frame))
    assert (tensor.numpy() == picture(1)).all()
    assert (tensor.data_ptr() == address(frame.array)) == (Spy.versions[-1] is not None)
    del frame, tensor
    gc.collect()
    assert leases() == 0


def test_torch_fills_a_loan_in_place(writer, reader):
    torch = pytest.importorskip("torch")
    with writer.loan("image", (6, 8, 3), "u1") as loan:
        tensor = torch.from_dlpack(loan)
        assert tensor.data_ptr() == address(loan.array)
        tensor.fill_(9)
        del tensor
    assert (reader.get_image() == 9).all()
