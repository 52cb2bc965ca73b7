"""What single transmissions can carry, one by one: the channel's gain drawn again and again.

A transmission of n uses over gains g meets the mean capacity of its uses and
their mean dispersion; a bound for one transmission asks how both vary. Draws
come from fixed streams: the same channel always gets the same bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from semlink.errors import Infeasible
from semlink.phy.capacity import LOG2_E, gain_law
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.erasures import Erasure, GilbertElliott
from semlink.phy.channels.fading import LOS_DOPPLER, NUM_WAVES, Rayleigh, Rician, block_length
from semlink.phy.channels.interference import Interference

__all__ = [
    "Carried",
    "MANY_BLOCKS",
    "carried_by",
    "drawn_powers",
    "even_levels",
    "is_steady",
    "law_powers",
    "k_factor",
    "name_of",
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


def carried_by(channel: Any, snr: float, uses: int) -> Carried:
    """What transmissions of `uses` symbols through `channel` can carry at a mean SNR `snr` (a ratio).

    Raises:
        Infeasible: it is not known how the channel's gain varies.
    """
    if is_steady(channel):
        return _of_powers(np.ones((1, 1)), snr)
    if isinstance(channel, Erasure | GilbertElliott):
        arrived = _arrived(channel, uses)
        through = _of_powers(np.ones((1, 1)), snr)
        return Carried(arrived * through.information, arrived * through.dispersion)
    if callable(getattr(channel, "gain_powers", None)):
        return _of_powers(drawn_powers(channel, uses), snr)
    k, coherence = k_factor(channel), getattr(channel, "coherence", None)
    if k is not None and coherence is not None and getattr(channel, "doppler", None) is None:
        return _of_blocks(k, snr, uses, min(block_length(coherence, uses), uses))
    if isinstance(channel, Rayleigh | Rician):
        powers, scale = _moving_powers(channel, uses)
        return _narrowed(_of_powers(powers, snr), scale)
    raise Infeasible(
        f"how the gain of {name_of(channel)} varies within a transmission is not known; "
        "a channel may draw it as gain_powers(uses, draws)"
    )


def is_steady(channel: Any) -> bool:
    """Whether |h| is always 1."""
    return isinstance(channel, Awgn | Interference) or getattr(channel, "law", None) == "constant"


def k_factor(channel: Any) -> float | None:
    """Rician factor of the gain, 0 for Rayleigh, None for any other law."""
    law = getattr(channel, "law", None)
    if law == "rayleigh":
        return 0.0
    return float(law[1]) if isinstance(law, tuple) and law[0] == "rician" else None


def name_of(channel: Any) -> str:
    """The channel's kind, for messages."""
    return type(channel).__name__.lower()


def drawn_powers(channel: Any, uses: int) -> np.ndarray:
    """|h|^2 that a channel with `gain_powers` draws: (draw, point); `uses` is rounded up to an eighth of an octave."""
    rounded = uses if uses < 8 else math.ceil(2 ** (math.ceil(8 * math.log2(uses)) / 8))
    try:
        return _drawn_powers(channel, rounded)
    except TypeError:  # a channel that cannot be hashed is drawn anew
        return _drawn_powers.__wrapped__(channel, rounded)


@lru_cache(maxsize=4)
def _drawn_powers(channel: Any, uses: int) -> np.ndarray:
    return np.asarray(channel.gain_powers(uses, _TRANSMISSIONS), dtype=np.float32)


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
def _moving_powers(channel: Rayleigh | Rician, uses: int) -> tuple[np.ndarray, float]:
    """|h|^2 of a gain that moves, at even steps: (draw, step); and what the spread of its mean is scaled by.

    The waves are those of `clarke_gain`, all draws turning side by side.
    """
    doppler = float(channel.doppler or 0)
    step = uses if doppler == 0 else min(max(1, int(1 / (_STEPS_A_TURN * doppler))), uses)
    steps = -(-uses // step)
    drawn = min(steps, _LONGEST)
    k, cycles = k_factor(channel) or 0.0, doppler * step
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


def _arrived(channel: Erasure | GilbertElliott, uses: int) -> np.ndarray:
    """The share of the uses that arrives in each drawn transmission: (draw,); bursts are shorter than `_LONGEST`."""
    blocks = -(-uses // channel.block)
    drawn = min(blocks, _LONGEST)
    lengths = np.full(drawn, channel.block, dtype=np.float32)
    if drawn == blocks:
        lengths[-1] = uses - (blocks - 1) * channel.block
    arrived = (_kept(_as_chain(channel), drawn).astype(np.float32) @ lengths).astype(float) / float(lengths.sum())
    mean = 1 - channel.mean_loss
    return arrived if drawn == blocks else np.clip(mean + math.sqrt(drawn / blocks) * (arrived - mean), 0, 1)


def _as_chain(channel: Erasure | GilbertElliott) -> GilbertElliott:
    """Independent losses are a chain that forgets at every step."""
    if isinstance(channel, GilbertElliott):
        return replace(channel, block=1)
    return GilbertElliott(channel.probability, 1 - channel.probability)


@lru_cache(maxsize=8)
def _kept(chain: GilbertElliott, blocks: int) -> np.ndarray:
    """Which blocks arrive, all transmissions of the chain side by side: bool (draw, block)."""
    rng = np.random.Generator(np.random.Philox(_SEED))
    kept = np.empty((_CHAINS, blocks), dtype=bool)
    bad = rng.random(_CHAINS, dtype=np.float32) < chain.p_gb / (chain.p_gb + chain.p_bg)
    for index in range(blocks):
        chance = np.where(bad, chain.loss_bad, chain.loss_good)
        kept[:, index] = rng.random(_CHAINS, dtype=np.float32) >= chance
        turn = rng.random(_CHAINS, dtype=np.float32)
        bad = np.where(bad, turn >= chain.p_bg, turn < chain.p_gb)
    return kept
