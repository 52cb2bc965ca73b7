"""Bounds as codings: how many bits a number of channel uses could carry at best.

A bound never meets the channel; its rows are marked and drawn dashed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from semlink.errors import Infeasible
from semlink.phy.capacity import normal_approximation, shannon
from semlink.units import from_db


def capacity_of(channel: Any, snr_db: float) -> float:
    """Bits a channel use: the channel's own capacity where it names one, else that of AWGN."""
    own = getattr(channel, "capacity", None)
    return float(own(snr_db)) if callable(own) else float(shannon(from_db(snr_db)))


@dataclass(frozen=True, slots=True)
class CapacityBound:
    """Error-free bits at capacity, log2(1 + SNR) a channel use on AWGN.

    Source: [shannon1948, theorem 17].
    """

    def bits(self, uses: int, snr_db: float, channel: Any) -> float:
        """Bits that `uses` channel uses carry at most."""
        return uses * capacity_of(channel, snr_db)

    def uses(self, bits: int, snr_db: float, channel: Any) -> int:
        """Channel uses that `bits` need at least."""
        return math.ceil(bits / capacity_of(channel, snr_db))


@dataclass(frozen=True, slots=True)
class FiniteBlocklengthBound:
    """The normal approximation for one code word as long as the whole transmission.

    Source: [polyanskiy2010, eq. (296)].
    """

    bler: float = 1e-3

    def bits(self, uses: int, snr_db: float, channel: Any) -> float:
        """Bits that `uses` channel uses carry at a block error rate of `bler`."""
        if callable(getattr(channel, "capacity", None)) and not getattr(channel, "is_awgn", False):
            raise Infeasible("the normal approximation is known for awgn only; use coding kind capacity here")
        return max(uses * float(normal_approximation(from_db(snr_db), uses, self.bler)), 0.0)

    def uses(self, bits: int, snr_db: float, channel: Any) -> int:
        """Channel uses that `bits` need at that block error rate."""
        low, high = 1, 64
        while self.bits(high, snr_db, channel) < bits:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.bits(middle, snr_db, channel) >= bits else (middle, high)
        return high
