"""Data symbols through waveform and channel, and the receiver behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from semlink.blocks import ChannelBase, InteractiveBase, OneWayBase, WaveformBase
from semlink.errors import InterfaceError
from semlink.feedback import HIGHEST_DB, LOWEST_DB, Burst, Feedback
from semlink.flow import Flow
from semlink.link.chain.referee import check_antenna, check_tensor
from semlink.payload import Agreement, ChannelOutput, Delivered, Frames, Received, Symbols, part_of
from semlink.phy.channels.output import check_channel_output
from semlink.plain_data import from_bytes, to_bytes
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from semlink.link.chain.link import Link


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the antenna sent, what the channel made of it, and what the receiver works on."""

    air: Flow[Symbols]
    heard: ChannelOutput
    received: Received


def over_the_air(link: Link, flow: Flow[Symbols], snr_db: float, seeds: Seeds) -> Arrival:
    """Data symbols through the link's waveform and channel; see `arrived`."""
    return arrived(link.waveform, link.channel, flow, snr_db, seeds)


def arrived(
    waveform: WaveformBase,
    channel: ChannelBase,
    flow: Flow[Symbols],
    snr_db: float,
    seeds: Seeds,
    budget: int | None = None,
) -> Arrival:
    """Data symbols through waveform and channel.

    Raises:
        LedgerMismatch, BudgetExceeded: the antenna and the ledger disagree, or the power is too high.
        ChannelFault: the channel's output cannot be true.
    """
    air = waveform.modulate(flow)
    check_antenna(air, budget)
    sent = air.payload.iq
    heard = check_channel_output(channel(sent.clone(), snr_db, seeds), sent)
    return Arrival(air, heard, part_of(waveform.demodulate(heard, snr_db), 0, flow.payload.iq.shape[1]))


def receive_alone(receiver: OneWayBase, received: Received, agreement: Agreement) -> Delivered:
    """The receiver's output from copies of what arrived and what was agreed."""
    return as_delivered(receiver.receive(copied(received), from_bytes(to_bytes(agreement, "Agreement"))))


def said_by(receiver: InteractiveBase, bursts: Sequence[Burst], agreement: Agreement) -> Feedback:
    """What the receiver answers to the last of `bursts`, made from copies and itself a copy.

    Raises:
        InterfaceError: no feedback, more acknowledgements than symbols, or an SNR that its bits do not hold.
    """
    feedback = receiver.listen(*_copies(bursts, agreement))
    if not isinstance(feedback, Feedback):
        raise InterfaceError(f"{receiver.name}.listen returned {type(feedback).__name__}; need Feedback")
    acks = tuple(bool(ack) for ack in feedback.acks)
    if len(acks) > max(bursts[-1].symbols, 1):
        raise InterfaceError(
            f"{receiver.name}.listen: {len(acks)} acknowledgements of a burst of {bursts[-1].symbols} symbols; "
            "at most one for each symbol"
        )
    if feedback.snr_db is None:
        return Feedback(acks)
    snr_db = int(feedback.snr_db)
    if not LOWEST_DB <= snr_db <= HIGHEST_DB:
        raise InterfaceError(f"{receiver.name}.listen: snr_db {snr_db:.6g}; allowed: {LOWEST_DB} to {HIGHEST_DB}")
    return Feedback(acks, snr_db)


def made_of(receiver: InteractiveBase, bursts: Sequence[Burst], agreement: Agreement) -> Delivered:
    """What the receiver makes of all bursts, from copies."""
    return as_delivered(receiver.receive(*_copies(bursts, agreement)))


def _copies(bursts: Sequence[Burst], agreement: Agreement) -> tuple[tuple[Burst, ...], Agreement]:
    copies = tuple(Burst(copied(burst.received), replace(burst.opening)) for burst in bursts)
    return copies, from_bytes(to_bytes(agreement, "Agreement"))


def copied(received: Received) -> Received:
    """The same numbers in other objects.

    Raises:
        InterfaceError: something else than numbers.
    """
    return from_bytes(to_bytes(replace(received, genie=dict(received.genie)), "Received"))


def as_delivered(made: Frames | Delivered) -> Delivered:
    """A receiver's output with its counts of blocks, none where it gave frames alone; nobody else holds its pixels.

    Raises:
        InterfaceError: pixels that are no tensor, more blocks lost than there were, or others said to have failed.
    """
    delivered = made if isinstance(made, Delivered) else Delivered(made)
    check_tensor(delivered.frames.pixels, "the receiver's pixels")
    blocks, lost, failed = int(delivered.blocks), int(delivered.lost), tuple(int(n) for n in delivered.failed)
    if not 0 <= lost <= blocks:
        raise InterfaceError(f"the receiver lost {lost} of {blocks} blocks; need 0 to {max(blocks, 0)}")
    if failed and (len(set(failed)) != lost or len(failed) != lost or not all(0 <= n < blocks for n in failed)):
        raise InterfaceError(
            f"Delivered.failed: got {len(failed)} numbers of blocks, such as {failed[0]}; "
            f"need each of the {lost} lost ones once, from 0 to {blocks - 1}, or nothing"
        )
    return Delivered(replace(delivered.frames, pixels=delivered.frames.pixels.detach().clone()), blocks, lost, failed)
