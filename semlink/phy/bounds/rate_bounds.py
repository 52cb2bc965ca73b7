"""Bounds as codings: how many bits a number of channel uses could carry at best.

A bound never meets the channel; its rows are marked and drawn dashed. It
needs the channel's law: white noise has one, other channels name theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from semlink.blocks import ChannelBase, RateBoundBase
from semlink.errors import Infeasible
from semlink.phy.bounds.gain_statistics import (
    MANY_BLOCKS,
    Carried,
    carried_by,
    drawn_powers,
    even_levels,
    is_steady,
    k_factor,
    law_powers,
)
from semlink.phy.capacity import bicm_capacity, cm_capacity, gain_law, normal_approximation, shannon
from semlink.phy.channels.fading import block_length
from semlink.units import from_db

__all__ = [
    "CapacityBound",
    "ErrorFreeBits",
    "FiniteBlocklengthBound",
    "OutageCapacityBound",
    "block_outage_rate",
    "capacity_of",
    "rate_at",
]

DRAWS = 2**18
GAIN_NODES = 128  # of a mean over the gain
_DRAW_KEY = 5457
_FEWEST_BEYOND = 4  # draws that a stated probability needs beyond it
_MOST_USES = 2**32


def capacity_of(channel: ChannelBase, snr_db: float, over_white_noise: Callable[[float], float] = shannon) -> float:
    """Bits a channel use; what the channel itself states, or the mean of `over_white_noise` over its gain.

    The receiver knows the gain: its phase, what was lost, and an interferer, whatever that would cost it.

    Raises:
        Infeasible: the channel states neither a capacity nor the law of its gain.
    """
    own = channel.capacity(snr_db) if over_white_noise is shannon else None
    if own is not None:
        return float(own)
    powers, shares = _gain_powers(channel)
    return sum(share * over_white_noise(from_db(snr_db) * power) for power, share in zip(powers, shares))


def _gain_powers(channel: ChannelBase) -> tuple[list[float], list[float]]:
    """Values of |h|^2 and how often they are met, as far as anything gets through."""
    if is_steady(channel):
        return [1.0], [1.0]
    if channel.loss_chain() is not None:
        return [1.0], [1.0 - (channel.mean_loss or 0.0)]
    k = k_factor(channel)
    drawn = drawn_powers(channel, 1) if k is None else None
    if drawn is not None:
        powers = np.sort(drawn.ravel())
        return [float(part.mean()) for part in np.array_split(powers, GAIN_NODES)], [1 / GAIN_NODES] * GAIN_NODES
    if k is None:
        raise Infeasible(f"no capacity is known for {channel.name}; a channel may state one as capacity(snr_db)")
    nodes, weights = np.polynomial.legendre.leggauss(GAIN_NODES)
    return gain_law(k).ppf((nodes + 1) / 2).tolist(), (weights / 2).tolist()


@dataclass(frozen=True, slots=True)
class CapacityBound(RateBoundBase):
    """Error-free bits at capacity, log2(1 + SNR) a channel use on AWGN, its mean over the gain where it fades.

    With `bits_per_symbol` the input is uniform square QAM (CM), and with
    `bitwise` the receiver judges each bit by itself (BICM, Gray labels).
    Source: [shannon1948, theorem 17]; channels that fade say theirs.
    """

    bits_per_symbol: int | None = None
    bitwise: bool = False

    def bits(self, uses: int, snr_db: float, channel: ChannelBase) -> float:
        """Bits that `uses` channel uses carry at most."""
        return uses * self._rate(snr_db, channel)

    def uses(self, bits: int, snr_db: float, channel: ChannelBase) -> int:
        """Channel uses that `bits` need at least."""
        return math.ceil(bits / self._rate(snr_db, channel))

    def _rate(self, snr_db: float, channel: ChannelBase) -> float:
        if self.bits_per_symbol is None:
            return capacity_of(channel, snr_db)
        return capacity_of(
            channel, snr_db, partial(bicm_capacity if self.bitwise else cm_capacity, self.bits_per_symbol)
        )


@dataclass(frozen=True, slots=True)
class ErrorFreeBits(RateBoundBase):
    """Bits that arrive whatever the channel does, one for each use: what source codecs cost in bits per pixel."""

    def bits(self, uses: int, snr_db: float, channel: ChannelBase) -> float:
        """As many bits as channel uses."""
        return float(uses)

    def uses(self, bits: int, snr_db: float, channel: ChannelBase) -> int:
        """As many channel uses as bits."""
        return bits


@dataclass(frozen=True, slots=True)
class FiniteBlocklengthBound(RateBoundBase):
    """The normal approximation for one code word as long as the whole transmission, its error averaged over the gain.

    Source: [polyanskiy2010, eq. (296)]; [yang2014, sec. V] for a gain that fades.
    """

    bler: float = 1e-3

    def bits(self, uses: int, snr_db: float, channel: ChannelBase) -> float:
        """Bits that `uses` channel uses carry at a block error rate of `bler`."""
        snr = from_db(snr_db)
        if is_steady(channel):
            return uses * normal_approximation(snr, uses, self.bler)
        return uses * rate_at(_enough(carried_by(channel, snr, uses), self.bler, channel), uses, self.bler)

    def uses(self, bits: int, snr_db: float, channel: ChannelBase) -> int:
        """Channel uses that `bits` need at that block error rate."""
        return _fewest(lambda uses: self.bits(uses, snr_db, channel) >= bits)


@dataclass(frozen=True, slots=True)
class OutageCapacityBound(RateBoundBase):
    """The rate that all transmissions but a share `outage` can carry, one code word over the whole of each.

    Source: [tse2005, eq. (5.57)]; [ozarow1994] for a gain that changes from block to block.
    """

    outage: float = 0.1

    def bits(self, uses: int, snr_db: float, channel: ChannelBase) -> float:
        """Bits that `uses` channel uses carry unless the gain is among its worst `outage`."""
        snr, k, coherence = from_db(snr_db), k_factor(channel), channel.coherence
        if k is None or coherence is None or channel.doppler is not None:
            carried = _enough(carried_by(channel, snr, uses), self.outage, channel)
            return uses * float(np.quantile(carried.information, self.outage, method="inverted_cdf"))
        length = min(block_length(coherence, uses), uses)
        whole, rest = divmod(uses, length)
        return uses * block_outage_rate(snr, self.outage, k, whole, rest / length)

    def uses(self, bits: int, snr_db: float, channel: ChannelBase) -> int:
        """Channel uses that `bits` need."""
        return _fewest(lambda uses: self.bits(uses, snr_db, channel) >= bits)


@lru_cache(maxsize=4096)
def block_outage_rate(snr: float, outage: float, k: float, blocks: int, part: float = 0.0) -> float:
    """The `outage` quantile of the mean capacity of independent fading blocks, in bits per use.

    Args:
        k: Rician factor of the gain, 0 for Rayleigh.
        blocks: of full length; `part` is the length of one more, shorter one.
    One block has a closed form; more are drawn from a fixed stream, and many are as good as normal.
    """
    law = gain_law(k)
    if blocks == 1 and part == 0:
        return math.log2(1 + snr * float(law.ppf(outage)))
    weights = np.array([1.0] * blocks + ([part] if part else []))
    weights /= weights.sum()
    drawn = 1 if len(weights) > MANY_BLOCKS else len(weights)
    levels = np.random.Generator(np.random.Philox(_DRAW_KEY)).random((DRAWS, drawn))
    carried = np.log2(1 + snr * (-np.log1p(-levels) if k == 0 else np.interp(levels, even_levels(), law_powers(k))))
    if drawn == 1:
        spread = float(carried.std() * np.sqrt(np.square(weights).sum()))
        return max(float(carried.mean()) + float(ndtri(outage)) * spread, 0.0)
    return float(np.quantile(carried @ weights, outage))


def rate_at(carried: Carried, uses: int, bler: float) -> float:
    """The rate whose error probability, averaged over the drawn transmissions of `uses` symbols, is `bler`.

    E[Q((I + log2(2 n) / (2 n) - R) / sqrt(V / n))], the logarithm kept where it does not lead beyond I.
    Source: [yang2014, sec. V], [polyanskiy2010, eq. (296)].
    """
    deviation = np.sqrt(carried.dispersion / uses)
    bonus = np.clip(-float(ndtri(bler)) * deviation, 0, math.log2(2 * uses) / (2 * uses))
    middle, deviation = carried.information + bonus, np.maximum(deviation, 1e-12)

    def excess(rate: float) -> float:
        return float(ndtr((rate - middle) / deviation).mean()) - bler

    return 0.0 if excess(0.0) >= 0 else float(brentq(excess, 0.0, float((middle + 9 * deviation).max())))


def _enough(carried: Carried, probability: float, channel: ChannelBase) -> Carried:
    """The same, if the draws reach as far as `probability`."""
    draws = len(carried.information)
    if 1 < draws < _FEWEST_BEYOND / min(probability, 1 - probability):
        raise Infeasible(
            f"bounds over {channel.name} rest on {draws} drawn transmissions, too few for a probability of "
            f"{probability:g}; at least {_FEWEST_BEYOND / draws:.2g} is needed"
        )
    return carried


def _fewest(enough: Callable[[int], bool]) -> int:
    """The fewest channel uses that are enough, if more never carry less."""
    low, high = 0, 64
    while not enough(high):
        if high > _MOST_USES:
            raise Infeasible(f"no transmission of up to {high} channel uses carries as much")
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
