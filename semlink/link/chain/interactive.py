"""Feedback schemes: burst by burst, with what the receiver says in between; see `semlink.blocks.Interactive`.

The bursts follow each other on one air: a gain that stands still for 1000
symbols does so across them. Feedback is free of errors and of charge, but its
bits are counted, and it can carry nothing but acknowledgements and an SNR in
whole decibels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from semlink.blocks import InteractiveBase, is_interactive
from semlink.errors import InterfaceError
from semlink.feedback import Burst, BurstContext, SentBurst
from semlink.flow import Flow
from semlink.ledger import ledger_of
from semlink.link.chain.air import made_of, said_by
from semlink.link.chain.boundary.audit import audit_interactive, decoy_for, environment_kept
from semlink.link.chain.referee import check_antenna, check_frames, check_plain
from semlink.link.chain.transmission import Observe, OnAir, Transmission
from semlink.payload import Agreement, ChannelOutput, Frames, Received, Symbols, part_of
from semlink.phy.channels.output import check_channel_output
from semlink.phy.effective_snr import whole_db
from semlink.phy.waveforms.pilots import probe
from semlink.plain_data import from_bytes, to_bytes
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from semlink.link.chain.link import Link, Outcome

MOST_BURSTS = 1000
MOST_SILENCES = 16
TAIL = 32
"""Symbols at the end of a burst that the echoes of the next one may still change."""
SAME = 1e-3
"""Largest change of an earlier symbol, relative to the mean amplitude."""


@dataclass(frozen=True, slots=True)
class Air:
    """Everything sent so far, and how it was heard.

    Attributes:
        data: all data symbols, with their charges.
        samples: all that reached the antenna, pilots included.
        heard: the channel's answer to it.
    """

    link: Link
    snr_db: float
    seeds: Seeds
    data: Flow[Symbols]
    samples: Flow[Symbols]
    heard: ChannelOutput | None = None

    def room(self, budget: int | None) -> int | None:
        """Data symbols that still fit into an antenna's budget."""
        if budget is None:
            return None
        waveform = self.link.waveform
        if waveform.continues:
            return max(waveform.data_uses(budget) - _length(self.data), 0)
        return waveform.data_uses(max(budget - _length(self.samples), 0))

    def carry(self, flow: Flow[Symbols], budget: int | None) -> tuple[Air, Received]:
        """Send one more burst.

        Raises:
            InterfaceError: the channel changed what it had delivered before.
        """
        waveform, old = self.link.waveform, _length(self.samples)
        data = _joined(self.data, flow)
        if _length(flow) == 0:
            nothing = torch.zeros(1, 0)
            return replace(self, data=data), Received(nothing.to(torch.complex64), nothing)
        if waveform.continues:
            samples = waveform.modulate(data)
        else:
            samples = _joined(self.samples, waveform.modulate(flow))
        check_antenna(samples, budget)
        sent = samples.payload.iq
        heard = check_channel_output(self.link.channel(sent.clone(), self.snr_db, self.seeds), sent)
        if self.heard is not None:
            check_same_beginning(heard.iq, self.heard.iq, self.link.channel.name)
        if waveform.continues:
            received = part_of(waveform.demodulate(heard, self.snr_db), _length(self.data), _length(data))
        else:
            received = part_of(waveform.demodulate(heard.after(old), self.snr_db), 0, _length(flow))
        return replace(self, data=data, samples=samples, heard=heard), received

    def burst(self, flow: Flow[Symbols], received: Received, before: Air) -> OnAir:
        """The last burst, for an observer."""
        if self.heard is None or self.heard is before.heard:
            return OnAir(flow, None, received)
        if self.link.waveform.continues:
            return OnAir(flow, self.heard, received, _length(before.data))
        return OnAir(flow, self.heard.after(_length(before.samples)), received)


def run_bursts(
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
    """Send one clip with a feedback scheme; arguments and errors as `chain.run_clip`."""
    from semlink.link.chain.link import Outcome

    silence = Flow(Symbols(torch.zeros(1, 0, dtype=torch.complex64)))
    agreed = to_bytes(agreement, "Agreement")
    air = Air(link, agreement.point.snr_db, seeds, silence, silence)
    past: list[SentBurst] = []
    bursts: list[Burst] = []
    on_air: list[OnAir] = []
    scheme, receiver = link.transmitter, link.receiver
    assert is_interactive(scheme) and is_interactive(receiver)
    while True:
        opening = _opening(air, scheme, agreement, past, budget)
        with environment_kept(link):
            flow = scheme.next_burst(link.to_send(clip), from_bytes(agreed), replace(seeds), tuple(past), opening)
        if flow is None:
            break
        check_plain(flow)
        if len(past) == MOST_BURSTS:
            raise InterfaceError(f"{scheme.name} wants more than {MOST_BURSTS} bursts for one clip")
        _refuse_endless_silence(scheme, past, flow)
        before = air
        air, received = air.carry(flow, budget)
        if observe is not None:
            on_air.append(air.burst(flow, received, before))
        bursts.append(Burst(_marked(received, opening), opening))
        past.append(SentBurst(_length(flow), opening, said_by(receiver, bursts, agreement)))
    delivered = made_of(receiver, bursts, agreement)
    check_frames(delivered.frames, clip)
    ledger, said = air.samples.ledger, tuple(p.feedback for p in past)
    if audit:
        audit_interactive(link, decoy_for(clip, decoy), bursts, said, agreed, seeds, delivered)
    if observe is not None:
        observe(Transmission(clip, agreement, seeds, tuple(on_air), tuple(past), delivered, ledger))
    genie = sorted({name for burst in bursts for name in burst.received.genie})
    return Outcome(delivered.frames, ledger, delivered.blocks, delivered.lost, tuple(genie), said)


def _refuse_endless_silence(scheme: InteractiveBase, past: Sequence[SentBurst], flow: Flow[Symbols]) -> None:
    """Empty bursts one after the other tell nobody anything: the scheme has lost its end."""
    recent = [burst.symbols for burst in past[-MOST_SILENCES:]] + [_length(flow)]
    if len(recent) > MOST_SILENCES and not any(recent):
        raise InterfaceError(
            f"{scheme.name}.next_burst sent {len(recent)} empty bursts in a row; return None when all is said"
        )


def check_same_beginning(now: torch.Tensor, before: torch.Tensor, channel: str) -> None:
    """Make sure that a channel leaves alone what it had delivered when more symbols follow.

    Raises:
        InterfaceError: it does not.
    """
    settled = max(before.shape[1] - TAIL, 0)
    change = (now[:, :settled] - before[:, :settled]).abs()
    if bool((change > SAME * (1 + before.abs().mean())).any()):
        raise InterfaceError(
            f"channel {channel} delivers other symbols when more of them follow; feedback schemes "
            "(harq, mcs: adaptive) need one that draws its chance in the order of time"
        )


def _opening(
    air: Air, scheme: InteractiveBase, agreement: Agreement, past: Sequence[SentBurst], budget: int | None
) -> BurstContext:
    """What both ends know now; a genie scheme also the SNR that symbols sent now would meet."""
    opening = BurstContext(air.room(budget))
    symbols = scheme.symbols_ahead(agreement, tuple(past), opening)
    if not symbols:
        return opening
    _, received = air.carry(probe(symbols), None)
    return replace(opening, snr_ahead_db=whole_db(received.noise_var))


def _marked(received: Received, opening: BurstContext) -> Received:
    """A reception with the genie's word written on it."""
    if opening.snr_ahead_db is None:
        return received
    return replace(received, genie={**received.genie, "snr_ahead": opening.snr_ahead_db})


def _joined(before: Flow[Symbols], after: Flow[Symbols]) -> Flow[Symbols]:
    iq = torch.cat([before.payload.iq, after.payload.iq.to(before.payload.iq)], dim=1)
    return Flow(Symbols(iq), ledger_of((*before.ledger.charges, *after.ledger.charges)))


def _length(flow: Flow[Symbols]) -> int:
    return flow.payload.iq.shape[1]
