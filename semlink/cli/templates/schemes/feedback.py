"""A feedback scheme of your own: several bursts, and the receiver answers each.

In a scenario:

    schemes:
      - {name: mine, kind: my_feedback_scheme.py:MyFeedbackScheme, transmissions: 4, enough_db: 20}
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from semlink.blocks import Calibration, InteractiveBase
from semlink.errors import Infeasible
from semlink.feedback import Burst, BurstContext, Feedback, SentBurst
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Agreement, Frames, FrameShape, FreeTerms, Point, Symbols
from semlink.seeds import Seeds

STEP = 8


class MyFeedbackScheme(InteractiveBase):
    """The mean of every 8 x 8 block as an amplitude, sent again until the receiver has heard it well enough."""

    def __init__(self, transmissions: int = 4, enough_db: float = 20.0) -> None:
        self.transmissions, self.enough_db = transmissions, enough_db

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement:
        """What both ends know before anything is sent.

        Raises:
            Infeasible: the budget does not hold one burst.
        """
        uses = -(-frames.t * -(-frames.h // STEP) * -(-frames.w // STEP) // 2)
        if point.budget_uses is not None and uses > point.budget_uses:
            raise Infeasible(f"MyFeedbackScheme: {point.budget_uses} symbols are too few, {uses} needed")
        return Agreement(frames, point, FreeTerms({"uses": uses}))

    def next_burst(
        self, frames: Frames, agreement: Agreement, seeds: Seeds, past: Sequence[SentBurst], opening: BurstContext
    ) -> Flow[Symbols] | None:
        """The next data symbols, each charged; None when all is said.

        `past` holds the length of each earlier burst and the `Feedback` on it; `opening.room` is how many data
        symbols the budget still holds, None without a budget.
        """
        uses = agreement.terms["uses"]
        heard = bool(past) and past[-1].feedback.acks == (True,)
        if heard or len(past) == self.transmissions or (opening.room is not None and opening.room < uses):
            return None
        means = F.avg_pool2d(frames.pixels, STEP, ceil_mode=True).flatten()
        pairs = F.pad(2 * means - 1, (0, len(means) % 2)).reshape(1, -1, 2) * 0.5**0.5
        symbols = Symbols(torch.view_as_complex(pairs.contiguous()))
        return Flow(symbols).then(symbols, Charge("my_scheme", "retransmission" if past else "payload", uses))

    def listen(self, bursts: Sequence[Burst], agreement: Agreement) -> Feedback:
        """What the receiver answers to the last of `bursts`: acknowledgements, and an SNR in whole dB."""
        _, noise_var = combined(bursts)
        return Feedback(acks=(bool(noise_var.mean() <= 10 ** (-self.enough_db / 10)),))

    def receive(self, bursts: Sequence[Burst], agreement: Agreement) -> Frames:
        """Frames (1, t, h, w) from all bursts."""
        shape = agreement.frames
        rows, columns = -(-shape.h // STEP), -(-shape.w // STEP)
        means = torch.view_as_real(combined(bursts)[0]).flatten() * 0.5**0.5 + 0.5
        small = means[: shape.t * rows * columns].reshape(1, shape.t, rows, columns)
        large = small.repeat_interleave(STEP, dim=2).repeat_interleave(STEP, dim=3)
        return Frames(large[..., : shape.h, : shape.w].clamp(0, 1))


def combined(bursts: Sequence[Burst]) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of what arrived, weighted by its reliability, and the noise variance left: both (1, n)."""
    weights = torch.stack([1 / burst.received.noise_var.clamp(min=1e-9) for burst in bursts])  # 0 where lost
    total = weights.sum(dim=0).clamp(min=1e-9)
    return (weights * torch.stack([burst.received.iq for burst in bursts])).sum(dim=0) / total, 1 / total
