"""A digital scheme: source codec, packets, transport blocks, channel code, QAM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semlink.blocks import Calibration, Codec, Coding
from semlink.caching import Memo, digest_of
from semlink.codecs.packetization import POINTER_BYTES, cut, framed_size, join
from semlink.flow import Flow
from semlink.link.schemes.digital.mcs_search import best_choice
from semlink.link.schemes.digital.packet_store import StreamStore
from semlink.link.schemes.digital.packets import coded, split_header
from semlink.payload import (
    Agreement,
    Delivered,
    Frames,
    FrameShape,
    Packet,
    Point,
    Received,
    Symbols,
    as_frames,
    only_clip,
)
from semlink.seeds import Seeds

DECODED_CLIPS_KEPT = 16


@dataclass(frozen=True, slots=True)
class DigitalScheme:
    """Any codec with any coding.

    With several `codings` the agreement holds the one that rehearsed best;
    with one there is nothing to choose.
    """

    codec: Codec
    codings: Mapping[str, Coding]
    streams: StreamStore | None = None
    decoded: Memo[np.ndarray] = field(default_factory=lambda: Memo(DECODED_CLIPS_KEPT), repr=False)

    def agree(self, frames: FrameShape, point: Point, rehearsal: Calibration) -> Agreement:
        """Choose the coding; everything else follows from the number of symbols."""
        agreements = {name: Agreement(frames, point, {"coding": name}) for name in self.codings}
        if len(agreements) == 1:
            return next(iter(agreements.values()))
        uses = point.budget_uses or 16 * 1024
        name = best_choice(
            self.codings, uses, point.snr_db, lambda n, share: rehearsal.quality(agreements[n], share), rehearsal
        )
        return agreements[name]

    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]:
        coding = self._coding(agreement)
        clip = only_clip(frames)
        if agreement.point.budget_uses is None:
            packets = self._packets(clip, rate=agreement.point.rate)
        else:
            rooms = coding.rooms(agreement.point.budget_uses)
            packets = self._packets(clip, max_bytes=sum(rooms) - POINTER_BYTES * len(rooms))
        uses = coding.uses_for(framed_size(packets), per_block=POINTER_BYTES)
        uses = min(uses, agreement.point.budget_uses or uses)
        flow = coding.send(cut(packets, coding.rooms(uses)), uses)
        return Flow(flow.payload, split_header(flow.ledger, packets, coding.bits_per_symbol))

    def receive(self, received: Received, agreement: Agreement) -> Delivered:
        blocks = self._coding(agreement).receive(received)
        arrived = join(blocks)
        frames = self.decoded.get(
            digest_of(*[p.data for p in arrived], [p.time for p in arrived], agreement.frames),
            lambda: self.codec.decode(arrived, agreement.frames),
        )
        return Delivered(as_frames(frames), len(blocks), sum(block is None for block in blocks))

    def _coding(self, agreement: Agreement) -> Coding:
        return self.codings[agreement.terms["coding"]]

    def _packets(self, clip: np.ndarray, **point: Any) -> tuple[Packet, ...]:
        return coded(self.codec, clip, self.streams, **point)
