"""What a choice rests on: numbers about the air and about damaged clips, from `semlink.link.chain.calibration`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from semlink.blocks import CodingBase
from semlink.payload import Agreement


class Evidence(Protocol):
    """Measured before the run, on noise that nobody is scored on."""

    def noise(self, uses: int, draws: range) -> np.ndarray:
        """The noise variance that the receiver states for each symbol in draws of the channel: (draw, uses)."""
        ...

    def delivery(self, coding: CodingBase, uses: int, transmissions: int) -> float:
        """The share of so many transmissions of random bytes that arrive without a lost block."""
        ...

    def damaged(self, agreement: Agreement, lost: Sequence[tuple[float, float]]) -> float:
        """Mean PSNR in dB over a few clips of which parts never arrive and the rest arrives without noise.

        `lost` are runs of symbols from a share of the transmission to another, such as (0.25, 0.5) for
        its second quarter. -inf if infeasible.
        """
        ...

    def quality(self, agreement: Agreement, delivery: float | None = None) -> float:
        """Mean PSNR in dB over a few clips and trials over the real chain; -inf if infeasible."""
        ...
