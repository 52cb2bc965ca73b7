"""Differences between two schemes on the same clips in the same trials.

All schemes at one point meet the same noise and fading, so a difference is
taken trial by trial and clip by clip before anything is averaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from semlink.errors import ResultsError
from semlink.files import Json
from semlink.link.metrics.intervals import t_halfwidth
from semlink.link.metrics.registry import Metric
from semlink.link.results.finished import FinishedRun
from semlink.link.results.rows import Row, value

EQUAL_COST = 1e-3  # relative


@dataclass(frozen=True, slots=True)
class ClipScores:
    """One clip at one point: quality (trial,) and cost (trial,)."""

    name: str
    motion: str
    quality: np.ndarray
    cost: np.ndarray


@dataclass(frozen=True, slots=True)
class PointScores:
    """A row with the clips behind it."""

    row: Row
    clips: Mapping[str, ClipScores]


@dataclass(frozen=True, slots=True)
class Gap:
    """A mean paired difference and its two 95 % half widths; NaN for a single clip or trial.

    `clips_ci95` says how far the mean would move with other clips (t over
    clips), `trials_ci95` how far with other noise on these clips (t over trials).
    """

    mean: float
    clips_ci95: float
    trials_ci95: float
    clips: int
    trials: int


def scores_of(run: FinishedRun, metric: Metric, cost: str) -> dict[tuple, PointScores]:
    """The clips behind each row, by (scheme, *row.point); rows without a record of `metric` are left out.

    Args:
        cost: the cost column; measurements are the same for all clips and come from the row.
    Raises:
        ResultsError: a record is damaged.
    """
    found = {}
    for point in run.points:
        row = point.row
        try:
            clips = [_clip(clip, row, metric.column, cost) for clip in point.clips if metric.column in clip]
        except (KeyError, TypeError, ValueError) as fault:
            where = f"{run.folder}: {row.scheme}"
            raise ResultsError(
                f"{where}: damaged record of a clip ({fault!r}); delete its point and run again"
            ) from fault
        if clips:
            found[(row.scheme, *row.point)] = PointScores(row, {clip.name: clip for clip in clips})
    return found


def gap(test: Sequence[np.ndarray], reference: Sequence[np.ndarray]) -> Gap | None:
    """The paired difference of two lists of (trial,) arrays, one a clip, in the same order.

    Trials pair by number; where one side has fewer, the others are not used.
    None where nothing is left or a quality is not finite.
    """
    counts = [min(len(a), len(b)) for a, b in zip(test, reference)]
    if not counts or min(counts) == 0:
        return None
    per_clip = np.array([np.mean(a[:n] - b[:n]) for a, b, n in zip(test, reference, counts)])
    shared = min(counts)
    per_trial = np.mean([a[:shared] - b[:shared] for a, b in zip(test, reference)], axis=0)
    if not (np.isfinite(per_clip).all() and np.isfinite(per_trial).all()):
        return None
    return Gap(
        float(per_clip.mean()), t_halfwidth(per_clip.tolist()), t_halfwidth(per_trial.tolist()), len(counts), shared
    )


def pair(test: PointScores, reference: PointScores, names: Sequence[str]) -> Gap | None:
    """The difference at one point between two schemes, over the clips `names`."""
    ours, theirs = [], []
    for name in names:
        a, b = _stretched(test, reference, name)
        ours.append(a)
        theirs.append(b)
    return gap(ours, theirs)


def pair_at_cost(
    test: PointScores, reference: Sequence[PointScores], names: Sequence[str]
) -> tuple[Gap | None, list[str]]:
    """The difference to the reference's curve at each clip's own cost.

    The reference's quality is interpolated for each clip and trial linearly
    in log cost between its two neighbouring points; clips whose cost lies
    outside its curve are left out.

    Returns:
        The difference, and the names of the clips it rests on.
    """
    ours, theirs, used = [], [], []
    for name in names:
        mine = test.clips[name]
        at_cost = _interpolated(reference, name, float(mine.cost.mean()), len(mine.quality), test.row.bound)
        if at_cost is None:
            continue
        quality = np.repeat(mine.quality, len(at_cost)) if test.row.bound and len(mine.quality) == 1 else mine.quality
        ours.append(quality)
        theirs.append(at_cost)
        used.append(name)
    return gap(ours, theirs), used


def _stretched(test: PointScores, reference: PointScores, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Both qualities of a clip; a bound, which knows no noise, is repeated to the other's trials."""
    a, b = test.clips[name].quality, reference.clips[name].quality
    if test.row.bound and len(a) == 1:
        a = np.repeat(a, len(b))
    if reference.row.bound and len(b) == 1:
        b = np.repeat(b, len(a))
    return a, b


def _interpolated(
    reference: Sequence[PointScores], name: str, cost: float, trials: int, any_trials: bool
) -> np.ndarray | None:
    """Quality (trial,) of the reference's curve for one clip at `cost`; None outside it."""
    curve = sorted(((p.clips[name].cost.mean(), p) for p in reference if name in p.clips), key=lambda pair: pair[0])
    if not curve or cost <= 0 or curve[0][0] <= 0:
        return None
    costs = np.array([c for c, _ in curve])
    nearest = int(np.abs(costs - cost).argmin())
    if abs(costs[nearest] - cost) <= EQUAL_COST * cost:
        low = high = nearest
        weight = 0.0
    else:
        high = int(np.searchsorted(costs, cost))
        if high in (0, len(costs)):
            return None
        low = high - 1
        weight = math.log(cost / costs[low]) / math.log(costs[high] / costs[low])
    ends = [curve[low][1], curve[high][1]]
    qualities = [end.clips[name].quality for end in ends]
    longest = max(trials if not any_trials else 1, *(len(q) for q in qualities))
    qualities = [np.repeat(q, longest) if end.row.bound and len(q) == 1 else q for end, q in zip(ends, qualities)]
    shared = min(len(q) for q in qualities)
    return (1 - weight) * qualities[0][:shared] + weight * qualities[1][:shared]


def _clip(clip: Json, row: Row, column: str, cost: str) -> ClipScores:
    quality = np.array([math.nan if q is None else float(q) for q in clip[column]])
    uses = clip.get("channel_uses") if cost == "channel_uses_per_pixel" else None
    spent = [float(u) for u in uses] if uses else [value(row, cost) or math.nan] * len(quality)
    return ClipScores(str(clip["name"]), str(clip.get("motion") or ""), quality, np.array(spent))
