"""Coded blocks over white noise, straight onto the constellation: no CRC, no scrambling, no packets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from semlink.phy.channels.awgn import Awgn
from semlink.phy.coding.rate_matching import sent_positions
from semlink.phy.ldpc.base_graph import choose_base_graph
from semlink.phy.ldpc.code import LdpcCode
from semlink.phy.ldpc.encoder import encode
from semlink.phy.qam import Demapper, demap, map_bits
from semlink.seeds import Seeds
from semlink.units import noise_var_from_snr

__all__ = ["CodedLink", "noise_of"]


@dataclass(frozen=True, slots=True)
class CodedLink:
    """`k` information bits in `n` coded bits.

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
        """Where in the circular buffer each bit of the wire stands: (n,)."""
        if self.shuffled:
            return np.random.default_rng(self.n).permutation(sent_positions(self.code, self.n, 1, 0))
        return sent_positions(self.code, self.n, self.bits_per_symbol, 0)

    def es_n0_db(self, eb_n0_db: float) -> float:
        """The SNR of a symbol at an SNR of an information bit."""
        return eb_n0_db + 10 * math.log10(self.bits_per_symbol * self.k / self.n)

    def coded(self, num: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Random information (num, k) and the bits on the wire (num, n)."""
        bits = rng.integers(0, 2, (num, self.k), np.uint8)
        return bits, encode(self.code, bits, int(self.positions.max()) + 1)[:, self.positions]

    def buffers(self, llr: np.ndarray) -> np.ndarray:
        """LLRs of the wire (num, n) in the places of the circular buffer; repeats add up."""
        out = np.zeros((len(llr), int(self.positions.max()) + 1), np.float32)
        np.add.at(out.T, self.positions, llr.T)
        return out

    def heard(
        self, num: int, snr_db: float, seeds: Seeds, *, demapper: Demapper = "exact"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Random information (num, k) and the soft buffers of its blocks after white noise."""
        bits, wire = self.coded(num, seeds.numpy("validate/bits"))
        iq = map_bits(wire, self.bits_per_symbol)
        heard = iq + noise_of(iq.shape, snr_db, seeds)
        return bits, self.buffers(demap(heard, noise_var_from_snr(snr_db), self.bits_per_symbol, demapper=demapper))


def noise_of(shape: tuple[int, ...], snr_db: float, seeds: Seeds) -> np.ndarray:
    """What the channel `awgn` adds: complex64."""
    nothing = torch.zeros(1, int(np.prod(shape)), dtype=torch.complex64)
    return Awgn()(nothing, snr_db, seeds).iq.numpy().reshape(shape)
