"""PosixIPCWriter and PosixIPCReader of posixipc-image-transport 0.2.0, over slipring: programs written for it run unchanged.

They speak its semaphore wire format unless told otherwise, so that the other processes may stay as they are; its faults are gone
(docs/coming-from-posixipc.md). Once all processes are here, mode="lock-free", or SLIPRING_MODE=lock-free in the environment, takes the lock and the waiting away.
"""

from __future__ import annotations

import errno
import os
import threading
import time
import warnings
from typing import Any, Literal, overload

import numpy as np
import slipring
from numpy.typing import ArrayLike, NDArray

__all__ = ["PosixIPCReader", "PosixIPCWriter"]

_Array = NDArray[Any]

DTYPES = tuple(np.dtype(name) for name in ("uint8", "int8", "uint16", "int16", "int32", "float32", "float64", "bool"))
MAX_DIMS = 5
POLL_S = 0.01


def _mode(mode: str | None) -> str:
    asked = mode if mode is not None else os.environ.get("SLIPRING_MODE") or "semaphore"
    if asked not in ("semaphore", "lock-free"):
        raise ValueError(f"mode is {asked!r} (argument or SLIPRING_MODE); expected 'semaphore' or 'lock-free'")
    return asked


class PosixIPCWriter:
    """Writes channels under a base name. The first array of a channel fixes its shape and dtype.

    One thread at a time a channel. The objects appear with a channel's first array and go with cleanup(), or with this object.
    """

    def __init__(self, base_name: str, *, mode: str | None = None) -> None:
        self.base_name = base_name
        self._mode = _mode(mode)
        self._kinds: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
        self._writer: slipring.Writer | None = slipring.Writer(base_name, mode=self._mode)

    def set_image(self, image: ArrayLike, timestamp: float | None = None) -> None:
        """An array for the channel "image". timestamp: seconds since the epoch, now unless given. See set_array for errors."""
        self.set_array("image", image, timestamp)

    def set_depth(self, depth: ArrayLike, timestamp: float | None = None) -> None:
        """An array for the channel "depth"."""
        self.set_array("depth", depth, timestamp)

    def set_pointcloud(self, pc: ArrayLike, timestamp: float | None = None) -> None:
        """An array for the channel "pointcloud"."""
        self.set_array("pointcloud", pc, timestamp)

    def set_mask(self, mask: ArrayLike, timestamp: float | None = None) -> None:
        """An array for the channel "mask"."""
        self.set_array("mask", mask, timestamp)

    def set_array(self, name: str, array: ArrayLike, timestamp: float | None = None) -> None:
        """An array of up to 5 dimensions, of any strides and byte order, for a channel of any name.

        ValueError: another shape than the channel's first, a dtype that does not cast safely to the first's, one that the format does not have.
        Where the lock cannot be had within a second, the array is left out with a RuntimeWarning.
        """
        data = self._fit(name, np.asarray(array))
        if self._writer is None:
            self._writer = slipring.Writer(self.base_name, mode=self._mode)
        try:
            self._writer.set_array(name, data, timestamp)
        except BlockingIOError as error:
            warnings.warn(f"an array for {self.base_name}/{name} was left out: {error.strerror}", RuntimeWarning, stacklevel=2)

    def _fit(self, name: str, data: _Array) -> _Array:
        """The array as the channel takes it; at its first, what it takes is noted."""
        native = data.dtype.newbyteorder("=")
        if name not in self._kinds:
            if native not in DTYPES:
                raise ValueError(f"dtype {data.dtype} is not one of the format's: {', '.join(map(str, DTYPES))}")
            if data.ndim > MAX_DIMS:
                raise ValueError(f"an array of {data.ndim} dimensions; the format has up to {MAX_DIMS}")
            self._kinds[name] = data.shape, native
        shape, dtype = self._kinds[name]
        if data.shape != shape:
            raise ValueError(f"the shape of {self.base_name}/{name} changed from {shape} to {data.shape}; it is fixed by a channel's first array")
        if native != dtype and not np.can_cast(native, dtype):
            raise ValueError(f"{self.base_name}/{name} has dtype {dtype}, to which {data.dtype} does not cast safely")
        return data.astype(dtype, copy=False)

    def cleanup(self) -> None:
        """Takes the channels away. A later set_* makes them anew."""
        writer, self._writer = getattr(self, "_writer", None), None
        if writer is not None:
            writer.close()
            self._kinds.clear()

    def __del__(self) -> None:
        self.cleanup()


class PosixIPCReader:
    """Reads channels of a base name, which need not exist yet, and follows their writers through restarts. Any thread."""

    def __init__(self, base_name: str, *, mode: str | None = None) -> None:
        self.base_name = base_name
        self._mode = _mode(mode)
        self._lock = threading.Lock()
        self._reader: slipring.Reader | None = slipring.Reader(base_name, mode=self._mode)

    def _use(self) -> slipring.Reader:
        if self._reader is None:
            self._reader = slipring.Reader(self.base_name, mode=self._mode)
        return self._reader

    def _frame(self, name: str) -> slipring.Frame | None:
        with self._lock:
            try:
                return self._use().latest(name)
            except OSError as error:
                if error.errno != errno.EBADMSG:
                    raise
                warnings.warn(f"{self.base_name}/{name} cannot be read: {error.strerror}", RuntimeWarning, stacklevel=4)
                return None

    def get_image(self, return_timestamp: bool = False) -> Any:
        """The latest array of "image", a copy of the caller's own; None where there is none, or where the lock is taken.

        With return_timestamp, (array, seconds since the epoch), or (None, None).
        """
        return self.get_array("image", return_timestamp)

    def get_depth(self, return_timestamp: bool = False) -> Any:
        """The latest array of "depth"."""
        return self.get_array("depth", return_timestamp)

    def get_pointcloud(self, return_timestamp: bool = False) -> Any:
        """The latest array of "pointcloud"."""
        return self.get_array("pointcloud", return_timestamp)

    def get_mask(self, return_timestamp: bool = False) -> Any:
        """The latest array of "mask"."""
        return self.get_array("mask", return_timestamp)

    @overload
    def get_array(self, name: str, return_timestamp: Literal[False] = False) -> _Array | None: ...
    @overload
    def get_array(self, name: str, return_timestamp: bool) -> Any: ...
    def get_array(self, name: str, return_timestamp: bool = False) -> Any:
        """The latest array of a channel, as get_image."""
        frame = self._frame(name)
        if frame is None:
            return (None, None) if return_timestamp else None
        # A private frame's memory is the caller's already.
        array = frame.array if frame.private else np.array(frame.array)
        return (array, frame.timestamp) if return_timestamp else array

    def get_shape(self, name: str) -> tuple[int, ...] | None:
        """Elements along each dimension; None where there is no channel."""
        with self._lock:
            return self._use().get_shape(name)

    def get_dtype(self, name: str) -> np.dtype[Any] | None:
        """The element type; None where there is no channel."""
        with self._lock:
            return self._use().get_dtype(name)

    def get_ndim(self, name: str) -> int | None:
        """The number of dimensions; None where there is no channel."""
        with self._lock:
            return self._use().get_ndim(name)

    def wait_for_array(self, name: str, timeout: float = 5.0) -> bool:
        """Waits until the channel exists and has an array; False after timeout seconds."""
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                if self._use().wait_for_array(name, 0):
                    return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, POLL_S))

    def close(self) -> None:
        """Detaches. A later get_* attaches again."""
        with self._lock:
            reader, self._reader = self._reader, None
            if reader is not None:
                reader.close()

    def __del__(self) -> None:
        if hasattr(self, "_reader"):
            self.close()
