"""5G LDPC with QAM: bytes in transport blocks to symbols and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from semlink.blocks.coding import Decoding
from semlink.phy.coding.block_coding import BlockCode, BlockCoding, Cut, crc_verdict
from semlink.phy.coding.segmentation import segment
from semlink.phy.coding.transport_block import TransportBlock
from semlink.phy.error_curves.shipped import shipped
from semlink.phy.ldpc.decoder import Backend
from semlink.phy.qam import Demapper, demap_rows


@dataclass(frozen=True, slots=True)
class LdpcCoding(BlockCoding):
    """5G NR LDPC transport blocks on square QAM.

    Source: [3gpp38212, sections 5.1-5.4 and 7.2], [3gpp38211, section 7.3.1].
    """

    bits_per_symbol: int
    rate: float
    block_bits: int = 8192
    iterations: int = 20
    backend: Backend = "auto"
    demapper: Demapper = "exact"
    name = "phy/ldpc"

    @property
    def code_rate(self) -> float:  # type: ignore[override]
        return self.rate

    def block_size_of(self, symbols: int) -> int:
        return _ldpc_block_size(symbols, self.bits_per_symbol, self.rate)

    def code_for(self, room: int, symbols: int) -> BlockCode:
        return _LdpcBlock(self.transport_block(room, symbols))

    def known_curve(self, symbols: int) -> tuple[float, float] | None:
        """From the table that comes with the package, where the decoder's options are at their defaults."""
        if self != LdpcCoding(self.bits_per_symbol, self.rate, self.block_bits):
            return None
        curve = shipped(self.bits_per_symbol, self.rate, symbols)
        return None if curve is None else (curve.middle_db, curve.width_db)

    def encode_symbols(self, cut: Cut, bits: np.ndarray) -> np.ndarray:
        return self.transport_block(cut.room, cut.symbols).encode_symbols(bits)

    def decide_symbols(self, cut: Cut, iq: np.ndarray, noise_var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As for every coding, but no LLR stands in memory as a float where int8 decodes."""
        block, order = self.transport_block(cut.room, cut.symbols), self.bits_per_symbol
        decoded = block.decode_symbols(iq, noise_var, demapper=self.demapper)

        def llr_of(rows: np.ndarray) -> np.ndarray:
            return demap_rows(iq, noise_var, order, rows, demapper=self.demapper)

        return decoded.bits, crc_verdict(_LdpcBlock(block), decoded.bits, decoded.ok, llr_of)

    def decoding(self, uses: int, place: int, llr: np.ndarray) -> Decoding:
        decoded = self.transport_block(self.block_sizes(uses)[place], self.block_symbols(uses)[place]).decode(llr[None])
        iterations, checks = decoded.iterations[0].tolist(), decoded.solved[0].tolist()
        return Decoding(decoded.bits[0], tuple(iterations), tuple(checks))

    def transport_block(self, room: int, symbols: int) -> TransportBlock:
        """The transport block of `room` bytes in `symbols` channel uses."""
        return TransportBlock(
            num_bits=room * 8,
            num_coded=symbols * self.bits_per_symbol,
            bits_per_symbol=self.bits_per_symbol,
            code_rate=self.rate,
            iterations=self.iterations,
            backend=self.backend,
        )


@dataclass(frozen=True, slots=True)
class _LdpcBlock:
    block: TransportBlock

    @property
    def num_bits(self) -> int:
        return self.block.num_bits

    @property
    def num_coded(self) -> int:
        return self.block.num_coded

    @property
    def num_crc(self) -> int:
        return self.block.crc_bits

    def encode(self, bits: np.ndarray) -> np.ndarray:
        return self.block.encode(bits)

    def decide(self, llr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        decoded = self.block.decode(llr)
        return decoded.bits, decoded.ok


@lru_cache(maxsize=4096)
def _ldpc_block_size(symbols: int, bits_per_symbol: int, rate: float) -> int:
    """The most bytes A/8 with A + CRC <= rate * coded bits."""
    info = int(symbols * bits_per_symbol * rate + 1e-9)
    room = info // 8
    while room > 0 and room * 8 + segment(room * 8, rate).crc_bits > info:
        room -= 1
    return max(room, 0)
