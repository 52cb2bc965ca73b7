"""One clip from the source to the receiver's frames.

The transmitter and the receiver are separate instances. What passes between
them goes through the channel or was agreed on before. Each is given its own
copies of agreement and seeds, and of the clip where a user's class might write into it, so
nothing that one of them changes reaches the other, the channel or the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from semlink.blocks import Progress, is_bound, is_interactive, is_one_way, is_sensing
from semlink.ledger import Ledger
from semlink.link.chain.air import arrived, receive_alone
from semlink.link.chain.boundary.audit import audit_one_way, decoy_for, environment_kept
from semlink.link.chain.boundary.foresight import audit_foresight
from semlink.link.chain.interactive import run_bursts
from semlink.link.chain.link import Link, Outcome
from semlink.link.chain.referee import check_frames, check_plain
from semlink.link.chain.transmission import Observe, OnAir, Transmission
from semlink.payload import Agreement, Frames
from semlink.plain_data import from_bytes, to_bytes
from semlink.seeds import Seeds


def run_clip(
    link: Link,
    clip: Frames,
    agreement: Agreement,
    seeds: Seeds,
    *,
    budget: int | None = None,
    audit: bool = False,
    decoy: Frames | None = None,
    observe: Observe | None = None,
) -> Outcome:
    """Send one clip over the link.

    Args:
        clip: (1, t, h, w).
        budget: channel uses that may reach the antenna, pilots included.
        audit: also prove that the receiver depends on nothing but what it received.
        decoy: the clip that is sent for that; default: the negative, mirrored.
        observe: is told what happened, once it is over; not of bounds, nor where nothing is sent.
    Raises:
        LedgerMismatch, BudgetExceeded: the antenna and the ledger disagree.
        ChannelFault: the channel's output cannot be true.
        BoundaryError: the receiver reached beyond its antenna.
    """
    scheme = link.transmitter
    if is_sensing(scheme):
        return sense_clips(link, [clip], agreement, [seeds])[0]
    if is_bound(scheme):
        return Outcome(*scheme.ideal(link.to_send(clip), agreement, link.channel, seeds))
    if is_interactive(scheme):
        return run_bursts(link, clip, agreement, seeds, budget=budget, audit=audit, decoy=decoy, observe=observe)
    return _send_once(link, clip, agreement, seeds, budget, decoy_for(clip, decoy) if audit else None, observe)


def _send_once(
    link: Link,
    clip: Frames,
    agreement: Agreement,
    seeds: Seeds,
    budget: int | None,
    decoy: Frames | None,
    observe: Observe | None,
) -> Outcome:
    """The way of most schemes: symbols, channel, frames."""
    transmitter, receiver = link.transmitter, link.receiver
    assert is_one_way(transmitter) and is_one_way(receiver)
    agreed, snr_db = to_bytes(agreement, "Agreement"), agreement.point.snr_db
    with environment_kept(link):
        flow = transmitter.transmit(link.to_send(clip), from_bytes(agreed), replace(seeds))
    check_plain(flow)
    arrival = arrived(link.waveform, link.channel, flow, snr_db, seeds, budget)
    delivered = receive_alone(receiver, arrival.received, agreement)
    check_frames(delivered.frames, clip)
    if decoy is not None:
        audit_one_way(link, decoy, arrival.heard, flow.payload.iq.shape[1], agreed, seeds, delivered)
        if link.fresh.is_foreign:
            audit_foresight(link, flow, clip, agreement, seeds, delivered)
    if observe is not None:
        burst = OnAir(flow, arrival.heard, arrival.received)
        observe(Transmission(clip, agreement, seeds, (burst,), (), delivered, arrival.air.ledger))
    return Outcome(
        delivered.frames, arrival.air.ledger, delivered.blocks, delivered.lost, tuple(arrival.received.genie)
    )


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
    sensed = scheme.sense([link.to_send(clip) for clip in clips], agreement, seeds, progress)
    return [Outcome(clip.frames, Ledger(), diagnostics=clip.diagnostics) for clip in sensed]
