"""What other processes of test_processes do; a module, so that spawned processes find it."""

import numpy as np

import slipring
from support import raises, ring


def publish(base, mode, count, shape=(50,)):
    """Publishes frames that are full of their number, once somebody reads; stays until that one has the last."""
    with slipring.Writer(base, mode=mode, **ring(mode, slots=64)) as writer, slipring.Reader(f"{base}-back") as back:
        writer.set_array("a", np.full(shape, 0.0))
        assert back.wait_for_array("ready", 60)
        for number in range(1, count + 1):
            writer.set_array("a", np.full(shape, float(number)))
        assert back.wait_for_array("done", 60)


def collect(base, mode, last, results):
    """Puts the numbers of the frames it gets, and whether each was whole, until the last one."""
    with slipring.Reader(base, mode=mode) as reader:
        for frame in reader.frames("a", timeout=60):
            number = float(frame.array[0])
            results.put((number, bool((frame.array == number).all())))
            if number == last:
                return


def use_inherited(writer, reader, frame, loan, results):
    """Each call's exception in a forked child that has its parent's objects."""
    calls = [
        lambda: writer.set_array("a", np.zeros(3)),
        lambda: writer.create("b", (1,), "u1"),
        lambda: writer.loan("a", (3,), "u1"),
        lambda: writer.readers_attached("a"),
        lambda: writer.stats("a"),
        lambda: reader.latest("a"),
        lambda: reader.next("a", 0),
        lambda: next(reader.frames("a", 0)),
        lambda: reader.get_array("a"),
        lambda: reader.get_shape("a"),
        lambda: reader.wait("a", 0),
        lambda: reader.wait_for_array("a", 0),
        lambda: reader.writer_alive("a"),
        lambda: reader.stats("a"),
        lambda: slipring.wait_any([(reader, "a")], 0),
        loan.publish,
        loan.discard,
        loan.__enter__,
        lambda: loan.array,
        lambda: memoryview(loan),
        lambda: setattr(loan, "timestamp", 1.0),
        lambda: memoryview(frame),
        lambda: frame.metadata,
        writer.__enter__,
        reader.__enter__,
    ]
    outcome = []
    for call in calls:
        try:
            call()
            outcome.append("no exception")
        except Exception as error:
            outcome.append(type(error).__name__)
    left_alone = [loan.__exit__(None, None, None), writer.closed, writer.close(), reader.close()]
    closed = [writer.closed, reader.closed, raises(ValueError, writer.stats, "a"), raises(ValueError, reader.stats, "a")]
    results.put((outcome, left_alone, closed))
