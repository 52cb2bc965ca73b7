"""One clip from the source to the receiver's frames.

The transmitter and the receiver are separate instances. What passes between
them goes through the channel or was agreed on before; the boundary is crossed
as a pickle, so that no object can be shared by accident.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from semlink.blocks import Channel, Scheme, Waveform
from semlink.flow import Flow
from semlink.ledger import Ledger
from semlink.link.chain.interactive import Feedback, part_of, run_bursts, talks_back
from semlink.link.chain.referee import check_antenna, check_frames, check_heard, refuse_second_sight
from semlink.payload import Agreement, Delivered, Frames, FrameShape, Point, Received, Symbols
from semlink.seeds import Seeds


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


def run_clip(
    link: Link, clip: Frames, agreement: Agreement, seeds: Seeds, *, budget: int | None = None, audit: bool = False
) -> Outcome:
    """Send one clip over the link.

    Args:
        clip: (1, t, h, w).
        budget: channel uses that may reach the antenna, pilots included.
        audit: also prove that the receiver depends on nothing but what it received.
    Raises:
        LedgerMismatch, BudgetExceeded: the antenna and the ledger disagree.
        ChannelFault: the channel's output cannot be true.
        BoundaryError: the receiver reached beyond its antenna.
    """
    if link.is_sensing:
        return sense_clips(link, [clip], agreement, [seeds])[0]
    if link.is_bound:
        return Outcome(*link.transmitter.ideal(clip, agreement, link.channel, seeds))  # type: ignore[attr-defined]
    if talks_back(link.transmitter):
        return run_bursts(link, clip, agreement, seeds, budget=budget, audit=audit)
    flow = link.transmitter.transmit(clip, agreement, seeds)
    air, received = over_the_air(link, flow, agreement.point.snr_db, seeds, budget)
    delivered = receive_alone(link.receiver, received, agreement)
    check_frames(delivered.frames, clip)
    if audit:
        refuse_second_sight(link, clip, received, agreement, seeds, delivered)
    return Outcome(delivered.frames, air.ledger, delivered.blocks, delivered.lost, tuple(received.genie))


def sense_clips(
    link: Link,
    clips: Sequence[Frames],
    agreement: Agreement,
    seeds: Sequence[Seeds],
    progress: Callable[[int, int], None] | None = None,
) -> list[Outcome]:
    """What a scheme that sends nothing makes of clips (1, t, h, w), each with its own seeds."""
    sensed = link.transmitter.sense(clips, agreement, seeds, progress)  # type: ignore[attr-defined]
    return [Outcome(clip.frames, Ledger(), told=clip.told) for clip in sensed]


def over_the_air(
    link: Link, flow: Flow[Symbols], snr_db: float, seeds: Seeds, budget: int | None = None
) -> tuple[Flow[Symbols], Received]:
    """Data symbols through waveform and channel: what the antenna sent, and what the receiver works on."""
    air = link.waveform.modulate(flow)
    check_antenna(air, budget)
    sent = air.payload.iq
    heard = check_heard(link.channel(sent.clone(), snr_db, seeds), sent)
    return air, part_of(link.waveform.demodulate(heard, snr_db), 0, flow.payload.iq.shape[1])


def receive_alone(receiver: Scheme, received: Received, agreement: Agreement) -> Delivered:
    """The receiver's output from copies of what arrived and what was agreed."""
    received, agreement = pickle.loads(pickle.dumps((received, agreement)))
    result: Any = receiver.receive(received, agreement)
    return result if isinstance(result, Delivered) else Delivered(result)


def shape_of(clip: Frames) -> FrameShape:
    """The frame shape that both ends know."""
    return clip.shape
