"""Seconds and memory of one semantic transmission, and clips a second of its training.

    python benchmarks/semantic.py [WEIGHTS] [--threads 2] [--profile] [--train RECIPE] [--device cpu]

One clip of 16 frames of 256 x 256 pixels at 10 dB and 0.012 uses a pixel; the
parts of the link one by one, medians of seven runs: seconds by the clock, and of
CPU time, which hardly depends on what else runs. `--profile` lists the
operations that take longest; `--train` times the steps of a recipe.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semlink.codecs.semantic.choice import semantic_codec
from semlink.link.schemes.semantic.scheme import SemanticScheme
from semlink.payload import Frames, Point, Received
from semlink.phy.channels.awgn import Awgn
from semlink.seeds import Seeds
from semlink.sensing.programmable.reconstructors import DeepReconstructor
from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap
from semlink.training.recipe import load_recipe
from semlink.training.task import build_task

SNR_DB = 10.0
BUDGET = 12583
ALLOCATION = {"tokens": "predicted", "published": "learned"}


class NoRehearsal:
    """White noise needs no margin."""

    def delivery(self, coding: Any, uses: int, transmissions: int) -> float:
        return 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="?", default="semcom_tokens")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--train", type=Path)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.train:
        training(options.train, options.device)
        return
    scheme, clip = scheme_of(options.weights), Frames(moving_clip())
    agreed = scheme.agree(clip.shape, Point(SNR_DB, BUDGET), NoRehearsal())
    if options.profile:
        profile(lambda: whole(scheme, clip, agreed))
        return
    parts(scheme, clip, agreed, options.threads)


def scheme_of(weights: str) -> SemanticScheme:
    codec, architecture = semantic_codec(weights, None)
    sensor = ProgrammableSensor(RatioMap(learned=codec.facts["sensor"], mean_count=codec.facts["mean_count"]))
    decoder = weights if codec.facts.get("joint") else codec.facts["sensor"]
    return SemanticScheme(sensor, DeepReconstructor(decoder), codec, ALLOCATION[architecture])


def moving_clip() -> torch.Tensor:
    rng = np.random.default_rng(0)
    photo = torch.from_numpy(rng.random((1, 1, 40, 40), np.float32))
    scene = torch.nn.functional.interpolate(photo, size=(300, 300), mode="bicubic").clamp(0, 1)
    return torch.stack([scene[0, 0, 2 * t : 2 * t + 256, t : t + 256] for t in range(16)])[None]


def whole(scheme: SemanticScheme, clip: Frames, agreed: Any) -> Frames:
    flow = scheme.transmit(clip, agreed, Seeds(1))
    heard = Awgn()(flow.payload.iq, SNR_DB, Seeds(1))
    return scheme.receive(Received(heard.iq, torch.full(heard.iq.shape, 0.1)), agreed).frames


def parts(scheme: SemanticScheme, clip: Frames, agreed: Any, threads: int) -> None:
    flow = scheme.transmit(clip, agreed, Seeds(1))
    heard = Awgn()(flow.payload.iq, SNR_DB, Seeds(1))
    received = Received(heard.iq, torch.full(heard.iq.shape, 0.1))
    measured = scheme.sensor.measure(clip, Seeds(1))
    rows = {
        "sensor": lambda: scheme.sensor.measure(clip, Seeds(1)),
        "encoder": lambda: scheme.codec.look(measured.slots, measured.counts, SNR_DB),
        "transmitter, with sensor, rate map and side information": lambda: scheme.transmit(clip, agreed, Seeds(1)),
        "channel": lambda: Awgn()(flow.payload.iq, SNR_DB, Seeds(1)),
        "reconstruction of the video": lambda: scheme.reconstructor.reconstruct(measured),
        "receiver, with reconstruction": lambda: scheme.receive(received, agreed),
        "all": lambda: whole(scheme, clip, agreed),
    }
    print(f"{threads} threads, {flow.payload.iq.shape[1]} channel uses")
    for name, run in rows.items():
        wall, cpu = seconds(run)
        print(f"{name:60s} {1000 * wall:8.1f} ms {1000 * cpu:8.1f} ms of CPU")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def seconds(run: Callable[[], Any], repeats: int = 7) -> tuple[float, float]:
    """By the clock, and of CPU time in all threads."""
    run()
    found = []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return statistics.median(wall for wall, _ in found), statistics.median(cpu for _, cpu in found)


def profile(run: Callable[[], Any]) -> None:
    run()
    with torch.profiler.profile() as found:
        run()
    print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=14, max_name_column_width=40))


def training(path: Path, device: str) -> None:
    """Clips a second over ten steps, on made-up material."""
    recipe = load_recipe(path)
    chosen = recipe.profile("gpu" if device == "cuda" else "cpu")
    task = build_task(recipe.task, recipe.model, recipe.options)
    model = task.build().to(device, memory_format=torch.channels_last)
    clips = torch.rand(chosen.batch, recipe.clips.frames, chosen.crop, chosen.crop, device=device)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=chosen.precision == "bf16"):
            loss, _ = task.loss(model, clips, 10**9, torch.Generator().manual_seed(1))
        loss.backward()
        if device == "cuda":
            torch.cuda.synchronize()

    took, _ = seconds(step)
    print(f"{recipe.name} on {device}: {took:.3f} s a step, {chosen.batch / took:.1f} clips a second")


if __name__ == "__main__":
    main()
