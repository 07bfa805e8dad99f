"""Writes small test media to stdout: make_media.py y4m COLOUR WxH FRAMES | pnm P5-255 WxH FRAMES"""

import random
import sys

kind, what, size, frames = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
width, height = map(int, size.split("x"))
out = sys.stdout.buffer
random.seed(1)


def up(value, to):
    return -(-value // to)


if kind == "y4m":
    chroma = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1), "440": (1, 2), "mono": None}
    prefix = next(p for p in chroma if what.startswith(p))
    samples = width * height
    if chroma[prefix]:
        samples += 2 * up(width, chroma[prefix][0]) * up(height, chroma[prefix][1])
    if what.endswith("alpha"):
        samples += width * height
    wide = 2 if what in ("420p10", "422p12", "444p16", "mono16") else 1
    out.write(f"YUV4MPEG2 W{width} H{height} F50:1 Ip A1:1 C{what} XYSCSS=X XTEST=1\n".encode())
    for _ in range(frames):
        out.write(b"FRAME\n" + random.randbytes(samples * wide))
else:
    magic, most = what.split("-")
    samples = width * height * (3 if magic == "P6" else 1) * (2 if int(most) > 255 else 1)
    for _ in range(frames):
        out.write(f"{magic}\n{width} {height}\n{most}\n".encode() + random.randbytes(samples))
