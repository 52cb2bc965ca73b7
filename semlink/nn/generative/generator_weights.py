"""Trained generators, read from weights and checked against their card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from semlink.errors import InterfaceError
from semlink.nn.generative.generator import SIDE, Generator, colour_generator
from semlink.payload import FrameShape
from semlink.seeds import Seeds
from semlink.weights.cards import RANDOM, card_of
from semlink.weights.remembered import remembered
from semlink.weights.tensors import load_verified

TASK = "generator"


def load_generator(name: str | Path) -> tuple[Generator, dict[str, Any]]:
    """The generator and the card of weights `name`, ready for use.

    Raises:
        ModelError: missing, damaged, of another kind, or with a wrong answer to the probe.
    """
    path, card = card_of(name, TASK)
    spec = card["facts"]

    def make() -> Generator:
        return Generator(spec["latent"], tuple(spec["channels"]), spec["planes"])

    return load_verified(make, path, card, probe), card


def start_code(latent: int) -> torch.Tensor:
    """Where a search for codes begins, (latent,): a fixed normal vector of length 1.

    Source: [hyder2019gmlr, public code: the same start for all frames].
    """
    code = torch.randn(latent, generator=torch.Generator().manual_seed(100))
    return code / code.norm()


@torch.no_grad()
def probe(generator: Generator) -> torch.Tensor:
    """The picture of a fixed code, whose digest tells right weights from wrong ones."""
    return generator(torch.linspace(-1, 1, generator.latent)[None].mul(7).sin().mul(generator.latent**-0.5))


def check_side(shape: FrameShape, planes: int, who: str) -> None:
    """Raise InterfaceError for frames that no generator makes."""
    if (shape.h, shape.w) != (planes * SIDE, SIDE):
        raise InterfaceError(
            f"{who}: frames of {shape.h} x {shape.w} with planes: {planes}; allowed: {planes * SIDE} x {SIDE} "
            f"({planes} {'planes' if planes > 1 else 'plane'} of {SIDE} x {SIDE}, stacked as rows)"
        )


@remembered
def generator_of(weights: str, planes: int) -> Generator:
    """The generator of `weights`, which must put out so many planes.

    Raises:
        ModelError: missing, damaged, or of another kind.
        InterfaceError: other planes.
    """
    generator = _untrained(planes) if weights == RANDOM else load_generator(weights)[0]
    if generator.planes != planes:
        raise InterfaceError(
            f"weights {weights!r}: a generator of {generator.planes} planes; the scenario has {planes}"
        )
    return generator


def _untrained(planes: int, seed: int = 0) -> Generator:
    """The published architecture with weights U(-b, b), b^-2 = 16 outputs: what a fresh layer has."""
    made = (Generator() if planes == 1 else colour_generator()).requires_grad_(False).eval()
    for number, layer in enumerate(made.convolutions):
        drawn = Seeds(seed).uniform(f"generator/random/{number}", *layer.weight.shape)[0]
        layer.weight.copy_((2 * drawn - 1) * (16 * layer.weight.shape[1]) ** -0.5)
    return made
