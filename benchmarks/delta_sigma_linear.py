"""What the modulator is worth in the linear code alone, where the codec on tokens begins: no network, no training.

    python benchmarks/delta_sigma_linear.py [DATA] [--blocks 12000]

DATA is a root of clips as for `semlink train`. For each order and axis of the modulator the best linear code of
blocks of 8x8 pixels over eight frames is found on training clips and tried on those held out: PSNR in dB at 2 to 32
channels of every block, first groups about gray and later ones behind the last original frame.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from semlink.codecs.delta_sigma.tokens.networks import BLOCK, TokenBitSizes
from semlink.codecs.token_readings import blocks
from semlink.training.data.material import find_material
from semlink.training.recipe import load_recipe
from semlink.training.task import build_task
from semlink.training.tokens.clips import TokenClips
from semlink.training.tokens.delta_sigma.start import linear_bits, modulated

RECIPE = Path(__file__).resolve().parents[1] / "scenarios/train/delta_sigma_tokens.yaml"
VARIANTS = {
    "first order along the frames": {"order": 1},
    "second order along the frames": {"order": 2},
    "plain sign": {"order": 0},
    "first order along the channels": {"order": 1, "scan": "channels"},
}
CHANNELS = (2, 4, 8, 16, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default=None)
    parser.add_argument("--blocks", type=int, default=12000, help="of training clips")
    asked = parser.parse_args()
    sampler, held_out = clips(asked.data)
    for part, name in enumerate(("first groups", "later groups")):
        learned, tried = rests(sampler, part), rests(held_out, part)
        chosen = torch.randperm(len(learned), generator=torch.Generator().manual_seed(part))[: asked.blocks]
        print(f"{name}: {-10 * tried.square().mean().log10():.2f} dB without any bit", flush=True)
        for variant, options in VARIANTS.items():
            found = psnr_db(learned[chosen], tried, TokenBitSizes(**options))
            print(f"  {variant:32}", *(f"{value:6.2f}" for value in found), flush=True)


def clips(data: str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Training clips as the recipe draws them, and those held out."""
    recipe = load_recipe(RECIPE)
    task = build_task(recipe.task, recipe.model, recipe.options)
    sampler = TokenClips(find_material(recipe.data, data), task.options.clips, 128, recipe.seed)
    return torch.cat([sampler.batch(number, 8) for number in range(10)]), sampler.held_out(256)


def rests(found: torch.Tensor, part: int) -> torch.Tensor:
    """What is to be coded of every block (count, pixels): about gray, or behind the last frame standing still."""
    frames = found[:, 8 * part : 8 * part + 8]
    expected = found[:, 7:8] if part else 0.5
    return blocks(frames - expected, BLOCK).flatten(0, 2)


def psnr_db(learned: torch.Tensor, tried: torch.Tensor, sizes: TokenBitSizes) -> list[float]:
    """At each of `CHANNELS`."""
    analysis, synthesis = linear_bits(learned, torch.ones(len(learned), 1), 0, sizes)
    rest, found = tried, []
    for start, stop in sizes.runs:
        own = slice(start * sizes.group, stop * sizes.group)
        bits = modulated(rest @ analysis[own].T, sizes)
        rest = rest - bits @ synthesis[:, own].T
        if stop in CHANNELS:
            found.append(float(-10 * rest.square().mean().log10()))
    return found


if __name__ == "__main__":
    main()
