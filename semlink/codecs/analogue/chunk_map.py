"""Which chunks of coefficients are sent, and how strong they are, in few bytes.

A map holds a whole number for each chunk (t, h, w): 0 where it is not sent,
else its level. Levels are written in raster order as answers to "above 0?",
"above 1?", ... with chances that depend on how far the question lies from the
mean of the neighbours that are already known.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from semlink.codecs.analogue.chunk_reader import NEAR, WEIGHTS, first_guess, read_levels
from semlink.codecs.entropy.binary_arithmetic import BitReader, BitWriter, Odds

__all__ = ["LEVEL_BITS", "read_map", "write_map"]

LEVEL_BITS = 6

Answer = Callable[[int, tuple[int, bool], float], int]


def write_map(levels: np.ndarray, writer: BitWriter) -> None:
    """Write `levels` (t, h, w), each below 2^LEVEL_BITS; the shape is known to the reader."""
    odds, top = Odds(), int(levels.max(initial=0))
    writer.put_number(top, LEVEL_BITS)
    box = _box(levels)
    for size, grid in zip(box, levels.shape):
        writer.put_number(size, grid.bit_length())

    def answer(bit: int, context: tuple[int, bool], guess: float) -> int:
        writer.put(bit, odds.of_one(context, guess))
        odds.learn(context, guess, bit)
        return bit

    _walk(levels[tuple(slice(size) for size in box)].tolist(), box, top, answer)


def read_map(shape: tuple[int, ...], reader: BitReader) -> np.ndarray:
    """The map (t, h, w) of this shape, whatever the bytes."""
    top = reader.get_number(LEVEL_BITS)
    frames, rows, columns = (min(reader.get_number(grid.bit_length()), grid) for grid in shape)
    levels = np.zeros(shape, np.int64)
    levels[:frames, :rows, :columns] = read_levels(reader, (frames, rows, columns), top)
    return levels


def _box(levels: np.ndarray) -> tuple[int, ...]:
    """The smallest box from the origin that holds all chunks that are sent."""
    sent = np.nonzero(levels)
    return tuple(int(axis.max(initial=-1)) + 1 for axis in sent)


def _walk(levels: list, box: tuple[int, ...], top: int, answer: Answer) -> None:
    """Answer for every level in raster order."""
    frames, rows, columns = box
    known = [[[0] * columns for _ in range(rows)] for _ in range(frames)]
    for t in range(frames):
        for y in range(rows):
            for x in range(columns):
                near = _expected(known, t, y, x, top)
                true, level = levels[t][y][x], 0
                while level < top and answer(int(true > level), *_context(level, near)):
                    level += 1
                known[t][y][x] = level


def _expected(known: list, t: int, y: int, x: int, top: int) -> int:
    """Twice the weighted mean of the known neighbours, rounded."""
    before, above, left = WEIGHTS
    total = weight = 0
    if t:
        total, weight = before * known[t - 1][y][x], before
    if y:
        total, weight = total + above * known[t][y - 1][x], weight + above
    if x:
        total, weight = total + left * known[t][y][x - 1], weight + left
    return (4 * total + weight) // (2 * weight) if weight else 2 * top


@lru_cache(maxsize=4096)
def _context(level: int, near: int) -> tuple[tuple[int, bool], float]:
    """Context and first guess of the question whether a level lies above `level`."""
    distance = min(max(2 * level - near, -NEAR), NEAR)
    return (distance, level == 0), first_guess(distance)
