"""One lifted LDPC code: its sizes and its parity checks as circulant edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from semlink.phy.ldpc.base_graph import CORE_ROWS, PUNCTURED_COLUMNS, BaseGraph, base_graph, lifting_set, lifting_size


@dataclass(frozen=True, slots=True)
class LdpcCode:
    """The code that carries `info_bits` (CRCs included) on base graph `graph` (1 or 2).

    Bits stand in columns of `z`: the information, zeros that fill up its last
    columns and are never sent, then the parity. The first two columns are
    never sent either; what follows them is the circular buffer.

    Source: [3gpp38212, 5.2.2 and 5.3.2].
    """

    graph: int
    info_bits: int

    def __post_init__(self) -> None:
        lifting_size(self.graph, self.info_bits)

    @property
    def base(self) -> BaseGraph:
        return base_graph(self.graph)

    @property
    def z(self) -> int:
        """Lifting size Z_c."""
        return lifting_size(self.graph, self.info_bits)

    @property
    def filled_bits(self) -> int:
        """K: information with its filler bits."""
        return self.base.info_columns * self.z

    @property
    def buffer_bits(self) -> int:
        """N: length of the circular buffer, fillers counted."""
        return (self.base.num_columns - PUNCTURED_COLUMNS) * self.z

    @property
    def fillers(self) -> tuple[int, int]:
        """First and last-but-one position of the filler bits in the circular buffer."""
        skipped = PUNCTURED_COLUMNS * self.z
        return self.info_bits - skipped, self.filled_bits - skipped

    def rows_for(self, width: int) -> int:
        """How many rows of checks say anything about the first `width` bits of the buffer.

        A row beyond the four of the core brings a parity column of its own,
        and tells nothing while that column is unknown.
        """
        columns = -(-width // self.z) + PUNCTURED_COLUMNS
        return min(max(columns - self.base.info_columns, CORE_ROWS), self.base.num_rows)

    def width_of(self, num_rows: int) -> int:
        """Bits of the circular buffer that the first `num_rows` rows of checks span."""
        return (self.base.info_columns + num_rows - PUNCTURED_COLUMNS) * self.z

    def edges(self, num_rows: int) -> Edges:
        """The checks of the first `num_rows` rows."""
        return lifted_edges(self.graph, self.z, self.last_column, num_rows)

    @property
    def last_column(self) -> int:
        """The last information column that holds information, be it in part."""
        return (self.info_bits - 1) // self.z


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Checks in row order: row r owns edges `start[r]` to `start[r + 1]`; int64 each.

    Columns that hold nothing but fillers are left out: a known zero tells a
    check nothing. The column that is filler in part comes first in its row.
    """

    start: np.ndarray
    columns: np.ndarray
    shifts: np.ndarray

    @property
    def num_rows(self) -> int:
        return len(self.start) - 1

    @property
    def degrees(self) -> np.ndarray:
        return np.diff(self.start)


@lru_cache(maxsize=256)
def lifted_edges(graph: int, z: int, last_column: int, num_rows: int) -> Edges:
    base = base_graph(graph)
    kept = (base.rows < num_rows) & ((base.columns <= last_column) | (base.columns >= base.info_columns))
    edge = np.flatnonzero(kept)
    edge = edge[np.lexsort((base.columns[edge] != last_column, base.rows[edge]))]
    start = np.searchsorted(base.rows[edge], np.arange(num_rows + 1))
    return Edges(start, base.columns[edge], base.shifts[lifting_set(z)][edge] % z)


class Words(NamedTuple):
    """What became of a batch of code blocks.

    Attributes:
        hard: information bits uint8 (block, info_bits). Where only silence made
            a word of zeros, which would pass its CRC, undecided bits read 1.
        used: iterations spent, int32 (block,).
        solved: bool (block,), whether all checks held in the end and all bits were decided.
    """

    hard: np.ndarray
    used: np.ndarray
    solved: np.ndarray

    @classmethod
    def room(cls, code: LdpcCode, num_blocks: int) -> Words:
        """Uninitialised arrays for `num_blocks` blocks of `code`."""
        hard = np.empty((num_blocks, code.info_bits), np.uint8)
        return cls(hard, np.empty(num_blocks, np.int32), np.empty(num_blocks, np.bool_))
