"""Every operating point as the page's scripts read it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from semlink.files import Json, JsonDict
from semlink.ledger import PURPOSES
from semlink.link.metrics.intervals import t_halfwidth
from semlink.link.metrics.registry import Metric
from semlink.link.page.groups import groups_of
from semlink.link.page.parts import NamedRun
from semlink.link.results.finished import FinishedPoint, metrics_of
from semlink.link.results.labels import chosen_coding, coding_name, in_words
from semlink.link.results.rows import only_senses, value

__all__ = ["OVER_CLIPS", "metrics_on", "points_of"]

OVER_CLIPS = "_clips_ci95"
"""How the half width over clips is called, behind the column without its unit."""
NUMBERS = ("bler", "bler_ci95_low", "bler_ci95_high", "outage", "trials", "clips", "agreement_bytes", "choice_bits")
SAID_TWICE = re.compile(r"(^|; )mcs \w+ [\d.]+/1024(?=;|$)")


def metrics_on(runs: Sequence[NamedRun]) -> tuple[Metric, ...]:
    """The qualities that some point of the page has."""
    told = [entry for run in runs for record in run.run.records for entry in record.get("metrics", ())]
    return metrics_of([row for run in runs for row in run.run.rows], told)


def points_of(runs: Sequence[NamedRun]) -> list[JsonDict]:
    """Where each point stands, its qualities with both intervals, what it cost by purpose, losses, trials, notes."""
    metrics, groups = metrics_on(runs), groups_of(runs)
    return [
        _place(run, key, point, group)
        | {
            name: found
            for name, found in _numbers(run, point, metrics)
            if found is not None and found != "" and found is not False
        }
        for run, group in zip(runs, groups)
        for key, point in run.points()
    ]


def _place(run: NamedRun, key: str, point: FinishedPoint, group: int) -> JsonDict:
    row = point.row
    return {
        "key": key,
        "scheme": run.scheme(row.scheme),
        "channel": row.channel,
        "snr_db": row.snr_db,
        "budget": row.budget,
        "rate": row.rate,
        "group": group,
    }


def _numbers(run: NamedRun, point: FinishedPoint, metrics: Sequence[Metric]) -> Iterator[tuple[str, object]]:
    """What there is to say, by name; the page leaves out what is empty."""
    row = point.row
    senses = only_senses(row)
    yield "senses", senses
    yield "cost", value(row, "measurements_per_pixel" if senses else "channel_uses_per_pixel")
    yield "uses", value(row, "channel_uses")
    yield "readings", value(row, "measurements_per_pixel")
    yield "ledger", {purpose: spent for purpose in PURPOSES if (spent := value(row, purpose))} or None
    for metric in metrics:
        found = value(row, metric.column)
        yield metric.column, found if found is not None and math.isfinite(found) else None
        yield metric.interval, _half(value(row, metric.interval))
        yield metric.column.removesuffix("_db") + OVER_CLIPS, _half(_over_clips(point, metric))
    yield "lossless", [m.column for m in metrics if value(row, m.column) == math.inf] or None
    for name in NUMBERS:
        yield name, value(row, name)
    yield "mcs", chosen_coding(row.note) or _fixed(run, row.scheme)
    yield "note", in_words(SAID_TWICE.sub("", row.note).removeprefix("; "))
    yield "genie", row.genie
    yield "bound", row.bound


def _half(found: float | None) -> float | None:
    return None if found is None or not math.isfinite(found) else found


def _over_clips(point: FinishedPoint, metric: Metric) -> float | None:
    """The half width of the mean over clips, never less than that over noise, as `psnr_clips_ci95` has it."""
    own = value(point.row, metric.column.removesuffix("_db") + OVER_CLIPS)
    if own is not None:
        return own
    clips = [clip[metric.column] for clip in point.clips if clip.get(metric.column)]
    if len(clips) < 2 or any(found is None for clip in clips for found in clip):
        return None
    return max(t_halfwidth([float(np.mean(clip)) for clip in clips]), value(point.row, metric.interval) or 0.0)


def _fixed(run: NamedRun, scheme: str) -> str:
    """The modulation and code rate that a scheme's entry fixes; '' where there is none."""
    entries = (run.run.manifest.get("scenario") or {}).get("schemes") or ()
    entry: Json = next((e for e in entries if isinstance(e, Mapping) and e.get("name") == scheme), {})
    coding = entry.get("coding")
    if not isinstance(coding, Mapping) or not coding.get("modulation") or not isinstance(coding.get("rate"), float):
        return ""
    return coding_name(str(coding["modulation"]), coding["rate"])
