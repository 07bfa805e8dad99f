"""PosixIPCWriter and PosixIPCReader of posixipc-image-transport 0.2.0, over slipring: its programs run unchanged.

They speak its semaphore wire format unless told otherwise, so that the other processes may stay as they are; its faults
are gone (docs/coming-from-posixipc.md). Once all processes are here, mode="lock-free", or SLIPRING_MODE=lock-free in
the environment, takes the lock and the waiting away.

Any thread may use an object at any time, a signal's handler too. An object that was made before a fork works in the
child: a reader attaches there anew, a writer has no channels yet there, and the parent's stay the parent's.
"""

from __future__ import annotations

import errno
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

import numpy as np
import slipring
from numpy.typing import ArrayLike, NDArray

__all__ = ["PosixIPCReader", "PosixIPCWriter"]

_Array = NDArray[Any]
_Answer = TypeVar("_Answer")
_Question = Callable[[slipring.Reader, str], _Answer]

DTYPES = tuple(np.dtype(name) for name in ("uint8", "int8", "uint16", "int16", "int32", "float32", "float64", "bool"))
MAX_DIMS = 5
POLL_S = 0.01


def _mode(mode: str | None) -> str:
    asked = mode if mode is not None else os.environ.get("SLIPRING_MODE") or "semaphore"
    if asked not in ("semaphore", "lock-free"):
        raise ValueError(f"mode is {asked!r} (argument or SLIPRING_MODE); expected 'semaphore' or 'lock-free'")
    return asked


_objects: weakref.WeakSet[Any] = weakref.WeakSet()


def _after_fork() -> None:
    """In a forked child, where a lock may have been left taken, and what is open is the parent's."""
    for one in list(_objects):
        one._begin()


os.register_at_fork(after_in_child=_after_fork)


class PosixIPCWriter:
    """Writes channels under a base name. The first array of a channel fixes its shape and dtype.

    The objects in shared memory appear with a channel's first array and go with cleanup(), or with this object.
    """

    def __init__(self, base_name: str, *, mode: str | None = None) -> None:
        self.base_name = base_name
        self._mode = _mode(mode)
        self._begin()
        self._open()
        _objects.add(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()  # a signal's handler may call cleanup() in the middle of a set_*
        self._writer: slipring.Writer | None = None
        self._kinds: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}

    def _open(self) -> slipring.Writer:
        if self._writer is None:
            self._writer = slipring.Writer(self.base_name, mode=self._mode)
        return self._writer

    def set_image(self, image: ArrayLike, timestamp: float | None = None) -> None:
        """An array for the channel "image". timestamp: seconds since the epoch, now unless given. As set_array."""
        self._set("image", image, timestamp)

    def set_depth(self, depth: ArrayLike, timestamp: float | None = None) -> None:
        """An array for the channel "depth"."""
        self._set("depth", depth, timestamp)

    def set_pointcloud(self, pc: ArrayLike, timestamp: float | None = None) -> None:
        """An array for the channel "pointcloud"."""
        self._set("pointcloud", pc, timestamp)

    def set_mask(self, mask: ArrayLike, timestamp: float | None = None) -> None:
        """An array for the channel "mask"."""
        self._set("mask", mask, timestamp)

    def set_array(self, name: str, array: ArrayLike, timestamp: float | None = None) -> None:
        """An array of up to 5 dimensions, of any strides and byte order, for a channel of any name.

        ValueError: another shape than the channel's first, a dtype that does not cast safely to the first's, one that
        the format does not have. OSError(EBUSY): another writer lives. Where the lock cannot be had within a second,
        the array is left out, with a RuntimeWarning.
        """
        self._set(name, array, timestamp)

    def _set(self, name: str, array: ArrayLike, timestamp: float | None) -> None:
        """What each set_* calls, so that a warning is shown at the line that called that."""
        given = np.asarray(array)
        left_out = None
        with self._lock:
            data = self._fit(name, given)
            writer = self._open()
            try:
                writer.set_array(name, data, timestamp)
            except BlockingIOError as error:
                left_out = error.strerror
            if writer is self._writer:
                self._kinds.setdefault(name, (data.shape, data.dtype))
        if left_out is not None:
            channel = f"{self.base_name}/{name}"
            warnings.warn(f"an array for {channel} was left out: {left_out}", RuntimeWarning, stacklevel=3)

    def _fit(self, name: str, data: _Array) -> _Array:
        """The array as the channel takes it."""
        native = data.dtype.newbyteorder("=")
        if name not in self._kinds:
            if native not in DTYPES:
                raise ValueError(f"dtype {data.dtype} is not one of the format's: {', '.join(map(str, DTYPES))}")
            if data.ndim > MAX_DIMS:
                raise ValueError(f"an array of {data.ndim} dimensions; the format has up to {MAX_DIMS}")
            return data.astype(native, copy=False)
        shape, dtype = self._kinds[name]
        if data.shape != shape:
            changed = f"the shape of {self.base_name}/{name} changed from {shape} to {data.shape}"
            raise ValueError(f"{changed}; it is fixed by a channel's first array")
        if not np.can_cast(native, dtype):
            raise ValueError(f"{self.base_name}/{name} has dtype {dtype}, to which {data.dtype} does not cast safely")
        return data.astype(dtype, copy=False)

    def cleanup(self) -> None:
        """Takes the channels away. A later set_* makes them anew."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        writer, self._writer = self._writer, None
        self._kinds.clear()
        if writer is not None:
            writer.close()

    def __del__(self) -> None:
        # Without the lock, which nobody can hold any more.
        if hasattr(self, "_kinds"):
            self._end()


def _take(reader: slipring.Reader, name: str) -> tuple[_Array, float] | None:
    frame = reader.latest(name)
    if frame is None:
        return None
    # A private frame's memory is the caller's already.
    return frame.array if frame.private else np.array(frame.array), frame.timestamp


class PosixIPCReader:
    """Reads channels of a base name, which need not exist yet, and follows their writers through restarts."""

    def __init__(self, base_name: str, *, mode: str | None = None) -> None:
        self.base_name = base_name
        self._mode = _mode(mode)
        self._begin()
        self._open()
        _objects.add(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._reader: slipring.Reader | None = None

    def _open(self) -> slipring.Reader:
        if self._reader is None:
            self._reader = slipring.Reader(self.base_name, mode=self._mode)
        return self._reader

    def _try(self, question: _Question[_Answer], name: str) -> tuple[_Answer | None, str]:
        """The reader's answer, or None and what is wrong with a damaged channel."""
        with self._lock:
            try:
                return question(self._open(), name), ""
            except OSError as error:
                if error.errno != errno.EBADMSG:
                    raise
                return None, f"{self.base_name}/{name} cannot be read: {error.strerror}"

    def _ask(self, question: _Question[_Answer], name: str, level: int) -> _Answer | None:
        answer, damage = self._try(question, name)
        if damage:
            warnings.warn(damage, RuntimeWarning, stacklevel=level)
        return answer

    def _get(self, name: str, return_timestamp: bool) -> Any:
        got = self._ask(_take, name, 4)
        if return_timestamp:
            return (None, None) if got is None else got
        return None if got is None else got[0]

    def get_image(self, return_timestamp: bool = False) -> Any:
        """The latest array of "image", a copy of the caller's own; None where there is none or the lock is taken.

        With return_timestamp, (array, seconds since the epoch), or (None, None).
        """
        return self._get("image", return_timestamp)

    def get_depth(self, return_timestamp: bool = False) -> Any:
        """The latest array of "depth"."""
        return self._get("depth", return_timestamp)

    def get_pointcloud(self, return_timestamp: bool = False) -> Any:
        """The latest array of "pointcloud"."""
        return self._get("pointcloud", return_timestamp)

    def get_mask(self, return_timestamp: bool = False) -> Any:
        """The latest array of "mask"."""
        return self._get("mask", return_timestamp)

    @overload
    def get_array(self, name: str, return_timestamp: Literal[False] = False) -> _Array | None: ...
    @overload
    def get_array(self, name: str, return_timestamp: bool) -> Any: ...
    def get_array(self, name: str, return_timestamp: bool = False) -> Any:
        """The latest array of a channel, as get_image."""
        return self._get(name, return_timestamp)

    def get_shape(self, name: str) -> tuple[int, ...] | None:
        """Elements along each dimension; None where there is no channel."""
        return self._ask(slipring.Reader.get_shape, name, 3)

    def get_dtype(self, name: str) -> np.dtype[Any] | None:
        """The element type; None where there is no channel."""
        return self._ask(slipring.Reader.get_dtype, name, 3)

    def get_ndim(self, name: str) -> int | None:
        """The number of dimensions; None where there is no channel."""
        return self._ask(slipring.Reader.get_ndim, name, 3)

    def wait_for_array(self, name: str, timeout: float = 5.0) -> bool:
        """Waits until the channel exists and has an array; False after timeout seconds.

        Other threads may use the reader meanwhile.
        """
        deadline = time.monotonic() + timeout
        while True:
            found, damage = self._try(lambda reader, name: reader.wait_for_array(name, 0), name)
            if found:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, POLL_S))
        if damage:
            warnings.warn(damage, RuntimeWarning, stacklevel=2)
        return False

    def close(self) -> None:
        """Detaches. A later get_* attaches again."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def __del__(self) -> None:
        # Without the lock, which nobody can hold any more.
        if hasattr(self, "_reader"):
            self._end()
