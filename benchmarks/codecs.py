"""What the video codecs reach, and how fast: CRF ladders, budgets met, frames a second.

    python benchmarks/codecs.py ladder --clips FOLDER
    python benchmarks/codecs.py budget --clips FOLDER
    python benchmarks/codecs.py speed  --clips FOLDER

Clips are cut to their centre 256x256 (or less) and first 16 frames. Without
`--clips` a moving texture stands in. PSNR is over the clip's mean squared
error, bytes are framed (packet headers counted). Speeds are medians of
`--repeats` runs after one warm-up, one thread, and depend on what else runs.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from pathlib import Path

import av
import numpy as np

from semlink.codecs.packetization import framed_size
from semlink.codecs.video.h26x import VideoCodec
from semlink.codecs.video.luma import from_luma8
from semlink.errors import Infeasible
from semlink.payload import FrameShape

STANDARDS = ("h264", "h265", "av1")
LADDERS = {"h264": (24, 30, 36, 42, 48), "h265": (24, 30, 36, 42, 48), "av1": (20, 32, 44, 56, 63)}
BUDGETS = (1500, 2000, 3000, 4000, 8000, 16000, 32000)
SPEED_RATES = {"h264": 28, "h265": 28, "av1": 35}


def read_clip(path: Path, *, frames: int = 16, side: int = 256) -> np.ndarray:
    """The centre of the first frames of a video, from its luma plane: float32 (t, h, w)."""
    with av.open(str(path)) as opened:
        pictures = [frame for _, frame in zip(range(frames), opened.decode(video=0), strict=False)]
    planes = [np.frombuffer(f.planes[0], np.uint8).reshape(f.height, -1)[:, : f.width] for f in pictures]
    luma = np.stack(planes)
    top, left = (max(size - side, 0) // 2 for size in luma.shape[1:])
    return from_luma8(luma[:, top : top + side, left : left + side])


def moving_texture(frames: int = 16, side: int = 256) -> np.ndarray:
    """Waves of several lengths that drift against each other."""
    row, column = np.mgrid[:side, :side].astype(np.float32)
    waves = [
        np.sin((row * math.sin(i) + column * math.cos(i)) / (2 + i) + i * np.arange(frames)[:, None, None] / 5)
        for i in range(1, 9)
    ]
    return (0.5 + 0.06 * np.sum(waves, axis=0)).astype(np.float32)


def psnr_db(clip: np.ndarray, other: np.ndarray) -> float:
    return -10 * math.log10(max(float(np.mean((clip - other) ** 2)), 1e-10))


def ladder(name: str, clip: np.ndarray, codec: VideoCodec) -> None:
    """One line: bytes and PSNR at each CRF."""
    cells = []
    for crf in LADDERS[codec.standard]:
        packets = codec.encode_at(clip, crf)
        quality = psnr_db(clip, codec.decode(packets, FrameShape(*clip.shape)))
        cells.append(f"{crf}: {framed_size(packets)} B {quality:.2f} dB")
    print(f"| {name} | {codec.standard} | " + " | ".join(cells) + " |", flush=True)


def budgets(name: str, clip: np.ndarray, codec: VideoCodec) -> None:
    """One line: share of each budget that is filled, PSNR, milliseconds of search."""
    cells = []
    for budget in BUDGETS:
        begin = time.perf_counter()
        try:
            packets = codec.encode(clip, max_bytes=budget)
        except Infeasible:
            cells.append(f"{budget}: does not fit")
            continue
        spent_ms = 1e3 * (time.perf_counter() - begin)
        quality = psnr_db(clip, codec.decode(packets, FrameShape(*clip.shape)))
        cells.append(f"{budget}: {framed_size(packets) / budget:.3f} {quality:.2f} dB {spent_ms:.0f} ms")
    print(f"| {name} | {codec.standard} | " + " | ".join(cells) + " |", flush=True)


def speed(name: str, clip: np.ndarray, codec: VideoCodec, repeats: int) -> None:
    """One line: frames a second, encode and decode."""
    rate, shape = SPEED_RATES[codec.standard], FrameShape(*clip.shape)
    packets = codec.encode_at(clip, rate)
    coding = statistics.median(timed(lambda: codec.encode_at(clip, rate)) for _ in range(repeats))
    decoding = statistics.median(timed(lambda: codec.decode(packets, shape)) for _ in range(repeats))
    print(
        f"| {name} {shape.h}x{shape.w}x{shape.t} | {codec.standard} {codec.preset} crf {rate} | "
        f"{shape.t / coding:.0f} | {shape.t / decoding:.0f} |",
        flush=True,
    )


def timed(work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("ladder", "budget", "speed"))
    parser.add_argument("--clips", type=Path, help="folder of videos")
    parser.add_argument("--standards", nargs="+", choices=STANDARDS, default=STANDARDS)
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--fps", type=float, default=25.0, help="frame rate the encoder assumes")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    paths = sorted(options.clips.glob("*.*")) if options.clips else []
    clips = {path.stem: read_clip(path) for path in paths} or {"texture": moving_texture()}
    for name, clip in clips.items():
        for standard in options.standards:
            codec = VideoCodec(standard, preset=options.preset, fps=options.fps)
            if options.what == "ladder":
                ladder(name, clip, codec)
            elif options.what == "budget":
                budgets(name, clip, codec)
            else:
                speed(name, clip, codec, options.repeats)


if __name__ == "__main__":
    main()
