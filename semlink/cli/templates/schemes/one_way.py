"""A scheme of your own: from frames to symbols, and back.

In a scenario:

    schemes:
      - {name: mine, kind: my_scheme.py:MyScheme, gain: 2.0}
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from semlink.blocks import Calibration, OneWayBase
from semlink.errors import Infeasible
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Agreement, Frames, FrameShape, FreeTerms, Point, Received, Symbols
from semlink.seeds import Seeds

STEPS = (2, 4, 8, 16, 32)


class MyScheme(OneWayBase):
    """The mean of every block of step x step pixels as an amplitude, two of them to a symbol.

    It is built twice, for each end once: only the agreement and the air join the two.
    """

    def __init__(self, gain: float = 2.0) -> None:
        self.gain = gain

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement:
        """What both ends know before anything is sent: of the three finest steps that fit the budget, the best.

        `calibration.quality(agreement)` is the mean PSNR that this scheme reaches on a few clips over the
        scenario's channel, with noise of its own.

        Raises:
            Infeasible: nothing fits.
        """
        steps = [step for step in STEPS if point.budget_uses is None or uses_of(frames, step) <= point.budget_uses]
        if not steps:
            raise Infeasible(f"MyScheme: {point.budget_uses} symbols are too few, {uses_of(frames, STEPS[-1])} needed")
        tried = [Agreement(frames, point, FreeTerms({"step": step})) for step in steps[:3]]
        return max(tried, key=calibration.quality)

    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]:
        """Data symbols complex64 (1, n) of average power 1 at most, each of them charged."""
        means = F.avg_pool2d(frames.pixels, agreement.terms["step"], ceil_mode=True).flatten()
        means = F.pad(means, (0, len(means) % 2), value=0.5)
        amplitudes = (self.gain * (means - 0.5)).clamp(-1, 1) * 0.5**0.5
        symbols = Symbols(torch.view_as_complex(amplitudes.reshape(1, -1, 2).contiguous()))
        return Flow(symbols).then(symbols, Charge("my_scheme", "payload", symbols.iq.shape[1]))

    def receive(self, received: Received, agreement: Agreement) -> Frames:
        """Frames (1, t, h, w) from the n symbols that arrived: `received.iq` (1, n) and its `noise_var` (1, n)."""
        shape, step = agreement.frames, agreement.terms["step"]
        rows, columns = -(-shape.h // step), -(-shape.w // step)
        means = torch.view_as_real(received.iq).flatten() * 2**0.5 / self.gain + 0.5
        small = means[: shape.t * rows * columns].reshape(1, shape.t, rows, columns)
        large = small.repeat_interleave(step, dim=2).repeat_interleave(step, dim=3)
        return Frames(large[..., : shape.h, : shape.w].clamp(0, 1))


def uses_of(frames: FrameShape, step: int) -> int:
    """Symbols that a clip takes."""
    return -(-frames.t * -(-frames.h // step) * -(-frames.w // step) // 2)
