"""numpy arrays of every kind through slipring: round_trip_npy.py SLIPRING DIRECTORY"""

import subprocess
import sys

import numpy as np

slipring, directory = sys.argv[1:]


def through(array, *options):
    np.save(f"{directory}/in.npy", array)
    writer = subprocess.Popen([slipring, "pub", "npy", "-i", f"{directory}/in.npy", "--wait-readers", "1", "--slots", "32", *options])
    subprocess.run([slipring, "sub", "npy", "--next", "-t", "20", "-o", f"{directory}/out.npy"], check=True)
    assert writer.wait() == 0
    frames = []
    with open(f"{directory}/out.npy", "rb") as file:
        while True:
            try:
                frames.append(np.load(file))
            except (EOFError, ValueError):
                return frames


kinds = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c8", "c16", "?"]
rng = np.random.default_rng(1)
for kind in kinds:
    for order in "<>":
        array = (rng.random((3, 4, 5)) * 100).astype(np.dtype(kind).newbyteorder(order))
        (back,) = through(array)
        assert back.dtype == np.dtype(kind) and np.array_equal(back, array), (kind, order)
for array in (np.asfortranarray(np.arange(24).reshape(2, 3, 4)), np.array(7.5), np.zeros((0, 3)), np.arange(8).reshape((1, 2) * 2 + (2, 1))):
    (back,) = through(array)
    assert back.shape == array.shape and np.array_equal(back, array), array.shape
stack = np.arange(60, dtype="f4").reshape(5, 3, 4)
assert np.array_equal(np.stack(through(stack, "--split")), stack)
