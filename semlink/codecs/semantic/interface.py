"""What the semantic scheme asks of a codec, whichever its architecture: look, choose levels, make symbols, restore.

Real symbols of a block, or of a group of blocks, stand in pairs, two to a
channel use. A *level* is a number of pairs out of a table that both ends know;
the rate map names the level of every block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from semlink.errors import ModelError
from semlink.seeds import Seeds

__all__ = ["Arrival", "Levels", "SemanticCodecLike", "View", "check_readings"]


@dataclass(frozen=True, slots=True)
class View:
    """Readings (1, s, h, w), their ratio map (h, w), the agreed SNR, and what the encoder made of them at any rate."""

    slots: torch.Tensor
    counts: torch.Tensor
    snr_db: float
    seen: torch.Tensor


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a receiver has: symbols (1, 2 most_pairs, rows, columns) on the encoder's scale, the noise variance of
    each, infinite where nothing arrived; pairs sent of each block, the clip's power, the agreed SNR and ratio map."""

    symbols: torch.Tensor
    noise_var: torch.Tensor
    pairs: np.ndarray
    power: float
    snr_db: float
    counts: torch.Tensor


class Levels(Protocol):
    """Chooses levels, as places in the table (rows, columns)."""

    def at_price(self, price: float) -> np.ndarray:
        """At a price, in the unit of the scheme's `rates`."""
        ...

    def within(self, pairs: int) -> np.ndarray:
        """With at most so many pairs in all; there are enough for the lowest level everywhere."""
        ...


class SemanticCodecLike(Protocol):
    """A trained codec. `stride` are pixels along a side of a block, `most_pairs` what one sends at most."""

    @property
    def stride(self) -> int: ...

    @property
    def most_pairs(self) -> int: ...

    @property
    def gives_frames(self) -> bool:
        """Whether `restore` gives frames, else readings."""
        ...

    @property
    def facts(self) -> dict[str, Any]:
        """What the card says: tile, trained ranges."""
        ...

    def blocks(self, h: int, w: int) -> tuple[int, int]:
        """Rows and columns of blocks in frames of this size."""
        ...

    def usual_per_level(self, budget_uses: int | None, blocks: int) -> int:
        """Symbols that a level adds where the scenario says nothing; 0 where levels are no multiples."""
        ...

    def table(self, per_level: int) -> tuple[int, ...]:
        """Pairs of a block at each level, rising."""
        ...

    def look(self, slots: torch.Tensor, counts: torch.Tensor, snr_db: float) -> View:
        """What rates and symbols follow from.

        Raises:
            ModelError: readings of another sensor.
        """
        ...

    def levels(self, view: View, allocation: str, per_level: int, seeds: Seeds) -> Levels:
        """Who chooses levels by `allocation`."""
        ...

    def symbols(self, view: View, pairs: np.ndarray) -> torch.Tensor:
        """Symbols (1, 2 most_pairs, rows, columns) on the encoder's own scale, of which each block sends a prefix."""
        ...

    def restore(self, arrived: Arrival) -> torch.Tensor:
        """Frames (1, t, h, w) in [0, 1], or readings (1, s, h, w)."""
        ...


def check_readings(name: str, facts: dict[str, Any], slots: torch.Tensor, counts: torch.Tensor) -> None:
    """Refuse readings of a sensor that weights `name` were not trained for.

    Raises:
        ModelError: another window, or another ratio map.
    """
    tile = torch.tensor(facts["tile"])
    if 2 * slots.shape[1] != facts["num_frames"]:
        raise ModelError(f"weights {name!r}: made for {facts['num_frames']} frames, got {2 * slots.shape[1]}")
    h, w = counts.shape
    rows, columns = (-(-size // period) for size, period in zip((h, w), tile.shape))
    if not torch.equal(tile.repeat(rows, columns)[:h, :w], counts.cpu().to(tile.dtype)):
        raise ModelError(
            f"weights {name!r}: made for the learned map of {facts['sensor']!r} at "
            f"{facts['mean_count']:g} measurements, the scenario's sensor has another map"
        )
