"""Chunks of coefficients on the air as real numbers, and the few bytes that describe them.

A chunk is a group of coefficients that share a variance. The strongest are
sent, as many as there is room for, each with a power that follows from its
variance, and are mixed so that all numbers on the air are alike. A description
tells which chunks, and their variances in steps of 3 or 6 dB; it has to arrive
without error.

Source: [jakubczak2011].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from semlink.codecs.analogue.chunk_map import LEVEL_BITS, read_map, write_map
from semlink.codecs.analogue.power_allocation import GROUP, Allocation, allocate, distortion, estimate, mix
from semlink.codecs.entropy.binary_arithmetic import BitReader, BitWriter

__all__ = ["LEAST_SIDE_BYTES", "STEPS", "ChunkSender", "Described", "Description", "described", "description_of"]

STEPS = (2, 1)
"""Steps of log2 variance, alike: 6 dB and 3 dB."""
LEAST_SIDE_BYTES = 16
"""Hold the mean, the form of the map, and no chunk at all."""

_INDEX_BITS, _BYTE_BITS, _FLOOR_BITS = 3, 8, 7
_FLOOR_OFFSET = 64
_LOWEST_LOG2 = -30.0
_TRIM_RANGE = 1.5
"""log2 amplitude that the trim covers: quantised variances miss the true power by at most a factor of 2."""


@dataclass(frozen=True, slots=True)
class Description:
    """What the receiver is told.

    Attributes:
        chunk: the form of the chunks, as a place in the agreed list.
        step: of the levels, in log2 variance.
        floor: a chunk of level n has variance 2^(step * (floor + n)).
        mean: brightness of the clip in 1/255, where the codec takes it away.
        trim: what all amplitudes were multiplied with, quantised.
        levels: (t, h, w) over the grid of chunks, 0 where a chunk is not sent.
    """

    chunk: int
    step: int
    floor: int
    mean: int
    trim: int
    levels: np.ndarray

    @property
    def sent(self) -> np.ndarray:
        """Places of the chunks that are sent, in raster order."""
        return np.nonzero(self.levels.ravel())[0]

    @property
    def variances(self) -> np.ndarray:
        """Of a coefficient in each of them."""
        return np.exp2(self.step * (self.floor + self.levels.ravel()[self.sent]).astype(np.float64))

    @property
    def gain(self) -> float:
        """What `trim` stands for."""
        return 2.0 ** (_TRIM_RANGE * (self.trim / 255 - 0.5))


@dataclass(frozen=True, slots=True)
class Described:
    """A description with the chunks (k, n) that it is about."""

    told: Description
    chunks: np.ndarray


@dataclass(frozen=True, slots=True)
class ChunkSender:
    """How chunks become numbers of mean power 1, and come back.

    Attributes:
        allocation: of the power.
        whitening: mix the numbers with Hadamard matrices.
    """

    allocation: Allocation = "optimal"
    whitening: bool = True

    def best(self, candidates: Iterator[Described], noise_var: float) -> tuple[bytes, np.ndarray]:
        """Side information and numbers of the candidate with the least expected error; there has to be one."""
        return self.on_air(min(candidates, key=lambda found: self.error(found, noise_var)), noise_var)

    def error(self, found: Described, noise_var: float) -> float:
        """Expected square error over all coefficients."""
        told, chunks = found.told, found.chunks
        energies, each, sent = np.mean(chunks**2, axis=1), chunks.shape[1], told.sent
        if not len(sent):
            return float(energies.sum() * each)
        powers = self._powers(told, each, noise_var)
        true = powers * energies[sent] / told.variances
        lost = distortion(energies[sent], true / max(true.mean(), 1e-30), noise_var)
        return float((energies.sum() - energies[sent].sum() + lost.sum()) * each)

    def on_air(self, found: Described, noise_var: float) -> tuple[bytes, np.ndarray]:
        """Side information, and the numbers (m,), m even."""
        told, chunks = found.told, found.chunks
        sent, each = told.sent, chunks.shape[1]
        if not len(sent):
            return written(told), np.zeros(0)
        values = chunks[sent] * np.sqrt(self._powers(told, each, noise_var) / told.variances)[:, None]
        told = replace(told, trim=_trim(float(np.mean(values**2))))
        return written(told), mix(_woven(values), self._group) * told.gain

    def from_air(
        self, told: Description, each: int, heard: np.ndarray, heard_noise_var: np.ndarray, noise_var: float
    ) -> np.ndarray | None:
        """Chunks (k, each), zero where none was sent; None if the description does not fit what was heard.

        Args:
            heard: (m,) numbers, sent with mean power 1.
            heard_noise_var: (m,) of each of them; infinite where nothing arrived.
            noise_var: as the transmitter expected it.
        """
        sent = told.sent
        if len(heard) != _even(len(sent) * each):
            return None
        chunks = np.zeros((told.levels.size, each))
        if len(sent):
            powers = self._powers(told, each, noise_var)
            amplitudes = _woven(np.broadcast_to(np.sqrt(powers)[:, None], (len(sent), each))) * told.gain
            unit = estimate(heard, amplitudes, heard_noise_var, self._group)
            chunks[sent] = _unwoven(unit, len(sent), each) * np.sqrt(told.variances)[:, None]
        return chunks

    @property
    def _group(self) -> int:
        return GROUP if self.whitening else 1

    def _powers(self, told: Description, each: int, noise_var: float) -> np.ndarray:
        return allocate(told.variances, np.full(len(told.sent), each), noise_var, self.allocation)


Form = Callable[[], tuple[np.ndarray, tuple[int, ...]]]
"""Makes the chunks (k, n) of one form, and the grid (t, h, w) on which they lie."""


def descriptions(forms: Sequence[Form], num_reals: int, side_bytes: int, mean: int = 0) -> Iterator[Described]:
    """Descriptions that fit into `side_bytes`, of forms from the shortest description to the longest; at least one.

    Raises:
        ValueError: fewer than LEAST_SIDE_BYTES for the side information.
    """
    if side_bytes < LEAST_SIDE_BYTES:
        raise ValueError(f"{side_bytes} bytes of side information; need {LEAST_SIDE_BYTES} or more")
    found = False
    for place, form in enumerate(forms):
        chunks, grid = form()
        energies = np.mean(chunks**2, axis=1)
        room = min(num_reals // chunks.shape[1], len(chunks))
        for step in STEPS if room <= 8 * side_bytes else ():
            told = description_of(energies, room, grid, place, step, mean)
            if len(written(told)) > side_bytes:
                break
            found = True
            yield Described(told, chunks)
    if not found:
        yield _shortest(forms[0], num_reals, side_bytes, mean)


def _shortest(form: Form, num_reals: int, side_bytes: int, mean: int) -> Described:
    """As many of the first form of chunk as can be described."""
    chunks, grid = form()
    energies = np.mean(chunks**2, axis=1)
    room = min(num_reals // chunks.shape[1], len(chunks))
    while len(written(told := description_of(energies, room, grid, 0, STEPS[0], mean))) > side_bytes:
        room = room * 3 // 4
    return Described(told, chunks)


def description_of(
    energies: np.ndarray, room: int, grid: tuple[int, ...], chunk: int, step: int, mean: int
) -> Description:
    """The `room` strongest chunks and their levels, from the mean square `energies` (n,) of all."""
    levels = np.zeros(energies.shape, np.int64)
    sent = np.argsort(-energies, kind="stable")[:room]
    scaled = np.rint(np.maximum(np.log2(np.maximum(energies[sent], 1e-300)), _LOWEST_LOG2) / step).astype(np.int64)
    lowest, highest = (int(scaled.min()), int(scaled.max())) if room else (0, 0)
    floor = max(lowest - 1, highest - (1 << LEVEL_BITS) + 1)
    levels[sent] = np.maximum(scaled - floor, 1)
    return Description(chunk, step, floor, mean, 0, levels.reshape(grid))


def described(side: bytes, grids: Sequence[tuple[int, ...]]) -> Description:
    """The description that `side` holds, over the grid of its form of chunk; any bytes give one."""
    reader = BitReader(side)
    chunk = min(reader.get_number(_INDEX_BITS), len(grids) - 1)
    step = STEPS[reader.get_number(1)]
    mean, trim = reader.get_number(_BYTE_BITS), reader.get_number(_BYTE_BITS)
    floor = reader.get_number(_FLOOR_BITS) - _FLOOR_OFFSET
    return Description(chunk, step, floor, mean, trim, read_map(grids[chunk], reader))


def written(told: Description) -> bytes:
    """The bytes of a description."""
    writer = BitWriter()
    writer.put_number(told.chunk, _INDEX_BITS)
    writer.put_number(STEPS.index(told.step), 1)
    writer.put_number(told.mean, _BYTE_BITS)
    writer.put_number(told.trim, _BYTE_BITS)
    writer.put_number(told.floor + _FLOOR_OFFSET, _FLOOR_BITS)
    write_map(told.levels, writer)
    return writer.finish()


def _trim(power: float) -> int:
    """The largest gain that keeps the mean power of the numbers at most 1."""
    wanted = -0.5 * math.log2(max(power, 1e-30))
    return min(max(math.floor((wanted / _TRIM_RANGE + 0.5) * 255), 0), 255)


def _woven(values: np.ndarray) -> np.ndarray:
    """Chunks (k, n) as one row in which neighbours come from different chunks, of even length."""
    row = values.T.ravel()
    return np.append(row, 0.0) if len(row) % 2 else row


def _unwoven(row: np.ndarray, count: int, each: int) -> np.ndarray:
    return row[: count * each].reshape(each, count).T


def _even(number: int) -> int:
    return number + number % 2
