"""SoftCast: video as real numbers on the air, without quantisation or channel code.

The coefficients of a transform are cut into chunks of equal size. The chunks
with the most energy are sent as many as there is room, each with a power that
follows from its variance, and are mixed so that all numbers on the air are
alike. The receiver makes the best linear guess. What it must know beforehand
(mean brightness, which chunks, their variances in steps of 3 or 6 dB) is the
side information; it is a few bytes and has to arrive without error.

Colour planes are transformed each by itself, and their coefficients lie one
behind the other as further frames. RGB is turned first, without changing any
distance, so that most of its energy is in one plane: (R + G + B) / sqrt 3,
(R - B) / sqrt 2 and (R - 2 G + B) / sqrt 6.

Source: [jakubczak2011]; the planes that RGB is turned into: [ohta1980].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np

from semlink.codecs.analogue.block_transform import Block, Transform, analyse, padded_shape, synthesise
from semlink.codecs.analogue.chunks import (
    LEAST_SIDE_BYTES,
    ChunkSender,
    Description,
    described,
    description_of,
    descriptions,
)
from semlink.codecs.analogue.power_allocation import Allocation
from semlink.colour.layout import Colour, apart, planes_of, stacked, together

__all__ = ["CHUNKS", "LEAST_SIDE_BYTES", "Description", "SoftCast", "described", "description_of"]

CHUNKS: tuple[Block, ...] = ((2, 32, 32), (1, 32, 32), (1, 16, 16), (1, 12, 12), (1, 8, 8), (1, 6, 6), (1, 4, 4))
"""Chunks that are tried, from the shortest description to the longest."""

_TURN = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
"""Rows of an orthonormal matrix: what of R, G and B each plane is."""
_NEUTRAL = 128 / 255


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
        colour: of the frames.
    """

    transform: Transform = "dct"
    gop: int | None = None
    block: int | None = None
    chunk: Block | None = None
    allocation: Allocation = "optimal"
    whitening: bool = True
    colour: Colour = "gray"

    def encode(
        self, clip: np.ndarray, *, num_reals: int, side_bytes: int, noise_var: float
    ) -> tuple[bytes, np.ndarray]:
        """Side information of at most `side_bytes`, and at most `num_reals` numbers (m,), m even.

        Args:
            clip: (t, rows, w) in [0, 1].
            noise_var: expected on each real number, whose mean power is 1.
        Raises:
            ValueError: fewer than LEAST_SIDE_BYTES for the side information.
        """
        bright = clip if self.colour == "rgb" else planes_of(clip, self.colour)[0]
        mean = round(float(np.clip(bright.mean(dtype=np.float64), 0, 1)) * 255)
        parts = [analyse(part, self._block_of(part.shape), self.transform) for part in self._parts(clip, mean / 255)]
        coefficients = _behind_each_other(parts)
        forms = [partial(_form, coefficients, chunk) for chunk in self._chunks()]
        return self._sender.best(descriptions(forms, num_reals, side_bytes, mean), noise_var)

    def decode(
        self, side: bytes, heard: np.ndarray, heard_noise_var: np.ndarray, shape: tuple[int, ...], *, noise_var: float
    ) -> np.ndarray | None:
        """Frames (t, rows, w) in [0, 1]; None if the side information does not fit what was heard.

        Args:
            side: as sent, or with zeros behind.
            heard: (m,) numbers, sent with mean power 1.
            heard_noise_var: (m,) of each of them; infinite where nothing arrived.
            shape: (t, rows, w).
            noise_var: as the transmitter expected it.
        """
        sizes = [part.shape for part in planes_of(np.empty(shape, np.bool_), self.colour)]
        t, *whole_frame = padded_shape(sizes[0], self._block_of(sizes[0]))
        whole = (t * len(sizes), *whole_frame)
        told = described(side, [_grid(whole, chunk) for chunk in self._chunks()])
        chunk = self._chunks()[told.chunk]
        chunks = self._sender.from_air(told, prod(chunk), heard, heard_noise_var, noise_var)
        if chunks is None:
            return None
        coefficients = _unchunked(chunks, whole, chunk)
        parts = [self._synthesised(coefficients[n * t : (n + 1) * t], size) for n, size in enumerate(sizes)]
        return np.clip(self._clip(parts, told.mean / 255), 0, 1).astype(np.float32)

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """What is shown where no description arrived: mid-gray."""
        return np.full(shape, 0.5, np.float32)

    def _parts(self, clip: np.ndarray, mean: float) -> tuple[np.ndarray, ...]:
        """Planes about zero, each (t, h, w), float64."""
        if self.colour == "gray":
            return (clip.astype(np.float64) - mean,)
        if self.colour == "rgb":
            turned = np.tensordot(_TURN, apart(clip.astype(np.float64) - mean), ([1], [1]))
            return tuple(turned)
        luma, *chroma = planes_of(clip.astype(np.float64), self.colour)
        return luma - mean, *(plane - _NEUTRAL for plane in chroma)

    def _clip(self, parts: list[np.ndarray], mean: float) -> np.ndarray:
        """Frames (t, rows, w) of planes about zero."""
        if self.colour == "gray":
            return parts[0] + mean
        if self.colour == "rgb":
            rgb = np.tensordot(_TURN.T, np.stack(parts), ([1], [0]))
            return together(np.moveaxis(rgb, 0, 1)) + mean
        return stacked((parts[0] + mean, *(plane + _NEUTRAL for plane in parts[1:])), self.colour)

    def _synthesised(self, coefficients: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        block = self._block_of(size)
        t, h, w = padded_shape(size, block)
        return synthesise(coefficients[:t, :h, :w], size, block, self.transform)

    @property
    def _sender(self) -> ChunkSender:
        return ChunkSender(self.allocation, self.whitening)

    def _block_of(self, shape: tuple[int, ...]) -> Block:
        t, h, w = shape
        return min(self.gop or t, t), min(self.block or h, h), min(self.block or w, w)

    def _chunks(self) -> tuple[Block, ...]:
        return CHUNKS if self.chunk is None else (self.chunk,)


def _behind_each_other(parts: list[np.ndarray]) -> np.ndarray:
    """Coefficients of all planes, those of small planes with zeros at frequencies that they do not have."""
    if len(parts) == 1:
        return parts[0]
    t, h, w = parts[0].shape
    return np.concatenate([np.pad(p, ((0, 0), (0, h - p.shape[1]), (0, w - p.shape[2]))) for p in parts])


def _form(coefficients: np.ndarray, chunk: Block) -> tuple[np.ndarray, tuple[int, ...]]:
    return _chunked(coefficients, chunk), _grid(coefficients.shape, chunk)


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
