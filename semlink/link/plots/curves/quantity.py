"""What is drawn upwards: a quality, the block error rate, or a paired difference, each with its intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from semlink.errors import ScenarioError
from semlink.link.compare.compare import compare
from semlink.link.metrics.intervals import t_halfwidth
from semlink.link.metrics.registry import Metric, generic
from semlink.link.plots.curves.model import UNKNOWN, Ends
from semlink.link.results.finished import FinishedPoint, FinishedRun
from semlink.link.results.rows import value

__all__ = ["BLER", "Quantity", "Reading", "difference", "judged", "quantity_of"]

BLER = Metric("bler", "bler", "block error rate", 5, generic("bler").function, higher_is_better=False)
"""Drawn like a quality, although no metric scores it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A value with the ends of its 95 % intervals over trials and over clips."""

    y: float
    trials: Ends = UNKNOWN
    clips: Ends = UNKNOWN


@dataclass(frozen=True, slots=True)
class Quantity:
    """What the upward axis shows.

    Attributes:
        stem: how files about it begin.
        read: its value at a point; None where there is none.
        mean: what the interval over trials is one of.
        log: whether its axis is logarithmic.
        zero: the scheme that others are compared with, a line at 0.
    """

    stem: str
    label: str
    read: Callable[[FinishedPoint], Reading | None]
    higher_is_better: bool = True
    mean: str = "mean over trials"
    log: bool = False
    zero: str = ""


def judged(run: FinishedRun, name: str) -> Metric:
    """The metric of that name or column, the block error rate among them.

    Raises:
        ScenarioError: no row carries it; names those that are there.
    """
    has_blocks = any(point.row.bler is not None for point in run.points)
    if name == BLER.name and has_blocks:
        return BLER
    try:
        return run.metric(name)
    except ScenarioError as fault:
        raise ScenarioError(f"{fault}{f', and {BLER.name}' if has_blocks else ''}") from None


def quantity_of(metric: Metric) -> Quantity:
    """A quality with both intervals; of the block error rate the one over transmissions, on a logarithmic axis."""
    if metric is BLER:
        return Quantity("bler", metric.label, _bler, higher_is_better=False, mean="rate over transmissions", log=True)

    def read(point: FinishedPoint) -> Reading | None:
        y = value(point.row, metric.column)
        if y is None or not math.isfinite(y):
            return None
        half = value(point.row, metric.interval)
        return Reading(y, _around(y, half), _around(y, _over_clips(point, metric, half)))

    return Quantity(metric.column.removesuffix("_db"), metric.label, read, metric.higher_is_better)


def difference(run: FinishedRun, reference: str, metric: Metric) -> Quantity:
    """By how much schemes are above a reference, clip by clip and trial by trial.

    Raises:
        ScenarioError: no such reference, or nothing to compare with it.
    """
    gaps = {(p.row.scheme, *p.row.point): p.gap for p in compare(run, reference, metric.name).points}

    def read(point: FinishedPoint) -> Reading | None:
        gap = gaps.get((point.row.scheme, *point.row.point))
        if gap is None:
            return None
        return Reading(gap.mean, _around(gap.mean, gap.trials_ci95), _around(gap.mean, gap.clips_ci95))

    unit = f" [{metric.unit}]" if metric.unit else ""
    return Quantity(
        f"{metric.column.removesuffix('_db')}_difference",
        f"{metric.title} difference{unit}",
        read,
        metric.higher_is_better,
        mean="mean paired difference over trials",
        zero=reference,
    )


def _bler(point: FinishedPoint) -> Reading | None:
    row = point.row
    if row.bler is None:
        return None
    ends = (row.bler_ci95_low, row.bler_ci95_high)
    return Reading(row.bler, UNKNOWN if ends[0] is None or ends[1] is None else (ends[0], ends[1]))


def _over_clips(point: FinishedPoint, metric: Metric, noise: float | None) -> float | None:
    """Half width over clips: of PSNR as the row has it, else from the clips' means; never less than over trials."""
    if metric.column == "psnr_db" and point.row.psnr_clips_ci95 is not None:
        return point.row.psnr_clips_ci95
    means = [fmean(clip[metric.column]) for clip in point.clips if clip.get(metric.column)]
    half = t_halfwidth(means) if len(means) > 1 else math.nan
    return half if noise is None or not math.isfinite(noise) or math.isnan(half) else max(half, noise)


def _around(y: float, half: float | None) -> Ends:
    return UNKNOWN if half is None or not math.isfinite(half) else (y - half, y + half)
