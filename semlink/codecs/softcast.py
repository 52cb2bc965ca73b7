"""SoftCast: video as real numbers on the air, without quantisation or channel code.

The coefficients of a transform are cut into chunks of equal size. The chunks
with the most energy are sent as many as there is room, each with a power that
follows from its variance, and are mixed so that all numbers on the air are
alike. The receiver makes the best linear guess. What it must know beforehand
(mean brightness, which chunks, their variances in steps of 3 or 6 dB) is the
side information; it is a few bytes and has to arrive without error.

Source: [jakubczak2011].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from semlink.codecs.analogue import GROUP, Allocation, allocate, distortion, estimate, mix
from semlink.codecs.binary_coder import BitReader, BitWriter
from semlink.codecs.block_transform import Block, Transform, analyse, padded_shape, synthesise
from semlink.codecs.chunk_map import LEVEL_BITS, read_map, write_map

__all__ = ["CHUNKS", "LEAST_SIDE_BYTES", "Description", "SoftCast", "described", "description_of"]

CHUNKS: tuple[Block, ...] = ((2, 32, 32), (1, 32, 32), (1, 16, 16), (1, 12, 12), (1, 8, 8), (1, 6, 6), (1, 4, 4))
"""Chunks that are tried, from the shortest description to the longest."""
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
        chunk: frequencies of a chunk along (t, h, w), as a place in the agreed list.
        step: of the levels, in log2 variance.
        floor: a chunk of level n has variance 2^(step * (floor + n)).
        mean: brightness of the clip in 1/255.
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
class SoftCast:
    """A linear codec of video for `num_reals` real numbers of mean power 1.

    Attributes:
        transform: `dct`, or `klt` of a fixed AR(1) model.
        gop: frames transformed together; None for the whole clip.
        block: edge of the blocks of pixels transformed together; None for whole frames.
        chunk: frequencies of a chunk along (t, h, w); None to try CHUNKS on each clip.
        allocation: of the power.
        whitening: mix the numbers with Hadamard matrices.
    """

    transform: Transform = "dct"
    gop: int | None = None
    block: int | None = None
    chunk: Block | None = None
    allocation: Allocation = "optimal"
    whitening: bool = True

    def encode(
        self, clip: np.ndarray, *, num_reals: int, side_bytes: int, noise_var: float
    ) -> tuple[bytes, np.ndarray]:
        """Side information of at most `side_bytes`, and at most `num_reals` numbers (m,), m even.

        Args:
            clip: (t, h, w) in [0, 1].
            noise_var: expected on each real number, whose mean power is 1.
        Raises:
            ValueError: fewer than LEAST_SIDE_BYTES for the side information.
        """
        if side_bytes < LEAST_SIDE_BYTES:
            raise ValueError(f"{side_bytes} bytes of side information; need {LEAST_SIDE_BYTES} or more")
        mean = round(float(np.clip(clip.mean(dtype=np.float64), 0, 1)) * 255)
        coefficients = analyse(clip.astype(np.float64) - mean / 255, self._block_of(clip.shape), self.transform)
        best, least = None, math.inf
        for told, chunks in self._descriptions(coefficients, num_reals, side_bytes, mean):
            error = self._error(told, chunks, noise_var)
            if error < least:
                best, least = (told, chunks), error
        assert best is not None
        return self._on_air(*best, noise_var)

    def decode(
        self, side: bytes, heard: np.ndarray, heard_noise_var: np.ndarray, shape: tuple[int, ...], *, noise_var: float
    ) -> np.ndarray | None:
        """Frames (t, h, w) in [0, 1]; None if the side information does not fit what was heard.

        Args:
            side: as sent, or with zeros behind.
            heard: (m,) numbers, sent with mean power 1.
            heard_noise_var: (m,) of each of them; infinite where nothing arrived.
            noise_var: as the transmitter expected it.
        """
        block = self._block_of(shape)
        whole = padded_shape(shape, block)
        told = described(side, [_grid(whole, chunk) for chunk in self._chunks()])
        chunk = self._chunks()[told.chunk]
        sent, each = told.sent, prod(chunk)
        if len(heard) != _even(len(sent) * each):
            return None
        chunks = np.zeros((told.levels.size, each))
        if len(sent):
            powers = allocate(told.variances, np.full(len(sent), each), noise_var, self.allocation)
            amplitudes = _woven(np.broadcast_to(np.sqrt(powers)[:, None], (len(sent), each))) * told.gain
            unit = estimate(heard, amplitudes, heard_noise_var, self._group)
            chunks[sent] = _unwoven(unit, len(sent), each) * np.sqrt(told.variances)[:, None]
        pixels = synthesise(_unchunked(chunks, whole, chunk), shape, block, self.transform) + told.mean / 255
        return np.clip(pixels, 0, 1).astype(np.float32)

    @property
    def _group(self) -> int:
        return GROUP if self.whitening else 1

    def _block_of(self, shape: tuple[int, ...]) -> Block:
        t, h, w = shape
        return min(self.gop or t, t), min(self.block or h, h), min(self.block or w, w)

    def _chunks(self) -> tuple[Block, ...]:
        return CHUNKS if self.chunk is None else (self.chunk,)

    def _descriptions(
        self, coefficients: np.ndarray, num_reals: int, side_bytes: int, mean: int
    ) -> Iterator[tuple[Description, np.ndarray]]:
        """Descriptions that fit into `side_bytes`, each with its chunks (k, n); at least one."""
        found = False
        for place, chunk in enumerate(self._chunks()):
            chunks = _chunked(coefficients, chunk)
            energies = np.mean(chunks**2, axis=1)
            room = min(num_reals // prod(chunk), len(chunks))
            for step in STEPS if room <= 8 * side_bytes else ():
                told = description_of(energies, room, _grid(coefficients.shape, chunk), place, step, mean)
                if len(_written(told)) > side_bytes:
                    break
                found = True
                yield told, chunks
        if not found:
            yield self._shortest(coefficients, num_reals, side_bytes, mean)

    def _shortest(
        self, coefficients: np.ndarray, num_reals: int, side_bytes: int, mean: int
    ) -> tuple[Description, np.ndarray]:
        """As many of the first kind of chunk as can be described."""
        chunk = self._chunks()[0]
        chunks, grid = _chunked(coefficients, chunk), _grid(coefficients.shape, chunk)
        energies = np.mean(chunks**2, axis=1)
        room = min(num_reals // prod(chunk), len(chunks))
        while len(_written(told := description_of(energies, room, grid, 0, STEPS[0], mean))) > side_bytes:
            room = room * 3 // 4
        return told, chunks

    def _error(self, told: Description, chunks: np.ndarray, noise_var: float) -> float:
        """Expected square error over all coefficients."""
        energies, each = np.mean(chunks**2, axis=1), chunks.shape[1]
        sent = told.sent
        if not len(sent):
            return float(energies.sum() * each)
        powers = allocate(told.variances, np.full(len(sent), each), noise_var, self.allocation)
        true = powers * energies[sent] / told.variances
        lost = distortion(energies[sent], true / max(true.mean(), 1e-30), noise_var)
        return float((energies.sum() - energies[sent].sum() + lost.sum()) * each)

    def _on_air(self, told: Description, chunks: np.ndarray, noise_var: float) -> tuple[bytes, np.ndarray]:
        sent, each = told.sent, chunks.shape[1]
        if not len(sent):
            return _written(told), np.zeros(0)
        powers = allocate(told.variances, np.full(len(sent), each), noise_var, self.allocation)
        values = chunks[sent] * np.sqrt(powers / told.variances)[:, None]
        told = replace(told, trim=_trim(float(np.mean(values**2))))
        return _written(told), mix(_woven(values), self._group) * told.gain


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


def described(side: bytes, grids: list[tuple[int, ...]]) -> Description:
    """The description that `side` holds, over the grid of its kind of chunk; any bytes give one."""
    reader = BitReader(side)
    chunk = min(reader.get_number(_INDEX_BITS), len(grids) - 1)
    step = STEPS[reader.get_number(1)]
    mean, trim = reader.get_number(_BYTE_BITS), reader.get_number(_BYTE_BITS)
    floor = reader.get_number(_FLOOR_BITS) - _FLOOR_OFFSET
    return Description(chunk, step, floor, mean, trim, read_map(grids[chunk], reader))


def _written(told: Description) -> bytes:
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


def _grid(shape: tuple[int, ...], chunk: Block) -> tuple[int, ...]:
    return tuple(-(-size // length) for size, length in zip(shape, chunk))


def _chunked(coefficients: np.ndarray, chunk: Block) -> np.ndarray:
    """Coefficients (t, h, w) as chunks (k, n), with zeros where a chunk reaches beyond them."""
    t, h, w = grid = _grid(coefficients.shape, chunk)
    room = [(0, count * length - size) for count, length, size in zip(grid, chunk, coefficients.shape)]
    cut = np.pad(coefficients, room).reshape(t, chunk[0], h, chunk[1], w, chunk[2])
    return cut.transpose(0, 2, 4, 1, 3, 5).reshape(t * h * w, prod(chunk))


def _unchunked(chunks: np.ndarray, shape: tuple[int, ...], chunk: Block) -> np.ndarray:
    """Coefficients (t, h, w) of `shape` from chunks (k, n)."""
    t, h, w = _grid(shape, chunk)
    joined = chunks.reshape(t, h, w, *chunk).transpose(0, 3, 1, 4, 2, 5)
    return joined.reshape(t * chunk[0], h * chunk[1], w * chunk[2])[tuple(slice(size) for size in shape)]


def _woven(values: np.ndarray) -> np.ndarray:
    """Chunks (k, n) as one row in which neighbours come from different chunks, of even length."""
    row = values.T.ravel()
    return np.append(row, 0.0) if len(row) % 2 else row


def _unwoven(row: np.ndarray, count: int, each: int) -> np.ndarray:
    return row[: count * each].reshape(each, count).T


def _even(number: int) -> int:
    return number + number % 2
