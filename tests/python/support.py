"""What the tests share: names, waiting bounded by counts, scripts in processes of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
DIRECTORY = Path(os.environ.get("SLIPRING_DIR", "/dev/shm"))
MODES = ("lock-free", "semaphore")
SEMAPHORE_DTYPES = "uint8 int8 uint16 int16 int32 float32 float64 bool".split()
DTYPES = SEMAPHORE_DTYPES + "uint32 uint64 int64 float16 complex64 complex128".split()
UNSUPPORTED = [np.dtype(d) for d in ("O", "U3", "S3", "V5", "M8[ns]", "m8[s]", "g", "G", [("a", "<i4"), ("b", "u1")])]


def ring(mode: str, **options) -> dict:
    """Options that only a ring has."""
    return options if mode == "lock-free" else {}


def objects(base: str) -> list[str]:
    """The files in the shared memory directory that carry a base name."""
    return sorted(name for name in os.listdir(DIRECTORY) if base in name)


def address(array) -> int:
    return array.__array_interface__["data"][0]


def picture(seed: int = 0, shape=(6, 8, 3), dtype="uint8") -> np.ndarray:
    """An array with content of its own for each seed."""
    return (np.arange(np.prod(shape, dtype=int)) * 7 + seed * 31).reshape(shape).astype(dtype)


def same(a, b) -> bool:
    """Equal to the bit, NaNs and all, in type and shape; b may be of any layout and byte order."""
    b = np.asarray(b)
    native = b.dtype.newbyteorder("=")
    return a.dtype == native and a.shape == b.shape and a.tobytes() == b.astype(native).tobytes()


def eventually(condition, tries: int = 2000):
    """The first true value of condition(), tried so often; for what another thread or process is about to do."""
    for _ in range(tries):
        if value := condition():
            return value
        time.sleep(0.005)
    raise AssertionError(f"never came true in {tries} tries")


def raises(exception, function, *args, **kwargs):
    """Whether a call ends in this exception."""
    try:
        function(*args, **kwargs)
    except exception:
        return True
    return False


def native_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def start_script(code: str, *args, **popen) -> subprocess.Popen:
    """A Python process that runs the code, with the package under test and these helpers at hand."""
    command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code), *map(str, args)]
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        **popen,
    )


def run_script(code: str, *args) -> str:
    """Runs it to its end, which must be good; what it printed."""
    process = start_script(code, *args, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, f"exit status {process.returncode}\n{out}{err}"
    assert "Exception ignored" not in err and "ResourceWarning" not in err, err
    return out


@contextlib.contextmanager
def scripted(code: str, *args):
    """A script that runs beside the test from its line "ready" on, and is killed at the end if need be."""
    process = start_script(code, *args)
    try:
        line = process.stdout.readline()
        assert line == "ready\n", f"the script said {line!r} and ended with {process.poll()}"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
