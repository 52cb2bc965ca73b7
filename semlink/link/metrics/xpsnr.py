"""XPSNR: PSNR with the error of each block weighted by how well the eye sees it there."""

from __future__ import annotations

import numpy as np

from semlink.link.metrics.psnr_ssim import BEST_PSNR_DB

__all__ = ["xpsnr_by_frame", "xpsnr_db"]

NORMAL = 3840 * 2160
"""Pixels of a frame whose blocks have 128 on a side."""
SMOOTHED = 640 * 480
"""In frames of up to so many pixels no block weighs more than the heaviest of its neighbours."""
LEAST_ACTIVITY = 1 / 64
MOTION = 2.0
HIGH_PASS = (
    (12.0, ((0, 0),)),
    (-2.0, ((-1, 0), (1, 0), (0, -1), (0, 1))),
    (-1.0, ((-1, -1), (-1, 1), (1, -1), (1, 1))),
)


def xpsnr_db(reference: np.ndarray, received: np.ndarray) -> float:
    """XPSNR in dB of a clip (t, h, w) in [0, 1]: of the mean over frames of the root of the weighted error.

    Errors in flat and still regions count more than in busy ones. Weights do not average to one, so its levels are not
    those of PSNR. At most 100 dB.

    Source: [helmrich2020, weights and their smoothing], as FFmpeg's filter `xpsnr` carries it out for up to 2048 x 1152
    pixels and less than 32 frames a second; that takes a black frame before the first, which here has no motion.
    """
    roots = 10 ** (-xpsnr_by_frame(reference, received) / 20)
    return min(BEST_PSNR_DB, float(-20 * np.log10(np.mean(roots))))


def xpsnr_by_frame(reference: np.ndarray, received: np.ndarray) -> np.ndarray:
    """XPSNR in dB of each frame of a clip (t, h, w), whose motion is the change from the frame before: (t,)."""
    x = reference.astype(np.float64)
    errors = np.square(x - np.clip(received, 0.0, 1.0))
    side = block_side(*x.shape[1:])
    if side == 0:  # frames too small for blocks: all pixels weigh the same
        distances = errors.mean(axis=(1, 2))
    else:
        distances = np.array([_weighted(*frame, side) for frame in zip(x, np.concatenate((x[:1], x)), errors)])
    return np.minimum(BEST_PSNR_DB, -10 * np.log10(np.maximum(distances, 1e-10)))


def block_side(height: int, width: int) -> int:
    """Pixels on the side of a block; 0 for frames of less than 2,025 pixels, which have none."""
    return 4 * int(32 * np.sqrt(height * width / NORMAL) + 0.5)


def _weighted(frame: np.ndarray, before: np.ndarray, errors: np.ndarray, side: int) -> float:
    """The mean error of one frame, each block weighted."""
    pixels = frame.size
    weights = 1 / _activity(frame, before, side)
    if pixels <= SMOOTHED:
        weights = _smoothed(weights)
    normal = np.sqrt(2 ** (4 - 9) / np.sqrt(max(1e-5, pixels / NORMAL)))
    return float(normal * (weights * _block_sums(errors, side)).sum() / pixels)


def _activity(frame: np.ndarray, before: np.ndarray, side: int) -> np.ndarray:
    """Mean high-pass of each block inside the frame's border, and the change from the frame before."""
    edge = np.zeros_like(frame)
    height, width = frame.shape
    inner = sum(
        weight * frame[1 + down : height - 1 + down, 1 + right : width - 1 + right]
        for weight, places in HIGH_PASS
        for down, right in places
    )
    edge[1:-1, 1:-1] = np.abs(inner)
    inside = np.zeros_like(frame)
    inside[1:-1, 1:-1] = 1
    there = _block_sums(inside, side)
    spatial = np.where(there > 0, _block_sums(edge, side) / np.maximum(there, 1), 0.0)
    moved = _block_sums(np.abs(frame - before), side) / _block_sums(np.ones_like(frame), side)
    return np.maximum(spatial + MOTION * moved, LEAST_ACTIVITY)


def _smoothed(weights: np.ndarray) -> np.ndarray:
    """Weights (rows, columns), in raster order none above the most of those left of it, right of it and above it."""
    found = weights.copy()
    rows, columns = found.shape
    for row in range(rows):
        for column in range(columns):
            near = [found[row, column - 1]] if column else []
            near += [found[row, column + 1]] if column + 1 < columns else []
            near += [found[row - 1, column]] if row else []
            if near:
                found[row, column] = min(found[row, column], max(near))
    return found


def _block_sums(plane: np.ndarray, side: int) -> np.ndarray:
    """Sums over blocks of (h, w), those at the right and lower border smaller: (rows, columns)."""
    rows, columns = (np.arange(0, length, side) for length in plane.shape)
    return np.add.reduceat(np.add.reduceat(plane, rows, axis=0), columns, axis=1)
