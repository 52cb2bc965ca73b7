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

__all__ = ["CHUNKS", "LEAST_SIDE_BYTES", "Description", "SoftCast", "described", "description_of"]

CHUNKS: tuple[Block, ...] = ((2, 32, 32), (1, 32, 32), (1, 16, 16), (1, 12, 12), (1, 8, 8), (1, 6, 6), (1, 4, 4))
"""Chunks that are tried, from the shortest description to the longest."""


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
        mean = round(float(np.clip(clip.mean(dtype=np.float64), 0, 1)) * 255)
        coefficients = analyse(clip.astype(np.float64) - mean / 255, self._block_of(clip.shape), self.transform)
        forms = [partial(_form, coefficients, chunk) for chunk in self._chunks()]
        return self._sender.best(descriptions(forms, num_reals, side_bytes, mean), noise_var)

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
        chunks = self._sender.from_air(told, prod(chunk), heard, heard_noise_var, noise_var)
        if chunks is None:
            return None
        pixels = synthesise(_unchunked(chunks, whole, chunk), shape, block, self.transform) + told.mean / 255
        return np.clip(pixels, 0, 1).astype(np.float32)

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """What is shown where no description arrived: mid-gray."""
        return np.full(shape, 0.5, np.float32)

    @property
    def _sender(self) -> ChunkSender:
        return ChunkSender(self.allocation, self.whitening)

    def _block_of(self, shape: tuple[int, ...]) -> Block:
        t, h, w = shape
        return min(self.gop or t, t), min(self.block or h, h), min(self.block or w, w)

    def _chunks(self) -> tuple[Block, ...]:
        return CHUNKS if self.chunk is None else (self.chunk,)


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
