"""Images, depth maps, point clouds, masks and n-d arrays between processes of one Linux machine, through shared memory.

    with slipring.Writer("camera") as writer:               # one process
        writer.set_image(array)

    reader = slipring.Reader("camera")                      # others
    for frame in reader.frames():
        work(frame.array)                                   # no copy: a view of shared memory, held until the frame is dropped

A writer never waits for readers; each frame that a reader holds keeps a slot of the ring, and does not change until it is given back.
Errors are Python's own: BlockingIOError where every slot is held, FileNotFoundError where there is no channel, TimeoutError, BrokenPipeError where
the writer closed the channel, ChildProcessError after a fork, ValueError, and OSError with its errno for the rest.
"""

from ._core import Frame, Loan, Writer, __version__, channels, inspect, layout_version, wait_any
from ._reader import Reader
from ._types import Channel, ReaderStats, WriterStats

Reader.__module__ = __name__

__all__ = [
    "Channel",
    "Frame",
    "Loan",
    "Reader",
    "ReaderStats",
    "Writer",
    "WriterStats",
    "__version__",
    "channels",
    "inspect",
    "layout_version",
    "wait_any",
]
