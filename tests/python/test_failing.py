"""
Memory runs short at each call that the extension makes of Python's, the C library's and some of slipring's functions, one after the other.

The call that was made then raises MemoryError, or gives what it gives otherwise; nothing is left over, neither of Python's memory nor of C's, no file, no
lease and no loan, and everything goes on afterwards. Each failure is tried alone, and with all calls after it failing too.

The functions that fail are in failing.c, which only the coverage build links into its module (SLIPRING_COVERAGE); with any other module all this is skipped.
"""

import asyncio
import contextlib
import ctypes
import gc
import importlib.util
import itertools
import os
import sys

import numpy as np
import pytest

import slipring
from slipring import _core
from support import MODES, picture, same

failing = ctypes.PyDLL(_core.__file__)
if not hasattr(failing, "failing_arm"):
    pytest.skip("the module was built without failing.c, which the coverage build has", allow_module_level=True)
for name in ("failing_arm", "failing_disarm", "failing_blocks"):
    getattr(failing, name).restype = ctypes.c_long
failing.failing_name.restype = ctypes.c_char_p
failing.failing_arm.argtypes = [ctypes.c_long, ctypes.c_long]

ml_dtypes = pytest.importorskip("ml_dtypes")

FOREVER = 2**31
TIMES = 25  # so often each failure is tried in a row, and
ROWS = 8  # rows at most: what each time leaves over shows in every row, what Python caches does not
LOADING = 5  # objects that Python itself may leave over when it loads a module, of any extension; one type alone would be more
SHAPE = (2, 3)


class Armed:
    """The block in which calls fail."""

    first, last, calls = FOREVER, FOREVER, 0

    def __enter__(self):
        failing.failing_arm(self.first, self.last)

    def __exit__(self, *_):
        self.calls = failing.failing_disarm()


class World:
    """A writer, a reader, and frames of several kinds, which all scenarios of a test use."""

    def __init__(self, base, mode):
        self.base, self.mode, self.other = base, mode, f"{base}-other"
        ring = mode == "lock-free"
        self.described = {"encoding": "mono8", "frame_id": "left", "metadata": b"12"} if ring else {}
        self.writer = slipring.Writer(base, mode=mode)
        self.reader = slipring.Reader(base, mode=mode)
        self.array = picture(3, SHAPE)
        self.writer.set_image(picture(3, (*SHAPE, 1)), 5.0 if ring else None, **self.described)
        self.writer.set_array("a", self.array)
        if ring:
            self.half = np.arange(4).astype(ml_dtypes.bfloat16)
            self.writer.set_array("half", self.half)
            self.writer.create("empty", SHAPE, "u1")

    def goes_on(self):
        self.writer.set_array("a", self.array)
        assert same(self.reader.get_array("a"), self.array)
        assert self.reader.stats("a").leases == 0
        loans = [self.writer.loan("free", SHAPE, "u1") for _ in range(4 if self.mode == "lock-free" else 1)]
        for loan in loans:
            loan.discard()

    def close(self):
        self.reader.close()
        if self.mode == "lock-free":
            assert self.writer.readers_attached("a") == 0
        self.writer.close()


def held():
    gc.collect()
    return sys.getallocatedblocks(), failing.failing_blocks(), len(os.listdir("/proc/self/fd"))


def attempt(scenario, world, armed):
    """What it gives; None where memory was short."""
    try:
        return scenario(world, armed)
    except MemoryError:
        assert armed.calls >= armed.first
        return None


def leaves_nothing(scenario, world, armed, good):
    for _ in range(ROWS):
        before = held()
        for _ in range(TIMES):
            assert attempt(scenario, world, armed) in (None, good)
        after = held()
        if after[0] - before[0] < TIMES * (LOADING if scenario in LOAD else 1) and after[1:] == before[1:]:
            return True
    return False


def try_each(scenario, world):
    """How many calls there are to fail."""
    armed = Armed()
    good = scenario(world, armed)
    assert good is not None
    for first in itertools.count(1):
        for last in (first, FOREVER):
            armed.first, armed.last = first, last
            given = attempt(scenario, world, armed)
            if armed.calls < first:
                assert given == good
                return first - 1
            assert leaves_nothing(scenario, world, armed, good), failing.failing_name()
            world.goes_on()


# ---- opening ----


def module_again():
    spec = importlib.util.spec_from_file_location(_core.__name__, _core.__file__)
    return spec, importlib.util.module_from_spec(spec)


def imports(world, armed):
    spec, module = module_again()
    with armed:
        spec.loader.exec_module(module)
    return sorted(set(vars(_core)) - set(vars(module)))


def first_array_of_a_process(world, armed):
    """Which loads numpy; a module of its own has not done so yet."""
    spec, module = module_again()
    spec.loader.exec_module(module)
    with contextlib.closing(module.Reader(world.base, mode=world.mode)) as reader:
        with armed:
            given = reader.get_array("a")
        return same(given, world.array)


def first_dtype_of_a_process(world, armed):
    spec, module = module_again()
    spec.loader.exec_module(module)
    with contextlib.closing(module.Writer(world.other, mode=world.mode)) as writer:
        with armed:
            writer.create("a", SHAPE, np.uint8)
            loan = writer.loan("a", SHAPE, "u1")
        return str(loan.dtype)


def opens(world, armed):
    options = {"slots": 4, "max_readers": 2, "capacity": 64} if world.mode == "lock-free" else {}
    with armed:
        with slipring.Writer(world.other, mode=world.mode, lock_timeout=0.5, **options) as writer:
            writer.set_array("a", world.array)
            with slipring.Reader(world.other, mode=world.mode, spin=0.1, lock_timeout=0.5) as reader:
                said = reader.get_array("a").tolist(), repr(reader), repr(writer), writer.mode, reader.base, writer.closed
        return said


def twin(world, armed):
    with armed:
        reader = world.reader._twin()
        reader.close()
    return True


def waker(world, armed):
    with armed:
        waker = _core.Waker()
        waker.wake()
        return len(_core.wait_any([waker], timeout=1))


# ---- publishing ----


class Bytes:
    """What numpy makes an array of, and nothing else does."""

    def __array__(self, dtype=None, copy=None):
        return np.arange(6, dtype=">u2").reshape(SHAPE)


def publishes(world, armed):
    with armed:
        world.writer.set_image(picture(4, (*SHAPE, 1)), 1.5 if world.described else None, **world.described)
        world.writer.set_depth(world.array[0:1])
        world.writer.set_mask(world.array)
        world.writer.set_array("b", world.array)
    return world.reader.latest().metadata


def publishes_what_numpy_makes(world, armed):
    with armed:
        world.writer.set_array("c", Bytes())
        world.writer.set_array("d", np.broadcast_to(np.uint8(7), SHAPE))
    return world.reader.get_array("c").tolist(), world.reader.get_array("d").tolist()


def publishes_bfloat16(world, armed):
    with armed:
        world.writer.set_array("half", world.half)
    return world.reader.get_array("half").tolist()


def creates(world, armed):
    with armed:
        world.writer.create("e", 5, "u1")
        world.writer.create("f", SHAPE, np.float32)
        stats = world.writer.stats("e")
        if world.described:
            world.writer.readers_attached("e")
        return stats.published


def loan_is_published(world, armed):
    with armed:
        with world.writer.loan("g", SHAPE, np.uint8, **world.described) as loan:
            loan.array[...] = 5
            if world.described:
                loan.metadata, loan.timestamp = b"3", 4.5
            said = repr(loan), loan.metadata, loan.timestamp, loan.shape, loan.strides, str(loan.dtype), loan.published
        assert loan.seq > 0 and loan.published
    return said, world.reader.get_array("g").tolist()


def loan_is_discarded(world, armed):
    with armed:
        loan = world.writer.loan("h", 4, "u1", strides=1 if world.mode == "lock-free" else None)
        np.asarray(loan)[...] = 5
        np.from_dlpack(loan)[...] = 6
        loan.discard()
        with contextlib.suppress(KeyError), world.writer.loan("h", 4, "u1") as loan:
            raise KeyError
        return loan.published


def loan_of_bfloat16(world, armed):
    with armed:
        with world.writer.loan("i", 4, "bfloat16") as loan:
            loan.array[...] = world.half
    return world.reader.get_array("i").tolist()


def viewed_loan_is_published_after_the_ring_has_grown(world, armed):
    with contextlib.closing(slipring.Writer(world.other, mode=world.mode)) as writer:
        loan = writer.loan("a", SHAPE, "u1")
        view = memoryview(loan)
        view[0, 0] = 9
        writer.set_array("a", picture(1, (100, 100)))
        with armed:
            seq = loan.publish()
        return seq, view[0, 0]


# ---- getting ----

FIELDS = (
    "seq epoch missed timestamp publish_ns encoding frame_id metadata shape strides dtype ndim size nbytes private released".split()
)


def frame_says(world, armed):
    with armed:
        frame = world.reader.latest()
        said = [getattr(frame, field) for field in FIELDS]
        return repr(frame), len(frame), said[6:-1]


def frame_is_viewed(world, armed):
    with armed:
        frame = world.reader.latest("a")
        view = memoryview(frame).tolist()
        copy = np.array(frame, dtype="f4", copy=True).tolist()
        return view, copy, np.asarray(frame).tolist(), frame.array.tolist(), frame.__array__("f4", True).tolist()


def frame_goes_by_dlpack(world, armed):
    with armed:
        frame = world.reader.latest("a")
        frame.__dlpack__()
        frame.__dlpack__(max_version=(1, 0), dl_device=(1, 0), copy=True)
        return frame.__dlpack_device__(), np.from_dlpack(frame).tolist()


def arrays(world, armed):
    with armed:
        reader = world.reader
        copies = reader.get_image().tolist(), reader.get_image(copy=True).tolist(), reader.get_array("a", copy=True).tolist()
        return copies, reader.get_image(copy=False).tolist(), reader.get_array("a", copy=False).tolist()


def arrays_of_bfloat16(world, armed):
    with armed:
        frame = world.reader.latest("half")
        return str(frame.dtype), frame.array.tolist(), world.reader.get_array("half").tolist()


def asks(world, armed):
    reader = world.reader
    with armed:
        said = reader.get_shape("a"), str(reader.get_dtype("a")), reader.get_ndim("a"), reader.writer_alive("a")
        stats = reader.stats("a")._replace(got=0)
        return *said, stats.leases, reader.get_shape("none"), reader.wait_for_array("a", 1)


def waits(world, armed):
    world.writer.set_image(picture(3, (*SHAPE, 1)))
    with armed:
        return world.reader.wait(), len(slipring.wait_any([(world.reader, "image"), (world.reader, "none")], 1))


def nothing_comes(world, armed):
    reader = world.reader
    reader.get_array("a")
    with armed:
        waited = reader.wait("a", 1e-6), slipring.wait_any([(reader, "none")], 1e-6)
        try:
            reader.next("none", 1e-6)
        except OSError as error:
            return waited, str(error)


def in_order(world, armed):
    reader = world.reader._twin()
    reader.wait("a", 0)
    world.writer.set_array("a", world.array)
    with contextlib.closing(reader), armed:
        return reader.next("a", 1).array.tolist()


def listed(world, armed):
    with armed:
        listed = slipring.channels(world.base)
    return listed[0]


def inspected(world, armed):
    with armed:
        info = slipring.inspect(world.base, "a", world.mode)
        empty = slipring.inspect(world.base, "empty") if world.mode == "lock-free" else {}
        return sorted(info), info["shape"], info["dtype"], sorted(empty), empty.get("dtype")


def errors_are_said(world, armed):
    said = []
    calls = (
        (slipring.inspect, (world.base, "none")),
        (slipring.Reader, ("/",)),
        (world.writer.create, ("j", 9 * (1,), "u1")),
        (world.writer.create, ("j", (2**40, 2**40), "u1")),
        (world.writer.set_array, ("j", np.array(["text"]))),
        (world.reader.wait, ("none", "soon")),
        (world.reader.stats, ("/",)),
    )
    with armed:
        for function, arguments in calls:
            try:
                function(*arguments)
            except MemoryError:
                raise
            except Exception as error:
                said.append(type(error))
    return said


def frames_of_a_loop(world, armed):
    async def first():
        frames = world.reader.aframes("a", timeout=1)
        world.writer.set_array("a", world.array)
        try:
            with armed:
                frame = await frames.__anext__()
                return frame.array.tolist()
        finally:
            await frames.aclose()

    try:
        return asyncio.run(first())
    finally:
        gc.collect()  # a task and its exception refer to each other


BOTH = [
    imports,
    first_array_of_a_process,
    first_dtype_of_a_process,
    opens,
    twin,
    waker,
    publishes,
    publishes_what_numpy_makes,
    creates,
    loan_is_published,
    loan_is_discarded,
    frame_says,
    frame_is_viewed,
    frame_goes_by_dlpack,
    arrays,
    asks,
    waits,
    nothing_comes,
    listed,
    inspected,
    errors_are_said,
    frames_of_a_loop,
]
OF_A_RING = [
    publishes_bfloat16,
    loan_of_bfloat16,
    viewed_loan_is_published_after_the_ring_has_grown,
    arrays_of_bfloat16,
    in_order,
]
LOAD = (imports, first_array_of_a_process, first_dtype_of_a_process)
SCENARIOS = [(scenario, mode) for scenario in BOTH for mode in MODES] + [(scenario, "lock-free") for scenario in OF_A_RING]


@pytest.fixture
def still():
    """No garbage but what the test makes, and no exception that nobody sees."""
    unseen, hook = [], sys.unraisablehook
    sys.unraisablehook = unseen.append
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
    sys.unraisablehook = hook
    assert unseen == []


@pytest.mark.parametrize("scenario, mode", SCENARIOS, ids=[f"{s.__name__}-{m}" for s, m in SCENARIOS])
def test_memory_that_runs_short_is_a_MemoryError_and_leaves_nothing(base, still, scenario, mode):
    with contextlib.closing(World(base, mode)) as world:
        assert try_each(scenario, world) > 0
