"""Is one scheme better than another at the same cost, and how sure are we?

Two answers per channel and SNR: Bjontegaard's averages over whole curves, and
the paired difference at each operating point, over all clips and by how much
they move. Differences are the scheme's less the reference's: positive is better
for a quality, negative for an error (`Metric.higher_is_better`); a negative
rate is cheaper for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from semlink.errors import ScenarioError, nearest
from semlink.link.compare.bd_rate import Average, bd_quality, bd_rate
from semlink.link.compare.curve_noise import noise_halfwidth
from semlink.link.compare.gaps import Comparison, CurveGap, PointGap, TurnedRound
from semlink.link.compare.paired import Gap, PointScores, pair, pair_at_cost, scores_of
from semlink.link.metrics.registry import Metric
from semlink.link.results.finished import FinishedRun
from semlink.link.results.labels import schemes_of
from semlink.link.results.rows import Row, by_cost, value

__all__ = ["Comparison", "CurveGap", "PointGap", "check_reference", "compare"]

MOTIONS = ("slow", "medium", "fast")
LEAST_CLIPS = 3
"""That tell how far an average over curves moves with clips."""
COUNTED = {
    "channel_uses_per_pixel": ("sends", "only sense"),
    "measurements_per_pixel": ("only senses", "send"),
}
"""By cost, what a scheme does that has it, and what those do that have the other."""
EQUAL_SPENDING = 0.03
"""Difference in what is spent of one budget up to which two schemes are compared as they stand."""


def compare(run: FinishedRun, reference: str, metric: str = "psnr", before: Sequence[Comparison] = ()) -> Comparison:
    """Compare every scheme of a run with `reference`.

    Args:
        metric: by its name or its column.
        before: comparisons of this run in this metric; what they have between the same two schemes is turned round.
    Raises:
        ResultsError: a damaged record.
        ScenarioError: no such reference or metric, or nothing to compare it with.
    """
    folder = run.folder
    check_reference(run.rows, reference, folder)
    judged = run.metric(metric)
    cost, rows = next(kind for kind in by_cost(run.rows) if reference in schemes_of(kind[1]))
    others = [name for name in schemes_of(run.rows) if name not in schemes_of(rows)]
    if len(schemes_of(rows)) < 2:
        raise ScenarioError(
            f"{folder}: {reference!r} {COUNTED[cost][0]}; nothing else there does, and {', '.join(map(repr, others))} "
            f"{COUNTED[cost][1]}"
        )
    scores, known = scores_of(run, judged, cost), TurnedRound(before, reference)
    curves, points = [], []
    for scheme in schemes_of(rows):
        if scheme == reference:
            continue
        for channel, snr_db in dict.fromkeys((r.channel, r.snr_db) for r in rows if r.scheme == scheme):
            ours = _at(rows, scheme, channel, snr_db)
            theirs = _at(rows, reference, channel, snr_db)
            curves.append(known.curve(scheme, channel, snr_db) or _curve_gap(ours, theirs, scores, judged, cost))
            points += [known.point(row) or _point_gap(row, theirs, scores, cost) for row in ours]
    notes = (
        [f"not compared, since what they cost is counted otherwise: {', '.join(map(repr, others))}"] if others else []
    )
    notes += [] if scores else [f"no records of clips for {judged.name} in {folder / 'points'}: no paired differences"]
    if not any(c.quality.value is not None or c.rate.value is not None for c in curves) and not any(
        p.gap for p in points
    ):
        reasons = dict.fromkeys(c.quality.note for c in curves if c.quality.note)
        raise ScenarioError(f"{folder}: nothing can be compared with {reference!r}: {'; '.join([*notes, *reasons])}")
    return Comparison(reference, judged, cost, tuple(curves), tuple(points), tuple(notes))


def check_reference(rows: Sequence[Row], reference: str, folder: Path) -> None:
    """Refuse a reference that is no scheme of the rows, or the only one.

    Raises:
        ScenarioError: it is; names the schemes.
    """
    names = schemes_of(rows)
    if reference not in names:
        near = nearest(reference, names) or next((n for n in names if reference.casefold() in n.casefold()), None)
        hint = f"; did you mean {near!r}?" if near else ";"
        raise ScenarioError(f"{folder}: no scheme {reference!r}{hint} schemes: {', '.join(map(repr, names))}")
    if len(names) < 2:
        raise ScenarioError(f"{folder}: {reference!r} is the only scheme; a comparison needs a second one")


def _at(rows: Iterable[Row], scheme: str, channel: str, snr_db: float | None) -> list[Row]:
    return [r for r in rows if (r.scheme, r.channel, r.snr_db) == (scheme, channel, snr_db)]


def _curve_gap(
    ours: Sequence[Row], theirs: Sequence[Row], scores: Mapping[tuple, PointScores], metric: Metric, cost: str
) -> CurveGap:
    """Both averages; the method knows qualities only, so an error enters it with its sign turned."""
    sign = 1 if metric.higher_is_better else -1
    mine, other = _drawn(ours, metric.column, cost), _drawn(theirs, metric.column, cost)
    reference, test = ([(spent, sign * found) for _, spent, found in side] for side in (other, mine))
    quality, rate = bd_quality(reference, test), bd_rate(reference, test)
    records = [[scores.get((r.scheme, *r.point)) for r, _, _ in side] for side in (other, mine)]
    half = noise = math.nan
    limits = noise_limits = (math.nan, math.nan)
    if quality.value is not None:
        half, noise = _halves(records, bd_quality, float, sign)
    if rate.value is not None:
        limits, noise_limits = (
            _percent(_log_rate(rate.value), log_half) for log_half in _halves(records, bd_rate, _log_rate, sign)
        )
    if sign < 0:
        quality = replace(quality, value=None if quality.value is None else -quality.value)
        rate = replace(rate, low=-rate.high, high=-rate.low)
    first = ours[0]
    note = _why_not(records) if quality.value is not None and math.isnan(half) else ""
    place = (first.scheme, first.channel, first.snr_db)
    return CurveGap(*place, quality, half, rate, limits, noise, noise_limits, note)


def _halves(
    records: Sequence[Sequence[PointScores | None]],
    average: Callable[..., Average],
    scale: Callable[[float], float],
    sign: int,
) -> tuple[float, float]:
    """Half widths over clips, which noise may widen, and over noise alone."""
    content, noise = _jackknife(records, average, scale, sign), noise_halfwidth(records, average, scale)
    return (content if math.isnan(noise) else max(content, noise)), noise


def _percent(middle: float, log_half: float) -> tuple[float, float]:
    return 100 * math.expm1(middle - log_half), 100 * math.expm1(middle + log_half)


def _why_not(records: Sequence[Sequence[PointScores | None]]) -> str:
    """Why there is no interval over clips."""
    points = [point for side in records for point in side]
    clips = min((len(point.clips) for point in points if point is not None), default=0)
    if None in points or clips >= LEAST_CLIPS:
        return ""
    return f"{clips} clip{'' if clips == 1 else 's'}: no interval over clips, which needs {LEAST_CLIPS}"


def _drawn(rows: Iterable[Row], column: str, cost: str) -> list[tuple[Row, float, float]]:
    """Rows with their cost, if positive, and quality, if finite."""
    found = ((r, value(r, cost), value(r, column)) for r in rows)
    return [(r, c, q) for r, c, q in found if c is not None and c > 0 and q is not None and math.isfinite(q)]


def _log_rate(percent: float) -> float:
    return math.log1p(percent / 100)


def _jackknife(
    records: Sequence[Sequence[PointScores | None]],
    average: Callable[..., Average],
    scale: Callable[[float], float],
    sign: int,
) -> float:
    """95 % half width over clips of `scale(average)`, each clip left out once.

    NaN where a record is missing, fewer than three clips are common to all
    points, or a curve without one clip has no average.
    """
    from scipy.special import stdtrit

    sides = [[p for p in side if p is not None] for side in records]
    if any(len(side) < len(all_) for side, all_ in zip(sides, records)):
        return math.nan
    names = [n for n in sides[0][0].clips if all(n in p.clips for side in sides for p in side)]
    if len(names) < LEAST_CLIPS:
        return math.nan
    found = []
    for out in names:
        kept = [n for n in names if n != out]
        replicate = average(*([_mean_point(p, kept, sign) for p in side] for side in sides))
        if replicate.value is None:
            return math.nan
        found.append(scale(replicate.value))
    count = len(found)
    return float(stdtrit(count - 1, 0.975)) * math.sqrt((count - 1) * float(np.var(found)))


def _mean_point(point: PointScores, names: Sequence[str], sign: int) -> tuple[float, float]:
    """Mean cost and `sign` times the mean quality over the clips `names`, trials averaged first."""
    clips = [point.clips[n] for n in names]
    return float(np.mean([c.cost.mean() for c in clips])), sign * float(np.mean([c.quality.mean() for c in clips]))


def _point_gap(row: Row, theirs: Sequence[Row], scores: Mapping[tuple, PointScores], cost: str) -> PointGap:
    """At the same budget where both have one and spend the same of it, else at equal cost on the reference's curve."""
    own = scores.get((row.scheme, *row.point))
    peer = next((r for r in theirs if r.budget is not None and r.budget == row.budget), None)
    spent = value(row, cost)
    if own is None:
        return PointGap(row, spent, None, None, {}, row.note or "no record of its clips")
    names = list(own.clips)
    if peer is not None:
        record = scores.get((peer.scheme, *peer.point))
        if record is None:
            return PointGap(row, spent, value(peer, cost), None, {}, f"reference: {peer.note or 'no record'}")
        names = [n for n in names if n in record.clips]
        other = value(peer, cost)
        unequal = _unequal(spent, other)
        if unequal:
            at_cost = _at_equal_cost(row, own, theirs, scores, names)
            if at_cost is not None:
                words = _joined(f"at equal cost: {unequal}", at_cost.note)
                return replace(at_cost, cost=spent, reference_cost=spent, note=words)
        found = pair(own, record, names)
        groups = {m: pair(own, record, same) for m, same in _by_motion(own, names).items()}
        if found is None:
            return PointGap(row, spent, other, None, {}, "no common trial")
        short = f"not at equal cost: {unequal}, outside the reference's curve" if unequal else ""
        return PointGap(row, spent, other, found, _present(groups), _joined(short, found.note))
    at_cost = _at_equal_cost(row, own, theirs, scores, names)
    if at_cost is None:
        return PointGap(row, spent, None, None, {}, "cost outside the reference's curve")
    return replace(at_cost, cost=spent, reference_cost=spent)


def _at_equal_cost(
    row: Row, own: PointScores, theirs: Sequence[Row], scores: Mapping[tuple, PointScores], names: Sequence[str]
) -> PointGap | None:
    """The difference to the reference's curve at each clip's own cost; None where all lie outside it."""
    curve = [s for s in (scores.get((r.scheme, *r.point)) for r in theirs) if s is not None]
    found, used = pair_at_cost(own, curve, names)
    if found is None:
        return None
    groups = {m: pair_at_cost(own, curve, same)[0] for m, same in _by_motion(own, used).items()}
    outside = "" if len(used) == len(names) else f"{len(names) - len(used)} of {len(names)} clips outside the curve"
    return PointGap(row, None, None, found, _present(groups), _joined(outside, found.note))


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _unequal(spent: float | None, other: float | None) -> str:
    """What two schemes spend of one budget where that differs by more than `EQUAL_SPENDING`; else ''."""
    if not spent or not other or abs(spent - other) <= EQUAL_SPENDING * max(spent, other):
        return ""
    return f"spends {100 * spent / other:.0f} % of what the reference does"


def _by_motion(point: PointScores, names: Iterable[str]) -> dict[str, list[str]]:
    groups = {m: [n for n in names if point.clips[n].motion == m] for m in MOTIONS}
    return {motion: found for motion, found in groups.items() if found}


def _present(groups: Mapping[str, Gap | None]) -> dict[str, Gap]:
    return {motion: found for motion, found in groups.items() if found is not None}
