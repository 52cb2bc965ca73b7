"""One clip from the source to the receiver's frames.

The transmitter and the receiver are separate instances. What passes between
them goes through the channel or was agreed on before; the boundary is crossed
as a pickle, so that no object can be shared by accident.
"""

from __future__ import annotations

from collections.abc import Sequence

from semlink.blocks import Progress, is_bound, is_interactive, is_one_way, is_sensing
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
    scheme = link.transmitter
    if is_sensing(scheme):
        return sense_clips(link, [clip], agreement, [seeds])[0]
    if is_bound(scheme):
        return Outcome(*scheme.ideal(clip, agreement, link.channel, seeds))
    if is_interactive(scheme):
        return run_bursts(link, clip, agreement, seeds, budget=budget, audit=audit)
    return _send_once(link, clip, agreement, seeds, budget=budget, audit=audit)


def _send_once(
    link: Link, clip: Frames, agreement: Agreement, seeds: Seeds, *, budget: int | None, audit: bool
) -> Outcome:
    """The way of most schemes: symbols, channel, frames."""
    transmitter, receiver = link.transmitter, link.receiver
    assert is_one_way(transmitter) and is_one_way(receiver)
    flow = transmitter.transmit(clip, agreement, seeds)
    air, received = over_the_air(link, flow, agreement.point.snr_db, seeds, budget)
    delivered = receive_alone(receiver, received, agreement)
    check_frames(delivered.frames, clip)
    if audit:
        audit_receiver_independence(link, clip, received, agreement, seeds, delivered)
    return Outcome(delivered.frames, air.ledger, delivered.blocks, delivered.lost, tuple(received.genie))


def sense_clips(
    link: Link,
    clips: Sequence[Frames],
    agreement: Agreement,
    seeds: Sequence[Seeds],
    progress: Progress | None = None,
) -> list[Outcome]:
    """What a scheme that sends nothing makes of clips (1, t, h, w), each with its own seeds."""
    scheme = link.transmitter
    assert is_sensing(scheme)
    sensed = scheme.sense(clips, agreement, seeds, progress)
    return [Outcome(clip.frames, Ledger(), diagnostics=clip.diagnostics) for clip in sensed]
