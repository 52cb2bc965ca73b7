"""Readings of inner products as real numbers on the air, in the manner of SoftCast.

A chunk holds what a few neighbouring patterns read of one frame, or, where
frames are related, of one frequency of time. Chunks are ordered by variance;
those that find no room are left out, and read as zero at the receiver.

Source: [jakubczak2011], for readings instead of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from semlink.codecs.analogue.chunks import ChunkSender, described, descriptions
from semlink.codecs.analogue.power_allocation import Allocation
from semlink.codecs.projections.fields import Layout, coefficients_of, num_values, readings_of
from semlink.errors import InterfaceError

__all__ = ["PATTERNS", "ProjectionSoftCast"]

PATTERNS = (32, 16, 8, 4, 2, 1)
"""Patterns of a chunk that are tried, from the shortest description to the longest."""


@dataclass(frozen=True, slots=True)
class ProjectionSoftCast:
    """A linear codec of readings for `num_reals` real numbers of mean power 1.

    Attributes:
        layout: what the readings are.
        allocation: of the power.
        whitening: mix the numbers with Hadamard matrices.
    """

    layout: Layout = ()
    allocation: Allocation = "fourth-root"
    whitening: bool = True
    gop = None  # all readings together

    def laid_out(self, layout: Layout) -> ProjectionSoftCast:
        """The same for readings of this layout."""
        return replace(self, layout=layout)

    def encode(
        self, clip: np.ndarray, *, num_reals: int, side_bytes: int, noise_var: float
    ) -> tuple[bytes, np.ndarray]:
        """Side information of at most `side_bytes`, and at most `num_reals` numbers (m,), m even.

        Args:
            clip: flat readings (1, 1, n).
            noise_var: expected on each real number, whose mean power is 1.
        Raises:
            ValueError: fewer than LEAST_SIDE_BYTES for the side information.
        """
        if clip.size != num_values(self.layout):
            raise InterfaceError(f"codec of readings: got {clip.size} of them; laid out for {num_values(self.layout)}")
        rows = coefficients_of(clip, self.layout)
        forms = [partial(_chunked, rows, self.layout, patterns) for patterns in PATTERNS]
        return self._sender.best(descriptions(forms, num_reals, side_bytes), noise_var)

    def decode(
        self, side: bytes, heard: np.ndarray, heard_noise_var: np.ndarray, shape: tuple[int, ...], *, noise_var: float
    ) -> np.ndarray | None:
        """Readings (1, 1, n), float32; None if the side information does not fit what was heard."""
        told = described(side, [_grid(self.layout, patterns) for patterns in PATTERNS])
        patterns = PATTERNS[told.chunk]
        chunks = self._sender.from_air(told, patterns * _widest(self.layout), heard, heard_noise_var, noise_var)
        return None if chunks is None else readings_of(_unchunked(chunks, self.layout, patterns), self.layout)

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """What is read where no description arrived: an even gray scene."""
        return np.zeros((1, 1, num_values(self.layout)), np.float32)

    @property
    def _sender(self) -> ChunkSender:
        return ChunkSender(self.allocation, self.whitening)


def _widest(layout: Layout) -> int:
    """Places of a frame, of the field that has the most."""
    return max(field.high * field.wide for field in layout)


def _grid(layout: Layout, patterns: int) -> tuple[int, int, int]:
    """Frames, and groups of `patterns` rows of all fields."""
    return max(field.frames for field in layout), sum(-(-field.rows // patterns) for field in layout), 1


def _chunked(rows: list[np.ndarray], layout: Layout, patterns: int) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Chunks (k, n) on their grid, zero where a field has no such frame, row or place."""
    grid, wide = _grid(layout, patterns), _widest(layout)
    chunks = np.zeros((*grid[:2], patterns * wide))
    for group, field, values in _placed(rows, layout, patterns):
        chunks[: field.frames, group] = values.reshape(field.frames, len(range(*group.indices(grid[1]))), -1)
    return chunks.reshape(-1, patterns * wide), grid


def _placed(rows: list[np.ndarray], layout: Layout, patterns: int):
    """Each field's place among the groups, with its values (frames, groups, patterns, places of the widest)."""
    start, wide = 0, _widest(layout)
    for field, values in zip(layout, rows):
        groups, each = -(-field.rows // patterns), field.high * field.wide
        whole = np.zeros((groups * patterns, field.frames, wide))
        whole[: field.rows, :, :each] = values.reshape(field.rows, field.frames, each)
        yield (
            slice(start, start + groups),
            field,
            whole.reshape(groups, patterns, field.frames, wide).transpose(2, 0, 1, 3),
        )
        start += groups


def _unchunked(chunks: np.ndarray, layout: Layout, patterns: int) -> list[np.ndarray]:
    """Rows (rows, places) of each field."""
    frames, groups, _ = _grid(layout, patterns)
    wide, start, found = _widest(layout), 0, []
    whole = chunks.reshape(frames, groups, patterns, wide)
    for field in layout:
        count = -(-field.rows // patterns)
        own = whole[: field.frames, start : start + count].transpose(1, 2, 0, 3)
        own = own.reshape(count * patterns, field.frames, wide)[: field.rows, :, : field.high * field.wide]
        found.append(own.reshape(field.rows, field.places))
        start += count
    return found
