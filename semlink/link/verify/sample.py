"""Which points are computed again: drawn, each scheme before any a second time."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

__all__ = ["drawn"]

FEWEST = 3
"""Points that are drawn where nobody says how many."""


def drawn(schemes: Sequence[Hashable], count: int | None, seed: int) -> list[int]:
    """Places of drawn points, in their order.

    Args:
        schemes: the scheme of each point there is.
        count: None for one of each scheme, and three at least.
        seed: whoever does not know it cannot tell which points will be looked at.
    """
    chance = np.random.default_rng(seed)
    left: dict[Hashable, list[int]] = {}
    for place in chance.permutation(len(schemes)).tolist():
        left.setdefault(schemes[place], []).append(place)
    wanted = max(FEWEST, len(left)) if count is None else count
    found: list[int] = []
    while len(found) < min(wanted, len(schemes)):
        found += [places.pop() for places in left.values() if places]
    return sorted(found[:wanted])
