"""A scheme of your own that sends nothing: it is scored on what it sees, over what sensing costs.

In a scenario:

    schemes:
      - {name: mine, kind: my_sensing_scheme.py:MySensingScheme, read_noise: 0.01, rates: [1, 2, 4]}
"""

from __future__ import annotations

from collections.abc import Sequence

from semlink.blocks import Progress, SensingBase
from semlink.errors import ScenarioError
from semlink.payload import Agreement, Frames, FrameShape, Restored
from semlink.seeds import Seeds


class MySensingScheme(SensingBase):
    """Reads `rate` frames of a clip, evenly spread, and shows each of them until the next."""

    def __init__(self, read_noise: float = 0.01) -> None:
        self.read_noise = read_noise

    def check(self, frames: FrameShape, rate: float | None) -> None:
        """Refuse what cannot work before anything is done."""
        if rate is None or rate < 1 or frames.t % rate:
            raise ScenarioError(f"MySensingScheme: got rate {rate}; need a whole part of {frames.t} frames")

    def measurements_per_pixel(self, agreement: Agreement) -> float:
        """The cost of sensing; `agreement.point.rate` is one of the scheme's `rates`."""
        return float(agreement.point.rate or 0)

    def sense(
        self, clips: Sequence[Frames], agreement: Agreement, seeds: Sequence[Seeds], progress: Progress | None = None
    ) -> list[Restored]:
        """What is made of each clip (1, t, h, w), each with its own seeds."""
        return [Restored(self._seen(clip, agreement, own)) for clip, own in zip(clips, seeds, strict=True)]

    def _seen(self, clip: Frames, agreement: Agreement, seeds: Seeds) -> Frames:
        shape, every = agreement.frames, agreement.frames.t // int(agreement.point.rate or 1)
        read = clip.pixels[:, ::every]
        noise = seeds.normal("sensor/my_scheme", read.shape[1], shape.h, shape.w).to(read) * self.read_noise
        return Frames((read + noise).repeat_interleave(every, dim=1).clamp(0, 1))
