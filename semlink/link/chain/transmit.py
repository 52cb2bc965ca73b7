"""One clip from the source to the receiver's frames.

The transmitter and the receiver are separate instances. What passes between
them goes through the channel or was agreed on before; the boundary is crossed
as a pickle, so that no object can be shared by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from semlink.blocks import is_interactive
from semlink.ledger import Ledger
from semlink.link.chain.air import over_the_air, receive_alone
from semlink.link.chain.audit import audit_receiver_independence
from semlink.link.chain.interactive import run_bursts
from semlink.link.chain.link import Link, Outcome
from semlink.link.chain.referee import check_frames
from semlink.payload import Agreement, Frames
from semlink.seeds import Seeds


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
    if is_interactive(link.transmitter):
        return run_bursts(link, clip, agreement, seeds, budget=budget, audit=audit)
    flow = link.transmitter.transmit(clip, agreement, seeds)
    air, received = over_the_air(link, flow, agreement.point.snr_db, seeds, budget)
    delivered = receive_alone(link.receiver, received, agreement)
    check_frames(delivered.frames, clip)
    if audit:
        audit_receiver_independence(link, clip, received, agreement, seeds, delivered)
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
