"""The report of a measurement: make_report.py PEERS.json --out FOLDER [--bench JSON] [--ratios JSON]... [--python-ratios JSON]

Writes index.html, which needs nothing else, report.md, and each plot as an SVG beside them. PEERS.json is what peers/run.py wrote; the
others are what `slipring bench --json`, ratios.py --json and python/frames.py --json printed.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import html
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from plots import GRID, HD, INK, LIMIT, OURS, PAPER, SOFT, Plot, label_of, look, plots
from results import Figure, Results, count_text, size_text, time_text


@dataclass
class Table:
    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    below: str = ""
    text_columns: int = 1  # the first ones are words, the others numbers
    strong: str = ""  # the row that begins with this


def spread_text(figure: Optional[Figure], what: str, of: str = "p50") -> str:
    """The median of the rounds; in brackets the least and the greatest, and the interval where it is longer than for others."""
    spread = figure.spread(what, of) if figure else None
    if figure is None or spread is None:
        return ""
    notes = [f"{time_text(spread.least)} to {time_text(spread.greatest)}"] * (spread.least < spread.greatest)
    notes += [f"every {time_text(figure.interval_ns())}"] * figure.is_slower_paced()
    return time_text(spread.median) + (f" ({'; '.join(notes)})" if notes else "")


def lost_text(figures: Iterable[Optional[Figure]]) -> str:
    """Of several figures together."""
    runs = [run for figure in figures if figure for run in figure.runs]
    together = Figure(runs)
    return count_text(together.missed_share(), together.sum("torn")) if runs else ""


def summary(results: Results) -> Table:
    rounds = results.data["rounds"]
    table = Table(
        "Side by side",
        [
            "",
            "64 B, copied in",
            "p99",
            "64 B, in place",
            "64 B, asleep",
            "1080p, copied in",
            "1080p, in place",
            "1080p frames/s",
            "lost of those",
            "lost in latency runs",
        ],
    )
    table.below = (
        f"Latency until one reader has the frame: the median of {rounds} rounds' medians (least to greatest), p99 the median of their 99th"
        " percentiles. Frames/s: copied in, every byte read and checked, as fast as the writer can. Missed: frames that were overwritten"
        " or dropped before the reader came to them."
    )
    table.strong = label_of(OURS)

    def speed_of(name: str) -> float:
        figures = [results.one(name, "latency", size=64, give=give) for give in ("copy", "loan")]
        spreads = [figure.spread("latency") for figure in figures if figure]
        return min((spread.median for spread in spreads if spread), default=float("inf"))

    for name in sorted(results.names, key=lambda name: (not name.startswith(LIMIT), speed_of(name))):
        small, small_loaned = (results.one(name, "latency", size=64, give=give) for give in ("copy", "loan"))
        asleep = results.one(name, "sleep", size=64)
        copied, loaned = (results.one(name, "latency", size=HD, give=give) for give in ("copy", "loan"))
        stream = results.one(name, "stream", size=HD)
        speed = stream.frames_a_second() if stream else None
        tail = small.spread("latency", "p99") if small else None
        table.rows.append(
            [
                label_of(name),
                spread_text(small, "latency"),
                time_text(tail.median) if tail else "",
                spread_text(small_loaned, "latency"),
                spread_text(asleep, "latency"),
                spread_text(copied, "latency"),
                spread_text(loaned, "latency"),
                f"{speed.median:,.0f} ({speed.least:,.0f} to {speed.greatest:,.0f})" if speed else "",
                lost_text([stream]),
                lost_text(results.of("latency", transport=name).values()),
            ]
        )
    return table


def peers(results: Results) -> Table:
    table = Table("What was measured, and how it was used", ["", "version", "how", "it can"], text_columns=4, strong=label_of(OURS))
    for transport in sorted(
        results.transports,
        key=lambda t: (not t["transport"].startswith(LIMIT), not t["transport"].startswith(OURS), t["transport"].lower()),
    ):
        can = [
            word
            for word, key in (("spin", "spin"), ("sleep", "sleep"), ("copy", "copy"), ("loan", "loan"), ("fan out", "fanout"))
            if transport[key]
        ]
        if transport["largest"]:
            can.append(f"up to {size_text(transport['largest'])}")
        table.rows.append([label_of(transport["transport"]), transport["version"], transport["how"], ", ".join(can)])
    for missing in results.data["not_here"]:
        table.rows.append([missing["transport"], "not here", missing["why"], ""])
    return table


def failures(results: Results) -> Table:
    table = Table("What failed", ["", "run", "times", "last words"], text_columns=4)
    for (key, why), count in sorted(results.failures.items(), key=str):
        run = f"{key.kind}, {size_text(key.size)}, {key.waiting}, {key.give}, {key.readers} reader{'s' * (key.readers != 1)}"
        table.rows.append([label_of(key.transport), run, str(count), why])
    return table


def details(results: Results) -> list[Table]:
    """Everything that the plots show, in numbers."""
    tables = []
    for give, title in (("copy", "copied in"), ("loan", "written in place")):
        figures = results.of("latency", give=give)
        if figures:
            table = Table(
                f"Latency, one reader that spins, {title}",
                ["", "payload", "p50", "p99", "p99.9", "worst", "frames", "missed, torn", "due every"],
                text_columns=2,
            )
            for key, figure in sorted(
                figures.items(), key=lambda item: (item[0].size, item[1].runs[0]["latency"]["p50"] if item[1].runs[0]["latency"] else 0)
            ):
                tails = [figure.spread("latency", of) for of in ("p99", "p99_9", "max")]
                table.rows.append(
                    [
                        label_of(key.transport),
                        size_text(key.size),
                        spread_text(figure, "latency"),
                        *(time_text(t.median) if t else "" for t in tails[:2]),
                        time_text(tails[2].greatest) if tails[2] else "",
                        str(figure.sum("got")),
                        count_text(figure.missed_share(), figure.sum("torn")),
                        time_text(figure.interval_ns()),
                    ]
                )
            tables.append(table)
    for waiting, title in (("spin", "spin"), ("sleep", "sleep")):
        figures = results.of("cost", waiting=waiting)
        counts = sorted({key.readers for key in figures})
        if counts:
            table = Table(
                f"What passing a 64-byte frame on costs the writer, readers that {title}",
                ["", "", *(f"{n} reader{'s' * (n != 1)}" for n in counts)],
                text_columns=2,
            )
            for name in results.names:
                mine = {key.readers: (key, figure) for key, figure in figures.items() if key.transport == name}
                if mine:
                    how = {"loan": "publish", "copy": "send"}[next(iter(mine.values()))[0].give]
                    table.rows.append([label_of(name), how, *(spread_text(mine[n][1], "cost") if n in mine else "" for n in counts)])
            tables.append(table)
    return tables


def ratios(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title, ["", "time", "beside", "time", "ratio"])
    for row in rows:
        table.rows.append(
            [
                row["figure"],
                time_text(row["ns"]),
                row["beside"],
                time_text(row["beside_ns"]),
                f"{row['ratio']:.2f}" if row["ratio"] >= 0.1 else f"{row['ratio']:.2g}",
            ]
        )
    return table


def of_bench(bench: dict[str, Any]) -> list[Table]:
    """What `slipring bench` measured, a table for each command. A plot of one goes into plots.py, and is added to `drawn` in main()."""
    tables = []
    for command in bench["commands"]:
        table = Table(f"slipring bench {command['command']}", ["", "median", "p99", "worst", "times the limit", "frames/s", "lost"])
        table.below = f"Times over all {bench['rounds']} rounds; in brackets the medians of the rounds, from the least to the greatest."
        for case in command["cases"]:
            for what in ("latency", "cost", "last"):
                found, by_round = case.get(what), [ns for ns in case.get(f"{what}_p50_by_round", []) if ns > 0]
                if not found:
                    continue
                spread = f" ({time_text(min(by_round))} to {time_text(max(by_round))})" if len(by_round) > 1 else ""
                speeds = sorted(case["frames_per_second"]) if what == "latency" and case.get("interval_ns") == 0 else []
                times, due = case.get(f"{what}_ratio"), case["got"] + case["missed"]
                table.rows.append(
                    [
                        case["name"] + {"latency": "", "cost": ", its cost", "last": ", the last reader"}[what],
                        time_text(found["p50"]) + spread,
                        time_text(found["p99"]),
                        time_text(found["max"]),
                        f"{times:.2f}" if times else "",
                        f"{speeds[len(speeds) // 2]:,.0f}" if speeds else "",
                        count_text(case["missed"] / due, case["torn"]) if what == "latency" and due else "",
                    ]
                )
        tables.append(table)
    return tables


def about(results: Results) -> list[str]:
    data, here = results.data, results.data["machine"]
    cpus = data["cpus"]
    pinned = (
        "nothing pinned"
        if cpus["writer"] is None
        else f"writer on CPU {cpus['writer']}, readers on CPU {', '.join(map(str, cpus['readers']))}"
    )
    versions = {t["transport"]: t["version"] for t in results.transports}
    lines = [
        (
            f"{data['date']}; {data['rounds']} interleaved rounds in {data['seconds'] / 60:.0f}"
            f" minutes{', quick' if data['quick'] else ''}; slipring {versions.get(OURS, 'not here')}"
        ),
        (
            f"{here['cpu']}{', virtual machine' if here['virtual'] else ''}, {here['cpus']} CPUs, {here['memory'] / 2**30:.0f} GiB,"
            f" last-level cache {here['cache']}; {here['kernel']}; clock {here['clock']}, frequency governor {here['governor']}, isolated"
            f" CPUs {here['isolated']}, load before {here['load']:.2f}"
        ),
        (
            f"Processes of their own on one clock (CLOCK_MONOTONIC); {pinned}. Each step goes through all transports, in an order shuffled"
            " anew, before the next begins."
        ),
    ]
    if len(cpus["readers"]) < 2:
        lines.append(
            "Several readers share a CPU here: with them, only the writer's cost says something, and that of a transport that waits for its"
            " readers says that they are slow."
        )
    limit = Figure([run for figure in results.of("latency", transport=LIMIT).values() for run in figure.runs])
    if limit.missed_share() > 0.01:
        lines.append(
            "The machine was not quiet: even the limit's reader, which does nothing but look, came too late for"
            f" {100 * limit.missed_share():.0f} % of the frames. Small times say more about what else ran than about who is fast."
        )
    if data["left_out"]:
        lines.append(f"Out of time: {data['left_out']} runs were left out.")
    return lines


CSS = """
:root { color-scheme: light dark; --ink: #1b1b1f; --soft: #5c5c66; --grid: #dcdce2; --card: #fefefe; --page: #f4f4f6; --ours: #b04a00 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e9e9ee; --soft: #a6a6b2; --grid: #3b3b44; --card: #1f1f24; --page: #141417; --ours: #ff8a3d } }
body { margin: 0 auto; padding: 1.5rem; max-width: 88rem; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
h1 { margin: 0 0 .3rem } h2 { margin: 2.2rem 0 .6rem; font-size: 1.2rem }
p { max-width: 75rem } .soft { color: var(--soft); font-size: .9rem }
figure, .table { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--grid); border-radius: 8px;
  overflow-x: auto }
figure svg { display: block; width: 100%; min-width: 44rem; height: auto }
figcaption { margin-top: .7rem; color: var(--soft); font-size: .85rem; max-width: 75rem }
.narrow svg { max-width: 52rem }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--grid); text-align: right; vertical-align: top }
th { color: var(--soft); font-weight: 600 } .w { text-align: left } td.n { white-space: nowrap }
small { display: block; color: var(--soft); font-weight: 400; font-size: .8em }
tr.ours td { font-weight: 600 } tr.ours td:first-child { color: var(--ours) }
.dot { display: inline-block; width: .7em; height: .7em; margin-right: .5em; border-radius: 50% }
details { margin-top: 2rem } summary { cursor: pointer; font-weight: 600 }
nav a { margin-right: 1rem; color: inherit }
"""
PAGE_COLOURS = {INK: "var(--ink)", SOFT: "var(--soft)", GRID: "var(--grid)", PAPER: "var(--card)"}


def inline(plot: Plot, svg: str) -> str:
    """The picture as part of the page: no header, the page's colours, and names that no other picture has."""
    svg = svg[svg.index("<svg") :]
    for colour, variable in PAGE_COLOURS.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{plot.name}-", svg)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)


def html_table(table: Table, colours: dict[str, str]) -> str:
    def cell(tag: str, place: int, text: str) -> str:
        kind = ("w n" if place == 0 else "w") if place < table.text_columns else "n"
        shown = html.escape(text)
        if tag == "td" and kind == "n":  # what stands in brackets goes below
            shown = re.sub(r"^(.+?) \((.+)\)$", r"\1<small>\2</small>", shown)
        dot = f'<i class="dot" style="background:{colours[text]}"></i>' if tag == "td" and place == 0 and text in colours else ""
        return f'<{tag} class="{kind}">{dot}{shown}</{tag}>'

    head = "".join(cell("th", place, text) for place, text in enumerate(table.columns))
    rows = "".join(
        f"<tr{' class=ours' if row[0] == table.strong else ''}>{''.join(cell('td', place, text) for place, text in enumerate(row))}</tr>\n"
        for row in table.rows
    )
    below = f'<p class="soft">{html.escape(table.below)}</p>' if table.below else ""
    return (
        f"<h2>{html.escape(table.title)}</h2>\n<div"
        f" class=table><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>{below}\n"
    )


def html_page(results: Results, drawn: list[tuple[Plot, str]], first: list[Table], last: list[Table], folded: list[Table]) -> str:
    colours = {label_of(name): look(name).colour for name in results.names}
    parts = [
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>slipring measured side by side</title><style>{CSS}</style></head><body>\n<h1>slipring, measured side by side</h1>\n",
    ]
    parts += [f'<p class="soft">{html.escape(line)}</p>\n' for line in about(results)]
    parts.append("<nav class=soft>" + "".join(f'<a href="#{plot.name}">{html.escape(plot.title)}</a>' for plot, _ in drawn) + "</nav>\n")
    parts += [html_table(table, colours) for table in first if table.rows]
    for plot, svg in drawn:
        narrow = " class=narrow" if plot.width < 9 else ""
        parts.append(
            f'<h2 id="{plot.name}">{html.escape(plot.title)}</h2>\n<figure{narrow}>{inline(plot, svg)}'
            f"<figcaption>{html.escape(plot.method)}</figcaption></figure>\n"
        )
    parts += [html_table(table, colours) for table in last if table.rows]
    if any(table.rows for table in folded):
        parts.append(
            "<details><summary>All figures</summary>\n"
            + "".join(html_table(table, colours) for table in folded if table.rows)
            + "</details>\n"
        )
    return "".join(parts) + "</body></html>\n"


def markdown_table(table: Table) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    under = line("---" if place < table.text_columns else "---:" for place in range(len(table.columns)))
    rows = "".join(
        line([f"**{cell}**" if place == 0 and row[0] == table.strong else cell for place, cell in enumerate(row)]) for row in table.rows
    )
    return f"## {table.title}\n\n{line(table.columns)}{under}{rows}\n{table.below}{chr(10) * 2 if table.below else ''}"


def markdown(results: Results, drawn: list[tuple[Plot, str]], tables: list[Table]) -> str:
    parts = ["# slipring, measured side by side\n\n", *(f"{line}\n\n" for line in about(results)), markdown_table(tables[0])]
    parts += [f"## {plot.title}\n\n![{plot.title}]({plot.name}.svg)\n\n{plot.method}\n\n" for plot, _ in drawn]
    return "".join(parts + [markdown_table(table) for table in tables[1:] if table.rows]).rstrip() + "\n"


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("peers", type=Path, help="what peers/run.py wrote")
    options.add_argument("--out", type=Path, required=True, help="folder, made where it is not there")
    options.add_argument("--bench", type=Path, help="what `slipring bench --json` printed")
    options.add_argument("--ratios", type=Path, action="append", default=[], help="what ratios.py --json printed")
    options.add_argument("--python-ratios", type=Path, help="what python/frames.py --json printed")
    asked = options.parse_args()
    try:
        results = Results(json.loads(asked.peers.read_text()))
        extra = of_bench(json.loads(asked.bench.read_text())) if asked.bench else []
        for path in asked.ratios:
            extra.append(ratios("slipring's own calls, each beside its plain equivalent", json.loads(path.read_text())))
        if asked.python_ratios:
            extra.append(ratios("The same in Python, a 1080p RGB frame", json.loads(asked.python_ratios.read_text())))
    except (OSError, ValueError, KeyError) as error:
        print(f"make_report.py: cannot use what was measured: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    asked.out.mkdir(parents=True, exist_ok=True)
    drawn = [(plot, plot.svg()) for plot in plots(results)]
    for plot, svg in drawn:
        (asked.out / f"{plot.name}.svg").write_text(svg)
    first, last, folded = [summary(results)], [*extra, peers(results), failures(results)], details(results)
    (asked.out / "index.html").write_text(html_page(results, drawn, first, last, folded))
    (asked.out / "report.md").write_text(markdown(results, drawn, [*first, *last, *folded]))
    print(asked.out / "index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
