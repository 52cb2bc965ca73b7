"""Seconds and bytes of the delta-sigma codec on one clip, and of its modulator alone.

    python benchmarks/delta_sigma.py [WEIGHTS] [--threads 2] [--size 256] [--frames 16] [--channels 16]

Medians of five runs after a warm-up: encode, decode, with and without arithmetic coding.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from semlink.codecs.delta_sigma.codec import DeltaSigmaCodec
from semlink.codecs.delta_sigma.modulator import modulate
from semlink.codecs.packetization import framed_size
from semlink.payload import FrameShape
from semlink.sensing.sources.synthetic.scenes import SceneSource


def median_seconds(call: Callable[[], Any], runs: int = 5) -> float:
    call()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="?", default="delta_sigma")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--channels", type=int, default=16)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    shape = FrameShape(asked.frames, asked.size, asked.size)
    clip = SceneSource(1, frames=shape.t, size=(shape.h, shape.w)).clip(0)
    for entropy in (False, True):
        codec = DeltaSigmaCodec(asked.weights, entropy=entropy)
        packets = codec.encode_at(clip, asked.channels)
        encode = median_seconds(lambda: codec.encode_at(clip, asked.channels))  # noqa: B023
        decode = median_seconds(lambda: codec.decode(packets, shape))  # noqa: B023
        psnr_db = -10 * np.log10(np.square(codec.decode(packets, shape) - clip).mean())
        print(
            f"{'arithmetic coded' if entropy else 'plain maps':17} {asked.channels} channels, {asked.threads} threads: "
            f"encode {encode:.2f} s, decode {decode:.2f} s, {framed_size(packets)} bytes, {psnr_db:.2f} dB"
        )
    codes = torch.rand(1, 32, 8, asked.size // 8, asked.size // 8) - 0.5
    for order in (1, 2):
        print(f"modulator, order {order}: {1e3 * median_seconds(lambda: modulate(codes, order, 2)):.2f} ms a group")  # noqa: B023


if __name__ == "__main__":
    main()
