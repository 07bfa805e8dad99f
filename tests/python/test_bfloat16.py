"""bfloat16, which numpy has from ml_dtypes and the buffer protocol not at all."""

import gc

import numpy as np
import pytest

from support import raises, run_script

ml_dtypes = pytest.importorskip("ml_dtypes")
NUMBERS = np.array([[0.5, -2.0, 3.0], [1.5, 0.25, -0.125]], ml_dtypes.bfloat16)


def test_goes_in_and_comes_out_as_an_array(writer, reader):
    writer.set_array("a", NUMBERS)
    copy, frame = reader.get_array("a"), reader.latest("a")
    for array in (copy, frame.array, reader.get_array("a", copy=False), np.asarray(frame), np.asarray(frame.array)):
        assert array.dtype == NUMBERS.dtype and array.tolist() == NUMBERS.tolist()
    assert frame.dtype == reader.get_dtype("a") == NUMBERS.dtype and not frame.array.flags.writeable
    assert "bfloat16" in repr(frame)
    del array, frame
    gc.collect()
    assert reader.stats("a").leases == 0


def test_a_view_of_its_bits_keeps_the_frame(writer, reader):
    writer.set_array("a", NUMBERS)
    frame = reader.latest("a")
    rows = frame.array[1:]
    assert raises(BufferError, frame.release)
    del frame
    for _ in range(40):
        writer.set_array("a", -NUMBERS)
    assert rows.tolist() == NUMBERS[1:].tolist()


def test_the_collector_goes_through_its_views(writer, reader):
    writer.set_array("a", NUMBERS)
    cycle = [reader.latest("a").array]
    cycle.append(cycle)
    gc.collect()
    assert cycle[0].tolist() == NUMBERS.tolist()
    del cycle
    gc.collect()
    assert reader.stats("a").leases == 0


def test_is_filled_in_place(writer, reader):
    with writer.loan("a", NUMBERS.shape, "bfloat16") as loan:
        loan.array[...] = NUMBERS
        assert "bfloat16" in repr(loan)
    assert reader.get_array("a").tolist() == NUMBERS.tolist()


def test_has_no_format_but_bytes_enough_for_who_asks_for_none(writer, reader):
    writer.set_array("a", NUMBERS)
    frame = reader.latest("a")
    with pytest.raises(BufferError, match="bfloat16 has no format"):
        memoryview(frame)
    loan = writer.loan("a", NUMBERS.shape, "bfloat16")
    with pytest.raises(BufferError, match="bfloat16 has no format"):
        memoryview(loan)
    loan.discard()


def test_without_ml_dtypes_the_error_says_what_to_install(base):
    run_script(
        """
        import sys
        sys.modules["ml_dtypes"] = None
        import slipring
        with slipring.Writer(sys.argv[1]) as writer, slipring.Reader(sys.argv[1]) as reader:
            with writer.loan("a", (4,), "bfloat16"):
                pass
            frame = reader.latest("a")
            for use in (lambda: frame.array, lambda: frame.dtype, lambda: reader.get_array("a"), lambda: reader.get_dtype("a")):
                try:
                    use()
                except TypeError as error:
                    assert "bfloat16" in str(error) and "install ml_dtypes" in str(error), error
                else:
                    raise AssertionError("no error")
            assert frame.__dlpack__(max_version=(1, 0)) is not None
            del frame, use
    """,
        base,
    )
