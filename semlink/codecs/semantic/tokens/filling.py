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
        low, high = -30.0, 10.0  # logarithms of prices of a pair: cheap, dear
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if self.pairs[self._cheapest(middle)].sum() > pairs:
                low = middle
            else:
                high = middle
        return topped_up(self._cheapest(high), -self.errors, self.pairs, pairs)

    def _cheapest(self, log_price: float) -> np.ndarray:
        return (self.errors + math.exp(log_price) * self.pairs).argmin(-1)


@dataclass(frozen=True, slots=True)
class PolicyLevels:
    """The likeliest levels of a policy whose log-probabilities (rows, columns, levels) follow from a log price."""

    chances: Callable[[float], np.ndarray]
    pairs: np.ndarray
    prices: tuple[float, float]

    def at_price(self, price: float) -> np.ndarray:
        return self.chances(math.log(price)).argmax(-1)

    def within(self, pairs: int) -> np.ndarray:
        low, high = (math.log(price) for price in self.prices)
        for _ in range(HALVINGS // 2):
            middle = (low + high) / 2
            if self.pairs[self.chances(middle).argmax(-1)].sum() > pairs:
                low = middle
            else:
                high = middle
        scores = self.chances(high)
        levels = _cut_down(scores.argmax(-1), scores, self.pairs, pairs)
        return topped_up(levels, scores, self.pairs, pairs)


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


def _cut_down(levels: np.ndarray, worth: np.ndarray, pairs: np.ndarray, most: int) -> np.ndarray:
    """One level less, again and again, where a pair of it is worth least, until `most` pairs in all are kept."""
    levels = levels.copy()
    while int(pairs[levels].sum()) > most and levels.any():
        below = np.maximum(levels - 1, 0)
        loss = (_at(worth, levels) - _at(worth, below)) / np.maximum(pairs[levels] - pairs[below], 1)
        place = np.unravel_index(np.where(levels > 0, loss, np.inf).argmin(), levels.shape)
        levels[place] -= 1
    return levels


def _at(worth: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return np.take_along_axis(worth, levels[..., None], -1)[..., 0]
