"""What run.py wrote, put together: each figure over the rounds. SPDX-License-Identifier: Apache-2.0"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional


class Key(NamedTuple):
    """One kind of run of one transport; `kind` as in run.py."""

    transport: str
    kind: str
    size: int
    waiting: str
    give: str
    readers: int


@dataclass
class Spread:
    """The median of the rounds, the least and the greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Optional[Spread]:
        found = list(values)
        return cls(statistics.median(found), min(found), max(found)) if found else None


@dataclass
class Figure:
    """All rounds of a Key that went well."""

    runs: list[dict[str, Any]]

    def spread(self, what: str, of: str = "p50") -> Optional[Spread]:
        return Spread.of(run[what][of] for run in self.runs if run[what])

    def frames_a_second(self) -> Optional[Spread]:
        return Spread.of(run["got"] / run["seconds"] for run in self.runs)

    def sum(self, what: str) -> int:
        return sum(int(run[what]) for run in self.runs)

    def missed_share(self) -> float:
        """Of the frames that readers should have had."""
        due = sum(run["sent"] * run["readers"] for run in self.runs)
        return self.sum("missed") / due if due else 0.0

    def interval_ns(self) -> int:
        return max(int(run["interval_ns"]) for run in self.runs)

    def is_slower_paced(self) -> bool:
        return any(run["interval_ns"] != run["nominal_interval_ns"] for run in self.runs)

    def cells(self, what: str) -> list[tuple[int, int]]:
        """Of all rounds together: values in order, and how often."""
        counts: Counter[int] = Counter()
        for run in self.runs:
            for value, count in run[what]["cells"] if run[what] else ():
                counts[value] += count
        return sorted(counts.items())


class Results:
    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        grouped: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
        self.failures: Counter[tuple[Key, str]] = Counter()
        for run in data["runs"]:
            key = Key(*(run[field] for field in Key._fields))
            if "failed" in run:
                self.failures[key, run["failed"]] += 1
            else:
                grouped[key].append(run)
        self.figures = {key: Figure(runs) for key, runs in grouped.items()}
        self.transports: list[dict[str, Any]] = data["transports"]
        self.names = [transport["transport"] for transport in self.transports]

    def of(self, kind: str, **fields: Any) -> dict[Key, Figure]:
        """Those of a kind, with these fields of Key."""
        return {key: figure for key, figure in self.figures.items()
                if key.kind == kind and all(getattr(key, field) == value for field, value in fields.items())}  # fmt: skip

    def one(self, transport: str, kind: str, **fields: Any) -> Optional[Figure]:
        return next(iter(self.of(kind, transport=transport, **fields).values()), None)

    def ratios(self, transport: str, beside: str, kind: str, what: str, **fields: Any) -> dict[int, Spread]:
        """By size: how many times the p50 of another transport in the same round."""
        found = {}
        for key, figure in self.of(kind, transport=transport, **fields).items():
            other = self.figures.get(key._replace(transport=beside))
            if other is None:
                continue
            plain = {run["round"]: run[what]["p50"] for run in other.runs if run[what]}
            spread = Spread.of(run[what]["p50"] / max(1, plain[run["round"]]) for run in figure.runs if run[what] and run["round"] in plain)
            if spread:
                found[key.size] = spread
        return dict(sorted(found.items()))


def time_text(ns: Optional[float]) -> str:
    """Three digits and a unit."""
    if ns is None:
        return ""
    for unit, factor in (("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)):
        if ns < factor * 999.5 or unit == "s":
            value = ns / factor
            places = 0 if unit == "ns" or value >= 99.95 else 1 if value >= 9.995 else 2
            return f"{value:.{places}f} {unit}"
    return ""


def size_text(size: int) -> str:
    names = {921600: "VGA RGB", 6220800: "1080p RGB", 24883200: "4K RGB"}
    if size in names:
        return names[size]
    return f"{size} B" if size < 1024 else f"{size / 1024:g} KiB" if size < 1 << 20 else f"{size / (1 << 20):g} MiB"


def count_text(missed_share: float, torn: int) -> str:
    """What was lost on the way, to stand beside a speed."""
    missed = (
        "0" if missed_share == 0 else "< 0.1 %" if missed_share < 0.001 else f"{100 * missed_share:.{1 if missed_share < 0.1 else 0}f} %"
    )
    return f"missed {missed}, torn {torn}"
