"""Errors: each as its Python class, in a sentence that names the value."""

import errno
import inspect
import os

import numpy as np
import pytest

import slipring
from support import DIRECTORY, objects, picture, raises, run_script

OPENERS = [slipring.Writer, slipring.Reader]


def expect(exception, match, call, number=None):
    with pytest.raises(exception, match=match or None) as error:
        call()
    assert number is None or error.value.errno == number
    assert number is None or exception is not OSError or type(error.value) is OSError
    return error.value


# ---- names and options ----

BAD_NAMES = {
    "": "empty",
    ".": r"\.",
    "..": r"\.\.",
    "a/b": "a",
    "a b": "0x20",
    "Süd": "S",
    "a\nb": "0x0a",
    "a\0b": "null|NUL|\\\\x00|0x00",
}


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("name, said", BAD_NAMES.items(), ids=map(ascii, BAD_NAMES))
def test_base_names_that_cannot_be(opener, name, said):
    expect(ValueError, said, lambda: opener(name))


@pytest.mark.parametrize("name, said", BAD_NAMES.items(), ids=map(ascii, BAD_NAMES))
def test_channel_names_that_cannot_be(either_writer, either_reader, name, said):
    for call in (
        lambda: either_writer.set_array(name, [1.0]),
        lambda: either_writer.create(name, (1,), "u1"),
        lambda: either_writer.loan(name, (1,), "u1"),
        lambda: either_writer.stats(name),
        lambda: either_reader.latest(name),
        lambda: either_reader.wait(name, 0),
        lambda: either_reader.get_shape(name),
        lambda: either_reader.wait_for_array(name, 0),
        lambda: slipring.inspect(either_writer.base, name),
    ):
        expect(ValueError, said, call)


@pytest.mark.parametrize("opener", OPENERS)
def test_names_of_100_bytes_and_no_more(opener):
    opener("n" * 100).close()
    expect(OSError, "100", lambda: opener("n" * 101), errno.ENAMETOOLONG)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("value", [None, 1, b"bytes", ["a"]], ids=repr)
def test_names_are_text(opener, value, writer, reader):
    for call in (
        lambda: opener(value),
        lambda: writer.set_array(value, [1.0]),
        lambda: reader.latest(value),
        lambda: reader.next(value, 0),
        lambda: writer.stats(value),
        lambda: slipring.inspect(value),
        lambda: slipring.wait_any([(reader, value)], 0),
    ):
        expect(TypeError, "", call)


@pytest.mark.parametrize("opener", OPENERS)
def test_modes_are_named(opener):
    expect(ValueError, "lockfree", lambda: opener("a", mode="lockfree"))
    expect(TypeError, "", lambda: opener("a", mode=1))
    expect(ValueError, "lockfree", lambda: slipring.inspect("a", "b", "lockfree"))


OUT_OF_RANGE = [
    ("slots", 1),
    ("slots", 1025),
    ("max_readers", 63),
    ("leases_per_reader", 65),
    ("max_loans", 65),
    ("history", 8),
    ("permissions", 0o777),
    ("permissions", 0o066),
    ("observers", 0o020),
    ("slots", -1),
    ("capacity", -1),
    ("permissions", -1),
    ("lock_timeout", -0.5),
]


@pytest.mark.parametrize("option, value", OUT_OF_RANGE)
def test_options_out_of_range_are_named(base, option, value):
    number = f"{value:o}" if option in ("permissions", "observers") else str(value)
    expect(
        (ValueError, OverflowError),
        f"{option}.*{number}" if value >= 0 else "",
        lambda: slipring.Writer(base, **{option: value}),
    )


@pytest.mark.parametrize(
    "option", "slots max_readers leases_per_reader max_loans history capacity permissions observers".split()
)
@pytest.mark.parametrize("value", ["8", 8.5, None, [8]], ids=repr)
def test_options_that_count_are_whole_numbers(option, value):
    expect(TypeError, "", lambda: slipring.Writer("a", **{option: value}))


@pytest.mark.parametrize("option", "slots max_readers leases_per_reader max_loans history".split())
@pytest.mark.parametrize("value", [2**32 + 4, 2**64 + 4, 2**200])
def test_options_too_large_for_a_machine_word_are_refused_not_cut(option, value):
    expect((ValueError, OverflowError), "", lambda: slipring.Writer("a", **{option: value}))


@pytest.mark.parametrize("opener", OPENERS)
def test_options_go_by_keyword(opener):
    expect(TypeError, "", lambda: opener("a", "semaphore"))
    expect(TypeError, "colour", lambda: opener("a", colour=1))
    expect(TypeError, "", opener)


@pytest.mark.parametrize("value", [-1, -1e-9, float("nan"), float("-inf")], ids=repr)
def test_time_limits_that_cannot_be(reader, value):
    for call in time_limited(reader, value):
        expect(ValueError, "", call)


@pytest.mark.parametrize("value", ["1", [1], b"1", 1j], ids=repr)
def test_time_limits_are_numbers(reader, value):
    for call in time_limited(reader, value):
        expect(TypeError, "", call)


def time_limited(reader, value):
    return [
        lambda: reader.next("a", value),
        lambda: reader.wait("a", value),
        lambda: reader.wait_for_array("a", value),
        lambda: next(reader.frames("a", value)),
        lambda: slipring.wait_any([(reader, "a")], value),
        lambda: slipring.Reader("a", spin=value),
        lambda: slipring.Reader("a", lock_timeout=value),
    ]


@pytest.mark.parametrize("value", [1e300, 10**30, float("inf"), 1e10, 9.2233e9, 9.223372035e9], ids=repr)
def test_time_limits_past_what_can_be_counted_are_no_limit_or_refused(writer, reader, value):
    writer.set_array("a", [1])
    try:
        assert reader.next("a", value).seq == 1
    except (OverflowError, ValueError):
        pass


# ---- arrays ----


@pytest.mark.parametrize(
    "method, array, said",
    [
        ("set_image", np.zeros(3), "1"),
        ("set_image", np.zeros((1, 2, 3, 4)), "4"),
        ("set_depth", np.zeros((2, 3, 3)), "3"),
        ("set_pointcloud", np.zeros((5, 2)), "2"),
        ("set_pointcloud", np.zeros(5), "1"),
        ("set_mask", np.zeros(3), "1"),
    ],
)
def test_channels_with_a_meaning_check_their_shapes(either_writer, method, array, said):
    expect(ValueError, said, lambda: getattr(either_writer, method)(array))


@pytest.mark.parametrize(
    "shape, exception",
    [
        ((-1,), ValueError),
        ((2, -3), ValueError),
        ((2**40, 2**40), OverflowError),
        ((2**63, 1), (OverflowError, ValueError)),
        ((2**70,), (OverflowError, ValueError)),
        ((1.5,), TypeError),
        ("ab", TypeError),
        (None, TypeError),
        ((None,), TypeError),
    ],
    ids=repr,
)
def test_shapes_that_cannot_be(writer, base, shape, exception):
    for call in (lambda: writer.create("a", shape, "u1"), lambda: writer.loan("a", shape, "u1")):
        expect(exception, "", call)
    assert objects(base) == []


def test_a_dtype_that_is_none(writer):
    for call in (lambda: writer.create("a", (1,), "no such"), lambda: writer.loan("a", (1,), object())):
        expect(TypeError, "", call)


def test_no_room_is_ENOSPC_and_leaves_nothing(base, mode, tmp_path):
    """In a small tmpfs of its own, as the real one may be as large as the machine's memory."""
    said = run_script(
        """
        import ctypes, errno, os, sys, numpy, slipring
        base, mode, directory = sys.argv[1:]
        libc, NEWNS, NEWUSER, REC_PRIVATE = ctypes.CDLL(None), 0x20000, 0x10000000, 0x44000
        apart = libc.unshare(NEWNS) == 0 or libc.unshare(NEWNS | NEWUSER) == 0
        libc.mount(b"none", b"/", None, REC_PRIVATE, None)
        if not apart or libc.mount(b"tmpfs", directory.encode(), b"tmpfs", 0, b"size=1m") != 0:
            sys.exit(print("no small tmpfs here"))
        os.environ["SLIPRING_DIR"] = directory
        with slipring.Writer(base, mode=mode) as writer:
            large = numpy.zeros(1 << 20, "u1")
            for call in (lambda: writer.create("a", large.shape, "u1"), lambda: writer.set_array("a", large),
                         lambda: writer.loan("a", large.shape, "u1")):
                try:
                    call()
                except OSError as error:
                    assert error.errno == errno.ENOSPC and type(error) is OSError, error
                else:
                    raise AssertionError("there was room")
                assert os.listdir(directory) == []
            writer.set_array("a", large[:100])
            assert slipring.Reader(base).get_array("a").tolist() == [0] * 100
        assert os.listdir(directory) == []
        """,
        base,
        mode,
        tmp_path,
    )
    if said:
        pytest.skip(said.strip())


def test_what_is_attached_has_its_limits(writer, base):
    expect(ValueError, "16|15", lambda: writer.set_image(picture(), encoding="e" * 16))
    expect(ValueError, "64|63", lambda: writer.set_image(picture(), frame_id="f" * 64))
    expect(ValueError, "64|63", lambda: writer.set_image(picture(), frame_id="ü" * 32))
    expect(OSError, "257", lambda: writer.set_image(picture(), metadata=bytes(257)), errno.EMSGSIZE)
    expect(ValueError, "", lambda: writer.set_image(picture(), encoding="a\0b"))
    assert objects(base) == []


@pytest.mark.parametrize(
    "more",
    [
        dict(encoding=1),
        dict(encoding=b"rgb8"),
        dict(frame_id=1),
        dict(metadata="text"),
        dict(metadata=1),
        dict(timestamp="now"),
        dict(timestamp=1j),
        dict(unknown=1),
    ],
    ids=repr,
)
def test_what_is_attached_has_its_types(writer, base, more):
    expect(TypeError, "", lambda: writer.set_image(picture(), **more))
    expect(TypeError, "", lambda: writer.loan("image", (3,), "u1", **more))
    assert objects(base) == []


def test_missing_and_extra_arguments(writer, reader):
    for call in (
        writer.set_image,
        writer.set_array,
        lambda: writer.set_array("a"),
        lambda: writer.create("a"),
        lambda: writer.loan("a"),
        lambda: writer.set_image(picture(), 1.0, "rgb8"),
        reader.get_array,
        lambda: reader.next("a", 0, 0),
        reader.get_shape,
        lambda: reader.get_image(True, False),
        lambda: reader.wait("a", 0, 0),
        reader.wait_for_array,
        slipring.wait_any,
        lambda: slipring.channels("a", "b"),
    ):
        expect(TypeError, "", call)
    writer.set_image(picture())
    expect(TypeError, "", lambda: reader.latest().__array__(None, None, None))


def test_an_argument_by_place_and_by_name_is_refused(writer, reader):
    expect(TypeError, "'name' twice", lambda: reader.latest("a", name="a"))
    expect(TypeError, "'array' twice", lambda: writer.set_array("a", [1], array=[1]))


# ---- states ----


def test_absent_channels_are_named(base, writer, reader):
    assert reader.latest("nothing") is None
    expect(FileNotFoundError, "nothing", lambda: reader.writer_alive("nothing"), errno.ENOENT)
    expect(FileNotFoundError, "nothing", lambda: slipring.inspect(base, "nothing"), errno.ENOENT)
    expect(FileNotFoundError, "nothing", lambda: writer.stats("nothing"), errno.ENOENT)
    expect(TimeoutError, "nothing", lambda: reader.next("nothing", 0), errno.ETIMEDOUT)


def test_a_second_writer_is_EBUSY(base, mode, make_writer):
    make_writer(mode=mode).set_array("a", [1.0])
    second = make_writer(mode=mode)
    expect(OSError, "a", lambda: second.set_array("a", [1.0]), errno.EBUSY)
    second.set_array("b", [1.0])


def test_a_closed_channel_is_a_BrokenPipeError(base, reader):
    with slipring.Writer(base) as writer:
        writer.set_image(picture())
        reader.get_image()
    expect(BrokenPipeError, "image", lambda: reader.next(timeout=0), errno.EPIPE)
    expect(BrokenPipeError, "image", lambda: reader.wait(timeout=0), errno.EPIPE)


def control(base):
    return DIRECTORY / f"slipring@{base}@image@control"


@pytest.fixture
def in_the_way(base):
    """Puts something else under the name of the control object, and takes it away."""
    yield control(base)
    control(base).unlink()


def test_a_symlink_under_the_name(base, writer, reader, in_the_way):
    in_the_way.symlink_to("/dev/null")
    expect(OSError, "", lambda: writer.set_image(picture()), errno.ELOOP)
    expect(OSError, "", reader.latest, errno.ELOOP)


def test_what_is_no_file_under_the_name(base, writer, reader, in_the_way):
    os.mkfifo(in_the_way)
    expect(PermissionError, "", lambda: writer.set_image(picture()), errno.EPERM)
    expect(PermissionError, "", reader.latest, errno.EPERM)


def test_nonsense_under_the_name(base, reader, in_the_way):
    in_the_way.write_bytes(b"nonsense" * 1000)
    expect(OSError, "", reader.latest, errno.EBADMSG)
    expect(OSError, "", lambda: reader.next(timeout=0), errno.EBADMSG)
    expect(OSError, "", lambda: reader.get_shape("image"), errno.EBADMSG)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_no_permission(base, writer, reader):
    writer.set_image(picture())
    control(base).chmod(0)
    expect(PermissionError, "image", reader.latest, errno.EACCES)


def test_an_error_says_the_librarys_sentence(reader):
    error = expect(TimeoutError, "", lambda: reader.next("image", 0))
    assert error.args == (errno.ETIMEDOUT, error.strerror)
    assert reader.base in error.strerror and "image" in error.strerror


def test_looking_at_the_wrong_thing():
    expect(TypeError, "", lambda: slipring.channels(1))
    expect(ValueError, "a", lambda: slipring.channels("a/b"))
    expect(TypeError, "", lambda: slipring.inspect())


def test_a_failed_start_leaves_an_object_that_can_go(base):
    """What __init__ refused, or never ran, is inert."""
    for opener in OPENERS:
        with pytest.raises(ValueError):
            opener("")
        raw = opener.__new__(opener)
        for name, arguments in (("__enter__", ()), ("stats", ("a",))):
            assert raises((ValueError, TypeError, AttributeError, RuntimeError), getattr(raw, name), *arguments)


def test_opening_twice_is_refused_and_changes_nothing(base):
    with slipring.Writer(base) as writer, slipring.Reader(base) as reader:
        writer.set_image(picture())
        for opened in (writer, reader):
            expect(RuntimeError, "opened already", lambda: opened.__init__(base))
        writer.set_image(picture(1))
        assert reader.get_image() is not None
    assert reader.closed


def test_what_was_never_opened_can_be_closed_and_says_so():
    for opener in OPENERS:
        raw = opener.__new__(opener)
        assert (raw.base, raw.closed) == (None, True) and "None" in repr(raw)
        assert raw.close() is None


# ---- the interface as it is written ----

SIGNATURES = {
    (
        slipring.Writer,
        "__init__",
    ): "base mode slots max_readers leases_per_reader max_loans history capacity permissions observers "
    "huge_pages prefault lock_memory stamps lock_timeout",
    (slipring.Writer, "set_image"): "image timestamp encoding frame_id metadata",
    (slipring.Writer, "set_array"): "name array timestamp encoding frame_id metadata",
    (slipring.Writer, "create"): "name shape dtype",
    (slipring.Writer, "loan"): "name shape dtype timestamp strides encoding frame_id metadata",
    (slipring.Reader, "__init__"): "base mode spin observer outwait_dead_writer stamps prefault lock_timeout",
    (slipring.Reader, "latest"): "name",
    (slipring.Reader, "next"): "name timeout",
    (slipring.Reader, "frames"): "name timeout",
    (slipring.Reader, "aframes"): "name timeout",
    (slipring.Reader, "get_image"): "copy",
    (slipring.Reader, "get_array"): "name copy",
    (slipring.Reader, "wait"): "name timeout",
    (slipring.Reader, "wait_for_array"): "name timeout",
}


@pytest.mark.parametrize(
    "where, parameters", SIGNATURES.items(), ids=[f"{owner.__name__}.{name}" for owner, name in SIGNATURES]
)
def test_signatures_can_be_seen(where, parameters):
    owner, name = where
    signature = inspect.signature(owner if name == "__init__" else getattr(owner, name))
    assert [parameter for parameter in signature.parameters if parameter != "self"] == parameters.split()


def test_everything_public_is_there_and_documented():
    names = "Writer Reader Frame Loan wait_any channels inspect Channel WriterStats ReaderStats __version__"
    missing = [name for name in f"{names} layout_version".split() if not hasattr(slipring, name)]
    assert missing == []
    for thing in (
        slipring,
        slipring.Writer,
        slipring.Reader,
        slipring.Frame,
        slipring.Loan,
        slipring.wait_any,
        slipring.channels,
        slipring.inspect,
        slipring.Writer.set_image,
        slipring.Writer.loan,
        slipring.Reader.latest,
        slipring.Reader.next,
        slipring.Reader.frames,
        slipring.Reader.aframes,
        slipring.Frame.release,
    ):
        assert thing.__doc__, thing
