"""Gray-mapped QAM and soft demapping.

Log-likelihood ratios are log P(bit = 0) / P(bit = 1) in the whole project:
positive means 0. Bits take turns: the first, third, ... of a symbol choose its
real part, the others the imaginary part, so that each part is a PAM of its own.

Source: [3gpp38211, 5.1].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from semlink.errors import ChannelFault
from semlink.kernels.compiled import compiled
from semlink.phy.soft_demapping import BLOCK, demap_bpsk, demap_parts, parts_to_steps

Demapper = Literal["exact", "max-log"]
_AT_ONCE = 128  # symbols mapped side by side
MODULATIONS = {"bpsk": 1, "qpsk": 2, "16qam": 4, "64qam": 6, "256qam": 8, "1024qam": 10}


def map_bits(bits: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Symbols of unit average power: uint8 (..., n * bits_per_symbol) to complex64 (..., n)."""
    _check_order(bits_per_symbol)
    if bits.shape[-1] % bits_per_symbol:
        raise ValueError(f"{bits.shape[-1]} bits; need a multiple of {bits_per_symbol} for whole symbols")
    labels = np.ascontiguousarray(bits, np.uint8).reshape(-1, bits_per_symbol)
    iq = np.empty(len(labels), np.complex64)
    _map(labels, constellation(bits_per_symbol), iq)
    return iq.reshape(*bits.shape[:-1], -1)


def map_buffers(buffers: np.ndarray, places: Places) -> np.ndarray:
    """Symbols of the bits at `places` of uint8 (row, code block, width): complex64 (row, n)."""
    iq = np.empty((len(buffers), places.positions.shape[1]), np.complex64)
    _map_buffers(buffers, places.first, places.positions, places.flips, constellation(len(places.positions)), iq)
    return iq


def demap(
    iq: np.ndarray, noise_var: np.ndarray | float, bits_per_symbol: int, *, demapper: Demapper = "exact"
) -> np.ndarray:
    """LLRs of the sent bits: complex64 (..., n) to float32 (..., n * bits_per_symbol).

    Args:
        iq: received symbols, equalised to gain 1.
        noise_var: E|w|^2 of each symbol, broadcast to `iq`; where it is
            infinite nothing arrived and the LLRs are 0.
        bits_per_symbol: of the constellation, see `MODULATIONS`.
        demapper: `exact` sums over all symbols, which is what an LLR means; `max-log` compares the nearest
            symbol of either kind, half the work, and 0.1 to 0.6 dB worse at low rates from 16-QAM on.
    Raises:
        ValueError: a noise variance that is negative or NaN.
        ChannelFault: a symbol that is not a number.
    """
    _check_order(bits_per_symbol)
    weight = _inverse_noise(noise_var, iq.shape)
    flat = np.ascontiguousarray(iq, np.complex64).reshape(-1)
    llr = np.empty((flat.size, bits_per_symbol), np.float32)
    if bits_per_symbol == 1:
        demap_bpsk(flat, weight, llr)
    else:
        demap_parts(_parts(flat), weight, pam_levels(bits_per_symbol // 2), _is_exact(bits_per_symbol, demapper), llr)
    if not np.isfinite(llr.sum(dtype=np.float64)):
        raise ChannelFault(f"symbol {_first_fault(llr)} to demap is not finite; the channel must return numbers")
    return llr.reshape(*iq.shape[:-1], -1)


def demap_rows(
    iq: np.ndarray, noise_var: np.ndarray | float, bits_per_symbol: int, rows: np.ndarray, *, demapper: Demapper
) -> np.ndarray:
    """Some rows of what `demap` makes of `iq` (row, n), to the last bit, whatever stands beside them."""
    if 4 * len(rows) > len(iq):
        return demap(iq, noise_var, bits_per_symbol, demapper=demapper)[rows]
    noise = np.broadcast_to(np.asarray(noise_var, np.float32), iq.shape).reshape(-1)
    flat, length = iq.reshape(-1), iq.shape[1]
    found = np.empty((len(rows), length * bits_per_symbol), np.float32)
    for place, row in enumerate(rows):
        # Blocks of symbols that are worked on together begin where they would, after one that fills up a short one.
        start = max(row * length // BLOCK - 1, 0) * BLOCK
        stop = min(-(-(row + 1) * length // BLOCK) * BLOCK, flat.size)
        llr = demap(flat[start:stop], noise[start:stop], bits_per_symbol, demapper=demapper)
        found[place] = llr[(row * length - start) * bits_per_symbol :][: found.shape[1]]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the bits of a row of symbols stand in buffers of `width`.

    Attributes:
        first: int64 (code block + 1,), the symbols of each.
        positions: int32 (bit, symbol) in the buffer of its block; none comes twice.
        flips: int8 (bit, symbol), -1 where the bit is flipped and its LLR negated, 0 elsewhere.
    """

    first: np.ndarray
    positions: np.ndarray
    flips: np.ndarray
    width: int


def demap_to_steps(
    iq: np.ndarray, noise_var: np.ndarray | float, places: Places, scale: tuple[int, int], demapper: Demapper
) -> np.ndarray:
    """What `demap` says, rounded to int8 where the decoder reads it: complex64 (row, n) to (row, code block, width).

    No LLR stands in memory as a float. `scale` is steps per LLR and the most steps.

    Raises:
        ValueError, ChannelFault: as `demap`.
    """
    order = len(places.positions)
    weight = _inverse_noise(noise_var, iq.shape)
    iq = np.ascontiguousarray(iq, np.complex64)
    levels, is_exact = pam_levels(order // 2), _is_exact(order, demapper)
    steps = np.zeros((len(iq), len(places.first) - 1, places.width), np.int8)
    per_llr, most = (np.float32(number) for number in scale)
    where = places.first, places.positions, places.flips, steps
    if not parts_to_steps(_parts(iq.reshape(-1)), weight, levels, is_exact, per_llr, most, *where):
        demap(iq, noise_var, order, demapper=demapper)  # says which symbol is at fault
    return steps


def _parts(flat: np.ndarray) -> np.ndarray:
    return flat.view(np.float32).reshape(-1, 2)


def _is_exact(bits_per_symbol: int, demapper: Demapper) -> bool:
    """Whether sums are to be taken; a part of two levels has none."""
    return demapper == "exact" and bits_per_symbol > 2


@lru_cache(maxsize=8)
def pam_levels(num_bits: int) -> np.ndarray:
    """Amplitude of each label, first bit most significant: float32 (2^num_bits,).

    Two such parts make a QAM symbol of unit average power.
    """
    label = np.arange(2**num_bits)
    level = np.zeros(2**num_bits)
    for j in range(num_bits):
        level = (1 - 2 * (label >> j & 1)) * (2**j - level)
    return (level / np.sqrt(2 * np.mean(level**2))).astype(np.float32)


@lru_cache(maxsize=8)
def constellation(bits_per_symbol: int) -> np.ndarray:
    """The point of each label, first bit most significant: complex64 (2^bits_per_symbol,)."""
    _check_order(bits_per_symbol)
    label = np.arange(2**bits_per_symbol)
    if bits_per_symbol == 1:
        return ((1 - 2 * label) * (1 + 1j) / np.sqrt(2)).astype(np.complex64)
    real, imag = np.zeros_like(label), np.zeros_like(label)
    for i in range(bits_per_symbol - 1, 0, -2):
        real, imag = real << 1 | label >> i & 1, imag << 1 | label >> (i - 1) & 1
    levels = pam_levels(bits_per_symbol // 2)
    return (levels[real] + 1j * levels[imag]).astype(np.complex64)


def _check_order(bits_per_symbol: int) -> None:
    if bits_per_symbol not in MODULATIONS.values():
        allowed = ", ".join(f"{m} ({name})" for name, m in MODULATIONS.items())
        raise ValueError(f"{bits_per_symbol!r} bits per symbol; allowed: {allowed}")


def _inverse_noise(noise_var: np.ndarray | float, shape: tuple[int, ...]) -> np.ndarray:
    """1 / noise_var for every symbol, flat: float32; no noise counts as very little."""
    noise: np.ndarray = np.asarray(noise_var, np.float32)
    if not (noise >= 0).all():
        raise ValueError(f"noise variance is {noise[~(noise >= 0)].flat[0]}; need 0 or more, or infinity")
    weight = np.float32(1) / np.maximum(noise, np.float32(1e-12))
    return np.ascontiguousarray(np.broadcast_to(weight, shape)).reshape(-1)


def _first_fault(llr: np.ndarray) -> int:
    return int(np.argmin(np.isfinite(llr).all(axis=-1)))


@compiled(nogil=True)
def _map(labels, points, iq):
    for s in range(len(labels)):
        label = 0
        for i in range(labels.shape[1]):
            label = label << 1 | labels[s, i]
        iq[s] = points[label]


@compiled(nogil=True)
def _map_buffers(buffers, first, positions, flips, points, iq):
    """Bit by bit over many symbols, whose bits follow each other in the buffer but for a few places."""
    labels = np.empty(_AT_ONCE, np.int16)
    for row in range(len(iq)):
        for r in range(len(first) - 1):
            for s0 in range(first[r], first[r + 1], _AT_ONCE):
                n = min(_AT_ONCE, first[r + 1] - s0)
                labels[:] = 0
                for k in range(len(positions)):
                    _append_bit(labels, buffers[row, r], positions[k, s0:], flips[k, s0:], n)
                for i in range(n):
                    iq[row, s0 + i] = points[labels[i]]


@compiled(nogil=True)
def _append_bit(labels, buffer, positions, flips, count):
    start = positions[0]
    if positions[count - 1] - start == count - 1:
        run = buffer[start:]
        for i in range(count):
            labels[i] = labels[i] << 1 | (run[i] ^ flips[i]) & 1
    else:
        for i in range(count):
            labels[i] = labels[i] << 1 | (buffer[positions[i]] ^ flips[i]) & 1
