"""Which panels a figure has room for: the one where schemes differ most, then those that tell most of the rest."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

__all__ = ["MAX_PANELS", "informative"]

MAX_PANELS = 6

Table = Mapping[float, Mapping[tuple[Hashable, Hashable], float]]
"""By level, such as an SNR, the value of each (scheme, place on the axis)."""


def informative(levels: Sequence[float], table: Table, count: int) -> tuple[float, ...]:
    """`count` of the levels, upwards.

    First the one at which schemes differ most; then, one by one, that whose
    values lie farthest from straight lines between those chosen already, which
    is where curves bend: at a cliff, and at the ends.
    """
    levels = sorted(levels)
    if len(levels) <= count:
        return tuple(levels)
    kept = [max(levels, key=lambda level: (_difference(table.get(level, {})), -abs(level - levels[len(levels) // 2])))]
    while len(kept) < count:
        rest = [level for level in levels if level not in kept]
        kept.append(max(rest, key=lambda level: (_surprise(level, kept, table), min(abs(level - k) for k in kept))))
    return tuple(sorted(kept))


def _difference(values: Mapping[tuple[Hashable, Hashable], float]) -> float:
    """From the best to the worst scheme, mean over the places of the axis."""
    places: dict[Hashable, list[float]] = {}
    for (_, place), found in values.items():
        places.setdefault(place, []).append(found)
    return float(np.mean([max(v) - min(v) for v in places.values()])) if places else 0.0


def _surprise(level: float, kept: Sequence[float], table: Table) -> float:
    """Root mean square distance of the values at a level from what the kept ones tell of them."""
    misses = []
    for key, found in table.get(level, {}).items():
        known = [(k, table[k][key]) for k in sorted(kept) if key in table.get(k, {})]
        if known:
            places, values = zip(*known)
            misses.append(found - float(np.interp(level, places, values)))
    return math.sqrt(float(np.mean(np.square(misses)))) if misses else 0.0
