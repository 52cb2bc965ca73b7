"""Readings of inner products in the order in which codecs work on them.

A *field* holds what some patterns read: (rows, frames, high, wide), a row for
each pattern, its places in raster order, frame by frame. Where neighbours read
related things, each row is taken to the cosines of time and of the grid, which
is orthonormal: errors of coefficients are errors of readings.

What codecs are given for a clip is all fields, flat, one behind the other, as
(1, 1, n); zero stands for what an even gray scene would read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from scipy.fft import dctn, idctn

__all__ = ["NUM_BANDS", "Field", "Layout", "bands_of", "coefficients_of", "num_values", "readings_of"]

_ZONES = (2, 4)
"""Frequencies on the grid, the higher of the two: below 2, below 4, and above."""
_MOST_OCTAVES = 5
NUM_BANDS = _MOST_OCTAVES * (len(_ZONES) + 1)


@dataclass(frozen=True, slots=True)
class Field:
    """Rows of readings over frames and a grid; `related` where neighbours are worth a transform."""

    rows: int
    frames: int
    high: int
    wide: int
    related: bool = True

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.rows, self.frames, self.high, self.wide

    @property
    def places(self) -> int:
        """Values of a row."""
        return self.frames * self.high * self.wide


Layout = tuple[Field, ...]


def num_values(layout: Layout) -> int:
    """Of all fields together."""
    return sum(prod(field.shape) for field in layout)


def coefficients_of(flat: np.ndarray, layout: Layout) -> list[np.ndarray]:
    """Coefficients (rows, places) of each field, from flat readings (1, 1, n)."""
    values, found, start = flat.ravel().astype(np.float64), [], 0
    for field in layout:
        size = prod(field.shape)
        rows = values[start : start + size].reshape(field.shape)
        rows = dctn(rows, axes=(1, 2, 3), norm="ortho") if field.related else rows
        found.append(rows.reshape(field.rows, -1))
        start += size
    return found


def readings_of(coefficients: Sequence[np.ndarray], layout: Layout) -> np.ndarray:
    """Flat readings (1, 1, n), float32, from the coefficients of each field."""
    parts = []
    for rows, field in zip(coefficients, layout, strict=True):
        values = rows.reshape(field.shape)
        parts.append((idctn(values, axes=(1, 2, 3), norm="ortho") if field.related else values).ravel())
    return np.concatenate(parts).astype(np.float32)[None, None]


@lru_cache(maxsize=32)
def bands_of(field: Field) -> np.ndarray:
    """The band (places,) of each coefficient of a row: octave of time and zone of the grid; one band if unrelated."""
    if not field.related:
        return np.zeros(field.places, np.int64)
    t, y, x = np.indices(field.shape[1:])
    octave = np.minimum(np.ceil(np.log2(t + 1)).astype(np.int64), _MOST_OCTAVES - 1)
    zone = np.digitize(np.maximum(y, x), _ZONES)
    _, bands = np.unique(octave * (len(_ZONES) + 1) + zone, return_inverse=True)
    return bands.reshape(-1)
