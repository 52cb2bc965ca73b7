"""Where learned transforms of readings begin: the KLT of a model of video seen through the sensor.

Video is taken as a Gaussian field whose correlation falls exponentially along
rows, columns and time. Seen through the known exposures of one block of
pixels it has a known covariance, and the eigenvectors of that, by falling
variance, are the best linear code of the block. No data enter, so a network
that starts here starts as a linear transform coder, and all that it gains
over one is its own.

Source: this project; compare the block KLT of [jakubczak2011].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class VideoModel:
    """Variance of a pixel, and correlation of neighbours in space and in time."""

    variance: float = 0.05
    in_space: float = 0.95
    in_time: float = 0.95


@dataclass(frozen=True, slots=True)
class Basis:
    """Orthonormal `vectors` (n, slots, stride, stride) in the readings domain and their `variances` (n,), falling."""

    vectors: torch.Tensor
    variances: torch.Tensor


def reading_basis(
    tile: Sequence[Sequence[int]], stride: int, num_frames: int, model: VideoModel = VideoModel()
) -> Basis:
    """The KLT of the readings in one block of `stride` x `stride` pixels, n of them.

    Raises:
        ValueError: the tile does not divide the block.
    """
    pattern = np.asarray(tile)
    if stride % pattern.shape[0] or stride % pattern.shape[1]:
        raise ValueError(f"a ratio map of tiles {pattern.shape} does not repeat in blocks of {stride} pixels")
    counts = np.tile(pattern, (stride // pattern.shape[0], stride // pattern.shape[1]))
    exposures = _exposures(counts, num_frames)
    covariance = exposures @ _video_covariance(model, stride, num_frames) @ exposures.T
    values, vectors = np.linalg.eigh(covariance)
    order = np.argsort(values)[::-1]
    sign = np.sign(vectors[np.abs(vectors).argmax(0), np.arange(len(order))])
    full = np.zeros((len(order), num_frames // 2 * stride * stride))
    full[:, _places(counts, num_frames)] = (vectors * sign).T[order]
    shape = (-1, num_frames // 2, stride, stride)
    return Basis(torch.from_numpy(full.reshape(shape)).float(), torch.from_numpy(values[order].copy()).float())


def _exposures(counts: np.ndarray, num_frames: int) -> np.ndarray:
    """One row a reading, over sqrt(its frames): (n, num_frames * pixels), in the order of `_places`."""
    pixels = counts.size
    rows = np.zeros((num_frames // 2, pixels, num_frames, pixels))
    for pixel, count in enumerate(counts.ravel()):
        for slot in range(count):
            length = num_frames // count
            rows[slot, pixel, slot * length : (slot + 1) * length, pixel] = length**-0.5
    return rows.reshape(-1, num_frames * pixels)[_places(counts, num_frames)]


def _places(counts: np.ndarray, num_frames: int) -> np.ndarray:
    """Which of (slot, pixel), flattened, hold a reading."""
    return np.flatnonzero(np.arange(num_frames // 2)[:, None] < counts.ravel()[None])


def _video_covariance(model: VideoModel, size: int, num_frames: int) -> np.ndarray:
    """Of (frame, row, column), flattened."""

    def toeplitz(correlation: float, length: int) -> np.ndarray:
        return correlation ** np.abs(np.subtract.outer(np.arange(length), np.arange(length)))

    space = toeplitz(model.in_space, size)
    return model.variance * np.kron(toeplitz(model.in_time, num_frames), np.kron(space, space))
