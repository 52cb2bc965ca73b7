"""What happened in one transmission, told to whoever watches when it is over: nothing that an observer does comes back.

    seen = []
    run_clip(link, clip, agreement, seeds, observe=seen.append)
    seen[0].bursts[0].received.iq          # equalised symbols, beside .sent.payload.iq

Without an observer nothing is kept and nothing is computed. What the blocks did inside is asked of them
afterwards (`parts_of`): they keep nothing between calls, so they say again what they did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from semlink.blocks import Scheme, SymbolPart, WaveformBase, is_interactive, is_one_way
from semlink.errors import InterfaceError
from semlink.feedback import SentBurst
from semlink.flow import Flow
from semlink.payload import Agreement, ChannelOutput, Delivered, Frames, Received, Symbols
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from semlink.ledger import Ledger

__all__ = ["FAINT", "Observe", "OnAir", "Transmission", "as_sent", "parts_of"]

FAINT = 1e-4
"""Noise variance of what arrives without noise."""


@dataclass(frozen=True, slots=True)
class OnAir:
    """One burst.

    Attributes:
        sent: data symbols of the scheme, with what they were charged for.
        heard: the channel's output, pilots and all.
        received: the data symbols behind the equaliser, as the receiver got them.
        skipped: data symbols of earlier bursts that `heard` begins with.
    """

    sent: Flow[Symbols]
    heard: ChannelOutput | None
    received: Received
    skipped: int = 0

    @property
    def symbols(self) -> int:
        return self.sent.payload.iq.shape[1]

    def true_gain(self, waveform: WaveformBase) -> torch.Tensor | None:
        """The channel's gain on each data symbol (n,), None where none is told."""
        gain = None if self.heard is None else waveform.true_gain(self.heard)
        return None if gain is None else gain[0, self.skipped : self.skipped + self.symbols]


@dataclass(frozen=True, slots=True)
class Transmission:
    """One clip on its way.

    Attributes:
        bursts: one where the scheme sends once.
        past: what the transmitter remembers of each burst, where the receiver answers.
        delivered: what the receiver made of all.
        ledger: of the antenna.
    """

    clip: Frames
    agreement: Agreement
    seeds: Seeds
    bursts: tuple[OnAir, ...]
    past: tuple[SentBurst, ...]
    delivered: Delivered
    ledger: Ledger


Observe = Callable[[Transmission], object]


def as_sent(burst: OnAir) -> Received:
    """The data symbols of a burst as they would arrive without noise."""
    iq = burst.sent.payload.iq
    return Received(iq, torch.full(iq.shape, FAINT))


def parts_of(scheme: Scheme, seen: Transmission) -> tuple[Sequence[SymbolPart], ...]:
    """What the symbols of each burst carry; one nameless part where the scheme does not say.

    Raises:
        InterfaceError: it says so of more or fewer symbols than were sent.
    """
    told: Sequence[Sequence[SymbolPart]] = ()
    if is_one_way(scheme):
        told = [scheme.symbol_parts(as_sent(burst), seen.agreement) for burst in seen.bursts]
    elif is_interactive(scheme):
        told = scheme.burst_parts(seen.past, seen.agreement)
    if not any(told):
        told = [() for _ in seen.bursts]
    if len(told) != len(seen.bursts):
        raise InterfaceError(f"{scheme.name}: told of {len(told)} bursts; need the {len(seen.bursts)} that were sent")
    for parts, burst in zip(told, seen.bursts):
        if parts and (total := sum(part.symbols for part in parts)) != burst.symbols:
            raise InterfaceError(f"{scheme.name}: told of {total} symbols; need the {burst.symbols} that were sent")
    return tuple(parts or (SymbolPart("symbols", burst.symbols),) for parts, burst in zip(told, seen.bursts))
