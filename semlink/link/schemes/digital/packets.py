"""A codec's packets for a clip, and which of their bytes are header."""

from __future__ import annotations

from fractions import Fraction
from importlib.metadata import version

import numpy as np

from semlink.blocks import CodecBase, PacketStore
from semlink.caching import digest_of
from semlink.ledger import Charge, Ledger, rebook_payload
from semlink.payload import Packet


def coded(
    codec: CodecBase,
    clip: np.ndarray,
    streams: PacketStore | None,
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
    made_by = (repr(codec), codec.file_digest, version("av"))
    return streams.get(digest_of(*made_by, clip, max_bytes, rate), make)


def split_header(ledger: Ledger, packets: tuple[Packet, ...], bits_per_symbol: int) -> Ledger:
    """Move from payload to header what is not the codec's own data: lengths, times, pointers, padding."""
    data = Fraction(8 * sum(len(p.data) for p in packets), bits_per_symbol)
    return rebook_payload(
        ledger,
        lambda charge: (
            Charge(charge.block, "payload", data),
            Charge("codecs/packets", "header", charge.symbols - data),
        ),
    )
