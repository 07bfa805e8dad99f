"""Runs the demo's processes and shows their figures. Called by scripts/demo: demo_run.py SLIPRING VIDEO PICTURE"""

import fractions
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

SECONDS = 10
READERS = {  # name: (what it does, options)
    "every frame": ("", ["--next"]),
    "slow": ("holds each frame 100 ms", ["--slow", "100"]),
    "stopped": ("SIGSTOP at 3 s, SIGCONT at 6 s", []),
    "killed": ("kill -9 at 5 s, started again", []),
}
TICK = 0.25


class Process:
    """A slipring command whose JSON lines are read as they come."""

    def __init__(self, arguments, directory, **streams):
        self.log = tempfile.NamedTemporaryFile("w+", dir=directory, delete=False)
        where = {"stdout": self.log, "stderr": subprocess.STDOUT, **streams}
        if "stdout" in streams:
            where["stderr"] = self.log
        self.popen = subprocess.Popen(arguments, **where)
        self.reader = open(self.log.name)
        self.last = {}
        self.summary = None
        self.state = ""

    def update(self):
        for line in self.reader:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            self.last = event
            if event["event"] == "summary":
                self.summary = event

    def end(self):
        try:
            self.popen.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.update()


def rate_of(video):
    out = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=r_frame_rate,width,height",
                          "-of", "json", video], check=True, capture_output=True, text=True).stdout
    stream = json.loads(out)["streams"][0]
    return fractions.Fraction(stream["r_frame_rate"]), stream["width"], stream["height"]


def human(ns):
    for unit in ("ns", "us", "ms"):
        if ns < 1000:
            return f"{ns:.0f} {unit}"
        ns /= 1000
    return f"{ns:.1f} s"


def rows_of(writer, readers, lost):
    w = writer.last
    yield f"{'':14}{'frames':>8}{'rate':>10}{'missed':>9}{'torn':>7}{'p50':>9}{'p99':>9}   "
    yield (f"{'writer':14}{w.get('published', 0):8}{w.get('fps', 0):6.1f}/s  {'':9}{'':7}{'':9}{'':9}   "
           f"never waited: dropped {w.get('dropped', 0)}, longest call {human(w.get('longest_call_ns', 0))}")
    for name, reader in readers.items():
        r, before = reader.last, lost.get(name, {})
        latency = r.get("latency_ns", {})
        yield (f"{name:14}{r.get('got', 0) + before.get('got', 0):8}{r.get('fps', 0):6.1f}/s  {r.get('missed', 0) + before.get('missed', 0):7}"
               f"{r.get('torn', 0) + before.get('torn', 0):7}{human(latency.get('p50', 0)):>9}{human(latency.get('p99', 0)):>9}   "
               f"{reader.state or READERS[name][0]}")


class Table:
    """Redrawn in place on a terminal; printed every two seconds elsewhere."""

    def __init__(self):
        self.live = sys.stdout.isatty()
        self.drawn = 0
        self.next = 0.0

    def show(self, rows, final=False):
        now = time.monotonic()
        if not self.live and not final and now < self.next:
            return
        self.next = now + 2
        if self.live and self.drawn:
            sys.stdout.write(f"\033[{self.drawn}A")
        lines = list(rows)
        for line in lines:
            sys.stdout.write(line.rstrip() + ("\033[K\n" if self.live else "\n"))
        if not self.live:
            sys.stdout.write("\n")
        self.drawn = len(lines)
        sys.stdout.flush()


def main(slipring, video, picture):
    rate, width, height = rate_of(video)
    frames = int(rate * SECONDS)
    base = f"demo{os.getpid()}"
    with tempfile.TemporaryDirectory() as directory:
        def start_reader(name, sheet=None):
            options = [slipring, "sub", base, "--verify", "--json", f"--stats={2 * TICK}", *READERS[name][1]]
            if sheet is None:
                return Process(options, directory)
            return Process(options + ["-o", "-", "--format", "y4m", "--every", str(max(1, frames // 12))], directory, stdout=sheet)

        print(f"{width}x{height} at {float(rate):g} frames a second for {SECONDS} s: ffmpeg -> slipring pub -> shared memory -> 4 readers, "
              "each checking every frame's checksum\n")
        decoder = subprocess.Popen(["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", video, "-pix_fmt", "yuv420p", "-strict", "-1", "-f",
                                    "yuv4mpegpipe", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        writer = Process([slipring, "pub", base, "--fps", str(float(rate)), "--count", str(frames), "--wait-readers", str(len(READERS)),
                          "--slots", "12", "--prefault", "--json", f"--stats={2 * TICK}"], directory, stdin=decoder.stdout)
        decoder.stdout.close()
        scale = "scale=480:-2,tile=4x3:padding=8:margin=8:color=white"
        sheet = subprocess.Popen(["ffmpeg", "-v", "error", "-y", "-f", "yuv4mpegpipe", "-i", "-", "-vf", scale, "-frames:v", "1", picture],
                                 stdin=subprocess.PIPE)
        readers = {name: start_reader(name, sheet.stdin if i == 0 else None) for i, name in enumerate(READERS)}
        sheet.stdin.close()
        lost = {}  # what a killed reader had counted
        table = Table()
        began = None
        done = set()
        while writer.popen.poll() is None:
            time.sleep(TICK)
            for process in [writer, *readers.values()]:
                process.update()
            if began is None and writer.last.get("published", 0) > 0:
                began = time.monotonic()
            passed = time.monotonic() - began if began else 0
            for when, what in ((3, "stop"), (5, "kill"), (6, "continue")):
                if passed < when or what in done:
                    continue
                done.add(what)
                if what == "stop":
                    readers["stopped"].popen.send_signal(signal.SIGSTOP)
                    readers["stopped"].state = "stopped by SIGSTOP, holding its frame"
                elif what == "continue":
                    readers["stopped"].popen.send_signal(signal.SIGCONT)
                    readers["stopped"].state = "continued"
                else:
                    killed = readers["killed"]
                    killed.popen.kill()
                    killed.end()
                    lost["killed"] = killed.last
                    readers["killed"] = start_reader("killed")
                    readers["killed"].state = "killed by SIGKILL and started again"
            table.show(rows_of(writer, readers, lost))
        for process in [writer, *readers.values()]:
            process.end()
        sheet.wait()
        decoder.terminate()
        decoder.wait()
        table.show(rows_of(writer, readers, lost), final=True)
        return judge(writer, readers, lost, float(rate), frames, done, picture)


def judge(writer, readers, lost, rate, frames, done, picture):
    problems = []
    slow = []
    w = writer.summary or {}
    torn = sum(r.last.get("torn", 0) for r in readers.values()) + sum(r.get("torn", 0) for r in lost.values())
    unverified = sum(r.last.get("unverified", 0) for r in readers.values())
    verified = sum(r.last.get("got", 0) for r in readers.values()) + sum(r.get("got", 0) for r in lost.values()) - unverified
    if w.get("published") != frames or w.get("dropped") != 0:
        problems.append(f"the writer published {w.get('published', 0)} of {frames} frames and dropped {w.get('dropped', '?')}")
    if w.get("fps", 0) < 0.97 * rate:
        slow.append(f"the writer's rate was {w.get('fps', 0):.1f} of {rate:.1f} frames a second")
    if torn:
        problems.append(f"{torn} frames were torn")
    if unverified:
        problems.append(f"{unverified} frames had no checksum")
    for name, reader in readers.items():
        if reader.summary is None or reader.popen.returncode != 0:
            problems.append(f"the reader '{name}' ended with status {reader.popen.returncode}")
    whole = readers["every frame"].last
    if whole.get("got", 0) + whole.get("missed", 0) != frames:
        problems.append(f"the reader of every frame got {whole.get('got', 0)} and missed {whole.get('missed', 0)} of {frames}")
    if done != {"stop", "kill", "continue"}:
        problems.append("the video was over before every reader had been disturbed")
    if not os.path.exists(picture):
        problems.append(f"there is no {picture}")
    print()
    for problem in problems + slow:
        print(f"PROBLEM: {problem}")
    if not problems and not slow:
        print(f"Good: {frames} frames at {w['fps']:.1f} a second; {verified} received and checked, none torn; the writer never waited, its "
              f"longest call took {human(w['longest_call_ns'])}.")
    print(f"What a reader received: {picture}")
    return 1 if problems else 3 if slow else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
