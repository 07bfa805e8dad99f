"""Waiting for frames in asyncio.

One thread of the process waits for all iterators at once, in `wait_any`, and a waker ends that when one is added or dropped. A reader belongs to one
side at a time: to the loop, or, from `_Waits.add` until its wait is done, to the thread. A wait that nobody awaits any more, because the task was
cancelled or ran out of time, stays with the thread, and the next `__anext__` takes it up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

from . import _core
from ._reader import next_frame

_SLICE = 0.1
"""Seconds after which every wait is looked at: a close or a death wakes nobody."""

_MOST = 127
"""Channels of one wait_any, beside the waker."""

_LEAST = 1e-9
"""The shortest wait that still asks whether the writer lives."""


_TIMEOUT_ERROR: type[TimeoutError] = TimeoutError
if not issubclass(TimeoutError, asyncio.TimeoutError):  # Python before 3.11
    _TIMEOUT_ERROR = type("TimeoutError", (TimeoutError, asyncio.TimeoutError), {})


class _Wait:
    """A reader that waits for a channel's next frame, on behalf of an iterator that may be gone by then."""

    def __init__(self, owner: AsyncFrames, parent: _core.Reader, reader: _core.Reader, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.owner = weakref.ref(owner)
        self.parent = parent
        self.reader = reader
        self.name = name
        self.loop = loop
        self.waits = _waits
        self.dropped = False
        self.error: Exception | None = None

    def look(self) -> bool:
        """Whether it is done, or nobody wants it any more."""
        if self.error is not None or self.dropped or self.parent.closed or self.loop.is_closed():
            return True
        try:
            return self.reader.wait(self.name, 0) or self.reader.wait(self.name, _LEAST)
        except Exception as error:
            self.error = error
            return True

    def hand_back(self) -> None:
        """In the thread, which does not touch the reader any more afterwards."""
        if not self.dropped:
            try:
                self.loop.call_soon_threadsafe(self._arrive)
                return
            except RuntimeError:  # the loop was closed
                pass
        self.reader.close()

    def _arrive(self) -> None:
        owner = self.owner()
        if owner is None or self.dropped:
            self.reader.close()
        else:
            owner._arrived(self)


class _Waits:
    """All waits of the process, and their thread, which begins with the first one and lasts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waits: list[_Wait] = []
        self._waker: _core.Waker | None = None

    def add(self, wait: _Wait) -> None:
        with self._lock:
            if self._waker is None:
                waker = _core.Waker()
                threading.Thread(target=self._run, args=(waker,), name="slipring-waits", daemon=True).start()
                self._waker = waker
            self._waits.append(wait)
            self._waker.wake()

    def drop(self, wait: _Wait) -> None:
        """The thread closes its reader."""
        wait.dropped = True
        waker = self._waker  # without the lock: the collector may bring a thread here that holds it
        if waker is not None:
            waker.wake()

    def _run(self, waker: _core.Waker) -> None:
        turn = 0
        while True:
            with self._lock:
                waits = list(self._waits)
            if waits:
                # More than fit into one call take turns, which are shorter then.
                turns = -(-len(waits) // _MOST)
                turn = (turn + 1) % turns
                part = waits[turn * _MOST : (turn + 1) * _MOST]
                shown: list[Any] = [(wait.reader, wait.name) for wait in part]
                try:
                    _core.wait_any([waker, *shown], _SLICE if turns == 1 else _SLICE / 10)
                except Exception as error:
                    self._fail(part, error.with_traceback(None))
                self._look(waits)
            else:
                try:
                    _core.wait_any([waker])
                except Exception:
                    # Nobody is there to be told: the next one to wait has a thread of its own made.
                    with self._lock:
                        if not self._waits:
                            self._waker = None
                            return
            waits = part = shown = []  # held by the list alone while this sleeps

    # A method of its own, so that the loop above, which may sleep for long, keeps no name for a wait.
    def _fail(self, waits: list[_Wait], error: Exception) -> None:
        for wait in waits:
            wait.error = error

    def _look(self, waits: list[_Wait]) -> None:
        done = {wait for wait in waits if wait.look()}
        if done:
            with self._lock:
                self._waits = [wait for wait in self._waits if wait not in done]
            for wait in done:
                wait.hand_back()


_waits = _Waits()


def _forget() -> None:
    """In a forked child, which has no thread, and whose readers are its parent's."""
    global _waits
    _waits = _Waits()


os.register_at_fork(after_in_child=_forget)


class AsyncFrames(AsyncIterator[_core.Frame]):
    """Frames in order, from a reader of its own. One task at a time, in one event loop."""

    def __init__(self, parent: _core.Reader, name: str, timeout: float | None) -> None:
        self._wait: _Wait | None = None
        self._future: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._parent = parent
        self._name = name
        self._timeout = timeout
        self._reader: _core.Reader | None = parent._twin()
        # Takes its place in the stream. What cannot be read will say so when it is.
        with contextlib.suppress(OSError):
            self._reader.wait(name, 0)

    async def __anext__(self) -> _core.Frame:
        loop = asyncio.get_running_loop()
        if self._future is not None:
            raise RuntimeError("another task waits for this iterator's next frame")
        deadline = None if self._timeout is None else loop.time() + self._timeout
        while True:
            if self._reader is None:
                raise StopAsyncIteration
            if self._parent.closed:
                raise ValueError("the reader is closed")
            if self._wait is None or self._wait.waits is not _waits:
                frame = self._try(self._reader)
                if frame is not None:
                    return frame
                wait = _Wait(self, self._parent, self._reader, self._name, loop)
                _waits.add(wait)
                self._wait = wait
            if self._wait.loop is not loop:
                raise RuntimeError("this iterator waits in another event loop")
            await self._arrival(loop, deadline)

    def _try(self, reader: _core.Reader) -> _core.Frame | None:
        """While the reader is this side's: what is there, or what the wait ran into."""
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
            return next_frame(reader, self._name, 0)
        except BrokenPipeError:
            raise StopAsyncIteration from None
        except TimeoutError:
            if self._timeout == 0:
                raise self._timeout_error() from None
            return None

    async def _arrival(self, loop: asyncio.AbstractEventLoop, deadline: float | None) -> None:
        self._future = loop.create_future()
        timer = None if deadline is None else loop.call_at(deadline, self._expire, self._future)
        try:
            await self._future
        finally:
            self._future = None
            if timer is not None:
                timer.cancel()

    def _expire(self, future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_exception(self._timeout_error())

    def _timeout_error(self) -> TimeoutError:
        return _TIMEOUT_ERROR(errno.ETIMEDOUT, f"nothing new on {self._parent.base}/{self._name} within {self._timeout} s")

    def _arrived(self, wait: _Wait) -> None:
        self._wait = None
        self._error = wait.error
        self._wake()

    def _wake(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def aclose(self) -> None:
        """End the iteration; a task that waits for the next frame sees its end. Twice is no error."""
        reader, self._reader = self._reader, None
        if self._wait is not None:
            self._wait.waits.drop(self._wait)
        elif reader is not None:
            reader.close()
        self._wake()

    def __del__(self) -> None:
        if self._wait is not None:
            self._wait.waits.drop(self._wait)
