"""Arguments that cannot be, and objects that are not open: each has its exception, and nothing is left of it."""

import gc
import weakref

import numpy as np
import pytest

import slipring
from slipring import _core
from support import run_script

WRITER_CALLS = {
    "set_image": lambda w, *a, **k: w.set_image(*a, **k),
    "set_array": lambda w, *a, **k: w.set_array("a", *a, **k),
    "create": lambda w, *a, **k: w.create("a", (2,), "u1", *a, **k),
    "loan": lambda w, *a, **k: w.loan("a", (2,), "u1", *a, **k),
    "stats": lambda w, *a, **k: w.stats(*a, **k),
    "readers_attached": lambda w, *a, **k: w.readers_attached(*a, **k),
}
READER_CALLS = "latest next get_image get_depth get_pointcloud get_mask get_array get_shape get_dtype get_ndim wait wait_for_array writer_alive stats".split()


@pytest.mark.parametrize("name", WRITER_CALLS)
def test_a_writers_call_with_an_unknown_argument_is_a_TypeError(writer, name):
    for kwargs in ({"nonsense": 1}, {"": 1}):
        with pytest.raises(TypeError):
            WRITER_CALLS[name](writer, **kwargs)
    with pytest.raises(TypeError):
        WRITER_CALLS[name](writer, *range(20))


@pytest.mark.parametrize("name", READER_CALLS)
def test_a_readers_call_with_an_unknown_argument_is_a_TypeError(reader, name):
    with pytest.raises(TypeError):
        getattr(reader, name)(nonsense=1)
    with pytest.raises(TypeError):
        getattr(reader, name)(*range(20))


@pytest.mark.parametrize("name", "latest next get_array get_shape get_dtype get_ndim wait wait_for_array writer_alive stats".split())
def test_a_name_that_is_none_is_refused(reader, name):
    for wrong, exception in ((1, TypeError), ("a\0b", ValueError), ("\ud800", ValueError), ("a/b", ValueError), ("", ValueError)):
        with pytest.raises(exception):
            getattr(reader, name)(wrong)


@pytest.mark.parametrize("name", "next wait wait_for_array".split())
def test_a_timeout_that_is_none_is_refused(reader, name):
    for wrong, exception in (("soon", TypeError), (-1, ValueError), (float("nan"), ValueError)):
        with pytest.raises(exception):
            getattr(reader, name)("a", wrong)


def test_an_argument_given_twice_is_a_TypeError(writer, reader):
    with pytest.raises(TypeError, match="twice"):
        writer.set_array("a", np.ones(3), name="b")
    with pytest.raises(TypeError, match="twice"):
        reader.latest("a", name="b")


def test_options_that_are_no_numbers_are_refused(base):
    for wrong in ("many", 1.5, None, -1, 2**40, 2**70):
        for name in ("slots", "capacity"):
            if (name, wrong) == ("capacity", 2**40):
                continue
            with pytest.raises((TypeError, ValueError)):
                slipring.Writer(base, **{name: wrong})
    for wrong in (1, "nonsense"):
        for opened in (slipring.Writer, slipring.Reader):
            with pytest.raises((TypeError, ValueError)):
                opened(base, mode=wrong)
    for opened in (slipring.Writer, slipring.Reader):
        for wrong in ((), (1,), ("a\0b",), (base, "semaphore")):
            with pytest.raises((TypeError, ValueError)):
                opened(*wrong)
        with pytest.raises((TypeError, ValueError)):
            opened(base, lock_timeout="soon")
    with pytest.raises((TypeError, ValueError)):
        slipring.Reader(base, spin=-1)


def test_limits_of_none_and_of_nothing_at_all_are_taken(base):
    with slipring.Writer(base, mode="semaphore", lock_timeout=0) as writer, slipring.Reader(base, spin=None, lock_timeout=None) as reader:
        writer.set_array("a", np.ones(3))
        assert reader.get_array("a").tolist() == [1, 1, 1]


def test_it_is_opened_once(writer, reader):
    for opened in (writer, reader):
        with pytest.raises((RuntimeError, ValueError), match="opened already|open already"):
            opened.__init__(opened.base)
    writer.set_array("a", np.ones(3))
    assert reader.get_array("a").tolist() == [1, 1, 1]


def test_one_that_was_never_opened_is_closed():
    for cls in (slipring.Writer, slipring.Reader):
        thing = cls.__new__(cls)
        assert thing.closed and thing.base is None and repr(thing)
        with pytest.raises(ValueError):
            thing.__enter__()
        thing.close()
        thing.close()


def test_a_closed_one_refuses_a_with_block(base):
    for thing in (slipring.Writer(base), slipring.Reader(base)):
        thing.close()
        with pytest.raises(ValueError), thing:
            pass


def test_all_can_be_referred_to_weakly_and_die(base):
    writer, reader = slipring.Writer(base), slipring.Reader(base)
    writer.set_array("a", np.ones(3))
    things = [writer, reader, reader.latest("a"), writer.loan("a", (3,), "u1")]
    gone = []
    references = [weakref.ref(thing, gone.append) for thing in things]
    del writer, reader, things
    gc.collect()
    assert len(gone) == len(references) and all(reference() is None for reference in references)


def test_a_class_derived_from_one_works_as_it_does(base):
    class Writer(slipring.Writer):
        pass

    class Reader(slipring.Reader):
        pass

    with Writer(base) as writer, Reader(base) as reader:
        writer.set_array("a", np.ones(3))
        assert reader.get_array("a").tolist() == [1, 1, 1]


def test_a_waker_takes_nothing_and_goes():
    with pytest.raises(TypeError):
        _core.Waker(1)
    waker = _core.Waker()
    waker.wake()
    assert slipring.wait_any([waker], 0) == [waker]
    del waker
    gc.collect()


def test_what_cannot_be_waited_for_is_refused(reader):
    for wrong, exception in (
        ([], ValueError),
        ([(reader, "a")] * 129, ValueError),
        ([reader], TypeError),
        ([(reader,)], TypeError),
        ([(1, "a")], TypeError),
        ([(reader, 1)], TypeError),
        (1, TypeError),
    ):
        with pytest.raises(exception):
            slipring.wait_any(wrong, 0)
    with pytest.raises(TypeError):
        slipring.wait_any([(reader, "a")], 0, nonsense=1)
    closed = slipring.Reader(reader.base)
    closed.close()
    with pytest.raises(ValueError):
        slipring.wait_any([(reader, "a"), (closed, "a")], 0)
    assert slipring.wait_any([(reader, "a"), (reader, "b")], 0) == []


def test_dtypes_that_are_none_are_refused(writer):
    for wrong in ("uint8\0", "nonsense", "U3", object, 1.5, "float128"):
        with pytest.raises((TypeError, ValueError)):
            writer.loan("a", (2,), wrong)


def test_a_channel_without_a_frame_has_no_latest(writer):
    writer.create("a", (2,), "u1")
    info = slipring.inspect(writer.base, "a")
    assert (info["dtype"], info["ndim"], info["shape"]) == (None, None, None)


def test_lists_of_channels_and_channels_that_cannot_be_are_refused():
    for call in (slipring.channels, slipring.inspect):
        for wrong, exception in ((1, TypeError), ("a\0b", ValueError)):
            with pytest.raises(exception):
                call(wrong)
        with pytest.raises(TypeError):
            call("a", "b", "c", "d", "e")


def test_a_copy_that_finds_no_memory_is_a_MemoryError_and_nothing_is_left(base):
    """By a limit on the process, which the C library's memory comes under too."""
    run_script(
        """
        import resource, sys, numpy, slipring
        base = sys.argv[1]
        writer, reader = slipring.Writer(base), slipring.Reader(base)
        observer = slipring.Reader(base, observer=True)
        writer.set_array("a", numpy.zeros(200 << 20, "u1"))
        frame = reader.latest("a")
        try:
            observer.get_shape("a")
        except OSError:
            observer = None  # not permitted to look only
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (size + (64 << 20), hard))
        calls = [lambda: reader.get_array("a"), lambda: frame.__dlpack__(max_version=(1, 0), copy=True)]
        if observer is not None:
            calls.append(lambda: observer.latest("a"))
        for call in calls:
            try:
                call()
            except MemoryError:
                pass
            else:
                raise AssertionError("there was memory")
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        assert reader.get_array("a").nbytes == 200 << 20
        assert reader.stats("a").leases == 1
    """,
        base,
    )


def test_a_forked_child_may_leave_blocks_and_ask_for_nothing(base):
    run_script(
        """
        import os, sys, numpy, slipring
        writer = slipring.Writer(sys.argv[1])
        reader = slipring.Reader(sys.argv[1])
        writer.set_array("a", numpy.ones(3, "u1"))
        frame = reader.latest("a")
        loan, other = writer.loan("a", (3,), "u1"), writer.loan("a", (3,), "u1")
        child = os.fork()
        if child == 0:
            def fails(call):
                try:
                    call()
                except (OSError, ValueError):
                    return True
                return False
            right = fails(lambda: memoryview(loan)) and fails(loan.discard) and fails(loan.publish) and fails(writer.__enter__)
            right = right and fails(lambda: memoryview(frame)) and fails(lambda: frame.__dlpack__()) and fails(lambda: frame.metadata)
            try:
                with other:
                    right = False
            except OSError:
                pass
            loan.__exit__(None, None, None)
            writer.close()
            right = right and fails(lambda: memoryview(loan)) and fails(lambda: writer.set_array("a", numpy.ones(3)))
            os._exit(0 if right else 1)
        assert os.waitpid(child, 0)[1] == 0
        loan.publish()
        other.discard()
        writer.close()
    """,
        base,
    )
