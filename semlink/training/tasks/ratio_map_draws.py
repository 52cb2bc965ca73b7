"""Ratio maps to train a decoder on: one for each clip of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from semlink.sensing.programmable.exposure import counts_on_offer


@dataclass(frozen=True, slots=True)
class MapDraws:
    """Shares of the kinds of map; what is left over is `pixel`.

    Attributes:
        uniform: the same count everywhere, drawn from `counts`.
        tile: a random 4x4 pattern, repeated.
        listed: one of `tiles`, each a square of counts.
        pixel: every pixel for itself, from random odds.
        counts: the counts of uniform maps; a count named twice comes twice as often.
    """

    uniform: float = 0.4
    tile: float = 0.45
    listed: float = 0.0
    counts: list = field(default_factory=lambda: [1, 1, 1, 2, 2, 4, 4, 8])
    tiles: list = field(default_factory=list)

    def draw(self, num_frames: int, clips: int, crop: int, *, rng: torch.Generator) -> torch.Tensor:
        """Counts (clips, crop, crop)."""
        return torch.stack([self._one(num_frames, crop, rng) for _ in range(clips)])

    def _one(self, num_frames: int, crop: int, rng: torch.Generator) -> torch.Tensor:
        kind = float(torch.rand((), generator=rng))
        if kind < self.uniform:
            return torch.full((crop, crop), _pick(self.counts, rng))
        if kind < self.uniform + self.listed:
            return repeat_tile(torch.tensor(_pick(self.tiles, rng)), crop, rng)
        offer = torch.tensor(counts_on_offer(num_frames))
        odds = random_odds(len(offer), rng)
        if kind < self.uniform + self.listed + self.tile:
            picked = torch.multinomial(odds, 16, replacement=True, generator=rng).view(4, 4)
            return repeat_tile(offer[picked], crop, rng)
        picked = torch.multinomial(odds, crop * crop, replacement=True, generator=rng)
        return offer[picked].view(crop, crop)


def repeat_tile(tile: torch.Tensor, crop: int, rng: torch.Generator) -> torch.Tensor:
    """`tile` repeated over (crop, crop), from a random corner of it."""
    rows, columns = tile.shape
    tile = tile.roll((_below(rows, rng), _below(columns, rng)), (0, 1))
    return tile.repeat(-(-crop // rows), -(-crop // columns))[:crop, :crop]


def random_odds(choices: int, rng: torch.Generator) -> torch.Tensor:
    """Odds that favour few of the choices and seldom the dearest."""
    weights = torch.tensor([1.2, 1.5, 1.0, 0.8, 0.7] + [0.7] * max(0, choices - 5))[:choices]
    spread = torch.rand(choices, generator=rng).clamp_min(1e-6).log().neg()  # exponential: a flat Dirichlet
    return weights * spread.square()


def _pick(items: Sequence, rng: torch.Generator):
    return items[_below(len(items), rng)]


def _below(limit: int, rng: torch.Generator) -> int:
    return int(torch.randint(limit, (), generator=rng))
