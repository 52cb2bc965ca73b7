"""The two base graphs of 5G LDPC, their lifting, and which block takes which.

A base graph is a small table of circulant shifts; lifting replaces each entry
by a shifted z x z identity. Row i of a lifted check block meets element
(i + shift) mod z of its column.

Source: [3gpp38212, 5.2.2 and 5.3.2, tables 5.3.2-1 to 5.3.2-3].
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

# Table 5.3.2-1: set i holds LIFTING_ODD[i] * 2^j up to 384.
LIFTING_ODD = (2, 3, 5, 7, 9, 11, 13, 15)
LIFTING_MAX = 384
LIFTING_SIZES = {odd * 2**j: i for i, odd in enumerate(LIFTING_ODD) for j in range(8) if odd * 2**j <= LIFTING_MAX}
PUNCTURED_COLUMNS = 2
MIN_BLOCK_BITS = 17  # one bit and the CRC of its transport block
CORE_ROWS = 4


@dataclass(frozen=True, slots=True, eq=False)
class BaseGraph:
    """One base graph: `rows`, `columns` (edge,) and `shifts` (set, edge), edges in row order."""

    number: int
    info_columns: int
    num_rows: int
    max_block_bits: int
    rows: np.ndarray
    columns: np.ndarray
    shifts: np.ndarray

    @property
    def num_columns(self) -> int:
        return self.info_columns + self.num_rows


_SIZES = {1: (22, 46, 8448), 2: (10, 42, 3840)}


@lru_cache(maxsize=2)
def base_graph(number: int) -> BaseGraph:
    """Base graph 1 or 2 from the packaged table."""
    text = files("semlink.phy.ldpc").joinpath("base_graphs.csv").read_text(encoding="ascii")
    table = np.array(list(csv.reader(text.splitlines()[1:])), np.int64)
    table = table[table[:, 0] == number]
    return BaseGraph(number, *_SIZES[number], table[:, 1].copy(), table[:, 2].copy(), table[:, 3:].T.copy())


def choose_base_graph(num_bits: int, code_rate: float) -> int:
    """The base graph for a transport block of `num_bits` (without CRC) at the target rate.

    Source: [3gpp38212, 6.2.2 and 7.2.2].
    """
    small = num_bits <= 292 or (num_bits <= 3824 and code_rate <= 0.67) or code_rate <= 0.25
    return 2 if small else 1


def lifting_size(number: int, block_bits: int) -> int:
    """The smallest z that holds a code block of `block_bits` (CRCs included).

    Source: [3gpp38212, 5.2.2].
    """
    graph = base_graph(number)
    if not MIN_BLOCK_BITS <= block_bits <= graph.max_block_bits:
        allowed = f"{MIN_BLOCK_BITS}..{graph.max_block_bits}"
        raise ValueError(f"code block of {block_bits} bits; base graph {number} carries {allowed}")
    columns = graph.info_columns if number == 1 else _filled_columns(block_bits)
    return min(z for z in LIFTING_SIZES if columns * z >= block_bits)


def lifting_set(z: int) -> int:
    """Which of the eight tables of shifts belongs to lifting size `z`."""
    return LIFTING_SIZES[z]


def _filled_columns(block_bits: int) -> int:
    """K_b of base graph 2: how many information columns a block of this size fills."""
    for columns, above in ((10, 640), (9, 560), (8, 192)):
        if block_bits > above:
            return columns
    return 6
