"""Small maps of a clip: where it is wrong, and the tile of a map that repeats."""

from __future__ import annotations

import numpy as np

from semlink.link.films.film import ERROR_STEP_DB

__all__ = ["error_block", "error_map", "tile"]

MOST_CELLS = 40
"""Blocks of an error map along the longer side."""
MOST_PERIOD = 64
"""Pixels after which a map may repeat."""


def error_block(rows: int, columns: int) -> int:
    """Pixels a side of the blocks that errors are told for: a power of two."""
    block = 1
    while max(rows, columns) > MOST_CELLS * block:
        block *= 2
    return block


def error_map(reference: np.ndarray, received: np.ndarray, planes: int = 1) -> tuple[np.ndarray, int]:
    """Mean squared error of blocks, and the blocks' side in pixels.

    Args:
        reference, received: (t, h, w) in [0, 1]; the mean over colour planes is taken.
    Returns:
        uint8 (t, rows, columns) in steps of `ERROR_STEP_DB` below 0 dB.
    """
    error = np.square(reference - np.clip(received, 0, 1), dtype=np.float32)
    frames, rows, columns = error.shape
    if planes > 1:
        error = error.reshape(frames, planes, -1, columns).mean(1)
        rows //= planes
    block = error_block(rows, columns)
    starts = [np.arange(0, size, block) for size in (rows, columns)]
    sums = np.add.reduceat(np.add.reduceat(error, starts[0], 1), starts[1], 2)
    sides = [np.diff([*start, size]) for start, size in zip(starts, (rows, columns), strict=True)]
    mean = sums / (sides[0][:, None] * sides[1])
    levels = np.rint(-10 * np.log10(np.maximum(mean, 1e-12)) / ERROR_STEP_DB)
    return np.clip(levels, 0, 255).astype(np.uint8), block


def tile(found: np.ndarray) -> np.ndarray:
    """The smallest corner that a map (h, w) repeats, cut off at its edges."""
    rows, columns = (_period(np.moveaxis(found, axis, 0)) for axis in (0, 1))
    return found[:rows, :columns]


def _period(found: np.ndarray) -> int:
    size = len(found)
    few = range(1, min(size, MOST_PERIOD + 1))
    return next((n for n in few if bool((found[n:] == found[:-n]).all())), size)
