"""Loans: filled in place, published at the end, discarded on an exception; views that outlive them do no harm."""

import copy
import errno
import gc
import pickle
import weakref

import numpy as np
import pytest

import slipring
from support import address, picture, raises, same

SHAPE = (6, 8, 3)


def fill(loan, seed):
    loan.array[...] = picture(seed)


def test_published_at_the_end_of_the_block(either_writer, either_reader):
    with either_writer.loan("image", SHAPE, "uint8") as loan:
        fill(loan, 1)
        assert (loan.published, loan.seq) == (False, 0)
        assert either_reader.latest() is None
    assert loan.published and "published" in repr(loan)
    assert same(either_reader.get_image(), picture(1))


def test_discarded_on_an_exception_which_passes_on(either_writer, either_reader):
    with pytest.raises(KeyError), either_writer.loan("image", SHAPE, "uint8") as loan:
        fill(loan, 1)
        raise KeyError
    assert (loan.published, loan.seq) == (False, 0)
    assert either_reader.latest() is None
    with either_writer.loan("image", SHAPE, "uint8") as loan:
        fill(loan, 2)
    assert same(either_reader.get_image(), picture(2))


def test_discarding_uses_no_number(writer, reader):
    writer.set_array("image", picture(1))
    writer.loan("image", SHAPE, "uint8").discard()
    loan = writer.loan("image", SHAPE, "uint8")
    fill(loan, 2)
    assert loan.publish() == loan.seq == 2
    assert reader.latest().seq == 2 and writer.stats("image").published == 2


def test_describes_itself(writer):
    loan = writer.loan("image", SHAPE, np.int16)
    assert (loan.shape, loan.strides, loan.dtype) == (SHAPE, (48, 6, 2), np.dtype("int16"))
    assert (loan.published, loan.seq) == (False, 0)
    assert loan.array is loan.array
    assert loan.array.flags.writeable and loan.array.shape == SHAPE and loan.array.dtype == np.dtype("int16")
    assert "Loan" in repr(loan) and "published" not in repr(loan)
    for name in "array shape strides dtype published seq".split():
        with pytest.raises(AttributeError):
            setattr(loan, name, getattr(loan, name))


def test_what_is_attached_travels(writer, reader):
    with writer.loan("image", SHAPE, "u1", 1.5, encoding="rgb8", frame_id="left", metadata=b"before") as loan:
        fill(loan, 1)
        assert (loan.timestamp, bytes(loan.metadata)) == (1.5, b"before")
    frame = reader.latest()
    assert (frame.timestamp, frame.encoding, frame.frame_id, frame.metadata) == (1.5, "rgb8", "left", b"before")


def test_metadata_and_timestamp_can_be_set_once_it_is_filled(writer, reader):
    with writer.loan("image", SHAPE, "u1", metadata=b"before") as loan:
        loan.metadata, loan.timestamp = b"after\0", 0.0
        assert (loan.metadata, loan.timestamp) == (b"after\0", 0.0)
    assert (reader.latest().metadata, reader.latest().timestamp) == (b"after\0", 0.0)
    with writer.loan("image", SHAPE, "u1") as loan:
        for wrong in ("text", 1, None):
            assert raises(TypeError, setattr, loan, "metadata", wrong)
        assert raises(TypeError, setattr, loan, "timestamp", "now")
        assert raises(ValueError, setattr, loan, "timestamp", float("nan"))
        assert raises((TypeError, AttributeError), delattr, loan, "metadata")
        assert raises((TypeError, AttributeError), delattr, loan, "timestamp")
        with pytest.raises(OSError, match="257") as error:
            loan.metadata = bytes(257)
        assert error.value.errno == errno.EMSGSIZE
        loan.metadata = bytearray(b"kept")
    assert reader.latest().metadata == b"kept"


def test_a_row_pitch_can_be_asked_for(writer, reader):
    with writer.loan("image", SHAPE, "u1", strides=(64, 3, 1)) as loan:
        assert loan.strides == loan.array.strides == (64, 3, 1)
        fill(loan, 1)
    frame = reader.latest()
    assert frame.strides == frame.array.strides == (64, 3, 1)
    assert same(frame.array, picture(1)) and same(reader.get_image(), picture(1))
    assert memoryview(frame).tobytes() == picture(1).tobytes()


@pytest.mark.parametrize("strides", [(1, 3, 64), (-24, 3, 1), (24, 3), (0, 3, 1)])
def test_strides_that_overlap_or_descend_are_refused(writer, strides):
    with pytest.raises(ValueError):
        writer.loan("image", SHAPE, "u1", strides=strides)


def test_filled_in_place_without_a_copy(either_writer, either_reader):
    with either_writer.loan("image", SHAPE, "u1") as loan:
        places = {
            address(loan.array),
            address(np.asarray(loan)),
            address(np.asarray(memoryview(loan))),
            address(loan.__array__()),
        }
        assert len(places) == 1
        np.asarray(loan)[...] = picture(1)
        memoryview(loan)[0, 0, 0] = 200
        assert not memoryview(loan).readonly
    assert either_reader.get_image()[0, 0, 0] == 200
    assert same(either_reader.get_image()[1:], picture(1)[1:])


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="this numpy asks for no version")
def test_numpy_fills_it_through_dlpack(writer, reader):
    with writer.loan("image", SHAPE, "u1") as loan:
        array = np.from_dlpack(loan)
        assert address(array) == address(loan.array) and array.flags.writeable
        array[...] = picture(1)
        del array
    assert same(reader.get_image(), picture(1))
    assert loan.__dlpack_device__() == (1, 0)


def test_several_may_be_out_and_end_in_any_order(writer, reader):
    loans = [writer.loan("image", SHAPE, "u1") for _ in range(4)]
    with pytest.raises(OSError, match="4") as error:
        writer.loan("image", SHAPE, "u1")
    assert error.value.errno == errno.EMFILE
    for seed, loan in enumerate(loans):
        fill(loan, seed)
    assert [loan.publish() for loan in (loans[2], loans[0])] == [1, 2]
    assert same(reader.get_image(), picture(0))
    loans[3].discard()
    assert loans[1].publish() == 3
    assert same(reader.get_image(), picture(1))


def test_ends_once(either_writer):
    writer = either_writer
    published, discarded = writer.loan("image", SHAPE, "u1"), writer.loan("image", SHAPE, "u1")
    published.publish()
    discarded.discard()
    for loan in (published, discarded):
        assert raises(ValueError, loan.publish)
        assert raises(ValueError, setattr, loan, "metadata", b"x")
        assert raises(ValueError, setattr, loan, "timestamp", 1.0)
    assert raises(ValueError, published.discard)
    assert (published.published, discarded.published) == (True, False)
    assert writer.stats("image").published == 1


@pytest.mark.parametrize("end", ["publish", "discard"])
def test_may_be_ended_inside_its_block(writer, end):
    with writer.loan("image", SHAPE, "u1") as loan:
        getattr(loan, end)()
    assert loan.published == (end == "publish")
    assert writer.stats("image").published == loan.published


def test_dropped_without_an_end_it_is_discarded(either_writer):
    writer = either_writer
    for _ in range(50):
        writer.loan("image", SHAPE, "u1")
    loan = writer.loan("image", SHAPE, "u1")
    array = loan.array
    array[...] = 1
    del loan, array
    gc.collect()
    assert [writer.loan("image", SHAPE, "u1") for _ in range(4)]
    assert writer.stats("image").published == 0


def test_a_published_loan_takes_no_new_views(writer):
    with writer.loan("image", SHAPE, "u1") as loan:
        pass
    for access in (lambda: memoryview(loan)[:], loan.__dlpack__):
        with pytest.raises((ValueError, BufferError)):
            access()


# ---- views that outlive the loan ----

VIEWS = {
    "array": lambda loan: loan.array,
    "slice": lambda loan: loan.array[2:],
    "memoryview": lambda loan: np.asarray(memoryview(loan)),
    "asarray": np.asarray,
    "from_dlpack": np.from_dlpack,
}


@pytest.fixture(params=VIEWS.values(), ids=VIEWS.keys())
def view_of(request):
    return request.param


def scribble(view):
    """What a program does that kept a view too long: refused or not, it must not reach others' frames."""
    try:
        view[...] = 0xEE
    except ValueError:
        pass


def end_loan(loan, how):
    {"publish": loan.publish, "discard": loan.discard}[how]()


@pytest.mark.parametrize("end", ["publish", "discard"])
def test_a_view_kept_past_the_end_reaches_no_later_frame(either_writer, either_reader, view_of, end):
    writer, reader = either_writer, either_reader
    loan = writer.loan("image", SHAPE, "u1")
    view = view_of(loan)
    fill(loan, 1)
    end_loan(loan, end)
    for seed in range(2, 40):
        writer.set_array("image", picture(seed))
        scribble(view)
        assert same(reader.get_image(), picture(seed))
        with writer.loan("image", SHAPE, "u1") as other:
            fill(other, seed + 100)
            scribble(view)
        assert same(reader.get_image(), picture(seed + 100))
    assert view.sum() >= 0


def test_a_view_kept_past_publishing_still_shows_what_was_published(either_writer, view_of):
    with either_writer.loan("image", SHAPE, "u1") as loan:
        fill(loan, 1)
        view = view_of(loan)
        before = view.copy()
    for seed in range(2, 40):
        either_writer.set_array("image", picture(seed))
        with either_writer.loan("image", SHAPE, "u1") as other:
            fill(other, seed + 100)
    assert same(view, before)


def test_the_array_of_a_published_loan_cannot_be_written(writer, reader):
    with writer.loan("image", SHAPE, "u1") as loan:
        fill(loan, 1)
        array = loan.array
    frame = reader.latest()
    with pytest.raises(ValueError):
        array[...] = 0
    assert same(frame.array, picture(1))


@pytest.mark.parametrize("end", ["publish", "discard", None])
def test_a_view_kept_past_the_writers_close_is_valid_memory(base, view_of, end, mode):
    writer = slipring.Writer(base, mode=mode)
    loan = writer.loan("image", SHAPE, "u1")
    fill(loan, 1)
    view = view_of(loan)
    if end:
        end_loan(loan, end)
    writer.close()
    with slipring.Writer(base, mode=mode) as successor, slipring.Reader(base, mode=mode) as reader:
        for seed in range(20):
            successor.set_array("image", picture(seed))
            scribble(view)
            assert same(reader.get_image(), picture(seed))
    assert view.sum() >= 0
    del writer, loan
    gc.collect()
    assert view.sum() >= 0


def test_a_loan_left_out_at_the_writers_close_is_discarded(base, mode, either_reader):
    writer = slipring.Writer(base, mode=mode)
    loan = writer.loan("image", SHAPE, "u1")
    writer.close()
    assert raises(ValueError, loan.publish)
    assert not loan.published
    assert either_reader.latest() is None


def test_leaving_the_block_of_a_loan_whose_writer_closed_says_so(base, mode):
    writer = slipring.Writer(base, mode=mode)
    with pytest.raises(ValueError), writer.loan("image", SHAPE, "u1") as loan:
        fill(loan, 1)
        writer.close()
    assert not loan.published


def test_a_loan_survives_growth_of_the_ring(writer, reader):
    loan = writer.loan("image", SHAPE, "u1")
    fill(loan, 1)
    writer.set_array("image", picture(2, (600, 80, 3)))
    assert loan.publish() == 2
    assert same(reader.get_image(), picture(1))


def test_a_viewed_loan_survives_growth_of_the_ring_with_all_that_describes_it(writer, reader):
    loan = writer.loan("image", SHAPE, "u1", 1.5, encoding="rgb8", frame_id="left", metadata=b"m")
    view = loan.array
    fill(loan, 1)
    writer.set_array("image", picture(2, (600, 80, 3)))
    assert loan.publish() == 2
    frame = reader.latest()
    assert same(frame.array, picture(1)) and same(view, picture(1))
    assert (frame.timestamp, frame.encoding, frame.frame_id, frame.metadata) == (1.5, "rgb8", "left", b"m")


def test_a_viewed_loan_of_nothing_survives_growth_of_the_ring(writer, reader):
    loan = writer.loan("image", (0, 3), "u1")
    view = loan.array
    writer.set_array("image", picture(2, (600, 80, 3)))
    assert loan.publish() == 2
    assert reader.get_image().shape == view.shape == (0, 3)


def test_a_viewed_loan_that_finds_no_room_in_the_grown_ring_stays_out(make_writer, reader):
    writer = make_writer(max_loans=2)
    loan = writer.loan("image", SHAPE, "u1")
    view = loan.array
    fill(loan, 1)
    writer.set_array("image", picture(2, (600, 80, 3)))
    other = writer.loan("image", SHAPE, "u1")
    with pytest.raises(OSError) as error:
        loan.publish()
    assert error.value.errno == errno.EMFILE and not loan.published
    other.discard()
    assert loan.publish() == 2
    assert same(reader.get_image(), picture(1)) and same(view, picture(1))


def test_several_viewed_loans_end_in_any_order(writer, reader):
    loans = [writer.loan("image", SHAPE, "u1") for _ in range(4)]
    views = [loan.array for loan in loans]
    for seed, loan in enumerate(loans):
        fill(loan, seed)
    assert loans[2].publish() == 1
    loans[0].discard()
    del views[3]
    loans[3].discard()
    assert loans[1].publish() == 2
    assert same(reader.get_image(), picture(1))
    assert all(same(view, picture(seed)) for seed, view in enumerate(views))


def test_a_loan_whose_writer_closed_takes_nothing_more(base, mode):
    writer = slipring.Writer(base, mode=mode)
    loan = writer.loan("image", SHAPE, "u1")
    writer.close()
    for call in (
        lambda: memoryview(loan),
        lambda: loan.array,
        lambda: np.asarray(loan.__array__()),
        loan.__enter__,
        lambda: setattr(loan, "timestamp", 1.0),
        lambda: setattr(loan, "metadata", b"m"),
        loan.__exit__,
        loan.publish,
    ):
        with pytest.raises(ValueError, match="closed"):
            call()
    loan.discard()
    assert not loan.published


def test_a_kept_view_costs_a_slot_until_it_goes(make_writer, make_reader):
    writer = make_writer(slots=2)
    with writer.loan("image", SHAPE, "u1") as loan:
        fill(loan, 1)
    del loan
    for seed in range(10):
        writer.set_array("image", picture(seed))
    assert writer.stats("image").refused == 0
    assert same(make_reader().get_image(), picture(9))


def test_it_cannot_be_pickled_or_copied(writer):
    loan = writer.loan("image", SHAPE, "u1")
    for wrong in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="Loan cannot be pickled"):
            wrong(loan)
    reference = weakref.ref(loan)
    loan.discard()
    del loan
    assert reference() is None


def test_after_its_writers_close_nothing_of_it_works(make_writer):
    writer = make_writer()
    loan = writer.loan("image", SHAPE, "u1")
    writer.close()
    for use in (lambda: loan.array, lambda: memoryview(loan), lambda: loan.publish(), lambda: loan.__enter__(), lambda: setattr(loan, "metadata", b"m")):
        with pytest.raises(ValueError):
            use()
    loan.discard()
    with pytest.raises(ValueError, match="has ended"):
        loan.discard()
    with pytest.raises(ValueError, match="has ended"):
        memoryview(loan)
