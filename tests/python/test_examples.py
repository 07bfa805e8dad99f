"""The examples, and the Python in the documents, run as programs, and do what they say."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import objects, run_script

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples" / "python"


def start(name: str, *args) -> subprocess.Popen:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, f"exit status {process.returncode}\n{out}{err}"
    return out


def interrupt(process: subprocess.Popen) -> None:
    """What has no end of its own, by what ctrl-C does."""
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def test_one_camera_and_two_viewers(base):
    pytest.importorskip("cv2")
    viewers = [start("viewer", base, "--frames", 10) for _ in range(2)]
    camera = start("camera", base, "--source", "generated")
    for viewer in viewers:
        lines = finish(viewer).splitlines()
        assert len(lines) == 11 and lines[-1].startswith("10 frames, ")
        for line in lines[:-1]:
            assert re.fullmatch(r"seq \d+, \(480, 640, 3\), mean [1-9][\d.]*, [1-9]\d* edge pixels", line)
    interrupt(camera)


def test_a_camera_publishes_so_many_frames(base):
    pytest.importorskip("cv2")
    assert finish(start("camera", base, "--source", "generated", "--frames", 3)) == "3 frames published\n"


def test_a_camera_that_is_not_there_is_said(base):
    pytest.importorskip("cv2")
    camera = start("camera", base, "--source", "/nonexistent.mp4")
    _, err = camera.communicate(timeout=60)
    assert camera.returncode == 1 and "cannot open the video source '/nonexistent.mp4'" in err


def test_a_video_file_is_published_to_its_end(base, tmp_path):
    cv2 = pytest.importorskip("cv2")
    clip = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    if not video.isOpened():
        pytest.skip("this OpenCV writes no video")
    for k in range(12):
        video.write(np.full((48, 64, 3), k * 20, np.uint8))
    video.release()
    assert finish(start("camera", base, "--source", clip)) == "12 frames published\n"


def test_a_viewer_that_gets_too_few_frames_says_so(base):
    pytest.importorskip("cv2")
    viewer, camera = start("viewer", base, "--frames", 100_000), start("camera", base, "--source", "generated")
    assert viewer.stdout.readline().startswith("seq ")
    interrupt(camera)
    out, _ = viewer.communicate(timeout=60)
    assert viewer.returncode == 1 and "missed" in out


def test_a_point_cloud_that_changes_its_size(base):
    reader, writer = start("pointcloud", "read", base, 20), start("pointcloud", "write", base, 100_000)
    lines = finish(reader).splitlines()
    assert len(lines) == 20
    for line in lines:
        seq, points, z = re.fullmatch(r"seq (\d+) of lidar: (\d+) points from z = ([\d.]+)", line).groups()
        assert int(points) == 10_000 + int(seq) - 1 and float(z) == int(seq) - 1
    interrupt(writer)
    assert start("pointcloud").wait(timeout=60) == 1


def test_an_asyncio_reader_of_two_cameras(base):
    pytest.importorskip("cv2")
    left, right = f"{base}-left", f"{base}-right"
    reader = start("asyncio_reader", left, right, 15)
    cameras = [start("camera", name, "--source", "generated") for name in (left, right)]
    assert sorted(finish(reader).splitlines()) == sorted(
        f"{name}: {what}" for name in (left, right) for what in ("(480, 640, 3) uint8", "15 frames")
    )
    for camera in cameras:
        interrupt(camera)


@pytest.mark.parametrize("document", ("README.md", "docs/coming-from-posixipc.md"))
def test_the_python_in_a_document_runs(base, document):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        run_script(re.sub(r"camera_\d\d", base, block))
    assert objects(base) == []
