"""What single transmissions can carry, one by one: the channel's gain drawn again and again.

A transmission of n uses over gains g meets the mean capacity of its uses and
their mean dispersion; a bound for one transmission asks how both vary. Draws
come from fixed streams: the same channel always gets the same bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

from semlink.blocks import ChannelBase, LossChain
from semlink.errors import Infeasible
from semlink.phy.capacity import LOG2_E, gain_law
from semlink.phy.channels.fading import LOS_DOPPLER, NUM_WAVES, block_length

__all__ = [
    "Carried",
    "MANY_BLOCKS",
    "carried_by",
    "drawn_powers",
    "even_levels",
    "is_steady",
    "law_powers",
    "k_factor",
]

MANY_BLOCKS = 16  # from here on the mean over independent blocks counts as normal
_LEVELS = 2**16  # of a law that can be drawn at once
_CHAINS = 2**14  # of losses, side by side
_TRANSMISSIONS = 2**12  # where each one is drawn for itself
_LONGEST = 512  # steps of one; of a longer one this much is drawn and its spread scaled
_STEPS_A_TURN = 8  # steps of the gain in a period of the maximum Doppler shift
_SEED = 5457


@dataclass(frozen=True, slots=True)
class Carried:
    """Mean capacity in bits per use and mean dispersion in bits^2 per use of each drawn transmission: (draw,)."""

    information: np.ndarray
    dispersion: np.ndarray


def carried_by(channel: ChannelBase, snr: float, uses: int) -> Carried:
    """What transmissions of `uses` symbols through `channel` can carry at a mean SNR `snr` (a ratio).

    Raises:
        Infeasible: it is not known how the channel's gain varies.
    """
    if is_steady(channel):
        return _of_powers(np.ones((1, 1)), snr)
    chain = channel.loss_chain()
    if chain is not None:
        arrived = _arrived(chain, uses)
        through = _of_powers(np.ones((1, 1)), snr)
        return Carried(arrived * through.information, arrived * through.dispersion)
    powers = drawn_powers(channel, uses)
    if powers is not None:
        return _of_powers(powers, snr)
    k, coherence, doppler = k_factor(channel), channel.coherence, channel.doppler
    if k is not None and doppler is not None:
        powers, scale = _moving_powers(k, float(doppler), uses)
        return _narrowed(_of_powers(powers, snr), scale)
    if k is not None and coherence is not None:
        return _of_blocks(k, snr, uses, min(block_length(coherence, uses), uses))
    raise Infeasible(
        f"how the gain of {channel.name} varies within a transmission is not known; "
        "a channel may draw it as gain_powers(uses, draws)"
    )


def is_steady(channel: ChannelBase) -> bool:
    """Whether |h| is always 1."""
    return channel.law == "constant"


def k_factor(channel: ChannelBase) -> float | None:
    """Rician factor of the gain, 0 for Rayleigh, None for any other law."""
    match channel.law:
        case "rayleigh":
            return 0.0
        case ("rician", k):
            return float(k)
    return None


def drawn_powers(channel: ChannelBase, uses: int) -> np.ndarray | None:
    """|h|^2 that a channel draws itself: (draw, point); `uses` is rounded up to an eighth of an octave."""
    rounded = uses if uses < 8 else math.ceil(2 ** (math.ceil(8 * math.log2(uses)) / 8))
    try:
        return _drawn_powers(channel, rounded)
    except TypeError:  # a channel that cannot be hashed is drawn anew
        return _drawn_powers.__wrapped__(channel, rounded)


@lru_cache(maxsize=4)
def _drawn_powers(channel: ChannelBase, uses: int) -> np.ndarray | None:
    powers = channel.gain_powers(uses, _TRANSMISSIONS)
    return None if powers is None else np.asarray(powers, dtype=np.float32)


def _of_powers(powers: np.ndarray, snr: float) -> Carried:
    """Means over the points of each transmission: (draw, point) -> (draw,)."""
    through = snr * powers
    return Carried(np.log2(1 + through).mean(1, dtype=float), _dispersion(through).mean(1, dtype=float))


def _dispersion(snr: np.ndarray) -> np.ndarray:
    """Of complex AWGN, in bits^2 per use. Source: [polyanskiy2010, eq. (293)]."""
    return (1 - 1 / np.square(1 + snr)) * LOG2_E**2


def _of_blocks(k: float, snr: float, uses: int, length: int) -> Carried:
    """Independent blocks of `length` uses, the last one shorter; their gain follows a Rician law."""
    whole, rest = divmod(uses, length)
    weights = np.array([length] * min(whole, MANY_BLOCKS + 1) + [rest] * (rest > 0)) / uses
    if len(weights) == 1:
        return _of_powers(law_powers(k)[:, None], snr)
    if len(weights) > MANY_BLOCKS:
        alone = _of_powers(law_powers(k)[:, None], snr)
        spread = alone.information.std() * math.sqrt(whole * length**2 + rest**2) / uses
        information = np.maximum(alone.information.mean() + spread * ndtri(even_levels()), 0)
        return Carried(information, np.full(_LEVELS, alone.dispersion.mean()))
    rng = np.random.Generator(np.random.Philox(_SEED))
    scattered = rng.standard_normal((2, _LEVELS, len(weights))) * math.sqrt(0.5 / (k + 1))
    through = snr * (np.square(scattered[0] + math.sqrt(k / (k + 1))) + np.square(scattered[1]))
    return Carried(np.log2(1 + through) @ weights, _dispersion(through) @ weights)


def even_levels() -> np.ndarray:
    """Probabilities spread evenly over (0, 1)."""
    return (np.arange(_LEVELS) + 0.5) / _LEVELS


@lru_cache(maxsize=8)
def law_powers(k: float) -> np.ndarray:
    """|h|^2 at `even_levels()`; a Rician law, slow to invert, joined by straight lines."""
    if k == 0:
        return -np.log1p(-even_levels())
    knots = np.linspace(ndtri(even_levels()[0]), ndtri(even_levels()[-1]), 129)
    return np.interp(ndtri(even_levels()), knots, gain_law(k).ppf(ndtr(knots)))


@lru_cache(maxsize=8)
def _moving_powers(k: float, doppler: float, uses: int) -> tuple[np.ndarray, float]:
    """|h|^2 of a Rician gain that moves as Clarke's, at even steps: (draw, step); and a scale of its mean's spread.

    The waves are those of `clarke_gain`, all draws turning side by side.
    """
    step = uses if doppler == 0 else min(max(1, int(1 / (_STEPS_A_TURN * doppler))), uses)
    steps = -(-uses // step)
    drawn = min(steps, _LONGEST)
    cycles = doppler * step
    rng = np.random.Generator(np.random.Philox(_SEED))
    angles = 2 * np.pi * (np.arange(NUM_WAVES) + rng.random((_TRANSMISSIONS, NUM_WAVES))) / NUM_WAVES
    waves = np.exp(2j * np.pi * rng.random(angles.shape)).astype(np.complex64) / math.sqrt(NUM_WAVES * (k + 1))
    turn = np.exp(2j * np.pi * cycles * np.cos(angles)).astype(np.complex64)
    direct = math.sqrt(k / (k + 1)) * np.exp(2j * np.pi * rng.random(_TRANSMISSIONS))
    powers = np.empty((_TRANSMISSIONS, drawn), dtype=np.float32)
    for index in range(drawn):
        line = direct * np.exp(2j * np.pi * LOS_DOPPLER * cycles * index)
        powers[:, index] = np.square(np.abs(waves.sum(1) + line))
        waves *= turn
    return powers, math.sqrt(drawn / steps)


def _narrowed(carried: Carried, scale: float) -> Carried:
    """The same means, varying `scale` times as much about their own mean."""
    information, dispersion = (
        values.mean() + scale * (values - values.mean()) for values in (carried.information, carried.dispersion)
    )
    return Carried(information, dispersion)


def _arrived(chain: LossChain, uses: int) -> np.ndarray:
    """The share of the uses that arrives in each drawn transmission: (draw,); bursts are shorter than `_LONGEST`."""
    blocks = -(-uses // chain.block)
    drawn = min(blocks, _LONGEST)
    lengths = np.full(drawn, chain.block, dtype=np.float32)
    if drawn == blocks:
        lengths[-1] = uses - (blocks - 1) * chain.block
    odds = (chain.p_gb, chain.p_bg, chain.loss_good, chain.loss_bad)
    arrived = (_kept(odds, drawn).astype(np.float32) @ lengths).astype(float) / float(lengths.sum())
    mean = 1 - (chain.mean_loss or 0.0)
    return arrived if drawn == blocks else np.clip(mean + math.sqrt(drawn / blocks) * (arrived - mean), 0, 1)


@lru_cache(maxsize=8)
def _kept(odds: tuple[float, float, float, float], blocks: int) -> np.ndarray:
    """Which blocks arrive, all transmissions of a chain side by side: bool (draw, block)."""
    p_gb, p_bg, loss_good, loss_bad = odds
    rng = np.random.Generator(np.random.Philox(_SEED))
    kept = np.empty((_CHAINS, blocks), dtype=bool)
    bad = rng.random(_CHAINS, dtype=np.float32) < p_gb / (p_gb + p_bg)
    for index in range(blocks):
        chance = np.where(bad, loss_bad, loss_good)
        kept[:, index] = rng.random(_CHAINS, dtype=np.float32) >= chance
        turn = rng.random(_CHAINS, dtype=np.float32)
        bad = np.where(bad, turn >= p_bg, turn < p_gb)
    return kept
