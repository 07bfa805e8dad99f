"""Checks what slipring bench --json says against itself: check_bench.py BENCH.json HISTOGRAM_FOLDER"""

import json
import sys
from pathlib import Path

COMMANDS = ["limits", "latency", "fanout", "stream", "attach"]


def check_histogram(h: dict, where: str) -> None:
    counts = [count for _, count in h["cells"]]
    ends = [end for end, _ in h["cells"]]
    assert sum(counts) == h["count"] > 0, where
    assert ends == sorted(ends) and min(counts) > 0, where
    assert h["min"] <= h["p50"] <= h["p90"] <= h["p99"] <= h["p99_9"] <= h["max"], where
    assert h["max"] <= ends[-1], where


def check_case(case: dict, rounds: int) -> None:
    name = case["name"]
    for figure in ("latency", "cost", "last"):
        if case[figure] is not None:
            check_histogram(case[figure], f"{name}: {figure}")
            assert len(case[f"{figure}_p50_by_round"]) == rounds, name
    if "transport" not in case:
        return
    # What was sent was got or missed, by each reader.
    assert case["got"] + case["missed"] == case["sent"] * case["readers"], name
    assert case["sent"] > 0 and case["cost"]["count"] == case["sent"], name
    if case["transport"] == "slipring":
        assert case["torn"] == 0, name
        assert case["latency_ratio"] is None or case["latency_ratio"] > 0, name


def main(path: str, folder: str) -> None:
    with open(path) as file:
        result = json.load(file)
    assert [c["command"] for c in result["commands"]] == COMMANDS
    for key in ("cpu", "kernel", "clock", "governor", "cpus", "virtual", "load_average"):
        assert key in result["machine"], key
    for command in result["commands"]:
        assert any(case["name"].startswith("slipring") for case in command["cases"]) or command["command"] == "limits"
        for case in command["cases"]:
            check_case(case, result["rounds"])
        log = (Path(folder) / f"{command['command']}.hlog").read_text()
        assert log.startswith("#[Histogram log format version 1.3]"), command["command"]
        tagged = [line for line in log.splitlines() if line.startswith("Tag=")]
        assert len(tagged) == len(list(Path(folder).glob(f"{command['command']}-*.hgrm"))) > 0, command["command"]
    latency = {case["name"]: case for case in result["commands"][1]["cases"]}
    own = latency["slipring, copy, 64 B, spinning"]
    limit = latency["plain, copy, 64 B, spinning"]
    ratios = sorted(a / b for a, b in zip(own["latency_p50_by_round"], limit["latency_p50_by_round"]))
    assert abs(own["latency_ratio"] - sum(ratios) / 2) < 1e-3 * own["latency_ratio"]


if __name__ == "__main__":
    main(*sys.argv[1:])
