"""What a 1080p frame costs in Python, each figure beside np.copyto of the same bytes in the same run: frames.py [--quick] [--json]

A ring that nobody reads in order goes round two slots, so a copy in stands beside np.copyto into two buffers in turn; the others beside one buffer.

Every row is measured once a round, one after the other, and the rounds go through all rows, so that a slow moment of the machine hits all alike. A
figure is the median of the rounds. Writer and reader are in one process: what is measured is the calls, not the scheduler.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np

import slipring

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "python"))
from peer import PeerReader, PeerWriter  # noqa: E402  the format as its own programs speak it, from its description alone

SHAPE = (1080, 1920, 3)
PLAIN, PLAIN_IN_TURN, SET = "np.copyto", "np.copyto, two buffers", "set_image"


def timed(call, seconds: float) -> float:
    """Nanoseconds a call, over so many seconds at least."""
    calls = 1
    while True:
        start = time.perf_counter_ns()
        for _ in range(calls):
            call()
        spent = time.perf_counter_ns() - start
        if spent >= seconds * 1e9:
            return spent / calls
        calls = max(calls + 1, int(calls * min(10.0, seconds * 1.2e9 / max(spent, 1))))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="short rounds: whether it runs, not what it costs")
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    seconds, rounds = (0.005, 3) if asked.quick else (0.05, 9)

    base = f"bench-{os.getpid()}"
    image = np.random.default_rng(1).integers(0, 255, SHAPE, dtype=np.uint8)
    copies = [np.zeros_like(image), np.zeros_like(image)]
    turns = itertools.cycle(copies)
    writer, reader = slipring.Writer(base, prefault=True), slipring.Reader(base, mode="lock-free", prefault=True)
    locked, locked_reader = slipring.Writer(base, mode="semaphore", prefault=True), slipring.Reader(base, mode="semaphore")
    peer, peer_reader = PeerWriter(base + "-peer"), PeerReader(base + "-peer")
    queue = multiprocessing.Queue()
    for first in (lambda: writer.set_image(image), lambda: locked.set_image(image), lambda: peer.set("image", image)):
        first()

    def lease() -> None:
        reader.latest("image").release()

    def view() -> None:
        frame = reader.latest("image")
        frame.array
        frame.release()

    def through_queue() -> None:
        queue.put(image)
        queue.get()

    rows = {
        PLAIN: lambda: np.copyto(copies[0], image),
        PLAIN_IN_TURN: lambda: np.copyto(next(turns), image),
        "latest() and release()": lease,
        "the same, and .array": view,
        SET: lambda: writer.set_image(image),
        "get_image(copy=True)": lambda: reader.get_image(),
        "set_image, semaphore mode": lambda: locked.set_image(image),
        "get_image, semaphore mode": lambda: locked_reader.get_image(),
        "set, the format's own way": lambda: peer.set("image", image),
        "get, the format's own way": lambda: peer_reader.get("image"),
        "multiprocessing.Queue, put and get": through_queue,
    }
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, call in rows.items():
            times[name].append(timed(call, seconds))
    queue.close()
    queue.join_thread()
    for closing in (reader, writer, locked_reader, locked, peer_reader, peer):
        closing.close()

    medians = {name: statistics.median(of) for name, of in times.items()}
    beside = {name: PLAIN_IN_TURN if name in (SET, PLAIN_IN_TURN) else PLAIN for name in medians}
    if asked.json:
        figures = [(name, ns, beside[name], medians[beside[name]]) for name, ns in medians.items()]
        print(json.dumps([{"figure": f, "ns": t, "beside": b, "beside_ns": p, "ratio": t / p} for f, t, b, p in figures], indent=1))
        return
    print(f"{'Python, a 1920x1080x3 frame':42}{'time':>10}   {'beside':24}ratio")
    for name, ns in medians.items():
        text = f"{ns / 1000:.2f} us" if ns < 1e6 else f"{ns / 1e6:.2f} ms"
        print(f"{name:42}{text:>10}   {beside[name]:24}{ns / medians[beside[name]]:.3f}")
    print(f"\nPython {platform.python_version()}, numpy {np.__version__}. Medians of {rounds} interleaved rounds of {seconds} s a row, one process; memory is "
          "touched before.")


if __name__ == "__main__":
    main()
