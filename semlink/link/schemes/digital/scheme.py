"""A digital scheme: source codec, packets, transport blocks, channel code, QAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from semlink.blocks import Calibration, CodecBase, CodingBase, FrameBlock, OneWayBase, PacketStore, SymbolPart
from semlink.caching import Memo, digest_of
from semlink.codecs.packetization import POINTER_BYTES, cut, framed_size, join
from semlink.colour.layout import COLOURS
from semlink.flow import Flow
from semlink.link.schemes.digital.packets import check_blocks, coded, split_header
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
from semlink.seeds import Seeds

DECODED_CLIPS_KEPT = 16


@dataclass(frozen=True, slots=True)
class DigitalScheme(OneWayBase):
    """A codec with a coding.

    With several `codings` the agreement holds the one that did best in calibration;
    with one there is nothing to choose.
    """

    codec: CodecBase
    codings: Mapping[str, CodingBase]
    streams: PacketStore | None = None
    decoded: Memo[np.ndarray] = field(default_factory=lambda: Memo(DECODED_CLIPS_KEPT), repr=False)
    colours = COLOURS

    def check(self, frames: FrameShape, rate: float | None) -> None:
        self.codec.check_rate(rate, frames)

    def frame_blocks(self) -> Sequence[FrameBlock]:
        return (self.codec,)

    def group_frames(self, frames: FrameShape) -> int:
        return self.codec.gop or frames.t

    def loses_blocks(self) -> bool:
        return True

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement:
        """Choose the coding; everything else follows from the number of symbols."""
        agreements = {name: Agreement(frames, point, Terms(coding=name)) for name in self.codings}
        return chosen(agreements, self.codings, calibration)

    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]:
        packets = self.packed(only_clip(frames), agreement)
        return sent(packets, self.coding(agreement), agreement.point.budget_uses)

    def receive(self, received: Received, agreement: Agreement) -> Delivered:
        blocks = heard(received, self.coding(agreement))
        arrived = join(blocks)
        frames = self.decoded.get(
            digest_of(*[p.data for p in arrived], [p.time for p in arrived], agreement.frames),
            lambda: self.codec.decode(arrived, agreement.frames),
        )
        return counted(as_frames(frames, agreement.frames.colour), blocks)

    def symbol_parts(self, sent: Received, agreement: Agreement) -> Sequence[SymbolPart]:
        return (SymbolPart.coded("transport blocks", self.coding(agreement), sent.iq.shape[1]),)

    def packets(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Sequence[Packet]:
        return self.packed(only_clip(frames), agreement)

    def unquantised(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Frames | None:
        made = self.codec.unquantised(only_clip(frames))
        return None if made is None else as_frames(made, frames.colour)

    def coding(self, agreement: Agreement) -> CodingBase:
        """The one that was agreed on."""
        return self.codings[agreement.terms.coding]

    def packed(self, clip: np.ndarray, agreement: Agreement) -> tuple[Packet, ...]:
        """The packets of a clip, at the scheme's own rate or within the budget.

        Raises:
            Infeasible: the budget carries none.
        """
        if agreement.point.budget_uses is None:
            return coded(self.codec, clip, self.streams, rate=agreement.point.rate)
        sizes = self.coding(agreement).block_sizes(agreement.point.budget_uses)
        return coded(self.codec, clip, self.streams, max_bytes=sum(sizes) - POINTER_BYTES * len(sizes))


T = TypeVar("T", bound=Terms)


def chosen(
    agreements: Mapping[str, Agreement[T]],
    codings: Mapping[str, CodingBase],
    calibration: Calibration,
    *,
    analogue_shares: Mapping[str, float] | None = None,
) -> Agreement[T]:
    """The would-be agreement whose coding does best; with one there is nothing to choose.

    Args:
        analogue_shares: of the power that is not the coding's, by its name.

    Raises:
        Infeasible: none of them carries anything.
    """
    first = next(iter(agreements.values()))
    if len(agreements) == 1:
        return first
    uses = first.point.budget_uses
    return agreements[calibration.best_coding(agreements, codings, uses, analogue_shares=analogue_shares)]


def sent(packets: tuple[Packet, ...], coding: CodingBase, budget: int | None) -> Flow[Symbols]:
    """Packets as the fewest symbols that carry them, at most `budget`."""
    uses = coding.uses_for(framed_size(packets), per_block=POINTER_BYTES)
    uses = min(uses, budget or uses)
    flow = coding.send(cut(packets, coding.block_sizes(uses)), uses)
    return Flow(flow.payload, split_header(flow.ledger, packets, coding.bits_per_symbol))


def heard(received: Received, coding: CodingBase) -> tuple[bytes | None, ...]:
    """The transport blocks that arrived, None for the others."""
    blocks = coding.receive(received)
    check_blocks(blocks, coding.block_sizes(received.iq.shape[1]), coding.name)
    return blocks


def counted(frames: Frames, blocks: Sequence[bytes | None]) -> Delivered:
    """Frames with what became of the transport blocks."""
    failed = tuple(number for number, block in enumerate(blocks) if block is None)
    return Delivered(frames, len(blocks), len(failed), failed)
