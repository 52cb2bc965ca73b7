"""Probabilities of whole latents: rounded logistic distributions for every scale and every fraction of a mean.

A latent k under mean m / 32 and scale number s is coded as k minus the whole
part of the mean, under the table of (s, fraction). Scales lie 8 to a factor of
e; from the whole numbers to the tables nothing depends on the last bits of exp.

What rounding took away from a latent has a law too: that of the logistic
variable within the unit interval around k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
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
VARIANCE_ONE = 2.0**6  # a factor of e between variances of what rounding took away
NODES = 12  # of the integral over a part of a step; to 1e-12
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


def split_values(values: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole values less the whole parts of their means, and the fractions: both flat."""
    whole, fraction = split_means(mean.ravel())
    return values.ravel().astype(np.int64) - whole, fraction


def table_columns(residual: np.ndarray, scale: int) -> np.ndarray:
    """Where in the tables of a scale values less the whole parts of their means stand; what is beyond, at the end."""
    column = residual + reach(scale)
    return np.where((column < 0) | (column > 2 * reach(scale)), 2 * reach(scale) + 1, column)


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


@dataclass(frozen=True, slots=True)
class Remainders:
    """Of what rounding took away, y - k, where k was decoded: (fractions, 2 reach + 2), laid out as `tables`.

    `mean` in steps; `variance` as the whole number of 1/`VARIANCE_ONE` of its natural logarithm.
    """

    mean: np.ndarray
    variance: np.ndarray


@cache
def remainders(scale: int) -> Remainders:
    """Of a scale; of a value beyond the tables nothing is known, so that all places within its step are alike."""
    far = reach(scale)
    fraction = (np.arange(int(MEAN_ONE))[:, None] - MEAN_ONE / 2) / MEAN_ONE
    mean, variance = _within_step(np.arange(-far, far + 1) - fraction, scale_of(scale))
    beyond = np.full((len(mean), 1), 1 / 12)
    classes = np.rint(VARIANCE_ONE * np.log(np.concatenate((variance, beyond), 1)))
    return Remainders(np.concatenate((mean, 0 * beyond), 1), classes.astype(np.int64))


def _within_step(off: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of r on -1/2 .. 1/2 with the density of a logistic variable at `off` + r from its mean.

    Gauss-Legendre over parts no wider than the scale; all terms are positive, so nothing cancels.
    """
    parts = max(1, math.ceil(1 / width))
    node, weight = np.polynomial.legendre.leggauss(NODES)
    place = ((node + 1) / 2 + np.arange(parts)[:, None]).ravel() / parts - 0.5
    x = np.abs(off[..., None] + place) / width
    log_density = -x - 2 * np.log1p(np.exp(-x))
    share = np.exp(log_density - log_density.max(-1, keepdims=True)) * np.tile(weight, parts)
    share /= share.sum(-1, keepdims=True)
    mean = (share * place).sum(-1)
    return mean, (share * (place - mean[..., None]) ** 2).sum(-1)
