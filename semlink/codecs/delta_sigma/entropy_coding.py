"""Adaptive arithmetic coding of binary maps, each bit in the context of bits that are coded before.

Frame by frame and channel by channel, blocks of even rows go first: their context is the same
channel's bits of the two frames before. Odd rows follow and also know the blocks above and below. The
odds of a one begin at what was counted in training and follow the bits of the packet; both ends
count in whole numbers, so they agree to the last bit.

Source: this project; the coder is that of `range_coding`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from semlink.codecs.delta_sigma.contexts import CONTEXTS, contexts
from semlink.codecs.entropy.range_coder import ModelTable, Reader, Writer

__all__ = ["pack_maps", "unpack_maps"]

LEVELS = 64  # of probability
WEIGHT = 24
"""Bits that the odds of training count for, beside those of the packet."""
_TABLES = tuple(ModelTable.of(0, np.array([1 - p, p])) for p in (np.arange(LEVELS) + 0.5) / LEVELS)

Visit = Callable[[tuple, np.ndarray], np.ndarray]


def pack_maps(ones: np.ndarray, chances: np.ndarray) -> bytes:
    """Bits 0 or 1 (k, n, rows, columns) as bytes.

    Args:
        chances: odds of a one (k or more, n, 36) from training.
    """
    writer = Writer()

    def put(place: tuple, tables: np.ndarray) -> np.ndarray:
        writer.put(ones[place], tables, _TABLES)
        return ones[place]

    _walk(np.zeros_like(ones), chances, put)
    return writer.bytes()


def unpack_maps(data: bytes, shape: tuple[int, int, int, int], chances: np.ndarray) -> np.ndarray:
    """The inverse of `pack_maps`; other bits of the same `shape` from damaged bytes."""
    reader = Reader(data)

    def take(place: tuple, tables: np.ndarray) -> np.ndarray:
        return np.clip(reader.take(tables, _TABLES).reshape(tables.shape), 0, 1)

    return _walk(np.zeros(shape, np.int64), chances, take)


def _walk(ones: np.ndarray, chances: np.ndarray, visit: Visit) -> np.ndarray:
    """Fill `ones` with what `visit` makes of each place and the tables there."""
    seen = _prior(chances[: len(ones)])
    channels, frames = ones.shape[:2]
    for frame, channel, odd in product(range(frames), range(channels), (False, True)):
        rows = slice(int(odd), None, 2)
        place = (channel, frame, rows)
        last, before = (_earlier(ones[channel], frame - back, rows) for back in (1, 2))
        where = contexts(last, before, ones[channel, frame], odd)
        if not where.size:
            continue
        counts = seen[channel, frame]
        tables = (counts[1] * LEVELS // (counts[0] + counts[1])).clip(0, LEVELS - 1)[where]
        bits = visit(place, tables)
        ones[place] = bits
        flat = where.ravel()
        later = seen[channel, frame:]  # what a frame teaches holds for those that follow
        for value in (0, 1):
            later[:, value] += np.bincount(flat[bits.ravel() == value], minlength=CONTEXTS)
    return ones


def _earlier(maps: np.ndarray, frame: int, rows: slice) -> np.ndarray:
    return maps[frame, rows] + 1 if frame >= 0 else np.zeros_like(maps[0, rows])


def _prior(chances: np.ndarray) -> np.ndarray:
    """Whole counts of zeros and ones (k, n, 2, 36), in sum `WEIGHT`."""
    one = np.rint(WEIGHT * np.clip(np.nan_to_num(chances.astype(np.float64), nan=0.5), 0, 1)).astype(np.int64)
    return np.stack((WEIGHT - one, one), 2)
