"""The contexts of one-bit maps in whole numbers: both ends agree to the last bit, on every machine.

Weights are multiples of 2^-14, what passes between layers multiples of 2^-8, both held as whole numbers in float64; the
largest sum that weights can make is known when they are loaded, and below 2^53 it is exact in any order.

Source: compare [balle2019integer, Sec. 3]; as `codecs.tokens.integer_contexts`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from semlink.codecs.delta_sigma.tokens.contexts import CHANNELS_ONE, CLASS_ONE, FACTS, BitContexts
from semlink.codecs.tokens.contexts import HIDDEN_MOST, TURNS
from semlink.codecs.tokens.integer_contexts import (
    ONE,
    WEIGHT_ONE,
    bias_of,
    bounded,
    prove_exact,
    rounded,
    surroundings,
    taps_of,
    turn_places,
)

LOGIT_ONE = 2.0**4
LOGIT_REACH = 192  # 12, a chance of 6e-6
MOST_FACT = 8.0  # of a plane beside the bits

Visit = Callable[[slice, np.ndarray, np.ndarray], np.ndarray]
"""Takes which bit of a block, the places (flattened) that send it, and their logits; gives the bits, -1 and 1."""


@dataclass(frozen=True, slots=True)
class Group:
    """What both ends know of a group before its bits: all (rows, columns).

    `last` (rows, columns, bits) are those of the group before, 0 where there are none; None for a first group.
    """

    classes: np.ndarray
    counts: np.ndarray
    last: np.ndarray | None


class IntegerBitContexts:
    """The trained contexts, carried out in whole numbers.

    Raises:
        ModelError: sums over such weights might not be exact.
    """

    def __init__(self, contexts: BitContexts, name: str = "weights") -> None:
        self.channels, self.steps = contexts.channels, contexts.steps
        self.bits = self.channels * self.steps
        enter, middle, leave = (taps_of(layer) for layer in (contexts.enter, contexts.middle, contexts.leave))
        turns = (contexts.turn.weight + contexts.enter.bias).detach().double().numpy()
        self.turn_bias = np.rint(turns * WEIGHT_ONE * ONE)
        self.middle_bias, self.leave_bias = bias_of(contexts.middle), bias_of(contexts.leave)
        self.own, self.remember, self.recall = (
            np.rint(weights.detach().double().numpy() * WEIGHT_ONE) for weights in contexts.masked
        )
        self.memory = len(self.remember) // self.channels
        prove_exact(enter, np.abs(self.turn_bias).max(0), MOST_FACT * ONE, f"{name}: enter")
        prove_exact(middle, np.abs(self.middle_bias), HIDDEN_MOST * ONE, f"{name}: middle")
        prove_exact(leave, np.abs(self.leave_bias), HIDDEN_MOST * ONE, f"{name}: leave")
        prove_exact(self.remember.T[None], np.full(len(self.remember), 2.0**45), ONE, f"{name}: remember")
        both = np.concatenate((self.own, self.recall), 1).T[None]
        prove_exact(both, np.full(self.bits, 2.0**45), HIDDEN_MOST * ONE, f"{name}: own and recall")
        around = [*range(self.bits), *range(2 * self.bits + 1, 2 * self.bits + FACTS)]
        self.before = enter[:, around].reshape(-1, enter.shape[2])
        self.here = enter[:, self.bits : 2 * self.bits + 1]
        self.middle, self.leave = middle.reshape(-1, middle.shape[2]), leave[0]

    def walk(self, group: Group, visit: Visit) -> np.ndarray:
        """Bits (rows, columns, bits) of -1 and 1, 0 where not sent, turn by turn as `visit` gives them."""
        grid = group.counts.shape
        counts, bits = group.counts.ravel(), np.zeros((group.counts.size, self.bits))
        total = surroundings(self._facts(group), grid, np.arange(counts.size)) @ self.before
        for turn, places in enumerate(turn_places(*grid)):
            met = bounded(total + self.turn_bias[turn])
            met = bounded(surroundings(met, grid, places) @ self.middle + self.middle_bias)
            seen = rounded(met @ self.leave + self.leave_bias, WEIGHT_ONE) * WEIGHT_ONE
            bits[places] = self._blocks(seen, counts[places], _of_places(visit, places))
            if turn + 1 < TURNS:
                total = total + self._spread(bits, places, grid)
        return bits.reshape(*grid, -1)

    def _blocks(self, seen: np.ndarray, counts: np.ndarray, visit: Visit) -> np.ndarray:
        """Bits (places, bits) of the blocks of one turn."""
        bits, memory = np.zeros((len(counts), self.bits)), np.zeros((len(counts), len(self.remember)))
        for channel in range(int(counts.max(initial=0))):
            first, know = channel * self.steps, slice(channel * self.memory, (channel + 1) * self.memory)
            told = seen[:, self.bits :][:, know] + ONE * (bits[:, :first] @ self.remember[know, :first].T)
            memory[:, know] = bounded(told)
            own = slice(first, first + self.steps)
            logits = seen[:, own] + ONE * (bits[:, :first] @ self.own[own, :first].T)
            logits += memory[:, : know.stop] @ self.recall[own, : know.stop].T
            some = np.flatnonzero(counts > channel)
            for step in range(first, own.stop):
                now = logits[some, step - first] + ONE * (bits[some, first:step] @ self.own[step, first:step])
                whole = rounded(now, WEIGHT_ONE * ONE / LOGIT_ONE).clip(-LOGIT_REACH, LOGIT_REACH)
                bits[some, step] = visit(slice(step, step + 1), some, whole.astype(np.int64))
        return bits

    def _facts(self, group: Group) -> np.ndarray:
        """Planes that do not change within a group (places, bits + FACTS - 1), in units of 1/`ONE`."""
        size = group.counts.size
        last = np.zeros((size, self.bits)) if group.last is None else group.last.reshape(size, -1)
        planes = (
            group.classes.ravel() * (ONE / CLASS_ONE),
            group.counts.ravel() * (ONE / CHANNELS_ONE),
            np.full(size, 0.0 if group.last is None else ONE),
        )
        return np.concatenate((last * ONE, np.stack(planes, 1)), 1)

    def _spread(self, bits: np.ndarray, places: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
        """What the bits of a turn add to the sums of the first layer around them."""
        height, width = grid
        fresh = np.concatenate((bits[places], np.ones((len(places), 1))), 1) * ONE
        padded = np.zeros((height + 2, width + 2, self.here.shape[2]))
        row, column = np.divmod(places, width)
        for tap, weights in enumerate(self.here):
            padded[row + 2 - tap // 3, column + 2 - tap % 3] += fresh @ weights
        return padded[1:-1, 1:-1].reshape(height * width, -1)


def _of_places(visit: Visit, places: np.ndarray) -> Visit:
    """`visit` for numbers of `places` instead of places."""
    return lambda at, some, logits: visit(at, places[some], logits)
