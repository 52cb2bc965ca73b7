"""A codec's packets for a clip, and which of their bytes are header."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from importlib.metadata import version

import numpy as np

from semlink.blocks import CodecBase, PacketStore
from semlink.caching import digest_of
from semlink.codecs.packetization import framed_size
from semlink.errors import InterfaceError
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
    """The codec's packets for a clip, from the store where they are known; the store knows whose they are.

    Raises:
        InterfaceError: more bytes than the codec was given.
    """

    def make() -> tuple[Packet, ...]:
        if max_bytes is not None:
            packets = codec.encode(clip, max_bytes=max_bytes)
            if (size := framed_size(packets)) > max_bytes:
                raise InterfaceError(
                    f"codec {codec!r}: encode gave packets of {size} bytes with their headers; allowed: "
                    f"{max_bytes} (max_bytes)"
                )
            return packets
        assert rate is not None
        return codec.encode_at(clip, rate)

    if streams is None:
        return make()
    return streams.get(digest_of(codec.fitted_to, version("av"), clip, max_bytes, rate), make)


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


def check_blocks(blocks: Sequence[bytes | None], sizes: Sequence[int], coding: str) -> None:
    """Make sure that a coding hands on every transport block, each of its size or lost.

    Raises:
        InterfaceError: it does not.
    """
    if len(blocks) != len(sizes):
        raise InterfaceError(
            f"coding {coding}: receive gave {len(blocks)} blocks; need {len(sizes)}, None for lost ones"
        )
    for number, (block, size) in enumerate(zip(blocks, sizes)):
        if block is not None and len(block) != size:
            raise InterfaceError(f"coding {coding}: block {number} of receive has {len(block)} bytes; need {size}")
