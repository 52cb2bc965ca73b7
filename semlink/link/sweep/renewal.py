"""Points of an earlier version whose trials are still right, but whose intervals are not.

Their rows follow anew from the values that they keep of every trial; nothing
is sent again. That holds where the stop rule, asked again, ends at the very
trials that are there. Other points are computed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from semlink.errors import SemlinkError
from semlink.files import Json, JsonDict
from semlink.link.metrics.registry import Metric, extremes_of
from semlink.link.results.clip_record import clip_losses
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.qualities import Doubt, losses, qualities
from semlink.link.results.rows import from_json, own_columns, to_json
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import GridPoint
from semlink.link.sweep.point_runner import PointRunner
from semlink.link.sweep.record import INTERVALS, interval_notes, intervals_said
from semlink.link.sweep.trials import StopRule, stop_rule


def is_current(record: Json) -> bool:
    """Whether a point has intervals of today."""
    return record.get("intervals") == INTERVALS


def renewed(record: Json, runner: PointRunner, point: GridPoint) -> JsonDict | None:
    """The record with intervals of today; None where its trials are not those that the stop rule asks for."""
    clips, rule = list(record.get("clips", ())), stop_rule(runner.scenario)
    if not clips:
        return {**record, **intervals_said(Doubt())}
    try:
        trials = _trials(clips, runner.metrics, runner.clips)
        is_certain = _is_certain(record, len(trials), rule, runner, point)
    except (KeyError, IndexError, TypeError, ValueError, SemlinkError):
        return None
    if not is_certain and not _would_end_here(trials, rule):
        return None
    doubt = Doubt(is_certain=True) if is_certain else Doubt(rule.error(len(trials)))
    notes = interval_notes(rule, len(trials), doubt, is_met=is_certain or rule.is_met(trials))
    return {
        **record,
        **intervals_said(doubt),
        "row": _row(record["row"], {**losses(trials, doubt), **qualities(trials, runner.metrics, doubt)}, notes),
        "clips": [_clip(clip, trials[0][n].extremes, doubt) for n, clip in enumerate(clips)],
    }


def _trials(clips: Sequence[Json], metrics: Sequence[Metric], source: Clips) -> list[list[ClipTrial]]:
    """What intervals need of the trials that a record keeps."""
    by_clip = [_of_clip(clip, metrics, source, number) for number, clip in enumerate(clips)]
    return [list(trial) for trial in zip(*by_clip, strict=True)]


def _of_clip(clip: Json, metrics: Sequence[Metric], source: Clips, number: int) -> list[ClipTrial]:
    reference = source.frames[number].pixels[0].numpy()
    pairs = {metric.name: extremes_of(metric, reference, source.look) for metric in metrics}
    extremes = {name: pair for name, pair in pairs.items() if pair is not None}
    count = len(clip[metrics[0].column])
    blocks, lost = clip.get("blocks") or [0] * count, clip.get("lost") or [0] * count
    return [
        ClipTrial({m.name: clip[m.column][t] for m in metrics}, {}, blocks[t], lost[t], extremes=extremes)
        for t in range(count)
    ]


def _is_certain(record: Json, trials: int, rule: StopRule, runner: PointRunner, point: GridPoint) -> bool:
    """Whether a point drew no noise: one trial where the rule asks for more, or a scheme that says so."""
    if trials > 1:
        return False
    if rule.max > 1:
        return True
    link = runner.link(point)
    if not link.is_sensing:
        return bool(link.is_bound) and record["row"].get("measurements_per_pixel") is None
    return all(link.is_certain(deal.agreement) for deal in runner.deals(link, point))


def _would_end_here(trials: Sequence[Sequence[ClipTrial]], rule: StopRule) -> bool:
    counts = [look for look in rule.looks if look < len(trials)]
    return rule.ends(trials) and not any(rule.ends(trials[:count]) for count in counts)


def _row(kept: Json, found: JsonDict, notes: Sequence[str]) -> JsonDict:
    """A row with other intervals; its qualities stay to the last digit."""
    row = from_json(kept)
    note = "; ".join(filter(None, [row.note, *(said for said in notes if said not in row.note)]))
    extra = {**row.extra, **found.pop("extra", {})}
    return to_json(type(row)(**{**own_columns(row), **found, "note": note}, extra=extra))


def _clip(clip: Json, extremes: Mapping[str, Sequence[float]], doubt: Doubt) -> JsonDict:
    said = {"extremes": {name: list(pair) for name, pair in extremes.items()}} if extremes else {}
    counted = clip_losses(clip["blocks"], clip["lost"], doubt) if clip.get("blocks") else {}
    return {**clip, **counted, **said}
