"""Trained generators, read from weights and checked against their card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from semlink.errors import ModelError
from semlink.nn.generative.generator import Generator
from semlink.weights.tensors import check_probe, fill, find_weights, read_card, read_tensors

TASK = "generator"


def load_generator(name: str | Path) -> tuple[Generator, dict[str, Any]]:
    """The generator and the card of weights `name`, ready for use.

    Raises:
        ModelError: missing, damaged, of another kind, or with a wrong answer to the probe.
    """
    path = find_weights(name)
    card = read_card(path)
    if card["task"] != TASK:
        raise ModelError(f"{path}: weights for {card['task']!r}; allowed: those of {TASK!r}")
    spec = card["facts"]
    generator = Generator(spec["latent"], tuple(spec["channels"]), spec["planes"])
    fill(generator, read_tensors(path, card), path)
    generator.eval().requires_grad_(False)
    check_probe(path, card, probe(generator))
    return generator, card


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
