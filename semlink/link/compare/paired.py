"""Differences between two schemes on the same clips in the same trials.

All schemes at one point meet the same noise and fading, so a difference is
taken trial by trial and clip by clip before anything is averaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from semlink.errors import ResultsError
from semlink.files import Json
from semlink.link.metrics.draws import Draws, drawn
from semlink.link.metrics.intervals import ERROR, halfwidth, t_halfwidth
from semlink.link.metrics.registry import Metric
from semlink.link.results.finished import FinishedRun
from semlink.link.results.rows import Row, value

EQUAL_COST = 1e-3  # relative


@dataclass(frozen=True, slots=True)
class ClipScores:
    """One clip at one point: quality (trial,) and cost (trial,).

    `lost` (trial,) counts blocks, None for a scheme without; `extremes` are the
    worst and the best that is plausible, None where the record does not say.
    """

    name: str
    motion: str
    quality: np.ndarray
    cost: np.ndarray
    lost: np.ndarray | None = None
    extremes: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PointScores:
    """A row with the clips behind it; `error` is the probability that an interval of its number of trials misses."""

    row: Row
    clips: Mapping[str, ClipScores]
    metric: Metric
    error: float = ERROR

    @property
    def is_certain(self) -> bool:
        """Whether no noise was drawn, so that its one trial meets any other's."""
        return self.row.bound and all(len(clip.quality) == 1 for clip in self.clips.values())

    def stretched(self, name: str, trials: int) -> ClipScores:
        """A clip; of a bound, which knows no noise, its one trial as often as asked."""
        clip = self.clips[name]
        if not (self.row.bound and len(clip.quality) == 1):
            return clip
        only = float(clip.quality[0])
        return replace(clip, quality=np.repeat(clip.quality, trials), lost=None, extremes=(only, only))


@dataclass(frozen=True, slots=True)
class Gap:
    """A mean paired difference and its two 95 % half widths; NaN for a single clip or trial, with the reason in `note`.

    `clips_ci95` says how far the mean would move with other clips (t over
    clips, and never less than noise), `trials_ci95` how far with other noise on
    these clips (`intervals.halfwidth`, losses never seen among it). `by_clip`
    has each clip's own mean difference.
    """

    mean: float
    clips_ci95: float
    trials_ci95: float
    clips: int
    trials: int
    note: str = ""
    by_clip: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


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
            clips = [_clip(clip, row, metric, cost) for clip in point.clips if metric.column in clip]
        except (KeyError, TypeError, ValueError) as fault:
            where = f"{run.folder}: {row.scheme}"
            raise ResultsError(
                f"{where}: damaged record of a clip ({fault!r}); delete its point and run again"
            ) from fault
        if clips:
            error = float(point.record.get("error", ERROR))
            found[(row.scheme, *row.point)] = PointScores(row, {clip.name: clip for clip in clips}, metric, error)
    return found


def gap(
    test: Sequence[ClipScores], reference: Sequence[ClipScores], metric: Metric, error: float = ERROR
) -> Gap | None:
    """The paired difference of the same clips in the same order.

    Trials pair by number; where one side has fewer, the others are not used.
    None where nothing is left or a quality is not finite.

    Args:
        error: the probability that the interval over trials misses.
    """
    counts = [min(len(a.quality), len(b.quality)) for a, b in zip(test, reference)]
    if not counts or min(counts) == 0:
        return None
    shared = min(counts)
    differences = [a.quality[:n] - b.quality[:n] for a, b, n in zip(test, reference, counts)]
    if not all(np.isfinite(d).all() for d in differences):
        return None
    per_clip = [float(d.mean()) for d in differences]
    noise = halfwidth(draws_of(test, shared, metric) - draws_of(reference, shared, metric), error)
    content = t_halfwidth(per_clip)
    over_clips = content if math.isnan(noise) else max(content, noise)
    by_clip = dict(zip((clip.name for clip in test), per_clip))
    return Gap(float(np.mean(per_clip)), over_clips, noise, len(counts), shared, _missing(len(counts), shared), by_clip)


def _missing(clips: int, trials: int) -> str:
    """Which interval cannot be had, and why."""
    said = [*(["one clip: no interval over clips"] if clips < 2 else [])]
    said += ["one trial: no interval over noise"] if trials < 2 else []
    return "; ".join(said)


def draws_of(clips: Sequence[ClipScores], trials: int, metric: Metric) -> Draws:
    """The first trials of clips as draws."""
    has_blocks = any(clip.lost is not None for clip in clips)
    lost = [np.zeros(trials) if clip.lost is None else clip.lost[:trials] for clip in clips]
    return drawn(
        np.stack([clip.quality[:trials] for clip in clips], axis=1).tolist(),
        metric,
        np.stack(lost, axis=1) if has_blocks else None,
        [{} if clip.extremes is None else {metric.name: clip.extremes} for clip in clips],
    )


def pair(test: PointScores, reference: PointScores, names: Sequence[str]) -> Gap | None:
    """The difference at one point between two schemes, over the clips `names`."""
    ours = [test.stretched(name, len(reference.clips[name].quality)) for name in names]
    theirs = [reference.stretched(name, len(test.clips[name].quality)) for name in names]
    return gap(ours, theirs, test.metric, _error(test, reference))


def _error(*points: PointScores) -> float:
    """That of the side which stopped first; whoever draws nothing does not count."""
    return min([point.error for point in points if not point.is_certain], default=ERROR)


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
        at_cost = _interpolated(reference, name, float(mine.cost.mean()), 1 if test.row.bound else len(mine.quality))
        if at_cost is None:
            continue
        ours.append(test.stretched(name, len(at_cost.quality)))
        theirs.append(at_cost)
        used.append(name)
    return gap(ours, theirs, test.metric, _error(test, *reference)), used


def _interpolated(reference: Sequence[PointScores], name: str, cost: float, trials: int) -> ClipScores | None:
    """The reference's curve for one clip at `cost`, which a bound has for at least so many trials; None outside it."""
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
    first, second = curve[low][1], curve[high][1]
    longest = max(trials, *(len(point.clips[name].quality) for point in (first, second)))
    return _between(first.stretched(name, longest), second.stretched(name, longest), weight)


def _between(a: ClipScores, b: ClipScores, weight: float) -> ClipScores:
    """A clip between two points of one curve, trial by trial; lost where either is."""
    shared = min(len(a.quality), len(b.quality))
    lost = [clip.lost[:shared] for clip in (a, b) if clip.lost is not None]
    extremes = None
    if a.extremes is not None and b.extremes is not None:
        worst, best = ((1 - weight) * x + weight * y for x, y in zip(a.extremes, b.extremes))
        extremes = (worst, best)
    quality = (1 - weight) * a.quality[:shared] + weight * b.quality[:shared]
    return ClipScores(a.name, a.motion, quality, a.cost, np.sum(lost, axis=0) if lost else None, extremes)


def _clip(clip: Json, row: Row, metric: Metric, cost: str) -> ClipScores:
    quality = np.array([math.nan if q is None else float(q) for q in clip[metric.column]])
    uses = clip.get("channel_uses") if cost == "channel_uses_per_pixel" else None
    spent = [float(u) for u in uses] if uses else [value(row, cost) or math.nan] * len(quality)
    lost = np.array(clip["lost"]) if clip.get("lost") else None
    extremes = (clip.get("extremes") or {}).get(metric.name)
    pair = None if extremes is None else (float(extremes[0]), float(extremes[1]))
    return ClipScores(str(clip["name"]), str(clip.get("motion") or ""), quality, np.array(spent), lost, pair)
