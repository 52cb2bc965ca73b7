"""How many channels a block sends: by the class of its energy and by one number for all, the water level.

A block of k channels is left with an error that falls like the root of k, so a class 3 dB quieter is best off with
`THINNING` of the channels. Whole numbers in a table, the same at both ends.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from semlink.codecs.delta_sigma.tokens.networks import CLASSES, UNSCALED

LEVELS = 64
"""Water levels, quarters of a class; at level 24 blocks of class 0 send all channels and quieter ones fewer."""
FULL = 24
PER_CLASS = 4
THINNING = 0.63


@cache
def table(channels: int) -> torch.Tensor:
    """Channels of a block: (2, LEVELS, CLASSES), of first groups and of later ones."""
    over = (torch.arange(LEVELS, dtype=torch.float64)[:, None] - FULL) / PER_CLASS - torch.arange(CLASSES)
    count = (channels * THINNING**-over + 0.5).floor().clamp(0, channels).long()
    return torch.stack([count.clamp_min(least) for least in UNSCALED])


def allotted(level: torch.Tensor, classes: torch.Tensor, channels: int, *, later: bool) -> torch.Tensor:
    """Channels of each block (b, h, w) at the level (b,) of its clip."""
    rows = table(channels).to(classes.device)[int(later)][level]
    return rows.gather(1, classes.flatten(1)).view_as(classes)


def counts_at(level: int, classes: np.ndarray, channels: int, *, later: bool) -> np.ndarray:
    """The same for one clip: (rows, columns)."""
    return table(channels)[int(later)][level].numpy()[classes]
