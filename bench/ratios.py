"""Sets slipring's figures beside their plain equivalents of the same run: ratios.py RESULT.json [--json]

RESULT.json is slipring_bench's output with repetitions; each figure is the median of them.
"""

import json
import platform
import statistics
import sys

SIZES = {64: "64 B", 64 << 10: "64 KiB", 640 * 480 * 3: "640x480x3", 1920 * 1080 * 3: "1920x1080x3", 3840 * 2160 * 3: "3840x2160x3"}
NS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def medians(result):
    values = {}
    for run in result["benchmarks"]:
        if run.get("run_type") == "iteration":
            name = run["name"].replace("/manual_time", "").replace("/repeats:5", "")
            name = "/".join(part for part in name.split("/") if not part.startswith(("iterations:", "repeats:")))
            values.setdefault(name, []).append(run["real_time"] * NS[run["time_unit"]])
    return {name: statistics.median(times) for name, times in values.items()}


def rows_of(m):
    clock = m["clock_read"]
    yield "publish of a loan", m["publish_to_readers/readers:0"], "a clock read", clock
    yield "publish of a loan, no stamps", m["publish_unstamped"], "a clock read", clock
    for readers in (1, 16, 62):
        yield f"publish, {readers} readers attached", m[f"publish_to_readers/readers:{readers}"], "0 readers", m["publish_to_readers/readers:0"]
    yield "loan + publish", m["loan_and_publish/stamped:1"], "a clock read", clock
    yield "loan + publish, no stamps", m["loan_and_publish/stamped:0"], "a clock read", clock
    yield "publish + next + release", m["publish_next_and_release"], "loan + publish", m["loan_and_publish/stamped:1"]
    for size, name in SIZES.items():
        yield f"get + release, {name}", m[f"get_and_release/bytes:{size}"], "64 B", m["get_and_release/bytes:64"]
    for buffers in (2, 8):
        for size, name in SIZES.items():
            key = f"bytes:{size}/buffers:{buffers}"
            yield f"copy in, {name}, {buffers} slots in turn", m[f"copy_in/{key}"], "memcpy", m[f"plain_memcpy/{key}"]


def cpu():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def human(ns):
    for unit in ("ns", "us", "ms"):
        if ns < 1000:
            return f"{ns:.1f} {unit}"
        ns /= 1000
    return f"{ns:.1f} s"


def main(path, as_json):
    with open(path) as file:
        result = json.load(file)
    rows = list(rows_of(medians(result)))
    if as_json:
        print(json.dumps([{"figure": f, "ns": t, "beside": b, "beside_ns": p, "ratio": t / p} for f, t, b, p in rows], indent=1))
        return
    print(f"{'figure':42}{'time':>10}   {'beside':14}{'time':>10}  ratio")
    for figure, time, beside, plain in rows:
        print(f"{figure:42}{human(time):>10}   {beside:14}{human(plain):>10}  {time / plain:5.2f}")
    print(f"\n{cpu()}, Linux {platform.release()}, {result['context']['num_cpus']} CPUs. Google Benchmark, one process, repetitions interleaved at "
          "random; each figure is their median.\nReaders are attached and idle; memory is touched before; memcpy goes into as many buffers "
          "as the ring goes round.")


if __name__ == "__main__":
    main(sys.argv[1], "--json" in sys.argv[2:])
