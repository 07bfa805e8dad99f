"""OpenCV reads frames and fills loans where they are."""

import numpy as np
import pytest

from support import address, picture, same

cv2 = pytest.importorskip("cv2")


def test_a_frame_is_what_opencv_takes_without_a_copy(writer, reader):
    writer.set_image(picture(1, (48, 64, 3)))
    frame = reader.latest()
    array = frame.array
    assert array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative
    assert address(np.ascontiguousarray(array)) == address(array)
    gray = cv2.cvtColor(array, cv2.COLOR_BGR2GRAY)
    assert same(gray, cv2.cvtColor(picture(1, (48, 64, 3)), cv2.COLOR_BGR2GRAY))


def test_the_result_goes_straight_into_a_loan(writer, reader):
    writer.set_image(picture(1, (48, 64, 3)))
    frame = reader.latest()
    with writer.loan("mask", (48, 64), "uint8") as loan:
        result = cv2.cvtColor(frame.array, cv2.COLOR_BGR2GRAY, dst=loan.array)
        assert address(result) == address(loan.array)
        del result
    assert same(reader.get_mask(), cv2.cvtColor(picture(1, (48, 64, 3)), cv2.COLOR_BGR2GRAY))


def test_drawing_into_a_loan_is_seen_by_the_reader(writer, reader):
    with writer.loan("image", (48, 64, 3), "uint8", strides=(256, 3, 1)) as loan:
        loan.array[...] = 0
        cv2.rectangle(loan.array, (0, 0), (63, 47), (255, 0, 0), cv2.FILLED)
    assert (reader.get_image() == (255, 0, 0)).all()


def test_opencv_cannot_draw_into_a_frame(writer, reader):
    writer.set_image(picture(1, (48, 64, 3)))
    frame = reader.latest()
    with pytest.raises(cv2.error):
        cv2.rectangle(frame.array, (0, 0), (63, 47), (255, 0, 0), cv2.FILLED)
    assert same(frame.array, picture(1, (48, 64, 3)))


def test_a_slice_of_a_frame_is_filtered(writer, reader):
    writer.set_depth(picture(1, (48, 64), "float32"))
    frame = reader.latest("depth")
    part = (slice(4, 20), slice(8, 40))
    assert same(cv2.dilate(frame.array[part], None), cv2.dilate(picture(1, (48, 64), "float32")[part], None))


def test_images_survive_encoding_from_a_frame(writer, reader):
    writer.set_image(picture(1, (48, 64, 3)))
    _, png = cv2.imencode(".png", reader.get_image(copy=False))
    assert same(cv2.imdecode(png, cv2.IMREAD_COLOR), picture(1, (48, 64, 3)))
