"""Frames as only programs in C make them, with padded rows and vectors for elements: written here into the ring's words (docs/format.md)."""

import mmap
import struct

import numpy as np
import pytest

from support import DIRECTORY

SLOT_BYTES = 640
PIXELS = np.arange(4 * 16, dtype="uint8").reshape(4, 16)


def describe(base, dtype, shape, strides, contiguous=False):
    """Has the newest frame of channel a be of this dtype (code, bits, lanes), shape and strides."""
    with open(DIRECTORY / f"slipring@{base}@a@control", "r+b") as file:
        control = mmap.mmap(file.fileno(), 0)
    (head,), (slots_at,) = struct.unpack_from("<Q", control, 256), struct.unpack_from("<Q", control, 120)
    slot = slots_at + (head & 0xFFFF) * SLOT_BYTES
    struct.pack_into("<BBHBB", control, slot + 72, *dtype, len(shape), contiguous)
    struct.pack_into(f"<{len(shape)}q", control, slot + 128, *shape)
    struct.pack_into(f"<{len(strides)}q", control, slot + 192, *strides)
    control.close()


@pytest.fixture
def padded(base, writer, reader):
    """Rows of 12 bytes, 16 apart."""
    writer.set_array("a", PIXELS)
    describe(base, (1, 8, 1), (4, 12), (16, 1))
    return reader.latest("a")


def test_padded_rows_are_seen_as_they_are(padded, reader):
    assert padded.strides == (16, 1) and padded.shape == (4, 12)
    assert (padded.array == PIXELS[:, :12]).all() and padded.array.strides == (16, 1)
    assert (reader.get_array("a") == PIXELS[:, :12]).all()
    view = memoryview(padded)
    assert view.shape == (4, 12) and view.strides == (16, 1) and not view.contiguous


def test_padded_rows_pass_through_dlpack(padded):
    shared = np.from_dlpack(padded)
    assert (shared == PIXELS[:, :12]).all()


def test_a_pitch_that_is_no_multiple_of_the_element_is_copied_for_dlpack(base, writer, reader):
    writer.set_array("a", PIXELS)
    describe(base, (1, 16, 1), (4, 6), (15, 2))
    frame = reader.latest("a")
    rows = [PIXELS.tobytes()[15 * row : 15 * row + 12] for row in range(4)]
    assert [row.tobytes() for row in frame.array] == rows
    copied = np.from_dlpack(frame)
    assert [row.tobytes() for row in copied] == rows
    with pytest.raises(BufferError, match="row pitch is no multiple"):
        frame.__dlpack__(max_version=(1, 0), copy=False)


def test_vectors_are_a_dimension_more(base, writer, reader):
    writer.set_array("a", PIXELS)
    describe(base, (1, 8, 4), (4, 4), (16, 4), contiguous=True)
    frame = reader.latest("a")
    assert frame.shape == (4, 4, 4) and frame.strides == (16, 4, 1)
    assert (frame.array == PIXELS.reshape(4, 4, 4)).all()


def test_an_element_that_neither_side_knows_is_a_TypeError(base, writer, reader):
    writer.set_array("a", PIXELS)
    describe(base, (0, 8, 2), (4, 8), (16, 2), contiguous=True)
    assert reader.latest("a").shape == (4, 8, 2)
