"""What a comparison finds, and the same seen from the other side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from semlink.link.compare.bd_rate import Average
from semlink.link.compare.paired import Gap
from semlink.link.metrics.registry import Metric
from semlink.link.results.rows import Row

__all__ = ["Comparison", "CurveGap", "PointGap", "TurnedRound", "reason_of"]


@dataclass(frozen=True, slots=True)
class CurveGap:
    """Bjontegaard's averages of one scheme against the reference at one channel and SNR.

    `quality_ci95` (half width) and `rate_ci95` (low, high, in percent) are
    95 % intervals over clips by the delete-one jackknife, never narrower than
    noise; NaN where the records of at least three clips are not at hand.
    `quality_noise_ci95` and `rate_noise_ci95` are the same over noise, clips
    held fixed (`noise_halfwidth`). `note` says which cannot be had.
    """

    scheme: str
    channel: str
    snr_db: float | None
    quality: Average
    quality_ci95: float
    rate: Average
    rate_ci95: tuple[float, float]
    quality_noise_ci95: float = math.nan
    rate_noise_ci95: tuple[float, float] = (math.nan, math.nan)
    note: str = ""


def reason_of(curve: CurveGap, title: str) -> str:
    """Why an average is missing or restricted: of which column that is, and the scheme by its name.

    Args:
        title: of the quality, such as PSNR.
    """
    columns: dict[str, list[str]] = {}
    for column, note in ((f"BD-{title}", curve.quality.note), ("BD-rate", curve.rate.note)):
        alike = next((one for one in columns if one == note.replace("undominated", "usable")), note)
        if note:
            columns.setdefault(alike, []).append(column)
    told = [f"{' and '.join(names)}: {note}" for note, names in columns.items()]
    return "; ".join([*told, *filter(None, [curve.note])]).replace(": the scheme ", f": {curve.scheme!r} ")


@dataclass(frozen=True, slots=True)
class PointGap:
    """The paired difference of one scheme at one operating point; `gap` None with the reason in `note`.

    `by_motion` holds the same over the clips of one motion class only.
    """

    row: Row
    cost: float | None
    reference_cost: float | None
    gap: Gap | None
    by_motion: Mapping[str, Gap]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every scheme of a results folder against one of them."""

    reference: str
    metric: Metric
    cost: str
    curves: tuple[CurveGap, ...]
    points: tuple[PointGap, ...]
    notes: tuple[str, ...] = ()


class TurnedRound:
    """What comparisons that were made before have of `reference`, now that it is the reference.

    A difference of two schemes at one budget that both spend alike is that of the two in the other order with its
    sign turned, intervals and all; so are averages over curves, rates in their logarithm. What was compared at
    equal cost rests on points of one side alone, and is not turned.
    """

    def __init__(self, before: Sequence[Comparison], reference: str) -> None:
        self._curves = {
            (found.reference, curve.channel, curve.snr_db): _turned_curve(curve, found.reference)
            for found in before
            for curve in found.curves
            if curve.scheme == reference and curve.quality.value is not None and curve.rate.value is not None
        }
        self._points = {
            (found.reference, *point.row.point): point
            for found in before
            for point in found.points
            if point.row.scheme == reference and _is_at_one_budget(point)
        }

    def curve(self, scheme: str, channel: str, snr_db: float | None) -> CurveGap | None:
        """The averages of `scheme`; None where they are not known."""
        return self._curves.get((scheme, channel, snr_db))

    def point(self, row: Row) -> PointGap | None:
        """The difference at `row`; None where it is not known."""
        found = self._points.get((row.scheme, *row.point))
        if found is None or found.gap is None:
            return None
        groups = {motion: _turned_gap(gap) for motion, gap in found.by_motion.items()}
        return PointGap(row, found.reference_cost, found.cost, _turned_gap(found.gap), groups, found.gap.note)


def _is_at_one_budget(point: PointGap) -> bool:
    """Whether it is a difference of two points as they stand, at one budget that both spend alike."""
    return point.gap is not None and point.row.budget is not None and point.note == point.gap.note


def _turned_gap(gap: Gap) -> Gap:
    return replace(gap, mean=-gap.mean, by_clip={name: -mean for name, mean in gap.by_clip.items()})


def _turned_curve(curve: CurveGap, scheme: str) -> CurveGap:
    quality = replace(curve.quality, value=None if curve.quality.value is None else -curve.quality.value)
    rate = replace(curve.rate, value=None if curve.rate.value is None else _turned_rate(curve.rate.value))
    limits, noise = ((_turned_rate(high), _turned_rate(low)) for low, high in (curve.rate_ci95, curve.rate_noise_ci95))
    return replace(curve, scheme=scheme, quality=quality, rate=rate, rate_ci95=limits, rate_noise_ci95=noise)


def _turned_rate(percent: float) -> float:
    return 100 * math.expm1(-math.log1p(percent / 100))
