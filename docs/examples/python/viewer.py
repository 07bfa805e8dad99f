# SPDX-License-Identifier: Apache-2.0
"""Looks at a camera: viewer.py BASE [--frames N] [--show]

As many of these as you like; each gets the frames without a copy, and none holds up the camera.
"""

import argparse
import sys

import cv2

import slipring


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("base")
    options.add_argument("--frames", type=int, default=0, help="stop after so many")
    options.add_argument("--show", action="store_true", help="in a window")
    asked = options.parse_args()
    got = missed = 0
    with slipring.Reader(asked.base) as reader:
        for frame in reader.frames("image"):  # waits for the camera; ends when it does
            edges = cv2.Canny(frame.array, 100, 200)  # reads shared memory; a write into frame.array is refused
            mean = frame.array.mean()
            got, missed = got + 1, missed + frame.missed
            what = f"mean {mean:.1f}, {cv2.countNonZero(edges)} edge pixels"
            print(f"seq {frame.seq}, {frame.array.shape}, {what}", flush=True)
            if asked.show:
                cv2.imshow(asked.base, edges)
                cv2.waitKey(1)
            if got == asked.frames:
                break
    print(f"{got} frames, {missed} missed")
    return 0 if got >= asked.frames else 1


if __name__ == "__main__":
    sys.exit(main())
