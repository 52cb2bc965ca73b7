"""How far a Bjontegaard average would move with other noise: every point's trials weighted anew.

The clips stay; a transmission's weight is the same in all points of both
curves, which met the same noise. Each point where blocks may be lost reckons
with one transmission more that nobody has seen, once as bad for the difference
as it can be, once as good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from semlink.link.compare.bd_rate import Average
from semlink.link.compare.paired import ClipScores, PointScores, draws_of

__all__ = ["noise_halfwidth"]

REPLICATES = 200
SEED = 20
LEAST_SHARE = 0.9
"""Of replicates that must have an average."""


def noise_halfwidth(
    sides: Sequence[Sequence[PointScores | None]],
    average: Callable[..., Average],
    scale: Callable[[float], float],
) -> float:
    """95 % half width of `scale(average)` over noise, clips held fixed, by the Bayesian bootstrap over trials.

    NaN where a record is missing, a point that draws noise has one trial, or
    too many replicates have no average.

    Args:
        sides: the points of the reference, then those of the scheme.
    Source: [rubin1981, the posterior of a mean], [learnedmiller2019, the unseen value].
    """
    curves = [[_Point.of(point) for point in side if point is not None] for side in sides]
    if any(len(curve) < len(side) for curve, side in zip(curves, sides)) or not all(curves):
        return math.nan
    points = [point for curve in curves for point in curve]
    if all(point.is_certain for point in points):
        return 0.0
    if any(point.values.shape[0] < 2 and not point.is_certain for point in points):
        return math.nan
    middle = average(*([(p.cost, float(p.values.mean())) for p in curve] for curve in curves))
    error = min(point.error for point in points if not point.is_certain)
    low, high = (_replicates(curves, average, scale, unseen) for unseen in (-1, 1))
    if middle.value is None or min(len(low), len(high)) < LEAST_SHARE * REPLICATES:
        return math.nan
    found = scale(middle.value)
    half = max(found - float(np.quantile(low, error / 2)), float(np.quantile(high, 1 - error / 2)) - found, 0.0)
    return half * _small_sample(points, error)


def _small_sample(points: Sequence[_Point], error: float) -> float:
    """How much wider Student's interval is than that of a spread known exactly."""
    from scipy.special import ndtri, stdtrit

    freedom = min(point.values.shape[1] * (point.values.shape[0] - 1) for point in points if not point.is_certain)
    return float(stdtrit(freedom, 1 - error / 2) / ndtri(1 - error / 2))


@dataclass(frozen=True, slots=True)
class _Point:
    """Values (trial, clip), higher is better, of one point; worst and best are means over clips.

    `is_mixed`: something may be lost, so that worst and best have a weight.
    """

    values: np.ndarray
    worst: float
    best: float
    cost: float
    error: float
    is_certain: bool
    is_mixed: bool

    @classmethod
    def of(cls, point: PointScores) -> _Point:
        clips: list[ClipScores] = [point.stretched(name, len(clip.quality)) for name, clip in point.clips.items()]
        draws = draws_of(clips, min(len(clip.quality) for clip in clips), point.metric)
        worst, best = (float(side.mean()) for side in draws.limits)
        cost = float(np.mean([clip.cost.mean() for clip in clips]))
        return cls(draws.values, worst, best, cost, point.error, point.is_certain, draws.is_mixed)

    def mean(self, weights: np.ndarray, unseen: float, is_worst: bool) -> float:
        """The mean with weights (trial, clip), and one more, `unseen`, for what nobody saw."""
        if self.is_certain:
            return float(self.values.mean())
        count, clips = self.values.shape
        used = weights[:count, :clips]
        middle = float(self.values.mean())
        moved = float(((used * self.values).sum(0) / used.sum(0)).mean()) - middle
        share = unseen / (unseen + used.sum()) if self.is_mixed else 0.0
        rest = middle + moved * math.sqrt((count + 1) / (count - 1))
        return float((1 - share) * rest + share * (self.worst if is_worst else self.best))


def _replicates(
    curves: Sequence[Sequence[_Point]],
    average: Callable[..., Average],
    scale: Callable[[float], float],
    unseen: int,
) -> list[float]:
    """Averages with other weights; with `unseen` -1 the scheme meets the worst and the reference the best."""
    points = [point for curve in curves for point in curve]
    shape = tuple(max(point.values.shape[axis] for point in points) for axis in (0, 1))
    chance, found = np.random.default_rng(SEED), []
    for _ in range(REPLICATES):
        weights = chance.exponential(size=shape)
        drawn = [
            [(p.cost, p.mean(weights, float(chance.exponential()), is_worst=(unseen < 0) == bool(side))) for p in curve]
            for side, curve in enumerate(curves)
        ]
        replicate = average(*drawn)
        if replicate.value is not None:
            found.append(scale(replicate.value))
    return found
