"""A bound of your own: what no scheme of a kind can exceed. It is drawn dashed and never meets the antenna.

In a scenario:

    schemes:
      - {name: bound, kind: my_bound_scheme.py:MyBoundScheme, bits: 8}
"""

from __future__ import annotations

import math

from torch.nn import functional as F

from semlink.blocks import BoundBase, ChannelBase
from semlink.errors import Infeasible
from semlink.ledger import Charge, Ledger
from semlink.payload import Agreement, Frames
from semlink.phy.bounds.rate_bounds import capacity_of
from semlink.seeds import Seeds

STEPS = (2, 4, 8, 16, 32)


class MyBoundScheme(BoundBase):
    """Small pictures of `bits` bits a pixel that arrive without error, at the capacity of the channel."""

    def __init__(self, bits: int = 8) -> None:
        self.bits = bits

    def ideal(self, frames: Frames, agreement: Agreement, channel: ChannelBase, seeds: Seeds) -> tuple[Frames, Ledger]:
        """The frames (1, t, h, w) as they would arrive, and the channel uses charged for them.

        Raises:
            Infeasible: the budget, `agreement.point.budget_uses`, holds nothing.
        """
        capacity, budget = capacity_of(channel, agreement.point.snr_db), agreement.point.budget_uses
        for step in STEPS:
            small = F.avg_pool2d(frames.pixels, step, ceil_mode=True)
            uses = math.ceil(small.numel() * self.bits / capacity)
            if budget is None or uses <= budget:
                levels = 2**self.bits - 1
                large = (small * levels).round() / levels
                large = large.repeat_interleave(step, dim=2).repeat_interleave(step, dim=3)
                shown = large[..., : agreement.frames.h, : agreement.frames.w]
                return Frames(shown), Ledger().spend(Charge("my_bound", "payload", uses))
        raise Infeasible(f"MyBoundScheme: {budget} channel uses are too few, {uses} needed")
