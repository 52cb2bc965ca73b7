"""Levels for a budget: the price at which the policy's choice just fits, and what is left handed out.

Source: this project; the price takes the place of mu in [zhang2024crl, eq. (14)].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from semlink.codecs.semantic.rate_allocation import LEVELS

STEPS = 12
"""Halvings of the interval of prices."""

Scores = Callable[[float], torch.Tensor]


def levels_for_budget(scores: Scores, most: int, prices: tuple[float, float]) -> torch.Tensor:
    """Levels 1 .. 4 (rows, columns) whose sum is `most`, or less where all blocks are at the top.

    Args:
        scores: log-probabilities (4, rows, columns) at the logarithm of a price.
        most: sum of levels that the budget carries; at least one a block.
        prices: the range that the policy was trained at.
    """
    low, high = (math.log(price) for price in prices)  # dear: few symbols; cheap: many
    cheap, dear = scores(low), scores(high)
    if chosen(cheap).sum() <= most:
        return _topped_up(cheap, chosen(cheap), most)
    if chosen(dear).sum() > most:
        return _cut_down(dear, chosen(dear), most)
    for _ in range(STEPS):
        middle = (low + high) / 2
        found = scores(middle)
        if chosen(found).sum() <= most:
            high, dear = middle, found
        else:
            low = middle
    return _topped_up(dear, chosen(dear), most)


def chosen(scores: torch.Tensor) -> torch.Tensor:
    """The likeliest level of each block, 1 .. 4."""
    return scores.argmax(0) + 1


def _topped_up(scores: torch.Tensor, levels: torch.Tensor, most: int) -> torch.Tensor:
    """One level more for the blocks nearest to wanting it, until the sum is `most`."""
    while (left := most - int(levels.sum())) > 0 and bool((levels < LEVELS).any()):
        wish = scores.gather(0, levels.clamp_max(LEVELS - 1)[None])[0] - scores.gather(0, levels[None] - 1)[0]
        wish = torch.where(levels < LEVELS, wish, -torch.inf).flatten()
        able = int((levels < LEVELS).sum())
        raised = torch.zeros_like(wish, dtype=torch.long)
        raised[wish.argsort(descending=True, stable=True)[: min(left, able)]] = 1
        levels = levels + raised.view_as(levels)
    return levels


def _cut_down(scores: torch.Tensor, levels: torch.Tensor, most: int) -> torch.Tensor:
    """One level less for the blocks nearest to bearing it, until the sum is `most`."""
    while (over := int(levels.sum()) - most) > 0 and bool((levels > 1).any()):
        regret = scores.gather(0, levels[None] - 1)[0] - scores.gather(0, (levels - 2).clamp_min(0)[None])[0]
        regret = torch.where(levels > 1, regret, torch.inf).flatten()
        lowered = torch.zeros_like(regret, dtype=torch.long)
        lowered[regret.argsort(stable=True)[: min(over, int((levels > 1).sum()))]] = 1
        levels = levels - lowered.view_as(levels)
    return levels
