"""Python and the command line: frames pass both ways, byte for byte. SLIPRING is the path of the slipring command."""

import io
import json
import os
import signal
import subprocess

import numpy as np
import pytest

import slipring
from support import DTYPES, eventually, picture, raises, same

SLIPRING = os.environ.get("SLIPRING")
pytestmark = pytest.mark.skipif(not SLIPRING, reason="SLIPRING does not name the slipring command")
COUNT = 20


@pytest.fixture
def start():
    """Starts the command; what still runs at the end is killed."""
    started = []

    def run(*arguments, **popen):
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **popen}
        started.append(subprocess.Popen([SLIPRING, *map(str, arguments)], **popen))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def ended_well(process):
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def publish_when_read(writer, channel, frames):
    """Begins when the command is attached; never loses a frame."""
    eventually(lambda: writer.readers_attached(channel) > 0)
    for frame in frames:
        eventually(lambda: not raises(BlockingIOError, writer.set_array, channel, frame))


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_npy_published_by_the_command_is_read_here(base, reader, start, tmp_path, dtype):
    frames = picture(1, (3, 4, 5), dtype)
    (tmp_path / "frames.npy").write_bytes(npy(frames))
    process = start("pub", f"{base}/a", "-i", tmp_path / "frames.npy", "--split", "--wait-readers", 1, "--fps", 0)
    got = [(frame.seq, frame.array.copy()) for frame in reader.frames("a", timeout=60)]
    ended_well(process)
    assert [seq for seq, _ in got] == [1, 2, 3]
    assert all(same(array, expected) for (_, array), expected in zip(got, frames))


@pytest.mark.parametrize(
    "order, arrange", [("C", lambda a: a), ("F", np.asfortranarray), ("swapped", lambda a: a.astype(">i4"))]
)
def test_an_npy_of_any_order_is_read_here(base, reader, start, tmp_path, order, arrange):
    array = picture(1, (3, 4, 5), "int32")
    (tmp_path / "frame.npy").write_bytes(npy(arrange(array)))
    process = start("pub", f"{base}/a", "-i", tmp_path / "frame.npy", "--wait-readers", 1)
    assert same(reader.next("a", 60).array, array)
    ended_well(process)


def test_raw_bytes_published_by_the_command_are_read_here(base, reader, start):
    frames = [picture(seed, (6, 8, 3), "uint16") for seed in range(COUNT)]
    process = start(
        "pub",
        base,
        "--dtype",
        "uint16",
        "--shape",
        "6,8,3",
        "--encoding",
        "rgb16",
        "--wait-readers",
        1,
        "--slots",
        32,
        stdin=subprocess.PIPE,
    )
    process.stdin.write(b"".join(frame.tobytes() for frame in frames))
    process.stdin.close()
    process.stdin = None
    got = []
    for frame in reader.frames(timeout=60):
        assert frame.encoding == "rgb16"
        got.append(frame.array.copy())
    ended_well(process)
    assert len(got) == COUNT and all(map(same, got, frames))


def test_a_pattern_of_the_command_in_opencvs_layout(base, reader, start):
    process = start("pub", base, "--pattern", "bars", "--size", "64x48", "--fps", 0, "-n", 3, "--wait-readers", 1)
    frame = reader.next(timeout=60)
    assert frame.dtype == np.uint8 and (48 in frame.shape or frame.ndim == 1)
    del frame
    for _ in reader.frames(timeout=60):
        pass
    ended_well(process)


@pytest.mark.parametrize("dtype", DTYPES)
def test_npy_received_by_the_command_is_what_was_published_here(base, make_writer, start, tmp_path, dtype):
    writer = make_writer(slots=32)
    frames = [picture(seed, (4, 5), dtype) for seed in range(COUNT)]
    writer.create("a", (4, 5), dtype)
    process = start("sub", f"{base}/a", "--next", "-n", COUNT, "-t", 60, "--format", "npy", "-o", tmp_path / "out.npy")
    publish_when_read(writer, "a", frames)
    ended_well(process)
    with open(tmp_path / "out.npy", "rb") as file:
        got = [np.load(file) for _ in range(COUNT)]
        assert file.read() == b""
    assert all(map(same, got, frames))


def test_raw_received_by_the_command_is_what_was_published_here(base, make_writer, start):
    writer = make_writer(slots=32)
    frames = [picture(seed) for seed in range(COUNT)]
    writer.create("image", (6, 8, 3), "u1")
    process = start("sub", base, "--next", "-n", COUNT, "-t", 60, "--format", "raw", "-o", "-")
    publish_when_read(writer, "image", frames)
    assert ended_well(process) == b"".join(frame.tobytes() for frame in frames)


def test_a_row_pitch_is_not_seen_in_what_the_command_writes(base, writer, start):
    writer.create("image", (6, 64, 3), "u1")
    process = start("sub", base, "-n", 1, "-t", 60, "--format", "raw", "-o", "-")
    eventually(lambda: writer.readers_attached("image") > 0)
    with writer.loan("image", (6, 8, 3), "u1", strides=(64, 3, 1)) as loan:
        loan.array[...] = picture(1)
    assert ended_well(process) == picture(1).tobytes()


def test_the_commands_metadata_is_seen_here(base, reader, start):
    process = start("pub", base, "--pattern", "counter", "--size", "64x48", "--fps", 0, "-n", 1, "--wait-readers", 1)
    assert len(reader.next(timeout=60).metadata) > 0
    ended_well(process)


def test_the_command_ends_with_the_writer_and_the_reader_with_the_command(base, reader, start):
    with slipring.Writer(base) as writer:
        writer.create("image", (6, 8, 3), "u1")
        subscriber = start("sub", base, "-t", 60)
        eventually(lambda: writer.readers_attached("image") > 0)
        writer.set_image(picture(1))
    ended_well(subscriber)
    publisher = start("pub", base, "--pattern", "noise", "--size", "64x48", "--fps", 100)
    frames = reader.frames(timeout=60)
    assert next(frames).seq >= 1
    publisher.send_signal(signal.SIGTERM)
    for _ in frames:
        pass
    ended_well(publisher)


def test_ls_and_info_show_what_is_published_here(base, writer, reader, start):
    writer.set_depth(picture(1, (6, 8), "float32"), frame_id="cam")
    frame = reader.latest("depth")
    assert f"{base}" in ended_well(start("ls")).decode()
    said = ended_well(start("info", f"{base}/depth")).decode()
    assert "float32" in said and str(os.getpid()) in said
    assert frame.seq == 1


def test_info_as_json_says_what_inspect_says(base, writer, start):
    writer.set_image(picture(1))
    said, info = json.loads(ended_well(start("info", base, "--json"))), slipring.inspect(base)
    same_keys = "base channel mode layout_version generation last_seq slots capacity writer_pid published".split()
    assert {key: said[key] for key in same_keys} == {key: info[key] for key in same_keys}
    assert int(said["epoch"], 16) == info["epoch"]


def test_a_type_that_numpy_lacks_is_named_or_given_in_its_size(base, reader, start):
    process = start(
        "pub", f"{base}/a", "--dtype", "bfloat16", "--shape", "4", "--wait-readers", 1, stdin=subprocess.PIPE
    )
    process.stdin.write(bytes(8))
    process.stdin.close()
    process.stdin = None
    try:
        frame = reader.next("a", 60)
        assert frame.dtype.itemsize == 2 and frame.shape == (4,)
    except (TypeError, OSError) as error:
        assert "bfloat16" in str(error)
    ended_well(process)
