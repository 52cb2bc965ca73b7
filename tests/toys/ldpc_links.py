"""Coded blocks over white noise, for the tests of the LDPC code."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from semlink.phy.coding.rate_matching import sent_positions
from semlink.phy.ldpc.base_graph import choose_base_graph
from semlink.phy.ldpc.code import LdpcCode
from semlink.phy.ldpc.encoder import encode
from semlink.phy.qam import Demapper, demap, map_bits
from semlink.units import noise_var_from_snr


@dataclass(frozen=True, slots=True)
class CodedLink:
    """`k` information bits in `n` coded bits, straight onto the constellation.

    `shuffled` deals the bits to the symbols at random instead of as 38.212 does.
    """

    k: int
    n: int
    bits_per_symbol: int = 2
    shuffled: bool = False

    @property
    def code(self) -> LdpcCode:
        return LdpcCode(choose_base_graph(self.k, self.k / self.n), self.k)

    @property
    def positions(self) -> np.ndarray:
        if self.shuffled:
            return np.random.default_rng(self.n).permutation(sent_positions(self.code, self.n, 1, 0))
        return sent_positions(self.code, self.n, self.bits_per_symbol, 0)

    def es_n0_db(self, eb_n0_db: float) -> float:
        return eb_n0_db + 10 * math.log10(self.bits_per_symbol * self.k / self.n)

    def coded(self, num: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Random information (num, k) and the bits on the wire (num, n)."""
        bits = rng.integers(0, 2, (num, self.k), np.uint8)
        return bits, encode(self.code, bits, int(self.positions.max()) + 1)[:, self.positions]

    def buffers(self, llr: np.ndarray) -> np.ndarray:
        """LLRs of the wire (num, n) in the places of the circular buffer; repeats add up."""
        out = np.zeros((len(llr), int(self.positions.max()) + 1), np.float32)
        np.add.at(out, (slice(None), self.positions), llr)
        return out

    def heard(self, num: int, snr_db: float, rng: np.random.Generator, *, demapper: Demapper = "exact"):
        """Random information and the soft buffers of its blocks after white noise."""
        bits, wire = self.coded(num, rng)
        noise_var = noise_var_from_snr(snr_db)
        iq = map_bits(wire, self.bits_per_symbol)
        pairs = rng.standard_normal((*iq.shape, 2), dtype=np.float32) * np.float32(math.sqrt(noise_var / 2))
        llr = demap(iq + pairs.view(np.complex64)[..., 0], noise_var, self.bits_per_symbol, demapper=demapper)
        return bits, self.buffers(llr)
