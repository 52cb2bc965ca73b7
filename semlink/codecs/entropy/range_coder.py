"""Whole numbers to bytes and back, each under a model from a table; about as many bits as its surprise.

A table gives the probabilities of the values from `low` on, and one more for
"another value", which then follows in the Elias gamma code. Values under the
same table are coded together. What the receiver needs besides the bytes is
which table belongs to which value; both ends compute that in whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import constriction
import numpy as np

__all__ = ["FAIR", "ModelTable", "Reader", "Writer", "gamma_code", "gaussian_tables", "read_gamma", "table_bits"]

SCALE_BOTTOM = 0.11
SCALES_PER_OCTAVE = 5.5
NUM_SCALES = 64  # up to 0.11 * 2^(63 / 5.5) = 308
LEAST = 2.0**-22  # probability of any table entry
GRAIN = 2.0**30  # probabilities are rounded to multiples of its inverse, away from the last bits of erf
FARTHEST = 2**15  # magnitude of a value; larger ones are cut
GAMMA_BITS = 17
FAIR = constriction.stream.model.Uniform(2)


@dataclass(frozen=True, slots=True)
class ModelTable:
    """Probabilities of `low`, `low` + 1, ..., and at the end of any other value."""

    low: int
    probabilities: np.ndarray

    @property
    def escape(self) -> int:
        """The index that stands for any other value."""
        return len(self.probabilities) - 1

    @classmethod
    def of(cls, low: int, masses: np.ndarray) -> ModelTable:
        """A table from the masses of values from `low` on; what lacks to one goes to other values."""
        masses = np.maximum(np.asarray(masses, np.float64), LEAST)
        other = max(1.0 - float(masses.sum()), LEAST)
        whole = np.append(masses, other)
        return cls(low, np.round(whole / whole.sum() * GRAIN) / GRAIN)


class Writer:
    """Takes values and gives bytes."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def put(self, values: np.ndarray, tables: np.ndarray, models: Sequence[ModelTable]) -> None:
        """Code whole `values`, of which number i stands under `models[tables[i]]`."""
        values = np.clip(values.astype(np.int64).ravel(), -FARTHEST, FARTHEST)
        for number, here in _groups(tables):
            model = models[number]
            index = _indices(values[here], model)
            self._coder.encode(index.astype(np.int32), _categorical(model.probabilities.tobytes()))
            for value in values[here][index == model.escape]:
                self._coder.encode(gamma_code(int(value)), FAIR)

    def bytes(self) -> bytes:
        """All that was coded."""
        return self._coder.get_compressed().astype(">u4").tobytes().rstrip(b"\0")


class Reader:
    """Takes bytes and gives the values back; from damaged bytes other values, zero where they make no sense."""

    def __init__(self, data: bytes) -> None:
        words = np.frombuffer(data + bytes(-len(data) % 4), ">u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def take(self, tables: np.ndarray, models: Sequence[ModelTable]) -> np.ndarray:
        """The next values, flat, one for each entry of `tables`."""
        values = np.zeros(tables.size, np.int64)
        try:
            for number, here in _groups(tables):
                values[here] = self._values(models[number], len(here))
        except AssertionError:  # how constriction says that no encoder wrote this
            pass
        return np.clip(values, -FARTHEST, FARTHEST)

    def _values(self, model: ModelTable, count: int) -> np.ndarray:
        index = self._coder.decode(_categorical(model.probabilities.tobytes()), count).astype(np.int64)
        found = index + model.low
        for place in np.flatnonzero(index == model.escape):
            found[place] = read_gamma(lambda: int(self._coder.decode(FAIR)))
        return found


def table_bits(values: np.ndarray, tables: np.ndarray, models: Sequence[ModelTable]) -> float:
    """Bits that a `Writer` should take, but for its last word: -sum log2 p."""
    total = 0.0
    values = values.astype(np.int64).ravel()
    for number, here in _groups(tables):
        model = models[number]
        index = _indices(values[here], model)
        total -= float(np.log2(model.probabilities[index]).sum())
        total += sum(len(gamma_code(int(value))) for value in values[here][index == model.escape])
    return total


@cache
def gaussian_tables() -> tuple[ModelTable, ...]:
    """Rounded zero-mean Gaussians of `NUM_SCALES` scales, `SCALES_PER_OCTAVE` to an octave.

    Source: [balle2018hyperprior].
    """
    return tuple(_gaussian(SCALE_BOTTOM * 2 ** (n / SCALES_PER_OCTAVE)) for n in range(NUM_SCALES))


def _gaussian(scale: float) -> ModelTable:
    reach = math.ceil(5 * scale) + 1
    edges = [0.5 * math.erfc(-(k - 0.5) / scale * 0.5**0.5) for k in range(-reach, 1)]  # up to -1/2: no cancellation
    tail = np.diff(edges)
    middle = 1 - 2 * edges[-1]
    return ModelTable.of(-reach, np.concatenate((tail, [middle], tail[::-1])))


def _groups(tables: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(table, places of the values that it codes), in the order of coding."""
    flat = tables.ravel()
    order = np.argsort(flat, kind="stable")
    numbers, starts = np.unique(flat[order], return_index=True)
    return [(int(number), here) for number, here in zip(numbers, np.split(order, starts[1:]))] if flat.size else []


def _indices(values: np.ndarray, model: ModelTable) -> np.ndarray:
    index = values - model.low
    return np.where((index < 0) | (index >= model.escape), model.escape, index)


@cache
def _categorical(probabilities: bytes) -> constriction.stream.model.Categorical:
    return constriction.stream.model.Categorical(np.frombuffer(probabilities, np.float64), perfect=False)


def gamma_code(value: int) -> np.ndarray:
    """Elias gamma of a whole number, positive and negative in turn: so many zeros, then the number with its bits."""
    whole = 2 * value if value > 0 else 1 - 2 * value
    bits = [int(bit) for bit in f"{whole:b}"]
    return np.array([0] * (len(bits) - 1) + bits, np.int32)


def read_gamma(bit: Callable[[], int]) -> int:
    zeros = 0
    while zeros < GAMMA_BITS and not bit():
        zeros += 1
    whole = 1
    for _ in range(zeros):
        whole = 2 * whole + bit()
    return whole // 2 if whole % 2 == 0 else (1 - whole) // 2
