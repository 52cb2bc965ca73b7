"""Where the delta-sigma codec on tokens begins: the best linear code of a block that one-bit maps can carry.

Run by run of channels, the principal components of what earlier channels left over are dealt to the steps of the
modulator, and estimated back from its bits by least squares. How many components a channel carries and how far its
codes reach is what leaves least; with the plain sign each step soon carries a component of its own.

Source: this project.
"""

from __future__ import annotations

import torch

from semlink.codecs.delta_sigma.initialisation import REACH
from semlink.codecs.delta_sigma.modulator import modulate
from semlink.codecs.delta_sigma.tokens.networks import TokenBitSizes

GAINS = (0.5, 0.8, 1.2, 1.8, 2.7)
RIDGE = 1e-4


def linear_bits(
    values: torch.Tensor, scale: torch.Tensor, unscaled: int, sizes: TokenBitSizes
) -> tuple[torch.Tensor, torch.Tensor]:
    """The analysis (bits, n) and the synthesis (n, bits) for `values` (count, n) of blocks.

    `scale` (count, 1) enlarges each block for all channels but the first `unscaled`.
    """
    rest, analysis, synthesis = values, [], []
    for start, stop in sizes.runs:
        factor = torch.ones_like(scale) if start < unscaled else scale
        rows, back, told = _run(rest * factor, stop - start, sizes)
        rest = rest - told / factor
        analysis.append(rows)
        synthesis.append(back)
    return torch.cat(analysis), torch.cat(synthesis, 1)


def _run(rest: torch.Tensor, count: int, sizes: TokenBitSizes) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Analysis and synthesis of a run of channels, and what they tell of `rest` (count, n)."""
    steps = sizes.group
    _, vectors = torch.linalg.eigh((rest.T @ rest).double())
    basis = vectors.flip(1)[:, : count * steps].float()
    numbers = rest @ basis
    numbers, basis = (part / numbers.square().mean(0).sqrt().clamp_min(1e-6) for part in (numbers, basis))
    best, least = None, torch.inf
    for carried in _divisors(steps):
        own = _dealt(count, steps, carried)
        for gain in GAINS:
            bits = modulated(gain * numbers[:, own], sizes)
            back = _least_squares(bits, rest)
            told = bits @ back.T
            left = float((rest - told).square().mean())
            if left < least:
                best, least = (gain * basis[:, own].T, back, told), left
    assert best is not None
    return best


def modulated(linear: torch.Tensor, sizes: TokenBitSizes) -> torch.Tensor:
    """Bits (count, channels * steps) of what the linear transform gives."""
    code = REACH * torch.tanh(linear).unflatten(1, (-1, sizes.group))
    return modulate(code, sizes.order, 2 if sizes.scan == "frames" else 1).flatten(1)


def _divisors(steps: int) -> list[int]:
    return [m for m in range(1, steps + 1) if steps % m == 0]


def _dealt(count: int, steps: int, carried: int) -> torch.Tensor:
    """Which component each step (count * steps) carries, the strongest in the first channels."""
    place = torch.arange(count * steps)
    return place // steps * carried + place % steps // (steps // carried)


def _least_squares(bits: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
    square = (bits.T @ bits).double()
    square += RIDGE * len(bits) * torch.eye(len(square), dtype=torch.float64)
    return torch.linalg.solve(square, (bits.T @ rest).double()).T.float()
