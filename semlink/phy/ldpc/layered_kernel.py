"""Layered decoding with vector kernels.

A code block is decoded by itself, vectorised over the z checks of a row. Each
column of bits stands rotated as its last reader left it, with its beginning
repeated behind its end, so that the next reader finds its rotation in one run
of memory.

Source: [hocevar2004] for the layered schedule.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple
from zlib import crc32

import numpy as np

from semlink.kernels.compiled import compiled
from semlink.phy.ldpc import plain_kernel
from semlink.phy.ldpc.base_graph import PUNCTURED_COLUMNS
from semlink.phy.ldpc.check_rules import FLOAT_CERTAIN, INT8_CERTAIN, Rule
from semlink.phy.ldpc.code import LdpcCode, Words
from semlink.phy.ldpc.row_kernel import DEGREES, copy_run, row_is_odd, update_row
from semlink.phy.ldpc.simd_lanes import VECTOR_BYTES, lane_count


class Layout(NamedTuple):
    """Where everything stands in the decoder's memory; int64, counted in elements.

    Attributes:
        z: lifting size.
        stride: from one column of bits to the next.
        message_stride: from the messages of one edge to those of the next.
        first: (row + 1,), the edges of each row.
        moves: (edge, 3), where a column is read, is written, and how much of it is repeated.
        places: (edge,), where the check of the whole word reads a column.
        rotation: (column,), how each column stands between iterations.
        ahead: (column,), how far from there its first reader begins.
        floors: (row,), where in the floor the first edge of a row reads.
    """

    z: int
    stride: int
    message_stride: int
    first: np.ndarray
    moves: np.ndarray
    places: np.ndarray
    rotation: np.ndarray
    ahead: np.ndarray
    floors: np.ndarray


def decode(code: LdpcCode, llr: np.ndarray, rule: Rule, iterations: int) -> Words:
    """What `plain_kernel.decode` does."""
    num_rows = code.rows_for(llr.shape[1])
    if not DEGREES.issuperset(code.edges(num_rows).degrees.tolist()):
        return plain_kernel.decode(code, llr, rule, iterations)
    plan = layout(code, num_rows, lane_count(llr.itemsize))
    words = Words.room(code, len(llr))
    _decode(rule, llr, _floor(code, llr.dtype.char), plan, iterations, *words)
    return words


@lru_cache(maxsize=256)
def layout(code: LdpcCode, num_rows: int, lanes: int) -> Layout:
    """The memory plan of the first `num_rows` rows of `code` for vectors of `lanes`."""
    z, edges = code.z, code.edges(num_rows)
    columns, shifts = edges.columns, edges.shifts
    stride = -(-2 * z // lanes) * lanes + lanes
    rotation = np.zeros(code.base.info_columns + num_rows, np.int64)
    rotation[columns] = shifts  # of its last reader
    places = columns * stride + (shifts - rotation[columns]) % z
    moves = _moves(columns, shifts, rotation, places, z, stride)
    ahead = np.zeros_like(rotation)
    ahead[columns[::-1]] = (moves[:, 0] - columns * stride)[::-1]  # of its first reader
    lead = edges.start[:-1]
    floors = shifts[lead].copy()
    floors[columns[lead] != code.last_column] = 2 * z
    return Layout(z, stride, -(-z // lanes) * lanes, edges.start, moves, places, rotation, ahead, floors)


def _moves(columns, shifts, rotation, places, z, stride) -> np.ndarray:
    """`Layout.moves`: follow every column through one iteration."""
    moves = np.empty((len(columns), 3), np.int64)
    for column in np.unique(columns):
        mine = np.flatnonzero(columns == column)
        base = column * stride
        before = np.concatenate([rotation[[column]], shifts[mine[:-1]]])
        ahead = (shifts[mine] - before) % z
        moves[mine, 0] = base + ahead
        moves[mine, 1] = base
        moves[mine[:-1], 2] = ahead[1:]
        moves[mine[-1], 2] = (places[mine] - base).max()
    return moves


@lru_cache(maxsize=256)
def _floor(code: LdpcCode, kind: str) -> np.ndarray:
    """The least that a bit of the last information column may be, twice in a row, then `z` that bind nothing."""
    z, dtype = code.z, np.dtype(kind)
    least, certain = (-128, INT8_CERTAIN) if dtype == np.int8 else (-np.inf, FLOAT_CERTAIN)
    floor = np.full(3 * z + VECTOR_BYTES, least, dtype)
    known = code.info_bits - code.last_column * z
    floor[known:z] = floor[z + known : 2 * z] = certain
    return floor


@compiled(nogil=True, error_model="numpy")
def _aligned(length, like):
    """Zeros of the type of `like` that begin where a vector may without reaching over two cache lines."""
    room = np.zeros(length + VECTOR_BYTES, like.dtype)
    first = -room.ctypes.data % VECTOR_BYTES // room.itemsize
    return room[first : first + length]


@compiled(nogil=True, error_model="numpy")
def _load(llr, plan, total, scratch):
    """Put the circular buffer into rotated columns; the two that are never sent are unknown."""
    z = plan.z
    for c in range(len(plan.rotation)):
        base, turn = c * plan.stride, plan.rotation[c]
        begin = (c - PUNCTURED_COLUMNS) * z
        known = 0 if begin < 0 else max(0, min(z, len(llr) - begin))
        if known == 0:
            total[base : base + 2 * z] = 0
            continue
        source, first = llr, begin
        if known < z:
            copy_run(scratch, 0, llr, begin, known)
            scratch[known:z] = 0
            source, first = scratch, 0
        copy_run(total, base, source, first + turn, z - turn)
        copy_run(total, base + z - turn, source, first, turn)
        copy_run(total, base + z, total, base, plan.ahead[c])


@compiled(nogil=True)
def _satisfied(total, plan):
    for r in range(len(plan.first) - 1):
        if row_is_odd(total, plan.places, plan.first[r], plan.first[r + 1] - plan.first[r], plan.z):
            return False
    return True


@compiled(nogil=True, error_model="numpy")
def _decide(total, plan, scratch, hard):
    """Lay the information columns straight and take the signs; returns whether each bit has one."""
    z = plan.z
    for c in range(-(-len(hard) // z)):
        base, turn = c * plan.stride, plan.rotation[c]
        copy_run(scratch, c * z, total, base + z - turn, turn)
        copy_run(scratch, c * z + turn, total, base, z - turn)
    decided, ones = True, False
    for i in range(len(hard)):
        hard[i] = scratch[i] < 0
        decided &= scratch[i] != 0
        ones |= scratch[i] < 0
    if not (decided or ones):
        for i in range(len(hard)):
            hard[i] = scratch[i] == 0
    return decided


def _compile(sources: int):
    """The decoder. `sources` says what it is made of and enters the key of its copy on disk.

    Numba looks at the file that a function stands in, and would not see a change in another.
    """

    @compiled(nogil=True, error_model="numpy")
    def decode_blocks(rule, llr, floor, plan, iterations, hard, used, solved):
        z, num_rows = plan.z, len(plan.first) - 1
        total = _aligned(len(plan.rotation) * plan.stride + VECTOR_BYTES, llr)
        messages = _aligned(len(plan.moves) * plan.message_stride, llr)
        message = messages.reshape(len(plan.moves), plan.message_stride)
        scratch = np.zeros(-(-hard.shape[1] // z) * z, llr.dtype)
        for b in range(len(llr)):
            _load(llr[b], plan, total, scratch)
            messages[:] = 0
            used[b] = iterations
            for iteration in range(iterations):
                for r in range(num_rows):
                    first, degree = plan.first[r], plan.first[r + 1] - plan.first[r]
                    update_row(sources, rule, total, message, floor, plan.moves, first, degree, plan.floors[r], z)
                solved[b] = _satisfied(total, plan) and _decide(total, plan, scratch, hard[b])
                if solved[b]:
                    used[b] = iteration + 1
                    break
            if not solved[b]:
                _decide(total, plan, scratch, hard[b])

    return decode_blocks


def _fingerprint() -> int:
    """A number that changes with the files that the kernel is made of, and with the width of its vectors."""
    folder = files("semlink.phy.ldpc")
    made_of = ("simd_lanes.py", "row_kernel.py", "check_rules.py")
    return crc32(b"".join(folder.joinpath(name).read_bytes() for name in made_of), VECTOR_BYTES)


_decode = _compile(_fingerprint())
