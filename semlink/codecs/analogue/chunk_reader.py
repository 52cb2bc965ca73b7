"""Reading a chunk map in compiled code: damage can ask for millions of answers, and none may take seconds.

The same arithmetic as `chunk_map` writes with, in integers: what it reads is what the plain reader reads, bit for bit.
"""

from __future__ import annotations

import math

import numpy as np

from semlink.codecs.entropy.binary_arithmetic import BitReader, Odds
from semlink.kernels.compiled import compiled

NEAR = 8
"""Questions that lie further than this, in halves of a level, from the mean of their neighbours are alike."""
WEIGHTS = (1, 2, 2)
"""Of the neighbours before in time, above and to the left, where they exist."""
_LIMIT = Odds.LIMIT


def first_guess(distance: int) -> float:
    """The chance that a level lies above a question that lies `distance` halves of a level above its neighbours."""
    return 1 / (1 + math.exp(0.8 * (distance + 1)))


def read_levels(reader: BitReader, box: tuple[int, int, int], top: int) -> np.ndarray:
    """Levels (t, h, w), int64, up to `top`, in raster order; `reader` stands behind them afterwards."""
    odds = Odds()
    seen = [odds.counts((d, zero), first_guess(d)) for d in range(-NEAR, NEAR + 1) for zero in (False, True)]
    levels = np.zeros(box, np.int64)
    state = np.array(reader.state, np.int64)
    _read(np.frombuffer(reader.data, np.uint8), state, np.array(seen, np.int64), levels, top)
    reader.state = tuple(int(part) for part in state)
    return levels


@compiled(nogil=True)
def _read(data, state, seen, levels, top):
    """Fill `levels`; `state` is place, value and width of the arithmetic decoder, `seen` the counts by context."""
    frames, rows, columns = levels.shape
    for t in range(frames):
        for y in range(rows):
            for x in range(columns):
                near = _expected(levels, t, y, x, top)
                level = 0
                while level < top:
                    distance = min(max(2 * level - near, -NEAR), NEAR)
                    if not _bit(data, state, seen[2 * (distance + NEAR) + (level == 0)]):
                        break
                    level += 1
                levels[t, y, x] = level


@compiled(nogil=True)
def _expected(known, t, y, x, top):
    """Twice the weighted mean of the known neighbours, rounded."""
    total, weight = 0, 0
    if t:
        total, weight = total + WEIGHTS[0] * known[t - 1, y, x], weight + WEIGHTS[0]
    if y:
        total, weight = total + WEIGHTS[1] * known[t, y - 1, x], weight + WEIGHTS[1]
    if x:
        total, weight = total + WEIGHTS[2] * known[t, y, x - 1], weight + WEIGHTS[2]
    return (4 * total + weight) // (2 * weight) if weight else 2 * top


@compiled(nogil=True)
def _bit(data, state, counts):
    """`BitReader.get` and `Odds.learn`."""
    place, value, width = state
    chance = min(max(65536 * counts[1] // (counts[0] + counts[1]), 64), 65536 - 64)
    split = (width >> 16) * chance
    bit = 1 if value < split else 0
    if bit:
        width = split
    else:
        value, width = value - split, width - split
    while width < 1 << 24:
        following = np.int64(data[place]) if place < len(data) else np.int64(0)
        value, width, place = value << 8 | following, width << 8, place + 1
    state[0], state[1], state[2] = place, value, width
    counts[bit] += 64
    if counts[0] + counts[1] > _LIMIT:
        counts[0], counts[1] = counts[0] // 2 + 1, counts[1] // 2 + 1
    return bit
