"""A codec whose bits arrive assumed error-free: what no code can exceed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real

from semlink.blocks import BoundBase, ChannelBase, CodecBase, FrameBlock, PacketStore, RateBoundBase
from semlink.codecs.packetization import framed_size
from semlink.colour.layout import COLOURS
from semlink.errors import Infeasible, InterfaceError
from semlink.ledger import Charge, Ledger
from semlink.link.schemes.digital.packets import coded
from semlink.payload import Agreement, Frames, FrameShape, as_frames, only_clip
from semlink.seeds import Seeds


@dataclass(frozen=True, slots=True)
class BoundScheme(BoundBase):
    """A codec whose bits are assumed to arrive: an upper bound on what any code could do."""

    codec: CodecBase
    bound: RateBoundBase
    streams: PacketStore | None = None
    colours = COLOURS

    def check(self, frames: FrameShape, rate: float | None) -> None:
        self.codec.check_rate(rate, frames)

    def frame_blocks(self) -> Sequence[FrameBlock]:
        return (self.codec,)

    def group_frames(self, frames: FrameShape) -> int:
        return self.codec.gop or frames.t

    def ideal(self, frames: Frames, agreement: Agreement, channel: ChannelBase, seeds: Seeds) -> tuple[Frames, Ledger]:
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
        return as_frames(decoded, frames.colour), Ledger().spend(
            Charge("link/bound", "payload", _exact(uses, self.bound.name))
        )


def _exact(uses: float | Fraction, bound: str) -> Fraction:
    """Channel uses as the ledger counts them; a bound may give any real number."""
    if not (isinstance(uses, Real) and math.isfinite(uses) and uses >= 0):
        raise InterfaceError(f"bound {bound}: uses(bits, snr_db, channel) gave {uses!r}; need a finite number >= 0")
    return uses if isinstance(uses, Fraction) else Fraction(float(uses))
