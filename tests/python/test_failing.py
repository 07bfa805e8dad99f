"""Memory that the interpreter does not get: each allocation of a call fails once, in turn. The call raises MemoryError or does without, and what comes after it
works as ever. By CPython's own _testcapi, where this interpreter has it."""

import gc
import importlib.util
import os
import weakref

import numpy as np
import pytest

import slipring
from slipring import _core
from support import MODES, objects, picture

testcapi = pytest.importorskip("_testcapi")
LIMIT = 3000  # allocations of one call; more, and it does not end
SHAPE = (6, 300, 3)  # more than the integers that the interpreter has ready
IMAGE, OTHER, STRIDED, NUMBERS = picture(0, SHAPE), picture(1, SHAPE), picture(2, SHAPE)[::-1, :, ::-1], np.ones(3)
BROADCAST = np.broadcast_to(1.5, (3, 4))
BFLOAT16 = np.ones(3, pytest.importorskip("ml_dtypes").bfloat16)
# What numpy makes of it when a buffer or an allocation of its own fails.
NUMPYS = (MemoryError, NotImplementedError, BufferError, TypeError, ValueError)


def fail_each(call, prepare=lambda: (), expected=MemoryError):
    """Calls call(*prepare()) until no allocation of it is left to fail; how many failed."""
    failures = 0
    for n in range(LIMIT):
        args = prepare()
        result = None
        try:
            testcapi.set_nomemory(n, n + 1)
            try:
                result = call(*args)
            finally:
                testcapi.remove_mem_hooks()
        except expected:
            failures += 1
            continue
        del args, result
        # Nothing failed in the whole of it: what is past the end need not be tried.
        if not runs_short(n, call, prepare, expected):
            return failures
    raise AssertionError(f"{call}: {LIMIT} allocations and no end")


def runs_short(n, call, prepare, expected):
    """Whether call makes more than n allocations: it fails if none but these is to be had."""
    args = prepare()
    try:
        testcapi.set_nomemory(n, 0)
        try:
            call(*args)
        finally:
            testcapi.remove_mem_hooks()
    except expected:
        return True
    return False


@pytest.fixture
def pair(base):
    with slipring.Writer(base) as writer, slipring.Reader(base) as reader:

        def publish():
            writer.set_image(IMAGE, metadata=b"m", frame_id="left", timestamp=1.5)
            for _ in range(2):
                reader.get_image()  # attached, and its counters past the integers that the interpreter has ready
            writer.set_image(IMAGE, metadata=b"m", frame_id="left", timestamp=1.5)
            return writer, reader

        yield publish
        gc.collect()
        writer.set_image(OTHER)
        assert (reader.get_image() == OTHER).all()
        reader.close()
        assert writer.readers_attached("image") == 0


def names_of(cls):
    return [name for name in dir(cls) if not name.startswith("_") and not callable(getattr(cls, name))]


READING = {
    "latest": lambda w, r: r.latest(),
    "next": lambda w, r: r.next("image", timeout=0),
    "get_image": lambda w, r: r.get_image(),
    "get_array": lambda w, r: r.get_array("image"),
    "array": lambda w, r: r.latest().array,
    "buffer": lambda w, r: memoryview(r.latest()),
    "asarray": lambda w, r: np.asarray(r.latest()),
    "dlpack": lambda w, r: np.from_dlpack(r.latest()),
    "dlpack copy": lambda w, r: r.latest().__dlpack__(copy=True),
    "repr": lambda w, r: (repr(r.latest()), repr(r), repr(w)),
    "a frame's fields": lambda w, r: [getattr(r.latest(), name) for name in names_of(slipring.Frame)],
    "a reader's fields": lambda w, r: [getattr(r, name) for name in names_of(slipring.Reader)],
    "questions": lambda w, r: (r.get_shape("image"), r.get_dtype("image"), r.get_ndim("image"), r.writer_alive("image")),
    "wait": lambda w, r: r.wait("image", timeout=0),
    "wait_any": lambda w, r: slipring.wait_any([(r, "image")], timeout=0),
    "waker": lambda w, r: _core.Waker(),
    "stats": lambda w, r: (w.stats("image"), r.stats("image")),
    "inspect": lambda w, r: (slipring.channels(w.base), slipring.inspect(w.base)),
    "twin": lambda w, r: r._twin().close(),
    "weak": lambda w, r: (weakref.ref(r.latest()), weakref.ref(r), weakref.ref(w)),
}


@pytest.mark.parametrize("what", READING)
def test_reading_and_asking(pair, what):
    fail_each(READING[what], prepare=pair, expected=NUMPYS)


def lend(writer):
    with writer.loan("image", SHAPE, "uint8", metadata=b"m", frame_id="left", timestamp=1.5) as loan:
        return repr(loan), loan.shape, loan.strides, loan.dtype, loan.metadata, loan.timestamp, loan.array, memoryview(loan), weakref.ref(loan)


WRITING = {
    "image": lambda w, r: w.set_image(OTHER, metadata=b"m", frame_id="left", timestamp=1.5),
    "strided": lambda w, r: w.set_image(STRIDED[:]),
    "broadcast": lambda w, r: w.set_array("numbers", BROADCAST),
    "bfloat16": lambda w, r: (w.set_array("numbers", BFLOAT16), r.get_array("numbers"), r.latest("numbers").array),
    "array": lambda w, r: w.set_array("numbers", NUMBERS),
    "loan": lambda w, r: lend(w),
    "discard": lambda w, r: w.loan("image", SHAPE, "uint8").discard(),
    "create": lambda w, r: w.create("depth", (4, 4), "float32"),
    "attached": lambda w, r: w.readers_attached("image"),
}


@pytest.mark.parametrize("what", WRITING)
def test_writing(pair, what):
    fail_each(WRITING[what], prepare=pair, expected=NUMPYS)


@pytest.mark.parametrize("mode", MODES)
def test_opening_and_closing(base, mode):
    def open_both():
        with slipring.Writer(base, mode=mode) as writer, slipring.Reader(base, mode=mode) as reader:
            writer.set_image(OTHER)
            return bytes(reader.get_image())

    assert fail_each(open_both, expected=NUMPYS) > 0
    assert open_both() == OTHER.tobytes()


def test_importing():
    """A module of its own each time: what an import makes, and what the first array looks up in numpy."""
    spec = importlib.util.find_spec("slipring._core")

    def load():
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    assert fail_each(load) > 0
    name = f"pytest-failing-{os.getpid()}"

    def first_array(module):
        with module.Writer(name) as writer, module.Reader(name) as reader:
            writer.set_image(OTHER)
            return reader.get_image().shape

    assert fail_each(first_array, prepare=lambda: (load(),), expected=(*NUMPYS, ImportError)) > 0
    assert objects(name) == []
