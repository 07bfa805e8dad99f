"""The Reader: what the extension has, and iteration."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Iterator

from . import _core


class Reader(_core.Reader):
    __doc__ = _core.Reader.__doc__
    __slots__ = ()

    def frames(self, name: str = "image", timeout: float | None = None) -> Iterator[_core.Frame]:
        """Every frame in order, as `next` gives them, until the writer closes the channel.

        TimeoutError when nothing comes for `timeout` seconds; OSError(EOWNERDEAD) when the writer died. Iteration can go on after both. Where the
        channel is a semaphore one, each newer frame that is there when it is looked for. The iterator shares this reader's place in the stream.
        """
        return _Frames(self, name, timeout)

    def aframes(self, name: str = "image", timeout: float | None = None) -> AsyncIterator[_core.Frame]:
        """The same for asyncio: `async for frame in reader.aframes(): ...`.

        It begins with the frame that is newest now, and has a place of its own in the stream, and leases of its own: this reader may be used
        meanwhile. One thread of the process waits for all such iterators. `aclose()`, dropping the iterator, or closing this reader ends it.
        """
        from ._aio import AsyncFrames

        return AsyncFrames(self, name, timeout)


class _Frames(Iterator[_core.Frame]):
    """Holds no frame: what the caller drops is released."""

    __slots__ = ("_name", "_reader", "_timeout")

    def __init__(self, reader: _core.Reader, name: str, timeout: float | None) -> None:
        self._reader = reader
        self._name = name
        self._timeout = timeout

    def __next__(self) -> _core.Frame:
        try:
            return next_frame(self._reader, self._name, self._timeout)
        except BrokenPipeError:
            raise StopIteration from None


def next_frame(reader: _core.Reader, name: str, timeout: float | None) -> _core.Frame:
    """The next frame in order or, where frames have no order, a newer one."""
    try:
        return reader.next(name, timeout)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
    while True:
        if not reader.wait(name, timeout):
            raise TimeoutError(errno.ETIMEDOUT, f"nothing new on {reader.base}/{name} within {timeout} s")
        frame = reader.latest(name)
        if frame is not None:
            return frame
        if timeout == 0:
            raise TimeoutError(errno.ETIMEDOUT, f"the lock of {reader.base}/{name} is taken")
