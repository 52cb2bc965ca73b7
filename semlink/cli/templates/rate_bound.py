"""A bound of your own: how much no coding can exceed, in the place of a coding.

In a scenario:

    schemes:
      - name: bound
        kind: digital
        codec: {kind: h264}
        coding: {kind: my_rate_bound.py:MyRateBound, gap_db: 1.0}
"""

from __future__ import annotations

import math

from semlink.blocks import ChannelBase, RateBoundBase
from semlink.phy.bounds.rate_bounds import capacity_of


class MyRateBound(RateBoundBase):
    """What codes would carry that work `gap_db` away from capacity."""

    def __init__(self, gap_db: float = 1.0) -> None:
        self.gap_db = gap_db

    def bits(self, uses: int, snr_db: float, channel: ChannelBase) -> float:
        """Bits that `uses` channel uses carry at most."""
        return uses * capacity_of(channel, snr_db - self.gap_db)

    def uses(self, bits: int, snr_db: float, channel: ChannelBase) -> int:
        """Channel uses that `bits` need at least."""
        return math.ceil(bits / capacity_of(channel, snr_db - self.gap_db))
