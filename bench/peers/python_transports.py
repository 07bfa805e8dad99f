"""The ways for frames to go from one Python process to others: what struct transport is in C. SPDX-License-Identifier: Apache-2.0"""

from __future__ import annotations

import importlib.util
import multiprocessing
import platform
import queue
import signal
import struct
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

SPIN, SLEEP, COPY, LOAN, FANOUT = 1, 2, 4, 8, 16
now_ns = time.monotonic_ns
FORK = multiprocessing.get_context("fork")


@dataclass
class Setup:
    name: str
    size: int
    readers: int
    spin: bool
    loan: bool
    under_way: int  # frames that a slow reader may be behind


class Transport:
    """One way for frames to go; made before the processes part, then each opens its end. Python's struct transport."""

    name = how = version = ""
    can = SPIN | SLEEP | COPY | FANOUT
    largest = 0
    needs: tuple[str, ...] = ()  # modules
    has_thread = False  # the writer's process has another thread, which cannot run while the writer keeps the interpreter's lock

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def destroy(self) -> None:
        pass

    def open_writer(self) -> None:
        pass

    def send(self, frame: Bytes) -> None:
        raise NotImplementedError

    def loan(self) -> Bytes:
        raise NotImplementedError

    def publish(self) -> None:
        raise NotImplementedError

    def close_writer(self) -> None:
        pass

    def open_reader(self, reader: int) -> None:
        pass

    def receive(self, limit_ns: int) -> Optional[Bytes]:
        raise NotImplementedError

    def release(self) -> None:
        pass

    def close_reader(self) -> None:
        pass


def next_of(inbox: Any, spin: bool, limit_ns: int) -> Any:
    """What a multiprocessing.Queue has next; None where nothing came in time."""
    if not spin:
        try:
            return inbox.get(timeout=limit_ns / 1e9)
        except queue.Empty:
            return None
    until = now_ns() + limit_ns
    while inbox.empty():
        if now_ns() >= until:
            return None
    return inbox.get()


class ThroughQueue(Transport):
    name = "multiprocessing.Queue"
    how = "an array through a bounded Queue for each reader, copied first: the queue's thread pickles it later"
    version = f"Python {platform.python_version()}"
    has_thread = True

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.queues = [FORK.Queue(setup.under_way) for _ in range(setup.readers)]

    def send(self, frame: Bytes) -> None:
        if self.queues:
            copy = frame.copy()
            for one in self.queues:
                one.put(copy)

    def close_writer(self) -> None:
        for one in self.queues:
            one.close()
            one.join_thread()  # all is in the pipes then: no reader waits for the rest of a frame

    def open_reader(self, reader: int) -> None:
        self.mine = self.queues[reader]

    def receive(self, limit_ns: int) -> Optional[Bytes]:
        frame: Optional[Bytes] = next_of(self.mine, self.setup.spin, limit_ns)
        return frame


class SharedBlocks(Transport):
    """multiprocessing.shared_memory cut into blocks that are used in turn; only a block's number goes through a queue or a pipe."""

    can = SPIN | SLEEP | COPY | LOAN | FANOUT
    version = f"Python {platform.python_version()}"

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.pitch = -(-setup.size // 4096) * 4096
        self.count = setup.under_way + 2  # those in the queue, one that is read, one that is written
        self.memory = SharedMemory(create=True, size=self.pitch * self.count, name=setup.name)
        self.at = 0
        self.blocks: list[Bytes] = []

    def destroy(self) -> None:
        self.memory.close()
        self.memory.unlink()

    def map_blocks(self) -> None:
        self.blocks = [np.ndarray(self.setup.size, np.uint8, self.memory.buf, i * self.pitch) for i in range(self.count)]

    def open_writer(self) -> None:
        self.map_blocks()
        for block in self.blocks:
            block[:] = 0

    def send(self, frame: Bytes) -> None:
        np.copyto(self.blocks[self.at], frame)
        self.publish()

    def loan(self) -> Bytes:
        return self.blocks[self.at]

    def publish(self) -> None:
        self.tell(self.at)
        self.at = (self.at + 1) % self.count

    def tell(self, block: int) -> None:
        raise NotImplementedError

    def open_reader(self, reader: int) -> None:
        self.map_blocks()
        for block in self.blocks:
            block[::4096].max()  # every page once

    def receive(self, limit_ns: int) -> Optional[Bytes]:
        block = self.hear(limit_ns)
        return None if block is None else self.blocks[block]

    def hear(self, limit_ns: int) -> Optional[int]:
        raise NotImplementedError

    def close_writer(self) -> None:
        self.blocks.clear()

    close_reader = close_writer


class BlocksAndQueue(SharedBlocks):
    name = "shared_memory + Queue"
    how = "blocks in turn, their numbers through a bounded Queue for each reader; the writer waits where one is full"
    has_thread = True

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.queues = [FORK.Queue(setup.under_way) for _ in range(setup.readers)]

    def tell(self, block: int) -> None:
        for one in self.queues:
            one.put(block)

    def close_writer(self) -> None:
        super().close_writer()
        for one in self.queues:
            one.close()
            one.join_thread()  # all is in the pipes then: no reader waits for the rest of a frame

    def open_reader(self, reader: int) -> None:
        super().open_reader(reader)
        self.mine = self.queues[reader]

    def hear(self, limit_ns: int) -> Optional[int]:
        block: Optional[int] = next_of(self.mine, self.setup.spin, limit_ns)
        return block


class BlocksAndPipe(SharedBlocks):
    name = "shared_memory + Pipe"
    how = "blocks in turn, their numbers through a Pipe for each reader; nothing keeps the writer out of a block that is read"

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.pipes: list[tuple[Connection, Connection]] = [FORK.Pipe(duplex=False) for _ in range(setup.readers)]

    def open_writer(self) -> None:
        super().open_writer()
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        for of_reader, _ in self.pipes:
            of_reader.close()

    def tell(self, block: int) -> None:
        for _, of_writer in self.pipes:
            try:
                of_writer.send(block)
            except BrokenPipeError:  # of a reader that has ended
                pass

    def open_reader(self, reader: int) -> None:
        super().open_reader(reader)
        self.mine = self.pipes[reader][0]
        for number, (of_reader, of_writer) in enumerate(self.pipes):
            of_writer.close()
            if number != reader:
                of_reader.close()

    def hear(self, limit_ns: int) -> Optional[int]:
        if self.setup.spin:
            until = now_ns() + limit_ns
            while not self.mine.poll():
                if now_ns() >= until:
                    return None
        elif not self.mine.poll(limit_ns / 1e9):
            return None
        try:
            block: int = self.mine.recv()
        except EOFError:
            return None
        return block


class Slipring(Transport):
    name = "slipring (Python)"
    how = "Writer.set_array or Writer.loan, Reader.next; numpy views of shared memory"
    can = SPIN | SLEEP | COPY | LOAN | FANOUT
    needs = ("slipring",)

    def destroy(self) -> None:
        import slipring

        if slipring.channels(self.setup.name):  # of a writer that died: taken over, and closed
            with slipring.Writer(self.setup.name) as writer:
                writer.create("a", self.setup.size, "uint8")

    def open_writer(self) -> None:
        import slipring

        # A frame that each reader holds, those that a slow one may be behind, the loan: then a slot is always free.
        slots = self.setup.readers + self.setup.under_way + 1
        self.writer = slipring.Writer(self.setup.name, slots=slots, leases_per_reader=1, prefault=True)
        self.writer.create("a", self.setup.size, "uint8")

    def send(self, frame: Bytes) -> None:
        self.writer.set_array("a", frame)

    def loan(self) -> Bytes:
        self.loaned = self.writer.loan("a", self.setup.size, "uint8")
        array: Bytes = self.loaned.array
        return array

    def publish(self) -> None:
        self.loaned.publish()

    def close_writer(self) -> None:
        self.writer.close()

    def open_reader(self, reader: int) -> None:
        import slipring

        self.reader = slipring.Reader(self.setup.name, mode="lock-free", prefault=True, spin=3600.0 if self.setup.spin else 0.0)

    def receive(self, limit_ns: int) -> Optional[Bytes]:
        try:
            self.held = self.reader.next("a", limit_ns / 1e9)
        except (TimeoutError, BrokenPipeError):
            return None
        array: Bytes = self.held.array
        return array

    def release(self) -> None:
        self.held.release()

    def close_reader(self) -> None:
        self.reader.close()


class PosixIpc(Transport):
    """The semaphore wire format as its own programs speak it: tests/python/peer.py, written from its description alone."""

    name = "PosixIPC format (Python)"
    how = "one buffer under a semaphore, copied in and out; a reader asks for a newer time stamp, every millisecond where it sleeps"
    needs = ("posix_ipc",)

    def destroy(self) -> None:
        load_peer().PeerWriter(self.setup.name).unlink("image")

    def open_writer(self) -> None:
        self.writer = load_peer().PeerWriter(self.setup.name)
        self.send(np.zeros(self.setup.size, np.uint8))

    def send(self, frame: Bytes) -> None:
        self.writer.set("image", frame)

    def close_writer(self) -> None:
        self.writer.close()

    def open_reader(self, reader: int) -> None:
        peer = load_peer()
        self.reader = peer.PeerReader(self.setup.name)
        if not self.reader.attach("image"):
            raise RuntimeError("cannot attach")
        self.stamp = slice(peer.TIMESTAMP_AT, peer.TIMESTAMP_AT + 8)
        self.seen = bytes(8)

    def receive(self, limit_ns: int) -> Optional[Bytes]:
        until = now_ns() + limit_ns
        while True:
            stamp = self.reader.raw("image", self.stamp.stop)[self.stamp]
            if stamp != self.seen:
                got = self.reader.get("image")
                if got is not None:
                    self.seen = struct.pack("=d", got[1])
                    frame: Bytes = got[0]
                    return frame
            if now_ns() >= until:
                return None
            if not self.setup.spin:
                time.sleep(0.001)

    def close_reader(self) -> None:
        self.reader.close()


def load_peer() -> Any:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "python"))
    import peer

    return peer


TRANSPORTS: list[type[Transport]] = [ThroughQueue, BlocksAndQueue, BlocksAndPipe, Slipring, PosixIpc]


def here() -> list[type[Transport]]:
    return [t for t in TRANSPORTS if all(importlib.util.find_spec(module) for module in t.needs)]


def version_of(transport: type[Transport]) -> str:
    if transport is Slipring:
        import slipring

        return str(slipring.__version__)
    if transport is PosixIpc:
        import posix_ipc

        return f"posix_ipc {posix_ipc.VERSION}"
    return transport.version
