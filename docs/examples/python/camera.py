# SPDX-License-Identifier: Apache-2.0
"""Publishes a camera: camera.py BASE [--source 0 | clip.mp4 | generated] [--frames N]

OpenCV decodes straight into shared memory: a loan is a slot of the ring that is filled in place.
"""

import argparse
import sys
import time

import cv2
import numpy as np

import slipring


def generated(height=480, width=640):
    """A picture that moves, for where there is no camera."""
    k = 0
    while True:
        picture = np.zeros((height, width, 3), np.uint8)
        cv2.circle(picture, (k * 7 % width, height // 2), 40, (0, 200, 255), -1)
        yield picture
        k += 1
        time.sleep(1 / 60)


def captured(source):
    camera = cv2.VideoCapture(int(source) if source.isdigit() else source)
    if not camera.isOpened():
        sys.exit(f"cannot open the video source '{source}'")
    while True:
        good, picture = camera.read()
        if not good:
            return
        yield picture


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("base")
    options.add_argument("--source", default="0", help="a camera's number, a file, or 'generated'")
    options.add_argument("--frames", type=int, default=0, help="stop after so many")
    asked = options.parse_args()
    pictures = generated() if asked.source == "generated" else captured(asked.source)
    published = 0
    with slipring.Writer(asked.base) as writer:
        for picture in pictures:
            with writer.loan("image", picture.shape, picture.dtype, encoding="bgr8") as frame:
                cv2.flip(picture, 1, dst=frame.array)  # the last step of the work writes where readers read
            published += 1
            if published == asked.frames:
                break
    print(f"{published} frames published")


if __name__ == "__main__":
    main()
