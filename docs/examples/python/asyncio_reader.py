# SPDX-License-Identifier: Apache-2.0
"""Two cameras in one event loop: asyncio_reader.py BASE BASE [FRAMES]. No thread per wait; other tasks go on."""

import asyncio
import sys

import slipring


async def follow(base, frames):
    got = 0
    with slipring.Reader(base) as reader:
        async for frame in reader.aframes("image", timeout=30):
            with frame:  # gives the frame back here, and not when the garbage collector comes by
                got += 1
                if got == 1:
                    print(f"{base}: {frame.array.shape} {frame.dtype}", flush=True)
            if got == frames:
                break
    return got


async def main(bases, frames):
    counts = await asyncio.gather(*(follow(base, frames) for base in bases))
    for base, got in zip(bases, counts):
        print(f"{base}: {got} frames")
    return 0 if min(counts) == frames else 1


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(sys.argv[1:3], int(sys.argv[3]) if len(sys.argv) == 4 else 100)))
