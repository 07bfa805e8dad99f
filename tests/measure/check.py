"""The histograms of src/measure beside numpy's percentiles and HdrHistogram's Python port, over random samples: check.py TOOL [SEED]

TOOL is tests/measure/histogram_tool.c. The port (hdrhistogram on PyPI) reads what we write, and is fed the same values. Where it differs
from the reference, the Java one, our way is the reference's: percentile ticks shrink from half to half, not one by one; the standard
deviation is in the unit of the rest; the trailer says "Total count", a whole number; and a single zero is encoded as 0, not as -1.
"""

from __future__ import annotations

import base64
import io
import math
import random
import re
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from hdrh.histogram import HdrHistogram
from hdrh.iterators import PercentileIterator
from hdrh.log import HistogramLogReader

GREATEST = 10**11
PERCENTS = (0, 0.01, 1, 5, 10, 25, 33.3, 50, 66.6, 75, 90, 95, 99, 99.9, 99.99, 99.999, 100)
UNITS = (1, 1000, 1e6)
START_NS = 1_700_000_000_250_000_000
TOOL = Path(sys.argv[1]).resolve()


def tool(*arguments: object, lines: Sequence[object]) -> str:
    """What the tool prints, given these lines."""
    given = "".join(f"{line}\n" for line in lines)
    return subprocess.run([TOOL, *map(str, arguments)], input=given, capture_output=True, text=True, check=True, timeout=120).stdout


def samples(seed: int) -> Iterator[tuple[str, list[int]]]:
    """Distributions that latencies have, and those at which a histogram breaks; whole numbers up to the greatest."""
    rng = np.random.default_rng(seed)

    def whole(values: np.ndarray) -> list[int]:
        return [int(v) for v in np.clip(values, 0, GREATEST).astype(np.int64)]

    yield "one value", whole(rng.integers(1, GREATEST, 1))
    yield "two values far apart", [3, GREATEST]
    yield "zeros", [0] * 17
    yield "exact, below 2048", whole(rng.integers(0, 2048, 5003))
    yield "uniform to the greatest", whole(rng.integers(0, GREATEST, 4001))
    yield "one in each decade", [10**e for e in range(12)]
    yield "normal", whole(rng.normal(50_000, 4_000, 20_011))
    yield "lognormal", whole(rng.lognormal(8, 1.2, 20_011))
    yield "exponential", whole(rng.exponential(3e6, 9973))
    yield "heavy tail", whole(2_000 * (1 + rng.pareto(0.9, 20_011)))
    yield "two modes and stalls", whole(np.concatenate([rng.normal(900, 60, 9000), rng.normal(45_000, 900, 990), rng.uniform(1e9, 9e9, 7)]))
    yield "log-uniform", whole(10 ** rng.uniform(0, 11, 20_011))
    yield "few", whole(rng.lognormal(10, 2, 7))


def recorded(values: Sequence[int]) -> HdrHistogram:
    histogram = HdrHistogram(1, GREATEST, 3)
    for value in values:
        assert histogram.record_value(value), value
    return histogram


class Ticks(PercentileIterator):
    """The reference's ticks: equal within each half of the distance to 100 %."""

    def increment_iteration_level(self) -> None:
        self.percentile_to_iterate_from = self.percentile_to_iterate_to
        if self.percentile_to_iterate_to == 100:
            return
        halvings = int(math.log(100 / (100 - self.percentile_to_iterate_to)) / math.log(2))
        self.percentile_to_iterate_to += 100 / (self.percentile_ticks_per_half_distance * 2 ** (halvings + 1))


def check_cells(seed: int) -> None:
    rng = random.Random(seed)
    edges = [(1 << bit) + off for bit in range(37) for off in (-1, 0, 1)] + [0, GREATEST]
    values = [v for v in edges if v <= GREATEST] + [rng.randrange(1 << rng.randrange(1, 37)) for _ in range(5000)]
    histogram = HdrHistogram(1, GREATEST, 3)
    lines = tool("cells", lines=values).splitlines()
    assert len(lines) == len(values)
    for value, line in zip(values, lines):
        ends = histogram.get_lowest_equivalent_value(value), histogram.get_highest_equivalent_value(value)
        assert tuple(map(int, line.split())) == (histogram.get_counts_array_index(value), *ends), (value, line, ends)


def check_percentiles(values: list[int], theirs: HdrHistogram) -> None:
    lines = tool("percentiles", *PERCENTS, lines=values).splitlines()
    ours = [int(line) for line in lines[: len(PERCENTS)]]
    total, least, most = (int(line) for line in lines[len(PERCENTS) : -2])
    mean, deviation = (float(line) for line in lines[-2:])
    for percent, got in zip(PERCENTS, ours):
        exact = int(np.percentile(np.array(values), percent, method="inverted_cdf"))
        assert exact <= got <= exact + exact // 1000 + 1, f"p{percent}: {got}, numpy {exact}"
    assert ours == sorted(ours)
    assert (total, least, most) == (len(values), min(values), max(values)) and (ours[0], ours[-1]) == (least, most)
    assert math.isclose(mean, theirs.get_mean_value(), rel_tol=1e-9)
    assert math.isclose(mean, float(np.mean(values)), rel_tol=1e-3)
    assert math.isclose(deviation, theirs.get_stddev(), rel_tol=1e-6, abs_tol=1e-6)


def check_distribution(values: list[int], theirs: HdrHistogram, unit: float) -> int:
    """The .hgrm line by line. How many lines it has."""
    out = io.BytesIO()
    theirs.get_percentile_iterator = lambda ticks: Ticks(theirs, ticks)
    theirs.output_percentile_distribution(out, unit)
    got = tool("hgrm", unit, lines=values).splitlines()
    expected = out.getvalue().decode().splitlines()
    assert len(got) == len(expected), (len(got), len(expected))
    differing = [(a, b) for a, b in zip(got[:-3], expected[:-3]) if a != b]
    assert not differing, differing[:3]
    number = r"= +([\d.]+)"
    means = re.fullmatch(rf"#\[Mean    {number}, StdDeviation   {number}\]", got[-3])
    ends = re.fullmatch(rf"#\[Max     {number}, Total count    {number}\]", got[-2])
    assert means and ends, got[-3:]
    (mean, deviation), (most, total) = map(float, means.groups()), map(float, ends.groups())
    assert math.isclose(mean, theirs.get_mean_value() / unit, rel_tol=1e-9, abs_tol=0.00051)
    assert math.isclose(deviation, theirs.get_stddev() / unit, rel_tol=1e-6, abs_tol=0.00051)
    assert math.isclose(most, theirs.get_max_value() / unit, abs_tol=0.00051) and total == len(values)
    assert got[-1] == expected[-1] == "#[Buckets =           27, SubBuckets     =         2048]"
    return len(got)


def payload(line: str) -> tuple[bytes, list[bytes]]:
    """What an interval's line or an encoded histogram holds, uncompressed: its header and its words, the port's -1 as 0."""
    held = zlib.decompress(base64.b64decode(line.rsplit(",", 1)[-1], validate=True)[8:])
    zero, minus_one = b"\0", b"\1"
    return held[:40], [zero if word == minus_one else word for word in re.findall(rb"[\x80-\xff]*[\0-\x7f]", held[40:])]


def check_log(sets: dict[str, list[int]], folder: Path) -> int:
    """One log of all samples, an interval each, and an empty one. How many counts were compared."""
    intervals = {f"sample-{i}" if i % 4 else "-": values for i, values in enumerate(sets.values())}
    intervals = {**intervals, "empty": []}
    lines: list[object] = []
    for i, (tag, values) in enumerate(intervals.items()):
        lines += [*values, f"interval {tag} {i * 0.5} {0.25}"]
    path = folder / "samples.hlog"
    path.write_text(tool("hlog", START_NS, 1e6, lines=lines))
    texts = [line for line in path.read_text().splitlines() if line[0] not in '#"']
    assert len(texts) == len(intervals)

    reader = HistogramLogReader(str(path), HdrHistogram(1, GREATEST, 3))
    compared = 0
    for i, ((tag, values), text) in enumerate(zip(intervals.items(), texts)):
        got, expected = reader.get_next_interval_histogram(), recorded(values)
        assert got is not None and got.get_tag() == (None if tag == "-" else tag)
        assert list(got.counts) == list(expected.counts) and got.get_total_count() == len(values)
        assert (got.lowest_trackable_value, got.highest_trackable_value, got.significant_figures) == (1, GREATEST, 3)
        assert got.get_max_value() == expected.get_max_value()
        assert not values or got.get_min_value() == expected.get_min_value()
        assert [got.get_value_at_percentile(p) for p in PERCENTS] == [expected.get_value_at_percentile(p) for p in PERCENTS]
        assert math.isclose(got.get_start_time_stamp(), START_NS / 1e6 + i * 500, abs_tol=0.5)
        assert math.isclose(got.get_end_time_stamp() - got.get_start_time_stamp(), 250, abs_tol=0.5)
        assert math.isclose(float(text.split(",")[-2]), expected.get_max_value() / 1e6, abs_tol=0.00051)
        # The reference encodes an empty histogram as one zero, the port as nothing.
        assert not values or payload(text) == payload(expected.encode().decode()), tag
        compared += sum(count != 0 for count in got.counts)
    assert reader.get_next_interval_histogram() is None
    assert math.isclose(reader.get_start_time_sec(), START_NS / 1e9, abs_tol=0.0005)
    reader.close()

    reader = HistogramLogReader(str(path), HdrHistogram(1, GREATEST, 3))
    both = HdrHistogram(1, GREATEST, 3)
    while reader.add_next_interval_histogram(both) is not None:
        pass
    reader.close()
    assert both.get_total_count() == sum(map(len, intervals.values()))
    return compared


def main() -> None:
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    check_cells(seed)
    sets = dict(samples(seed))
    lines = 0
    for name, values in sets.items():
        try:
            theirs = recorded(values)
            check_percentiles(values, theirs)
            lines += sum(check_distribution(values, theirs, unit) for unit in UNITS)
        except AssertionError as why:
            raise AssertionError(f"{name} (seed {seed}): {why}") from why
    lines += check_distribution([], recorded([]), 1)
    with tempfile.TemporaryDirectory() as folder:
        counts = check_log(sets, Path(folder))
    print(f"{len(sets)} samples of {sum(map(len, sets.values()))} values: {len(PERCENTS)} percentiles each as numpy's, "
          f"{lines} lines of percentile distributions and {counts} counts of an interval log as HdrHistogram's")


if __name__ == "__main__":
    main()
