"""A scheme's two ends with the air between them, and what one transmission gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from semlink.blocks import ChannelBase, Scheme, WaveformBase, is_bound, is_sensing
from semlink.errors import InterfaceError, ScenarioError
from semlink.feedback import Feedback
from semlink.files import Json
from semlink.ledger import Ledger
from semlink.link.chain.boundary.foresight import Evidence
from semlink.link.chain.boundary.fresh_end import FreshEnd, is_ours
from semlink.payload import Agreement, ChannelOutput, Frames, FrameShape, Point, copy_of
from semlink.plugins import adapted
from semlink.seeds import Seeds

if TYPE_CHECKING:
    import torch


class NoChannel(ChannelBase):
    """In the place of a channel for what sends nothing."""

    __slots__ = ()
    name = "no channel"

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        raise InterfaceError("there is no channel to send over")


@dataclass(frozen=True, slots=True)
class Link:
    """A scheme's two ends, and the air between them.

    Blocks that inherit from no base of `semlink.blocks` are fitted to theirs.
    A scheme that sends nothing may do without a channel.

    Attributes:
        fresh: the receiver's end as it was before anything was sent.
        is_ours: no class of a user is in either end; those of semlink leave clip and environment as they find them,
            which tests hold, and need no guard in every trial.
        foreseen: what speaks for a scheme that knows the noise beforehand.
    Raises:
        InterfaceError: a block lacks a method.
    """

    transmitter: Scheme
    receiver: Scheme
    waveform: WaveformBase
    channel: ChannelBase
    fresh: FreshEnd = field(init=False, repr=False, compare=False)
    is_ours: bool = field(init=False, repr=False, compare=False)
    foreseen: Evidence = field(init=False, repr=False, compare=False, default_factory=Evidence)

    def __post_init__(self) -> None:
        fitted = {
            "transmitter": adapted("scheme", self.transmitter),
            "receiver": adapted("scheme", self.receiver),
            "waveform": adapted("waveform", self.waveform),
            "channel": NoChannel() if self.channel is None else adapted("channel", self.channel),
        }
        for part, block in fitted.items():
            object.__setattr__(self, part, block)
        object.__setattr__(self, "fresh", FreshEnd.of(self.receiver, self.waveform))
        object.__setattr__(self, "is_ours", not self.fresh.is_foreign and is_ours(self.transmitter))
        if self.channel.name == NoChannel.name and not self.is_sensing:
            raise ScenarioError(f"scheme {self.transmitter.name} sends symbols, and no channel is given")

    def to_send(self, clip: Frames) -> Frames:
        """What the transmitter is given of a clip: a copy, where it might write into it."""
        return clip if self.is_ours else copy_of(clip)

    @property
    def is_bound(self) -> bool:
        return is_bound(self.transmitter)

    @property
    def is_sensing(self) -> bool:
        return is_sensing(self.transmitter)

    def measurements_per_pixel(self, agreement: Agreement) -> float | None:
        """What sensing costs, where there is a sensor."""
        return self.transmitter.measurements_per_pixel(agreement)

    def group_frames(self, frames: FrameShape) -> int:
        """Frames from one point where decoding can begin to the next."""
        return self.transmitter.group_frames(frames)

    def is_certain(self, agreement: Agreement) -> bool:
        """Whether every trial is the same: no noise anywhere."""
        return self.transmitter.is_certain(agreement)

    def frame_kinds(self, frames: FrameShape, rate: float | None) -> list[str]:
        """What each frame is to the sensor, such as `key` or `non-key`; empty where all are alike."""
        return list(self.transmitter.frame_kinds(frames, rate))

    def point(
        self, snr_db: float, budget_uses: int | None, rate: float | None, frames: FrameShape | None = None
    ) -> Point:
        """The operating point as the scheme sees it: pilots taken off the budget, for each group of frames alike."""
        if budget_uses is not None and not self.is_bound:
            groups = 1 if frames is None else self.transmitter.num_groups(frames)
            budget_uses = groups * self.waveform.data_uses(budget_uses // groups)
        return Point(snr_db, budget_uses, rate)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one transmission of one clip gave.

    `feedback` is what the receiver said in between, `diagnostics` what the reconstruction
    tells of itself beside the frames, as plain values that JSON can hold.
    """

    frames: Frames
    ledger: Ledger
    blocks: int = 0
    lost: int = 0
    genie: tuple[str, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    diagnostics: Json = field(default_factory=dict)
