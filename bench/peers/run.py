"""Runs slipring, the machine's limit and all peers, interleaved, and writes what they measured: run.py [--quick] BUILD --out peers.json

BUILD is the folder with the executables peer_NAME; python_peers.py stands beside this file. Every step of the plan (a size, a way of
waiting, a number of readers) goes through all transports, in an order shuffled anew each time, before the next step begins, and all of that
is one round: a slow moment of the machine hits all alike. Where a transport cannot keep up with an interval, the first round finds one that
it can, and the result says so. A peer that fails is recorded as failed; what is not built, as not here.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import json
import os
import platform
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

# What there could be: a program, the transports that it has, and what it needs.
EXPECTED: dict[str, tuple[list[str], str]] = {
    "peer_plain": (["plain"], ""),
    "peer_slipring": (["slipring"], ""),
    "peer_pipe": (["pipe"], ""),
    "peer_unix_socket": (["UNIX socket"], ""),
    "peer_posix_mq": (["POSIX mq"], "a kernel with POSIX message queues"),
    "peer_semaphore": (["semaphore"], ""),
    "peer_boost_mq": (["Boost mq"], "libboost-dev"),
    "peer_zeromq": (["ZeroMQ"], "libzmq3-dev"),
    "peer_cyclonedds": (["Cyclone DDS", "Cyclone DDS, shared memory"], "cyclonedds-dev"),
    "peer_fastdds": (["Fast DDS"], "libfastrtps-dev"),
    "peer_gstreamer": (["GStreamer shmsink"], "libgstreamer1.0-dev, libgstreamer-plugins-base1.0-dev, gstreamer1.0-plugins-bad"),
    "peer_iceoryx": (["iceoryx"], "libiceoryx-posh-dev"),
    "peer_iceoryx2": (["iceoryx2"], "cargo, and the crate iceoryx2"),
    "peer_aeron": (["Aeron"], "cargo, cmake, and the crate rusteron-media-driver"),
    "python_peers.py": (
        ["multiprocessing.Queue", "shared_memory + Queue", "shared_memory + Pipe", "slipring (Python)", "PosixIPC format (Python)"],
        "a Python with numpy, posix_ipc and slipring's wheel",
    ),
}

VGA, HD, UHD = 640 * 480 * 3, 1920 * 1080 * 3, 3840 * 2160 * 3
HUNG = "hung; killed"
US, MS, S = 1000, 1_000_000, 1_000_000_000


@dataclass(frozen=True)
class Step:
    """One kind of run, the same for every transport that can do it."""

    kind: str  # latency, sleep, cost, stream
    size: int
    waiting: str
    give: str  # "loan?" is a loan where the transport can, else a copy; "copy?" the other way about
    readers: int
    interval_ns: int
    duration_ns: int
    read_all: bool = False
    one_by_one: bool = False

    def give_by(self, transport: dict[str, Any]) -> Optional[str]:
        """How this transport gives in this step; None where it can't do it."""
        size_fits = not transport["largest"] or self.size <= transport["largest"]
        if not transport[self.waiting] or not size_fits or (self.readers > 1 and not transport["fanout"]):
            return None
        if self.give.endswith("?"):
            first = self.give[:-1]
            return first if transport[first] else "loan" if first == "copy" else "copy"
        return self.give if transport[self.give] else None


def steps_of(quick: bool) -> list[Step]:
    steps = []
    # Large frames wait until the reader has the one before: what queues says nothing about the way.
    pace = {64: 100 * US, 4096: 100 * US, 65536: 100 * US, 1 << 20: MS, HD: 2 * MS, UHD: 8 * MS}
    for size in [64, HD] if quick else pace:
        for give in ["copy", "loan"]:
            long = (150 if quick else 400) * MS if size <= 65536 else (200 if quick else 500) * MS
            steps.append(Step("latency", size, "spin", give, 1, pace[size], long, one_by_one=size > 65536))
    for size in [64] if quick else [64, HD]:
        interval = MS if size == 64 else 4 * MS
        steps.append(Step("sleep", size, "sleep", "copy?", 1, interval, (200 if quick else 500) * MS, one_by_one=size > 65536))
    for readers in [1, 8] if quick else [0, 1, 2, 4, 8, 16]:
        for waiting in ["spin"] if quick or readers == 0 else ["spin", "sleep"]:
            steps.append(Step("cost", 64, waiting, "loan?", readers, MS, (100 if quick else 250) * MS))
    for size in [HD] if quick else [VGA, HD, UHD]:
        steps.append(Step("stream", size, "spin", "copy?", 1, 0, (250 if quick else 600) * MS, read_all=True))
    return steps


def first_line(path: str, otherwise: str) -> str:
    try:
        return Path(path).read_text().splitlines()[0] or otherwise
    except (OSError, IndexError):
        return otherwise


def machine(cpus: list[int]) -> dict[str, Any]:
    info = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    info = {key.strip(): value.strip() for key, value in info.items()}
    cache = [first_line(f"/sys/devices/system/cpu/cpu0/cache/index{k}/size", "") for k in range(8)]
    return {
        "cpu": info.get("model name", platform.machine()),
        "virtual": "hypervisor" in info.get("flags", "").split(),
        "kernel": f"{platform.system()} {platform.release()}",
        "cpus": len(cpus),
        "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "cache": next((size for size in reversed(cache) if size), "unknown"),
        "clock": first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", "unknown"),
        "governor": first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "none to set"),
        "isolated": first_line("/sys/devices/system/cpu/isolated", "none"),
        "load": os.getloadavg()[0],
    }


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def median(result: dict[str, Any]) -> int:
    return result["latency"]["p50"] if result["latency"] else 0


class Programs:
    """The peers' programs that are here, and what each transport of theirs can do."""

    def __init__(self, build: Path, python: str) -> None:
        self.commands: dict[str, list[str]] = {}
        self.transports: list[dict[str, Any]] = []
        self.not_here: list[dict[str, str]] = []
        found = {path.name: [str(path)] for path in sorted(build.glob("peer_*")) if path.is_file() and os.access(path, os.X_OK)}
        found["python_peers.py"] = [python, str(Path(__file__).resolve().with_name("python_peers.py"))]
        for program in [*EXPECTED, *(name for name in found if name not in EXPECTED)]:
            expected, needs = EXPECTED.get(program, ([], ""))
            listed: list[dict[str, Any]] = []
            why = "not built here" + (f"; needs {needs}" if needs else "")
            if program in found:
                listed, why = self.ask(found[program])
                self.commands[program] = found[program]
            self.transports += [{**transport, "program": program} for transport in listed]
            there = [transport["transport"] for transport in listed]
            for name in expected if not there or program == "python_peers.py" else []:
                if name not in there:
                    self.not_here.append({"transport": name, "program": program, "why": why or f"needs {needs}"})

    @staticmethod
    def ask(command: list[str]) -> tuple[list[dict[str, Any]], str]:
        try:
            asked = subprocess.run([*command, "--list"], capture_output=True, text=True, timeout=30)
            if asked.returncode != 0:
                return [], f"--list: {last_line(asked.stderr) or f'exit status {asked.returncode}'}"
            return json.loads(asked.stdout), ""
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            return [], f"--list: {last_line(str(error))}"


@dataclass
class Outcome:
    result: Optional[dict[str, Any]]
    why: str = ""


class Runner:
    def __init__(self, programs: Programs, cpus: list[int], patience_s: float) -> None:
        self.programs, self.cpus, self.patience_s = programs, cpus, patience_s
        self.intervals: dict[tuple[str, Step], int] = {}
        self.failures: collections.Counter[tuple[str, Step]] = collections.Counter()
        self.in_a_row: collections.Counter[str] = collections.Counter()

    def once(self, transport: dict[str, Any], step: Step, give: str, duration_ns: int) -> Outcome:
        interval = self.intervals.get((transport["transport"], step), step.interval_ns)
        command = [*self.programs.commands[transport["program"]], "--transport", transport["transport"], "--size", str(step.size)]
        command += ["--waiting", step.waiting, "--give", give, "--readers", str(step.readers), "--interval-ns", str(interval)]
        command += ["--duration-ns", str(max(duration_ns, 20 * interval))]
        command += ["--read-all"] * step.read_all + ["--one-by-one"] * step.one_by_one
        if len(self.cpus) > 1:
            command += ["--writer-cpu", str(self.cpus[0]), "--reader-cpus", ",".join(map(str, self.cpus[1:64]))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            out, err = process.communicate(timeout=self.patience_s + 2 * duration_ns / S)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            self.clear(process.pid)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return Outcome(None, HUNG)
        if process.returncode != 0:
            return Outcome(None, last_line(err) or f"exit status {process.returncode}")
        try:
            return Outcome(json.loads(out))
        except ValueError:
            return Outcome(None, f"printed no result: {last_line(out)[:80]!r}")

    @staticmethod
    def clear(pid: int) -> None:
        """What a peer that was killed has left: it names its objects after its process."""
        for folder in (Path("/dev/shm"), Path("/dev/mqueue"), Path("/tmp")):
            for path in folder.glob(f"*bench-{pid}-*") if folder.is_dir() else ():
                if path.is_file() or path.is_socket():
                    path.unlink(missing_ok=True)

    def run(self, transport: dict[str, Any], step: Step, duration_ns: int, first_round: bool) -> Optional[dict[str, Any]]:
        """What to record. None where it can't be done."""
        give = step.give_by(transport)
        if give is None:
            return None
        key = (transport["transport"], step)
        about: dict[str, Any] = {"kind": step.kind, "program": transport["program"], "transport": transport["transport"], "size": step.size}
        about |= {"waiting": step.waiting, "give": give, "readers": step.readers, "nominal_interval_ns": step.interval_ns}
        if self.failures[key] >= 2 or self.in_a_row[key[0]] >= 5:
            return {**about, "failed": "given up after the failures before"}
        outcome = self.once(transport, step, give, duration_ns)
        if outcome.result is None:
            self.failures[key] += 2 if outcome.why == HUNG else 1  # one that hangs costs too much to be asked again
            self.in_a_row[key[0]] += 1
            return {**about, "failed": outcome.why}
        self.in_a_row[key[0]] = 0
        if first_round and step.kind in ("latency", "sleep") and not step.one_by_one and self.slower(transport, step, give, outcome.result):
            outcome = self.once(transport, step, give, duration_ns)
        result = outcome.result
        if result is None:
            return {**about, "failed": outcome.why}
        for name in ("cost", "last") if step.kind in ("latency", "sleep") else ("latency", "cost", "last"):
            if result[name] is not None:
                result[name].pop("cells", None)
        return {**result, **about}

    def slower(self, transport: dict[str, Any], step: Step, give: str, result: dict[str, Any]) -> bool:
        """Whether frames queued, and that not for a slow moment: then they come at an interval that the transport can keep up with."""
        if median(result) * 2 <= step.interval_ns:
            return False
        alone = self.once(transport, dataclasses.replace(step, one_by_one=True), give, 50 * MS).result
        if alone is None or median(alone) * 2 <= step.interval_ns:
            return False
        fitting = (step.interval_ns * factor for factor in (2, 5, 10, 20, 50))
        self.intervals[transport["transport"], step] = next((i for i in fitting if median(alone) * 2 <= i), step.interval_ns * 100)
        return True


def in_minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Progress:
    """One line on stderr, over and over where that is a terminal."""

    def __init__(self, runs: int, rounds: int, budget_s: float) -> None:
        self.runs, self.rounds, self.budget_s = runs, rounds, budget_s
        self.begin, self.done, self.said = time.monotonic(), 0, 0.0

    def spent(self) -> float:
        return time.monotonic() - self.begin

    def say(self, this_round: int, what: str) -> None:
        self.done += 1
        now, terminal = time.monotonic(), sys.stderr.isatty()
        if not terminal and now - self.said < 15:
            return
        self.said = now
        left = min(self.budget_s - self.spent(), self.spent() / self.done * (self.runs - self.done))
        text = f"round {this_round + 1} of {self.rounds}, run {self.done} of {self.runs}, about {in_minutes(max(0, left))} left: {what}"
        print(f"\r\x1b[K{text}" if terminal else text, end="" if terminal else "\n", file=sys.stderr, flush=True)


def measure(programs: Programs, runner: Runner, steps: list[Step], rounds: int, budget_s: float, seed: int, save: Any) -> None:
    possible = [(t, s) for s in steps for t in programs.transports if s.give_by(t)]
    progress = Progress(len(possible) * rounds, rounds, budget_s)
    runs: list[dict[str, Any]] = []
    left_out, scale = 0, 1.0
    planned_s = sum(s.duration_ns for _, s in possible) / S
    # The first round also finds out what all that is not measuring costs, and is kept short enough to leave the others their share.
    scale = min(1.0, max(0.2, budget_s / rounds / (planned_s + 0.15 * len(possible))))
    for this_round in range(rounds):
        order = random.Random(seed + this_round)
        round_began, measured = progress.spent(), scale * planned_s
        for step in steps:
            for transport in order.sample(programs.transports, len(programs.transports)):
                if progress.spent() > budget_s:
                    left_out += step.give_by(transport) is not None
                    continue
                record = runner.run(transport, step, int(scale * step.duration_ns), this_round == 0)
                if record is not None:
                    runs.append({"round": this_round, **record})
                    progress.say(this_round, f"{transport['transport']}, {step.kind}, {step.size} B")
        overhead = max(0.0, progress.spent() - round_began - measured)
        rounds_left = rounds - this_round - 1
        if rounds_left:
            scale = min(1.0, max(0.25, (0.97 * (budget_s - progress.spent()) / rounds_left - overhead) / planned_s))
        save(runs, left_out, progress.spent())
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if left_out:
        print(f"out of time: {left_out} of {progress.runs} runs were left out", file=sys.stderr)


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("build", type=Path, help="folder with the executables peer_NAME")
    options.add_argument("--out", type=Path, required=True, help="peers.json")
    options.add_argument("--quick", action="store_true", help="about three minutes: fewer sizes, shorter runs, 3 rounds")
    options.add_argument("--rounds", type=int, default=0)
    options.add_argument("--budget", type=float, default=0, metavar="SECONDS", help="what is left to run after so long is left out")
    options.add_argument("--only", action="append", default=[], metavar="TRANSPORT", help="and no other; may be given several times")
    options.add_argument("--python", default=sys.executable, help="that has numpy, posix_ipc and slipring")
    options.add_argument("--seed", type=int, default=1, help="of the order of transports")
    asked = options.parse_args()
    rounds = asked.rounds or (3 if asked.quick else 5)
    budget_s = asked.budget or (150 if asked.quick else 1500)

    programs = Programs(asked.build, asked.python)
    if asked.only:
        programs.transports = [t for t in programs.transports if t["transport"] in asked.only]
        programs.not_here = [t for t in programs.not_here if t["transport"] in asked.only]
    if not programs.transports:
        print(f"run.py: nothing to run in {asked.build}", file=sys.stderr)
        return 1
    cpus = sorted(os.sched_getaffinity(0))
    here = machine(cpus)

    def save(runs: list[dict[str, Any]], left_out: int, seconds: float) -> None:
        all_of_it = {
            "machine": here,
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "quick": asked.quick,
            "rounds": rounds,
            "seconds": round(seconds),
            "left_out": left_out,
            "seed": asked.seed,
            "cpus": {"writer": cpus[0], "readers": cpus[1:64]} if len(cpus) > 1 else {"writer": None, "readers": []},
            "transports": programs.transports,
            "not_here": programs.not_here,
            "runs": runs,
        }
        half = asked.out.with_name(asked.out.name + ".part")
        half.write_text(json.dumps(all_of_it, separators=(",", ":")))
        half.replace(asked.out)

    runner = Runner(programs, cpus, 12 if asked.quick else 30)
    try:
        measure(programs, runner, steps_of(asked.quick), rounds, budget_s, asked.seed, save)
    except KeyboardInterrupt:
        print(f"\nrun.py: interrupted; {asked.out} has the whole rounds", file=sys.stderr)
        return 130
    for missing in programs.not_here:
        print(f"not here: {missing['transport']}: {missing['why']}", file=sys.stderr)
    failed = collections.Counter((r["transport"], r["failed"]) for r in json.loads(asked.out.read_text())["runs"] if "failed" in r)
    for (name, why), count in failed.items():
        print(f"failed {count} times: {name}: {why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
