"""Makes mutants of the files whose every step matters, and lets the tests find them. See tests/mutation/run --help."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MUTATED = ["slot", "wait", "liveness"]
# Tried in this order, the cheapest first; {} is the mutated file's own unit test.
KILLERS = ["unit/{}", "unit/slot", "unit/wait", "unit/liveness", "unit/reader", "unit/writer", "unit/lease", "unit/generation",
           "unit/observe", "unit/api", "unit/inspect", "threads/ring", "tsan:threads/ring", "threads/registry", "threads/no_waitv",
           "multi/stopped", "multi/kill_readers", "multi/kill_writers"]
FLAGS = ["-std=c11", "-O1", "-fPIC", "-D_GNU_SOURCE", '-DSLIPRING_VERSION="mutant"', "-I", str(ROOT / "include"), "-I", str(ROOT / "src/core"),
         "-I", str(ROOT / "src/measure"), "-I", str(ROOT / "tests")]
TSAN = ["-fsanitize=thread", "-Wno-tsan"]
LIBRARIES = ["-lurcu-bp", "-lurcu-cds", "-lpthread", "-lm"]


def must(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"mutation: {' '.join(map(str, command))} failed:\n{done.stderr[-2000:]}")


class Build:
    """The library as one shared object of which one file can be swapped, and the tests that use it; one with and one without TSan."""

    def __init__(self, folder, extra):
        self.folder, self.extra = folder, extra
        self.objects = folder / "objects"
        self.objects.mkdir(parents=True)
        self.library = folder / "libmutant.so"
        for source in sorted((ROOT / "src/core").glob("*.c")):
            must(["gcc", *FLAGS, *extra, "-c", source, "-o", self.objects / f"{source.stem}.o"])
        self.link()

    def test(self, name):
        program = self.folder / name.replace("/", "_")
        criterion = ["-lcriterion"] if name.startswith("unit/") else []
        must(["gcc", *FLAGS, *self.extra, ROOT / "tests" / f"{name}.c", "-o", program, self.library, f"-Wl,-rpath,{self.folder}", *criterion,
              *LIBRARIES])
        return program

    def compile(self, source, to):
        command = ["gcc", *FLAGS, *self.extra, "-w", "-Werror=return-type", "-c", source, "-o", to]
        return subprocess.run(command, capture_output=True).returncode == 0

    def link(self, name=None, mutant=None):
        objects = [mutant if path.stem == name else path for path in sorted(self.objects.glob("*.o"))]
        must(["gcc", *self.extra, "-shared", "-o", self.library, *objects, *LIBRARIES])


def code_of(path):
    """What the object does, without its names and places of lines: mutants that compile to the same are the same."""
    return subprocess.run(["objdump", "-d", "-r", "--no-show-raw-insn", path], capture_output=True, text=True).stdout.split("\n", 4)[-1]


def without_comments(source):
    """universalmutator passes over every line with a comment; the same lines without them."""
    return re.sub(r"/\*.*?\*/", lambda comment: re.sub(r"[^\n]", "", comment[0]), source, flags=re.DOTALL)


def difference(original, mutant):
    """The mutant as a person reads it: the lines from the first to the last that changed."""
    first = next(i for i, (a, b) in enumerate(zip(original, mutant)) if a != b)
    same = next(i for i, (a, b) in enumerate(zip(reversed(original), reversed(mutant))) if a != b)
    return " ==> ".join(" ".join(" ".join(lines[first:len(lines) - same]).split()) for lines in (original, mutant))


def run(program, limit):
    """0: it passed. The program is alone in its process group and its directory, whatever the mutant makes it do."""
    directory = tempfile.mkdtemp(prefix="slipring-mutant-", dir="/dev/shm")
    environment = {**os.environ, "SLIPRING_DIR": directory, "TSAN_OPTIONS": "halt_on_error=1"}
    process = subprocess.Popen([program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return "hangs"
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def read_survivors():
    """survivors: lines of 'FILE: DIFFERENCE', each under the '# reason' that it shares with its neighbours."""
    known, reason = {}, None
    for line in (HERE / "survivors").read_text().splitlines():
        if line.startswith("# "):
            reason = line[2:]
        elif line.strip():
            known[line.strip()] = reason
    return known


def main():
    parser = argparse.ArgumentParser(description="Mutants of slot.c, wait.c and liveness.c: each is found by a test, or argued equivalent "
                                                 "in tests/mutation/survivors.")
    parser.add_argument("--only", choices=MUTATED, action="append", help="this file alone; may be repeated")
    parser.add_argument("--match", default="", help="mutants whose difference holds this text alone")
    parser.add_argument("--list", metavar="FILE", help="write every mutant and what found it")
    options = parser.parse_args()
    started = time.monotonic()
    work = pathlib.Path(tempfile.mkdtemp(prefix="slipring-mutation-"))
    builds = {"": Build(work / "plain", []), "tsan:": Build(work / "tsan", TSAN)}
    programs, limits = {}, {}
    for name in dict.fromkeys(k.format(f) for k in KILLERS for f in MUTATED):
        prefix = "tsan:" if name.startswith("tsan:") else ""
        programs[name] = builds[prefix].test(name.removeprefix("tsan:"))
        begun = time.monotonic()
        if run(programs[name], 300) != 0:
            sys.exit(f"mutation: {name} fails without any mutant")
        limits[name] = 10 + 8 * (time.monotonic() - begun)
    known, used = read_survivors(), set()
    count = dict.fromkeys(["mutants", "do not compile", "same code", "found", "argued"], 0)
    found_by, survivors, listing = {}, [], []
    for name in options.only or MUTATED:
        folder = work / name
        folder.mkdir()
        source = work / f"{name}.c"
        source.write_text(without_comments((ROOT / "src/core" / f"{name}.c").read_text()))
        must(["mutate", source, "c", "--only", HERE / "slipring.rules", "--swap", "--noCheck", "--mutantDir", folder])
        original = source.read_text().splitlines()
        unmutated = tuple(code_of(build.objects / f"{name}.o") for build in builds.values())
        seen = {unmutated}
        for path in sorted(folder.glob("*.c"), key=lambda p: int(p.name.split(".")[2])):
            what = f"{name}.c: {difference(original, path.read_text().splitlines())}"
            if options.match not in what:
                continue
            count["mutants"] += 1
            mutant = {prefix: folder / f"mutant{index}.o" for index, prefix in enumerate(builds)}
            if not all(build.compile(path, mutant[prefix]) for prefix, build in builds.items()):
                count["do not compile"] += 1
                continue
            code = tuple(code_of(file) for file in mutant.values())
            if code in seen:
                count["same code"] += 1
                continue
            seen.add(code)
            for prefix, build in builds.items():
                build.link(name, mutant[prefix])
            by = None
            for killer in dict.fromkeys(k.format(name) for k in KILLERS):
                # A weaker order is mostly the same code on x86-64, and only TSan sees it.
                if code[0] == unmutated[0] and not killer.startswith("tsan:"):
                    continue
                status = run(programs[killer], limits[killer])
                if status != 0:
                    by = killer + (" (hangs)" if status == "hangs" else "")
                    break
            if by is not None:
                count["found"] += 1
                found_by[by.split()[0]] = found_by.get(by.split()[0], 0) + 1
            elif what in known:
                count["argued"] += 1
                used.add(what)
                by = "argued: " + known[what]
            else:
                survivors.append(what)
                by = "SURVIVES"
                print(f"survives: {what}", flush=True)
            listing.append(f"{by}\t{what}")
            if sys.stderr.isatty():
                print(f"\r{count['mutants']} mutants, {count['found']} found, {len(survivors)} survive ", end="", file=sys.stderr)
        for prefix, build in builds.items():
            build.link()
    if options.list:
        pathlib.Path(options.list).write_text("\n".join(listing) + "\n")
    shutil.rmtree(work)
    stale = [] if options.only or options.match else sorted(set(known) - used)
    for what in stale:
        print(f"stale in tests/mutation/survivors (found now, or gone): {what}")
    print("found by: " + ", ".join(f"{name} {n}" for name, n in sorted(found_by.items(), key=lambda item: -item[1])))
    print("mutation: " + ", ".join(f"{n} {what}" for what, n in count.items()) +
          f", {len(survivors)} survive, {len(stale)} stale; {time.monotonic() - started:.0f} s")
    return 1 if survivors or stale else 0


if __name__ == "__main__":
    sys.exit(main())
