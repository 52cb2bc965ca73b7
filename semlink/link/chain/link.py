"""A scheme's two ends with the air between them, and what one transmission gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semlink.blocks import Channel, Scheme, Waveform
from semlink.feedback import Feedback
from semlink.ledger import Ledger
from semlink.payload import Agreement, Frames, FrameShape, Point


@dataclass(frozen=True, slots=True)
class Link:
    """A scheme's two ends, and the air between them."""

    transmitter: Scheme
    receiver: Scheme
    waveform: Waveform
    channel: Channel

    @property
    def is_bound(self) -> bool:
        return bool(getattr(self.transmitter, "is_bound", False))

    @property
    def is_sensing(self) -> bool:
        return bool(getattr(self.transmitter, "is_sensing", False))

    def measurements_per_pixel(self, agreement: Agreement) -> float | None:
        """What sensing costs, where there is a sensor."""
        cost = getattr(self.transmitter, "measurements_per_pixel", None)
        return None if cost is None else float(cost(agreement))

    def group_frames(self, frames: FrameShape) -> int:
        """Frames from one point where decoding can begin to the next: the codec's, else the whole clip."""
        scheme = getattr(self.transmitter, "inner", self.transmitter)
        return getattr(getattr(scheme, "codec", None), "gop", None) or frames.t

    def is_certain(self, agreement: Agreement) -> bool:
        """Whether every trial is the same: no noise anywhere."""
        certain = getattr(self.transmitter, "is_certain", None)
        if certain is not None:
            return bool(certain(agreement))
        return self.is_bound and self.measurements_per_pixel(agreement) is None

    def frame_kinds(self, frames: FrameShape, rate: float | None) -> list[str]:
        """What each frame is to the sensor, such as `key` or `non-key`; empty where all are alike."""
        kinds = getattr(self.transmitter, "frame_kinds", None)
        return [] if kinds is None else list(kinds(frames, rate))

    def point(
        self, snr_db: float, budget_uses: int | None, rate: float | None, frames: FrameShape | None = None
    ) -> Point:
        """The operating point as the scheme sees it: pilots taken off the budget, for each group of frames alike."""
        if budget_uses is not None and not self.is_bound:
            count = getattr(self.transmitter, "num_groups", None)
            groups = 1 if count is None or frames is None else count(frames)
            budget_uses = groups * self.waveform.data_uses(budget_uses // groups)
        return Point(snr_db, budget_uses, rate)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one transmission of one clip gave.

    `feedback` is what the receiver said in between, `told` what the reconstruction
    tells of itself beside the frames, as plain values that JSON can hold.
    """

    frames: Frames
    ledger: Ledger
    blocks: int = 0
    lost: int = 0
    genie: tuple[str, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)
