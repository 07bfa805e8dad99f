"""Sets slipring's figures beside their plain equivalents of the same run: ratios.py RESULT.json... [options]

RESULT.json is the output of slipring_bench, with repetitions; several count as one with more of them. Each time is the median of the
repetitions; which plain equivalent a figure stands beside is said by the benchmark itself.

--compare tells what moved since a baseline, in ratios to the plain equivalents, so that the baseline of another machine still means
something. Noise: of one time, the spread is the range of the middle half of its repetitions over their median; of a ratio, the sum of the
spreads of its two times. A ratio has moved beyond noise if it changed by more than the spreads of then and now together, and by more than
3 %. Nothing here passes or fails by time.

Exit status: 0 good, 1 a file cannot be used, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import sys
from dataclasses import asdict, dataclass
from typing import Any

BASELINE_VERSION = 1
LEAST_MOVE = 0.03
BUSY = 1.0  # runnable processes, average of a minute
MOST_TOLD = 5  # of what is wrong with a result
NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
OF_THE_RUN = ("cpu", "num_cpus", "kernel", "slipring", "compiler")


class Unusable(Exception):
    """A file that cannot be used, and why."""


@dataclass
class Figure:
    figure: str
    ns: float
    beside: str
    beside_ns: float
    ratio: float
    spread: float  # of the ratio


@dataclass
class Move:
    figure: str
    beside: str
    then: float
    now: float
    change: float  # of the ratio: 0.1 is a tenth more
    noise: float

    def beyond_noise(self) -> bool:
        return abs(self.change) > self.noise


@dataclass
class Timed:
    label: str
    order: tuple[int, int]
    times: list[float]

    def median(self) -> float:
        return statistics.median(self.times)

    def spread(self) -> float:
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return (high - low) / self.median()


def load(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            loaded = json.load(file)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise Unusable(f"{path} is not JSON ({error})") from None
    if not isinstance(loaded, dict):
        raise Unusable(f"{path} is JSON, but not an object")
    return loaded


def number(of: dict[str, Any], key: str, whose: str) -> float:
    """A finite number above 0."""
    value = of.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise Unusable(f"{whose}: {key} is {value!r}; expected a number above 0")
    return float(value)


def add_times(path: str, result: dict[str, Any], timed: dict[str, Timed]) -> None:
    runs = [run for run in result.get("benchmarks", []) if run.get("run_type") == "iteration"]
    if not runs:
        raise Unusable(f"{path} holds no benchmark that ran; it should be the output of slipring_bench --benchmark_format=json")
    for run in runs:
        name = re.sub(r"(/(iterations:\d+|repeats:\d+|manual_time))+$", "", str(run.get("run_name", "")))
        if run.get("error_occurred"):
            raise Unusable(f"{path}: '{name}' failed: {run.get('error_message')}")
        unit = run.get("time_unit")
        if unit not in NS:
            raise Unusable(f"{path}: '{name}': time_unit is {unit!r}")
        place = (int(run.get("family_index", 0)), int(run.get("per_family_instance_index", 0)))
        of = timed.setdefault(name, Timed(str(run.get("label", "")), place, []))
        of.times.append(number(run, "real_time", f"{path}: '{name}'") * NS[unit])


def figures_of(timed: dict[str, Timed]) -> list[Figure]:
    figures = []
    wrong = []
    for name, of in sorted(timed.items(), key=lambda item: item[1].order):
        if len(of.times) < 2:
            wrong.append(f"'{name}' ran once; a median needs --benchmark_repetitions=5")
        elif of.label.startswith("beside:"):
            beside = of.label[len("beside:"):]
            if beside not in timed:
                wrong.append(f"'{name}' stands beside '{beside}', which did not run; --benchmark_filter must let it through")
            elif len(timed[beside].times) >= 2:
                plain = timed[beside]
                ratio = of.median() / plain.median()
                figures.append(Figure(name, of.median(), beside, plain.median(), ratio, of.spread() + plain.spread()))
        elif of.label != "plain":
            wrong.append(f"'{name}' does not say what it stands beside (its label is {of.label!r})")
    if not figures and not wrong:
        wrong.append("no figure ran, only plain equivalents")
    if wrong:
        more = [f"and {len(wrong) - MOST_TOLD} more like this"] if len(wrong) > MOST_TOLD else []
        raise Unusable("\n        ".join(wrong[:MOST_TOLD] + more))
    return figures


def human_time(ns: float) -> str:
    for unit in ("ns", "us", "ms"):
        if ns < 1000:
            return f"{ns:.1f} {unit}"
        ns /= 1000
    return f"{ns:.1f} s"


def human_ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def table(rows: list[tuple[str, ...]], left: set[int]) -> None:
    """Columns as wide as they need to be; those in left are text."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) if i in left else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))).rstrip())


def print_figures(figures: list[Figure], run: dict[str, Any], repetitions: int) -> None:
    rows = [("figure", "time", "beside", "time", "ratio", "spread")]
    rows += [(f.figure, human_time(f.ns), f.beside, human_time(f.beside_ns), human_ratio(f.ratio), f"{f.spread:.1%}") for f in figures]
    table(rows, {0, 2})
    print(f"\n{described(run)}. Google Benchmark, one process; each time is the median of {repetitions} repetitions, which were\n"
          "interleaved at random. Readers are attached and idle; memory is touched before; memcpy goes into as many buffers as\n"
          "the ring goes round.\n" + busy(run), end="")


def described(run: dict[str, Any]) -> str:
    return (f"{run.get('cpu', 'unknown CPU')}, {run.get('num_cpus', '?')} CPUs, {run.get('kernel', 'unknown kernel')}; "
            f"slipring {run.get('slipring', '?')}, compiler {run.get('compiler', '?')}")


def busy(run: dict[str, Any]) -> str:
    """What must be said of a run that was not alone; Google Benchmark notes the load before it begins."""
    load = run.get("load_avg")
    first = load[0] if isinstance(load, list) and load else 0.0
    return f"The machine was busy when this began (load {first:.1f}): expect noise.\n" if first > BUSY else ""


def moves_of(path: str, baseline: dict[str, Any], figures: list[Figure]) -> tuple[list[Move], list[str]]:
    """The largest move first; and what cannot be compared."""
    version = baseline.get("baseline_version")
    if version != BASELINE_VERSION:
        raise Unusable(f"{path}: baseline_version is {version!r}, this program reads {BASELINE_VERSION}; make it anew (--write-baseline)")
    then = baseline.get("figures")
    if not isinstance(then, dict) or not all(isinstance(of, dict) for of in then.values()):
        raise Unusable(f"{path} has no figures")
    moves = []
    apart = []
    for f in figures:
        old = then.get(f.figure)
        if old is None:
            apart.append(f"{f.figure}: not in the baseline")
        elif old.get("beside") != f.beside:
            apart.append(f"{f.figure}: stood beside '{old.get('beside')}', now beside '{f.beside}'")
        else:
            was = number(old, "ratio", f"{path}: '{f.figure}'")
            spread = old.get("spread")
            if not isinstance(spread, (int, float)) or not 0 <= spread < math.inf:
                raise Unusable(f"{path}: '{f.figure}': spread is {spread!r}; expected a number, 0 or more")
            moves.append(Move(f.figure, f.beside, was, f.ratio, f.ratio / was - 1, max(LEAST_MOVE, spread + f.spread)))
    apart += [f"{name}: in the baseline alone" for name in then if name not in {f.figure for f in figures}]
    moves.sort(key=lambda move: -abs(math.log1p(move.change)))
    return moves, apart


def summary(moves: list[Move], apart: list[str]) -> str:
    if not moves:
        return f"No figure can be compared; {len(apart)} are apart."
    slower = sum(move.beyond_noise() and move.change > 0 for move in moves)
    faster = sum(move.beyond_noise() and move.change < 0 for move in moves)
    mean = math.exp(statistics.fmean(math.log1p(move.change) for move in moves)) - 1
    return (f"{len(moves)} figures: {slower} slower and {faster} faster beyond noise, {len(moves) - slower - faster} within it; "
            f"all together {mean:+.1%} (geometric mean of the ratios){f'; {len(apart)} cannot be compared' if apart else ''}.")


def print_moves(moves: list[Move], apart: list[str], baseline: dict[str, Any], run: dict[str, Any]) -> None:
    rows = [("figure, as a ratio to its plain equivalent", "baseline", "now", "change", "noise", "")]
    for move in moves:
        mark = "" if not move.beyond_noise() else "slower" if move.change > 0 else "faster"
        rows.append((move.figure, human_ratio(move.then), human_ratio(move.now), f"{move.change:+.1%}", f"{move.noise:.1%}", mark))
    table(rows, {0, 5})
    if apart:
        print("\n" + "\n".join(apart))
    made = baseline.get("run")
    was = made if isinstance(made, dict) else {}
    print(f"\nBaseline: {baseline.get('date', 'undated')}, {described(was)}\nNow: {described(run)}")
    if any(was.get(key) != run.get(key) for key in ("cpu", "num_cpus", "kernel")):
        print("The baseline is of another machine or kernel: ratios still compare, but copies depend on caches, system calls on it.")
    print("Noise: the spreads of both runs together, at least 3 %; the spread of a time is the middle half of its repetitions over\n"
          "their median, that of a ratio the sum of its two times'. Marked is what changed by more.\n" + busy(run) + summary(moves, apart))


def write_baseline(path: str, figures: list[Figure], run: dict[str, Any]) -> None:
    """A figure a line, so that a difference can be read."""
    head = {"baseline_version": BASELINE_VERSION, "date": str(run.get("date", "undated"))[:10],
            "run": {key: run.get(key) for key in OF_THE_RUN}}
    kept = {f.figure: {"beside": f.beside, "ratio": float(f"{f.ratio:.4g}"), "spread": float(f"{f.spread:.2g}")} for f in figures}
    lines = [f"  {json.dumps(name)}: {json.dumps(of)}" for name, of in kept.items()]
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write("{\n" + "".join(f" {json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items())
                       + ' "figures": {\n' + ",\n".join(lines) + "\n }\n}\n")
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None


def set_beside(asked: argparse.Namespace) -> None:
    timed: dict[str, Timed] = {}
    contexts = []
    for path in asked.results:
        result = load(path)
        add_times(path, result, timed)
        contexts.append(result.get("context", {}))
    figures = figures_of(timed)
    if asked.compare:
        baseline = load(asked.compare)
        moves, apart = moves_of(asked.compare, baseline, figures)
        if asked.json:
            told = [{**asdict(move), "beyond_noise": move.beyond_noise()} for move in moves]
            print(json.dumps({"moves": told, "apart": apart, "summary": summary(moves, apart)}, indent=1))
        else:
            print_moves(moves, apart, baseline, contexts[0])
    elif asked.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=1))
    else:
        print_figures(figures, contexts[0], min(len(of.times) for of in timed.values()))
    if asked.write_baseline:
        write_baseline(asked.write_baseline, figures, contexts[0])


def main() -> int:
    assert __doc__ is not None
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("results", nargs="+", metavar="RESULT.json")
    options.add_argument("--json", action="store_true", help="for programs")
    options.add_argument("--compare", metavar="BASELINE", help="what moved since then, instead of the table")
    options.add_argument("--write-baseline", metavar="FILE", help="write these figures as a baseline, too")
    try:
        set_beside(options.parse_args())
    except Unusable as reason:
        print(f"ratios: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
