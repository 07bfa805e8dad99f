"""The plots of the report, each from what run.py wrote, with the words that belong below it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure as Picture  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator  # noqa: E402
from results import Figure, Key, Results, count_text, size_text, time_text  # noqa: E402

# Colours that the page replaces by its own where it is dark.
INK, SOFT, GRID, PAPER = "#1b1b1f", "#5c5c66", "#dcdce2", "#fefefe"
GAP = "\u00a0\u00a0"  # a browser makes one of two plain spaces
LIMIT, OURS = "plain", "slipring"
HD, UHD, VGA = 6220800, 24883200, 921600


@dataclass(frozen=True)
class Look:
    colour: str
    dashes: Any = "-"
    marker: str = "o"


# After Okabe and Ito: told apart by those who see red and green alike. What is of one kind has one hue, and differs in dashes and marker.
LOOKS = {
    "plain": Look("#8a8a93", "-", ""),
    "plain, streaming": Look("#8a8a93", (0, (4, 2)), ""),
    "slipring": Look("#d55e00"),
    "slipring, semaphore mode": Look("#d55e00", (0, (4, 2)), "s"),
    "slipring (Python)": Look("#d55e00", (0, (1, 1.5)), "^"),
    "iceoryx2": Look("#0072b2"),
    "iceoryx": Look("#0072b2", (0, (4, 2)), "s"),
    "Aeron": Look("#45a5dd", "-", "D"),
    "Aeron tryClaim": Look("#45a5dd", (0, (4, 2)), "s"),
    "Boost mq": Look("#6a5acd", "-", "v"),
    "ZeroMQ": Look("#c05a97", "-", "P"),
    "Cyclone DDS": Look("#009e73"),
    "Cyclone DDS, shared memory": Look("#009e73", (0, (4, 2)), "s"),
    "Fast DDS": Look("#009e73", (0, (1, 1.5)), "^"),
    "Fast DDS, data sharing": Look("#009e73", (0, (6, 1.5, 1, 1.5)), "v"),
    "GStreamer shmsink": Look("#a0344f", "-", "X"),
    "pipe": Look("#c98a00"),
    "UNIX socket": Look("#c98a00", (0, (4, 2)), "s"),
    "POSIX mq": Look("#c98a00", (0, (1, 1.5)), "^"),
    "semaphore": Look("#7d7a2a", "-", "v"),
    "PosixIPC format (Python)": Look("#7d7a2a", (0, (1, 1.5)), "^"),
    "multiprocessing.Queue": Look("#9a6a3f", (0, (1, 1.5)), "o"),
    "shared_memory + Queue": Look("#c49a78", (0, (1, 1.5)), "s"),
    "shared_memory + Pipe": Look("#c49a78", (0, (4, 2)), "D"),
}
SPARE = ["#4c7a8a", "#8a4c7a", "#5c8a4c", "#4c4c8a"]


def look(name: str) -> Look:
    if name in LOOKS:
        return LOOKS[name]
    of_a_kind = [known for known in LOOKS if name.startswith(known.split(",")[0])]
    if of_a_kind:
        return Look(LOOKS[of_a_kind[0]].colour, (0, (5, 1, 1, 1, 1, 1)), "h")
    return Look(SPARE[sum(name.encode()) % len(SPARE)], "-", "h")


def is_python(name: str) -> bool:
    return "(Python)" in name or name.startswith(("multiprocessing", "shared_memory"))


def label_of(name: str) -> str:
    return {"plain": "the limit", "plain, streaming": "the limit, streaming"}.get(name, name)


def weight(name: str) -> dict[str, Any]:
    if name == OURS:
        return {"linewidth": 2.8, "zorder": 6, "markersize": 6}
    if name.startswith(LIMIT):
        return {"linewidth": 2.4, "zorder": 2}
    return {"linewidth": 1.3, "zorder": 4 if name.startswith(OURS) else 3, "markersize": 4}


def line_of(name: str) -> dict[str, Any]:
    its = look(name)
    return {"color": its.colour, "linestyle": its.dashes, "marker": its.marker, **weight(name)}


@dataclass
class Plot:
    name: str
    title: str
    method: str
    picture: Picture

    @property
    def width(self) -> float:
        return float(self.picture.get_size_inches()[0])

    def svg(self) -> str:
        """Alone as a file, or within a page."""
        text = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": self.name}):
            self.picture.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": self.title})
        plt.close(self.picture)
        return text.getvalue().replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")


def style() -> None:
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": SOFT,
            "xtick.color": SOFT,
            "ytick.color": SOFT,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "axes.grid": True,
            "grid.color": GRID,
            "grid.linewidth": 0.7,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "figure.facecolor": PAPER,
            "axes.facecolor": PAPER,
            "savefig.facecolor": PAPER,
            "legend.frameon": False,
            "figure.constrained_layout.use": True,
        }
    )


def time_axis(axis: Any, least: float, greatest: float) -> None:
    """A logarithmic one of nanoseconds, with their units at its powers of ten."""
    axis.axes.set_yscale("log") if axis.axis_name == "y" else axis.axes.set_xscale("log")
    low, high = math.log10(max(1.0, least)), math.log10(max(10.0, greatest))
    powers = range(math.floor(low), math.ceil(high) + 1)
    axis.set_major_locator(FixedLocator([10.0**power for power in powers]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda ns, _: time_text(ns).replace(".00", "").replace(".0 ", " ")))
    room = 0.04 * max(1.0, high - low)
    limits = (10 ** (low - room), 10 ** (high + room))
    axis.axes.set_ylim(limits) if axis.axis_name == "y" else axis.axes.set_xlim(limits)


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places nearest to those wanted, in the same order, and no two nearer than the gap."""
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    places = [wanted[k] for k in order]
    for _ in range(300):
        for k in range(len(places) - 1):
            short = gap - (places[k + 1] - places[k])
            if short > 1e-6:
                places[k] -= short / 2
                places[k + 1] += short / 2
        places = [min(max(place, low + k * gap), high - (len(places) - 1 - k) * gap) for k, place in enumerate(places)]
    found = [0.0] * len(wanted)
    for k, place in zip(order, places):
        found[k] = place
    return found


def label_ends(ax: Axes, ends: dict[str, tuple[float, float]], size: float = 7.5) -> None:
    """Names at the right of the axes, led to where each line ends."""
    names = list(ends)
    pixels = [ax.transAxes.inverted().transform(ax.transData.transform(ends[name])) for name in names]
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    places = apart([float(p[1]) for p in pixels], 1.32 * size / height, 0.0, 1.0)
    for name, at, place in zip(names, pixels, places):
        strong = name == OURS
        ax.plot(
            [at[0] + 0.012, 1.03], [at[1], place], transform=ax.transAxes, color=look(name).colour, linewidth=0.6, clip_on=False, alpha=0.8
        )
        ax.text(
            1.04,
            place,
            label_of(name),
            transform=ax.transAxes,
            va="center",
            fontsize=size + strong,
            color=INK,
            weight="bold" if strong else "normal",
        )
        ax.plot(
            [1.03], [place], transform=ax.transAxes, marker=look(name).marker or "s", color=look(name).colour, markersize=3, clip_on=False
        )


def in_order(names: Iterable[str]) -> list[str]:
    """The limit first and slipring last, which is then drawn over the others."""
    return sorted(names, key=lambda name: (name == OURS, name.startswith(OURS), not name.startswith(LIMIT), name))


def draw_lines(ax: Axes, lines: dict[str, dict[float, tuple[float, float, float]]]) -> None:
    """x: the median, the least and the greatest."""
    for name in in_order(lines):
        points = sorted(lines[name].items())
        x, y = [p[0] for p in points], [p[1][0] for p in points]
        spread = [[p[1][0] - p[1][1] for p in points], [p[1][2] - p[1][0] for p in points]]
        its = line_of(name)
        ax.errorbar(x, y, yerr=spread, elinewidth=0.8, capsize=0, **its)


def latency_by_size(results: Results) -> Optional[Picture]:
    groups: list[tuple[str, str, Callable[[str], bool]]] = [
        ("Copied in", "copy", lambda name: not is_python(name)),
        ("Written in place (loan)", "loan", lambda name: not is_python(name)),
        ("Python, copied in", "copy", lambda name: is_python(name) or name in (LIMIT, OURS)),
    ]
    panels: list[tuple[str, dict[str, dict[float, tuple[float, float, float]]]]] = []
    for title, give, wanted in groups:
        lines: dict[str, dict[float, tuple[float, float, float]]] = {}
        for key, figure in results.of("latency", give=give).items():
            spread = figure.spread("latency")
            if wanted(key.transport) and spread:
                lines.setdefault(key.transport, {})[key.size] = (spread.median, spread.least, spread.greatest)
        if lines:
            panels.append((title, lines))
    if not panels:
        return None
    values = [value for _, lines in panels for points in lines.values() for point in points.values() for value in point]
    sizes = sorted({size for _, lines in panels for points in lines.values() for size in points})
    picture, grid = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 5.4), sharey=True, squeeze=False)
    for ax, (title, lines) in zip(grid[0], panels):
        draw_lines(ax, lines)
        ax.set_title(title)
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator(sizes))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: size_text(int(size)).replace(" RGB", "")))
        ax.tick_params(axis="x", labelrotation=40)
        ax.set_xlabel("payload (bytes; video frames are RGB)")
        time_axis(ax.yaxis, min(values), max(values))
    grid[0][0].set_ylabel("latency, median (until the reader has the frame)")
    picture.canvas.draw()
    for ax, (_, lines) in zip(grid[0], panels):
        label_ends(ax, {name: (max(points), points[max(points)][0]) for name, points in lines.items()})
    return picture


TAIL = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999]


def latency_distribution(results: Results) -> Optional[Picture]:
    sizes = [size for size in (64, HD) if results.of("latency", size=size, give="copy")]
    if not sizes:
        return None
    picture, grid = plt.subplots(1, len(sizes), figsize=(6.6 * len(sizes), 5.4), squeeze=False)
    for ax, size in zip(grid[0], sizes):
        found = {key.transport: figure.cells("latency") for key, figure in results.of("latency", size=size, give="copy").items()}
        found = {name: cells for name, cells in found.items() if cells}
        medians: dict[str, float] = {}
        low, high, deepest = math.inf, 0.0, 0.0
        for name in in_order(found):
            values = np.array([value for value, _ in found[name]], float)
            counts = np.array([count for _, count in found[name]], float)
            total = counts.sum()
            below = np.concatenate([[0.0], np.cumsum(counts)[:-1]]) / total
            depth = -np.log10(np.maximum(1 - below, 0.5 / total))
            medians[name] = float(values[np.searchsorted(np.cumsum(counts), total / 2)])
            its = {**line_of(name), "marker": ""}
            its["linewidth"] *= 0.9
            ax.plot(values, depth, drawstyle="steps-post", **its)
            low, high, deepest = min(low, values[0]), max(high, values[-1]), max(deepest, float(depth[-1]))
        time_axis(ax.xaxis, low, high)
        ticks = [percent for percent in TAIL if percent == 0 or -math.log10(1 - percent / 100) <= deepest]
        ax.yaxis.set_major_locator(FixedLocator([-math.log10(1 - percent / 100) for percent in ticks]))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.set_yticklabels([f"{percent:g} %" for percent in ticks])
        ax.set_ylim(0, deepest * 1.03)
        ax.set_title(f"{size_text(size)}, copied in")
        ax.set_xlabel("latency")
        ax.set_ylabel("frames that are at least so fast")
        names = sorted(medians, key=lambda name: medians[name])
        handles = [Line2D([], [], **{**line_of(name), "marker": "", "linewidth": 2.4 if name in (OURS, LIMIT) else 1.6}) for name in names]
        legend = ax.legend(
            handles,
            [f"{label_of(name)}{GAP}{time_text(medians[name])}" for name in names],
            title="median",
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            fontsize=7.5,
            title_fontsize=7.5,
            handlelength=2.6,
            labelspacing=0.35,
        )
        for text, name in zip(legend.get_texts(), names):
            text.set_weight("bold" if name == OURS else "normal")
    return picture


def cost_by_readers(results: Results) -> Optional[Picture]:
    panels = []
    for waiting, title in (("spin", "Readers that spin"), ("sleep", "Readers that sleep")):
        lines: dict[str, dict[float, tuple[float, float, float]]] = {}
        for key, figure in results.of("cost", waiting=waiting).items():
            spread = figure.spread("cost")
            if spread:
                lines.setdefault(key.transport, {})[key.readers] = (max(1, spread.median), max(1, spread.least), max(1, spread.greatest))
        if lines:
            panels.append((title, lines))
    if not panels:
        return None
    values = [value for _, lines in panels for points in lines.values() for point in points.values() for value in point]
    counts = sorted({count for _, lines in panels for points in lines.values() for count in points})
    picture, grid = plt.subplots(1, len(panels), figsize=(6.6 * len(panels), 5.8), sharey=True, squeeze=False)
    for ax, (title, lines) in zip(grid[0], panels):
        draw_lines(ax, {name: {counts.index(count): of for count, of in points.items()} for name, points in lines.items()})
        ax.set_title(title)
        ax.set_xticks(range(len(counts)), [f"{count:g}" for count in counts])
        ax.set_xlabel("readers")
        time_axis(ax.yaxis, min(values), max(values))
    grid[0][0].set_ylabel("what passing a 64-byte frame on costs the writer, median")
    picture.canvas.draw()
    for ax, (_, lines) in zip(grid[0], panels):
        label_ends(ax, {name: (counts.index(max(points)), points[max(points)][0]) for name, points in lines.items()})
    return picture


def frames_a_second(results: Results) -> Optional[Picture]:
    sizes = [size for size in (VGA, HD, UHD) if results.of("stream", size=size)]
    if not sizes:
        return None
    most = max(len(results.of("stream", size=size)) for size in sizes)
    picture, grid = plt.subplots(1, len(sizes), figsize=(max(7.0, 4.9 * len(sizes)), 0.6 + 0.3 * most), squeeze=False)
    for ax, size in zip(grid[0], sizes):
        bars: list[tuple[Key, Figure, float, float, float]] = []
        for key, figure in results.of("stream", size=size).items():
            speed = figure.frames_a_second()
            if speed:
                bars.append((key, figure, speed.median, speed.least, speed.greatest))
        bars.sort(key=lambda bar: bar[2])
        top = max(bar[4] for bar in bars)
        for place, (key, figure, median, least, greatest) in enumerate(bars):
            name = key.transport
            lost = figure.sum("missed") > 0 or figure.sum("torn") > 0
            ax.barh(
                place,
                median,
                height=0.68,
                color=look(name).colour,
                alpha=1.0 if name == OURS else 0.62,
                hatch="///" if lost else None,
                edgecolor=PAPER,
                linewidth=0,
            )
            ax.plot([least, greatest], [place, place], color=INK, linewidth=0.9)
            counts = count_text(figure.missed_share(), figure.sum("torn"))
            ax.text(
                max(greatest, median) + 0.015 * top,
                place,
                f"{median:,.0f}{GAP + counts if lost else ''}",
                va="center",
                fontsize=7,
                color=INK,
                weight="bold" if name == OURS else "normal",
            )
        ax.set_yticks(range(len(bars)), [label_of(bar[0].transport) for bar in bars], fontsize=7.5)
        for text, bar in zip(ax.get_yticklabels(), bars):
            text.set_weight("bold" if bar[0].transport == OURS else "normal")
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(0, 1.6 * top)
        ax.set_xticks([tick for tick in MaxNLocator(6).tick_values(0, 1.6 * top) if 0 <= tick <= 1.05 * top])
        ax.xaxis.set_major_formatter(FuncFormatter(lambda speed, _: f"{speed:,.0f}"))
        ax.set_ylim(-0.6, len(bars) - 0.4)
        ax.set_title(size_text(size))
        ax.set_xlabel("whole frames a second, read by one reader")
    return picture


def asleep(results: Results) -> Optional[Picture]:
    sizes = [size for size in (64, HD) if results.of("sleep", size=size)]
    if not sizes:
        return None
    most = max(len(results.of("sleep", size=size)) for size in sizes)
    picture, grid = plt.subplots(1, len(sizes), figsize=(6.6 * len(sizes), 0.9 + 0.28 * most), squeeze=False)
    for ax, size in zip(grid[0], sizes):
        found = {}
        for key, figure in results.of("sleep", size=size).items():
            median, tail = figure.spread("latency"), figure.spread("latency", "p99")
            if median and tail:
                found[key.transport] = (median, tail, figure.missed_share())
        names = sorted(found, key=lambda name: -found[name][0].median)
        for place, name in enumerate(names):
            median, tail, missed = found[name]
            its = look(name)
            ax.plot(
                [median.median, tail.median],
                [place, place],
                color=its.colour,
                linewidth=4.5 if name == OURS else 2.6,
                alpha=0.45,
                solid_capstyle="butt",
            )
            ax.plot([median.least, median.greatest], [place, place], color=its.colour, linewidth=1.2)
            ax.plot([median.median], [place], marker="o", color=its.colour, markersize=8 if name == OURS else 6)
            ax.plot([tail.median], [place], marker="|", color=its.colour, markersize=9, markeredgewidth=1.6)
            if missed > 0.0005:
                ax.annotate(
                    f"missed {100 * missed:.1f} %",
                    (tail.median, place),
                    (6, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=7,
                    color=SOFT,
                )
        ax.set_yticks(range(len(names)), [f"{label_of(name)}{GAP}{time_text(found[name][0].median)}" for name in names], fontsize=7.5)
        for text, name in zip(ax.get_yticklabels(), names):
            text.set_weight("bold" if name == OURS else "normal")
        ends = [value for median, tail, _ in found.values() for value in (median.least, median.greatest, tail.median)]
        time_axis(ax.xaxis, min(ends), max(ends) * 1.6)
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(-0.6, len(names) - 0.4)
        ax.set_title(size_text(size))
        ax.set_xlabel("latency, median to 99th percentile")
    return picture


def beside_the_limit(results: Results) -> Optional[Picture]:
    rows = [
        ("slipring", "copy", "copied in", "#d55e00", "-", "o"),
        ("slipring", "loan", "written in place", "#0072b2", "-", "s"),
        ("slipring (Python)", "copy", "Python, copied in", "#9a6a3f", (0, (4, 2)), "^"),
    ]
    lines = [
        (text, colour, dashes, marker, results.ratios(name, LIMIT, "latency", "latency", give=give))
        for name, give, text, colour, dashes, marker in rows
    ]
    lines = [line for line in lines if line[4]]
    if not lines:
        return None
    sizes = sorted({size for line in lines for size in line[4]})
    picture, ax = plt.subplots(figsize=(7.4, 4.4))
    ax.axhline(1, color=LOOKS[LIMIT].colour, linewidth=2.4)
    ax.annotate(
        "the limit", (1.0, 1.0), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center", fontsize=8, color=SOFT
    )
    for text, colour, dashes, marker, by_size in lines:
        x = [sizes.index(size) for size in by_size]
        ax.fill_between(
            x, [s.least for s in by_size.values()], [s.greatest for s in by_size.values()], color=colour, alpha=0.14, linewidth=0
        )
        ax.plot(x, [s.median for s in by_size.values()], color=colour, linestyle=dashes, marker=marker, linewidth=2.2, label=text)
    ax.set_yscale("log")
    ends = [s.median for line in lines for s in line[4].values()]
    ax.set_ylim(0.6 * min(ends + [1]), 1.7 * max(ends + [1]))  # a band may leave the picture, a line never
    ticks = [
        tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if 0.6 * min(ends + [1]) <= tick <= 1.7 * max(ends + [1])
    ]
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda times, _: f"{times:g} x"))
    ax.set_xticks(range(len(sizes)), [size_text(size) for size in sizes])
    ax.set_xlabel("payload")
    ax.set_ylabel("slipring's latency as a multiple of the limit's")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return picture


def plots(results: Results) -> list[Plot]:
    style()
    rounds = results.data["rounds"]
    cpus = results.data["cpus"]
    pinned = (
        "Nothing is pinned: there is one CPU."
        if cpus["writer"] is None
        else (f"The writer runs on CPU {cpus['writer']}, readers on CPU {', '.join(map(str, cpus['readers']))}.")
    )
    small = (
        "Frames of up to 64 KiB are due every 100 us, whatever became of those before, and latency counts from when they were due; "
        "where a transport cannot keep up with that, at the interval that the table names. "
    )
    large = "A larger frame is due 1 to 8 ms after the last, and not before the reader has that one. "
    drawn: list[tuple[str, str, str, Callable[[Results], Optional[Picture]]]] = [
        (
            "latency",
            "Latency by payload, one reader that spins",
            small
            + large
            + f"Median over {rounds} interleaved rounds of each round's median; the thin line is the rounds' spread. The limit hands a line"
            f" over, or copies with memcpy into shared memory, and protects nothing. {pinned}",
            latency_by_size,
        ),
        (
            "distribution",
            "Distribution of latency, one reader that spins",
            small
            + large
            + "All rounds together, from histograms of three significant digits; upwards a frame in two, in ten, in a hundred, in a"
            f" thousand. Missed frames have no latency. {pinned}",
            latency_distribution,
        ),
        (
            "asleep",
            "Latency, one reader that sleeps in the kernel until it is woken",
            (
                "A frame every millisecond (64 B; less often where a transport cannot keep up) or 4 ms (1080p, and not before the reader"
                f" has the last), copied in. The dot is the median over {rounds} rounds of each round's median, the line through it their"
                " spread; the bar reaches to the 99th percentile. Programs of the semaphore format cannot be woken: they ask every so"
                f" often. {pinned}"
            ),
            asleep,
        ),
        (
            "cost",
            "What publishing costs the writer, by the number of readers",
            (
                "A frame of 64 bytes every millisecond; the time that loan-and-publish's publish takes, or send where there are no loans,"
                " less a clock read; 1 ns stands for what the clock cannot tell from nothing. Readers share CPUs where there are more of"
                f" them than CPUs; who is held up by a slow reader pays for that here. Median over {rounds} rounds of each round's median."
                f" {pinned}"
            ),
            cost_by_readers,
        ),
        (
            "stream",
            "Frames a second, as fast as the writer can",
            (
                "Every frame is copied in whole; the reader reads every byte of it and checks it. Hatched: frames were missed or torn. Of"
                f" who overwrites what was not read yet, only the frames that the reader got count. Median over {rounds} rounds; the line"
                f" is their spread. {pinned}"
            ),
            frames_a_second,
        ),
        (
            "limit",
            "slipring beside the machine's limit",
            (
                "Each round's median latency over that of the limit in the same round (same size, same clock, same CPUs, neither checked);"
                f" line: median of {rounds} rounds, band: least to greatest. Not a copy but a hand-over where frames are written in place."
                f" {pinned}"
            ),
            beside_the_limit,
        ),
    ]
    found = []
    for name, title, method, draw in drawn:
        picture = draw(results)
        if picture is not None:
            found.append(Plot(name, title, method, picture))
    return found
