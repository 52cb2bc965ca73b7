"""Draws of a channel as the receiver sees them, and how often blocks are lost in each.

A draw is kept as what its symbols tell, summed up along the transmission for
each constellation, so that blocks of any length are judged without going back
to the symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from semlink.phy.error_curves.information import effective_snr_db, grid_index, information_table
from semlink.phy.error_curves.waterfall import Waterfall

MARKS = 1024
"""Places along a transmission at which the sums are kept."""
SAME = 1e-6


@dataclass(slots=True)
class Fades:
    """Draws of what `uses` symbols tell, for each of the constellations in `orders`.

    Attributes:
        sums: for each order one (marks + 1,) array a draw: bits told by all symbols before each mark.
        is_settled: all draws are alike, so that one is kept.
    """

    uses: int
    orders: Sequence[int]
    sums: dict[int, list[np.ndarray]] = field(default_factory=dict)
    is_settled: bool = False

    def __post_init__(self) -> None:
        self.sums = {order: [] for order in self.orders}

    def __len__(self) -> int:
        return len(next(iter(self.sums.values())))

    def add(self, noise_var: np.ndarray) -> None:
        """One more draw: the noise variance of each symbol (uses,)."""
        place = grid_index(noise_var)
        marks = self._marks()
        for order in self.orders:
            told = np.cumsum(information_table(order)[place], dtype=np.float64)
            self.sums[order].append(np.concatenate(([0.0], told))[marks])

    def stands_still(self) -> bool:
        """Whether all symbols of all draws are alike, as in white noise."""
        sums = np.array(self.sums[max(self.orders)])
        steps = np.diff(sums, axis=1) / np.diff(self._marks())
        return bool(np.ptp(steps) <= SAME * max(steps.max(), SAME))

    def keep_one(self) -> None:
        """Forget all draws but the first: the channel stands still."""
        self.is_settled = True
        self.sums = {order: sums[:1] for order, sums in self.sums.items()}

    def effective_snr_db(self, order: int, edges: np.ndarray) -> np.ndarray:
        """The SNR in white noise that each block's symbols amount to: (draw, block).

        Args:
            edges: symbols where blocks begin and the last one ends (block + 1,).
        """
        sums, marks = np.array(self.sums[order]), self._marks()
        right = np.clip(np.searchsorted(marks, edges, side="left"), 1, len(marks) - 1)
        part = (edges - marks[right - 1]) / (marks[right] - marks[right - 1])
        at = sums[:, right - 1] * (1 - part) + sums[:, right] * part
        return effective_snr_db(np.diff(at, axis=1) / np.diff(edges), order)

    def block_losses(self, order: int, edges: np.ndarray, curve: Waterfall, offset_db: float = 0.0) -> np.ndarray:
        """The chance that each block is lost in each draw: (draw, block); symbols are `offset_db` better than said."""
        return curve.bler(self.effective_snr_db(order, edges) + offset_db)

    def _marks(self) -> np.ndarray:
        count = min(self.uses, MARKS)
        return np.round(np.linspace(0, self.uses, count + 1)).astype(np.int64)
