#!/usr/bin/env python3
"""A test peer for the semaphore wire format, written from its description (WIRE.md) alone.

PeerWriter and PeerReader behave as the programs already in the field do, some of their faults included,
so that a library which speaks the format can be tested against them. Needs posix_ipc and numpy.
"""
from __future__ import annotations

import argparse
import json
import logging
import math
import mmap
import os
import signal
import struct
import sys
import time
from typing import Any, Dict, Optional, Sequence, Set, Tuple

import numpy as np
import posix_ipc

MAGIC = 0x12345678
DTYPES = [np.dtype(name) for name in "uint8 int8 uint16 int16 int32 float32 float64 bool".split()]
HEADER = struct.Struct("=3I5Id24s")  # magic, dtype, ndim; dims; timestamp; zero
TIMESTAMP_AT = 32
Shape = Tuple[int, ...]


def view(mapping: mmap.mmap, shape: Shape, dtype: np.dtype) -> np.ndarray:
    """The payload as an array; let go of it before the mapping is closed."""
    return np.ndarray(shape, dtype, buffer=mapping, offset=HEADER.size)


class Peer:
    """What reader and writer share. Once it has a channel's semaphore or mapping it keeps it."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._semaphores: Dict[str, posix_ipc.Semaphore] = {}
        self._mappings: Dict[str, mmap.mmap] = {}

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def name(self, channel: str, kind: str) -> str:
        """The POSIX name of a channel's object; kind is "shm" or "sem"."""
        return f"/{self.base}_{channel}_{kind}"

    def hold(self, channel: str, timeout: Optional[float] = 1.0) -> bool:
        """Take the lock (timeout 0: at once or not at all; None or inf: no limit). False when the time is out."""
        try:
            self._semaphore(channel).acquire(None if timeout in (None, math.inf) else timeout)
        except posix_ipc.BusyError:
            return False
        return True

    def unhold(self, channel: str) -> None:
        """Post the lock, taken or not."""
        self._semaphore(channel).release()

    def value(self, channel: str) -> int:
        """The semaphore's value (ExistentialError if there is none)."""
        return self._semaphore(channel).value

    def raw(self, channel: str, size: Optional[int] = None) -> Optional[bytes]:
        """The (first size) bytes of our mapping or, while we have none, of what the name leads to now: b"" if it
        has no size yet, None if there is no such name. Takes no lock."""
        mapping = self._mappings[channel] if channel in self._mappings else self._map(channel)
        return None if mapping is None else mapping[:size]

    def header(self, channel: str) -> Optional[Dict[str, Any]]:
        """The fields of raw() unchecked, "zero" for bytes 40..63 and "raw" for all 64; None if it is too short."""
        raw = self.raw(channel, HEADER.size) or b""
        if len(raw) < HEADER.size:
            return None
        magic, dtype, ndim, *dims, timestamp, zero = HEADER.unpack(raw)
        return dict(magic=magic, dtype=dtype, ndim=ndim, dims=dims, timestamp=timestamp, zero=zero, raw=raw)

    def close(self) -> None:
        """Let go of every semaphore and mapping; the names stay."""
        for channel in {*self._semaphores, *self._mappings}:
            self._forget(channel)

    def _semaphore(self, channel: str) -> posix_ipc.Semaphore:
        if channel not in self._semaphores:
            self._semaphores[channel] = posix_ipc.Semaphore(self.name(channel, "sem"))
        return self._semaphores[channel]

    def _map(self, channel: str) -> Any:
        """A new read-only mapping of what the name leads to now; b"" if that has no size, None if it is not there."""
        try:
            memory = posix_ipc.SharedMemory(self.name(channel, "shm"), read_only=True)
        except posix_ipc.ExistentialError:
            return None
        try:
            return mmap.mmap(memory.fd, 0, prot=mmap.PROT_READ) if os.fstat(memory.fd).st_size else b""
        finally:
            memory.close_fd()

    def _forget(self, channel: str) -> None:
        for held in (self._semaphores.pop(channel, None), self._mappings.pop(channel, None)):
            if held is not None:
                held.close()


class PeerWriter(Peer):
    """Writes channels. With faulty=True a set() that timed out posts the semaphore it never took (fault 1)."""

    def __init__(self, base: str, faulty: bool = False, mode: int = 0o600) -> None:
        super().__init__(base)
        self.faulty, self.mode = faulty, mode
        self._layouts: Dict[str, Tuple[Shape, np.dtype]] = {}  # of the channels whose header is filled
        self._created: Set[str] = set()

    def set(self, channel: str, array: Any, timestamp: Optional[float] = None,
            timeout: Optional[float] = 1.0) -> bool:
        """Write one frame; False if the lock was not had in time. ValueError for what the channel cannot carry."""
        array = np.asarray(array)
        if channel not in self._layouts:
            self._create(channel, array.shape, array.dtype.newbyteorder("="))
        shape, dtype = self._layouts[channel]
        if array.shape != shape or not np.can_cast(array.dtype, dtype, "safe"):
            raise ValueError(f"{channel}: {array.dtype} {array.shape} is not safely {dtype} {shape}")
        if not self.hold(channel, timeout):
            logging.getLogger("peer").warning("%s: no lock after %s s", channel, timeout)
            if self.faulty:
                self.unhold(channel)
            return False
        try:
            now = time.time() if timestamp is None else timestamp
            struct.pack_into("=d", self._mappings[channel], TIMESTAMP_AT, now)
            view(self._mappings[channel], shape, dtype)[...] = array
        finally:
            self.unhold(channel)
        return True

    def _create(self, channel: str, shape: Shape, dtype: np.dtype) -> None:
        if dtype not in DTYPES or len(shape) > 5:
            raise ValueError(f"{channel}: the format has no {dtype} {shape}")
        self.unlink(channel)
        self.create_semaphore(channel)
        self.create_memory(channel)
        self.size_memory(channel, HEADER.size + math.prod(shape) * dtype.itemsize)
        self.fill_header(channel, shape, dtype)

    # The steps of the first set(), in its order, for tests of half-made channels.

    def unlink(self, channel: str) -> None:
        """Let go of our objects and remove whatever is left under both names."""
        self._forget(channel)
        for unlink, kind in ((posix_ipc.unlink_semaphore, "sem"), (posix_ipc.unlink_shared_memory, "shm")):
            try:
                unlink(self.name(channel, kind))
            except posix_ipc.ExistentialError:
                pass

    def create_semaphore(self, channel: str, value: int = 1) -> None:
        """Create the semaphore (ExistentialError if the name is taken)."""
        name = self.name(channel, "sem")
        self._semaphores[channel] = posix_ipc.Semaphore(name, posix_ipc.O_CREX, self.mode, value)
        self._created.add(channel)

    def create_memory(self, channel: str) -> None:
        """Create the shared memory, of size 0 (ExistentialError if the name is taken)."""
        posix_ipc.SharedMemory(self.name(channel, "shm"), posix_ipc.O_CREX, self.mode).close_fd()
        self._created.add(channel)

    def size_memory(self, channel: str, size: int) -> None:
        """Size the shared memory that the name leads to and map it: all zero, no magic yet."""
        memory = posix_ipc.SharedMemory(self.name(channel, "shm"))
        try:
            os.ftruncate(memory.fd, size)
            self._mappings[channel] = mmap.mmap(memory.fd, size)
        finally:
            memory.close_fd()

    def fill_header(self, channel: str, shape: Sequence[int], dtype: Any, /, **forged: Any) -> None:
        """Fill the header, after sizing the memory if we have not; forged: fields of header() to falsify."""
        shape, dtype = tuple(shape), np.dtype(dtype)
        if channel not in self._mappings:
            self.size_memory(channel, HEADER.size + math.prod(shape) * dtype.itemsize)
        dims = [*shape, *[0] * (5 - len(shape))]
        fields = dict(magic=MAGIC, dtype=DTYPES.index(dtype), ndim=len(shape), dims=dims, timestamp=0.0, zero=bytes(24))
        magic, code, ndim, dims, timestamp, zero = {**fields, **forged}.values()
        HEADER.pack_into(self._mappings[channel], 0, magic, code, ndim, *dims, timestamp, zero)
        self._layouts[channel] = shape, dtype

    def _forget(self, channel: str) -> None:
        super()._forget(channel)
        self._layouts.pop(channel, None)

    def close(self, unlink: bool = True) -> None:
        """Unlink both names of every channel we created; with unlink=False leave them, as a killed writer does."""
        super().close()
        while self._created:
            channel = self._created.pop()
            if unlink:
                self.unlink(channel)


class PeerReader(Peer):
    """Reads channels. It keeps what it attached to, even when the writer has gone or restarted (fault 3)."""

    def attach(self, channel: str) -> bool:
        """Let go of what we have and attach to what the names lead to now; False when it is not there yet."""
        self._forget(channel)
        mapping = self._map(channel)
        if not mapping or len(mapping) < HEADER.size or mapping[:4] != struct.pack("=I", MAGIC):
            return False
        try:
            self._semaphore(channel)
        except posix_ipc.ExistentialError:
            return False
        self._mappings[channel] = mapping
        return True

    def get(self, channel: str, timeout: Optional[float] = 1.0) -> Optional[Tuple[np.ndarray, float]]:
        """A copy of the frame and its timestamp; None when it is not there or the lock not had in time."""
        if not (channel in self._mappings or self.attach(channel)) or not self.hold(channel, timeout):
            return None
        try:
            header = self.header(channel)  # trusted (fault 5): a nonsense one raises
            shape, dtype = tuple(header["dims"][:header["ndim"]]), DTYPES[header["dtype"]]
            return view(self._mappings[channel], shape, dtype).copy(), header["timestamp"]
        finally:
            self.unhold(channel)


def hold(peer: Peer, args: argparse.Namespace) -> bool:
    """Hold the lock until a line or the end of stdin or, where that is /dev/null, until killed."""
    try:
        if not peer.hold(args.channel, args.timeout):
            return False
    except posix_ipc.ExistentialError:
        return False
    try:
        print("held", flush=True)
        if not sys.stdin.readline() and os.path.samestat(os.fstat(0), os.stat(os.devnull)):
            signal.pause()
    finally:
        peer.unhold(args.channel)
    return True


def write(writer: PeerWriter, args: argparse.Namespace) -> bool:
    """Write the frames, true if none of them timed out."""
    writer.faulty, missed = args.faulty, 0
    for k in range(args.count):
        frame = np.full(args.shape, k % 256).astype(args.dtype)
        missed += not writer.set(args.channel, frame, 1000.0 + k, args.timeout)
        if k == 0:
            print("ready", flush=True)
        time.sleep(args.interval)
    return (not args.hold or hold(writer, args)) and not missed


def read(reader: PeerReader, args: argparse.Namespace) -> bool:
    """Print the frames, true if each came in time."""
    seen = 0.0  # the timestamp of a channel that nobody has written yet
    for _ in range(args.count):
        deadline = time.monotonic() + args.timeout
        while not (got := reader.get(args.channel, max(0.0, deadline - time.monotonic()))) or got[1] == seen:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.001)
        array, seen = got
        first, last = (array.flat[0].item(), array.flat[-1].item()) if array.size else (None, None)
        print(json.dumps(dict(shape=array.shape, dtype=array.dtype.name, timestamp=seen, first=first, last=last,
                              equal=bool((array == first).all()))), flush=True)
    return True


def main() -> int:
    def shape(text: str) -> Shape:
        return tuple(int(n) for n in text.split(",") if n)

    parser = argparse.ArgumentParser(
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A test peer for the semaphore wire format: BASE and CHANNEL name /BASE_CHANNEL_shm and _sem.",
        epilog="""\
  peer.py write cam image --dtype uint8 --shape 4,5,3 --count 100 --interval 0.05 &
  peer.py write cam image --count 1 --interval 3600 &    one frame that stays
  peer.py read cam image --count 10 --timeout 2
  peer.py hold cam image    until a line or the end of stdin; where stdin is /dev/null, until killed

A writer that ends, or gets SIGINT, removes both names. Any other signal leaves everything as a crash does; a lock
that was held stays taken for ever. Exit status: 0 all well, 1 a lock or frame not had in time, 130 SIGINT.""")
    commands = parser.add_subparsers(required=True, metavar="write|read|hold")

    def command(run: Any, peer: Any, timeout: float, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(run.__name__, help=text, description=text)
        sub.set_defaults(run=run, peer=peer)
        sub.add_argument("base", metavar="BASE")
        sub.add_argument("channel", metavar="CHANNEL")
        sub.add_argument("--timeout", type=float, default=timeout, help="seconds, or inf (default: %(default)s)")
        return sub

    sub = command(write, PeerWriter, 1.0, "Write frames: frame k is full of k mod 256 cast to the dtype, its timestamp "
                  'is 1000 + k. Prints "ready" after the first.')
    sub.add_argument("--dtype", choices=[dtype.name for dtype in DTYPES], default="uint8")
    sub.add_argument("--shape", type=shape, default=(4, 5, 3), help='such as 4,5,3; "" is a scalar (default: 4,5,3)')
    sub.add_argument("--count", type=int, default=1)
    sub.add_argument("--interval", type=float, default=0.1, help="seconds to wait after each frame (default: 0.1)")
    sub.add_argument("--hold", action="store_true", help="after the last frame do what hold does, before the clean end")
    sub.add_argument("--faulty", action="store_true", help="after a time-out post the lock that was never taken")
    sub = command(read, PeerReader, 5.0,
                  "Read frames: a JSON line for each new timestamp, which has --timeout to arrive.")
    sub.add_argument("--count", type=int, default=1)
    command(hold, Peer, 1.0, 'Take the lock, print "held", wait for a line on stdin or death, post.')

    args = parser.parse_args()
    with args.peer(args.base) as peer:
        try:
            return int(not args.run(peer, args))
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
