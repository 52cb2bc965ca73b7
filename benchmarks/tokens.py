"""How fast the code of tokens is: training in GFLOP/s, coding in seconds a clip, quality at budgets with real packets.

    python benchmarks/tokens.py layers                      3x3 convolutions alone: what the machine can give
    python benchmarks/tokens.py training --recipe scenarios/train/compr_tokens.yaml
    python benchmarks/tokens.py coding --weights compr_tokens
    python benchmarks/tokens.py quality --weights compr_tokens --clips 'clips/*.mkv' [--search 60]

One thread unless `--threads` says otherwise; medians after warm-up, and they
depend on what else runs. Operations are those of convolutions and products,
two a multiplication with its addition, three times the forward ones for a step.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from semlink.codecs.packetization import framed_size
from semlink.codecs.tokens.codec import TokenCodec
from semlink.payload import FrameShape
from semlink.sensing.sources.files.video_source import VideoSource
from semlink.training.recipe import load_recipe
from semlink.training.task import build_task
from semlink.training.tasks.sensed_clips import SensedClips

BUDGETS = (2000, 3618, 6208, 12435, 24379)  # channel uses a clip
BITS_PER_USE, OTHER_USES = 2.95, 60  # of 16-QAM at rate 754/1024, and of CRC, framing and headers
WIDTHS, TOKENS_A_SIDE, BATCH = (160, 192, 224, 256), 16, 8


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Of `work`, after two runs that do not count."""
    times = []
    for _ in range(repeats + 2):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


def layers(repeats: int) -> None:
    """Forward and backward of one convolution, in both precisions."""
    for dtype in (torch.bfloat16, torch.float32):
        for width in WIDTHS:
            layer = nn.Conv2d(width, width, 3, padding=1).to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            x = torch.randn(BATCH, width, TOKENS_A_SIDE, TOKENS_A_SIDE).to(dtype)
            x = x.to(memory_format=torch.channels_last).requires_grad_()
            grad = torch.ones_like(layer(x))
            seconds = median_seconds(lambda: layer(x).backward(grad), repeats)  # noqa: B023
            work = 3 * 2 * BATCH * TOKENS_A_SIDE**2 * 9 * width**2
            print(f"{str(dtype):15} {width} channels: {1e3 * seconds:6.1f} ms, {work / seconds / 1e9:5.0f} GFLOP/s")


def training(recipe_file: str, repeats: int) -> None:
    """One step of the recipe's CPU profile on made-up clips, and without its optimiser."""
    recipe = load_recipe(recipe_file)
    profile, task = recipe.profile("cpu"), build_task(recipe.task, recipe.model, recipe.options)
    model = task.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimisers = task.optimisers(model, recipe.optimiser.learning_rate)
    clips = torch.rand(profile.batch, 16, profile.crop, profile.crop)

    def gradients() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=profile.precision == "bf16"):
            loss, _ = task.loss(model, clips, 0, torch.Generator().manual_seed(0))
        model.zero_grad()
        loss.backward()

    def step() -> None:
        gradients()
        for optimiser in optimisers:
            optimiser.step()

    work = 3 * operations(lambda: task.loss(model, clips, 0, torch.Generator().manual_seed(0)), model)
    for name, part in (("forward and backward", gradients), ("with the optimiser", step)):
        seconds = median_seconds(part, repeats)
        rate = profile.batch / seconds
        print(
            f"{name}: {seconds:.3f} s, {work / seconds / 1e9:.0f} GFLOP/s, {rate:.1f} crops of {profile.crop} a second"
        )


def operations(run: Callable[[], object], model: nn.Module) -> float:
    """Of all convolutions and products of one forward pass."""
    total = 0.0

    def count(layer: nn.Module, inputs, output: torch.Tensor) -> None:
        nonlocal total
        total += 2 * output.numel() * layer.weight[0].numel()  # type: ignore[operator, index, union-attr]

    kinds = (nn.Conv2d, nn.Linear)
    hooks = [part.register_forward_hook(count) for part in model.modules() if isinstance(part, kinds)]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()
    return total


def coding(weights: str, repeats: int) -> None:
    """Seconds for a clip of 256x256x16: packets at a knob, packets for a budget, frames."""
    codec, shape = TokenCodec(weights), FrameShape(16, 256, 256)
    slots = readings(torch.rand(1, 16, 256, 256) * 0.2 + 0.4)[0]
    packets = codec.encode_at(slots, 0.5)
    budget = framed_size(packets)
    for name, work in (
        ("encode_at", lambda: codec.encode_at(slots, 0.5)),
        ("encode", lambda: codec.encode(slots, max_bytes=budget)),
        ("decode", lambda: codec.decode(packets, shape)),
    ):
        print(f"{name}: {median_seconds(work, repeats):.3f} s")


def quality(weights: str, clips: str, search: int) -> None:
    """Mean PSNR of clips at budgets, packets as they are; the channel brings all of them."""
    source = VideoSource([clips], frames=16, size=(256, 256), clips=99)
    frames = np.concatenate([np.asarray(source.clip(number)).reshape(1, 16, 256, 256) for number in range(len(source))])
    codec, seen = TokenCodec(weights, search=search), readings(torch.from_numpy(frames.astype(np.float32)))
    for budget in BUDGETS:
        most, found = int((budget - OTHER_USES) * BITS_PER_USE / 8), []
        for slots, clip in zip(seen, frames):
            decoded = codec.decode(codec.encode(slots, max_bytes=most), FrameShape(*clip.shape))
            found.append(-10 * np.log10(np.square(decoded - clip).mean()))
        print(f"{budget} uses: {np.mean(found):.2f} dB, {' '.join(f'{one:.2f}' for one in found)}")


def readings(frames: torch.Tensor) -> np.ndarray:
    """Of the shipped sensor, with its noise."""
    sensor = SensedClips()
    return sensor.sense(frames, sensor.counts(frames), torch.Generator().manual_seed(100)).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("layers", "training", "coding", "quality"))
    parser.add_argument("--recipe", default="scenarios/train/compr_tokens.yaml")
    parser.add_argument("--weights", default="compr_tokens")
    parser.add_argument("--clips", default="clips/*.mkv")
    parser.add_argument("--search", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.what == "layers":
        layers(chosen.repeats)
    elif chosen.what == "training":
        training(chosen.recipe, chosen.repeats)
    elif chosen.what == "coding":
        coding(chosen.weights, chosen.repeats)
    else:
        quality(chosen.weights, chosen.clips, chosen.search)


if __name__ == "__main__":
    main()
