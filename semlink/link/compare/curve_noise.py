"""How far a Bjontegaard average would move with other noise, clips held fixed.

An average over curves moves, for small changes, in proportion to the quality of
each of their points. So each transmission moves it by a sum over points, which
met the same noise, and the interval is that of any mean over transmissions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from semlink.link.compare.bd_rate import Average
from semlink.link.compare.paired import PointScores, draws_of
from semlink.link.metrics.draws import Draws
from semlink.link.metrics.intervals import halfwidth

__all__ = ["noise_halfwidth"]

STEP = 1e-3
"""Of the range of qualities: what a point is moved by to see how the average follows."""


def noise_halfwidth(
    sides: Sequence[Sequence[PointScores | None]],
    average: Callable[..., Average],
    scale: Callable[[float], float],
) -> float:
    """95 % half width of `scale(average)` over noise (`intervals.halfwidth`), clips held fixed; 0 between bounds.

    NaN where a record is missing, no clip or only one trial is common to the
    points that draw noise, or a moved point leaves no average.

    Args:
        sides: the points of the reference, then those of the scheme.
    """
    points = [point for side in sides for point in side if point is not None]
    if len(points) < sum(map(len, sides)) or not points:
        return math.nan
    names = [name for name in points[0].clips if all(name in point.clips for point in points)]
    noisy = [point for point in points if not point.is_certain]
    if not noisy:
        return 0.0
    trials = min((len(point.clips[n].quality) for point in noisy for n in names), default=0)
    if trials < 2:
        return math.nan
    tables = [draws_of([p.stretched(n, trials) for n in names], trials, p.metric) for p in points]
    costs = [float(np.mean([p.clips[n].cost.mean() for n in names])) for p in points]
    slopes = _slopes([float(t.values.mean()) for t in tables], costs, len(sides[0]), average, scale)
    error = min(point.error for point in noisy)
    return math.nan if slopes is None else halfwidth(_sum(tables, slopes), error)


def _slopes(
    qualities: Sequence[float],
    costs: Sequence[float],
    split: int,
    average: Callable[..., Average],
    scale: Callable[[float], float],
) -> list[float] | None:
    """How much the average moves with each point's quality; None where there is no average."""
    step = STEP * max(max(qualities) - min(qualities), STEP)
    found = []
    for place in range(len(qualities)):
        ends = []
        for moved in (-step, step):
            points = [(c, q + moved * (n == place)) for n, (c, q) in enumerate(zip(costs, qualities))]
            end = average(points[:split], points[split:]).value
            if end is None:
                return None
            ends.append(scale(end))
        found.append((ends[1] - ends[0]) / (2 * step))
    return found


def _sum(tables: Sequence[Draws], slopes: Sequence[float]) -> Draws:
    """What each transmission adds to the average; at worst all points turn out badly for it at once."""
    values = np.sum([slope * table.values for slope, table in zip(slopes, tables)], axis=0)
    ends = [np.sort([slope * side for side in table.limits], axis=0) for slope, table in zip(slopes, tables)]
    worst, best = np.sum(ends, axis=0)
    lost = [np.zeros(values.shape, bool) if t.lost is None else t.lost for t in tables if t.is_mixed]
    return Draws(values, np.logical_or.reduce(lost) if lost else None, worst, best, is_difference=True)
