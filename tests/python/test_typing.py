"""The types: the stubs are what the package is, and strict users of it pass."""

import os
import subprocess
import sys

import pytest

import slipring
from support import HERE

pytest.importorskip("mypy")

GOOD = """
import numpy as np
import numpy.typing as npt
import slipring
from slipring import Channel, Frame, Loan, Reader, ReaderStats, Writer, WriterStats


def write(image: npt.NDArray[np.uint8]) -> int:
    with Writer("camera", slots=4, lock_timeout=None) as writer:
        writer.set_image(image, 1.5, encoding="bgr8", frame_id="left", metadata=b"x")
        writer.set_array("a", image)
        writer.create("b", (2, 3), np.float32)
        with writer.loan("b", (2, 3), "float32", strides=(64, 4)) as loan:
            kept: Loan = loan
            loan.array[...] = 1
            loan.metadata = b"y"
            loan.timestamp = 2.0
        stats: WriterStats = writer.stats("a")
        return kept.seq + stats.published


def read() -> float:
    with Reader("camera", mode="semaphore", spin=0.1) as reader:
        latest: Frame | None = reader.latest()
        if latest is None:
            return 0.0
        shape: tuple[int, ...] = latest.shape
        with reader.next("image", 1.0) as frame:
            total = float(frame.array.sum()) + len(shape) + frame.timestamp
        for frame in reader.frames("image", timeout=1):
            total += frame.seq
        image = reader.get_image(copy=False)
        if image is not None:
            total += image.size
        got: ReaderStats = reader.stats("image")
        dtype: "np.dtype[np.generic] | None" = reader.get_dtype("image")
        for ready, name in slipring.wait_any([(reader, "a")], timeout=0.5):
            total += len(name) + ready.closed
        return total + got.missed + memoryview(latest).nbytes + (dtype.itemsize if dtype else 0)


async def areads(reader: Reader) -> list[int]:
    return [frame.seq async for frame in reader.aframes("image", timeout=1.0)]


def names() -> list[str]:
    channels: list[Channel] = slipring.channels()
    return [channel.base + channel.channel + channel.mode for channel in channels] + [slipring.__version__]
"""

BAD = """
import slipring
slipring.Writer(1)
slipring.Writer("a", slots="8")
slipring.Writer("a", colour=1)
slipring.Reader("a").latest().seq
slipring.Reader("a").next(timeout="1")
slipring.Reader("a").next().seq = 3
"""


def run(*command):
    return subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        cwd=HERE,
        timeout=300,
        env={**os.environ, "MYPY_CACHE_DIR": os.environ.get("MYPY_CACHE_DIR", "/tmp/slipring-mypy-cache")},
    )


@pytest.fixture
def check(tmp_path):
    def run_on(code):
        (tmp_path / "user.py").write_text(code)
        return run("mypy", "--strict", str(tmp_path / "user.py"))

    return run_on


def test_the_package_says_that_it_is_typed():
    assert os.path.exists(os.path.join(os.path.dirname(slipring.__file__), "py.typed"))


@pytest.mark.parametrize("package", ["slipring", "ipc_transport"])
def test_the_stubs_are_what_the_package_is(package, tmp_path):
    # The buffer protocol has methods in Python from 3.12 on only; stubs have always said so by them.
    allowed = tmp_path / "allowed"
    allowed.write_text("" if sys.version_info >= (3, 12) else r"slipring\._core\.(Frame|Loan)\.__(release_)?buffer__" + "\n")
    done = run("mypy.stubtest", package, "--allowlist", str(allowed), "--ignore-unused-allowlist")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_strict_user_passes(check):
    done = check(GOOD)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_wrong_is_found(check):
    done = check(BAD)
    lines = BAD.splitlines()
    missed = [lines[n - 1] for n in range(3, len(lines) + 1) if f"user.py:{n}:" not in done.stdout]
    assert missed == [], done.stdout
