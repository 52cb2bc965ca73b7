"""A digital scheme: source codec, packets, transport blocks, channel code, QAM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from semlink.blocks import Calibration, CodecBase, CodingBase, OneWayBase, PacketStore
from semlink.caching import Memo, digest_of
from semlink.codecs.packetization import POINTER_BYTES, cut, framed_size, join
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

    def group_frames(self, frames: FrameShape) -> int:
        return self.codec.gop or frames.t

    def loses_blocks(self) -> bool:
        return True

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement:
        """Choose the coding; everything else follows from the number of symbols."""
        agreements = {name: Agreement(frames, point, Terms(coding=name)) for name in self.codings}
        if len(agreements) == 1:
            return next(iter(agreements.values()))
        return agreements[calibration.best_coding(agreements, self.codings, point.budget_uses)]

    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]:
        coding = self._coding(agreement)
        clip = only_clip(frames)
        if agreement.point.budget_uses is None:
            packets = self._packets(clip, rate=agreement.point.rate)
        else:
            sizes = coding.block_sizes(agreement.point.budget_uses)
            packets = self._packets(clip, max_bytes=sum(sizes) - POINTER_BYTES * len(sizes))
        uses = coding.uses_for(framed_size(packets), per_block=POINTER_BYTES)
        uses = min(uses, agreement.point.budget_uses or uses)
        flow = coding.send(cut(packets, coding.block_sizes(uses)), uses)
        return Flow(flow.payload, split_header(flow.ledger, packets, coding.bits_per_symbol))

    def receive(self, received: Received, agreement: Agreement) -> Delivered:
        coding = self._coding(agreement)
        blocks = coding.receive(received)
        check_blocks(blocks, coding.block_sizes(received.iq.shape[1]), coding.name)
        arrived = join(blocks)
        frames = self.decoded.get(
            digest_of(*[p.data for p in arrived], [p.time for p in arrived], agreement.frames),
            lambda: self.codec.decode(arrived, agreement.frames),
        )
        return Delivered(as_frames(frames), len(blocks), sum(block is None for block in blocks))

    def _coding(self, agreement: Agreement) -> CodingBase:
        return self.codings[agreement.terms.coding]

    def _packets(
        self, clip: np.ndarray, *, max_bytes: int | None = None, rate: float | None = None
    ) -> tuple[Packet, ...]:
        return coded(self.codec, clip, self.streams, max_bytes=max_bytes, rate=rate)
