"""Whole latents to bytes and back, each under the table of its scale and of the fraction of its mean.

Latents of one scale are coded together, each with its own row of probabilities;
a value beyond its table follows as the Elias gamma code of `range_coding`.

Source: constriction's range coder.
"""

from __future__ import annotations

from collections.abc import Iterator

import constriction
import numpy as np

from semlink.codecs.entropy.range_coder import FAIR, FARTHEST, gamma_code, read_gamma
from semlink.codecs.tokens.logistic_tables import reach, split_means, split_values, table_columns, tables

_ROWS = constriction.stream.model.Categorical(perfect=False)  # a row of probabilities for every value


class LatentWriter:
    """Takes latents and gives bytes."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def put(self, values: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> None:
        """Code whole `values` with means in 1/32 step and numbers of scales, all of one shape."""
        residual, fraction = split_values(values, mean)
        for number, here in scale_groups(scale):
            index = table_columns(residual[here], number)
            self._coder.encode(index.astype(np.int32), _ROWS, tables(number)[fraction[here]])
            for value in residual[here][index == _escape(number)]:
                self._coder.encode(gamma_code(int(value)), FAIR)

    def bytes(self) -> bytes:
        """All that was coded."""
        return self._coder.get_compressed().astype(">u4").tobytes().rstrip(b"\0")


MOST_LEFT, MOST_LEFT_SHARE = 64, 0.002
"""Bits that a stream may have beyond what its latents say: the coder's last words, and how finely it takes chances."""
MOST_LACKING = 40
"""Bits that it may lack: zero bytes at its end are not sent."""


class LatentReader:
    """Takes bytes and gives the latents back; from damaged bytes others, never an error.

    Attributes:
        said: bits that what was taken so far says, -sum log2 p.
    """

    def __init__(self, data: bytes) -> None:
        self._size, self.said = 8 * len(data), 0.0
        words = np.frombuffer(data + bytes(-len(data) % 4), ">u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def take(self, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """The next whole values, of the shape of `mean`."""
        whole, fraction = split_means(mean.ravel())
        residual = np.zeros(whole.shape, np.int64)
        try:
            for number, here in scale_groups(scale):
                residual[here] = self._residuals(number, fraction[here])
        except AssertionError:  # how constriction says that no encoder wrote this
            pass
        return np.clip(residual + whole, -FARTHEST, FARTHEST).reshape(mean.shape)

    def ends_with_its_bytes(self) -> bool:
        """Whether what was taken says as many bits as there were, so that an encoder of the same network wrote them.

        Another network expects other values: it would end long before the bytes do, or want more.
        """
        left = self._size - self.said
        return -MOST_LACKING <= left <= MOST_LEFT + MOST_LEFT_SHARE * self._size

    def _residuals(self, number: int, fraction: np.ndarray) -> np.ndarray:
        chances = tables(number)[fraction]
        index = self._coder.decode(_ROWS, chances).astype(np.int64)
        self.said -= float(np.log2(chances[np.arange(len(index)), index]).sum())
        found = index - reach(number)
        for place in np.flatnonzero(index == _escape(number)):
            found[place] = read_gamma(self._fair_bit)
        return found

    def _fair_bit(self) -> int:
        self.said += 1
        return int(self._coder.decode(FAIR))


def coded_bits(values: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> float:
    """Bits that a writer should take, but for its last word: -sum log2 p."""
    residual, fraction = split_values(values, mean)
    total = 0.0
    for number, here in scale_groups(scale):
        index = table_columns(residual[here], number)
        total -= float(np.log2(tables(number)[fraction[here], index]).sum())
        total += sum(len(gamma_code(int(value))) for value in residual[here][index == _escape(number)])
    return total


def scale_groups(scale: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(scale, places of the values that it codes), in the order of coding."""
    flat = scale.ravel()
    order = np.argsort(flat, kind="stable")
    numbers, starts = np.unique(flat[order], return_index=True)
    return zip(map(int, numbers), np.split(order, starts[1:]))


def _escape(number: int) -> int:
    return 2 * reach(number) + 1
