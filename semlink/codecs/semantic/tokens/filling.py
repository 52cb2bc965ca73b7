"""Levels of groups for a price or a budget: the price is found by halving, and what is left goes to the keenest.

Source: this project; the price takes the place of mu in [zhang2024crl, eq. (14)].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["PolicyLevels", "PredictedLevels", "topped_up"]

HALVINGS = 24


@dataclass(frozen=True, slots=True)
class PredictedLevels:
    """Levels of least predicted error: `errors` (rows, columns, levels) fall, `pairs` (levels) rise.

    A price is that of a symbol, beside the clip's error at the lowest level.
    """

    errors: np.ndarray
    pairs: np.ndarray

    def at_price(self, price: float) -> np.ndarray:
        return self._cheapest(math.log(2 * price * float(self.errors[..., 0].mean())))

    def within(self, pairs: int) -> np.ndarray:
        levels = _at_least_price(self._cheapest, self.pairs, pairs)
        return topped_up(levels, -self.errors, self.pairs, pairs)

    def _cheapest(self, log_price: float) -> np.ndarray:
        """At a price of a pair."""
        return (self.errors + math.exp(log_price) * self.pairs).argmin(-1)


@dataclass(frozen=True, slots=True)
class PolicyLevels:
    """The likeliest levels of a policy that takes a step of the table up to a log price of a symbol.

    `thresholds` (rows, columns, levels - 1) are these prices; `log_reference` is the logarithm of the clip's error at
    the lowest level, beside which `at_price` is told prices.
    """

    thresholds: np.ndarray
    pairs: np.ndarray
    log_reference: float

    def at_price(self, price: float) -> np.ndarray:
        return self._likeliest(math.log(price) + self.log_reference)

    def within(self, pairs: int) -> np.ndarray:
        levels = _at_least_price(self._likeliest, self.pairs, pairs)
        steps = (np.exp(self.thresholds - self.thresholds.max()) * np.diff(self.pairs)).cumsum(-1)
        return topped_up(levels, np.insert(steps, 0, 0.0, -1), self.pairs, pairs)

    def _likeliest(self, log_price: float) -> np.ndarray:
        return np.insert((self.thresholds - log_price).cumsum(-1), 0, 0.0, -1).argmax(-1)


def _at_least_price(chosen: Callable[[float], np.ndarray], pairs: np.ndarray, most: int) -> np.ndarray:
    """The levels that `chosen` makes of the lowest log price at which they take at most `most` pairs."""
    low, high = -30.0, 10.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if pairs[chosen(middle)].sum() > most:
            low = middle
        else:
            high = middle
    return chosen(high)


def topped_up(levels: np.ndarray, worth: np.ndarray, pairs: np.ndarray, most: int) -> np.ndarray:
    """One level more, again and again, where a pair of it is worth most, as long as `most` pairs in all allow it."""
    levels = levels.copy()
    left, top = most - int(pairs[levels].sum()), len(pairs) - 1
    while True:
        above = np.minimum(levels + 1, top)
        step = pairs[above] - pairs[levels]
        gain = (_at(worth, above) - _at(worth, levels)) / np.maximum(step, 1)
        able = (levels < top) & (step <= left)
        if not able.any():
            return levels
        place = np.unravel_index(np.where(able, gain, -np.inf).argmax(), levels.shape)
        left -= int(step[place])
        levels[place] += 1


def _at(worth: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return np.take_along_axis(worth, levels[..., None], -1)[..., 0]
