"""Probabilities of whole latents: rounded logistic distributions for every scale and every fraction of a mean.

A latent k under mean m / 32 and scale number s is coded as k minus the whole
part of the mean, under the table of (s, fraction). Scales lie 8 to a factor of
e; from the whole numbers to the tables nothing depends on the last bits of exp.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

MEAN_ONE = 2.0**5  # a step, in the units of a mean
MEAN_REACH = MEAN_ONE * 2**14  # largest mean
LOG_SCALE_ONE = 2.0**8  # a factor of e
SCALES_PER_FACTOR = 8
BOTTOM = -4  # ln of the smallest scale, 0.018
NUM_SCALES = 77  # up to ln 5.5, 245
TAIL = 11.0  # how many scales a table reaches from the mean; what is beyond is coded as another value
MOST_REACH = 255
LEAST = 2.0**-22
GRAIN = 2.0**28  # probabilities are rounded to multiples of its inverse; no entry is near a tie, see the tests


def scale_numbers(log_scale: np.ndarray) -> np.ndarray:
    """The number of the table nearest to each log scale, both whole numbers."""
    above = log_scale - BOTTOM * LOG_SCALE_ONE
    number = np.floor((2 * above * SCALES_PER_FACTOR + LOG_SCALE_ONE) / (2 * LOG_SCALE_ONE))
    return number.clip(0, NUM_SCALES - 1).astype(np.int64)


def split_means(mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole part, and fraction in 0 .. 31, of means in 1/32: the whole part is the nearest whole number."""
    whole = np.floor(mean / MEAN_ONE + 0.5)
    return whole.astype(np.int64), (mean - whole * MEAN_ONE + MEAN_ONE / 2).astype(np.int64)


@cache
def reach(scale: int) -> int:
    """How far from the whole part of a mean the tables of a scale go."""
    return min(MOST_REACH, 1 + math.ceil(TAIL * scale_of(scale)))


def scale_of(number: int) -> float:
    """The scale of a number."""
    return math.exp(BOTTOM + number / SCALES_PER_FACTOR)


@cache
def tables(scale: int) -> np.ndarray:
    """Of a scale: (fractions, 2 reach + 2) probabilities of -reach .. reach and, at the end, of any other value."""
    far, width = reach(scale), scale_of(scale)
    rows = []
    for fraction in range(int(MEAN_ONE)):
        mean = (fraction - MEAN_ONE / 2) / MEAN_ONE
        mass = [_mass(k - mean, width) for k in range(-far, far + 1)]
        rows.append(_tidy(mass))
    return np.stack(rows)


def _mass(off: float, width: float) -> float:
    """Of the unit interval around a distance from the mean, without cancellation: both ends on the falling side."""
    off = abs(off)
    return _tail((off - 0.5) / width) - _tail((off + 0.5) / width)


def _tail(x: float) -> float:
    return 1 / (1 + math.exp(x)) if x < 700 else 0.0


def _tidy(mass: list[float]) -> np.ndarray:
    whole = np.maximum(mass, LEAST)
    whole = np.append(whole, max(1.0 - float(sum(mass)), LEAST))
    return np.round(whole / math.fsum(whole) * GRAIN) / GRAIN
