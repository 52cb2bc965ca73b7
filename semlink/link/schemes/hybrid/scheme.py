"""A hybrid scheme: packets through channel code and QAM, and on the same channel uses what the packets leave.

    x = sqrt(1 - b) s + sqrt(b) a

s are the symbols of a digital scheme. a carries two real numbers a use: of what
the codec's packets leave, the part that would help most, as both ends can tell
from the packets alone. The receiver demaps s with a as noise; where a transport
block arrives, its symbols are made again and taken away, and a is left with the
channel's noise. The better the channel, the finer the frames; where a block is
lost its uses tell nothing of a, and without any the scheme is the digital one.

The numbers are interleaved over the burst, so a fade takes a little from all.
A use that both layers share is charged to both by their shares of the power.

Source: compare [mittal2002, Sec. III]; the analogue layer as in [jakubczak2011, Sec. 3.2].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import torch

from semlink.blocks import Calibration, CodingBase, OneWayBase, Refinable, SymbolPart
from semlink.caching import Memo, digest_of
from semlink.codecs.packetization import join
from semlink.flow import Flow
from semlink.ledger import Charge, Ledger
from semlink.link.schemes.digital.scheme import DigitalScheme, chosen, counted, heard, sent
from semlink.link.schemes.interleaver import interleaver
from semlink.link.schemes.symbol_pairs import as_numbers, as_symbols
from semlink.payload import (
    Agreement,
    Delivered,
    Frames,
    FrameShape,
    Packet,
    Point,
    Received,
    Symbols,
    Terms,
    as_frames,
    only_clip,
)
from semlink.phy.error_curves.measured import expected
from semlink.phy.superposition import analogue_part, digital_part, noise_below, superposed
from semlink.seeds import Seeds
from semlink.units import from_db

SPREAD = 16016
"""Root of the permutation of numbers over a burst."""
REFINABLE_KEPT = 16
USUAL_COST_DB = 1.2
"""What the usual analogue layer costs the base: of codings at their best SNR and over fading near the best share."""
TYPICAL_BLOCK = 2048
"""Channel uses of a block, for which the SNR that a coding needs is guessed."""


@dataclass(frozen=True, slots=True)
class HybridTerms(Terms):
    """The analogue share of the power."""

    share: float

    def without_noise(self) -> HybridTerms:
        """The digital base alone: without noise the analogue layer would tell all, whatever the base is worth."""
        return replace(self, share=0.0)


@dataclass(frozen=True, slots=True)
class HybridScheme(OneWayBase):
    """A digital scheme whose codec refines, under an analogue layer of `share` of the power; None: as is usual."""

    digital: DigitalScheme
    share: float | None = None
    refinable: Memo[Refinable] = field(default_factory=lambda: Memo(REFINABLE_KEPT), repr=False, compare=False)

    def check(self, frames: FrameShape, rate: float | None) -> None:
        self.digital.check(frames, rate)

    def group_frames(self, frames: FrameShape) -> int:
        return self.digital.group_frames(frames)

    def loses_blocks(self) -> bool:
        return True

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement[HybridTerms]:
        """Choose the coding, for what the analogue layer leaves of the SNR."""
        codings = self.digital.codings
        shares = {name: usual_share(coding) if self.share is None else self.share for name, coding in codings.items()}
        agreements = {
            name: Agreement(frames, point, HybridTerms(share, note=f"analogue share {share:g}", coding=name))
            for name, share in shares.items()
        }
        return chosen(agreements, codings, calibration, analogue_shares=shares)

    def transmit(self, frames: Frames, agreement: Agreement[HybridTerms], seeds: Seeds) -> Flow[Symbols]:
        clip, share = only_clip(frames), agreement.terms.share
        packets = self.digital.packed(clip, agreement)
        flow = sent(packets, self.digital.coding(agreement), agreement.point.budget_uses)
        if share == 0:
            return flow
        uses = flow.payload.iq.shape[1]
        numbers = self._refinable(packets, agreement.frames, uses).numbers(clip)
        iq = superposed(flow.payload.iq, as_symbols(numbers)[:, interleaver(SPREAD, uses)], share)
        return Flow(Symbols(iq), shared(flow.ledger, share, uses))

    def receive(self, received: Received, agreement: Agreement[HybridTerms]) -> Delivered:
        share, coding = agreement.terms.share, self.digital.coding(agreement)
        blocks = heard(digital_part(received, share), coding)
        uses = received.iq.shape[1]
        base = self._refinable(join(blocks), agreement.frames, uses)
        numbers, noise_var = np.zeros(2 * uses), np.full(2 * uses, np.inf)
        if share:
            numbers, noise_var = as_numbers(_analogue(received, blocks, coding, share))
        return counted(as_frames(base.frames(numbers, noise_var)), blocks)

    def packets(self, frames: Frames, agreement: Agreement[HybridTerms], seeds: Seeds) -> Sequence[Packet]:
        return self.digital.packets(frames, agreement, seeds)

    def symbol_parts(self, sent: Received, agreement: Agreement[HybridTerms]) -> Sequence[SymbolPart]:
        """The digital layer as its demapper sees it: the analogue one is noise."""
        share, coding, uses = agreement.terms.share, self.digital.coding(agreement), sent.iq.shape[1]
        part = SymbolPart.coded("blocks under an analogue layer", coding, uses)
        points = None if part.points is None else part.points * np.float32((1 - share) ** 0.5)

        def soft_bits(iq: np.ndarray, noise_var: np.ndarray) -> np.ndarray | None:
            return coding.soft_bits(iq / np.float32((1 - share) ** 0.5), noise_below(noise_var, share))

        return (replace(part, soft_bits=soft_bits, points=points),)

    def _refinable(self, packets: tuple[Packet, ...], shape: FrameShape, uses: int) -> Refinable:
        """What packets leave for `uses` symbols, worked out once for all trials that meet the same ones."""
        key = digest_of(*[p.data for p in packets], [p.time for p in packets], shape, uses)
        return self.refinable.get(key, lambda: self.digital.codec.refinable(packets, shape, 2 * uses))


def usual_share(coding: CodingBase) -> float:
    """The share that costs a coding `USUAL_COST_DB`: 1 / N = g without and (1 - b) / (N + b) = g with the layer."""
    needs = from_db(expected(coding.bits_per_symbol, coding.code_rate, TYPICAL_BLOCK).middle_db)
    return round((1 - from_db(-USUAL_COST_DB)) / (1 + needs), 4)


def shared(ledger: Ledger, share: float, uses: int) -> Ledger:
    """The ledger of the digital base with the analogue share of its uses charged to the layer above.

    In whole uses; what is left of them is the layer's.
    """
    kept = 1 - Fraction(share)
    charges = tuple(replace(charge, symbols=int(charge.symbols * kept)) for charge in ledger.charges)
    above = uses - sum(charge.symbols for charge in charges)
    return Ledger((*charges, Charge("link/hybrid", "payload", above)), ledger.budget)


def _analogue(received: Received, blocks: Sequence[bytes | None], coding: CodingBase, share: float) -> Received:
    """The analogue symbols in the order of their numbers; with infinite noise where a transport block was lost."""
    uses = received.iq.shape[1]
    sizes = coding.block_sizes(uses)
    filled = [bytes(size) if block is None else block for block, size in zip(blocks, sizes, strict=True)]
    left = analogue_part(received, coding.send(filled, uses).payload.iq, share)
    lost = torch.from_numpy(lost_uses(blocks, coding, uses))
    noise_var = left.noise_var.expand(left.iq.shape).masked_fill(lost, torch.inf)
    order = torch.from_numpy(np.argsort(interleaver(SPREAD, uses)))
    return Received(left.iq[:, order], noise_var[:, order])


def lost_uses(blocks: Sequence[bytes | None], coding: CodingBase, uses: int) -> np.ndarray:
    """Which channel uses belong to transport blocks that were lost: bool (uses,)."""
    edges = np.concatenate(([0.0], np.cumsum(np.asarray(coding.block_symbols(uses), float))))
    lost = np.zeros(uses, bool)
    for number, block in enumerate(blocks):
        if block is None:
            lost[int(np.floor(edges[number])) : int(np.ceil(edges[number + 1]))] = True
    return lost
