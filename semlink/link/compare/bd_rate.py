"""Bjontegaard's average distance between two curves of quality over cost.

The distance is an average over what both curves cover and never reaches
beyond it: curves that share too little get a reason instead of a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

METHOD = "pchip"  # piecewise cubic, monotone between monotone points
MIN_OVERLAP = 0.25  # of the shorter curve's range

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Average:
    """An average difference over the range [low, high], or the reason why there is none."""

    value: float | None = None
    low: float = math.nan
    high: float = math.nan
    note: str = ""


def bd_quality(reference: Points, test: Points) -> Average:
    """Mean difference in quality, test less reference, over the common range of log cost.

    Args:
        reference: (cost, quality) pairs in any order, costs > 0.
        test: the same; both may differ in length.
    Returns:
        `low` and `high` are costs.
    Source: [bjontegaard2001, average PSNR difference], with the piecewise
        interpolation of [herglotz2022bd].
    """
    from bjontegaard import bd_psnr

    first, second = _by_cost(reference), _by_cost(test)
    shared = _overlap([math.log10(c) for c, _ in first], [math.log10(c) for c, _ in second], "cost")
    if isinstance(shared, str):
        return Average(note=shared)
    found = bd_psnr(*_columns(first), *_columns(second), METHOD, require_matching_points=False, min_overlap=0)
    return Average(float(found), 10 ** shared[0], 10 ** shared[1])


def bd_rate(reference: Points, test: Points) -> Average:
    """Mean difference in cost at equal quality, in percent of the reference; negative is cheaper.

    Points that a cheaper one of the same curve equals or beats have no part
    in it, since nobody would operate there.

    Args:
        reference: (cost, quality) pairs in any order, costs > 0.
        test: the same; both may differ in length.
    Returns:
        `low` and `high` are qualities.
    Source: [bjontegaard2001, average bit rate difference], with the piecewise
        interpolation of [herglotz2022bd].
    """
    from bjontegaard import bd_rate as library_bd_rate

    first, second = _undominated(reference), _undominated(test)
    shared = _overlap([q for _, q in first], [q for _, q in second], "quality", "undominated")
    if isinstance(shared, str):
        return Average(note=shared)
    found = library_bd_rate(*_columns(first), *_columns(second), METHOD, require_matching_points=False, min_overlap=0)
    left_out = len(reference) + len(test) - len(first) - len(second)
    return Average(float(found), *shared, note=f"{left_out} dominated points left out" if left_out else "")


def _overlap(
    first: Sequence[float], second: Sequence[float], what: str, kind: str = "usable"
) -> tuple[float, float] | str:
    """The range both sequences cover, or why that is not enough."""
    for name, points in (("the reference", first), ("the scheme", second)):
        if len(points) < 2:
            return f"{name} has {len(points) or 'no'} {kind} operating point{'' if len(points) == 1 else 's'}; needs 2"
    low, high = max(min(first), min(second)), min(max(first), max(second))
    shorter = min(max(first) - min(first), max(second) - min(second))
    if high <= low:
        return f"the curves share no {what} range"
    if high - low < MIN_OVERLAP * shorter:
        return (
            f"the curves share only {(high - low) / shorter:.0%} of the shorter {what} range; needs {MIN_OVERLAP:.0%}"
        )
    return low, high


def _by_cost(points: Points) -> list[tuple[float, float]]:
    """Points in order of cost; the mean quality where costs are equal."""
    costs = sorted({c for c, _ in points})
    groups = ((cost, [q for c, q in points if c == cost]) for cost in costs)
    return [(cost, sum(found) / len(found)) for cost, found in groups]


def _undominated(points: Points) -> list[tuple[float, float]]:
    """Points in order of cost that are better than every cheaper one."""
    kept: list[tuple[float, float]] = []
    for cost, quality in _by_cost(points):
        if not kept or quality > kept[-1][1]:
            kept.append((cost, quality))
    return kept


def _columns(points: Points) -> tuple[list[float], list[float]]:
    return [c for c, _ in points], [q for _, q in points]
