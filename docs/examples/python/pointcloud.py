# SPDX-License-Identifier: Apache-2.0
"""A numpy point cloud whose size changes: pointcloud.py write BASE FRAMES, elsewhere pointcloud.py read BASE FRAMES."""

import sys
import time

import numpy as np

import slipring


def write(base, frames):
    rng = np.random.default_rng()
    with slipring.Writer(base, capacity=20_000 * 3 * 4) as writer:  # room for the largest: the ring never has to grow
        for k in range(frames):
            points = 10_000 + k % 10_000
            with writer.loan("pointcloud", (points, 3), "float32", frame_id="lidar") as frame:
                rng.random(dtype=np.float32, out=frame.array)  # drawn straight into shared memory
                frame.array[:, 2] += k
            time.sleep(0.01)


def read(base, frames):
    with slipring.Reader(base) as reader:
        for k, frame in enumerate(reader.frames("pointcloud", timeout=30), 1):
            low = frame.array.min(axis=0)
            print(f"seq {frame.seq} of {frame.frame_id}: {len(frame)} points from z = {low[2]:.1f}", flush=True)
            if k == frames:
                return
    sys.exit("the writer ended before there were so many frames")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("write", "read"):
        sys.exit(__doc__)
    {"write": write, "read": read}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
