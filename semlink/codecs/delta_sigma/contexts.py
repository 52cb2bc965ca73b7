"""What a bit of the delta-sigma codec is known by: earlier frames' bits of its channel, and the blocks around it.

Training counts zeros and ones in each context (`context_counts`); the arithmetic coder of
`delta_sigma_entropy` begins there. Even rows of blocks go first, so odd ones also know their neighbours.

Source: this project.
"""

from __future__ import annotations

import numpy as np

AROUND = 4
CONTEXTS = 9 * AROUND
"""Neighbourhoods that are told apart."""


def contexts(last: np.ndarray, before: np.ndarray, now: np.ndarray, odd: bool) -> np.ndarray:
    """Context numbers of even or odd rows: 9 pairs of earlier bits, times nothing or three sums of neighbours.

    Args:
        last, before: the same rows one and two frames earlier: 0 where there is no such frame, else the bit + 1.
        now: all rows (..., rows, columns) of this frame, of which the even ones are known.
    """
    if not odd:
        return (last * 3 + before) * AROUND
    above, below = now[..., 0::2, :][..., : last.shape[-2], :], now[..., 2::2, :]
    below = np.concatenate((below, above[..., below.shape[-2] :, :]), -2)  # none below the last row: that above again
    return (last * 3 + before) * AROUND + 1 + above + below


def context_counts(ones: np.ndarray) -> np.ndarray:
    """How often a zero and a one were met in each context: (k, n, 36, 2) from bits (b, k, n, rows, columns)."""
    b, k, n, rows, columns = ones.shape
    last = np.concatenate((np.zeros_like(ones[:, :, :1]), ones[:, :, :-1] + 1), 2)
    before = np.concatenate((np.zeros_like(ones[:, :, :1]), last[:, :, :-1]), 2)
    at = np.arange(k * n).reshape(1, k, n, 1, 1) * CONTEXTS
    counts = np.zeros(k * n * CONTEXTS * 2, np.int64)
    for odd in (False, True):
        mine = slice(int(odd), None, 2)
        where = contexts(last[..., mine, :], before[..., mine, :], ones, odd)
        index = 2 * (at + where) + ones[..., mine, :]
        counts += np.bincount(index.ravel(), minlength=counts.size)
    return counts.reshape(k, n, CONTEXTS, 2)
