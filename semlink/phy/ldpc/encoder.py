"""Systematic encoding of 5G LDPC by circulant shifts: no matrix is ever formed."""

from __future__ import annotations

import numpy as np

from semlink.kernels.compiled import compiled
from semlink.phy.ldpc.base_graph import CORE_ROWS, PUNCTURED_COLUMNS
from semlink.phy.ldpc.code import LdpcCode


def encode(code: LdpcCode, info: np.ndarray, width: int | None = None) -> np.ndarray:
    """The first `width` bits (default: all) of the circular buffer of each block.

    `info` is uint8 (block, info_bits); the answer uint8 (block, width), fillers zero.
    The four core rows are solved by their dual diagonal; every later row gives
    its own parity column.

    Source: [3gpp38212, 5.3.2].
    """
    width = code.buffer_bits if width is None else width
    edges = code.edges(code.rows_for(width))
    out = np.empty((len(info), width), np.uint8)
    _encode(np.ascontiguousarray(info), code.z, code.base.info_columns, edges.start, edges.columns, edges.shifts, out)
    return out


@compiled(nogil=True)
def _encode(info, z, info_columns, start, columns, shifts, out):
    num_rows = len(start) - 1
    # Each column twice in a row, so that any rotation of it is one run.
    word = np.zeros((info_columns + num_rows, 2 * z), np.uint8)
    for b in range(len(info)):
        for c in range(-(-info.shape[1] // z)):
            part = info[b, c * z : (c + 1) * z]
            _copy(word[c], part)
            _copy(word[c, z:], part)
        _first_parity(word, z, info_columns, start, columns, shifts)
        for r in range(num_rows):
            if r != CORE_ROWS - 1:
                # The diagonal of the core stands one column to the right.
                target = info_columns + (r + 1 if r < CORE_ROWS else r)
                _solve_row(word, z, target, start[r], start[r + 1], columns, shifts)
        for place in range(0, out.shape[1], z):
            _copy(out[b, place:], word[PUNCTURED_COLUMNS + place // z, : min(z, out.shape[1] - place)])


@compiled(nogil=True)
def _copy(target, source):
    """Put `source` at the beginning of `target`; slices do the same, but take seconds to compile."""
    for i in range(len(source)):
        target[i] = source[i]


@compiled(nogil=True)
def _add(target, source):
    for i in range(len(source)):
        target[i] ^= source[i]


@compiled(nogil=True)
def _first_parity(word, z, info_columns, start, columns, shifts):
    """Core rows add up to one rotation of the first parity column: the rest cancels."""
    rotation = 0
    total = np.zeros(z, np.uint8)
    for e in range(start[CORE_ROWS]):
        if columns[e] < info_columns:
            _add(total, word[columns[e], shifts[e] : shifts[e] + z])
        elif columns[e] == info_columns and start[1] <= e < start[CORE_ROWS - 1]:
            rotation = shifts[e]  # rows 0 and 3 share a rotation, which cancels
    parity = word[info_columns]
    _copy(parity[rotation:], total[: z - rotation])
    _copy(parity, total[z - rotation :])
    _copy(parity[z:], parity[:z])


@compiled(nogil=True)
def _solve_row(word, z, target, first, last, columns, shifts):
    """The parity column that makes the checks of a row hold."""
    parity = word[target]
    for i in range(z):
        parity[i] = 0
    for e in range(first, last):
        if columns[e] != target:
            _add(parity, word[columns[e], shifts[e] : shifts[e] + z])
    _copy(parity[z:], parity[:z])
