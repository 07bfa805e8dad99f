"""ipc_transport: what programs for posixipc-image-transport 0.2.0 call, in both modes and beside what still runs it."""

from __future__ import annotations

import threading
import warnings
from textwrap import dedent

import numpy as np
import pytest
from peer import PeerReader, PeerWriter
from support import SEMAPHORE_DTYPES, objects, picture, run_script, same, scripted

from ipc_transport import PosixIPCReader, PosixIPCWriter

KINDS = ("image", "depth", "pointcloud", "mask")


@pytest.fixture
def writer(base, mode):
    made = PosixIPCWriter(base, mode=mode)
    yield made
    made.cleanup()


@pytest.fixture
def reader(base, mode):
    made = PosixIPCReader(base, mode=mode)
    yield made
    made.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_set_is_got(writer, reader, kind):
    array = picture(1, (5, 4, 3), "float32")
    assert getattr(writer, f"set_{kind}")(array) is None
    got = getattr(reader, f"get_{kind}")()
    assert same(got, array) and got.flags.writeable
    got[...] = 0
    again, stamp = getattr(reader, f"get_{kind}")(return_timestamp=True)
    assert same(again, array) and isinstance(stamp, float) and stamp > 1e9


@pytest.mark.parametrize("stamp", (0.0, 0.1, 1234.5, 1764000000.123456, -2.25))
def test_a_timestamp_comes_back(writer, reader, stamp):
    writer.set_array("a", [1.0], timestamp=stamp)
    assert reader.get_array("a", return_timestamp=True)[1] == stamp


def test_of_no_channel_everything_is_None(reader):
    for kind in KINDS:
        assert getattr(reader, f"get_{kind}")() is None
        assert getattr(reader, f"get_{kind}")(True) == (None, None)
    assert reader.get_array("a") is None and reader.get_array("a", True) == (None, None)
    assert reader.get_shape("a") is reader.get_dtype("a") is reader.get_ndim("a") is None
    assert reader.wait_for_array("a", timeout=0.0) is False
    assert reader.wait_for_array("a", 0.02) is False


def test_shape_dtype_and_ndim_are_told(writer, reader):
    writer.set_depth(np.ones((3, 7), "int16"))
    assert reader.wait_for_array("depth") is True
    assert reader.get_shape("depth") == (3, 7)
    assert reader.get_dtype("depth") == np.dtype("int16")
    assert reader.get_ndim("depth") == 2


@pytest.mark.parametrize("dtype", SEMAPHORE_DTYPES)
@pytest.mark.parametrize("shape", ((), (3,), (0, 4), (2, 3, 1, 2, 2)))
def test_every_dtype_and_number_of_dimensions_of_the_format(writer, reader, dtype, shape):
    array = picture(3, shape, dtype)
    writer.set_array("a", array, timestamp=1.0)
    assert same(reader.get_array("a"), array)


def test_any_layout_and_byte_order(writer, reader):
    array = np.arange(24, dtype=">i4").reshape(4, 6)[::-1, ::2]
    writer.set_array("a", array)
    assert same(reader.get_array("a"), array)


def test_a_changed_shape_is_a_ValueError(writer, reader):
    writer.set_image(np.zeros((4, 5, 3), "uint8"))
    with pytest.raises(ValueError, match=r"\(4, 5, 3\).*\(4, 6, 3\)"):
        writer.set_image(np.zeros((4, 6, 3), "uint8"))
    assert reader.get_image().shape == (4, 5, 3)


def test_a_dtype_that_casts_safely_is_cast_and_others_are_a_ValueError(writer, reader):
    writer.set_array("a", np.zeros(3, "int32"))
    writer.set_array("a", np.array([1, 2, 3], "uint8"))
    assert same(reader.get_array("a"), np.array([1, 2, 3], "int32"))
    with pytest.raises(ValueError, match="int32.*float64"):
        writer.set_array("a", np.zeros(3))


@pytest.mark.parametrize("dtype", ("int64", "uint32", "float16", "complex64", "<U1", "object", "datetime64[s]"))
def test_a_dtype_that_the_format_does_not_have_is_a_ValueError_that_names_it(writer, dtype):
    with pytest.raises(ValueError, match=str(np.dtype(dtype)).replace("[", r"\[")):
        writer.set_array("a", np.zeros(2, dtype))


def test_six_dimensions_are_a_ValueError(writer):
    with pytest.raises(ValueError, match="6 dimensions"):
        writer.set_array("a", np.zeros((1,) * 6, "uint8"))


@pytest.mark.parametrize("name", ("", "with space", "with/slash"))
def test_a_name_that_cannot_be_is_a_ValueError(writer, base, mode, name):
    with pytest.raises(ValueError, match="name"):
        writer.set_array(name, np.zeros(2))
    with pytest.raises(ValueError, match="name"):
        PosixIPCWriter(f"{base}{name or ' '}", mode=mode)
    with pytest.raises(ValueError, match="name"):
        PosixIPCReader(f"{base}{name or ' '}", mode=mode)


@pytest.mark.parametrize("stamp", (float("nan"), float("inf"), 1.7e12))
def test_a_set_that_failed_fixes_no_shape(writer, reader, stamp):
    with pytest.raises(ValueError, match="timestamp"):
        writer.set_image(picture(1, (2, 2)), timestamp=stamp)
    writer.set_image(picture(1, (3, 3), "int16"))
    assert same(reader.get_image(), picture(1, (3, 3), "int16"))


def test_lists_and_scalars_are_taken_as_arrays(writer, reader):
    writer.set_array("list", [[0.5, 1.5]])
    writer.set_array("scalar", np.float32(2.5))
    assert reader.get_array("list").tolist() == [[0.5, 1.5]]
    assert reader.get_array("scalar").shape == () and reader.get_array("scalar") == 2.5


def test_the_base_name_is_told(writer, reader, base):
    assert writer.base_name == reader.base_name == base


def test_as_many_copies_as_one_likes_stay(writer, reader):
    kept = []
    for k in range(20):
        writer.set_image(picture(k))
        kept.append(reader.get_image())
    assert all(same(array, picture(k)) for k, array in enumerate(kept))


def test_threads_may_share_both(writer, reader):
    writer.set_image(np.zeros((240, 320, 3), "uint8"))
    wrong = []

    def use(k):
        try:
            for i in range(50):
                writer.set_array(f"channel-{k}", np.full(1000, i, "int32"))
                got = reader.get_array(f"channel-{k}")
                image = reader.get_image()
                assert got is None or (got == got[0]).all()
                assert image is None or image.shape == (240, 320, 3)
                assert reader.wait_for_array(f"channel-{k}") and reader.get_ndim("image") == 3
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=use, args=(k,)) for k in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


FORKED = """
    import os
    import sys
    import numpy as np
    from ipc_transport import PosixIPCReader, PosixIPCWriter

    base, mode = sys.argv[1:]
    writer, reader = PosixIPCWriter(base, mode=mode), PosixIPCReader(base, mode=mode)
    here = PosixIPCWriter(f"{base}-here", mode=mode)
    here.set_image(np.ones(3, np.uint8))
    writer._lock.acquire(), reader._lock.acquire()    # as another thread has them at the fork
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()
    if os.fork() == 0:
        writer.set_image(np.full(3, 7, np.uint8))
        assert reader.get_image().tolist() == [7, 7, 7]
        try:
            here.set_image(np.ones(3, np.uint8))
        except OSError as error:
            assert "writer" in str(error)
        os.write(from_child, b"x")
        os.read(to_child, 1)
        sys.exit(0)                                   # every object ends in the child
    writer._lock.release(), reader._lock.release()
    assert os.read(to_parent, 1) == b"x"
    assert reader.get_image().tolist() == [7, 7, 7]
    os.write(from_parent, b"x")
    assert os.wait()[1] == 0
    assert reader.get_image() is None
    assert PosixIPCReader(f"{base}-here", mode=mode).get_image().tolist() == [1, 1, 1]
    here.set_image(np.ones(3, np.uint8))
"""


def test_objects_made_before_a_fork_work_in_the_child_and_leave_the_parents_channels_alone(base, mode):
    run_script(FORKED, base, mode)
    assert objects(base) == []


def test_cleanup_and_the_end_of_the_writer_take_the_channels_away(base, mode, reader):
    writer = PosixIPCWriter(base, mode=mode)
    writer.set_image(picture())
    writer.cleanup()
    writer.cleanup()
    assert objects(base) == [] and reader.get_image() is None
    writer.set_image(picture(1, (2, 2)))
    assert reader.get_image().shape == (2, 2)
    del writer
    assert objects(base) == []


def test_a_closed_reader_attaches_again(writer, reader):
    writer.set_mask(picture(2))
    assert reader.get_mask() is not None
    reader.close()
    reader.close()
    assert same(reader.get_mask(), picture(2))


def test_the_environment_chooses_the_mode(base, monkeypatch):
    monkeypatch.setenv("SLIPRING_MODE", "lock-free")
    writer = PosixIPCWriter(base)
    writer.set_image(picture())
    assert all(name.startswith("slipring@") for name in objects(base))
    assert PosixIPCReader(base).get_image() is not None
    assert PosixIPCReader(base, mode="semaphore").get_image() is None
    writer.cleanup()
    monkeypatch.setenv("SLIPRING_MODE", "fast")
    with pytest.raises(ValueError, match="fast"):
        PosixIPCWriter(base)
    monkeypatch.delenv("SLIPRING_MODE")
    writer = PosixIPCWriter(base)
    writer.set_image(picture())
    assert objects(base) == [f"{base}_image_shm", f"sem.{base}_image_sem"]
    writer.cleanup()


def test_a_mode_that_is_not_one_is_a_ValueError_that_names_it(base):
    for make in (PosixIPCWriter, PosixIPCReader):
        with pytest.raises(ValueError, match="'locked'"):
            make(base, mode="locked")


@pytest.mark.parametrize("dtype", SEMAPHORE_DTYPES)
def test_an_existing_program_reads_what_we_write(base, dtype):
    writer, old = PosixIPCWriter(base), PeerReader(base)
    array = picture(5, (3, 4), dtype)
    writer.set_array("a", array, timestamp=77.25)
    assert old.attach("a")
    got, stamp = old.get("a")
    assert same(got, array) and stamp == 77.25
    assert old.header("a")["zero"] == bytes(24)
    old.close()
    writer.cleanup()


@pytest.mark.parametrize("dtype", SEMAPHORE_DTYPES)
def test_we_read_what_an_existing_program_writes(base, dtype):
    old, reader = PeerWriter(base), PosixIPCReader(base)
    array = picture(6, (2, 5), dtype)
    assert old.set("a", array, timestamp=78.5)
    got, stamp = reader.get_array("a", return_timestamp=True)
    assert same(got, array) and stamp == 78.5
    reader.close()
    old.close()


def test_contention_is_None_at_once_and_a_set_that_cannot_have_the_lock_warns_and_posts_nothing(base):
    writer, reader, old = PosixIPCWriter(base), PosixIPCReader(base), PeerReader(base)
    writer.set_image(picture(1))
    assert reader.get_image() is not None
    old.attach("image")
    assert old.hold("image")
    assert reader.get_image() is None and reader.get_image(True) == (None, None)
    with pytest.warns(RuntimeWarning, match=f"{base}/image") as warned:
        writer.set_image(picture(2))
    assert warned[0].filename == __file__
    assert old.value("image") == 0
    old.unhold("image")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        writer.set_image(picture(3))
    assert same(reader.get_image(), picture(3)) and old.value("image") == 1
    reader.close()
    old.close()
    writer.cleanup()


def test_a_damaged_channel_is_None_with_a_warning(base):
    old, reader = PeerWriter(base), PosixIPCReader(base)
    old.create_semaphore("image")
    old.create_memory("image")
    old.fill_header("image", (2, 2), np.uint8, ndim=9)
    asked = (
        lambda: reader.get_image(),
        lambda: reader.get_array("image"),
        lambda: reader.get_shape("image"),
        lambda: reader.get_dtype("image"),
        lambda: reader.get_ndim("image"),
        lambda: reader.wait_for_array("image", 0.02) or None,
    )
    for ask in asked:
        with pytest.warns(RuntimeWarning, match="9 dimensions") as warned:
            assert ask() is None
        assert [warning.filename for warning in warned] == [__file__]
    reader.close()
    old.close()


def test_a_channel_is_there_with_its_first_array_and_not_before(base):
    old, reader = PeerWriter(base), PosixIPCReader(base)
    old.create_semaphore("image")
    assert reader.get_image() is None and not reader.wait_for_array("image", 0.0)
    old.create_memory("image")
    assert reader.get_image() is None and reader.get_shape("image") is None
    old.fill_header("image", (2, 2), np.uint8)
    assert reader.get_image() is None and reader.get_shape("image") == (2, 2)
    assert not reader.wait_for_array("image", 0.0)
    old.set("image", np.ones((2, 2), "uint8"))
    assert reader.wait_for_array("image", 0.0) and reader.get_image().all()
    reader.close()
    old.close()


def test_a_reader_follows_an_existing_writer_that_starts_again(base):
    old, reader = PeerWriter(base), PosixIPCReader(base)
    old.set("image", picture(1))
    assert same(reader.get_image(), picture(1))
    old.close(unlink=False)
    again = PeerWriter(base)
    again.set("image", picture(2, (3, 3), "float32"))
    assert same(reader.get_image(), picture(2, (3, 3), "float32"))
    again.close()
    assert reader.get_image() is None
    reader.close()


WRITER = """
import numpy as np
import time
from ipc_transport import PosixIPCWriter

# Initialize writer with a base name
writer = PosixIPCWriter("camera_01")

while True:
    # 1. Image (Standard method)
    # Automatically handles shape (H, W, C) and updates metadata
    img = np.random.randint(0, 255, (480, 640, 3), dtype=np.uint8)
    writer.set_image(img)

    # 2. Point Cloud (Standard method)
    pc = np.random.rand(1000, 3).astype(np.float32)
    writer.set_pointcloud(pc)

    # 3. Generic Array (Custom named channel)
    meta_data = np.array([1, 2, 3, 4], dtype=np.int32)
    writer.set_array("my_metadata_channel", meta_data)

    time.sleep(0.033)
"""
READER = """
import time
from ipc_transport import PosixIPCReader

reader = PosixIPCReader("camera_01")

# Optional: Wait for connection
print("Waiting for writer...")
reader.wait_for_array("image")

while True:
    # Get latest data
    # Returns None if lock cannot be acquired immediately or channel doesn't exist
    img = reader.get_image()

    if img is not None:
        print(f"Received image: {img.shape}")

    # Get generic array
    meta = reader.get_array("my_metadata_channel")

    time.sleep(0.01)
"""
UNTIL_STDIN_ENDS = """
    import select
    import sys
    import time

    def sleep(seconds):
        print("ready", flush=True)
        if select.select([sys.stdin], [], [], seconds)[0]:
            sys.exit()

    time.sleep = sleep
"""
FOR_100_ROUNDS = """
    import sys
    import time

    rounds, real = [], time.sleep

    def sleep(seconds):
        real(seconds)
        rounds.append(seconds)
        if len(rounds) == 100:
            print(meta.tolist())
            sys.exit()

    time.sleep = sleep
"""


@pytest.mark.parametrize("environment", ("", "semaphore", "lock-free"))
def test_the_programs_of_its_documentation_run_unchanged(base, environment, monkeypatch):
    """Their endless loops end in time.sleep, and their base name is the test's."""
    monkeypatch.setenv("SLIPRING_MODE", environment)
    programs = [
        dedent(around) + program.replace("camera_01", base)
        for around, program in ((UNTIL_STDIN_ENDS, WRITER), (FOR_100_ROUNDS, READER))
    ]
    with scripted(programs[0]) as writer:
        lines = run_script(programs[1]).splitlines()
        assert lines[0] == "Waiting for writer..." and lines[-1] == "[1, 2, 3, 4]"
        assert len(lines) > 10 and set(lines[1:-1]) == {"Received image: (480, 640, 3)"}
        writer.stdin.close()
        writer.stdout.read()
        assert writer.wait(timeout=60) == 0
    assert objects(base) == []
