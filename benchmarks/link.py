"""Clips per second through encode, transmit, decode, and the share of each stage.

    python benchmarks/link.py [--codec h264] [--budget 0.024] [--seconds 20]

One thread, built-in scenes of 256x256x16. Stages are timed inside the real
chain by wrapping the blocks; nothing is cached between clips.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch

from semlink.caching import Memo
from semlink.link.chain.link import Link
from semlink.link.chain.transmit import run_clip
from semlink.link.metrics.psnr_ssim import psnr_db, ssim
from semlink.link.scenario.build import build_link
from semlink.link.schemes.digital.spec import DigitalSpec
from semlink.payload import Frames
from semlink.phy.specs.channels import AwgnSpec
from semlink.seeds import Seeds
from semlink.sensing.sources.synthetic.scenes import SceneSource


@dataclass
class Timed:
    """A block whose methods add their time to a stage."""

    block: Any
    stages: dict[str, str]
    spent: dict[str, float]

    def __call__(self, *args: Any) -> Any:
        return self._run("channel", self.block, args, {})

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.block, name)
        if name not in self.stages:
            return found
        return lambda *args, **options: self._run(self.stages[name], found, args, options)

    def _run(self, stage: str, call: Any, args: tuple, options: dict) -> Any:
        start = time.perf_counter()
        try:
            return call(*args, **options)
        finally:
            self.spent[stage] += time.perf_counter() - start


def measured_link(codec: str, modulation: str, rate: float, spent: dict[str, float]) -> Link:
    spec = DigitalSpec(
        name=codec,
        kind="digital",
        codec={"kind": codec},
        coding={"kind": "ldpc", "modulation": modulation, "rate": rate},
    )
    link = build_link(spec, AwgnSpec(kind="awgn"), None, streams=None, folder=None)
    coder = {"encode": "video encoder", "decode": "video decoder"}
    coding = {"send": "channel encoder, mapper", "receive": "demapper, LDPC decoder, CRC"}
    for end in (link.transmitter, link.receiver):
        object.__setattr__(end, "codec", Timed(end.codec, coder, spent))
        object.__setattr__(end, "codings", {n: Timed(c, coding, spent) for n, c in end.codings.items()})
        object.__setattr__(end, "decoded", Memo(1))
    return Link(link.transmitter, link.receiver, link.waveform, Timed(link.channel, {}, spent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--modulation", default="16qam")
    parser.add_argument("--rate", type=float, default=2 / 3)
    parser.add_argument("--snr", type=float, default=10.0)
    parser.add_argument("--budget", type=float, default=0.024)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    spent: dict[str, float] = defaultdict(float)
    link = measured_link(options.codec, options.modulation, options.rate, spent)
    source = SceneSource(clips=8)
    clips = [Frames(torch.from_numpy(source.clip(n)[None])) for n in range(len(source))]
    uses = int(options.budget * clips[0].shape.num_pixels)
    agreed = link.transmitter.agree(clips[0].shape, link.point(options.snr, uses, None), None)
    run_clip(link, clips[0], agreed, Seeds(0))
    spent.clear()
    start, number = time.perf_counter(), 0
    while time.perf_counter() - start < options.seconds:
        clip = clips[number % len(clips)]
        outcome = run_clip(link, clip, agreed, Seeds(1, (number,)))
        before = time.perf_counter()
        psnr_db(clip.pixels[0].numpy(), outcome.frames.pixels[0].numpy())
        ssim(clip.pixels[0].numpy(), outcome.frames.pixels[0].numpy())
        spent["PSNR, SSIM"] += time.perf_counter() - before
        number += 1
    total = time.perf_counter() - start
    print(f"{options.codec}, {uses} uses a clip, {options.snr:g} dB: {number / total:.2f} clips/s of 256x256x16")
    spent["rest of the chain"] = total - sum(spent.values())
    for stage, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {stage:30s} {1e3 * seconds / number:8.1f} ms a clip  {100 * seconds / total:5.1f} %")


if __name__ == "__main__":
    main()
