"""One clip from the source to the receiver's frames.

The transmitter and the receiver are separate instances. What passes between
them goes through the channel or was agreed on before; the boundary is crossed
as a pickle, so that no object can be shared by accident.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

from semlink.blocks import Channel, Scheme, Waveform
from semlink.ledger import Ledger
from semlink.link.checks import check_antenna, check_frames, check_heard, refuse_second_sight
from semlink.payload import Agreement, Delivered, Frames, FrameShape, Point, Received
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

    def point(self, snr_db: float, budget_uses: int | None, rate: float | None) -> Point:
        """The operating point as the scheme sees it: pilots taken off the budget."""
        if budget_uses is not None and not self.is_bound:
            budget_uses = self.waveform.data_uses(budget_uses)
        return Point(snr_db, budget_uses, rate)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one transmission of one clip gave."""

    frames: Frames
    ledger: Ledger
    blocks: int = 0
    lost: int = 0
    genie: tuple[str, ...] = ()


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
        return Outcome(link.transmitter.sense(clip, agreement, seeds), Ledger())  # type: ignore[attr-defined]
    if link.is_bound:
        return Outcome(*link.transmitter.ideal(clip, agreement, link.channel, seeds))  # type: ignore[attr-defined]
    air = link.waveform.modulate(link.transmitter.transmit(clip, agreement, seeds))
    check_antenna(air, budget)
    sent = air.payload.iq
    heard = check_heard(link.channel(sent.clone(), agreement.point.snr_db, seeds), sent)
    received = link.waveform.demodulate(heard, agreement.point.snr_db)
    delivered = receive_alone(link.receiver, received, agreement)
    check_frames(delivered.frames, clip)
    if audit:
        refuse_second_sight(link, clip, received, agreement, seeds, delivered)
    return Outcome(delivered.frames, air.ledger, delivered.blocks, delivered.lost, tuple(received.genie))


def receive_alone(receiver: Scheme, received: Received, agreement: Agreement) -> Delivered:
    """The receiver's output from copies of what arrived and what was agreed."""
    received, agreement = pickle.loads(pickle.dumps((received, agreement)))
    result: Any = receiver.receive(received, agreement)
    return result if isinstance(result, Delivered) else Delivered(result)


def shape_of(clip: Frames) -> FrameShape:
    """The frame shape that both ends know."""
    return clip.shape
