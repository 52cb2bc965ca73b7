"""The context model in whole numbers: what both ends must agree on to the last bit.

Weights are multiples of 2^-14, what passes between layers multiples of 2^-8,
both held as whole numbers in float64. Everything between layers is bounded, so
the largest sum that weights can make is known when they are loaded; below 2^53
each product and each sum is exact in any order, and the same on any machine,
number of threads or instruction set. Weights that could exceed it are refused.

A mean comes out as a whole number of 1/32 of a step, a scale as the number of a
table: what `logistic_tables` turns into probabilities.

Source: compare [balle2019integer, Sec. 3]; carried out in float64 instead of integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from semlink.codecs.tokens.contexts import HIDDEN_MOST, SEEN_MOST, TURNS, ContextModel, GroupContext, scan_order
from semlink.codecs.tokens.logistic_tables import LOG_SCALE_ONE, MEAN_ONE, MEAN_REACH, scale_numbers
from semlink.codecs.tokens.networks import KNOB_STEPS
from semlink.errors import ModelError

WEIGHT_ONE = 2.0**14
ONE = 2.0**8  # 1 between layers
EXACT = 2.0**53
_SEEN_VALUES = math.ceil(math.sinh(SEEN_MOST))  # asinh of larger ones is cut


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of decoding: channels `first` to `last` at the places of one turn of the scan."""

    first: int
    last: int
    places: np.ndarray  # of the grid, flattened


@dataclass(frozen=True, slots=True)
class Expected:
    """Of the latents of a turn (places, channels): mean in 1/`MEAN_ONE` steps, and the number of the scale."""

    mean: np.ndarray
    scale: np.ndarray


Number = type[np.float64] | type[np.float32]

Visit = Callable[[Turn, Expected], np.ndarray]
"""Takes a turn and what is expected; gives the whole latents (places, channels)."""


class IntegerContexts:
    """The context networks of a trained code.

    Args:
        contexts: the trained networks.
        log_gain: of every knob and channel (knobs, channels), natural logarithm, float64.
        number: what whole numbers are held in: float64 for streams; float32 is twice as fast and nearly always gives
            the same, enough to estimate what a stream will take.

    Raises:
        ModelError: sums over such weights might not be exact.
    """

    def __init__(
        self, contexts: ContextModel, log_gain: np.ndarray, name: str = "weights", number: Number = np.float64
    ) -> None:
        self._groups = [_IntegerGroup(group, f"{name}: {place}", number) for place, group in enumerate(contexts.groups)]  # type: ignore[arg-type]
        self._number = number
        own = contexts.log_scale.detach().double().numpy()
        self._log_scale = np.rint((log_gain + own) * LOG_SCALE_ONE)
        self.latents = len(own)

    def walk(self, height: int, width: int, knob: int, visit: Visit) -> np.ndarray:
        """Whole latents (height, width, channels), turn by turn as `visit` gives them."""
        latents: np.ndarray = np.zeros((height * width, self.latents), self._number)
        places = turn_places(height, width)
        for group in self._groups:
            own = slice(group.first, group.last)
            view = group.view(latents[:, : group.first], (height, width), knob)
            for turn in range(TURNS):
                mean, spread = view.look(turn, places[turn])
                scale = scale_numbers(spread + self._log_scale[knob, own])
                values = visit(Turn(group.first, group.last, places[turn]), Expected(mean, scale))
                latents[places[turn], own] = values
                view.learn(places[turn], values)
        return latents.reshape(height, width, -1)


class _IntegerGroup:
    """`GroupContext` in whole numbers, its convolutions as products of matrices (9 inputs, outputs)."""

    def __init__(self, group: GroupContext, name: str, number: Number) -> None:
        self.first, self.last = group.first, group.last
        enter, middle, leave = (taps_of(layer) for layer in (group.enter, group.middle, group.leave))
        turns = (group.turn.weight + group.enter.bias).detach().double().numpy()
        turn_bias = np.rint(turns * WEIGHT_ONE * ONE)
        middle_bias, leave_bias = bias_of(group.middle), bias_of(group.leave)
        prove_exact(enter, np.abs(turn_bias).max(0), SEEN_MOST * ONE, f"{name}.enter")
        prove_exact(middle, np.abs(middle_bias), HIDDEN_MOST * ONE, f"{name}.middle")
        prove_exact(leave, np.abs(leave_bias), HIDDEN_MOST * ONE, f"{name}.leave")
        self.before: np.ndarray = enter[:, [*range(self.first), self.last + 1]].astype(number)  # and the knob
        self.own: np.ndarray = enter[:, self.first : self.last + 1].astype(number)  # and the plane of known places
        self.middle: np.ndarray = middle.reshape(-1, middle.shape[-1]).astype(number)
        self.leave = leave[0].astype(number)
        self.turn_bias: np.ndarray = turn_bias.astype(number)
        self.middle_bias: np.ndarray = middle_bias.astype(number)
        self.leave_bias: np.ndarray = leave_bias.astype(number)

    def view(self, before: np.ndarray, grid: tuple[int, int], knob: int) -> _View:
        """What this group sees of a grid where the groups `before` are known."""
        told = np.full((len(before), 1), ONE * knob / KNOB_STEPS, before.dtype)
        seen = np.concatenate((seen_values(before), told), 1)
        return _View(
            self, grid, surroundings(seen, grid, np.arange(len(seen))) @ self.before.reshape(-1, self.before.shape[-1])
        )


class _View:
    """One group at work on one grid: sums of the first layer so far, and what is known of its own channels."""

    def __init__(self, group: _IntegerGroup, grid: tuple[int, int], total: np.ndarray) -> None:
        self.group, self.grid, self.total = group, grid, total

    def look(self, turn: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and log scales (places, channels) as whole numbers."""
        group = self.group
        hidden = bounded(self.total + group.turn_bias[turn])
        middle = bounded(surroundings(hidden, self.grid, places) @ group.middle + group.middle_bias)
        out = rounded(middle @ group.leave + group.leave_bias, WEIGHT_ONE)
        mean, spread = np.split(out, 2, axis=1)
        mean = rounded(mean, ONE / MEAN_ONE).clip(-MEAN_REACH, MEAN_REACH)
        return mean, rounded(spread, ONE / LOG_SCALE_ONE)

    def learn(self, places: np.ndarray, values: np.ndarray) -> None:
        """Take up the values of a turn: each adds to the sums of its 3x3 surroundings."""
        height, width = self.grid
        fresh = np.empty((len(places), values.shape[1] + 1), self.total.dtype)
        fresh[:, :-1], fresh[:, -1] = seen_values(values), ONE
        padded = np.zeros((height + 2, width + 2, self.total.shape[1]), self.total.dtype)
        row, column = np.divmod(places, width)
        for tap, weights in enumerate(self.group.own):
            dy, dx = 2 - tap // 3, 2 - tap % 3  # a place is what stands at the opposite side of its neighbour
            padded[row + dy, column + dx] += fresh @ weights
        self.total = self.total + padded[1:-1, 1:-1].reshape(self.total.shape)


def turn_places(height: int, width: int) -> list[np.ndarray]:
    """The places of each turn, flattened."""
    order = scan_order(height, width).numpy().ravel()
    return [np.flatnonzero(order == turn) for turn in range(TURNS)]


def seen_values(latents: np.ndarray) -> np.ndarray:
    """`contexts.squashed` of whole latents, in units of 1/`ONE`."""
    size = np.abs(latents).clip(0, _SEEN_VALUES).astype(np.int64)
    return np.copysign(_SQUASHED[size], latents).astype(latents.dtype, copy=False)


def prove_exact(taps: np.ndarray, bias: np.ndarray, most: float, name: str) -> None:
    """Refuse weights (9, inputs, outputs) whose sums over inputs up to `most` could reach 2^53.

    Raises:
        ModelError: they could.
    """
    largest = float((np.abs(taps).sum((0, 1)) * most + bias).max())
    if not largest < EXACT:
        raise ModelError(
            f"{name}: sums over these weights may reach {largest:.3g} in whole numbers, allowed: below 2^53, where "
            "both ends agree to the last bit; train with smaller weights"
        )


def taps_of(layer) -> np.ndarray:
    """Weights of a convolution as whole numbers: (places of the window, inputs, outputs)."""
    weight = np.rint(layer.weight.detach().double().numpy() * WEIGHT_ONE)
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0).reshape(-1, weight.shape[1], weight.shape[0]))


def bias_of(layer) -> np.ndarray:
    return np.rint(layer.bias.detach().double().numpy() * WEIGHT_ONE * ONE)


def surroundings(x: np.ndarray, grid: tuple[int, int], places: np.ndarray) -> np.ndarray:
    """The 3x3 surroundings of places: (places, 9 inputs)."""
    height, width = grid
    padded = np.zeros((height + 2, width + 2, x.shape[1]), x.dtype)
    padded[1:-1, 1:-1] = x.reshape(height, width, -1)
    row, column = np.divmod(places, width)
    around = [padded[row + dy, column + dx] for dy in range(3) for dx in range(3)]
    return np.concatenate(around, 1)


def bounded(total: np.ndarray) -> np.ndarray:
    whole = rounded(total, WEIGHT_ONE)
    return whole.clip(0, HIDDEN_MOST * ONE, out=whole)


def rounded(x: np.ndarray, unit: float) -> np.ndarray:
    """x / unit to the nearest whole number; `unit` is a power of two, so nothing is lost before."""
    shifted = x * (1 / unit)
    shifted += 0.5
    return np.floor(shifted, out=shifted)


_SQUASHED = np.array([min(round(ONE * math.asinh(k)), SEEN_MOST * ONE) for k in range(_SEEN_VALUES + 1)])
