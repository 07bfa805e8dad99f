"""Transports as Python programs use them, driven and reported as src/measure/drive.c does those in C: python_peers.py --list, or one run

A writer process and reader processes, forked, each on its CPU, on one clock (CLOCK_MONOTONIC). A frame is due at fixed moments; where the
writer gets to it later than 1 us after that, latency counts from when it was due, else from the clock reading that ended the wait. Each
frame begins with that time and its number; readers count the gaps as missed and, with --read-all, compare the rest with the pattern that
the number stands for and count what differs as torn. Frames numbered 0 go round until every reader has had one, and after the last one
those numbered LAST, likewise.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import multiprocessing.connection
import os
import struct
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray
from python_transports import COPY, FANOUT, FORK, LOAN, SLEEP, SPIN, Bytes, Setup, Transport, here, now_ns, version_of

STAMP = struct.Struct("=qQ")  # when the frame was due, its number
LAST = (1 << 64) - 1
PATTERNS = 4
PATIENCE_NS = 10_000_000_000  # a side that hears nothing for so long gives up
READERS_MAX = 62
libc = ctypes.CDLL(None)
libc.memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


class Shared:
    """What the processes of a run tell one another: words of 8 bytes, each written by one of them."""

    def __init__(self, readers: int) -> None:
        words: NDArray[np.int64] = np.frombuffer(mmap.mmap(-1, 4096 * 2), np.int64)
        self.sent = words[0:1]
        self.opened = words[8:9]
        self.closed = words[16:17]
        words = words[24:]
        self.warm, self.done, self.had, self.had_at = (words[k * 64 : k * 64 + readers] for k in range(4))


def patterns(size: int) -> list[Bytes]:
    """What the frames hold after their stamp: no two of them agree at any byte."""
    base = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8)
    return [base + np.uint8(64 * k) for k in range(PATTERNS)]


@dataclass
class Plan:
    transport: Transport
    shared: Shared
    interval_ns: int
    duration_ns: int
    frames: int
    read_all: bool
    one_by_one: bool
    writer_cpu: int
    reader_cpus: list[int]


def clock_cost() -> int:
    """Two clock readings with nothing between them: comes off what is measured between two."""
    return int(np.median([now_ns() - start for start in (now_ns() for _ in range(1001))]))


class Giver:
    """The writer's side."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.frames = patterns(plan.transport.setup.size)
        self.clock_ns = clock_cost()
        self.loaned: Optional[Bytes] = None
        self.costs: list[int] = []
        self.lasts: list[int] = []

    def make_ready(self) -> None:
        if self.plan.transport.setup.loan and self.loaned is None:
            self.loaned = self.plan.transport.loan()

    def give(self, seq: int, sent_ns: int) -> int:
        """Passes one frame on; when that began."""
        transport, source = self.plan.transport, self.frames[seq % PATTERNS]
        self.make_ready()
        if self.loaned is None:
            STAMP.pack_into(source.data, 0, sent_ns, seq)
            start = now_ns()
            transport.send(source)
        else:
            if self.plan.read_all:  # whoever wants all of it must write all of it
                self.loaned[STAMP.size :] = source[STAMP.size :]
            STAMP.pack_into(self.loaned.data, 0, sent_ns, seq)
            self.loaned = None
            start = now_ns()
            transport.publish()
        if 0 < seq < LAST:
            self.costs.append(max(0, now_ns() - start - self.clock_ns))
        return start

    def give_until(self, seq: int, are: NDArray[np.int64]) -> None:
        patience = now_ns() + PATIENCE_NS
        while not are.all():
            if now_ns() > patience:
                raise TimeoutError(f"{int((are == 0).sum())} of {are.size} readers {'get no frame' if seq == 0 else 'do not end'}")
            self.give(seq, now_ns())
            time.sleep(0.001)

    def give_all(self) -> tuple[int, float]:
        """How many, and in how many seconds."""
        plan = self.plan
        due = start = begin = now_ns()
        end = begin + (plan.duration_ns or 1 << 62)
        seq = 0
        while (seq < plan.frames or plan.frames == 0) and start < end:
            now = now_ns()
            if plan.interval_ns:
                due += plan.interval_ns
                if plan.one_by_one and now > due:
                    due = now  # the schedule is the readers'
                self.make_ready()
                while (now := now_ns()) < due:
                    self.let_go()
            seq += 1
            start = self.give(seq, due if plan.interval_ns and now - due > 1000 else now)
            if plan.one_by_one:
                self.await_all(seq, start)
        return seq, (now_ns() - begin) / 1e9

    def await_all(self, seq: int, start: int) -> None:
        """Waits until all have it, a second at most: a frame that was lost holds nobody up for ever."""
        shared, until = self.plan.shared, start + 1_000_000_000
        while (shared.had < seq).any():
            if now_ns() > until:
                return
            self.let_go()
        self.lasts.append(max(0, int(shared.had_at.max(initial=start)) - start))

    def let_go(self) -> None:
        if self.plan.transport.has_thread:
            time.sleep(0)


def write(plan: Plan, results: Connection) -> None:
    transport, shared = plan.transport, plan.shared
    if plan.writer_cpu >= 0:
        os.sched_setaffinity(0, {plan.writer_cpu})
    giver = Giver(plan)
    transport.open_writer()
    shared.opened[0] = 1
    giver.give_until(0, shared.warm)
    sent, seconds = giver.give_all()
    shared.sent[0] = sent
    giver.give_until(LAST, shared.done)
    giver.loaned = None
    transport.close_writer()
    shared.closed[0] = 1
    results.send((sent, seconds, np.array(giver.costs, np.int64), np.array(giver.lasts, np.int64)))


def read(plan: Plan, reader: int, results: Connection) -> None:
    """Takes frames until the writer has gone: one that waits for room must not be held up by frames that nobody takes."""
    transport, shared = plan.transport, plan.shared
    if plan.reader_cpus:
        os.sched_setaffinity(0, {plan.reader_cpus[reader % len(plan.reader_cpus)]})
    expected = patterns(transport.setup.size) if plan.read_all else []
    places = [frame.ctypes.data + STAMP.size for frame in expected]
    rest = transport.setup.size - STAMP.size
    latencies: list[int] = []
    missed = torn = newest = 0
    transport.open_reader(reader)
    patience = now_ns() + PATIENCE_NS
    while not shared.closed[0]:
        frame = transport.receive(100_000_000)
        at = now_ns()
        if frame is None:
            if at > patience:
                raise TimeoutError(f"reader {reader} gets no frame")
            continue
        sent_ns, seq = STAMP.unpack_from(frame.data)
        whole = True
        if plan.read_all and 0 < seq < LAST:
            whole = libc.memcmp(frame.ctypes.data + STAMP.size, places[seq % PATTERNS], rest) == 0
            at = now_ns()
        del frame
        transport.release()
        patience = at + PATIENCE_NS
        shared.warm[reader] = 1
        if seq == LAST:
            if not shared.done[reader]:
                missed += int(shared.sent[0]) - newest
            shared.done[reader] = 1
        elif seq > newest:  # a block that nothing protects may hold a later frame than the one that was told of, which then comes again
            missed += seq - newest - 1
            newest = seq
            torn += not whole
            latencies.append(max(0, at - sent_ns))
            shared.had_at[reader] = at
            shared.had[reader] = seq
    transport.close_reader()
    results.send((len(latencies), missed, torn, np.array(latencies, np.int64)))


def child(work: Callable[..., None], *arguments: Any) -> None:
    try:
        work(*arguments)
    except BaseException as error:  # whatever it is, the last line on stderr says it
        traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def summary(values: NDArray[np.int64]) -> dict[str, Any]:
    """As histogram.h has it: cells of three significant digits, each by the greatest value that falls into it."""
    if values.size == 0:
        return {"count": 0, "min": 0, "p50": 0, "p90": 0, "p99": 0, "p99_9": 0, "max": 0, "mean": 0.0, "cells": []}
    values = np.maximum(values, 0)
    shift = np.maximum(np.frexp(values.astype(np.float64))[1] - 11, 0)
    cells, counts = np.unique((((values >> shift) + 1) << shift) - 1, return_counts=True)
    p50, p90, p99, p99_9 = (int(v) for v in np.percentile(values, [50, 90, 99, 99.9], method="inverted_cdf"))
    return {
        "count": int(values.size),
        "min": int(values.min()),
        "p50": p50,
        "p90": p90,
        "p99": p99,
        "p99_9": p99_9,
        "max": int(values.max()),
        "mean": float(values.mean()),
        "cells": [[int(v), int(n)] for v, n in zip(cells, counts)],
    }


def run(plan: Plan) -> Optional[dict[str, Any]]:
    """Forks, waits, adds up; None where a side failed."""
    setup, processes, ends = plan.transport.setup, [], []

    def start(work: Callable[..., None], *arguments: Any) -> None:
        mine, theirs = FORK.Pipe(duplex=False)
        processes.append(FORK.Process(target=child, args=(work, plan, *arguments, theirs), daemon=True))
        ends.append(mine)
        processes[-1].start()
        theirs.close()

    results: dict[int, Any] = {}
    try:
        start(write)
        patience = now_ns() + PATIENCE_NS
        while not plan.shared.opened[0]:
            if processes[0].exitcode is not None or now_ns() > patience:
                return None
            time.sleep(0.001)
        for reader in range(setup.readers):
            start(read, reader)
        while len(results) < len(processes):
            for one in multiprocessing.connection.wait([end for k, end in enumerate(ends) if k not in results]):
                assert isinstance(one, Connection)
                try:
                    results[ends.index(one)] = one.recv()
                except EOFError:
                    return None
    finally:
        for k, process in enumerate(processes):
            if k in results:
                process.join(2)
            if process.exitcode is None:
                process.kill()
                process.join()
    sent, seconds, costs, lasts = results.pop(0)
    readers = list(results.values())
    latencies = np.concatenate([r[3] for r in readers]) if readers else np.zeros(0, np.int64)
    got, missed, torn = (sum(r[k] for r in readers) for k in range(3))
    return {
        "transport": plan.transport.name,
        "version": version_of(type(plan.transport)),
        "how": plan.transport.how,
        "size": setup.size,
        "waiting": "spin" if setup.spin else "sleep",
        "give": "loan" if setup.loan else "copy",
        "readers": setup.readers,
        "interval_ns": plan.interval_ns,
        "read_all": plan.read_all,
        "one_by_one": plan.one_by_one,
        "sent": sent,
        "got": got,
        "missed": missed,
        "torn": torn,
        "least_got": min((r[0] for r in readers), default=0),
        "seconds": seconds,
        "latency": summary(latencies),
        "cost": summary(costs),
        "last": summary(lasts) if plan.one_by_one else None,
    }


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--list", action="store_true", help="what the transports here can do, as JSON")
    options.add_argument("--transport")
    options.add_argument("--size", type=int, default=64)
    options.add_argument("--waiting", choices=["spin", "sleep"], default="spin")
    options.add_argument("--give", choices=["copy", "loan"], default="copy")
    options.add_argument("--readers", type=int, default=1)
    options.add_argument("--under-way", type=int, default=4)
    options.add_argument("--interval-ns", type=int, default=0)
    options.add_argument("--frames", type=int, default=0)
    options.add_argument("--duration-ns", type=int, default=0)
    options.add_argument("--read-all", action="store_true")
    options.add_argument("--one-by-one", action="store_true")
    options.add_argument("--writer-cpu", type=int, default=-1)
    options.add_argument("--reader-cpus", default="")
    asked = options.parse_args()
    if asked.list:
        print(
            json.dumps(
                [
                    {
                        "transport": t.name,
                        "version": version_of(t),
                        "how": t.how,
                        "spin": bool(t.can & SPIN),
                        "sleep": bool(t.can & SLEEP),
                        "copy": bool(t.can & COPY),
                        "loan": bool(t.can & LOAN),
                        "fanout": bool(t.can & FANOUT),
                        "largest": t.largest,
                    }
                    for t in here()
                ]
            )
        )
        return 0
    kind = next((t for t in here() if t.name == asked.transport), None)
    if kind is None:
        options.error(f"there is no transport '{asked.transport}'; see --list")
    if asked.size < STAMP.size or not 0 <= asked.readers <= READERS_MAX or not (asked.frames > 0 or asked.duration_ns > 0):
        options.error(f"--size is at least {STAMP.size}, --readers at most {READERS_MAX}, and --frames or --duration-ns must be set")
    wanted = (SPIN if asked.waiting == "spin" else SLEEP) | (LOAN if asked.give == "loan" else COPY) | (FANOUT if asked.readers > 1 else 0)
    if wanted & ~kind.can or 0 < kind.largest < asked.size:
        print(f"{kind.name} cannot do this", file=sys.stderr)
        return 3
    setup = Setup(f"bench-{os.getpid()}-py", asked.size, asked.readers, asked.waiting == "spin", asked.give == "loan", asked.under_way)
    cpus = [int(cpu) for cpu in asked.reader_cpus.split(",") if cpu]
    transport = kind(setup)
    try:
        result = run(
            Plan(
                transport,
                Shared(asked.readers),
                asked.interval_ns,
                asked.duration_ns,
                asked.frames,
                asked.read_all,
                asked.one_by_one,
                asked.writer_cpu,
                cpus,
            )
        )
    finally:
        transport.destroy()
    if result is None:
        return 1
    print(json.dumps(result, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
