"""What goes in comes out equal: every dtype, number of dimensions, layout and byte order; the rest is named."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import slipring
from slipring import _input
from support import DTYPES, SEMAPHORE_DTYPES, UNSUPPORTED, same

DTYPES_OF = {"lock-free": DTYPES, "semaphore": SEMAPHORE_DTYPES}
DIMS_OF = {"lock-free": 8, "semaphore": 5}
names = (f"c{i}" for i in itertools.count())


@st.composite
def layouts(draw, dtypes, max_dims):
    """Arrays of any dtype, byte order and strides: cut, reversed, transposed, broadcast."""
    dtype = np.dtype(draw(st.sampled_from(dtypes))).newbyteorder(draw(st.sampled_from("<>")))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=0, max_side=4 if max_dims <= 5 else 3))
    raw = draw(st.binary(min_size=64, max_size=64))
    size = int(np.prod(shape)) * dtype.itemsize
    if dtype.kind == "b":
        raw = bytes(byte & 1 for byte in raw)
    array = np.frombuffer((raw * (size // 64 + 1))[:size], dtype).reshape(shape)
    array = array.transpose(draw(st.permutations(range(array.ndim))))
    array = array[draw(hnp.basic_indices(array.shape))] if array.ndim else array
    array = np.asarray(array)
    if 0 < array.ndim < max_dims and draw(st.booleans()):
        array = np.broadcast_to(array, (draw(st.integers(0, 3)), *array.shape))
    return array


def round_trip(writer, reader, array):
    name = next(names)
    writer.set_array(name, array)
    frame = reader.latest(name)
    assert same(frame.array, array)
    assert (frame.shape, frame.dtype) == (array.shape, array.dtype.newbyteorder("="))
    if array.size:  # numpy's of empty arrays differ from version to version
        assert frame.strides == np.empty(array.shape, array.dtype).strides
    assert same(reader.get_array(name), array)


@given(data=st.data())
def test_any_layout_comes_out_equal_and_contiguous(either_writer, either_reader, mode, data):
    round_trip(either_writer, either_reader, data.draw(layouts(DTYPES_OF[mode], DIMS_OF[mode])))


@given(data=st.data())
def test_any_layout_can_be_copied_into_a_loan_and_back(writer, reader, data):
    array = data.draw(layouts(DTYPES, 8))
    with writer.loan("a", array.shape, array.dtype) as loan:
        loan.array[...] = array
    assert same(reader.latest("a").array, array)


@given(data=st.data())
def test_a_frame_of_a_pitch_comes_out_equal(writer, reader, data):
    array = data.draw(layouts(DTYPES, 4).filter(lambda a: 0 < a.size < 500))
    strides, step = [], array.itemsize
    for extent in reversed(array.shape):
        step += data.draw(st.integers(0, 3)) * array.itemsize
        strides.insert(0, step)
        step *= extent
    with writer.loan("a", array.shape, array.dtype, strides=strides) as loan:
        assert loan.array.strides == tuple(strides)
        loan.array[...] = array
    frame = reader.latest("a")
    assert frame.strides == tuple(strides) and same(frame.array, array) and same(reader.get_array("a"), array)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", DTYPES)
def test_each_dtype_in_each_byte_order(writer, reader, dtype, order):
    array = np.array([0, 1, 1, 0, 1, 1]).astype(np.dtype(dtype).newbyteorder(order)).reshape(2, 3)
    round_trip(writer, reader, array)


@pytest.mark.parametrize("dtype", SEMAPHORE_DTYPES)
@pytest.mark.parametrize("dims", range(6))
def test_each_dtype_and_number_of_dimensions_of_semaphore_mode(make_writer, make_reader, dtype, dims):
    array = np.arange(2**dims).astype(dtype).reshape((2,) * dims)
    round_trip(make_writer(mode="semaphore"), make_reader(), array)


@pytest.mark.parametrize(
    "array",
    [
        np.array(3.5),
        np.zeros(0, "u1"),
        np.zeros((0, 3), "f4"),
        np.zeros((3, 0, 2), "i2"),
        np.zeros((1,) * 8, "c16"),
        np.arange(6, dtype=">i4")[::-1],
        np.arange(24).reshape(2, 3, 4).T,
        np.broadcast_to(np.float32(3), (4, 5)),
        np.arange(24, dtype=">f8").reshape(2, 3, 4)[::-1, :, ::-2],
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.arange(10)[3:3],
        np.array([[np.nan, np.inf], [-0.0, 5e-324]]),
        np.frombuffer(b"\0" + bytes(range(16)), "u1")[1:].view("<i4"),
    ],
    ids=[
        "scalar",
        "empty",
        "no rows",
        "empty inside",
        "8 dims of 1",
        "reversed and swapped",
        "transposed",
        "broadcast",
        "all at once",
        "Fortran",
        "empty slice",
        "odd floats",
        "unaligned",
    ],
)
def test_corner_cases_of_layout(writer, reader, array):
    round_trip(writer, reader, array)


def test_views_of_a_frame_can_be_sent_on(writer, reader):
    writer.set_array("a", np.arange(24).reshape(2, 3, 4))
    frame = reader.latest("a")
    writer.set_array("b", frame.array.T[::-1])
    assert same(reader.get_array("b"), np.arange(24).reshape(2, 3, 4).T[::-1])
    writer.set_array("c", frame)
    assert same(reader.get_array("c"), np.arange(24).reshape(2, 3, 4))


@pytest.mark.parametrize("dtype", UNSUPPORTED, ids=str)
def test_unsupported_dtypes_name_themselves(either_writer, base, dtype):
    array = np.zeros((2, 2), dtype)
    calls = [
        lambda: either_writer.set_image(array),
        lambda: either_writer.set_array("a", array),
        lambda: either_writer.create("a", (2,), dtype),
        lambda: either_writer.loan("a", (2,), dtype),
    ]
    for call in calls:
        with pytest.raises(TypeError) as error:
            call()
        assert str(dtype) in str(error.value) or dtype.name in str(error.value)
    assert slipring.channels(base) == []


@pytest.mark.parametrize("value", [None, "text", b"bytes", object(), {"a": 1}, ["a", 1]], ids=repr)
def test_what_is_no_numeric_array_is_a_TypeError(either_writer, value):
    with pytest.raises(TypeError):
        either_writer.set_array("a", value)


def test_nine_dimensions_are_refused_by_number(writer):
    for call in (
        lambda: writer.set_array("a", np.zeros((1,) * 9)),
        lambda: writer.create("a", (1,) * 9, "u1"),
        lambda: writer.loan("a", (1,) * 9, "u1"),
    ):
        with pytest.raises(ValueError, match="9"):
            call()


@pytest.mark.parametrize("dtype", sorted(set(DTYPES) - set(SEMAPHORE_DTYPES)))
def test_dtypes_that_only_semaphore_mode_cannot_carry_are_named(make_writer, base, dtype):
    writer = make_writer(mode="semaphore")
    for call in (lambda: writer.set_array("a", np.zeros(2, dtype)), lambda: writer.create("a", (2,), dtype)):
        with pytest.raises(OSError, match=dtype) as error:
            call()
        assert error.value.errno == 95
    assert slipring.channels(base) == []


# ---- types that numpy has not by itself, or not as one ----


def test_lanes_are_a_last_dimension(writer, reader):
    with writer.loan("a", (2,), "uint16x3") as loan:
        assert (loan.shape, loan.strides) == ((2, 3), (6, 2))
        loan.array[...] = [[1, 2, 3], [4, 5, 6]]
    assert reader.get_array("a").tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (reader.get_shape("a"), reader.get_ndim("a"), reader.get_dtype("a")) == ((2, 3), 2, np.dtype("u2"))


def test_what_is_prepared_wrongly_is_not_sent(writer, monkeypatch):
    for prepared in ((np.zeros(2), "float33"), (np.array(["text"]), "uint8")):
        monkeypatch.setattr(_input, "prepare", lambda thing, prepared=prepared: prepared)
        with pytest.raises(TypeError, match=f"{prepared[1]} cannot be sent"):
            writer.set_array("a", [1])
