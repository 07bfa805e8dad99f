# SPDX-License-Identifier: Apache-2.0
"""Publishes a camera: camera.py BASE [--source 0 | clip.mp4 | generated] [--frames N]

Without a source it takes the first camera or, where there is none, a picture that moves. OpenCV's last step of the work
writes straight into shared memory: a loan is a slot of the ring that is filled in place.
"""

import argparse
import itertools
import sys
import time

import cv2
import numpy as np
import slipring


def generated(height=480, width=640):
    for k in itertools.count():
        picture = np.zeros((height, width, 3), np.uint8)
        cv2.circle(picture, (k * 7 % width, height // 2), 40, (0, 200, 255), -1)
        yield picture
        time.sleep(1 / 60)


def captured(camera):
    good, picture = camera.read()
    while good:
        yield picture
        good, picture = camera.read()


def pictures(source):
    if source == "generated":
        return generated()
    camera = cv2.VideoCapture(int(source or 0) if source.isdigit() or not source else source)
    if camera.isOpened():
        return captured(camera)
    if source:
        sys.exit(f"cannot open the video source '{source}'")
    print("no camera: the picture is generated", file=sys.stderr)
    return generated()


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("base")
    options.add_argument("--source", default="", help="a camera's number, a file, or 'generated'")
    options.add_argument("--frames", type=int, help="stop after so many")
    asked = options.parse_args()
    published = 0
    with slipring.Writer(asked.base) as writer:
        for published, picture in enumerate(itertools.islice(pictures(asked.source), asked.frames), 1):
            with writer.loan("image", picture.shape, picture.dtype, encoding="bgr8") as frame:
                cv2.flip(picture, 1, dst=frame.array)  # written where readers read
    print(f"{published} frames published")


if __name__ == "__main__":
    main()
