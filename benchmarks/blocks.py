"""PSNR of reconstructions from block measurements, key and non-key frames apart, and seconds for a group of frames.

    python benchmarks/blocks.py [WEIGHTS ...] [--clips FILES] [--frames 14] [--untrained] [--speed] [--threads 1]

PSNR is the mean over frames of each frame's own. --untrained adds the
reconstructions without training at the ratios of the weights. --speed times one group of eight CIF frames and the key
frame behind it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.block_cs.multi_hypothesis import MultiHypothesisReconstructor
from semlink.sensing.block_cs.reconstructors import BlockNetworkReconstructor, LinearBlockReconstructor
from semlink.sensing.block_cs.sampler import BlockSampler
from semlink.sensing.block_cs.smoothed_projections import BlockTvReconstructor
from semlink.sensing.sources.files.video_source import VideoSource
from semlink.training.data.material import data_root
from semlink.weights.cards import find_weights, read_card

CLIPS = "{akiyo,foreman,paris}_cif14.mkv"
GROUP = (9, 288, 352)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="*", default=["hit_10", "vcsnet_10", "hit_01", "vcsnet_01"])
    parser.add_argument("--clips")
    parser.add_argument("--frames", type=int, default=14)
    parser.add_argument("--untrained", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [
        (f"{Path(name).stem} {ratio:g}", network(name, ratio)) for name in options.weights for ratio in ratios(name)
    ]
    if options.untrained:
        for ratio in sorted({made.sampler.ratio for _, made in rows}):
            kinds = LinearBlockReconstructor, MultiHypothesisReconstructor, BlockTvReconstructor
            rows += [(f"{made.name} {ratio:g}", made) for made in (kind(BlockSampler(ratio)) for kind in kinds)]
    if options.speed:
        speed(rows)
    else:
        source = VideoSource(options.clips or str(data_root() / "video/dev" / CLIPS), frames=options.frames, clips=None)
        table(rows, source)


def ratios(weights: str) -> list[float]:
    """Those of the card."""
    return read_card(find_weights(weights))["facts"]["ratios"]


def network(weights: str, ratio: float) -> BlockNetworkReconstructor:
    """The reconstruction of a card, with the sensor that it asks for."""
    card = read_card(find_weights(weights))
    facts = card["facts"]
    basis = weights if facts["joint"] else "blocks" if facts["matrix"] == "learned" else None
    sampler = BlockSampler(ratio, facts["key_ratio"], facts["gop"], basis, facts["seed"])
    return BlockNetworkReconstructor(sampler, weights, card["model"].get("network", "hit-vcsnet"))


def table(rows: list, source: VideoSource) -> None:
    """One line a reconstruction: all frames / key / non-key of each clip, then the mean over clips."""
    names = [source.name(number) for number in range(len(source))]
    print(f"{'all / key / non-key, dB':28s}" + "".join(f"{name[:20]:>22s}" for name in [*names, "mean"]))
    clips = [torch.from_numpy(source.clip(number))[None] for number in range(len(source))]
    for name, made in rows:
        cells = torch.tensor([three(made, clip) for clip in clips])
        cells = torch.cat((cells, cells.mean(0, keepdim=True)))
        print(f"{name:28s}" + "".join(f"{a:8.2f}{b:7.2f}{c:7.2f}" for a, b, c in cells.tolist()), flush=True)


def three(made, clip: torch.Tensor) -> tuple[float, float, float]:
    """PSNR of all frames, of key frames, of the others."""
    found = made.reconstruct(made.sampler.measure(Frames(clip), Seeds(1))).pixels
    psnr = -10 * (found - clip).square().mean((0, 2, 3)).log10()
    keys, others = made.sampler.split(clip.shape[1])
    return float(psnr.mean()), float(psnr[keys].mean()), float(psnr[others].mean())


def speed(rows: list) -> None:
    """Seconds for a group, the fastest of three after one to warm up."""
    t, h, w = GROUP
    clip = Frames(torch.rand(1, t, h, w))
    for name, made in rows:
        readings, taken = made.sampler.measure(clip, Seeds(1)), []
        for _ in range(4):
            started = time.perf_counter()
            made.reconstruct(readings)
            taken.append(time.perf_counter() - started)
        print(f"{name:28s}{min(taken[1:]):8.2f} s for {t} frames of {h} x {w}", flush=True)


if __name__ == "__main__":
    main()
