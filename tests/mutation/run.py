"""Makes mutants of the files whose every step matters, and lets the tests find them. See tests/mutation/run --help."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import collections
import concurrent.futures
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
# Tried in this order, the cheapest first; {} is the mutated file's own unit test. steps: built so that the test steps in at each atomic operation.
# labels: scripts/check-labels, for orders that a CPU gives anyway and ThreadSanitizer does not see (fences; what orders no plain access).
KILLERS = ["steps:steps/{}", "unit/{}", "unit/slot", "unit/wait", "unit/liveness", "unit/reader", "unit/writer", "unit/lease", "unit/generation",
           "unit/observe", "unit/api", "unit/inspect", "threads/ring", "tsan:threads/ring", "labels", "threads/registry", "threads/no_waitv",
           "multi/stopped", "multi/kill_readers", "multi/kill_writers"]
# The core files that a test in tests/steps is made of.
STEPS = {"steps/slot": ["slot"], "steps/wait": ["slot", "wait"]}
FLAGS = ["-std=c11", "-O1", "-fPIC", "-D_GNU_SOURCE", '-DSLIPRING_VERSION="mutant"', "-I", str(ROOT / "include"), "-I", str(ROOT / "src/core"),
         "-I", str(ROOT / "src/measure"), "-I", str(ROOT / "tests")]
TSAN = ["-fsanitize=thread", "-Wno-tsan"]
LIBRARIES = ["-lurcu-bp", "-lurcu-cds", "-lpthread", "-lm"]


def must(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"mutation: {' '.join(map(str, command))} failed:\n{done.stderr[-2000:]}")


class Build:
    """The library's objects, of which one can be swapped, and those of the tests that use it; one with and one without TSan."""

    def __init__(self, folder, extra, files):
        self.folder, self.extra = folder, extra
        folder.mkdir()
        self.objects = {name: folder / f"{name}.o" for name in files}
        for name, path in self.objects.items():
            must(["gcc", *FLAGS, *extra, "-c", ROOT / "src/core" / f"{name}.c", "-o", path])
        self.tests = {}

    def add(self, test):
        source, path = ROOT / "tests" / f"{test}.c", self.folder / (test.replace("/", "_") + ".o")
        must(["gcc", *FLAGS, *self.extra, "-c", source, "-o", path])
        # Functions of the library that a test has put one of its own before.
        wraps = [f"-Wl,--wrap={name}" for name in sorted(set(re.findall(r"__wrap_(\w+)", source.read_text())))]
        self.tests[test] = [path, *wraps, *(["-lcriterion"] if test.startswith("unit/") else [])]

    def compile(self, source, to):
        command = ["gcc", *FLAGS, *self.extra, "-Werror=return-type", "-Werror=implicit-function-declaration", "-c", source, "-o", to]
        return subprocess.run(command, capture_output=True).returncode == 0

    def link(self, test, to, name=None, mutant=None):
        objects = [mutant if stem == name else path for stem, path in self.objects.items() if stem in STEPS.get(test, [stem])]
        must(["gcc", *self.extra, "-o", to, *objects, *self.tests[test], *LIBRARIES])


def code_of(path):
    """What the object does, without its names and places of lines: mutants that compile to the same are the same."""
    return subprocess.run(["objdump", "-d", "-r", "--no-show-raw-insn", path], capture_output=True, text=True).stdout.split("\n", 4)[-1]


def without_comments(source):
    """universalmutator passes over every line with a comment; the same lines without them."""
    return re.sub(r"/\*.*?\*/", lambda comment: re.sub(r"[^\n]", "", comment[0]), source, flags=re.DOTALL)


def difference(original, mutant):
    """The mutant as a person reads it: its function, and the lines from the first to the last that changed."""
    first = next(i for i, (a, b) in enumerate(zip(original, mutant)) if a != b)
    same = next(i for i, (a, b) in enumerate(zip(reversed(original), reversed(mutant))) if a != b)
    heads = (re.match(r"\w.*?(\w+)\(.*[^;]$", line) for line in reversed(original[:first]))
    function = next((head[1] for head in heads if head), "")
    change = " ==> ".join(" ".join(" ".join(lines[first:len(lines) - same]).split()) for lines in (original, mutant))
    return f"{function}: {change}"


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
    """survivors: lines of 'FILE: FUNCTION: DIFFERENCE', each under the '# reason' that it shares with its neighbours."""
    known, reason = {}, None
    for line in (HERE / "survivors").read_text().splitlines():
        if line.startswith("# "):
            reason = line[2:]
        elif line.strip():
            known[line.strip()] = reason
    return known


class Mutant:
    def __init__(self, file, path, original):
        self.file, self.path, self.original = file, path, original
        self.lines = path.read_text().splitlines()
        self.what = f"{file}.c: {difference(original, self.lines)}"
        self.objects, self.code, self.by = {}, None, None

    def compile(self, builds):
        self.objects = {prefix: self.path.with_suffix(f".{index}.o") for index, prefix in enumerate(builds) if self.file in builds[prefix].objects}
        if all(builds[prefix].compile(self.path, to) for prefix, to in self.objects.items()):
            self.code = tuple(code_of(file) for file in self.objects.values())

    def breaks_labels(self):
        """What scripts/check-labels says of the one line that changed, with the comment that it has."""
        changed = [i for i, (a, b) in enumerate(zip(self.original, self.lines)) if a != b]
        if len(changed) != 1:
            return False
        folder = self.path.with_suffix(".labels")
        shutil.copytree(ROOT / "src/core", folder)
        lines = (folder / f"{self.file}.c").read_text().splitlines()
        lines[changed[0]] = " ".join([self.lines[changed[0]], *re.findall(r"/\*.*?\*/", lines[changed[0]])])
        (folder / f"{self.file}.c").write_text("\n".join(lines) + "\n")
        broken = subprocess.run([ROOT / "scripts/check-labels", folder], capture_output=True).returncode != 0
        shutil.rmtree(folder)
        return broken

    def look_for_killer(self, builds, limits, unmutated):
        for killer in killers_of(self.file):
            if killer == "labels":
                if self.breaks_labels():
                    self.by = killer
                    return
                continue
            prefix, test = parts_of(killer)
            # A weaker order is mostly the same code on x86-64, and only TSan sees it.
            if self.code[0] == unmutated[0] and prefix != "tsan:":
                continue
            program = self.path.with_suffix(".program")
            builds[prefix].link(test, program, self.file, self.objects[prefix])
            status = run(program, limits[killer])
            program.unlink()
            if status != 0:
                self.by = killer + (" (hangs)" if status == "hangs" else "")
                return


def killers_of(file):
    named = dict.fromkeys(killer.format(file) for killer in KILLERS)
    return [killer for killer in named if killer == "labels" or (ROOT / "tests" / f"{parts_of(killer)[1]}.c").exists()]


def parts_of(killer):
    prefix, colon, test = killer.rpartition(":")
    return prefix + colon, test


def make_mutants(name, work):
    folder = work / name
    folder.mkdir()
    source = work / f"{name}.c"
    source.write_text(without_comments((ROOT / "src/core" / f"{name}.c").read_text()))
    must(["mutate", source, "c", "--only", HERE / "slipring.rules", "--swap", "--noCheck", "--mutantDir", folder])
    original = source.read_text().splitlines()
    paths = sorted(folder.glob("*.c"), key=lambda p: int(p.name.split(".")[2]))
    return [Mutant(name, path, original) for path in paths]


def main():
    parser = argparse.ArgumentParser(description="Mutants of slot.c, wait.c and liveness.c: each is found by a test, or argued equivalent "
                                                 "in tests/mutation/survivors.")
    parser.add_argument("--only", choices=MUTATED, action="append", help="this file alone; may be repeated")
    parser.add_argument("--match", default="", help="mutants whose difference holds this text alone")
    parser.add_argument("--list", metavar="FILE", help="write every mutant and what found it")
    options = parser.parse_args()
    files = options.only or MUTATED
    started = time.monotonic()
    work = pathlib.Path(tempfile.mkdtemp(prefix="slipring-mutation-"))
    core = sorted(source.stem for source in (ROOT / "src/core").glob("*.c"))
    builds = {"": Build(work / "plain", [], core), "tsan:": Build(work / "tsan", TSAN, core), "steps:": Build(work / "steps", ["-DSLIP_DELAYS"], ["slot", "wait"])}
    limits = {}
    for killer in dict.fromkeys(killer for file in files for killer in killers_of(file) if killer != "labels"):
        prefix, test = parts_of(killer)
        builds[prefix].add(test)
        program = work / "unmutated"
        builds[prefix].link(test, program)
        begun = time.monotonic()
        if run(program, 300) != 0:
            sys.exit(f"mutation: {killer} fails without any mutant")
        # Tests of many processes take their time on a busy machine; those before them find what hangs.
        limits[killer] = (60 if test.startswith("multi/") else 5) + 8 * (time.monotonic() - begun)
    unmutated = {file: tuple(code_of(build.objects[file]) for build in builds.values() if file in build.objects) for file in files}
    mutants = [mutant for file in files for mutant in make_mutants(file, work)]
    times = collections.Counter()
    for mutant in mutants:
        times[mutant.what] += 1
        if times[mutant.what] > 1:
            mutant.what += f" ({times[mutant.what]})"  # the same change of another line of the function
    mutants = [mutant for mutant in mutants if options.match in mutant.what]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda mutant: mutant.compile(builds), mutants))
        seen, different = set(unmutated.values()), []
        for mutant in mutants:
            if mutant.code is not None and mutant.code not in seen:
                seen.add(mutant.code)
                different.append(mutant)
        searches = pool.map(lambda mutant: mutant.look_for_killer(builds, limits, unmutated[mutant.file]), different)
        for done, _ in enumerate(searches, 1):
            if sys.stderr.isatty():
                print(f"\r{done} of {len(different)} mutants ", end="", file=sys.stderr)
    shutil.rmtree(work)
    known = read_survivors()
    found = [mutant for mutant in different if mutant.by]
    survivors = [mutant.what for mutant in different if not mutant.by and mutant.what not in known]
    argued = {mutant.what for mutant in different if not mutant.by and mutant.what in known}
    for what in survivors:
        print(f"survives: {what}")
    if options.list:
        lines = [f"{mutant.by or ('argued: ' + known[mutant.what] if mutant.what in argued else 'SURVIVES')}\t{mutant.what}" for mutant in different]
        pathlib.Path(options.list).write_text("\n".join(lines) + "\n")
    stale = [] if options.match else sorted(what for what in set(known) - argued if what.split(".c:")[0] in files)
    for what in stale:
        print(f"stale in tests/mutation/survivors (found now, or gone): {what}")
    by = collections.Counter(mutant.by.split()[0] for mutant in found)
    print("found by: " + ", ".join(f"{name} {n}" for name, n in by.most_common()))
    invalid = sum(mutant.code is None for mutant in mutants)
    print(f"mutation: {len(mutants)} mutants: {invalid} do not compile, {len(mutants) - invalid - len(different)} are the same code, "
          f"{len(found)} found, {len(argued)} argued, {len(survivors)} survive; {len(stale)} stale; {time.monotonic() - started:.0f} s")
    return 1 if survivors or stale else 0


if __name__ == "__main__":
    sys.exit(main())
