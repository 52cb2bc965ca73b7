"""A digital scheme: source codec, packets, transport blocks, channel code, QAM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from semlink.blocks import Codec, Coding, Rehearsal
from semlink.caching import Memo, StreamStore, digest_of
from semlink.codecs.packetization import POINTER_BYTES, cut, framed_size, join
from semlink.errors import Infeasible
from semlink.flow import Flow
from semlink.ledger import Charge, Ledger
from semlink.link.schemes.digital.mcs_search import best_choice
from semlink.payload import Agreement, Delivered, Frames, FrameShape, Packet, Point, Received, Symbols
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

    def agree(self, frames: FrameShape, point: Point, rehearsal: Rehearsal) -> Agreement:
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


@dataclass(frozen=True, slots=True)
class BoundScheme:
    """A codec whose bits arrive by decree: an upper bound on what any code could do."""

    codec: Codec
    bound: Any
    streams: StreamStore | None = None
    is_bound: bool = True

    def agree(self, frames: FrameShape, point: Point, rehearsal: Rehearsal) -> Agreement:
        return Agreement(frames, point)

    def ideal(self, frames: Frames, agreement: Agreement, channel: Any, seeds: Seeds) -> tuple[Frames, Ledger]:
        """The frames as coded, and the channel uses that the bound asks for."""
        clip, point = only_clip(frames), agreement.point
        if point.budget_uses is not None:
            bits = self.bound.bits(point.budget_uses, point.snr_db, channel)
            if bits < 8:
                raise Infeasible(f"{point.budget_uses} channel uses carry no byte at {point.snr_db:g} dB, even ideally")
            packets = coded(self.codec, clip, self.streams, max_bytes=int(bits // 8))
        else:
            packets = coded(self.codec, clip, self.streams, rate=point.rate)
        uses = self.bound.uses(framed_size(packets) * 8, point.snr_db, channel)
        decoded = self.codec.decode(packets, agreement.frames)
        return as_frames(decoded), Ledger().spend(Charge("link/bound", "payload", uses))


def coded(
    codec: Codec,
    clip: np.ndarray,
    streams: StreamStore | None,
    *,
    max_bytes: int | None = None,
    rate: float | None = None,
) -> tuple[Packet, ...]:
    """The codec's packets for a clip, from the store where they are known."""

    def make() -> tuple[Packet, ...]:
        if max_bytes is not None:
            return codec.encode(clip, max_bytes=max_bytes)
        assert rate is not None
        return codec.encode_at(clip, rate)

    if streams is None:
        return make()
    return streams.get(digest_of(repr(codec), version("av"), clip, max_bytes, rate), make)


def split_header(ledger: Ledger, packets: tuple[Packet, ...], bits_per_symbol: int) -> Ledger:
    """Move from payload to header what is not the codec's own data: lengths, times, pointers, padding."""
    data = Fraction(8 * sum(len(p.data) for p in packets), bits_per_symbol)
    charges = []
    for charge in ledger.charges:
        if charge.purpose == "payload":
            charges.append(Charge(charge.block, "payload", data))
            charges.append(Charge("codecs/packets", "header", charge.symbols - data))
        else:
            charges.append(charge)
    return Ledger(tuple(charges), ledger.budget)


def only_clip(frames: Frames) -> np.ndarray:
    """The one clip of a batch: (t, h, w)."""
    (clip,) = frames.pixels.detach().cpu().numpy()
    return clip


def as_frames(pixels: np.ndarray) -> Frames:
    """A batch of one from pixels (t, h, w)."""
    return Frames(torch.from_numpy(np.ascontiguousarray(pixels[None], np.float32)))
