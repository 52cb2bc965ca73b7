"""One token for a block of pixels: how readings and pixels of a block become a vector, and back.

A sensor whose ratio map repeats in blocks of `size` pixels takes the same
readings, in the same places, in every block. They are listed by row, column and
slot: 160 of a block of 8x8 pixels at a mean count of 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

Tile = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class TokenReadings:
    """The readings of one block: `tile` repeated over `size` x `size` pixels, `num_slots` slots a pixel."""

    tile: tuple[tuple[int, ...], ...]
    size: int
    num_slots: int

    def __post_init__(self) -> None:
        rows, columns = len(self.tile), len(self.tile[0])
        if self.size % rows or self.size % columns:
            raise ValueError(f"a ratio map of tiles {rows}x{columns} does not repeat in blocks of {self.size} pixels")

    @property
    def counts(self) -> np.ndarray:
        """Readings of each pixel of the block: (size, size)."""
        tile = np.asarray(self.tile)
        return np.tile(tile, (self.size // tile.shape[0], self.size // tile.shape[1]))

    @property
    def places(self) -> torch.Tensor:
        """Where the readings of a block lie in (slot, row, column), flattened."""
        counts, area = self.counts.ravel(), self.size * self.size
        places = [slot * area + pixel for pixel in range(area) for slot in range(counts[pixel])]
        return torch.tensor(places, dtype=torch.long)

    @property
    def width(self) -> int:
        """Readings of a block."""
        return int(self.counts.sum())

    def gather(self, slots: torch.Tensor) -> torch.Tensor:
        """Slots (b, num_slots, h, w) as tokens (b, h / size, w / size, width)."""
        return blocks(slots, self.size)[..., self.places.to(slots.device)]

    def scatter(self, tokens: torch.Tensor) -> torch.Tensor:
        """The inverse of `gather`; slots without a reading are zero."""
        full = tokens.new_zeros(*tokens.shape[:3], self.num_slots * self.size**2)
        full[..., self.places.to(tokens.device)] = tokens
        return unblocks(full, self.size)


def blocks(planes: torch.Tensor, size: int) -> torch.Tensor:
    """Planes (b, n, h, w) as one vector a block: (b, h / size, w / size, n * size * size).

    Raises:
        ValueError: the planes are no whole number of blocks.
    """
    b, n, h, w = planes.shape
    if h % size or w % size:
        raise ValueError(f"frames of {h}x{w} are no whole number of blocks of {size} pixels")
    split = planes.reshape(b, n, h // size, size, w // size, size)
    return split.permute(0, 2, 4, 1, 3, 5).reshape(b, h // size, w // size, n * size * size)


def unblocks(tokens: torch.Tensor, size: int) -> torch.Tensor:
    """The inverse of `blocks`."""
    b, h, w, n = tokens.shape
    split = tokens.reshape(b, h, w, n // size**2, size, size)
    return split.permute(0, 3, 1, 4, 2, 5).reshape(b, n // size**2, h * size, w * size)


def extended(side: int, unit: int, period: int) -> torch.Tensor:
    """Which row (column) of a frame stands at each row of the frame continued to whole units of pixels.

    Beyond its `side` rows the last `period` of them, a tile of the sensor, come again and again.
    """
    at = torch.arange(-(-side // unit) * unit)
    beyond = (at - side).div(period, rounding_mode="floor") + 1
    return torch.where(at < side, at, at - beyond * period).clamp(0, side - 1)
