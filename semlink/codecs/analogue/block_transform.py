"""Orthonormal transforms of video in blocks: x = (T' (x) H' (x) W') c, one small matrix or fast DCT an axis.

The coefficients of all blocks lie by frequency first and block second, on each
axis: what stands next to each other is the same frequency of neighbouring
blocks, or, with one block for the whole frame, the next frequency.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.fft import dct, idct
from scipy.linalg import eigh, toeplitz

__all__ = ["Block", "Transform", "analyse", "ar1_klt", "padded_shape", "synthesise"]

Transform = Literal["dct", "klt"]
Block = tuple[int, int, int]
"""Frames, rows and columns that are transformed together."""

SPACE_CORRELATION = 0.95
TIME_CORRELATION = 0.9
"""Of neighbouring pixels in the model of `klt`: round figures, fitted to no clip."""


def analyse(clip: np.ndarray, block: Block, transform: Transform) -> np.ndarray:
    """Coefficients (t', h', w') of `clip` (t, h, w), which is lengthened by its edges to whole blocks.

    Source: [jakubczak2011, video compression] for the DCT of whole frames over a group.
    """
    whole = padded_shape(clip.shape, block)
    padded = np.pad(clip, [(0, to - size) for to, size in zip(whole, clip.shape)], mode="edge")
    for axis, length in enumerate(block):
        padded = _along(padded, axis, length, transform, inverse=False)
    return padded


def synthesise(coefficients: np.ndarray, shape: tuple[int, ...], block: Block, transform: Transform) -> np.ndarray:
    """The clip (t, h, w) of `shape` with these coefficients (t', h', w')."""
    for axis, length in enumerate(block):
        coefficients = _along(coefficients, axis, length, transform, inverse=True)
    return coefficients[tuple(slice(size) for size in shape)]


def padded_shape(shape: tuple[int, ...], block: Block) -> tuple[int, ...]:
    """`shape` in whole blocks."""
    return tuple(-(-size // length) * length for size, length in zip(shape, block))


@lru_cache(maxsize=32)
def ar1_klt(length: int, correlation: float) -> np.ndarray:
    """Eigenvectors (length, length) of the covariance correlation^|i - j|, in rows by falling variance.

    The first element of each is positive.

    Source: [ahmed1974], where the DCT is its limit.
    """
    _, vectors = eigh(toeplitz(correlation ** np.arange(length)))
    rows = vectors.T[::-1]
    return rows * np.where(rows[:, :1] < 0, -1.0, 1.0)


def _along(values: np.ndarray, axis: int, length: int, transform: Transform, *, inverse: bool) -> np.ndarray:
    """One axis between pixels (block, place) and coefficients (frequency, block)."""
    last = np.moveaxis(values, axis, -1)
    shape = last.shape
    if inverse:
        pieces = last.reshape(*shape[:-1], length, -1).swapaxes(-1, -2)
    else:
        pieces = last.reshape(*shape[:-1], -1, length)
    done = _one_block(pieces, transform, TIME_CORRELATION if axis == 0 else SPACE_CORRELATION, inverse)
    if not inverse:
        done = done.swapaxes(-1, -2)
    return np.moveaxis(done.reshape(shape), -1, axis)


def _one_block(pieces: np.ndarray, transform: Transform, correlation: float, inverse: bool) -> np.ndarray:
    if transform == "dct":
        return (idct if inverse else dct)(pieces, norm="ortho", axis=-1)
    basis = ar1_klt(pieces.shape[-1], correlation)
    return pieces @ (basis if inverse else basis.T)
