"""Evidence about codings that share their channel uses with an analogue layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semlink.blocks import CodingBase
from semlink.link.chain.choice.evidence import Evidence
from semlink.payload import Agreement
from semlink.phy.superposition import Superposed, noise_below


@dataclass(frozen=True, slots=True)
class UnderLayer:
    """What `evidence` says of a coding alone, as it is for one below a layer of `share` of the power."""

    evidence: Evidence
    share: float

    def noise(self, uses: int, draws: range) -> np.ndarray:
        return noise_below(self.evidence.noise(uses, draws), self.share)

    def delivery(self, coding: CodingBase, uses: int, transmissions: int) -> float:
        return self.evidence.delivery(Superposed(coding, self.share), uses, transmissions)

    def damaged(self, agreement: Agreement, lost: Sequence[tuple[float, float]]) -> float:
        return self.evidence.damaged(agreement, lost)

    def quality(self, agreement: Agreement, delivery: float | None = None) -> float:
        return self.evidence.quality(agreement, delivery)
