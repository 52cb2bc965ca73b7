"""Values of a point as drawn, and what else could have been drawn.

A trial sends every clip once; noise and fading of each clip in each trial are
streams of their own, so that (trial, clip) is the unit of chance: blocks inside
one transmission may share their fate, transmissions do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from semlink.link.metrics.registry import Metric

__all__ = ["Draws", "drawn"]


@dataclass(frozen=True, slots=True)
class Draws:
    """One quality of a point, higher is better.

    Attributes:
        values: (trial, clip).
        lost: (trial, clip), whether something of the transmission was lost; None where nothing can be lost.
        worst, best: (clip,), what a transmission may plausibly come to that nobody has seen.
        is_difference: of two such things; then a transmission without loss is not the best.
    """

    values: np.ndarray
    lost: np.ndarray | None
    worst: np.ndarray
    best: np.ndarray
    is_difference: bool = False

    @property
    def is_mixed(self) -> bool:
        """Whether a value is clean or damaged, rather than more or less noisy: blocks may be lost, or values repeat."""
        if self.lost is not None or self.is_difference:
            return self.lost is not None
        return bool((self.worst != self.best).any()) and _repeats(self.values)

    @property
    def anchor(self) -> np.ndarray:
        """(clip,), what a clip comes to without loss; its mean where all were lost."""
        if self.lost is None:
            return np.asarray(self.values.mean(0))
        clean, number = ~self.lost, (~self.lost).sum(0)
        total = np.where(clean, self.values, 0.0).sum(0)
        return np.where(number > 0, total / np.maximum(number, 1), self.values.mean(0))

    @property
    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """(clip,) each: the worst and the best to reckon with.

        No clip gets better than without loss, once that was seen. Where values
        only vary, the unseen lies beyond the seen by a part of their range that
        shrinks with their number.
        """
        low, high = self.values.min(0), self.values.max(0)
        if not self.is_mixed:
            beyond = 2 * (high - low).max() / self.values.size**0.5
            return low - beyond, high + beyond
        worst, best = np.minimum(self.worst, low), np.maximum(self.best, high)
        if self.lost is None or self.is_difference:
            return worst, best
        seen = (~self.lost).any(0)
        clean = np.where(self.lost, -np.inf, self.values).max(0)
        return worst, np.where(seen, np.maximum(clean, high), best)

    def __sub__(self, other: Draws) -> Draws:
        """Differences of the same transmissions, with the best of one against the worst of the other."""
        (low, high), (their_low, their_high) = self.limits, other.limits
        lost = [side.lost for side in (self, other) if side.lost is not None]
        if not lost and (self.is_mixed or other.is_mixed):
            lost = [np.zeros(self.values.shape, bool)]
        either = np.logical_or.reduce(lost) if lost else None
        return Draws(self.values - other.values, either, low - their_high, high - their_low, is_difference=True)


def drawn(
    values: Sequence[Sequence[float]],
    metric: Metric,
    lost: np.ndarray | None = None,
    extremes: Sequence[Mapping[str, Sequence[float]]] = (),
) -> Draws:
    """Values (trial, clip) of a metric as draws.

    Args:
        lost: (trial, clip), blocks lost; None where there are none.
        extremes: for each clip, by the metric's name, what a receiver scores that knows nothing, and the best.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    table = sign * np.asarray(values, dtype=float)
    bounds = [_extremes(clip.get(metric.name), metric) for clip in extremes or [{}] * table.shape[1]]
    pairs = sign * np.array(bounds)
    worst, best = pairs.min(1), pairs.max(1)
    missing = ~(np.isfinite(worst) & np.isfinite(best))
    span = table.max() - table.min()
    worst = np.where(missing, table.min() - span, worst)
    best = np.where(missing, table.max() + span, best)
    return Draws(table, None if lost is None else np.asarray(lost) > 0, worst, best)


def _extremes(found: Sequence[float] | None, metric: Metric) -> tuple[float, float]:
    """Worst and best of a clip; the metric's own where the clip's are not known."""
    worst, best = (found[0], found[1]) if found else (metric.extremes or (np.nan, np.nan))
    return float(worst), float(best)


def _repeats(values: np.ndarray) -> bool:
    """Whether a clip met the same value twice."""
    return any(len(np.unique(clip)) < len(clip) for clip in values.T)
