"""A small digital header in front of analogue symbols: what a scheme must tell about itself.

The header is protected by the transport blocks of the digital schemes. How
many bytes it has is agreed on, so its length in symbols is known to both ends:

    path = CodedHeader()
    uses = path.uses(40, snr_db)                    # channel uses of 40 bytes
    flow = path.send(data, snr_db)                  # symbols, charged as side_info, header, crc, parity
    data = path.receive(received, 40, snr_db)       # of the first `uses` symbols; None if a block is lost

Modulation and rate come from a fixed table of thresholds in white noise.
`margin_db` is kept between the agreed SNR and the threshold; `calibrated` finds
the margin that a fading channel needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import log2

import numpy as np

from semlink.blocks import Calibration, SymbolPart
from semlink.errors import Infeasible
from semlink.flow import Flow
from semlink.ledger import Charge, Ledger, rebook_payload
from semlink.payload import Received, Symbols, part_of
from semlink.phy.coding.ldpc_coding import LdpcCoding

__all__ = ["MARGINS_DB", "CodedHeader", "calibrated"]

MARGINS_DB = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0)
"""Margins that calibration tries, from the cheapest to the safest."""
SENT = 200
"""Headers that it sends for each."""

_SIZES = (4, 16, 64, 256)
# Bits per symbol, rate x 1024, and for headers of 4, 16, 64 and 256 bytes the lowest Es/N0 in half
# decibels at which at most one block in a thousand is lost (benchmarks/side_path.py); exact and max-log
# demapping have the same at these rates.
_THRESHOLDS_DB = (
    (2, 30, (-9.5, -10.5, -11.5, -12.0)),
    (2, 64, (-6.0, -7.5, -8.0, -8.5)),
    (2, 120, (-3.5, -4.5, -5.5, -6.0)),
    (2, 193, (-1.0, -2.5, -3.0, -4.0)),
    (2, 308, (1.0, 0.0, -1.0, -1.5)),
    (2, 449, (3.5, 2.5, 1.5, 0.5)),
    (2, 602, (5.0, 4.5, 3.5, 2.5)),
    (4, 378, (7.5, 6.0, 5.5, 4.5)),
    (4, 490, (9.5, 8.0, 7.5, 6.5)),
    (4, 616, (11.5, 10.0, 9.0, 8.5)),
    (6, 567, (15.5, 14.5, 13.0, 12.0)),
    (6, 666, (16.5, 16.5, 15.0, 14.0)),
    (6, 772, (19.5, 18.5, 17.0, 16.0)),
    (8, 711, (23.0, 22.5, 20.5, 19.5)),
    (8, 797, (25.0, 23.5, 23.0, 22.0)),
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A coding, and its thresholds for headers of the lengths in `_SIZES`."""

    coding: LdpcCoding
    thresholds_db: tuple[float, ...]

    def threshold_db(self, num_bytes: int) -> float:
        """For `num_bytes`, straight between the measured lengths on a scale of octaves."""
        return float(np.interp(log2(num_bytes), [log2(size) for size in _SIZES], self.thresholds_db))


_ROWS = tuple(_Row(LdpcCoding(order, rate / 1024), thresholds) for order, rate, thresholds in _THRESHOLDS_DB)


@dataclass(frozen=True, slots=True)
class CodedHeader:
    """Bytes ahead of analogue symbols, and what they cost.

    Attributes:
        margin_db: how far the agreed SNR must lie above the threshold in white noise.
        fixed: this coding at every SNR, instead of the table.
    """

    margin_db: float = 0.0
    fixed: LdpcCoding | None = None

    def coding(self, num_bytes: int, snr_db: float) -> LdpcCoding:
        """The most efficient coding of the table that carries `num_bytes` at `snr_db`, else the most robust.

        Raises:
            ValueError: there is nothing to carry.
        """
        if num_bytes < 1:
            raise ValueError(f"a header of {num_bytes} bytes; need 1 or more")
        if self.fixed is not None:
            return self.fixed
        met = [row for row in _ROWS if row.threshold_db(num_bytes) <= snr_db - self.margin_db]
        return (met[-1] if met else _ROWS[0]).coding

    def uses(self, num_bytes: int, snr_db: float) -> int:
        """Channel uses of a header of `num_bytes`."""
        return self.coding(num_bytes, snr_db).uses_for(num_bytes)

    def blocks(self, num_bytes: int, snr_db: float) -> int:
        """Transport blocks of a header of `num_bytes`."""
        return len(self.coding(num_bytes, snr_db).block_sizes(self.uses(num_bytes, snr_db)))

    def symbol_part(self, name: str, num_bytes: int, snr_db: float, first: int = 0) -> SymbolPart:
        """What the symbols of a header of `num_bytes` carry; its blocks are numbered from `first` on."""
        return SymbolPart.coded(name, self.coding(num_bytes, snr_db), self.uses(num_bytes, snr_db), first)

    def most_bytes(self, uses: int, snr_db: float) -> int:
        """The longest header that takes at most `uses` channel uses.

        Raises:
            Infeasible: not even the smallest transport block fits.
        """
        for row in reversed(_ROWS):
            coding = row.coding if self.fixed is None else self.fixed
            room = _room(coding, uses)
            if room and self.coding(room, snr_db) == coding:
                return room
        raise Infeasible(f"{uses} channel uses carry no header at {snr_db:g} dB")

    def send(self, data: bytes, snr_db: float) -> Flow[Symbols]:
        """`data` as symbols (1, uses); what fills up the last block is charged as header."""
        coding, uses = self.coding(len(data), snr_db), self.uses(len(data), snr_db)
        flow = coding.send(_shared_out(data, coding.block_sizes(uses)), uses)
        return Flow(flow.payload, _as_side_info(flow.ledger, Fraction(8 * len(data), coding.bits_per_symbol)))

    def receive(self, received: Received, num_bytes: int, snr_db: float) -> bytes | None:
        """The header that `received` (1, n) begins with; None if any of its blocks failed.

        Raises:
            InterfaceError: fewer symbols than the header has.
        """
        head = part_of(received, 0, self.uses(num_bytes, snr_db))
        blocks = self.coding(num_bytes, snr_db).receive(head)
        data = [block for block in blocks if block is not None]
        return b"".join(data)[:num_bytes] if len(data) == len(blocks) else None


def calibrated(
    path: CodedHeader,
    num_bytes: int,
    snr_db: float,
    calibration: Calibration,
    *,
    most_uses: int,
    delivery: float = 0.99,
) -> CodedHeader:
    """`path` with the smallest margin at which `delivery` of all headers arrive on the scenario's channel.

    Where that takes more than `most_uses` symbols, the largest margin within them.
    """
    best = path
    for margin_db in MARGINS_DB:
        tried = replace(path, margin_db=path.margin_db + margin_db)
        uses = tried.uses(num_bytes, snr_db)
        if uses > most_uses:
            break
        best = tried
        if calibration.delivery(tried.coding(num_bytes, snr_db), uses, SENT) >= delivery:
            break
    return best


def _room(coding: LdpcCoding, uses: int) -> int:
    """Bytes that `uses` symbols carry, 0 if not even one transport block."""
    try:
        return sum(coding.block_sizes(uses))
    except Infeasible:
        return 0


def _shared_out(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """`data` over blocks of these sizes, zeros behind."""
    blocks, start = [], 0
    for size in sizes:
        blocks.append(data[start : start + size].ljust(size, b"\0"))
        start += size
    return blocks


def _as_side_info(ledger: Ledger, side_info: Fraction) -> Ledger:
    """The coding's payload booked as what it is here."""

    def split(charge: Charge) -> list[Charge]:
        rest = charge.symbols - side_info
        own = [Charge("link/side_path", "side_info", side_info)]
        return [*own, Charge("link/side_path", "header", rest)] if rest > 0 else own

    return rebook_payload(ledger, split)
