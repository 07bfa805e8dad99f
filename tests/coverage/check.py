"""Prints a table of what was reached, and judges it: check.py COVERAGE.JSON EXCEPTIONS [--lines]. See tests/coverage/run."""
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import sys

# The aim: every line reached or named in exceptions, and 95 % of the branches. What holds meanwhile is what was reached: percent of lines and branches that a part
# may not fall below.
AIM = 95.0
FLOORS = {"src/core/": (99, 95), "src/cli/": (98, 91), "src/measure/": (99, 93), "src/python/": (98, 92)}
PARTS = {"src/core/": "the library", "src/cli/": "the command line", "src/measure/": "measuring", "src/python/": "the Python package"}


def read_exceptions(path):
    """Lines of 'FILE: FUNCTION: TEXT OF THE LINE', each under the '# reason' that it shares with its neighbours."""
    known, reason = {}, None
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith("# "):
            reason = line[2:]
        elif line.strip():
            known[line.strip()] = reason
    return known


def share(reached, total):
    return f"{reached:6} of {total:6}  {100 * reached / total if total else 100:5.1f} %"


def main():
    report = json.load(open(sys.argv[1]))
    known, used = read_exceptions(sys.argv[2]), set()
    unnamed, sums, present = [], {}, set()
    print(f"{'':36}  {'lines':>25}  {'branches':>25}")
    for file in sorted(report["files"], key=lambda f: f["file"]):
        name = file["file"]
        source = pathlib.Path(name).read_text().splitlines()
        functions = sorted((function["lineno"], function["name"]) for function in file["functions"])
        keys = {}
        for number, line in enumerate(source, 1):
            function = next((called for first, called in reversed(functions) if first <= number), "")
            keys[number] = f"{name}: {function}: {' '.join(line.split())}"
        present.update(keys.values())
        lines = [line for line in file["lines"] if not line.get("gcovr/noncode")]
        reached = sum(line["count"] > 0 for line in lines)
        # What an excused line would branch to is excused with it.
        branches = [b for line in lines for b in line["branches"] if line["count"] > 0]
        taken = sum(b["count"] > 0 for b in branches)
        for line in lines:
            if line["count"] == 0:
                key = keys[line["line_number"]]
                if key in known:
                    used.add(key)
                else:
                    unnamed.append(key)
        print(f"{name:36}  {share(reached, len(lines))}  {share(taken, len(branches))}")
        for key in (next(part for part in PARTS if name.startswith(part)), "src/"):
            total = sums.setdefault(key, [0, 0, 0, 0])
            for i, n in enumerate((reached, len(lines), taken, len(branches))):
                total[i] += n
    print()
    for key, title in [*PARTS.items(), ("src/", "all")]:
        if key in sums:
            print(f"{title:36}  {share(*sums[key][:2])}  {share(*sums[key][2:])}")
    if "--lines" in sys.argv:
        for line in unnamed:
            print(f"not reached, and not in tests/coverage/exceptions: {line}")
    # Reached after all, by chance or on another CPU, is no fault; a line that is not there any more is.
    stale = sorted(key for key in set(known) - used if key not in present)
    for line in stale:
        print(f"stale in tests/coverage/exceptions (the line is gone): {line}")
    branches = 100 * sums["src/"][2] / sums["src/"][3]
    fallen = []
    for key, (lines, taken) in FLOORS.items():
        part = sums.get(key)
        if part is None:
            print(f"{key} was not measured")
        elif 100 * part[0] < lines * part[1] or 100 * part[2] < taken * part[3]:
            fallen.append(key)
            print(f"{key} fell below {lines} % of its lines or {taken} % of its branches")
    print(f"coverage: {sums['src/'][0]} of {sums['src/'][1]} lines, {len(used)} exceptions named, {len(unnamed)} not, {len(stale)} stale; "
          f"{branches:.1f} % of {sums['src/'][3]} branches (aim {AIM:.0f} %)")
    return 1 if fallen or stale else 0


if __name__ == "__main__":
    sys.exit(main())
