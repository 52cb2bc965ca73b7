"""The K = 7 convolutional code (133, 171 octal) with soft Viterbi decoding.

The trellis is terminated; rates 2/3 and 3/4 puncture the rate-1/2 mother code.
Kept as the classic reference beside LDPC. The decoder is compiled, since the
plain-Python one of scikit-commpy, its oracle in the tests, takes half a second
for a block.

Source: [viterbi1967, section III]; [yasuda1984, table I] for the puncturing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np

from semlink.kernels.compiled import compiled
from semlink.phy.coding.block_coding import CRC_BITS, BlockCode, BlockCoding, pad_to, scrambled
from semlink.phy.coding.crc import attach_crc, check_crc
from semlink.phy.qam import Demapper

MEMORY = 6
GENERATORS = (0o133, 0o171)
PUNCTURED = {
    Fraction(1, 2): ((1,), (1,)),
    Fraction(2, 3): ((1, 1), (1, 0)),
    Fraction(3, 4): ((1, 1, 0), (1, 0, 1)),
}
"""Kept outputs of the two generators over one puncturing period, by code rate."""


@dataclass(frozen=True, slots=True)
class ConvolutionalCoding(BlockCoding):
    """CRC blocks through the K = 7 code onto square QAM.

    Raises:
        ValueError: a rate other than 1/2, 2/3, 3/4.
    """

    bits_per_symbol: int
    rate: float = 0.5
    block_bits: int = 2048
    demapper: Demapper = "exact"
    name = "phy/convolutional"

    def __post_init__(self) -> None:
        if pattern_key(self.rate) is None:
            raise ValueError(f"convolutional rate {self.rate:.3f}; allowed: 1/2, 2/3, 3/4")

    @property
    def code_rate(self) -> float:  # type: ignore[override]
        return self.rate

    def block_size_of(self, symbols: int) -> int:
        coded = symbols * self.bits_per_symbol
        info = int(coded * self.rate + 1e-9)
        while info > 0 and num_kept(info, self.rate) > coded:
            info -= 1
        return max((info - MEMORY - CRC_BITS) // 8, 0)

    def code_for(self, room: int, symbols: int) -> BlockCode:
        return _ConvolutionalBlock(room * 8, symbols * self.bits_per_symbol, self.rate)


@dataclass(frozen=True, slots=True)
class _ConvolutionalBlock:
    num_bits: int
    num_coded: int
    rate: float

    @property
    def num_crc(self) -> int:
        return CRC_BITS

    def encode(self, bits: np.ndarray) -> np.ndarray:
        tailed = pad_to(attach_crc(bits, "24a"), self._steps)
        kept = convolve(tailed)[:, self._mask]
        return scrambled(pad_to(kept, self.num_coded))

    def decide(self, llr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        signs = 1.0 - 2.0 * scrambled(np.zeros(llr.shape, np.uint8))
        soft = np.zeros((len(llr), 2 * self._steps), np.float32)
        soft[:, self._mask] = (llr * signs)[:, : int(self._mask.sum())]
        bits = viterbi(soft)[:, : self.num_bits + CRC_BITS]
        return bits[:, : self.num_bits], check_crc(bits, "24a")

    @property
    def _steps(self) -> int:
        return self.num_bits + CRC_BITS + MEMORY

    @property
    def _mask(self) -> np.ndarray:
        return keep_mask(self._steps, self.rate)


def convolve(bits: np.ndarray) -> np.ndarray:
    """Rate-1/2 code words of terminated bits: uint8 (b, n) to (b, 2 n), generators interleaved."""
    padded = np.pad(bits, ((0, 0), (MEMORY, 0)))
    n = bits.shape[1]
    out = np.zeros((len(bits), n, 2), np.uint8)
    for column, generator in enumerate(GENERATORS):
        for delay in range(MEMORY + 1):
            if generator >> (MEMORY - delay) & 1:
                out[:, :, column] ^= padded[:, MEMORY - delay : MEMORY - delay + n]
    return out.reshape(len(bits), 2 * n)


def pattern_key(rate: float) -> Fraction | None:
    """The puncturing pattern for a rate, None if there is none."""
    return next((known for known in PUNCTURED if abs(known - rate) < 1e-3), None)


def keep_mask(steps: int, rate: float) -> np.ndarray:
    """Which of the 2 `steps` mother-code bits are sent: bool (2 steps,)."""
    pattern = np.array(PUNCTURED[pattern_key(rate) or Fraction(1, 2)], bool)
    period = pattern.shape[1]
    return np.tile(pattern.T, (-(-steps // period), 1))[:steps].ravel()


def num_kept(steps: int, rate: float) -> int:
    """Coded bits for `steps` trellis steps."""
    return int(keep_mask(steps, rate).sum())


@cache
def _outputs() -> np.ndarray:
    """The two coded bits of every (state, input): int8 (64, 2, 2) as signs, +1 for 0.

    A state holds the last six inputs, the newest in the highest bit.
    """
    out = np.empty((1 << MEMORY, 2, 2), np.int8)
    for state in range(1 << MEMORY):
        for bit in (0, 1):
            register = bit << MEMORY | state
            out[state, bit] = [1 - 2 * ((register & g).bit_count() & 1) for g in GENERATORS]
    return out


def viterbi(llr: np.ndarray) -> np.ndarray:
    """Most likely inputs of terminated code words: float (b, 2 n), positive for 0, to uint8 (b, n).

    The tail of MEMORY zeros is part of the n inputs.
    """
    return _viterbi(np.ascontiguousarray(llr, np.float32), _outputs())


@compiled()
def _viterbi(llr, outputs):  # pragma: no cover - compiled
    num, steps = llr.shape[0], llr.shape[1] // 2
    states = outputs.shape[0]
    half = states // 2
    bits = np.empty((num, steps), np.uint8)
    chosen = np.empty((steps, states), np.uint8)
    metric, following = np.empty(states, np.float32), np.empty(states, np.float32)
    for row in range(num):
        metric[:] = -1e30
        metric[0] = 0.0
        for t in range(steps):
            first, second = llr[row, 2 * t], llr[row, 2 * t + 1]
            for state in range(states):
                bit = state // half
                low = (2 * state) % states
                best = -np.float32(np.inf)
                for oldest in range(2):
                    before = low + oldest
                    value = metric[before] + first * outputs[before, bit, 0] + second * outputs[before, bit, 1]
                    if value > best:
                        best = value
                        chosen[t, state] = oldest
                following[state] = best
            metric[:] = following
        state = 0
        for t in range(steps - 1, -1, -1):
            bits[row, t] = state // half
            state = (2 * state) % states + chosen[t, state]
    return bits
