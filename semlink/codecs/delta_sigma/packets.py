"""Binary maps in packets: how many channels each carries, and where its blocks lie.

The blocks of a group are dealt out to 1, 4, 16 or 64 packets like the squares of a board, so that a packet
fits about one transport block, and one that is lost leaves gaps with neighbours. On the wire:

    channels | log4 of the packets in a group, and which of them | group, and whether coded | bits

Bits lie channel by channel, so a packet that was cut short still gives its first channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from semlink.codecs.delta_sigma.entropy_coding import pack_maps, unpack_maps
from semlink.codecs.packetization import framed_size
from semlink.payload import Packet

__all__ = ["MOST_GROUPS", "Part", "even_counts", "parts_of", "plain_size", "read_packets", "write_packets"]

HEADER_BYTES = 3
PACKET_BYTES = 1000
"""Packets of a group are at most about so long, where 64 are enough for that."""
MOST_GROUPS = 128
CODED = 0x80
"""Of the byte with the number of a group: the maps are arithmetic coded."""


@dataclass(frozen=True, slots=True)
class Part:
    """Packet `number` of 4^`fold` of a group: the blocks at `rows` and `columns`."""

    group: int
    fold: int
    number: int

    @property
    def rows(self) -> slice:
        return slice(self.number >> self.fold, None, 1 << self.fold)

    @property
    def columns(self) -> slice:
        return slice(self.number & ((1 << self.fold) - 1), None, 1 << self.fold)

    def blocks(self, rows: int, columns: int) -> int:
        """How many blocks it has."""
        return len(range(*self.rows.indices(rows))) * len(range(*self.columns.indices(columns)))


def fold_for(channels: int, frames: int, rows: int, columns: int) -> int:
    """How finely groups are dealt out: log4 of the packets of one."""
    for fold in range(3):
        fits = channels * frames * rows * columns <= 8 * PACKET_BYTES * 4**fold
        if fits or min(rows, columns) < 2 << fold:
            return fold
    return 3


def parts_of(groups: int, fold: int) -> tuple[Part, ...]:
    """All packets of a clip, in the order of sending."""
    return tuple(Part(group, fold, number) for group in range(groups) for number in range(4**fold))


def plain_size(parts: Sequence[Part], channels: Sequence[int], frames: int, rows: int, columns: int) -> int:
    """Bytes on the wire, packet headers included, of parts with so many channels each, without arithmetic coding."""
    bits = (k * frames * part.blocks(rows, columns) for part, k in zip(parts, channels, strict=True))
    return framed_size([Packet(0, bytes(HEADER_BYTES + -(-count // 8))) for count in bits])


def even_counts(parts: Sequence[Part], channels: Sequence[int], groups: int, rows: int, columns: int) -> np.ndarray:
    """Channels of every block: (groups, rows, columns)."""
    counts = np.zeros((groups, rows, columns), np.int64)
    for part, k in zip(parts, channels, strict=True):
        counts[part.group, part.rows, part.columns] = k
    return counts


def write_packets(
    bits: np.ndarray, parts: Sequence[Part], channels: Sequence[int], *, chances: np.ndarray | None
) -> tuple[Packet, ...]:
    """The packets of bits (groups, K, n, rows, columns) of -1 and 1; with `chances` arithmetic coded."""
    packets = []
    for part, k in zip(parts, channels, strict=True):
        ones = bits[part.group, :k, :, part.rows, part.columns] > 0
        if chances is None:
            body = np.packbits(ones.ravel()).tobytes()
        else:
            body = pack_maps(ones.astype(np.int64), chances[min(part.group, 1)])
        told = bytes((k, part.fold << 6 | part.number, part.group | (0 if chances is None else CODED)))
        packets.append(Packet(part.group * bits.shape[2] % 256, told + body))
    return tuple(packets)


def read_packets(
    packets: Sequence[Packet], shape: tuple[int, int, int, int, int], *, chances: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Bits of -1 and 1, 0 where unknown, of `shape` (groups, K, n, rows, columns), and channels known of every block.

    Takes packets of any content; what makes no sense is passed over, and what is coded where there are no `chances`.
    """
    groups, most, frames, rows, columns = shape
    bits, counts = np.zeros(shape, np.int8), np.zeros((groups, rows, columns), np.int64)
    for part, k, body, coded in _sensible(packets, groups, most):
        blocks = bits[part.group, :k, :, part.rows, part.columns]
        here = blocks.shape[1:]
        size = int(np.prod(here))
        if not size or (coded and chances is None):
            continue
        if coded:
            assert chances is not None
            ones = unpack_maps(body, (k, *here), chances[min(part.group, 1)])
        else:
            flat = np.unpackbits(np.frombuffer(body, np.uint8))
            k = min(k, len(flat) // size)
            ones = flat[: k * size].reshape(k, *here)
        blocks[:k] = 2 * ones.astype(np.int8) - 1
        counts[part.group, part.rows, part.columns] = k
    return bits, counts


def _sensible(packets: Sequence[Packet], groups: int, most: int) -> Iterator[tuple[Part, int, bytes, bool]]:
    """Part, channels, bits and whether they are coded, of packets that could be of this clip."""
    for packet in packets:
        if len(packet.data) < HEADER_BYTES:
            continue
        k, place, group = packet.data[:HEADER_BYTES]
        part = Part(group & ~CODED, place >> 6, place & 63)
        if 1 <= k <= most and part.group < groups and part.number < 4**part.fold:
            yield part, k, packet.data[HEADER_BYTES:], bool(group & CODED)
