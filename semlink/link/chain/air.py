"""Data symbols through waveform and channel, and the receiver behind them."""

from __future__ import annotations

import pickle

from semlink.blocks import ChannelBase, OneWayBase, WaveformBase
from semlink.flow import Flow
from semlink.link.chain.link import Link
from semlink.link.chain.referee import check_antenna
from semlink.payload import Agreement, Delivered, Frames, Received, Symbols, part_of
from semlink.phy.channels.output import check_channel_output
from semlink.seeds import Seeds


def over_the_air(
    link: Link, flow: Flow[Symbols], snr_db: float, seeds: Seeds, budget: int | None = None
) -> tuple[Flow[Symbols], Received]:
    """Data symbols through the link's waveform and channel; see `through`."""
    return through(link.waveform, link.channel, flow, snr_db, seeds, budget)


def through(
    waveform: WaveformBase,
    channel: ChannelBase,
    flow: Flow[Symbols],
    snr_db: float,
    seeds: Seeds,
    budget: int | None = None,
) -> tuple[Flow[Symbols], Received]:
    """Data symbols through waveform and channel: what the antenna sent, and what the receiver works on.

    Raises:
        LedgerMismatch, BudgetExceeded: the antenna and the ledger disagree, or the power is too high.
        ChannelFault: the channel's output cannot be true.
    """
    air = waveform.modulate(flow)
    check_antenna(air, budget)
    sent = air.payload.iq
    heard = check_channel_output(channel(sent.clone(), snr_db, seeds), sent)
    return air, part_of(waveform.demodulate(heard, snr_db), 0, flow.payload.iq.shape[1])


def receive_alone(receiver: OneWayBase, received: Received, agreement: Agreement) -> Delivered:
    """The receiver's output from copies of what arrived and what was agreed."""
    received, agreement = pickle.loads(pickle.dumps((received, agreement)))
    return as_delivered(receiver.receive(received, agreement))


def as_delivered(made: Frames | Delivered) -> Delivered:
    """A receiver's output with its counts of blocks, none where it gave frames alone."""
    return made if isinstance(made, Delivered) else Delivered(made)
