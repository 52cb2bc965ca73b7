"""Bytes in transport blocks to channel symbols and back.

A transmission of `n` channel uses is cut into transport blocks of nearly equal
length, no block longer than `block_bits` information bits. The cut follows
from `n` alone, so the receiver needs no control channel: it counts symbols.
Within a block of s symbols, s * Qm coded bits carry A data bits and their CRC
at the code rate R: A + L_crc <= R * s * Qm, A a whole number of bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import torch

from semlink.blocks import CodingBase
from semlink.errors import Infeasible
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Received, Symbols
from semlink.phy.coding.crc import attach_crc, check_crc, crc_length
from semlink.phy.coding.scrambling import gold_sequence, scrambling_state
from semlink.phy.qam import Demapper, constellation, demap, map_bits

MIN_ROOM_BYTES = 4


class BlockCode(Protocol):
    """A code for one size of transport block."""

    @property
    def num_bits(self) -> int: ...

    @property
    def num_coded(self) -> int: ...

    @property
    def num_crc(self) -> int:
        """All CRC bits: of the transport block and of its code blocks."""
        ...

    def encode(self, bits: np.ndarray) -> np.ndarray:
        """uint8 (b, num_bits) to uint8 (b, num_coded)."""
        ...

    def decide(self, llr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float32 (b, num_coded) to bits (b, num_bits) and the CRC's verdict (b,)."""
        ...


@dataclass(frozen=True, slots=True)
class Cut:
    """A run of `count` equal blocks: symbols, data bytes and CRC bits of each."""

    count: int
    symbols: int
    room: int


class BlockCoding(CodingBase):
    """What all digital codings share; a subclass says rate, overhead and code.

    Subclasses are frozen dataclasses with `bits_per_symbol`, `block_bits` and `demapper`.
    """

    __slots__ = ()
    block_bits: int
    demapper: Demapper

    def block_size_of(self, symbols: int) -> int:
        """Data bytes in a block of `symbols` channel uses."""
        raise NotImplementedError

    def code_for(self, room: int, symbols: int) -> BlockCode:
        raise NotImplementedError

    def cuts(self, uses: int) -> tuple[Cut, ...]:
        """The blocks of a transmission of `uses` symbols, longest first.

        Raises:
            Infeasible: not even one block fits.
        """
        info = uses * self.bits_per_symbol * self.code_rate
        count = max(1, -int(-info // self.block_bits))
        base, longer = divmod(uses, count)
        runs = [(longer, base + 1), (count - longer, base)]
        cuts = tuple(Cut(n, s, self.block_size_of(s)) for n, s in runs if n)
        if any(cut.room < MIN_ROOM_BYTES for cut in cuts):
            raise Infeasible(
                f"{uses} channel uses carry no transport block with {self.bits_per_symbol} bits a symbol "
                f"at rate {self.code_rate:.3f}"
            )
        return cuts

    def block_sizes(self, uses: int) -> tuple[int, ...]:
        """Bytes that each block of a transmission of `uses` symbols carries."""
        return tuple(cut.room for cut in self.cuts(uses) for _ in range(cut.count))

    def block_symbols(self, uses: int) -> tuple[int, ...]:
        """Channel uses of each block, longest first."""
        return tuple(cut.symbols for cut in self.cuts(uses) for _ in range(cut.count))

    def send(self, blocks: Sequence[bytes], uses: int) -> Flow[Symbols]:
        """Blocks of exactly the sizes in `block_sizes(uses)` as `uses` symbols, charged.

        The whole content is booked as payload; the caller moves what is
        header (`rebook`).
        """
        pieces: list[np.ndarray] = []
        crc_bits = room_bits = 0
        start = 0
        for cut in self.cuts(uses):
            code = self.code_for(cut.room, cut.symbols)
            data = np.frombuffer(b"".join(blocks[start : start + cut.count]), np.uint8).reshape(cut.count, cut.room)
            pieces.append(self.encode_symbols(cut, np.unpackbits(data, axis=1)).ravel())
            crc_bits += cut.count * code.num_crc
            room_bits += cut.count * cut.room * 8
            start += cut.count
        iq = torch.from_numpy(np.concatenate(pieces)[None])
        order = self.bits_per_symbol
        payload, crc = Fraction(room_bits, order), Fraction(crc_bits, order)
        return Flow(Symbols(iq)).then(
            Symbols(iq),
            Charge(self.name, "payload", payload),
            Charge(self.name, "crc", crc),
            Charge(self.name, "parity", uses - payload - crc),
        )

    def soft_bits(self, iq: np.ndarray, noise_var: np.ndarray | float) -> np.ndarray:
        """LLRs of the coded bits, positive for 0: complex64 (..., n) to float32 (..., n * bits_per_symbol)."""
        return demap(iq, noise_var, self.bits_per_symbol, demapper=self.demapper)

    def constellation(self) -> np.ndarray:
        """Those of square QAM."""
        return constellation(self.bits_per_symbol)

    def receive(self, received: Received) -> tuple[bytes | None, ...]:
        """The blocks that passed their CRC, None for the others."""
        iq = received.iq.detach().cpu().numpy()
        noise = np.broadcast_to(received.noise_var.detach().cpu().numpy(), iq.shape)
        out: list[bytes | None] = []
        start = 0
        for cut in self.cuts(iq.shape[-1]):
            stop = start + cut.count * cut.symbols
            shape = (cut.count, cut.symbols)
            bits, good = self.decide_symbols(cut, iq[0, start:stop].reshape(shape), noise[0, start:stop].reshape(shape))
            rows = np.packbits(bits, axis=1)
            out += [row.tobytes() if ok else None for row, ok in zip(rows, good)]
            start = stop
        return tuple(out)

    def encode_symbols(self, cut: Cut, bits: np.ndarray) -> np.ndarray:
        """Bits (count, 8 * room) of the blocks of `cut` to their symbols (count, symbols)."""
        return map_bits(self.code_for(cut.room, cut.symbols).encode(bits), self.bits_per_symbol)

    def decide_symbols(self, cut: Cut, iq: np.ndarray, noise_var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Symbols (count, symbols) of `cut` to bits (count, 8 * room) and whether each block is to be believed."""
        llr, code = self.soft_bits(iq, noise_var), self.code_for(cut.room, cut.symbols)
        bits, good = code.decide(llr)
        return bits, crc_verdict(code, bits, good, lambda rows: llr[rows])


def looks_all_zero(llr: np.ndarray) -> np.ndarray:
    """Which rows of `llr` (b, n) say by more than three sigmas that a word of zeros was sent: bool (b,).

    Zeros pass every CRC, and zeros are what a decoder makes of a block that
    never arrived; so nothing but zeros is believed only on such a word.
    """
    heard = np.count_nonzero(llr, axis=1)
    return np.sign(llr).sum(axis=1) > 3 * np.sqrt(heard)


def crc_verdict(
    code: BlockCode, bits: np.ndarray, good: np.ndarray, llr_of: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """The CRC's verdict, without the zeros that nobody sent; `llr_of` knows the LLRs of rows by their numbers."""
    hollow = np.flatnonzero(good & ~bits.any(axis=1))
    if not hollow.size:
        return good
    signs = np.where(code.encode(bits[hollow]), np.float32(-1), np.float32(1))
    good = good.copy()
    good[hollow] = looks_all_zero(llr_of(hollow) * signs)
    return good


@dataclass(frozen=True, slots=True)
class UncodedCoding(BlockCoding):
    """Blocks with a 24-bit CRC straight onto the constellation; any bit error loses the block."""

    bits_per_symbol: int
    block_bits: int = 2048
    demapper: Demapper = "exact"
    name = "phy/uncoded"
    code_rate = 1.0

    def block_size_of(self, symbols: int) -> int:
        return max((symbols * self.bits_per_symbol - CRC_BITS) // 8, 0)

    def code_for(self, room: int, symbols: int) -> BlockCode:
        return _UncodedBlock(room * 8, symbols * self.bits_per_symbol)


CRC_BITS = crc_length("24a")


@dataclass(frozen=True, slots=True)
class _UncodedBlock:
    num_bits: int
    num_coded: int

    @property
    def num_crc(self) -> int:
        return CRC_BITS

    def encode(self, bits: np.ndarray) -> np.ndarray:
        return scrambled(pad_to(attach_crc(bits, "24a"), self.num_coded))

    def decide(self, llr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bits = scrambled((llr < 0).astype(np.uint8))[:, : self.num_bits + CRC_BITS]
        return bits[:, : self.num_bits], check_crc(bits, "24a")


def scrambled(bits: np.ndarray) -> np.ndarray:
    """Bits (b, n) with the Gold sequence of TS 38.211 added; twice is the identity."""
    return bits ^ gold_sequence(scrambling_state(1, 1), bits.shape[-1])


def pad_to(bits: np.ndarray, length: int) -> np.ndarray:
    """Bits (b, n) with zeros behind, up to `length`."""
    return np.pad(bits, ((0, 0), (0, length - bits.shape[1])))


def efficiency(coding: CodingBase) -> float:
    """Information bits a channel use, CRC included."""
    return coding.bits_per_symbol * coding.code_rate
