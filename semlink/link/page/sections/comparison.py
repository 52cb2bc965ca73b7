"""Every scheme against a chosen one: paired differences at points, averages over curves, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from semlink.files import JsonDict
from semlink.link.compare.compare import MOTIONS
from semlink.link.compare.gaps import Comparison, CurveGap, PointGap, reason_of
from semlink.link.compare.paired import Gap
from semlink.link.page.groups import group_names
from semlink.link.page.parts import NamedRun, PageOptions, Section
from semlink.link.results.labels import in_words
from semlink.link.results.rows import Row

__all__ = ["section"]


def section(runs: Sequence[NamedRun], options: PageOptions) -> Section | None:
    """None where nothing can be compared; without data where that would take long and nobody asked for it."""
    groups = [group for group in options.compared if group.by_reference or len(group.left_out) > 1]
    if not groups:
        return None
    keys = {(run.scheme(p.row.scheme), *p.row.point): key for run in runs for key, p in run.points()}
    clips = {clip["name"]: clip.get("motion", "") for run in runs for p in run.run.points for clip in p.clips}
    left_out = [name for group in groups for name in group.left_out]
    names = group_names(runs)
    data = {
        "references": [
            _reference(name, made, keys, options.metric.title) | {"group": number}
            for number, group in enumerate(options.compared)
            for name, made in group.by_reference.items()
        ],
        "metric": options.metric.column,
        "clips": [[name, motion] for name, motion in clips.items()],
        "motions": [motion for motion in MOTIONS if motion in clips.values()],
    }
    notes = list(dict.fromkeys(note for g in groups for made in g.by_reference.values() for note in made.notes))
    words = {
        "metric": options.metric,
        "notes": notes,
        "left_out": left_out,
        "alone": [(name, group.why_none) for name, group in zip(names, options.compared) if group.why_none],
        "is_empty": not data["references"],
        "points": sum(len(group.run.rows) for group in groups),
    }
    return Section("comparison", "Is one better, and how sure is that?", data, words)


def _reference(name: str, made: Comparison, keys: dict[tuple, str], title: str) -> JsonDict:
    return {
        "name": name,
        "curves": [_curve(curve, title) for curve in made.curves],
        "points": [_point(point, keys) for point in made.points if _place(point.row) in keys],
    }


def _place(row: Row) -> tuple:
    return (row.scheme, *row.point)


def _curve(curve: CurveGap, title: str) -> JsonDict:
    is_bare = curve.quality.value is None and curve.rate.value is None
    return {
        "scheme": curve.scheme,
        "channel": curve.channel,
        "snr_db": curve.snr_db,
        "quality": curve.quality.value,
        "quality_clips": curve.quality_ci95,
        "quality_noise": curve.quality_noise_ci95,
        "rate": curve.rate.value,
        "rate_clips": list(curve.rate_ci95),
        "rate_noise": list(curve.rate_noise_ci95),
        "costs": [curve.quality.low, curve.quality.high],
        "qualities": [curve.rate.low, curve.rate.high],
        "note": curve.quality.note.replace("the scheme ", f"{curve.scheme!r} ") if is_bare else reason_of(curve, title),
    }


def _point(point: PointGap, keys: dict[tuple, str]) -> JsonDict:
    found: JsonDict = {"key": keys[_place(point.row)]}
    if point.gap is not None:
        found |= _gap(point.gap) | {"clips": point.gap.clips, "trials": point.gap.trials}
        found["by_clip"] = {name: _short(mean) for name, mean in point.gap.by_clip.items()}
        found["by_motion"] = {motion: _gap(gap) for motion, gap in point.by_motion.items()}
    return found | ({"note": in_words(point.note)} if point.note else {})


def _gap(gap: Gap) -> JsonDict:
    return {"mean": _short(gap.mean), "over_clips": _short(gap.clips_ci95), "over_noise": _short(gap.trials_ci95)}


def _short(number: float) -> float:
    """Six digits say it, and a page of thousands of differences stays small."""
    return float(f"{number:.6g}")
